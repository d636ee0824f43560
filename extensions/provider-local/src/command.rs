//! The data source `local_command`, and the same as an ephemeral resource.

use std::{
    fs,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process_group};
use stackwright::{
    error::{Error, ErrorKind, Result},
    resource::{Context, DataSource, EphemeralResource, Opened},
    schema::{Attribute, Schema},
    value::{Type, Value},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
};

use crate::{
    attributes::{check_words, flag, io_error, number, text, texts, variables, with},
    log,
    process::{DIGEST, MARK},
};

/// Output longer than this is refused.
const LARGEST_OUTPUT_BYTES: u64 = 16 * 1024 * 1024;
/// The longest that a program may take: what the engine gives a call.
const LONGEST_SECONDS: u64 = 1200;

/// What a program prints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalCommand;

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| Arc::new(build())))
}

fn build() -> Schema {
    Schema::new(1)
        .describe("What a program prints. It runs at every plan, so it should only look.")
        .attribute("id", Attribute::computed(Type::String).describe("The program."))
        .attribute(
            "command",
            Attribute::required(Type::list(Type::String))
                .describe("The program and its arguments; no shell reads them."),
        )
        .attribute(
            "working_directory",
            Attribute::optional(Type::String).describe("Where it runs; the engine's own without it."),
        )
        .attribute(
            "environment",
            Attribute::optional(Type::map(Type::String))
                .describe("Variables beside the engine's own; null takes one away."),
        )
        .attribute("input", Attribute::optional(Type::String).describe("What it reads from standard input."))
        .attribute(
            "timeout_seconds",
            Attribute::optional(Type::Number)
                .default(60)
                .between(1, LONGEST_SECONDS)
                .describe("How long it, and what it started, may take; all of them are killed then."),
        )
        .attribute(
            "allow_failure",
            Attribute::optional(Type::Bool)
                .default(false)
                .describe("Whether an exit code other than 0 is an answer too."),
        )
        .attribute(
            "sensitive",
            Attribute::optional(Type::Bool).default(false).describe(
                "Whether what it prints is secret: it then is `secret_stdout` and `secret_stderr`, and `stdout` and \
                 `stderr` are null.",
            ),
        )
        .attribute(
            "exit_code",
            Attribute::computed(Type::Number)
                .describe("Its exit code; 128 and the signal's number where one ended it."),
        )
        .attribute(
            "stdout",
            Attribute::computed(Type::String)
                .describe("What it printed, at most 16 MiB; what is not UTF-8 in it becomes U+FFFD."),
        )
        .attribute("stderr", Attribute::computed(Type::String).describe("What it printed to standard error."))
        .attribute(
            "secret_stdout",
            Attribute::computed(Type::String).sensitive().describe("What it printed, where that is secret."),
        )
        .attribute(
            "secret_stderr",
            Attribute::computed(Type::String)
                .sensitive()
                .describe("What it printed to standard error, where that is secret."),
        )
}

fn error(kind: ErrorKind, message: String) -> Error {
    Error::new(kind, "local.command", message)
}

/// Kills a program and all that it started in its group, unless it is let go before.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw))
    }

    fn let_go(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The program was not waited for yet, so the number is still that of its group.
        if let Some(pid) = self.0 {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

fn start(config: &Value, command: &[String]) -> Result<Child> {
    let (program, arguments) = command.split_first().ok_or_else(|| Error::bug("there is no program"))?;
    let mut child = Command::new(program);
    child.args(arguments);
    // Nobody is to take it for a process of its own that the engine runs.
    child.env_remove(MARK).env_remove(DIGEST);
    for (name, value) in variables(config, "environment") {
        match value {
            Some(value) => child.env(name, value),
            None => child.env_remove(name),
        };
    }
    child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    if let Some(folder) = text(config, "working_directory") {
        let place = Path::new(folder);
        if !fs::metadata(place).map_err(|error| io_error("work in", place, error))?.is_dir() {
            return Err(error(ErrorKind::InvalidInput, format!("cannot work in `{folder}`: it is not a directory")));
        }
        child.current_dir(place);
    }
    child.spawn().map_err(|cause| {
        let kind = match cause.kind() {
            std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            std::io::ErrorKind::InvalidInput => ErrorKind::InvalidInput,
            _ => ErrorKind::NotFound,
        };
        error(kind, format!("cannot start `{program}`")).because(cause)
    })
}

async fn drain(program: &str, stream: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        let read = stream.take(LARGEST_OUTPUT_BYTES + 1).read_to_end(&mut bytes).await;
        read.map_err(|cause| error(ErrorKind::Unavailable, format!("`{program}` could not be read")).because(cause))?;
    }
    if bytes.len() as u64 > LARGEST_OUTPUT_BYTES {
        return Err(error(ErrorKind::InvalidInput, format!("`{program}` printed more than 16 MiB")));
    }
    Ok(bytes)
}

/// Feeds a program and reads what it prints until it ends, and all who hold its output.
async fn talk(program: &str, child: &mut Child, input: Option<&str>) -> Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // A program that does not read its input closes the pipe early; that is its right.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        Ok(())
    };
    // Too much of one of them ends it: whoever prints waits until somebody reads.
    let ((), stdout, stderr) = tokio::try_join!(feed, drain(program, stdout), drain(program, stderr))?;
    let ended = child.wait().await;
    let ended = ended.map_err(|cause| error(ErrorKind::Unavailable, format!("`{program}` was lost")).because(cause))?;
    Ok((ended, stdout, stderr))
}

/// Says that a program failed, with the end of what it said about it where that may be shown.
fn failure(config: &Value, program: &str, code: i32, stderr: &[u8]) -> Error {
    let mut message =
        format!("`{program}` ended with code {code}; `allow_failure = true` takes that for an answer too");
    if !flag(config, "sensitive") {
        let mut secrets = log::secrets(config);
        secrets.extend(text(config, "input").map(str::to_owned));
        if let Some(lines) = log::last_lines(&String::from_utf8_lossy(stderr), &secrets) {
            message.push_str(&format!(". It said last:\n{lines}"));
        }
    }
    error(ErrorKind::Unavailable, message)
}

#[async_trait]
impl DataSource for LocalCommand {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    async fn read(&self, ctx: &Context, config: Value) -> Result<Value> {
        run(ctx, config, Told::Stderr).await
    }
}

#[async_trait]
impl EphemeralResource for LocalCommand {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    async fn open(&self, ctx: &Context, config: Value) -> Result<Opened> {
        run(ctx, config, Told::Nothing).await.map(Opened::new)
    }
}

/// What an error says of what a program printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// The end of what it said about its failure.
    Stderr,
    /// Nothing: it may be what must not be kept.
    Nothing,
}

async fn run(ctx: &Context, config: Value, told: Told) -> Result<Value> {
    check_words(&config, "command", "local.command")?;
    let command = texts(&config, "command");
    let program = command.first().map_or("", String::as_str);
    let mut child = start(&config, &command)?;
    let group = Group::of(&child);
    let limit = Duration::from_secs(number(&config, "timeout_seconds").unwrap_or(60));
    let (status, stdout, stderr) = tokio::select! {
        ended = talk(program, &mut child, text(&config, "input")) => ended?,
        () = ctx.clock().sleep(limit) => {
            let message = format!("`{program}`, or what it started, did not end within {} s", limit.as_secs());
            return Err(error(ErrorKind::Unavailable, message));
        }
        () = ctx.cancellation().cancelled() => {
            return Err(Error::new(ErrorKind::Cancelled, "run.cancelled", format!("`{program}` was ended early")));
        }
    };
    group.let_go();
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    if code != 0 && !flag(&config, "allow_failure") {
        let said: &[u8] = if told == Told::Stderr { &stderr } else { &[] };
        return Err(failure(&config, program, code, said));
    }
    let [stdout, stderr] = [stdout, stderr].map(|bytes| Value::string(String::from_utf8_lossy(&bytes).into_owned()));
    let none = || Value::null(Type::String);
    let [shown, secret] = match flag(&config, "sensitive") {
        true => [[none(), none()], [stdout, stderr]],
        false => [[stdout, stderr], [none(), none()]],
    };
    let ([stdout, stderr], [secret_stdout, secret_stderr]) = (shown, secret);
    Ok(with(
        &config,
        [
            ("id", Value::string(program)),
            ("exit_code", Value::number(i64::from(code))),
            ("stdout", stdout),
            ("stderr", stderr),
            ("secret_stdout", secret_stdout),
            ("secret_stderr", secret_stderr),
        ],
    ))
}

//! The data source `local_command`.

use std::{
    process::Stdio,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use stackwright::{
    error::{Error, ErrorKind, Result},
    resource::{Context, DataSource},
    schema::{Attribute, Schema},
    value::{Type, Value},
};
use tokio::io::AsyncReadExt as _;

use crate::attributes::{flag, number, text, texts, variables, with};

/// Output longer than this is refused.
const LARGEST_OUTPUT_BYTES: u64 = 16 * 1024 * 1024;

/// What a program prints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalCommand;

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        Arc::new(
            Schema::new(1)
                .describe("What a program prints. It runs at every plan, so it should only look.")
                .attribute("id", Attribute::computed(Type::String).describe("The program."))
                .attribute(
                    "command",
                    Attribute::required(Type::list(Type::String))
                        .describe("The program and its arguments; no shell reads them."),
                )
                .attribute("working_directory", Attribute::optional(Type::String).describe("Where it runs."))
                .attribute(
                    "environment",
                    Attribute::optional(Type::map(Type::String)).describe("Variables beside the engine's own."),
                )
                .attribute("input", Attribute::optional(Type::String).describe("What it reads from standard input."))
                .attribute(
                    "timeout_seconds",
                    Attribute::optional(Type::Number).default(60).between(1, 3600).describe("How long it may take."),
                )
                .attribute(
                    "allow_failure",
                    Attribute::optional(Type::Bool)
                        .default(false)
                        .describe("Whether an exit code other than 0 is an answer too."),
                )
                .attribute(
                    "exit_code",
                    Attribute::computed(Type::Number)
                        .describe("Its exit code; 128 and the signal's number where one ended it."),
                )
                .attribute("stdout", Attribute::computed(Type::String).describe("What it printed."))
                .attribute("stderr", Attribute::computed(Type::String).describe("What it printed to standard error.")),
        )
    }))
}

fn error(kind: ErrorKind, message: String) -> Error {
    Error::new(kind, "local.command", message)
}

async fn drain(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(LARGEST_OUTPUT_BYTES + 1).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

#[async_trait]
impl DataSource for LocalCommand {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    async fn read(&self, ctx: &Context, config: Value) -> Result<Value> {
        let command = texts(&config, "command");
        let Some((program, arguments)) = command.split_first() else {
            return Err(error(
                ErrorKind::InvalidInput,
                "`command` is empty; its first element is the program".to_owned(),
            ));
        };
        let mut child = tokio::process::Command::new(program);
        child
            .args(arguments)
            .envs(variables(&config, "environment").into_iter().filter_map(|(name, value)| Some((name, value?))));
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        if let Some(folder) = text(&config, "working_directory") {
            child.current_dir(folder);
        }
        let unstarted = |cause| error(ErrorKind::NotFound, format!("cannot start `{program}`")).because(cause);
        let mut child = child.spawn().map_err(unstarted)?;
        let input = text(&config, "input").unwrap_or("").as_bytes().to_vec();
        let stdin = child.stdin.take();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A program that does not read its input closes the pipe early; that is its right.
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stdin, &input).await;
            }
        };
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let limit = Duration::from_secs(number(&config, "timeout_seconds").unwrap_or(60));
        let work = async { tokio::join!(feed, drain(stdout), drain(stderr), child.wait()) };
        let (stdout, stderr, status) = tokio::select! {
            ((), stdout, stderr, status) = work => (stdout, stderr, status),
            () = ctx.clock().sleep(limit) => {
                return Err(error(ErrorKind::Unavailable, format!("`{program}` did not end within {limit:?}")));
            }
            () = ctx.cancellation().cancelled() => {
                return Err(Error::new(ErrorKind::Cancelled, "run.cancelled", format!("`{program}` was ended early")));
            }
        };
        let unread = |cause| error(ErrorKind::Unavailable, format!("`{program}` could not be read")).because(cause);
        let (stdout, stderr) = (stdout.map_err(unread)?, stderr.map_err(unread)?);
        let status = status.map_err(unread)?;
        if stdout.len().max(stderr.len()) as u64 > LARGEST_OUTPUT_BYTES {
            return Err(error(ErrorKind::InvalidInput, format!("`{program}` printed more than 16 MiB")));
        }
        let code =
            status.code().unwrap_or_else(|| 128 + std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0));
        if code != 0 && !flag(&config, "allow_failure") {
            // What it printed may hold secrets, so it is not repeated here.
            let message =
                format!("`{program}` ended with code {code}; set `allow_failure = true` to go on with what it printed");
            return Err(error(ErrorKind::Unavailable, message));
        }
        Ok(with(
            &config,
            [
                ("id", Value::string(program.as_str())),
                ("exit_code", Value::number(i64::from(code))),
                ("stdout", Value::string(String::from_utf8_lossy(&stdout).into_owned())),
                ("stderr", Value::string(String::from_utf8_lossy(&stderr).into_owned())),
            ],
        ))
    }
}

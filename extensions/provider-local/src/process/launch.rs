//! Starts programs.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Seek as _},
    os::{
        fd::{BorrowedFd, RawFd},
        unix::{
            fs::{OpenOptionsExt as _, PermissionsExt as _},
            process::CommandExt as _,
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::io::FdFlags;
use sha2::{Digest as _, Sha256};
use stackwright::{
    error::{Error, ErrorKind, Result},
    value::Value,
};
use tokio::sync::watch;

use super::{identity::Identity, table};
use crate::{
    attributes::{io_error, text, texts, variables},
    encoding::hex,
};

/// The variable that holds the object id.
pub(crate) const MARK: &str = "STACKWRIGHT_OBJECT_ID";
/// The variable that holds the digest of what the process was started with.
pub(crate) const DIGEST: &str = "STACKWRIGHT_INPUT_DIGEST";
/// What the variables begin with that are the engine's own business, its key among them: none of them is handed on.
const OWN_PREFIX: &str = "STACKWRIGHT_";

/// What a process is started with.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    command: Vec<String>,
    /// Null takes a variable away.
    environment: BTreeMap<String, Option<String>>,
    working_directory: Option<PathBuf>,
    log_file: Option<PathBuf>,
    pub(super) mark: String,
    pub(super) digest: String,
}

/// A process that was just started.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) identity: Identity,
    /// How long the log file was before.
    pub(super) log_from: u64,
    /// How it ended, once it did.
    pub(super) exit: watch::Receiver<Option<ExitStatus>>,
}

/// Returns a digest of everything that a process is started with.
pub(super) fn digest(planned: &Value) -> String {
    let mut hasher = Sha256::new();
    let mut add = |text: &str| {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    for word in texts(planned, "command") {
        add(&word);
    }
    for name in ["environment", "triggers"] {
        add(name);
        for (key, value) in variables(planned, name) {
            add(&key);
            add(value.as_deref().unwrap_or("\0"));
        }
    }
    for name in ["working_directory", "log_file"] {
        add(text(planned, name).unwrap_or("\0"));
    }
    hex(&hasher.finalize())
}

impl Launch {
    /// Returns how a planned process is started.
    pub(super) fn of(planned: &Value, mark: String) -> Self {
        Self {
            command: texts(planned, "command"),
            environment: variables(planned, "environment"),
            working_directory: text(planned, "working_directory").map(PathBuf::from),
            log_file: text(planned, "log_file").map(PathBuf::from),
            mark,
            digest: digest(planned),
        }
    }

    /// Checks what can be checked before anything is stopped for it.
    ///
    /// # Errors
    /// `local.process` when the program or the folder is not there, `local.io` and `local.denied` for the log.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(folder) = &self.working_directory {
            let is_folder = fs::metadata(folder).map_err(|error| io_error("work in", folder, error))?.is_dir();
            if !is_folder {
                let message = format!("cannot work in `{}`: it is not a directory", folder.display());
                return Err(Error::new(ErrorKind::InvalidInput, "local.process", message));
            }
        }
        self.find_program()?;
        self.open_log().map(drop)
    }

    fn program(&self) -> Result<(&str, &[String])> {
        let (program, arguments) = self.command.split_first().ok_or_else(|| {
            let message = "`command` is empty; its first element is the program";
            Error::new(ErrorKind::InvalidInput, "local.process", message)
        })?;
        Ok((program, arguments))
    }

    fn find_program(&self) -> Result<()> {
        let (program, _) = self.program()?;
        let is_program = |path: &Path| {
            fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
        };
        let missing = |message: String| Error::new(ErrorKind::NotFound, "local.process", message);
        if program.contains('/') {
            let place = self.working_directory.as_deref().unwrap_or(Path::new("")).join(program);
            return match fs::metadata(&place) {
                Err(error) => Err(missing(format!("cannot start `{program}`")).because(error)),
                Ok(_) if !is_program(&place) => {
                    let message = format!("cannot start `{program}`: it is not a program that may be run");
                    Err(Error::new(ErrorKind::Denied, "local.process", message))
                }
                Ok(_) => Ok(()),
            };
        }
        let path = match self.environment.get("PATH") {
            Some(own) => own.as_ref().map(Into::into),
            None => env::var_os("PATH"),
        };
        // Without a PATH the system searches folders of its own.
        let Some(path) = path else { return Ok(()) };
        match env::split_paths(&path).any(|folder| is_program(&folder.join(program))) {
            true => Ok(()),
            false => Err(missing(format!("cannot start `{program}`: no folder of PATH has such a program"))),
        }
    }

    /// Opens the log for adding to it; returns it with its length.
    fn open_log(&self) -> Result<Option<(fs::File, u64)>> {
        let Some(path) = &self.log_file else { return Ok(None) };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|error| io_error("make the folder of", path, error))?;
        }
        let opened = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        let mut file = opened.map_err(|error| io_error("write to", path, error))?;
        // What has no end, such as a terminal, has no length either.
        let length = file.seek(io::SeekFrom::End(0)).unwrap_or(0);
        Ok(Some((file, length)))
    }

    /// Starts the process.
    ///
    /// # Errors
    /// `local.process` when the program cannot be run; then nothing was started.
    pub(super) fn start(&self) -> Result<Started> {
        self.check()?;
        let (program, arguments) = self.program()?;
        let log = self.open_log()?;
        let log_from = log.as_ref().map_or(0, |(_, length)| *length);
        let (out, err) = match log {
            Some((file, _)) => {
                let path = self.log_file.as_deref().unwrap_or(Path::new(""));
                let copy = file.try_clone().map_err(|error| io_error("write to", path, error))?;
                (Stdio::from(file), Stdio::from(copy))
            }
            None => (Stdio::null(), Stdio::null()),
        };
        let mut command = Command::new(program);
        command.args(arguments);
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(OWN_PREFIX)) {
            command.env_remove(name);
        }
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env(MARK, &self.mark).env(DIGEST, &self.digest);
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        if let Some(folder) = &self.working_directory {
            command.current_dir(folder);
        }
        detach(&mut command);
        let child = command.spawn().map_err(|error| {
            let kind = match error.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                io::ErrorKind::InvalidInput => ErrorKind::InvalidInput,
                _ => ErrorKind::Unavailable,
            };
            Error::new(kind, "local.process", format!("cannot start `{program}`")).because(error)
        })?;
        let (identity, exit) = attend(child, &self.mark)?;
        Ok(Started { identity, log_from, exit })
    }
}

/// Has a child begin a session of its own, with nothing of what the engine has open: whoever waits for the engine to let
/// go of a pipe is not to wait for the child.
fn detach(command: &mut Command) {
    let folder = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    let open = fs::read_dir(folder).into_iter().flatten().flatten();
    let open: Vec<RawFd> =
        open.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|fd| *fd > 2).collect();
    #[expect(unsafe_code, reason = "only the child's side of a fork can start a session and close what it inherited")]
    // SAFETY: the closure makes plain system calls, which are async-signal-safe; it allocates nothing and takes no lock.
    // A number that means nothing any more is refused by the system.
    unsafe {
        command.pre_exec(move || {
            for fd in &open {
                let _ = rustix::io::fcntl_setfd(BorrowedFd::borrow_raw(*fd), FdFlags::CLOEXEC);
            }
            rustix::process::setsid().map(drop).map_err(io::Error::from)
        });
    }
}

/// Notes who a child is, and has it reaped when it ends while the engine still lives; without a parent the system
/// does that.
fn attend(child: Child, mark: &str) -> Result<(Identity, watch::Receiver<Option<ExitStatus>>)> {
    // Nobody has waited for it yet, so it has an entry even if it ended already.
    let (child, entry) = match table::look(child.id()) {
        Ok(Some(entry)) => (child, entry),
        Ok(None) => return Err(abandon(child, Error::bug("a child that nobody waited for has no entry"))),
        Err(error) => return Err(abandon(child, error)),
    };
    let (tell, exit) = watch::channel(None);
    let (send, receive) = std::sync::mpsc::channel::<Child>();
    let reaper = std::thread::Builder::new().name("reaper".to_owned()).stack_size(64 * 1024).spawn(move || {
        if let Ok(mut child) = receive.recv() {
            tell.send_replace(child.wait().ok());
        }
    });
    match reaper {
        Ok(_) => {
            // The thread waits for just this.
            let _ = send.send(child);
            Ok((Identity::of(&entry, Some(mark.to_owned())), exit))
        }
        Err(error) => Err(abandon(child, Error::bug("no thread can be started").because(error))),
    }
}

/// Takes a start back that cannot be attended to.
fn abandon(mut child: Child, error: Error) -> Error {
    let _ = child.kill();
    let _ = child.wait();
    error
}

//! Processes as the operating system has them.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    os::unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process};
use stackwright::error::{Effect, Error, ErrorKind, Result};

/// The variable that holds the object id.
pub(super) const MARK: &str = "STACKWRIGHT_OBJECT_ID";
/// The variable that holds the digest of what the process was started with.
pub(super) const DIGEST: &str = "STACKWRIGHT_INPUT_DIGEST";

/// One process: its number, and when it was started in the system's own unit (clock ticks since boot on Linux, a date
/// elsewhere).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) pid: u32,
    pub(super) start: String,
}

/// What a process is started with.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    pub(super) command: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) working_directory: Option<String>,
    pub(super) log_file: Option<PathBuf>,
    pub(super) mark: String,
    pub(super) digest: String,
}

/// Starts a process and returns who it is.
pub(super) fn start(launch: &Launch) -> Result<Identity> {
    let invalid = |message: String| Error::new(ErrorKind::InvalidInput, "local.process", message);
    let Some((program, arguments)) = launch.command.split_first() else {
        return Err(invalid("`command` is empty; its first element is the program".to_owned()));
    };
    let (out, err) = match &launch.log_file {
        Some(path) => {
            let file = open_log(path)?;
            let copy = file.try_clone().map_err(|error| crate::attributes::io_error("open", path, error))?;
            (Stdio::from(file), Stdio::from(copy))
        }
        None => (Stdio::null(), Stdio::null()),
    };
    let mut command = Command::new(program);
    command.args(arguments).envs(&launch.environment).env(MARK, &launch.mark).env(DIGEST, &launch.digest);
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    if let Some(folder) = &launch.working_directory {
        command.current_dir(folder);
    }
    #[expect(unsafe_code, reason = "only the child's side of a fork can start a session; setsid is async-signal-safe")]
    // SAFETY: the closure calls setsid alone, which allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(|| rustix::process::setsid().map(drop).map_err(io::Error::from));
    }
    let mut child = command.spawn().map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            _ => ErrorKind::NotFound,
        };
        Error::new(kind, "local.process", format!("cannot start `{program}`")).because(error)
    })?;
    let pid = child.id();
    let start = start_of(pid);
    // Reaps the child when it ends while the engine still lives; without a parent the system does it.
    std::thread::Builder::new()
        .name("reaper".to_owned())
        .stack_size(64 * 1024)
        .spawn(move || {
            let _ = child.wait();
        })
        .map_err(|error| Error::bug("no thread can be started").effect(Effect::Unknown).because(error))?;
    match start {
        Some(start) => Ok(Identity { pid, start }),
        None => Err(Error::new(ErrorKind::Unavailable, "local.process", format!("`{program}` ended at once"))),
    }
}

fn open_log(path: &Path) -> Result<fs::File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| crate::attributes::io_error("make the folder of", path, error))?;
    }
    let opened = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    opened.map_err(|error| crate::attributes::io_error("open", path, error))
}

/// Returns whether exactly this process still runs; one that ended and waits to be reaped does not.
pub(super) fn is_alive(identity: &Identity) -> bool {
    start_of(identity.pid).is_some_and(|start| start == identity.start)
}

/// Returns when a process was started; `None` where it does not run.
pub(super) fn start_of(pid: u32) -> Option<String> {
    if cfg!(target_os = "linux") {
        stat(pid).filter(|stat| stat.state != 'Z').map(|stat| stat.start)
    } else {
        date_of(pid)
    }
}

struct Stat {
    state: char,
    session: u32,
    start: String,
}

/// Reads `/proc/PID/stat` (proc_pid_stat(5)): the name in brackets may hold anything, so fields count from behind it.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        session: fields.get(3)?.parse().ok()?,
        start: (*fields.get(19)?).to_owned(),
    })
}

/// Asks `ps`, where there is no `/proc`.
fn date_of(pid: u32) -> Option<String> {
    let output = Command::new("ps").args(["-o", "stat=,lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (state, start) = text.trim().split_once(char::is_whitespace)?;
    (!state.starts_with('Z')).then(|| start.trim().to_owned())
}

/// A process that carries a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) identity: Identity,
    pub(super) digest: String,
}

/// Finds the process that was started for an object. Its children inherit the mark; the one sought leads its session.
///
/// # Errors
/// `local.process` where the system does not let one look.
pub(super) fn find(mark: &str) -> Result<Option<Marked>> {
    let unseen = |error: io::Error| {
        Error::new(ErrorKind::Unsupported, "local.process", "this system does not show its processes in /proc")
            .because(error)
    };
    for entry in fs::read_dir("/proc").map_err(unseen)?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Some(environment) = environment(pid) else { continue };
        if environment.get(MARK).is_none_or(|found| found != mark) {
            continue;
        }
        if let Some(stat) = stat(pid).filter(|stat| stat.session == pid && stat.state != 'Z') {
            let digest = environment.get(DIGEST).cloned().unwrap_or_default();
            return Ok(Some(Marked { identity: Identity { pid, start: stat.start }, digest }));
        }
    }
    Ok(None)
}

fn environment(pid: u32) -> Option<BTreeMap<String, String>> {
    let mut bytes = Vec::new();
    fs::File::open(format!("/proc/{pid}/environ")).ok()?.take(4 << 20).read_to_end(&mut bytes).ok()?;
    let entries = bytes.split(|byte| *byte == 0).filter_map(|entry| {
        let (name, value) = std::str::from_utf8(entry).ok()?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    Some(entries.collect())
}

/// Returns the command line of a process that runs.
pub(super) fn command_of(pid: u32) -> Option<Vec<String>> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = bytes.strip_suffix(b"\0").unwrap_or(&bytes).split(|byte| *byte == 0);
    Some(words.map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

/// How hard to ask a process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Force {
    /// It may tidy up first.
    Ask,
    /// It may not.
    Kill,
}

/// Signals a process and what it started in its group.
pub(super) fn signal(identity: &Identity, force: Force) -> Result<()> {
    let Some(pid) = i32::try_from(identity.pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
    let signal = match force {
        Force::Ask => Signal::TERM,
        Force::Kill => Signal::KILL,
    };
    // One that does not lead a group (an imported one) is signalled alone.
    let sent = match kill_process_group(pid, signal) {
        Err(rustix::io::Errno::SRCH) if test_kill_process(pid).is_ok() => rustix::process::kill_process(pid, signal),
        other => other,
    };
    match sent {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => {
            Err(Error::new(ErrorKind::Denied, "local.process", format!("process {} cannot be ended", identity.pid))
                .because(io::Error::from(error)))
        }
    }
}

//! Who belongs to a process, and how all of them are ended.

use std::{io, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use stackwright::{
    error::{Effect, Error, ErrorKind, Result},
    resource::Context,
};

use super::{
    identity::Identity,
    launch::{DIGEST, MARK},
    table::{self, Entry},
};
use crate::attributes::blocking;

/// How often it is looked whether processes ended.
const STEP: Duration = Duration::from_millis(20);
/// How long the system may take to end a process that was killed.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// A process that was started for an object.
#[derive(Clone, Debug)]
pub(super) struct Marked {
    pub(super) identity: Identity,
    pub(super) digest: String,
}

/// Returns whether the table says nothing of the environments of processes, so that marks cannot be looked for.
pub(super) fn hides_marks() -> bool {
    !cfg!(target_os = "linux")
}

/// Finds the process that was started for an object. What it started inherits the mark; the one sought leads its
/// session and is the oldest that does.
///
/// # Errors
/// `local.process` where the system does not let one look.
pub(super) fn find(mark: &str) -> Result<Option<Marked>> {
    if hides_marks() {
        let message = "this system does not show the environments of processes";
        return Err(Error::new(ErrorKind::Unsupported, "local.process", message));
    }
    let mut leaders: Vec<Entry> = table::list()?;
    leaders.retain(|entry| entry.is_running() && entry.session == entry.pid && carries(entry, mark));
    leaders.sort_by_key(Entry::age);
    Ok(leaders.first().map(|entry| Marked {
        identity: Identity::of(entry, Some(mark.to_owned())),
        digest: variable(entry.pid, DIGEST).unwrap_or_default(),
    }))
}

/// Returns a variable of a process, where its environment may be read.
pub(super) fn variable(pid: u32, name: &str) -> Option<String> {
    table::environment(pid)?.remove(name)
}

fn carries(entry: &Entry, mark: &str) -> bool {
    !mark.is_empty() && variable(entry.pid, MARK).is_some_and(|found| found == mark)
}

/// Whose processes are to be ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Owner {
    /// The process itself.
    pub(super) leader: Option<Identity>,
    /// The object whose mark they carry.
    pub(super) mark: Option<String>,
}

impl Owner {
    /// Returns whose processes an object's are: its own, and all that carry the mark with which it was started.
    pub(super) fn of(leader: Identity) -> Self {
        Self { mark: leader.mark.clone(), leader: Some(leader) }
    }

    /// Returns who carries a mark.
    pub(super) fn marked(mark: String) -> Self {
        Self { leader: None, mark: Some(mark) }
    }

    /// Returns everybody who runs: the process, its session or group where it leads one, and whoever carries the mark.
    ///
    /// `known` were found before. While one of them is left the numbers of session and group mean no others.
    pub(super) fn crew(&self, known: &[Entry]) -> Result<Vec<Entry>> {
        let leader = match &self.leader {
            Some(identity) => {
                identity.running()?.or_else(|| known.iter().find(|entry| entry.pid == identity.pid).cloned())
            }
            None => None,
        };
        let me = std::process::id();
        let mut entries = table::list()?;
        entries.retain(|entry| entry.is_running() && entry.pid != me);
        let is_left = |entry: &Entry| entries.iter().any(|other| other.pid == entry.pid && other.start == entry.start);
        let anchored =
            |entry: &Entry| is_left(entry) || known.iter().any(|other| is_left(other) && shares(entry, other));
        let leader = leader.filter(anchored);
        let oldest = self.leader.as_ref().and_then(|identity| identity.start.parse::<u64>().ok()).unwrap_or(0);
        let belongs = |entry: &Entry| {
            leader.as_ref().is_some_and(|leader| entry.pid == leader.pid || shares(leader, entry))
                // What is older than the process was not started by it.
                || entry.age().0 >= oldest && self.mark.as_deref().is_some_and(|mark| carries(entry, mark))
        };
        Ok(entries.iter().filter(|entry| belongs(entry)).cloned().collect())
    }
}

/// Returns whether a process is in the session or group that `leader` leads.
fn shares(leader: &Entry, entry: &Entry) -> bool {
    leader.session == leader.pid && entry.session == leader.pid
        || leader.group == leader.pid && entry.group == leader.pid
}

/// How hard to ask a process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Force {
    /// It may tidy up first.
    Ask,
    /// It may not.
    Kill,
}

/// Ends all that belongs to a process: asks, waits for `patience`, then kills. Returns once nobody is left.
///
/// # Errors
/// `local.process` when one may not be signalled, or does not end; its effect is unknown.
///
/// # Cancellation
/// Returns early with `run.cancelled`, effect unknown: who was told to end goes on ending.
pub(super) async fn stop(ctx: &Context, owner: Owner, patience: Duration) -> Result<()> {
    let clock = ctx.clock();
    let begun = clock.monotonic();
    let elapsed = || clock.monotonic().saturating_sub(begun);
    let mut known: Vec<Entry> = Vec::new();
    loop {
        let (whose, before) = (owner.clone(), known.clone());
        let crew = blocking(move || whose.crew(&before)).await.map_err(|error| error.effect(Effect::Unknown))?;
        if crew.is_empty() {
            return Ok(());
        }
        let force = if elapsed() < patience { Force::Ask } else { Force::Kill };
        let mut refused = None;
        // Whoever is found while they are asked was not there before: the others are waited for.
        for entry in &crew {
            refused = signal(entry, force).err().or(refused);
        }
        // One that may not be signalled keeps none of the others.
        if let Some(error) = refused {
            return Err(error);
        }
        known.extend(crew.iter().filter(|entry| !known.contains(entry)).cloned().collect::<Vec<_>>());
        while crew.iter().any(runs) {
            if force == Force::Ask && elapsed() >= patience {
                break;
            }
            if elapsed() >= patience.saturating_add(KILL_PATIENCE) {
                return Err(undying(&crew));
            }
            if !ctx.sleep(STEP).await {
                let message = "the call was cancelled before all processes ended";
                return Err(Error::new(ErrorKind::Cancelled, "run.cancelled", message).effect(Effect::Unknown));
            }
        }
    }
}

fn runs(entry: &Entry) -> bool {
    // Where the table cannot be read, the next round says so.
    table::look(entry.pid)
        .map_or(true, |found| found.is_some_and(|found| found.is_running() && found.start == entry.start))
}

fn undying(crew: &[Entry]) -> Error {
    let left: Vec<String> = crew.iter().filter(|entry| runs(entry)).map(|entry| entry.pid.to_string()).collect();
    let message = format!("process {} does not end, even when killed", left.join(", "));
    Error::new(ErrorKind::Unavailable, "local.process", message).effect(Effect::Unknown)
}

/// Signals one process, and nobody who gets its number meanwhile.
fn signal(entry: &Entry, force: Force) -> Result<()> {
    let Some(pid) = i32::try_from(entry.pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
    let signals: &[Signal] = match force {
        // One that was stopped has to go on to hear that it is to end.
        Force::Ask => &[Signal::TERM, Signal::CONT],
        Force::Kill => &[Signal::KILL],
    };
    let sent = send(pid, entry, signals);
    match sent {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => {
            let message = format!("process {} cannot be ended", entry.pid);
            let error = Error::new(ErrorKind::Denied, "local.process", message).because(io::Error::from(error));
            Err(error.effect(Effect::Unknown))
        }
    }
}

#[cfg(target_os = "linux")]
fn send(pid: Pid, entry: &Entry, signals: &[Signal]) -> rustix::io::Result<()> {
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
    match pidfd_open(pid, PidfdFlags::empty()) {
        // The handle means one process for good; whether that is the right one is looked up while it is held.
        Ok(handle) if runs(entry) => signals.iter().try_for_each(|signal| pidfd_send_signal(&handle, *signal)),
        Ok(_) => Ok(()),
        Err(rustix::io::Errno::SRCH) => Ok(()),
        // Old kernels and some sandboxes have no such handles.
        Err(_) => send_by_number(pid, entry, signals),
    }
}

#[cfg(not(target_os = "linux"))]
fn send(pid: Pid, entry: &Entry, signals: &[Signal]) -> rustix::io::Result<()> {
    send_by_number(pid, entry, signals)
}

fn send_by_number(pid: Pid, entry: &Entry, signals: &[Signal]) -> rustix::io::Result<()> {
    if runs(entry) { signals.iter().try_for_each(|signal| kill_process(pid, *signal)) } else { Ok(()) }
}

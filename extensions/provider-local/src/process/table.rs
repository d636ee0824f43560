//! The system's table of processes: `/proc` on Linux, `ps` elsewhere.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    process::Command,
    time::Duration,
};

use stackwright::error::{Error, ErrorKind, Result};

/// The longest environment that is read.
const LARGEST_ENVIRONMENT_BYTES: u64 = 4 << 20;
/// How often, and with what pause, it is looked whether a process has become another program.
const EXEC_LOOKS: u32 = 50;
const EXEC_PAUSE: Duration = Duration::from_millis(1);

/// One process as the table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) pid: u32,
    /// The first letter of its state (proc_pid_stat(5)).
    state: char,
    pub(super) parent: u32,
    pub(super) group: u32,
    /// 0 where the table does not say.
    pub(super) session: u32,
    thread_count: u32,
    /// When it was started, in the system's own unit: clock ticks since boot on Linux, a date elsewhere.
    pub(super) start: String,
}

impl Entry {
    /// Returns whether it runs: one that ended and waits to be reaped does not.
    pub(super) fn is_running(&self) -> bool {
        match self.state {
            'X' | 'x' => false,
            // The first thread may end before the others do; then the process still runs.
            'Z' => self.thread_count > 1,
            _ => true,
        }
    }

    /// Returns a key by which older processes come first.
    pub(super) fn age(&self) -> (u64, u32) {
        (self.start.parse().unwrap_or(u64::MAX), self.pid)
    }
}

/// Returns the entry of a process; `None` where nobody has the number.
///
/// # Errors
/// `local.process` where the table cannot be read: that says nothing about the process.
pub(super) fn look(pid: u32) -> Result<Option<Entry>> {
    if !cfg!(target_os = "linux") {
        return Ok(ask_ps(&["-p", &pid.to_string()])?.into_iter().next());
    }
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(text) => parse(&text).map(Some).ok_or_else(|| unreadable("a line of /proc is not understood")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::metadata("/proc/self/stat") {
            Ok(_) => Ok(None),
            Err(error) => Err(unreadable("/proc is not there").because(error)),
        },
        // It ended between being opened and being read.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => Ok(None),
        Err(error) => Err(unreadable("/proc may not be read").because(error)),
    }
}

/// Returns all processes that can be seen.
///
/// # Errors
/// `local.process` where the table cannot be read at all.
pub(super) fn list() -> Result<Vec<Entry>> {
    if !cfg!(target_os = "linux") {
        return ask_ps(&["-ax"]);
    }
    let folder = fs::read_dir("/proc").map_err(|error| unreadable("/proc may not be read").because(error))?;
    let pids = folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // Those that end meanwhile, and those that others hide, are left out.
    Ok(pids.filter_map(|pid| look(pid).ok().flatten()).collect())
}

fn unreadable(why: &str) -> Error {
    Error::new(ErrorKind::Unavailable, "local.process", format!("the system does not say which processes run: {why}"))
}

/// Parses `/proc/PID/stat`. The name in brackets may hold anything, so fields count from behind it.
fn parse(text: &str) -> Option<Entry> {
    let (pid, rest) = text.split_once('(')?;
    let fields: Vec<&str> = rest.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |idx: usize| fields.get(idx)?.parse().ok();
    Some(Entry {
        pid: pid.trim().parse().ok()?,
        state: fields.first()?.chars().next()?,
        parent: number(1)?,
        // The kernel's own threads have group and session 0; a negative number never stands here.
        group: number(2)?,
        session: number(3)?,
        thread_count: number(17)?,
        start: (*fields.get(19)?).to_owned(),
    })
}

/// Asks `ps`, where there is no `/proc`.
fn ask_ps(which: &[&str]) -> Result<Vec<Entry>> {
    let output = Command::new("ps").args(["-o", "pid=,ppid=,pgid=,stat=,lstart="]).args(which).output();
    let output = output.map_err(|error| unreadable("`ps` cannot be asked").because(error))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(parse_ps).collect())
}

fn parse_ps(line: &str) -> Option<Entry> {
    let mut fields = line.split_whitespace();
    let mut number = || fields.next()?.parse().ok();
    let (pid, parent, group) = (number()?, number()?, number()?);
    let state = fields.next()?.chars().next()?;
    let start = fields.collect::<Vec<_>>().join(" ");
    Some(Entry { pid, state, parent, group, session: 0, thread_count: 1, start })
}

/// Returns what start times count from: another text after every boot. `None` where they are dates.
pub(super) fn boot() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// Returns the environment that a process was started with; `None` where it may not be read. A program may have
/// written over it.
pub(super) fn environment(pid: u32) -> Option<BTreeMap<String, String>> {
    let bytes = settled(pid, "environ")?;
    let entries = bytes.split(|byte| *byte == 0).filter_map(|entry| {
        let (name, value) = std::str::from_utf8(entry).ok()?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    Some(entries.collect())
}

/// Returns the command line of a process; `None` where there is none to see.
pub(super) fn command_line(pid: u32) -> Option<Vec<String>> {
    let bytes = settled(pid, "cmdline").filter(|bytes| !bytes.is_empty())?;
    let words = bytes.strip_suffix(b"\0").unwrap_or(&bytes).split(|byte| *byte == 0);
    Some(words.map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

/// Reads a file of a process that is empty for a moment while the process becomes another program: only when it is
/// empty for longer it is taken to be so.
fn settled(pid: u32, name: &str) -> Option<Vec<u8>> {
    let read = |name: &str| {
        let mut bytes = Vec::new();
        let file = fs::File::open(format!("/proc/{pid}/{name}")).ok()?;
        file.take(LARGEST_ENVIRONMENT_BYTES).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    for _ in 0..EXEC_LOOKS {
        let bytes = read(name)?;
        // The system's own threads have no program.
        if !bytes.is_empty() || fs::read_link(format!("/proc/{pid}/exe")).is_err() {
            return Some(bytes);
        }
        // All is empty at once, so something that is not means that the moment is over.
        if read("cmdline").is_none_or(|line| !line.is_empty()) {
            return read(name);
        }
        std::thread::sleep(EXEC_PAUSE);
    }
    Some(Vec::new())
}

/// Returns whether a number is that of a thread other than its process's first.
pub(super) fn is_thread(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let owner = status.lines().find_map(|line| line.strip_prefix("Tgid:")).and_then(|text| text.trim().parse().ok());
    owner.is_some_and(|owner: u32| owner != pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, state: char, thread_count: u32) -> String {
        format!("42 ({name}) {state} 1 40 41 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 {thread_count} 0 7777 9 10 11")
    }

    #[test]
    fn a_name_may_hold_anything() {
        for name in ["sh", "a b", ") S 9 9 9 (", "((", "\n)"] {
            let entry = parse(&line(name, 'S', 1)).expect(name);
            assert_eq!((entry.pid, entry.parent, entry.group, entry.session), (42, 1, 40, 41), "{name}");
            assert_eq!((entry.state, entry.thread_count, entry.start.as_str()), ('S', 1, "7777"), "{name}");
        }
        for broken in ["", "42", "42 (sh", "42 (sh) S", "x (sh) S 1 40 41"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn what_waits_to_be_reaped_does_not_run() {
        let runs =
            |state, thread_count| parse(&line("sh", state, thread_count)).is_some_and(|entry| entry.is_running());
        assert!(runs('S', 1) && runs('R', 1) && runs('T', 1) && runs('D', 1));
        assert!(!runs('Z', 1) && !runs('X', 1) && !runs('X', 3));
        assert!(runs('Z', 2), "its other threads go on");
    }

    #[test]
    fn lines_of_ps_are_understood() {
        let entry = parse_ps("  512     1   512 Ss   Mon Nov 21 09:33:00 2026").expect("a line");
        assert_eq!((entry.pid, entry.parent, entry.group, entry.state), (512, 1, 512, 'S'));
        assert_eq!(entry.start, "Mon Nov 21 09:33:00 2026");
        assert_eq!(parse_ps("pid"), None);
    }

    #[test]
    fn this_process_is_in_the_table() {
        let me = std::process::id();
        let entry = look(me).expect("a table").expect("it runs");
        assert!(entry.is_running() && list().expect("a table").iter().any(|other| other.pid == me));
        assert!(!is_thread(me));
        assert_eq!(look(u32::MAX).expect("a table"), None, "no such number");
    }
}

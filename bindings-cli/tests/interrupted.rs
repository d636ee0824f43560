//! The real program, killed and interrupted in the middle of an apply, and started again.
//!
//! One process of the template counts as ready only when the test says so: until then no run can end, so that every kill
//! and every signal meets a run that is under way.
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read, Write as _},
    net::TcpListener,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const FILE_COUNT: usize = 120;

/// Answers the probes of the process that counts as ready last.
struct Gate {
    port: u16,
    is_open: Arc<AtomicBool>,
    probe_count: Arc<AtomicUsize>,
}

impl Gate {
    fn closed() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (is_open, probe_count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (open, probes) = (Arc::clone(&is_open), Arc::clone(&probe_count));
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let _ = stream.read(&mut [0; 4096]);
                let status = if open.load(Ordering::SeqCst) { "200 OK" } else { "503 Service Unavailable" };
                let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                probes.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, is_open, probe_count }
    }

    fn open(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }
}

/// The program at work. What it writes is read at once: a full pipe would hold it up.
struct Working {
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: String,
}

impl Working {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let (sender, lines) = mpsc::channel();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("a pipe")), Box::new(child.stderr.take().expect("a pipe"))];
        for stream in streams {
            let sender = sender.clone();
            thread::spawn(move || {
                BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
            });
        }
        Self { child, lines, seen: String::new() }
    }

    /// Waits until it writes a line with this text.
    fn wait_for(&mut self, text: &str) {
        loop {
            let Ok(line) = self.lines.recv() else { panic!("`{text}` is never written: {}", self.seen) };
            self.seen.push_str(&line);
            self.seen.push('\n');
            if line.contains(text) {
                return;
            }
        }
    }

    /// Waits until something is so; fails when the program ended before.
    fn wait_until(&mut self, what: &str, is_so: impl Fn() -> bool) {
        while !is_so() {
            if let Some(status) = self.child.try_wait().expect("a child") {
                self.seen.extend(self.lines.iter());
                panic!("the program ended before {what}: {status}: {}", self.seen);
            }
            thread::yield_now();
        }
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the program is alive");
    }

    fn end(&mut self) -> ExitStatus {
        self.child.wait().expect("it ends")
    }

    fn kill(&mut self) {
        self.child.kill().expect("it is alive");
        assert_eq!(self.end().signal(), Some(9), "it was under way");
    }
}

/// A folder with a template, and the program.
struct Shop {
    folder: TempDir,
    gate: Gate,
}

impl Shop {
    fn new() -> Self {
        let (folder, gate) = (tempfile::tempdir().expect("a folder"), Gate::closed());
        let template = format!(
            r#"
            resource "local_directory" "out" {{
              path = "${{path.cwd}}/out"
            }}
            resource "random_id" "name" {{
              count       = {FILE_COUNT}
              byte_length = 8
            }}
            resource "local_file" "page" {{
              count   = {FILE_COUNT}
              path    = "${{local_directory.out.path}}/${{random_id.name[count.index].hex}}.txt"
              content = "page ${{count.index}}"
            }}
            resource "local_process" "gate" {{
              command  = ["tail", "-f", "/dev/null", "${{local_directory.out.path}}"]
              log_file = "${{path.cwd}}/gate.log"
              ready {{
                http = "http://127.0.0.1:{}/"
              }}
            }}
            resource "local_file" "last" {{
              path       = "${{path.cwd}}/last.txt"
              content    = "the gate is open"
              depends_on = [local_process.gate]
            }}
            "#,
            gate.port
        );
        fs::write(folder.path().join("main.tf"), template).expect("a template");
        Self { folder, gate }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stackwright"));
        command.args(arguments).current_dir(self.path()).env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = self.command(arguments).output().expect("the program starts");
        (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
    }

    fn start(&self, arguments: &[&str]) -> Working {
        Working::start(self.command(arguments))
    }

    /// Starts an apply and waits until nothing is left of it but the gate.
    fn start_up_to_the_gate(&self) -> Working {
        let mut working = self.start(&["apply", "-auto-approve"]);
        working.wait_until("a probe", || self.gate.probe_count.load(Ordering::SeqCst) > 0);
        working
    }

    fn page_count(&self) -> usize {
        let is_page = |entry: &fs::DirEntry| entry.path().extension().is_some_and(|extension| extension == "txt");
        fs::read_dir(self.path().join("out"))
            .map_or(0, |entries| entries.filter(|entry| entry.as_ref().is_ok_and(is_page)).count())
    }

    /// Counts the processes of the template that are alive.
    fn process_count(&self) -> usize {
        let out = self.path().join("out");
        let needle = out.as_os_str().as_encoded_bytes();
        let is_ours = |entry: &fs::DirEntry| {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            line.starts_with(b"tail\0") && line.split(|byte| *byte == 0).any(|word| word == needle)
        };
        fs::read_dir("/proc").expect("processes").flatten().filter(is_ours).count()
    }

    /// Checks that everything is there once, and that nothing is left to do.
    fn check_whole(&self, context: &str) {
        let (code, text) = self.run(&["plan", "-detailed-exitcode"]);
        assert_eq!(code, Some(0), "{context}: a plan after it has nothing to do: {text}");
        assert_eq!(self.page_count(), FILE_COUNT, "{context}: no page is lost or made twice");
        assert_eq!(self.process_count(), 1, "{context}: one process runs");
        let (_, list) = self.run(&["state", "list"]);
        assert_eq!(list.lines().count(), 2 * FILE_COUNT + 3, "{context}: state has each once");
    }

    fn destroy(&self, context: &str) {
        let (code, text) = self.run(&["destroy", "-auto-approve"]);
        assert_eq!(code, Some(0), "{context}: {text}");
        assert_eq!(self.process_count(), 0, "{context}: no process is left");
        assert!(!self.path().join("out").exists(), "{context}: no file is left");
        assert_eq!(self.run(&["state", "list"]), (Some(0), String::new()), "{context}: no row is left");
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // Whatever happened, no process stays behind.
        self.gate.open();
        let _ = self.command(&["destroy", "-auto-approve"]).output();
    }
}

#[test]
fn killed_at_any_moment_it_goes_on_and_makes_nothing_twice() {
    // Two kills each: in the middle of the first apply, and in the middle of the one that resumes it.
    for (first, second) in [(0, 1), (1, 30), (20, 60), (60, 61), (110, FILE_COUNT)] {
        let context = format!("killed at {first} and {second} pages");
        let shop = Shop::new();
        for page_count in [first, second] {
            let mut working = shop.start(&["apply", "-auto-approve"]);
            working.wait_until(&context, || shop.path().join("out").is_dir() && shop.page_count() >= page_count);
            working.kill();
        }
        let (code, text) = shop.run(&["plan"]);
        assert!(code == Some(1) && text.contains("run.unfinished"), "{context}: {text}");
        shop.gate.open();
        let (code, text) = shop.run(&["apply", "-auto-approve"]);
        assert_eq!(code, Some(0), "{context}: {text}");
        assert!(text.contains("which is dead"), "{context}: nobody waits for a dead holder: {text}");
        assert!(text.contains("It is resumed first."), "{context}: {text}");
        shop.check_whole(&context);
        shop.destroy(&context);
    }
}

#[test]
fn killed_while_it_waits_for_readiness_it_waits_again() {
    let shop = Shop::new();
    shop.start_up_to_the_gate().kill();
    let seen = shop.gate.probe_count.load(Ordering::SeqCst);
    let mut working = shop.start(&["runs", "resume"]);
    working.wait_until("another probe", || shop.gate.probe_count.load(Ordering::SeqCst) > seen);
    assert!(!shop.path().join("last.txt").exists(), "what needs it waits too");
    shop.gate.open();
    assert!(working.end().success());
    shop.check_whole("resumed");
}

#[test]
fn a_run_is_given_up_only_when_somebody_says_so() {
    let shop = Shop::new();
    shop.start_up_to_the_gate().kill();
    // What is given up here is to be found again by the clean-up: the process has to be in state.
    while !shop.run(&["state", "list"]).1.contains("local_process.gate") {
        let seen = shop.gate.probe_count.load(Ordering::SeqCst);
        let mut working = shop.start(&["runs", "resume"]);
        working.wait_until("another probe", || shop.gate.probe_count.load(Ordering::SeqCst) > seen);
        working.kill();
    }
    let (code, text) = shop.run(&["runs", "show"]);
    assert!(code == Some(0) && text.contains("is running") && text.contains("runs resume"), "{text}");
    let (code, text) = shop.run(&["runs", "abandon"]);
    assert!(code == Some(1) && text.contains("Nothing was changed."), "nobody said yes: {text}");
    assert!(text.contains("No call of run") || text.contains("is not in state"), "what is lost is said first: {text}");
    let (code, text) = shop.run(&["plan"]);
    assert!(code == Some(1) && text.contains("run.unfinished"), "{text}");
    let (code, text) = shop.run(&["runs", "abandon", "-json"]);
    assert!(code == Some(2) && text.contains("-force"), "nobody can be asked: {text}");
    let (code, text) = shop.run(&["runs", "abandon", "-force", "-json"]);
    assert!(
        code == Some(0) && text.contains("\"status\":\"abandoned\"") && text.contains("\"open_calls\":["),
        "{text}"
    );
    let (code, text) = shop.run(&["plan"]);
    assert_eq!(code, Some(0), "the rest can be planned anew: {text}");
}

#[test]
fn interrupted_once_it_ends_what_runs_and_starts_nothing_new() {
    for signal in [Signal::INT, Signal::TERM] {
        let shop = Shop::new();
        let mut working = shop.start_up_to_the_gate();
        working.send(signal);
        working.wait_for("Stopping:");
        shop.gate.open();
        assert_eq!(working.end().code(), Some(1));
        assert!(!shop.path().join("last.txt").exists(), "nothing new is started");
        let (_, list) = shop.run(&["state", "list"]);
        assert!(list.contains("local_process.gate"), "what ran was ended: {list}");
        let (code, text) = shop.run(&["apply", "-auto-approve"]);
        assert_eq!(code, Some(0), "{text}");
        assert!(!text.contains("resumed first"), "a drained run has ended: {text}");
        shop.check_whole("interrupted once");
    }
}

#[test]
fn interrupted_twice_it_stops_at_once_and_can_be_resumed() {
    let shop = Shop::new();
    let mut working = shop.start_up_to_the_gate();
    working.send(Signal::INT);
    working.wait_for("Stopping:");
    working.send(Signal::INT);
    assert_eq!(working.end().code(), Some(1), "it ends although the gate is closed");
    assert_eq!(shop.process_count(), 1, "what was started is left alone");
    shop.gate.open();
    let (code, text) = shop.run(&["apply", "-auto-approve"]);
    assert_eq!(code, Some(0), "{text}");
    shop.check_whole("interrupted twice");
}

#[test]
fn one_works_on_a_stack_at_a_time() {
    let shop = Shop::new();
    let mut first = shop.start_up_to_the_gate();
    for arguments in
        [&["apply", "-auto-approve"][..], &["destroy", "-auto-approve"], &["state", "rm", "local_file.page"]]
    {
        let (code, text) = shop.run(arguments);
        assert!(code == Some(1) && text.contains("lease.held"), "{arguments:?}: {text}");
        assert!(text.contains(&format!("process {}", first.child.id())), "it says who: {text}");
    }
    let (code, text) = shop.run(&["plan"]);
    assert!(code == Some(1) && text.contains("is under way"), "{text}");
    let mut second = shop.start(&["apply", "-auto-approve", "-lock-timeout=10m"]);
    second.wait_for("Waiting for process");
    shop.gate.open();
    assert!(first.end().success());
    assert!(second.end().success(), "the one that waited goes on by itself");
    shop.check_whole("after both");
}

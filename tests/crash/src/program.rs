use std::{
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};

/// Returns the program of this workspace with a name: it lies where this one does.
pub(crate) fn beside(name: &str) -> PathBuf {
    let here = std::env::current_exe().expect("this program has a path");
    let path = here.with_file_name(name);
    assert!(path.is_file(), "`{}` is not there; build the workspace first", path.display());
    path
}

/// What is heard while the program works.
#[derive(Debug)]
pub(crate) enum Said {
    /// A line of its output.
    Line(String),
    /// It closed one of its two outputs.
    Closed,
    /// What somebody else waits for has come.
    Reached,
}

/// A program, `stackwright` if nothing else is said, and where it works.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) executable: PathBuf,
    pub(crate) folder: PathBuf,
    /// Variables that it sees beside those of this program.
    pub(crate) environment: Vec<(String, String)>,
    /// Variables that it does not see.
    pub(crate) removed: Vec<String>,
    /// Where its state is, where that is not beside the template.
    pub(crate) state: Option<PathBuf>,
}

/// How a call of the program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// What it wrote, on both streams.
    pub(crate) text: String,
}

impl Ended {
    pub(crate) fn is_success(&self) -> bool {
        self.status.success()
    }

    /// Returns the codes of the errors that it reported, in order.
    pub(crate) fn codes(&self) -> Vec<String> {
        codes(&self.text)
    }
}

/// Returns the codes in a text: `error[code]` or `"code":"code"`.
pub(crate) fn codes(text: &str) -> Vec<String> {
    let ends = |c: char| !(c.is_ascii_lowercase() || c == '.' || c == '_');
    let after = |mark: &str| {
        text.match_indices(mark)
            .filter_map(|(at, _)| text.get(at + mark.len()..)?.split(ends).next())
            .filter(|code| code.contains('.'))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mut codes = after("error[");
    codes.extend(after("\"code\":\""));
    codes
}

impl Program {
    pub(crate) fn new(folder: &Path) -> Self {
        let environment = vec![("NO_COLOR".to_owned(), "1".to_owned())];
        Self {
            executable: beside("stackwright"),
            folder: folder.to_owned(),
            environment,
            removed: Vec::new(),
            state: None,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.executable);
        command.args(arguments).current_dir(&self.folder).envs(self.environment.iter().cloned());
        for name in &self.removed {
            command.env_remove(name);
        }
        if let Some(state) = &self.state {
            command.env("STACKWRIGHT_STATE", state);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().expect("the program starts");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Ended { status: output.status, text }
    }

    /// Starts it. What it writes is read at once: a full pipe would hold it up.
    pub(crate) fn start(&self, arguments: &[&str]) -> Working {
        let mut child = self.command(arguments).spawn().expect("the program starts");
        let (said, heard) = mpsc::channel();
        let output = child.stdout.take().expect("a pipe");
        let errors = child.stderr.take().expect("a pipe");
        let told = said.clone();
        thread::spawn(move || forward(output, &told));
        let told = said.clone();
        thread::spawn(move || forward(errors, &told));
        Working { child, said, heard, text: String::new(), open_count: 2 }
    }
}

fn forward(stream: impl Read, told: &Sender<Said>) {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    // Once nobody listens there is nothing left to do but to keep the pipe empty.
    lines.for_each(|line| drop(told.send(Said::Line(line))));
    let _ = told.send(Said::Closed);
}

/// The program at work.
pub(crate) struct Working {
    child: Child,
    /// To be told what happens elsewhere, in one queue with its output.
    pub(crate) said: Sender<Said>,
    heard: Receiver<Said>,
    text: String,
    /// Outputs that it has not closed.
    open_count: usize,
}

impl Working {
    /// Waits until `count` lines hold `text`; false where it ends before.
    pub(crate) fn wait_for(&mut self, text: &str, count: u64) -> bool {
        let mut left = count;
        while left > 0 {
            match self.hear() {
                Some(Said::Line(line)) => left -= u64::from(line.contains(text)),
                Some(_) => {}
                None => return false,
            }
        }
        true
    }

    /// Waits until somebody says that what is waited for has come; false where it ends before.
    pub(crate) fn wait_until_told(&mut self) -> bool {
        loop {
            match self.hear() {
                Some(Said::Reached) => return true,
                Some(_) => {}
                None => return false,
            }
        }
    }

    /// Returns what is heard next; `None` once it ended.
    fn hear(&mut self) -> Option<Said> {
        while self.open_count > 0 {
            let said = self.heard.recv().ok()?;
            match &said {
                Said::Closed => self.open_count -= 1,
                Said::Line(line) => {
                    self.text.push_str(line);
                    self.text.push('\n');
                    return Some(said);
                }
                Said::Reached => return Some(said),
            }
        }
        None
    }

    pub(crate) fn send(&self, signal: Signal) {
        // It may have ended by itself just now.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Stops it, and waits until it stands still.
    pub(crate) fn stop(&self) {
        self.send(Signal::STOP);
        let stat = format!("/proc/{}/stat", self.child.id());
        let stands = |stat: String| stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 'Z']));
        while !std::fs::read_to_string(&stat).map_or(true, stands) {
            thread::yield_now();
        }
    }

    /// Kills it; returns whether it was alive.
    pub(crate) fn kill(mut self) -> bool {
        self.send(Signal::KILL);
        let status = self.child.wait().expect("it ends");
        std::os::unix::process::ExitStatusExt::signal(&status) == Some(Signal::KILL.as_raw())
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        while self.hear().is_some() {}
        let status = self.child.wait().expect("it ends");
        Ended { status, text: self.text }
    }
}

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::mpsc::Sender,
    thread,
};

use serde_json::{Value, json};

use crate::program::{Said, beside};

/// The pretend cloud: a process of its own, with a memory of its own.
pub(crate) struct Cloud {
    server: Child,
    address: String,
    memory: PathBuf,
    seed: u64,
    knobs: Value,
}

/// A thing in the cloud, gone or not.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) is_living: bool,
    properties: Value,
}

impl Made {
    /// Returns the object of the engine that it bears the mark of.
    pub(crate) fn owner(&self) -> Option<&str> {
        self.properties["tags"]["stackwright:object"].as_str()
    }

    /// Returns what the template calls it, which no two living things have in common.
    pub(crate) fn place(&self) -> Option<&str> {
        self.properties["tags"]["place"].as_str()
    }
}

/// How far changes got: how many were taken, done, answered, and which are open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) taken: u64,
    pub(crate) done: u64,
    pub(crate) answered: u64,
    pub(crate) open: BTreeMap<String, u64>,
}

impl Changes {
    fn new(view: &Value) -> Self {
        let count = |name: &str| view[name].as_u64().unwrap_or_default();
        let open = serde_json::from_value(view["open"].clone()).unwrap_or_default();
        Self { taken: count("taken"), done: count("done"), answered: count("answered"), open }
    }

    /// Returns how many got to a point.
    pub(crate) fn at(&self, point: &str) -> u64 {
        match point {
            "taken" => self.taken,
            "done" => self.done,
            _ => self.answered,
        }
    }

    /// Returns whether a create is open.
    pub(crate) fn is_creating(&self) -> bool {
        self.open.keys().any(|what| what.starts_with("create "))
    }
}

/// Everything that the cloud knows.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) things: Vec<Made>,
}

impl History {
    pub(crate) fn living(&self) -> impl Iterator<Item = &Made> {
        self.things.iter().filter(|made| made.is_living)
    }
}

impl Cloud {
    /// Starts a cloud that keeps its memory in this folder.
    pub(crate) fn start(folder: &Path, seed: u64, knobs: &Value) -> Self {
        let memory = folder.join("cloud.jsonl");
        let (server, address) = serve(&memory, seed, knobs, "127.0.0.1:0");
        Self { server, address, memory, seed, knobs: knobs.clone() }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the server in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        self.server.kill().expect("the cloud runs");
        self.server.wait().expect("it ends");
    }

    /// Starts the server again, where it was and with what it remembers.
    pub(crate) fn start_again(&mut self) {
        let (server, address) = serve(&self.memory, self.seed, &self.knobs, &self.address);
        assert_eq!(address, self.address, "it listens where it did");
        self.server = server;
    }

    /// Starts the server again with other knobs, so that whoever does not bear this token is refused.
    pub(crate) fn start_again_with(&mut self, token: &str, knobs: &Value) {
        self.knobs = knobs.clone();
        let mut command = command(&self.memory, self.seed, &self.knobs, &self.address);
        let (server, address) = listen(command.env("SANDBOX_TOKEN", token));
        assert_eq!(address, self.address, "it listens where it did");
        self.server = server;
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, answer) = ask(&self.address, method, path, body).expect("the cloud answers");
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// Turns knobs.
    pub(crate) fn turn(&self, knobs: &Value) {
        self.ask("PATCH", "/admin/knobs", &knobs.to_string());
    }

    pub(crate) fn changes(&self) -> Changes {
        Changes::new(&self.ask("GET", "/admin/history", "")["changes"])
    }

    pub(crate) fn history(&self) -> History {
        let history = self.ask("GET", "/admin/history", "");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let things = history["objects"].as_array().expect("a list").iter().map(|object| Made {
            id: text(&object["id"]),
            kind: text(&object["kind"]),
            is_living: object["state"] != json!("gone"),
            properties: object["properties"].clone(),
        });
        History { things: things.collect() }
    }

    /// Waits until the cloud has ended all that it began, whoever still waits for it.
    pub(crate) fn settle(&self) {
        loop {
            let changes = self.changes();
            if changes.open.is_empty() {
                return;
            }
            self.wait("answered", changes.taken);
        }
    }

    /// Waits until so many changes, counted from the start of the server, got to a point.
    pub(crate) fn wait(&self, point: &str, count: u64) {
        self.ask("GET", &format!("/admin/wait?point={point}&count={count}"), "");
    }

    /// Has somebody told when so many changes got to a point. Never, where that never comes.
    pub(crate) fn tell(&self, point: &str, count: u64, told: Sender<Said>) {
        let (address, path) = (self.address.clone(), format!("/admin/wait?point={point}&count={count}"));
        // Ends with the cloud at the latest.
        thread::spawn(move || {
            if matches!(ask(&address, "GET", &path, ""), Ok((200, _))) {
                // Nobody listens any more where the program ended first.
                let _ = told.send(Said::Reached);
            }
        });
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // It may have been ended on purpose.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn serve(memory: &Path, seed: u64, knobs: &Value, at: &str) -> (Child, String) {
    listen(&mut command(memory, seed, knobs, at))
}

fn command(memory: &Path, seed: u64, knobs: &Value, at: &str) -> Command {
    let mut command = Command::new(beside("stackwright-sandbox"));
    command.args(["--listen", at, "--seed", &seed.to_string(), "--knobs", &knobs.to_string(), "--memory"]);
    command.arg(memory).stdout(Stdio::piped());
    command
}

fn listen(command: &mut Command) -> (Child, String) {
    let mut server = command.spawn().expect("the cloud starts");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("it says `{line}`"));
    (server, address.to_owned())
}

/// Posts to a cloud that some other process talks with; fails where it is refused.
pub(crate) fn post(url: &str, body: &str) -> ExitCode {
    let Some((address, path)) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')) else {
        eprintln!("`{url}` is no address of a cloud");
        return ExitCode::FAILURE;
    };
    match ask(address, "POST", &format!("/{path}"), body) {
        Ok((200..300, _)) => ExitCode::SUCCESS,
        Ok((status, answer)) => {
            eprintln!("{status}: {answer}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Asks over a connection of its own; returns status and answer.
fn ask(address: &str, method: &str, path: &str, body: &str) -> io::Result<(u16, Value)> {
    let mut stream = TcpStream::connect(address)?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let garbled = || io::Error::new(io::ErrorKind::InvalidData, "the cloud answered in no HTTP");
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(garbled)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(garbled)?;
    Ok((status, serde_json::from_str(body).map_err(|_| garbled())?))
}

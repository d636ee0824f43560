//! A server process on a free port of this machine, ended when the test ends.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, body::Bytes};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take before a test gives up. It is only ever reached where something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A running server.
pub(crate) struct Cloud {
    server: Child,
    folder: TempDir,
    arguments: Vec<String>,
    address: String,
}

/// An object as the admin endpoint shows it.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) token: Option<String>,
    pub(crate) properties: Value,
}

impl Made {
    /// Returns which object of an engine it is.
    pub(crate) fn owner(&self) -> Option<&str> {
        self.properties["tags"]["stackwright:object"].as_str()
    }
}

impl Cloud {
    pub(crate) fn new() -> Self {
        Self::with(&json!({ "start_ms": 40 }), &[])
    }

    /// Starts a server with these knobs and further flags.
    pub(crate) fn with(knobs: &Value, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut arguments = vec!["--knobs".to_owned(), knobs.to_string()];
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let (server, address) = start(&folder.path().join("memory"), &arguments, "127.0.0.1:0");
        Self { server, folder, arguments, address }
    }

    pub(crate) fn memory(&self) -> PathBuf {
        self.folder.path().join("memory")
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the server in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        let pid = Pid::from_child(&self.server);
        rustix::process::kill_process(pid, Signal::KILL).expect("it runs");
        self.server.wait().expect("it ends");
    }

    /// Starts the server again, where it was.
    pub(crate) fn start_again(&mut self) {
        let (server, address) = start(&self.memory(), &self.arguments, &self.address);
        assert_eq!(address, self.address);
        self.server = server;
    }

    /// Asks and returns status and answer; `None` where no answer comes.
    pub(crate) async fn try_ask(&self, method: Method, path: &str, body: Option<Value>) -> Option<(u16, Value)> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = Request::builder().method(method).uri(format!("{}/{path}", self.endpoint()));
        let request = request.body(Full::new(body)).expect("a request");
        let answer = tokio::time::timeout(PATIENCE, client.request(request)).await.expect("it ends").ok()?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        Some((status, serde_json::from_slice(&body).expect("JSON")))
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        self.try_ask(method, path, body).await.expect("an answer")
    }

    pub(crate) async fn make(&self, kind: &str, properties: Value) -> (u16, Value) {
        self.ask(Method::POST, &format!("v1/{kind}"), Some(json!({ "properties": properties }))).await
    }

    pub(crate) async fn turn(&self, knobs: Value) {
        let (status, answer) = self.ask(Method::PATCH, "admin/knobs", Some(knobs)).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Returns everything that ever was.
    pub(crate) async fn objects(&self) -> Vec<Made> {
        let (_, history) = self.ask(Method::GET, "admin/history", None).await;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let objects = history["objects"].as_array().expect("a list").iter().map(|object| Made {
            id: text(&object["id"]).expect("an id"),
            kind: text(&object["kind"]).expect("a kind"),
            state: text(&object["state"]).expect("a state"),
            token: text(&object["token"]),
            properties: object["properties"].clone(),
        });
        objects.collect()
    }

    /// Returns what is not gone.
    pub(crate) async fn living(&self) -> Vec<Made> {
        self.objects().await.into_iter().filter(|object| object.state != "gone").collect()
    }

    /// Returns how often what was called.
    pub(crate) async fn calls(&self) -> BTreeMap<String, u64> {
        let (_, history) = self.ask(Method::GET, "admin/history", None).await;
        serde_json::from_value(history["calls"].clone()).expect("counts")
    }
}

fn start(memory: &std::path::Path, arguments: &[String], listen: &str) -> (Child, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_stackwright-sandbox"))
        .args(["--listen", listen, "--memory"])
        .arg(memory)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("it says `{line}`"));
    (server, address.to_owned())
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

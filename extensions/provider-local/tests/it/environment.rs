//! What the environment of the engine means to what it starts and asks. An environment belongs to a whole process, so the
//! engine here is one of its own.

use std::{fs, process::Command};

use stackwright::value::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::support::{Driven, Looked, Wire, YARD, Yard, given, part, text, texts, with};

/// Not a test: what [`run`] runs as a process of its own.
#[tokio::test]
async fn engine_program() {
    let Ok(result) = std::env::var("TEST_ENVIRONMENT") else { return };
    let yard = Yard::new();
    let print = given([("command", texts(["env"]))]);
    let command = Looked::new("local_command").read(&print).await.expect("an answer");

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = text(format!("http://{}/", listener.local_addr().expect("an address")));
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nself").await;
        }
    });
    let request = given([("url", url.clone()), ("timeout_seconds", Value::number(5))]);
    let answer = Looked::new("http_request").read(&request).await;
    let answer = answer.map_or_else(|error| error.report(), |found| part(&found, "response_body").to_owned());

    let process = Driven::new("local_process");
    let wire = Wire::new(&yard, "wire");
    let ready = given([("http", url), ("timeout_seconds", Value::number(5))]);
    let script = yard.script(&format!("{}; env >&3; echo end >&3; exec sleep 1000", wire.open()));
    let object = process.create(&with(&script, [("ready", ready)])).await;
    let environment: Vec<String> = std::iter::repeat_with(|| wire.line()).take_while(|line| line != "end").collect();
    let readiness = process.ready(&object).await.err();
    process.delete(&object).await;
    let failing = yard.script("echo inherited $APP_TOKEN; exit 1");
    let failing = with(&failing, [("log_file", text(yard.place("log")))]);
    let failing = Driven::new("local_process").create(&failing).await;
    let words = Driven::new("local_process").ready(&failing).await.err();
    server.abort();
    let seen = serde_json::json!({
        "command": part(&command, "stdout"), "answer": answer, "process": environment.join("\n"),
        "readiness": readiness, "words": words, "key": process.key.to_string(),
    });
    fs::write(result, seen.to_string()).expect("a file");
}

fn run() -> serde_json::Value {
    let yard = Yard::new();
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--exact", "environment::engine_program", "--nocapture"])
        .env("TEST_ENVIRONMENT", yard.place("result"));
    command
        .env("STACKWRIGHT_KEY", "hunter2-key")
        .env("STACKWRIGHT_OBJECT_ID", "of-the-engine")
        .env("APP_TOKEN", "hunter2-app");
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"] {
        command.env(name, "http://127.0.0.1:1");
    }
    command.env_remove("no_proxy").env_remove("NO_PROXY").env(YARD, yard.place(""));
    let output = command.output().expect("an engine");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let seen = fs::read_to_string(yard.path("result")).expect("what it saw");
    serde_json::from_str(&seen).expect("JSON")
}

#[test]
fn the_engine_keeps_its_own_to_itself() {
    let seen = run();
    let lines =
        |name: &str| -> Vec<String> { seen[name].as_str().expect("a text").lines().map(str::to_owned).collect() };
    let process = lines("process");
    assert!(process.contains(&"APP_TOKEN=hunter2-app".to_owned()), "the rest is handed on: {process:?}");
    assert!(!process.iter().any(|line| line.contains("hunter2-key") || line.contains("of-the-engine")), "{process:?}");
    let mark = format!("STACKWRIGHT_OBJECT_ID={}", seen["key"].as_str().expect("a key"));
    assert!(process.contains(&mark), "{process:?}");
    let command = lines("command");
    assert!(
        !command.iter().any(|line| line.contains("of-the-engine")),
        "nobody is to take it for the engine: {command:?}"
    );
    assert!(command.contains(&"APP_TOKEN=hunter2-app".to_owned()), "{command:?}");
    // No proxy stands between the engine and its own machine.
    assert_eq!(seen["answer"], "self");
    assert_eq!(seen["readiness"], serde_json::Value::Null);
    let words = seen["words"].as_str().expect("it fails");
    assert!(words.ends_with("inherited (hidden)"), "what the engine hands on is hidden too: {words}");
}

//! When a process works.

use std::fs;

use stackwright::{resource::Readiness, value::Value};

use super::{calm, process};
use crate::support::{Wire, Yard, dead, given, is_running, kill, pid, text, with};

#[tokio::test]
async fn is_ready_when_it_accepts_connections() {
    let (yard, driven) = (Yard::new(), process());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let config = with(&yard.script("exec sleep 1000"), [("ready", given([("tcp", text(&address))]))]);
    let object = driven.create(&config).await;
    let answer = driven.resource.ready(&driven.context(), &object).await.expect("an answer");
    assert_eq!(answer, Readiness::NotYet { reason: format!("{address}: connection refused") });
    let listener = tokio::net::TcpListener::bind(&address).await.expect("the port is still free");
    assert_eq!(driven.ready(&object).await, Ok(object.clone()));
    drop(listener);
    driven.delete(&object).await;
}

/// Answers every request on a socket with one status.
async fn answer_with(listener: tokio::net::TcpListener, status: &'static str) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let answer =
            format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nlocation: /elsewhere\r\nconnection: close\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

#[tokio::test]
async fn is_ready_when_it_answers_over_http() {
    let (yard, driven) = (Yard::new(), process());
    for (status, wanted, expect) in [
        ("200 OK", None, Ok(())),
        ("302 Found", None, Ok(())),
        ("404 Not Found", None, Err("answers 404 Not Found")),
        ("503 Service Unavailable", None, Err("answers 503 Service Unavailable")),
        ("404 Not Found", Some(404), Ok(())),
        ("200 OK", Some(204), Err("answers 200 OK")),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(answer_with(listener, status));
        let url = format!("http://user:hunter2@{address}/health?token=hunter2");
        let mut ready = given([("http", text(&url))]);
        if let Some(wanted) = wanted {
            ready = with(&ready, [("status", Value::number(wanted))]);
        }
        let object = driven.create(&with(&yard.script("exec sleep 1000"), [("ready", ready)])).await;
        match (driven.resource.ready(&driven.context(), &object).await.expect("an answer"), expect) {
            (Readiness::Ready(_), Ok(())) => {}
            (Readiness::NotYet { reason }, Err(words)) => {
                assert!(reason.contains(words), "{reason}");
                assert!(!reason.contains("hunter2"), "{reason}");
            }
            other => panic!("{status}: {other:?}"),
        }
        driven.delete(&object).await;
        server.abort();
    }
}

#[tokio::test]
async fn gives_up_when_it_does_not_answer_in_time() {
    let (yard, driven) = (Yard::new(), process());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let ready = given([("tcp", text(&address)), ("timeout_seconds", Value::number(1))]);
    let object = driven.create(&with(&yard.script("exec sleep 1000"), [("ready", ready)])).await;
    let reason = driven.ready(&object).await.expect_err("nobody listens");
    assert_eq!(reason, format!("not ready after 1 s: {address}: connection refused"));
    assert!(is_running(pid(&object)), "it stays, to be looked at");
    let next = driven.resource.ready(&driven.context(), &object).await.expect("an answer");
    assert!(matches!(next, Readiness::NotYet { .. }), "the next apply waits anew: {next:?}");
    driven.delete(&object).await;
}

#[tokio::test]
async fn one_that_fails_says_how_it_ended_and_what_it_printed_last() {
    let (yard, driven) = (Yard::new(), process());
    let log = yard.place("log");
    fs::write(&log, "of an earlier life\n").expect("a log");
    let script = "echo starting; echo \"cannot bind with $TOKEN and $PIN\" >&2; exit 3";
    let environment = yard.environment([("TOKEN", "hunter2-from-env"), ("PIN", "4711")]);
    let config = with(&yard.script(script), [("environment", environment), ("log_file", text(&log))]);
    let object = driven.create(&config).await;
    let reason = driven.ready(&object).await.expect_err("it ends at once");
    let expect = format!(
        "process {} ended with code 3; the last lines of (hidden)log:\nstarting\ncannot bind with (hidden) and (hidden)",
        object.id
    );
    // The path of the log is under the yard, which is a variable too; only what was printed is hidden.
    assert_eq!(reason, expect.replace("(hidden)log", &log));
    assert_eq!(driven.read(&object).await, None);
    let silent = process();
    let config = with(&yard.script("kill -ABRT $$"), [("log_file", text(yard.place("other")))]);
    let object = silent.create(&config).await;
    let reason = silent.ready(&object).await.expect_err("it ends at once");
    assert!(reason.contains("was ended by signal 6; it added nothing to"), "{reason}");
}

#[tokio::test]
async fn one_that_dies_while_somebody_else_answers_is_not_ready() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (yard, driven) = (Yard::new(), process());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let ready = given([("http", text(url))]);
    let object = driven.create(&with(&yard.script("exec sleep 1000"), [("ready", ready)])).await;
    let answers = async {
        let (mut stream, _) = listener.accept().await.expect("a guest");
        let _ = stream.read(&mut [0; 4096]).await;
        kill(pid(&object));
        dead(pid(&object)).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    };
    let ctx = driven.context();
    let (answer, ()) = tokio::join!(driven.resource.ready(&ctx, &object), answers);
    let answer = answer.expect("an answer");
    assert!(matches!(answer, Readiness::Failed { .. }), "{answer:?}");
}

#[tokio::test]
async fn somebody_else_who_answers_does_not_make_it_ready() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let config = with(&calm(&yard, &wire), [("ready", given([("tcp", text(&address))]))]);
    let object = driven.create(&config).await;
    assert_eq!(wire.line(), "up");
    kill(pid(&object));
    dead(pid(&object)).await;
    let answer = driven.resource.ready(&driven.context(), &object).await.expect("an answer");
    assert!(matches!(answer, Readiness::Failed { .. }), "{answer:?}");
}

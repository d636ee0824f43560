//! What cannot be started.

use std::fs;

use stackwright::{
    ErrorKind,
    error::{Effect, Retry},
    resource::ObjectState,
    value::{Type, Value},
};

use super::{calm, process};
use crate::support::{Wire, Yard, given, is_running, map, pid, refused, text, texts, with};

#[tokio::test]
async fn nothing_is_stopped_for_what_cannot_be_started() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let config = calm(&yard, &wire);
    let object = driven.create(&config).await;
    let broken = with(&config, [("command", texts(["/no/such/program"]))]);
    let error = refused(driven.try_update(&object, &broken).await);
    assert_eq!((error.code(), error.kind()), ("local.process", ErrorKind::NotFound));
    assert!(is_running(pid(&object)), "the old one goes on");
    driven.delete(&object).await;
}

#[tokio::test]
async fn what_cannot_be_started_says_why_and_leaves_nothing() {
    let (yard, driven) = (Yard::new(), process());
    fs::write(yard.path("text"), "no program").expect("a file");
    let command = |program: &str| given([("command", texts([program]))]);
    let here = |folder: &str| with(&command("/bin/true"), [("working_directory", text(folder))]);
    let log = |path: &str| with(&command("/bin/true"), [("log_file", text(path))]);
    for (config, code, kind, words) in [
        (command("/no/such/program"), "local.process", ErrorKind::NotFound, "cannot start `/no/such/program`"),
        (command("no-such-program"), "local.process", ErrorKind::NotFound, "no folder of PATH has such a program"),
        (command(&yard.place("text")), "local.process", ErrorKind::Denied, "it is not a program that may be run"),
        (command(&yard.place("")), "local.process", ErrorKind::Denied, "it is not a program that may be run"),
        (here("/no/such/folder"), "local.io", ErrorKind::NotFound, "cannot work in `/no/such/folder`"),
        (here(&yard.place("text")), "local.process", ErrorKind::InvalidInput, "it is not a directory"),
        (log(&yard.place("")), "local.io", ErrorKind::Unavailable, "cannot write to"),
    ] {
        let error = refused(driven.try_create(&config).await);
        assert_eq!((error.code(), error.kind()), (code, kind), "{}", error.report());
        assert_eq!((error.effect_on_world(), error.retry_advice()), (Effect::None, Retry::No), "{}", error.report());
        assert!(error.message().contains(words), "{}", error.report());
    }
    assert_eq!(yard.pids(), Vec::<u32>::new());
}

#[test]
fn what_makes_no_sense_is_refused_while_planning() {
    let driven = process();
    let ready = |ready: Value| given([("command", texts(["x"])), ("ready", ready)]);
    let environment = |name: &str| given([("command", texts(["x"])), ("environment", map([(name, "v")]))]);
    for (config, code) in [
        (given([("command", Value::tuple(vec![]))]), "local.process"),
        (given([("command", texts([""]))]), "local.process"),
        (given([("command", Value::tuple(vec![text("a"), Value::null(Type::String)]))]), "local.process"),
        (given([("command", texts(["a", "b\0c"]))]), "local.process"),
        (environment("A=B"), "local.process"),
        (environment(""), "local.process"),
        (environment("STACKWRIGHT_OBJECT_ID"), "local.process"),
        (given([("command", texts(["x"])), ("environment", map([("A", "b\0")]))]), "local.process"),
        (given([("command", texts(["x"])), ("log_file", text(""))]), "local.process"),
        (ready(given([("tcp", text("a:1")), ("http", text("http://a"))])), "local.conflict"),
        (ready(given([("tcp", text("a:1")), ("status", Value::number(200))])), "local.conflict"),
        (ready(given([("tcp", text("8080"))])), "local.process"),
        (ready(given([("tcp", text("localhost:none"))])), "local.process"),
        (ready(given([("tcp", text(":80"))])), "local.process"),
        (ready(given([("http", text("ftp://a"))])), "local.process"),
    ] {
        let error = driven.config(&config).expect_err("it makes no sense");
        assert_eq!((error.code(), error.kind()), (code, ErrorKind::InvalidInput), "{}", error.report());
    }
    let fine = ready(given([("tcp", text("[::1]:80"))]));
    driven.config(&fine).expect("it makes sense");
}

#[tokio::test]
async fn the_state_of_a_process_that_was_never_made_is_unchanged() {
    let driven = process();
    let outcome = driven.try_create(&given([("command", texts(["/no/such/program"]))])).await;
    assert_eq!(outcome.object, ObjectState::Unchanged);
}

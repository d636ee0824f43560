//! `local_command`.

use std::fs;

use stackwright::{
    ErrorKind,
    value::{Type, Value},
};
use tokio_util::sync::CancellationToken;

use crate::support::{Looked, Wire, YARD, Yard, given, map, part, text, texts, with};

fn command() -> Looked {
    Looked::new("local_command")
}

fn shell(script: &str) -> Value {
    given([("command", texts(["/bin/sh", "-c", script]))])
}

#[tokio::test]
async fn what_a_program_prints_is_taken() {
    let found = command().read(&shell("echo out; echo err >&2")).await.expect("an answer");
    assert_eq!((part(&found, "stdout"), part(&found, "stderr")), ("out\n", "err\n"));
    assert_eq!((part(&found, "id"), found.attribute("exit_code")), ("/bin/sh", Some(&Value::number(0))));
    assert_eq!(found.attribute("secret_stdout"), Some(&Value::null(Type::String)));
    let found = command().read(&shell("printf 'a\\377b'")).await.expect("an answer");
    assert_eq!(part(&found, "stdout"), "a\u{fffd}b");
    let with_input = with(&shell("cat; echo; echo $((1 + 1))"), [("input", text("in"))]);
    assert_eq!(part(&command().read(&with_input).await.expect("an answer"), "stdout"), "in\n2\n");
    // More than a pipe holds, and a program that does not read it.
    let unread = with(&shell("echo done"), [("input", text("x".repeat(1 << 20)))]);
    assert_eq!(part(&command().read(&unread).await.expect("an answer"), "stdout"), "done\n");
    assert_eq!(
        part(&command().read(&shell("cat")).await.expect("an answer"), "stdout"),
        "",
        "there is nothing to read"
    );
}

#[tokio::test]
async fn it_runs_where_and_with_what_it_is_told() {
    let yard = Yard::new();
    let environment =
        Value::map(Type::String, [("GREETING", text("hello world")), ("HOME", Value::null(Type::String))]);
    let config = with(
        &shell("pwd; echo $GREETING; echo ${HOME-none}; echo ${PATH:+path}; echo ${STACKWRIGHT_OBJECT_ID-none}"),
        [("working_directory", text(yard.place(""))), ("environment", environment)],
    );
    let found = command().read(&config).await.expect("an answer");
    let folder = fs::canonicalize(yard.path("")).expect("a folder");
    assert_eq!(part(&found, "stdout"), format!("{}\nhello world\nnone\npath\nnone\n", folder.display()));
}

#[tokio::test]
async fn a_failure_is_an_answer_only_where_that_is_wanted() {
    let failing = shell("echo some; echo cause >&2; exit 3");
    let error = command().refused(&failing).await;
    assert_eq!((error.code(), error.kind()), ("local.command", ErrorKind::Unavailable));
    assert_eq!(
        error.message(),
        "`/bin/sh` ended with code 3; `allow_failure = true` takes that for an answer too. It said last:\ncause"
    );
    let allow = [("allow_failure", Value::bool(true))];
    let found = command().read(&with(&failing, allow.clone())).await.expect("an answer");
    assert_eq!((part(&found, "stdout"), found.attribute("exit_code")), ("some\n", Some(&Value::number(3))));
    let found = command().read(&with(&shell("kill -KILL $$"), allow)).await.expect("an answer");
    assert_eq!(found.attribute("exit_code"), Some(&Value::number(137)));
}

#[tokio::test]
async fn secrets_are_not_repeated() {
    let environment = map([("TOKEN", "hunter2-env")]);
    let script = "read line; echo \"$TOKEN $line\" >&2; exit 1";
    let config = with(&shell(script), [("environment", environment), ("input", text("hunter2-input\n"))]);
    let error = command().refused(&config).await;
    assert!(error.message().ends_with("It said last:\n(hidden) (hidden)"), "{}", error.message());
    let sensitive = [("sensitive", Value::bool(true))];
    let error = command().refused(&with(&shell("echo hunter2 >&2; exit 1"), sensitive.clone())).await;
    assert!(!error.report().contains("hunter2"), "{}", error.report());
    let found = command().read(&with(&shell("echo hunter2; echo err >&2"), sensitive)).await.expect("an answer");
    assert_eq!((part(&found, "secret_stdout"), part(&found, "secret_stderr")), ("hunter2\n", "err\n"));
    for name in ["stdout", "stderr"] {
        assert_eq!(found.attribute(name), Some(&Value::null(Type::String)), "{name}");
    }
    let schema = command().source.schema();
    for name in ["secret_stdout", "secret_stderr"] {
        assert!(schema.block.attributes[name].sensitive, "{name}");
    }
}

/// A program with a child that holds its output, both of which never end.
fn endless(yard: &Yard, wire: &Wire) -> Value {
    let script = format!("{}; trap '' TERM; sleep 1000 & echo up >&3; wait", wire.open());
    with(&shell(&script), [("environment", map([(YARD, yard.place(""))]))])
}

#[tokio::test]
async fn the_whole_group_is_killed_when_its_time_is_over() {
    let yard = Yard::new();
    let wire = Wire::new(&yard, "wire");
    let config = with(&endless(&yard, &wire), [("timeout_seconds", Value::number(1))]);
    let error = command().refused(&config).await;
    assert_eq!((error.code(), error.kind()), ("local.command", ErrorKind::Unavailable));
    assert_eq!(error.message(), "`/bin/sh`, or what it started, did not end within 1 s");
    assert_eq!(wire.end(), ["up"]);
    // One that ended itself, but left somebody who holds its output.
    let wire = Wire::new(&yard, "other");
    let script = format!("{}; sleep 1000 & echo up >&3", wire.open());
    let config = with(&config, [("command", texts(["/bin/sh", "-c", &script]))]);
    command().refused(&config).await;
    assert_eq!(wire.end(), ["up"]);
}

#[tokio::test]
async fn the_whole_group_is_killed_when_it_is_cancelled_or_dropped() {
    let yard = Yard::new();
    let wire = Wire::new(&yard, "wire");
    let config = endless(&yard, &wire);
    let token = CancellationToken::new();
    let call = tokio::spawn({
        let (token, config) = (token.clone(), config.clone());
        async move { command().read_until(&config, token).await }
    });
    let wire = tokio::task::spawn_blocking(move || (wire.line(), wire).1).await.expect("it is up");
    token.cancel();
    assert_eq!(call.await.expect("no panic").expect_err("it was cancelled").code(), "run.cancelled");
    assert_eq!(wire.end(), Vec::<String>::new());
    let call = tokio::spawn(async move { command().read(&config).await });
    let wire = tokio::task::spawn_blocking(move || (wire.line(), wire).1).await.expect("it is up");
    call.abort();
    assert!(call.await.expect_err("it was dropped").is_cancelled());
    assert_eq!(wire.end(), Vec::<String>::new());
}

#[tokio::test]
async fn too_much_output_ends_it_at_once() {
    let yard = Yard::new();
    for stream in ["", " >&2"] {
        let script = format!("exec yes{stream}");
        let config = with(&shell(&script), [("environment", map([(YARD, yard.place(""))]))]);
        let error = command().refused(&config).await;
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.message(), "`/bin/sh` printed more than 16 MiB");
    }
}

#[tokio::test]
async fn what_cannot_run_says_why() {
    let yard = Yard::new();
    fs::write(yard.path("text"), "no program").expect("a file");
    let program = |program: &str| given([("command", texts([program]))]);
    let here = |folder: &str| with(&program("true"), [("working_directory", text(folder))]);
    for (config, code, kind, words) in [
        (given([("command", Value::tuple(vec![]))]), "local.command", ErrorKind::InvalidInput, "`command` is empty"),
        (program(""), "local.command", ErrorKind::InvalidInput, "`command` is empty"),
        (
            given([("command", Value::tuple(vec![text("a"), Value::null(Type::String)]))]),
            "local.command",
            ErrorKind::InvalidInput,
            "element 1 of `command` is null",
        ),
        (program("/no/such/program"), "local.command", ErrorKind::NotFound, "cannot start `/no/such/program`"),
        (program(&yard.place("text")), "local.command", ErrorKind::Denied, "cannot start"),
        (here("/no/such/folder"), "local.io", ErrorKind::NotFound, "cannot work in `/no/such/folder`"),
        (here(&yard.place("text")), "local.command", ErrorKind::InvalidInput, "it is not a directory"),
    ] {
        let error = command().refused(&config).await;
        assert_eq!((error.code(), error.kind()), (code, kind), "{}", error.report());
        assert!(error.message().contains(words), "{}", error.report());
    }
}

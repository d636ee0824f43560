//! What a process is started with, and what becomes of it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use stackwright::{
    resource::Readiness,
    value::{Type, Value},
};

use super::{calm, process};
use crate::support::{Wire, Yard, dead, given, is_running, kill, kin, map, pid, text, texts, with};

#[tokio::test]
async fn runs_in_a_session_of_its_own_until_it_is_deleted() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let object = driven.create(&calm(&yard, &wire)).await;
    assert_eq!(wire.line(), "up");
    let [_, group, session] = kin(pid(&object));
    assert_eq!((group, session), (pid(&object), pid(&object)), "it leads a group and a session");
    assert_ne!(session, kin(std::process::id())[2]);
    assert_eq!(driven.ready(&object).await, Ok(object.clone()));
    assert_eq!(driven.read(&object).await, Some(object.clone()));
    assert_eq!(driven.changes(&object, &calm(&yard, &wire)).await, Vec::<String>::new());
    driven.delete(&object).await;
    assert_eq!(wire.end(), Vec::<String>::new());
    assert_eq!(driven.read(&object).await, None);
    driven.delete(&object).await;
}

#[tokio::test]
async fn has_no_terminal_and_nothing_of_the_engine() {
    use rustix::io::{FdFlags, fcntl_setfd};
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    // What somebody hands down to the engine, such as the pipe of a job server.
    let handed_down = fs::File::create(yard.path("handed-down")).expect("a file");
    fcntl_setfd(&handed_down, FdFlags::empty()).expect("a flag");
    let script = format!(
        "open=$(ls -l /proc/$$/fd); tty=$(ps -o tty= -p $$); {}; echo \"$open\" >&3; echo tty $tty >&3; exec sleep 1000",
        wire.open()
    );
    let object = driven.create(&yard.script(&script)).await;
    let lines: Vec<String> = std::iter::repeat_with(|| wire.line()).take_while(|line| *line != "tty ?").collect();
    for fd in 0..3 {
        assert!(lines.iter().any(|line| line.ends_with(&format!(" {fd} -> /dev/null"))), "{fd}: {lines:?}");
    }
    assert!(!lines.iter().any(|line| line.contains("handed-down")), "{lines:?}");
    driven.delete(&object).await;
}

#[tokio::test]
async fn the_same_key_gives_the_same_process() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let config = calm(&yard, &wire);
    let first = driven.create(&config).await;
    let again = driven.create(&config).await;
    assert_eq!(first.id, again.id);
    assert_eq!(wire.line(), "up");
    // What a crashed attempt with another input left behind is in the way, and ended.
    let other = with(&config, [("triggers", map([("a", "b")]))]);
    let third = driven.create(&other).await;
    assert_ne!(third.id, first.id);
    assert!(!is_running(pid(&first)));
    assert_eq!(wire.line(), "up", "a new one was started");
    let another = process();
    let fourth = another.create(&config).await;
    assert_ne!(fourth.id, third.id, "another object is another process");
    assert!(is_running(pid(&third)));
    driven.delete(&third).await;
    assert!(is_running(pid(&fourth)), "whose key is another is left alone");
    another.delete(&fourth).await;
    wire.end();
}

#[tokio::test]
async fn one_that_died_is_gone_and_not_started_again() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let object = driven.create(&calm(&yard, &wire)).await;
    assert_eq!(wire.line(), "up");
    kill(pid(&object));
    dead(pid(&object)).await;
    assert_eq!(driven.read(&object).await, None);
    let Readiness::Failed { reason } = driven.resource.ready(&driven.context(), &object).await.expect("an answer")
    else {
        panic!("it is dead");
    };
    assert!(reason.starts_with(&format!("process {} ended", object.id)), "{reason}");
    assert_eq!(yard.pids(), Vec::<u32>::new(), "nobody started it again");
    driven.delete(&object).await;
}

#[tokio::test]
async fn update_restarts_only_when_it_has_to() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let config = calm(&yard, &wire);
    let object = driven.create(&config).await;
    assert_eq!(wire.line(), "up");
    let ready = given([("tcp", text("127.0.0.1:1")), ("timeout_seconds", Value::number(5))]);
    for change in [[("stop_timeout_seconds", Value::number(3))], [("ready", ready)]] {
        let [(name, _)] = &change;
        let changed = with(&config, change.clone());
        assert_eq!(driven.changes(&object, &changed).await, [format!(".{name}")]);
        let updated = driven.update(&object, &changed).await;
        assert_eq!(updated.id, object.id, "{name} concerns the engine alone");
        assert!(is_running(pid(&object)));
    }
    let mut before = object;
    for change in [
        [("triggers", map([("a", "b")]))],
        [("working_directory", text(yard.place("")))],
        [("log_file", text(yard.place("log")))],
        [("environment", yard.environment([("A", "b")]))],
        [("command", texts(["/bin/sh", "-c", &format!("{}; echo other >&3; exec sleep 1000", wire.open())]))],
    ] {
        let [(name, _)] = &change;
        let changed = with(&config, change.clone());
        let changes = driven.changes(&before, &changed).await;
        assert!(changes.contains(&".pid".to_owned()), "{name}: {changes:?}");
        let after = driven.update(&before, &changed).await;
        assert_ne!(after.id, before.id, "{name} is what it is started with");
        assert!(!is_running(pid(&before)) && is_running(pid(&after)), "{name}");
        assert_eq!(wire.line(), if *name == "command" { "other" } else { "up" });
        before = after;
    }
    driven.delete(&before).await;
    wire.end();
}

#[tokio::test]
async fn works_where_and_with_what_it_is_told() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    fs::create_dir(yard.path("work")).expect("a folder");
    let script = format!("{}; pwd >&3; env | sort >&3; echo end >&3; exec sleep 1000", wire.open());
    let mut environment: Vec<(String, Value)> =
        vec![("GREETING".into(), text("hello world")), ("HOME".into(), Value::null(Type::String))];
    environment.push((crate::support::YARD.into(), text(yard.place(""))));
    let config = given([
        ("command", texts(["sh", "-c", &script])),
        ("working_directory", text(yard.place("work"))),
        ("environment", Value::map(Type::String, environment)),
    ]);
    let object = driven.create(&config).await;
    let folder = fs::canonicalize(yard.path("work")).expect("a folder");
    assert_eq!(wire.line(), folder.to_str().expect("a plain path"));
    let lines: Vec<String> = std::iter::repeat_with(|| wire.line()).take_while(|line| line != "end").collect();
    let has = |wanted: &str| lines.iter().any(|line| line.starts_with(wanted));
    assert!(has("GREETING=hello world") && has("PATH="), "{lines:?}");
    assert!(!has("HOME="), "null takes a variable away");
    assert!(has(&format!("STACKWRIGHT_OBJECT_ID={}", driven.key)));
    driven.delete(&object).await;
}

#[tokio::test]
async fn the_log_is_added_to() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let log = yard.place("logs/deep/log");
    let script = format!("{}; echo out; echo err >&2; echo up >&3; exec sleep 1000", wire.open());
    let config = with(&yard.script(&script), [("log_file", text(&log))]);
    let object = driven.create(&config).await;
    assert_eq!(wire.line(), "up");
    assert_eq!(fs::read_to_string(&log).expect("a log"), "out\nerr\n");
    let mode = fs::metadata(&log).expect("a log").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "it may hold secrets");
    let again = with(&config, [("triggers", map([("n", "2")]))]);
    let object = driven.update(&object, &again).await;
    assert_eq!(wire.line(), "up");
    assert_eq!(fs::read_to_string(&log).expect("a log"), "out\nerr\nout\nerr\n");
    driven.delete(&object).await;
    assert!(fs::metadata(&log).is_ok(), "the log stays for people to read");
}

//! `local_process`.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use stackwright::{
    Error, ErrorKind, Result,
    error::{Effect, Retry},
    resource::{Checkpoint, Evidence, Object, ObjectState, Readiness, Recovery},
    state::ObjectId,
    value::{Type, Value},
};
use tokio_util::sync::CancellationToken;

use crate::support::{
    Driven, PATIENCE, Wire, Yard, attribute, complete, dead, given, is_running, kill, kin, map, pid, refused, start_of,
    text, texts, with,
};

fn process() -> Driven {
    Driven::new("local_process")
}

/// A process that says that it is up and then waits for ever.
fn calm(yard: &Yard, wire: &Wire) -> Value {
    yard.script(&format!("{}; echo up >&3; exec sleep 1000", wire.open()))
}

/// Changes what only the type reads of an object.
fn tamper(object: &Object, change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> Object {
    let mut private: serde_json::Value =
        serde_json::from_slice(object.private.as_deref().expect("private bytes")).expect("JSON");
    change(private.as_object_mut().expect("an object"));
    Object { private: Some(Arc::from(private.to_string().into_bytes())), ..object.clone() }
}

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
async fn a_zombie_does_not_run() {
    let driven = process();
    let mut child = Command::new("true").spawn().expect("a process");
    dead(child.id()).await;
    let start = start_of(child.id()).expect("its entry is there until it is reaped");
    assert_eq!(driven.import(&child.id().to_string()).await.expect("an answer"), None);
    let private = serde_json::json!({ "version": 1, "start": start }).to_string().into_bytes();
    let object = Object {
        id: child.id().to_string(),
        attributes: driven.resource.schema().block.empty_value(),
        private: Some(Arc::from(private)),
    };
    assert_eq!(driven.read(&object).await, None);
    let answer = driven.resource.ready(&driven.context(), &object).await.expect("an answer");
    assert!(matches!(answer, Readiness::Failed { .. }), "{answer:?}");
    driven.delete(&object).await;
    child.wait().expect("its end");
}

#[tokio::test]
async fn a_stale_or_reused_number_means_nobody_and_is_never_killed() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let bystander = driven.create(&calm(&yard, &wire)).await;
    assert_eq!(wire.line(), "up");
    let start = |object: &Object| {
        let private: serde_json::Value =
            serde_json::from_slice(object.private.as_deref().expect("bytes")).expect("JSON");
        private["start"].as_str().expect("a start").to_owned()
    };
    let later = format!("{}", start(&bystander).parse::<u64>().expect("ticks") + 1);
    for (what, stranger) in [
        ("another start", tamper(&bystander, |private| drop(private.insert("start".into(), later.clone().into())))),
        ("another boot", tamper(&bystander, |private| drop(private.insert("boot".into(), "another".into())))),
        (
            "another mark",
            tamper(&bystander, |private| drop(private.insert("mark".into(), ObjectId::mint().to_string().into()))),
        ),
        ("nobody's number", Object { id: "4194300".to_owned(), ..bystander.clone() }),
    ] {
        let owner = process();
        assert_eq!(owner.read(&stranger).await, None, "{what}");
        let evidence =
            Evidence { id: Some(stranger.id.clone()), partial: None, prior: Some(stranger.clone()), planned: None };
        // The mark of the bystander counts where it is what the private bytes name.
        if what == "another mark" {
            assert_eq!(owner.recover(&evidence).await, Recovery::Absent, "{what}");
        }
        let not_ready = owner.resource.ready(&owner.context(), &stranger).await.expect("an answer");
        assert!(matches!(not_ready, Readiness::Failed { .. }), "{what}");
        if what != "another mark" {
            // Without the mark nothing ties the stranger to the bystander.
            let unmarked = tamper(&stranger, |private| drop(private.remove("mark")));
            owner.delete(&unmarked).await;
        } else {
            owner.delete(&stranger).await;
        }
        assert!(is_running(pid(&bystander)), "{what}: the bystander lives");
    }
    driven.delete(&bystander).await;
    wire.end();
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_and_not_gone() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let object = driven.create(&calm(&yard, &wire)).await;
    let broken = Object { private: None, ..object.clone() };
    let error = driven.resource.read(&driven.context(), &broken).await.expect_err("nobody knows");
    assert_eq!(error.code(), "resource.stored_shape");
    assert_eq!(refused(driven.resource.delete(&driven.context(), &broken).await).code(), "resource.stored_shape");
    assert!(is_running(pid(&object)));
    driven.delete(&object).await;
}

#[tokio::test]
async fn delete_ends_the_whole_session_with_patience() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    // A leader that tidies up, a child in the same group, one in another session, one with an empty environment and one
    // in another group. Each says when it is itself and not a copy of the shell any more.
    let script = format!(
        "{}; trap 'echo tidy >&3; exit 0' TERM; child='echo up >&3; exec sleep 1000'; \
         sh -c \"$child\" & setsid sh -c \"$child\" & env -i sh -c \"$child\" & \
         set -m; sh -c \"$child\" & set +m; while :; do wait; done",
        wire.open()
    );
    let object = driven.create(&yard.script(&script)).await;
    for _ in 0..4 {
        assert_eq!(wire.line(), "up");
    }
    driven.delete(&object).await;
    assert_eq!(wire.end(), ["tidy"], "the end comes when all of them are gone");
}

#[tokio::test]
async fn delete_kills_what_does_not_listen() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let script =
        format!("{}; trap 'echo asked >&3' TERM; echo up >&3; while :; do sleep 1000 & wait $!; done", wire.open());
    let config = with(&yard.script(&script), [("stop_timeout_seconds", Value::number(1))]);
    let object = driven.create(&config).await;
    assert_eq!(wire.line(), "up");
    let begun = std::time::Instant::now();
    driven.delete(&object).await;
    assert!(begun.elapsed() >= Duration::from_secs(1), "it had its time");
    assert_eq!(wire.end(), ["asked"], "it was asked first, once");
}

#[tokio::test]
async fn delete_reaches_children_of_a_leader_that_died() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let script = format!("{}; sleep 1000 & echo $! >&3; exec sleep 1000", wire.open());
    let object = driven.create(&yard.script(&script)).await;
    let child: u32 = wire.line().parse().expect("a number");
    kill(pid(&object));
    dead(pid(&object)).await;
    assert!(is_running(child));
    let evidence = Evidence { id: None, partial: None, prior: Some(object.clone()), planned: None };
    assert_eq!(driven.recover(&evidence).await, Recovery::Found(object.clone()), "a lost delete is not done yet");
    driven.delete(&object).await;
    assert_eq!(wire.end(), Vec::<String>::new());
    assert_eq!(driven.recover(&evidence).await, Recovery::Absent);
}

#[tokio::test]
async fn a_stopped_process_can_be_asked_to_end() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let script = format!(
        "{}; trap 'echo tidy >&3; exit 0' TERM; echo up >&3; kill -STOP $$; while :; do wait; done",
        wire.open()
    );
    let object = driven.create(&yard.script(&script)).await;
    assert_eq!(wire.line(), "up");
    driven.delete(&object).await;
    assert_eq!(wire.end(), ["tidy"]);
}

#[tokio::test]
async fn a_cancelled_delete_says_that_nobody_knows() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let script =
        format!("{}; trap 'echo asked >&3' TERM; echo up >&3; while :; do sleep 1000 & wait $!; done", wire.open());
    let config = with(&yard.script(&script), [("stop_timeout_seconds", Value::number(3600))]);
    let object = driven.create(&config).await;
    assert_eq!(wire.line(), "up");
    let token = CancellationToken::new();
    let ctx = driven.context_with(token.clone());
    let (resource, prior) = (Arc::clone(&driven.resource), object.clone());
    let call = tokio::spawn(async move { resource.delete(&ctx, &prior).await });
    let wire = tokio::task::spawn_blocking(move || {
        assert_eq!(wire.line(), "asked");
        wire
    });
    let wire = wire.await.expect("the wire");
    token.cancel();
    let outcome = tokio::time::timeout(PATIENCE, call).await.expect("it ends soon").expect("no panic");
    let error = refused(outcome);
    assert_eq!((error.code(), error.effect_on_world()), ("run.cancelled", Effect::Unknown));
    assert_eq!(driven.read(&object).await, Some(object.clone()), "it is still there");
    // Killed at once, since it has had its time.
    let hurried =
        Object { attributes: with(&object.attributes, [("stop_timeout_seconds", Value::number(0))]), ..object };
    driven.delete(&hurried).await;
    wire.end();
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

/// A checkpoint sink that remembers, or fails.
#[derive(Debug, Default)]
struct Notes {
    seen: Mutex<Vec<(String, Option<Value>)>>,
    fails: bool,
}

#[async_trait]
impl Checkpoint for Notes {
    async fn checkpoint(&self, id: &str, partial: Option<&Value>) -> Result<()> {
        self.seen.lock().expect("no panic").push((id.to_owned(), partial.cloned()));
        match self.fails {
            true => Err(Error::new(ErrorKind::Conflict, "lease.lost", "somebody else took over")),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn a_lost_create_is_found_by_its_mark_or_by_what_was_noted() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let config = calm(&yard, &wire);
    let planned = driven.plan(None, &config).await.expect("a plan").planned;
    let lost = |id: Option<String>| Evidence { id, partial: None, prior: None, planned: Some(planned.clone()) };
    assert_eq!(driven.recover(&lost(None)).await, Recovery::Absent, "nothing was started");
    let notes = Arc::new(Notes::default());
    let ctx = driven.context().with_checkpoint(Arc::clone(&notes) as _);
    let object = complete(driven.resource.create(&ctx, planned.clone()).await);
    let noted = notes.seen.lock().expect("no panic").clone();
    let [(id, Some(partial))] = noted.as_slice() else { panic!("{noted:?}") };
    assert_eq!(partial, &object.attributes);
    assert_eq!(wire.line(), "up");
    for evidence in [lost(None), lost(Some(id.clone()))] {
        let Recovery::Found(found) = driven.recover(&evidence).await else { panic!("it runs") };
        assert_eq!((found.id.as_str(), &found.attributes), (object.id.as_str(), &object.attributes));
        assert_eq!(driven.read(&found).await.map(|found| found.id), Some(object.id.clone()), "its identity is whole");
    }
    kill(pid(&object));
    dead(pid(&object)).await;
    assert_eq!(driven.recover(&lost(Some(id.clone()))).await, Recovery::Absent);
    assert_eq!(driven.recover(&lost(None)).await, Recovery::Absent);
}

#[tokio::test]
async fn one_that_wrote_over_its_environment_is_found_by_what_was_noted() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    // Another program with an empty environment in the same process.
    let script = format!("{}; exec env -i sh -c 'echo up >&3; exec sleep 1000'", wire.open());
    let config = yard.script(&script);
    let planned = driven.plan(None, &config).await.expect("a plan").planned;
    let notes = Arc::new(Notes::default());
    let ctx = driven.context().with_checkpoint(Arc::clone(&notes) as _);
    let object = complete(driven.resource.create(&ctx, planned.clone()).await);
    assert_eq!(wire.line(), "up");
    let id = notes.seen.lock().expect("no panic").first().map(|(id, _)| id.clone());
    let evidence = Evidence { id, partial: None, prior: None, planned: Some(planned) };
    let Recovery::Found(found) = driven.recover(&evidence).await else { panic!("it runs") };
    assert_eq!(found.id, object.id);
    assert_eq!(driven.read(&object).await, Some(object.clone()));
    driven.delete(&object).await;
    wire.end();
}

#[tokio::test]
async fn a_checkpoint_that_fails_leaves_the_effect_open() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let config = calm(&yard, &wire);
    let planned = driven.plan(None, &config).await.expect("a plan").planned;
    let notes = Arc::new(Notes { fails: true, ..Notes::default() });
    let ctx = driven.context().with_checkpoint(notes);
    let error = refused(driven.resource.create(&ctx, planned.clone()).await);
    assert_eq!((error.code(), error.effect_on_world()), ("lease.lost", Effect::Unknown));
    assert_eq!(wire.line(), "up");
    // The same in an update, where the old process is gone already.
    let prior = driven.create(&config).await;
    let other =
        driven.plan(Some(&prior), &with(&config, [("triggers", map([("a", "b")]))])).await.expect("a plan").planned;
    let error = refused(driven.resource.update(&ctx, &prior, other.clone()).await);
    assert_eq!((error.code(), error.effect_on_world()), ("lease.lost", Effect::Unknown));
    let evidence =
        Evidence { id: Some(prior.id.clone()), partial: None, prior: Some(prior.clone()), planned: Some(other) };
    let Recovery::Found(found) = driven.recover(&evidence).await else { panic!("the new one runs") };
    assert_ne!(found.id, prior.id);
    assert_eq!(wire.line(), "up");
    driven.delete(&found).await;
    wire.end();
}

#[tokio::test]
async fn a_lost_update_is_told_by_what_runs() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let config = calm(&yard, &wire);
    let prior = driven.create(&config).await;
    assert_eq!(wire.line(), "up");
    let other = with(&config, [("triggers", map([("a", "b")]))]);
    let planned = driven.plan(Some(&prior), &other).await.expect("a plan").planned;
    let evidence =
        Evidence { id: Some(prior.id.clone()), partial: None, prior: Some(prior.clone()), planned: Some(planned) };
    assert_eq!(driven.recover(&evidence).await, Recovery::Found(prior.clone()), "the old one still runs");
    let updated = driven.update(&prior, &other).await;
    assert_eq!(wire.line(), "up");
    let Recovery::Found(found) = driven.recover(&evidence).await else { panic!("the new one runs") };
    assert_eq!((found.id.as_str(), &found.attributes), (updated.id.as_str(), &updated.attributes));
    driven.delete(&updated).await;
    assert_eq!(driven.recover(&evidence).await, Recovery::Absent);
    wire.end();
}

/// Not a test: what [`engine`] runs as a process of its own. It makes one process and ends.
#[tokio::test]
async fn engine_program() {
    let Ok(order) = std::env::var("TEST_ENGINE") else { return };
    let order: serde_json::Value = serde_json::from_str(&order).expect("an order");
    let part = |name: &str| order[name].as_str().expect("a text").to_owned();
    let driven = Driven::with_key("local_process", part("key").parse().expect("an object id"));
    let yard = part("yard");
    let config = given([
        ("command", texts(["/bin/sh", "-c", &part("script")])),
        ("environment", map([(crate::support::YARD, yard.as_str())])),
    ]);
    let planned = driven.plan(None, &config).await.expect("a plan").planned;
    let ctx = match part("end").as_str() {
        "before the checkpoint" => driven.context().with_checkpoint(Arc::new(Death)),
        _ => driven.context(),
    };
    let object = complete(driven.resource.create(&ctx, planned).await);
    let private: serde_json::Value = serde_json::from_slice(&object.private.expect("bytes")).expect("JSON");
    fs::write(part("result"), serde_json::json!({ "id": object.id, "private": private }).to_string()).expect("a file");
}

/// A checkpoint at which the engine dies as if the power went.
#[derive(Debug)]
struct Death;

#[async_trait]
impl Checkpoint for Death {
    async fn checkpoint(&self, _: &str, _: Option<&Value>) -> Result<()> {
        kill(std::process::id());
        std::future::pending().await
    }
}

/// Runs an engine as a process of its own that makes one process; returns once that engine is dead.
fn engine(driven: &Driven, yard: &Yard, script: &str, end: &str) -> (Value, Option<(Object, u32)>) {
    let result = yard.place("result");
    let order = serde_json::json!({
        "key": driven.key.to_string(), "yard": yard.place(""), "script": script, "end": end, "result": result,
    });
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args(["--exact", "process::engine_program", "--nocapture"]).env("TEST_ENGINE", order.to_string());
    let mut child =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("an engine");
    let engine_pid = child.id();
    let status = child.wait().expect("its end");
    assert_eq!(status.success(), end == "after", "{status}");
    let config = yard.script(script);
    let made = fs::read_to_string(&result).ok().map(|text| {
        let made: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let private = made["private"].to_string().into_bytes();
        let id = made["id"].as_str().expect("an id").to_owned();
        (Object { id, attributes: Value::empty_object(), private: Some(Arc::from(private)) }, engine_pid)
    });
    (config, made)
}

#[tokio::test]
async fn outlives_the_engine() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let script = format!("{}; echo up >&3; exec sleep 1000", wire.open());
    let (config, made) = engine(&driven, &yard, &script, "after");
    let (object, engine_pid) = made.expect("it was made");
    assert_eq!(wire.line(), "up");
    assert!(!is_running(engine_pid), "the engine is gone");
    let [parent, group, session] = kin(pid(&object));
    assert_eq!((group, session), (pid(&object), pid(&object)));
    assert_ne!(parent, engine_pid);
    let object = Object { attributes: driven.plan(None, &config).await.expect("a plan").planned, ..object };
    assert!(driven.read(&object).await.is_some());
    driven.delete(&object).await;
    assert_eq!(wire.end(), Vec::<String>::new());
    assert_eq!(driven.read(&object).await, None);
}

#[tokio::test]
async fn is_found_again_when_the_engine_died_before_the_checkpoint() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let script = format!("{}; echo up >&3; exec sleep 1000", wire.open());
    let (config, made) = engine(&driven, &yard, &script, "before the checkpoint");
    assert!(made.is_none(), "nothing was written down");
    assert_eq!(wire.line(), "up");
    let planned = driven.plan(None, &config).await.expect("a plan").planned;
    let evidence = Evidence { id: None, partial: None, prior: None, planned: Some(planned) };
    let Recovery::Found(found) = driven.recover(&evidence).await else { panic!("it runs") };
    assert_eq!(yard.pids(), [pid(&found)]);
    // To create it once more with the same key finds it too.
    assert_eq!(driven.create(&config).await.id, found.id);
    assert_eq!(process().recover(&evidence).await, Recovery::Absent, "another object's mark");
    driven.delete(&found).await;
    wire.end();
}

#[tokio::test]
async fn adopts_what_others_started() {
    let (yard, driven) = (Yard::new(), process());
    let mut child =
        Command::new("sleep").arg("1000").env(crate::support::YARD, yard.place("")).spawn().expect("a process");
    let pid = child.id();
    let reaper = std::thread::spawn(move || child.wait());
    let object = driven.import(&pid.to_string()).await.expect("an answer").expect("it runs");
    let config = given([("command", texts(["sleep", "1000"]))]);
    assert_eq!(driven.changes(&object, &config).await, Vec::<String>::new(), "the plan after an import is empty");
    assert_eq!(driven.read(&object).await, Some(object.clone()));
    driven.delete(&object).await;
    let status = reaper.join().expect("no panic").expect("its end");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15), "it was asked to end");
}

#[tokio::test]
async fn adopts_what_another_stack_started_without_a_restart() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let config = with(&calm(&yard, &wire), [("working_directory", text(yard.place("")))]);
    let object = driven.create(&config).await;
    assert_eq!(wire.line(), "up");
    let adopter = process();
    let adopted = adopter.import(&object.id).await.expect("an answer").expect("it runs");
    assert_eq!(attribute(&adopted, "id"), object.id);
    let changes = adopter.changes(&adopted, &config).await;
    assert!(!changes.contains(&".pid".to_owned()), "it runs with just that already: {changes:?}");
    let updated = adopter.update(&adopted, &config).await;
    assert_eq!((updated.id.as_str(), &updated.attributes), (object.id.as_str(), &object.attributes));
    let other = with(&config, [("triggers", map([("a", "b")]))]);
    assert!(adopter.changes(&adopted, &other).await.contains(&".pid".to_owned()));
    adopter.delete(&updated).await;
    wire.end();
}

#[tokio::test]
async fn refuses_to_adopt_what_it_must_not_end() {
    let driven = process();
    let me = std::process::id();
    let [parent, ..] = kin(me);
    for id in [me.to_string(), parent.to_string(), "1".into(), "0".into(), "-5".into(), "sh".into(), String::new()] {
        let error = driven.import(&id).await.expect_err("not to be adopted");
        assert_eq!((error.code(), error.kind()), ("resource.import_id", ErrorKind::InvalidInput), "{id}");
    }
    let thread = fs::read_dir("/proc/self/task")
        .expect("threads")
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let thread = thread.filter(|thread| *thread != me.to_string()).last().expect("the runtime has threads");
    assert_eq!(driven.import(&thread).await.expect_err("a thread").code(), "resource.import_id");
    assert_eq!(driven.import("4194300").await.expect("an answer"), None, "nobody has that number");
}

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

#[tokio::test]
async fn the_state_of_a_process_that_was_never_made_is_unchanged() {
    let driven = process();
    let outcome = driven.try_create(&given([("command", texts(["/no/such/program"]))])).await;
    assert_eq!(outcome.object, ObjectState::Unchanged);
}

//! What becomes of a process when the engine dies.

use std::{
    fs,
    process::Command,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use stackwright::{
    Error, ErrorKind, Result,
    error::Effect,
    resource::{Checkpoint, Evidence, Object, Recovery},
    value::Value,
};

use super::{calm, process};
use crate::support::{
    Driven, Wire, Yard, complete, dead, given, is_running, kill, kin, map, pid, refused, texts, with,
};

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
async fn what_it_started_in_another_session_is_not_taken_for_it() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let script = format!("{}; setsid sh -c 'echo up >&3; exec sleep 1000' & wait", wire.open());
    let config = yard.script(&script);
    let object = driven.create(&config).await;
    assert_eq!(wire.line(), "up");
    let planned = driven.plan(None, &config).await.expect("a plan").planned;
    let evidence = Evidence { id: None, partial: None, prior: None, planned: Some(planned) };
    let Recovery::Found(found) = driven.recover(&evidence).await else { panic!("it runs") };
    assert_eq!(found.id, object.id, "both carry its mark and lead a session; the older one is it");
    driven.delete(&object).await;
    wire.end();
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
    command.args(["--exact", "process::recovery::engine_program", "--nocapture"]).env("TEST_ENGINE", order.to_string());
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

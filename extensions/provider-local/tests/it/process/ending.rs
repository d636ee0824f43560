//! How processes are ended.

use std::{sync::Arc, time::Duration};

use stackwright::{
    error::Effect,
    resource::{Evidence, Object, Recovery},
    value::{Type, Value},
};
use tokio_util::sync::CancellationToken;

use super::process;
use crate::support::{PATIENCE, Wire, Yard, dead, is_running, kill, pid, refused, with};

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
async fn children_of_a_leader_that_died_are_ended_before_the_next_one_starts() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let script = format!("{}; sleep 1000 & echo $! >&3; exec sleep 1000", wire.open());
    let config = yard.script(&script);
    let object = driven.create(&config).await;
    let child: u32 = wire.line().parse().expect("a number");
    kill(pid(&object));
    dead(pid(&object)).await;
    assert!(is_running(child));
    let evidence = Evidence { id: None, partial: None, prior: Some(object.clone()), planned: None };
    assert_eq!(driven.recover(&evidence).await, Recovery::Found(object.clone()), "a lost delete is not done yet");
    // A plan sees it, and starts it anew instead of beside what is left.
    let headless = driven.read(&object).await.expect("something is left");
    assert_eq!(headless.attributes.attribute("pid"), Some(&Value::null(Type::Number)));
    assert!(driven.changes(&headless, &config).await.contains(&".pid".to_owned()));
    let next = driven.update(&headless, &config).await;
    assert!(!is_running(child) && is_running(pid(&next)));
    let child: u32 = wire.line().parse().expect("a number");
    kill(pid(&next));
    dead(pid(&next)).await;
    assert!(is_running(child));
    driven.delete(&driven.read(&next).await.expect("something is left")).await;
    assert_eq!(wire.end(), Vec::<String>::new());
    assert_eq!(driven.read(&next).await, None);
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

//! Whom a process number means.

use std::{process::Command, sync::Arc};

use stackwright::{
    resource::{Evidence, Object, Readiness, Recovery},
    state::ObjectId,
};

use super::{calm, process, tamper};
use crate::support::{Wire, Yard, dead, is_running, pid, refused, start_of};

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
    let later = (start(&bystander).parse::<u64>().expect("ticks") + 1).to_string();
    // Nothing but the number ties each of these to the bystander.
    let unmarked = tamper(&bystander, |private| drop(private.remove("mark")));
    for (what, stranger) in [
        ("another start", tamper(&unmarked, |private| drop(private.insert("start".into(), later.clone().into())))),
        ("another boot", tamper(&unmarked, |private| drop(private.insert("boot".into(), "another".into())))),
        (
            "another mark",
            tamper(&unmarked, |private| drop(private.insert("mark".into(), ObjectId::mint().to_string().into()))),
        ),
        ("nobody's number", Object { id: "4194300".to_owned(), ..unmarked.clone() }),
    ] {
        let owner = process();
        assert_eq!(owner.read(&stranger).await, None, "{what}");
        let evidence =
            Evidence { id: Some(stranger.id.clone()), partial: None, prior: Some(stranger.clone()), planned: None };
        assert_eq!(owner.recover(&evidence).await, Recovery::Absent, "{what}");
        let not_ready = owner.resource.ready(&owner.context(), &stranger).await.expect("an answer");
        assert!(matches!(not_ready, Readiness::Failed { .. }), "{what}");
        owner.delete(&stranger).await;
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

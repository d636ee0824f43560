use super::bucket::{Bucket, Mood, config, context, planned, s, unknown};
use crate::{
    error::Effect,
    resource::{Evidence, Object, ObjectState, Outcome, Readiness, Recovery, Resource as _, typed::*},
    value::{Marks, Number, Type, Value, repl},
};

/// A price that no float holds.
const EXACT: &str = "0.1000000000000000000000000000000000001";

fn exact() -> Value {
    Value::number(EXACT.parse::<Number>().expect("a number"))
}

fn complete(outcome: Outcome) -> Object {
    match outcome.object {
        ObjectState::Complete(object) if outcome.problems.is_empty() => object,
        other => panic!("it is not complete: {other:?}, {:?}", outcome.problems),
    }
}

fn shown(object: &Object, name: &str) -> String {
    object.attributes.attribute(name).map_or_else(String::new, repl)
}

async fn made(bucket: &Typed<Bucket>) -> Object {
    let rule = Value::object([("port", Value::number(80))]);
    let attributes =
        [("name", s("logs")), ("price", exact()), ("token", s("sesame")), ("rule", Value::tuple(vec![rule]))];
    complete(bucket.create(&context(), planned(bucket, attributes)).await)
}

#[tokio::test]
async fn create_gets_structs_and_returns_values() {
    let bucket = typed(Bucket::default());
    let object = made(&bucket).await;
    assert_eq!(
        bucket.inner().calls(),
        [
            r#"create BucketInputs { name: "logs", versioned: false, price: 0.1, tags: {}, token: Some("sesame"), region: None, tier: None, rules: [Rule { port: 80, protocol: "tcp", from: None }] }"#
        ]
    );
    assert_eq!((object.id.as_str(), object.private.as_deref()), ("logs", Some(b"made".as_slice())));
    assert!(object.attributes.has_type(&bucket.schema().block.implied_type()));
    assert!(object.attributes.is_wholly_known());
    assert_eq!(shown(&object, "region"), r#""eu""#);
    assert_eq!(shown(&object, "revision"), "1");
    assert_eq!(object.attributes.attribute("price"), Some(&exact()), "what is asked for stays as it is");
    let marked = bucket.schema().mark_sensitive(&object.attributes);
    assert_eq!(marked.attribute("secret").map(Value::marks), Some(Marks::SENSITIVE));
    assert!(!format!("{marked:?}").contains("hunter2"));
}

#[tokio::test]
async fn read_keeps_what_it_does_not_touch() {
    let bucket = typed(Bucket::default());
    let object = made(&bucket).await;
    let found = bucket.read(&context(), &object).await.expect("an answer").expect("an object");
    assert_eq!(shown(&found, "versioned"), "true", "it drifted");
    assert_eq!(shown(&found, "revision"), "7");
    assert_eq!(found.attributes.attribute("price"), Some(&exact()));
    assert_eq!(found.attributes.attribute("rule"), object.attributes.attribute("rule"));
    assert_eq!(found.private, object.private);
    bucket.inner().feels(Mood::Empty);
    assert_eq!(bucket.read(&context(), &object).await.expect("an answer"), None);
}

#[tokio::test]
async fn update_and_delete() {
    let bucket = typed(Bucket::default());
    let object = made(&bucket).await;
    let wanted = config(&bucket, [("name", s("logs")), ("versioned", Value::bool(true))]);
    let planned = bucket.schema().planned_new(Some(&object.attributes), &wanted);
    let updated = complete(bucket.update(&context(), &object, planned).await);
    assert_eq!((shown(&updated, "versioned"), shown(&updated, "revision")), ("true".to_owned(), "2".to_owned()));
    assert_eq!(updated.private, object.private);
    assert_eq!(bucket.delete(&context(), &updated).await.object, ObjectState::Gone);
    assert_eq!(bucket.inner().calls()[1..], ["update logs versioned=true", "delete logs outputs=true"]);
    bucket.inner().feels(Mood::Refuses);
    let outcome = bucket.delete(&context(), &updated).await;
    assert_eq!((outcome.object, outcome.problems.len()), (ObjectState::Unchanged, 1));
}

#[tokio::test]
async fn failures_say_what_is_left() {
    let bucket = typed(Bucket::default());
    let attempt = async |mood| {
        bucket.inner().feels(mood);
        bucket.create(&context(), planned(&bucket, [("name", s("logs"))])).await
    };
    assert_eq!(attempt(Mood::Refuses).await.object, ObjectState::Unchanged);
    assert_eq!(attempt(Mood::Empty).await.object, ObjectState::Gone);
    let lost = attempt(Mood::Loses).await;
    assert_eq!(lost.problems.iter().map(|error| error.effect_on_world()).collect::<Vec<_>>(), [Effect::Unknown]);

    let outcome = attempt(Mood::Stops).await;
    assert_eq!(outcome.problems.len(), 1);
    let ObjectState::Partial(half) = outcome.object else { panic!("it is half made: {:?}", outcome.object) };
    assert!(half.attributes.is_wholly_known());
    assert_eq!((shown(&half, "name"), shown(&half, "versioned")), (r#""logs""#.to_owned(), "false".to_owned()));
    assert!(half.attributes.attribute("url").is_some_and(Value::is_null));

    // A half-made object can be removed; who needs its outputs is told.
    bucket.inner().feels(Mood::Well);
    bucket.inner().calls();
    assert_eq!(bucket.delete(&context(), &half).await.object, ObjectState::Gone);
    assert_eq!(bucket.inner().calls(), ["delete logs outputs=false"]);
    let outcome = bucket.update(&context(), &half, planned(&bucket, [("name", s("logs"))])).await;
    assert_eq!(outcome.problems.iter().map(|error| error.code()).collect::<Vec<_>>(), ["resource.half_made"]);
}

#[tokio::test]
async fn a_failed_update_is_asked_for_again() {
    let bucket = typed(Bucket::default());
    let object = made(&bucket).await;
    let wanted = config(&bucket, [("name", s("logs")), ("versioned", Value::bool(true))]);
    let planned = bucket.schema().planned_new(Some(&object.attributes), &wanted);
    bucket.inner().feels(Mood::Stops);
    let outcome = bucket.update(&context(), &object, planned).await;
    assert_eq!(outcome.object, ObjectState::Partial(object), "so that the next plan shows the change");
}

#[tokio::test]
async fn what_the_structs_do_not_take_has_no_effect() {
    let bucket = typed(Bucket::default());
    let mut asked = planned(&bucket, [("name", s("logs"))]);
    asked = Value::object(
        asked
            .entries()
            .map(|(name, value)| (name.clone(), if &**name == "tier" { s("hunter2") } else { value.clone() })),
    );
    let outcome = bucket.create(&context(), asked).await;
    assert_eq!(outcome.object, ObjectState::Unchanged);
    let error = outcome.problems.first().expect("a problem");
    assert_eq!(error.code(), "resource.input");
    assert_eq!(
        error.message(),
        "an attribute has a value that the resource type does not take: .tier: one of `hot`, `very_cold` is required"
    );
    let unknown_name = planned(&bucket, [("name", unknown())]);
    assert_eq!(bucket.create(&context(), unknown_name).await.problems.len(), 1);
    assert!(bucket.inner().calls().is_empty(), "nothing was called");
}

#[tokio::test]
async fn validation_waits_until_all_is_known() {
    let bucket = typed(Bucket::default());
    let cold = |name| [("name", name), ("tier", s("very_cold")), ("versioned", Value::bool(true))];
    assert!(bucket.validate(&context(), &config(&bucket, cold(unknown()))).await.is_ok());
    let error = bucket.validate(&context(), &config(&bucket, cold(s("logs")))).await.expect_err("it is refused");
    assert_eq!(error.message(), "very cold buckets keep no versions");
    assert!(bucket.validate(&context(), &config(&bucket, [("name", s("logs"))])).await.is_ok());
}

#[tokio::test]
async fn import_ready_and_upgrade() {
    let bucket = typed(Bucket::default());
    let found = bucket.import(&context(), "logs").await.expect("an answer").expect("an object");
    assert_eq!((shown(&found, "revision"), shown(&found, "region")), ("3".to_owned(), r#""eu""#.to_owned()));
    assert!(found.attributes.has_type(&bucket.schema().block.implied_type()));
    assert_eq!(bucket.import(&context(), "nobody").await.expect("an answer"), None);

    let object = made(&bucket).await;
    let Readiness::Ready(ready) = bucket.ready(&context(), &object).await.expect("an answer") else { panic!("ready") };
    assert_eq!((shown(&ready, "revision"), ready.attributes.attribute("price")), ("9".to_owned(), Some(&exact())));
    bucket.inner().feels(Mood::Empty);
    assert_eq!(bucket.ready(&context(), &object).await.expect("an answer"), Readiness::Ready(object.clone()));
    bucket.inner().feels(Mood::Stops);
    let not_yet = Readiness::NotYet { reason: "warming up".to_owned() };
    assert_eq!(bucket.ready(&context(), &object).await.expect("an answer"), not_yet);

    let upgraded = bucket.upgrade(&context(), 1, serde_json::json!({"title": "old"})).await.expect("it is upgraded");
    assert_eq!(upgraded.attribute("name"), Some(&s("old")));
    assert_eq!(upgraded.attribute("versioned"), Some(&Value::bool(true)));
    assert_eq!(upgraded.attribute("url"), Some(&Value::null(Type::String)));
}

#[tokio::test]
async fn recovery_goes_by_the_checkpointed_id() {
    let bucket = typed(Bucket::default());
    let planned = planned(&bucket, [("name", s("logs")), ("price", exact())]);
    let evidence = Evidence { id: None, partial: None, prior: None, planned: Some(planned) };
    let answer = bucket.recover(&context(), &evidence).await.expect("an answer");
    assert!(matches!(answer, Recovery::CannotTell { .. }));

    let evidence = Evidence { id: Some("logs".to_owned()), ..evidence };
    let answer = bucket.recover(&context(), &evidence).await.expect("an answer");
    let Recovery::Found(found) = answer else { panic!("it is found: {answer:?}") };
    assert_eq!((shown(&found, "revision"), found.attributes.attribute("price")), ("7".to_owned(), Some(&exact())));

    bucket.inner().feels(Mood::Empty);
    assert_eq!(bucket.recover(&context(), &evidence).await.expect("an answer"), Recovery::Absent);
    bucket.inner().feels(Mood::Well);
    let prior = made(&bucket).await;
    let evidence = Evidence { id: None, partial: None, prior: Some(prior.clone()), planned: None };
    let answer = bucket.recover(&context(), &evidence).await.expect("an answer");
    let Recovery::Found(found) = answer else { panic!("it is found: {answer:?}") };
    assert_eq!((found.private, found.attributes.attribute("price")), (prior.private, Some(&exact())));
}

#[tokio::test]
async fn stored_objects_of_another_shape() {
    let bucket = typed(Bucket::default());
    let object = made(&bucket).await;
    let with = |name: &str, value: Value| {
        let entries = object.attributes.entries();
        let entries =
            entries.map(|(key, part)| (key.clone(), if &**key == name { value.clone() } else { part.clone() }));
        Object { attributes: Value::object(entries), ..object.clone() }
    };
    // A default that came later stands for what an older object does not have.
    let older = with("versioned", Value::null(Type::Bool));
    assert!(bucket.delete(&context(), &older).await.is_ok());
    let outcome = bucket.delete(&context(), &with("name", Value::null(Type::String))).await;
    let error = outcome.problems.first().expect("a problem");
    assert_eq!(error.code(), "resource.stored_shape");
    assert_eq!(
        error.message(),
        "a stored object does not fit the structs of its type: .name: a string is required, not null"
    );
}

#[tokio::test]
async fn debug_prints_no_fields() {
    let bucket = typed(Bucket::default());
    let object = bucket.read_object(&made(&bucket).await).expect("it fits");
    assert_eq!(format!("{object:?}"), r#"TypedObject { id: "logs", .. }"#);
    let made = Made::new("logs", object.outputs().expect("it is whole").clone());
    assert_eq!(format!("{made:?}"), r#"Made { id: "logs", .. }"#);
}

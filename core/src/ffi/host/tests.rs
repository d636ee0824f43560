use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    event::SystemClock,
    resource::{CallInfo, Checkpoint, ObjectState, PlanRequest},
    schema::Attribute,
    state::ObjectId,
    value::Refinement,
};

/// Answers with texts that were written down before, and keeps what it was asked.
#[derive(Debug, Default)]
struct Script {
    replies: Mutex<VecDeque<Json>>,
    requests: Mutex<Vec<Json>>,
    watchers: Mutex<Vec<CallContext>>,
}

#[async_trait]
impl Host for Script {
    async fn call(&self, ctx: CallContext, request: Request) -> Result<Reply> {
        let text = request.to_json()?;
        let request = serde_json::from_str(&text).expect("a request is JSON");
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        let reply = self.replies.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match reply.expect("no more calls than replies") {
            Json::String(word) if word == "raise" => Err(host_failed("KeyError")),
            Json::String(word) if word == "watch" => {
                self.watchers.lock().unwrap_or_else(PoisonError::into_inner).push(ctx);
                Reply::from_json(r#"{"object":null}"#)
            }
            Json::String(word) if word == "checkpoint" => {
                let partial = Document { value: json!({ "name": "assets" }), unknown: Vec::new() };
                ctx.checkpoint("b-7", Some(&partial)).await?;
                Reply::from_json(r#"{"outcome":{"object":"unchanged","problems":[]}}"#)
            }
            reply => Reply::from_json(&reply.to_string()),
        }
    }
}

#[derive(Debug, Default)]
struct Sink(Mutex<Vec<(String, Option<Value>)>>);

#[async_trait]
impl Checkpoint for Sink {
    async fn checkpoint(&self, id: &str, partial: Option<&Value>) -> Result<()> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push((id.to_owned(), partial.cloned()));
        Ok(())
    }
}

fn bucket(verbs: &[Verb], replies: impl IntoIterator<Item = Json>) -> (HostResource, Arc<Script>) {
    let schema = Schema::new(1)
        .attribute("id", Attribute::computed(Type::String))
        .attribute("name", Attribute::required(Type::String))
        .attribute("size", Attribute::optional(Type::Number));
    let script = Arc::new(Script { replies: Mutex::new(replies.into_iter().collect()), ..Script::default() });
    let descriptor =
        TypeDescriptor { schema, traits: super::super::TraitsData::default(), verbs: verbs.iter().copied().collect() };
    (HostResource::new(descriptor, Arc::clone(&script) as _), script)
}

fn context() -> Context {
    let info = CallInfo {
        object_id: Some(ObjectId::from_u128(7)),
        address: Arc::from("acme_bucket.main"),
        type_name: Arc::from("acme_bucket"),
        attempt: 2,
        ..CallInfo::default()
    };
    Context::new(info, Arc::new(SystemClock::default()), CancellationToken::new())
}

fn value(id: Value) -> Value {
    Value::object([("id", id), ("name", Value::string("assets")), ("size", Value::null(Type::Number))])
}

fn planned() -> Value {
    value(Value::unknown(Type::String))
}

fn object() -> resource::Object {
    resource::Object::new("b-7", value(Value::string("b-7")))
}

fn wire() -> Json {
    json!({ "id": "b-7", "attributes": { "id": "b-7", "name": "assets" } })
}

#[tokio::test]
async fn calls_cross_as_plain_json() {
    let replies = [json!({ "outcome": { "object": { "complete": wire() } } })];
    let (resource, script) = bucket(&[], replies);
    let outcome = resource.create(&context(), planned()).await;
    assert!(outcome.is_ok());
    assert_eq!(outcome.object, ObjectState::Complete(object()));
    let requests = script.requests.lock().unwrap_or_else(PoisonError::into_inner);
    let request = requests.first().expect("it was asked");
    let planned = json!({ "value": { "id": null, "name": "assets", "size": null }, "unknown": [[{ "attr": "id" }]] });
    assert_eq!(request["call"], json!({ "create": { "planned": planned } }));
    assert_eq!(request["context"]["idempotency_key"], json!(context().idempotency_key()));
    assert_eq!(request["context"]["attempt"], json!(2));
}

#[tokio::test]
async fn optional_verbs_that_a_type_lacks_are_not_asked() {
    let (resource, script) = bucket(&[], [json!({ "object": null })]);
    let ctx = context();
    let request = PlanRequest { prior: None, config: planned(), proposed: planned() };
    assert_eq!(resource.plan(&ctx, request).await.expect("it is proposed").planned, planned());
    assert_eq!(resource.ready(&ctx, &object()).await.expect("it is ready"), resource::Readiness::Ready(object()));
    assert_eq!(resource.import(&ctx, "b-7").await.expect_err("no import").code(), "resource.import_unsupported");
    assert!(resource.validate(&ctx, &planned()).await.is_ok());
    let refused = resource.upgrade(&ctx, 0, json!({})).await.expect_err("no upgrade");
    assert_eq!(refused.code(), "resource.upgrade_unsupported");
    let lost = Evidence { id: None, partial: None, prior: None, planned: Some(planned()) };
    let blind = resource.recover(&ctx, &lost).await.expect("an answer");
    assert!(matches!(blind, resource::Recovery::CannotTell { .. }));
    assert!(script.requests.lock().unwrap_or_else(PoisonError::into_inner).is_empty());
    // With an id the default reads.
    let known = Evidence { id: Some("b-7".to_owned()), ..lost };
    assert_eq!(resource.recover(&ctx, &known).await.expect("an answer"), resource::Recovery::Absent);
}

#[tokio::test]
async fn verbs_that_a_type_has_are_asked() {
    let verbs = [Verb::Validate, Verb::Plan, Verb::Ready, Verb::Import, Verb::Recover, Verb::Upgrade];
    let proposed = value(Value::unknown_with(Type::String, Refinement::not_null()));
    let document = serde_json::to_value(Document::of(&proposed)).expect("JSON");
    let replies = [
        json!({ "planned": { "planned": document, "requires_replace": [[{ "attr": "name" }]] } }),
        json!({ "readiness": { "not_yet": { "reason": "it is being copied" } } }),
        json!({ "object": wire() }),
        json!({ "recovery": { "found": wire() } }),
        json!("valid"),
        json!({ "error": { "kind": "invalid_input", "code": "acme.name", "message": "buckets are written small" } }),
        json!({ "upgraded": { "id": "b-7", "name": "assets" } }),
        json!({ "upgraded": { "nmae": "assets" } }),
    ];
    let (resource, script) = bucket(&verbs, replies);
    let ctx = context();
    let request = PlanRequest { prior: Some(object()), config: proposed.clone(), proposed: proposed.clone() };
    let response = resource.plan(&ctx, request).await.expect("an answer");
    // What was known of the unknown id is still known.
    assert_eq!(response.planned, proposed);
    assert_eq!(response.requires_replace, [crate::value::Path::root().attr("name")]);
    let reason = "it is being copied".to_owned();
    assert_eq!(resource.ready(&ctx, &object()).await.expect("an answer"), resource::Readiness::NotYet { reason });
    assert_eq!(resource.import(&ctx, "b-7").await.expect("an answer"), Some(object()));
    let lost = Evidence { id: None, partial: None, prior: None, planned: Some(planned()) };
    assert_eq!(resource.recover(&ctx, &lost).await.expect("an answer"), resource::Recovery::Found(object()));
    assert!(resource.validate(&ctx, &planned()).await.is_ok());
    assert_eq!(resource.validate(&ctx, &planned()).await.expect_err("a refusal").code(), "acme.name");
    let upgraded = resource.upgrade(&ctx, 0, json!({ "title": "assets" })).await.expect("an answer");
    assert_eq!(upgraded, value(Value::string("b-7")));
    assert_eq!(resource.upgrade(&ctx, 0, json!({})).await.expect_err("it does not fit").code(), "host.reply");
    let requests = script.requests.lock().unwrap_or_else(PoisonError::into_inner);
    let asked = json!({ "upgrade": { "version": 0, "attributes": { "title": "assets" } } });
    assert_eq!(requests.get(6).map(|request| &request["call"]), Some(&asked));
}

#[tokio::test]
async fn an_answer_that_says_nothing_of_its_effect_has_an_unknown_one() {
    let bad = [
        (json!("raise"), "host.failed"),
        (json!({ "outcome": 7 }), "host.reply"),
        (json!({ "object": null }), "host.reply"),
        (
            json!({ "outcome": { "object": { "complete": { "id": "b-7", "attributes": { "nmae": "x" } } } } }),
            "host.reply",
        ),
    ];
    for (reply, code) in bad {
        let (resource, _) = bucket(&[], [reply.clone(), reply]);
        let outcome = resource.delete(&context(), &object()).await;
        assert_eq!(outcome.object, ObjectState::Unchanged);
        let problem = outcome.problems.first().expect("a problem");
        assert_eq!((problem.code(), problem.effect_on_world()), (code, Effect::Unknown), "{}", problem.report());
    }
    let (resource, _) = bucket(&[], [json!("raise")]);
    let error = resource.read(&context(), &object()).await.expect_err("it raised");
    assert_eq!((error.code(), error.effect_on_world()), ("host.failed", Effect::None));
}

#[tokio::test]
async fn errors_that_a_host_names_keep_what_they_say() {
    let refused = json!({ "error": { "kind": "denied", "code": "acme.quota", "message": "no more buckets" } });
    let torn = json!({ "kind": "unavailable", "message": "torn", "retry": "with_backoff", "effect": "unknown" });
    let half = json!({ "outcome": { "object": { "partial": wire() }, "problems": [torn] } });
    let (resource, _) = bucket(&[], [refused, half]);
    let outcome = resource.create(&context(), planned()).await;
    let problem = outcome.problems.first().expect("a problem");
    assert_eq!((problem.kind(), problem.code()), (ErrorKind::Denied, "acme.quota"));
    assert_eq!(problem.effect_on_world(), Effect::None);
    let outcome = resource.create(&context(), planned()).await;
    assert_eq!(outcome.object, ObjectState::Partial(object()));
    let problem = outcome.problems.first().expect("a problem");
    assert_eq!((problem.code(), problem.effect_on_world()), ("host.failed", Effect::Unknown));
}

#[tokio::test]
async fn a_host_can_checkpoint() {
    let (resource, _) = bucket(&[], [json!("checkpoint")]);
    let sink = Arc::new(Sink::default());
    resource.create(&context().with_checkpoint(Arc::clone(&sink) as _), planned()).await;
    let seen = sink.0.lock().unwrap_or_else(PoisonError::into_inner);
    let partial = value(Value::null(Type::String));
    assert_eq!(*seen, [("b-7".to_owned(), Some(partial))]);
}

#[tokio::test]
async fn waiting_to_be_cancelled_ends_with_the_call() {
    let (resource, script) = bucket(&[], [json!("watch")]);
    let ctx = context();
    resource.read(&ctx, &object()).await.expect("an answer");
    let watcher = script.watchers.lock().unwrap_or_else(PoisonError::into_inner).pop().expect("one call");
    assert!(!watcher.cancelled().await);
    ctx.cancellation().cancel();
    assert!(watcher.cancelled().await && watcher.is_cancelled());
}

use super::bucket::{Bucket, config, context, planned, s, unknown};
use crate::{
    resource::{Object, PlanRequest, PlanResponse, Resource as _, typed::*},
    value::{Refinement, Type, Value},
};

async fn made(bucket: &Typed<Bucket>) -> Object {
    let outcome = bucket.create(&context(), planned(bucket, [("name", s("logs"))])).await;
    bucket.inner().calls();
    match outcome.object {
        crate::resource::ObjectState::Complete(object) => object,
        other => panic!("it was made: {other:?}"),
    }
}

async fn plan<const N: usize>(
    bucket: &Typed<Bucket>,
    prior: Option<&Object>,
    attributes: [(&str, Value); N],
) -> crate::Result<PlanResponse> {
    let config = config(bucket, attributes);
    let proposed = bucket.schema().planned_new(prior.map(|prior| &prior.attributes), &config);
    bucket.plan(&context(), PlanRequest { prior: prior.cloned(), config, proposed }).await
}

/// Returns region, url and revision as planned; `?` for what is not known.
fn shown(response: &PlanResponse) -> [String; 3] {
    ["region", "url", "revision"].map(|name| match response.planned.attribute(name) {
        Some(value) if value.is_known() => crate::value::repl(value),
        _ => "?".to_owned(),
    })
}

#[tokio::test]
async fn outputs_of_a_new_object_are_not_known() {
    let bucket = typed(Bucket::default());
    let response = plan(&bucket, None, [("name", s("logs"))]).await.expect("a plan");
    assert_eq!(shown(&response), ["?", "?", "?"]);
    let url = Value::unknown_with(Type::String, Refinement::not_null());
    assert_eq!(response.planned.attribute("url"), Some(&url));
    assert_eq!(response.planned.attribute("region"), Some(&unknown()), "an option may become null");
    assert_eq!(bucket.inner().calls(), ["plan new known change=true replaces=false"]);
    plan(&bucket, None, [("name", unknown())]).await.expect("a plan");
    assert_eq!(bucket.inner().calls(), ["plan new unknown change=true replaces=false"]);
}

#[tokio::test]
async fn nothing_new_changes_nothing() {
    let bucket = typed(Bucket::default());
    let object = made(&bucket).await;
    // A write-only value is there every time and says nothing about a change.
    let response = plan(&bucket, Some(&object), [("name", s("logs")), ("token", s("t"))]).await.expect("a plan");
    assert_eq!(shown(&response), [r#""eu""#, r#""https://logs""#, "1"]);
    assert_eq!(bucket.inner().calls(), ["plan old known change=false replaces=false"]);
}

#[tokio::test]
async fn an_update_keeps_what_is_stable() {
    let bucket = typed(Bucket::default());
    let object = made(&bucket).await;
    let versioned = || [("name", s("logs")), ("versioned", Value::bool(true))];
    let response = plan(&bucket, Some(&object), versioned()).await.expect("a plan");
    assert_eq!(shown(&response), ["?", r#""https://logs""#, "?"]);
    let configured = [("name", s("logs")), ("region", s("us"))];
    let response = plan(&bucket, Some(&object), configured).await.expect("a plan");
    assert_eq!(shown(&response), [r#""us""#, r#""https://logs""#, "?"], "what the template says is known");

    *bucket.inner().plan.lock().expect("no panics") =
        TypedPlan::new().keep("region").recompute("url").predict("revision", 2).private(*b"why");
    let response = plan(&bucket, Some(&object), versioned()).await.expect("a plan");
    assert_eq!(shown(&response), [r#""eu""#, "?", "2"]);
    assert_eq!(response.private.as_deref(), Some(b"why".as_slice()));
}

#[tokio::test]
async fn a_replacement_knows_nothing_of_the_old_object() {
    let bucket = typed(Bucket::default());
    let object = made(&bucket).await;
    let response = plan(&bucket, Some(&object), [("name", s("other"))]).await.expect("a plan");
    assert_eq!(shown(&response), ["?", "?", "?"]);
    assert_eq!(bucket.inner().calls(), ["plan old known change=true replaces=true"]);

    *bucket.inner().plan.lock().expect("no panics") = TypedPlan::new().replace("versioned");
    let response =
        plan(&bucket, Some(&object), [("name", s("logs")), ("versioned", Value::bool(true))]).await.expect("a plan");
    assert_eq!(shown(&response), ["?", "?", "?"]);
    assert_eq!(response.requires_replace.iter().map(ToString::to_string).collect::<Vec<_>>(), [".versioned"]);
}

#[tokio::test]
async fn plans_of_what_is_not_there_are_refused() {
    let bucket = typed(Bucket::default());
    for said in [TypedPlan::new().keep("size"), TypedPlan::new().predict("revision", "many")] {
        *bucket.inner().plan.lock().expect("no panics") = said;
        let error = plan(&bucket, None, [("name", s("logs"))]).await.expect_err("it is refused");
        assert_eq!(error.code(), "resource.inconsistent");
    }
}

//! An object of which nobody knows what became of it, and people who found out.

use std::sync::Arc;

use async_trait::async_trait;
use stackwright::{
    Result,
    error::{Effect, Error, ErrorKind},
    plan::{Action, Plan},
    resource::{Context, Evidence, Object, Outcome, Recovery, Resource, Traits},
    schema::{Attribute, Schema},
    stack::{ApplyOptions, Engine, PlanOptions, Settlement, Stack},
    state::{
        MemoryStore, RowStatus, RunStatus,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Options, Template},
    value::{Type, Value},
};

/// Makes a letter, says its id, and loses its reply; it cannot look anything up that it was not given the object of.
#[derive(Debug)]
struct Letter;

fn letter() -> Object {
    Object::new("letter", Value::object([("id", Value::string("letter"))]))
}

#[async_trait]
impl Resource for Letter {
    fn schema(&self) -> Arc<Schema> {
        Arc::new(Schema::new(0).attribute("id", Attribute::computed(Type::String)))
    }

    fn traits(&self) -> Traits {
        Traits { ready_at_once: true, ..Traits::default() }
    }

    async fn create(&self, ctx: &Context, _: Value) -> Outcome {
        match ctx.checkpoint("letter", None).await {
            Ok(()) => {
                let error = Error::new(ErrorKind::Unavailable, "post.lost", "the reply was lost");
                Outcome::failed(error.effect(Effect::Unknown))
            }
            Err(error) => Outcome::failed(error),
        }
    }

    async fn read(&self, _: &Context, _: &Object) -> Result<Option<Object>> {
        Ok(Some(letter()))
    }

    async fn update(&self, _: &Context, prior: &Object, _: Value) -> Outcome {
        Outcome::complete(prior.clone())
    }

    async fn delete(&self, _: &Context, _: &Object) -> Outcome {
        Outcome::gone()
    }

    async fn recover(&self, _: &Context, _: &Evidence) -> Result<Recovery> {
        Ok(Recovery::CannotTell { reason: "the post office is closed".to_owned() })
    }
}

async fn plan(stack: &Stack) -> Result<Plan> {
    let files = Files::from_texts([("main.tf", "resource \"test_letter\" \"a\" {}\n")]);
    let (template, problems) = Template::parse(&files, &Options::default());
    assert_eq!(problems, []);
    stack.plan(&template, PlanOptions::default()).await
}

#[tokio::test]
async fn what_people_found_out_is_what_the_next_plan_begins_with() {
    let cases = [
        // Nobody saw it work yet.
        (Settlement::Present, Some(RowStatus::Current), Action::Wait),
        (Settlement::Tainted, Some(RowStatus::Tainted), Action::Replace),
        (Settlement::Absent, None, Action::Create),
    ];
    for (settlement, status, action) in cases {
        let engine = Engine::builder()
            .store(MemoryStore::new())
            .cipher(AesGcmCipher::new(Key::generate().expect("random bytes")))
            .resource("test_letter", Letter)
            .build()
            .expect("an engine");
        let stack = engine.stack("acme", "post");
        let first = plan(&stack).await.expect("a plan");
        let run = stack.apply(first, ApplyOptions::default()).await.expect("a run");
        let report = run.finish().await.expect("a report");
        assert_eq!((report.status, &*report.problems[0].error.code), (RunStatus::Stuck, "resource.uncertain"));
        let rows = stack.state().await.expect("state").rows;
        let known: Vec<_> = rows.iter().map(|row| (row.status, row.remote_id.as_deref())).collect();
        assert_eq!(known, [(RowStatus::Uncertain, Some("letter"))]);
        assert_eq!(plan(&stack).await.expect_err("nobody knows").code(), "plan.uncertain");
        let address = "test_letter.a".parse().expect("an address");
        stack.settle(&address, settlement).await.expect("settled");
        let rows = stack.state().await.expect("state").rows;
        assert_eq!(rows.iter().map(|row| row.status).collect::<Vec<_>>(), Vec::from_iter(status), "{settlement:?}");
        let next = plan(&stack).await.expect("a plan");
        let actions: Vec<_> = next.changes.iter().map(|change| change.action).collect();
        assert_eq!(actions, [action], "{settlement:?}");
    }
}

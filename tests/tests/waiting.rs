//! An object that was made and did not become ready: the next run waits for it again and makes nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use stackwright::{
    Result,
    plan::{Action, Plan},
    resource::{Context, Object, Outcome, Readiness, Resource, Traits},
    run::RunReport,
    schema::{Attribute, Schema},
    stack::{ApplyOptions, Engine, PlanOptions, Stack},
    state::{
        MemoryStore, RunStatus,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Options, Template},
    value::{Type, Value},
};

/// A door that works once somebody opens it; nobody waits long for it.
#[derive(Debug, Default)]
struct Door {
    is_open: AtomicBool,
    made_count: AtomicU32,
    asked_count: AtomicU32,
}

#[derive(Debug)]
struct DoorType(Arc<Door>);

#[async_trait]
impl Resource for DoorType {
    fn schema(&self) -> Arc<Schema> {
        let schema = Schema::new(0).attribute("name", Attribute::optional(Type::String));
        Arc::new(schema.attribute("id", Attribute::computed(Type::String)))
    }

    fn traits(&self) -> Traits {
        Traits { ready_timeout: Duration::ZERO, ..Traits::default() }
    }

    async fn create(&self, _: &Context, planned: Value) -> Outcome {
        self.0.made_count.fetch_add(1, Ordering::SeqCst);
        let name = planned.attribute("name").cloned().unwrap_or_else(|| Value::null(Type::String));
        Outcome::complete(Object::new("door", Value::object([("id", Value::string("door")), ("name", name)])))
    }

    async fn read(&self, _: &Context, object: &Object) -> Result<Option<Object>> {
        Ok(Some(object.clone()))
    }

    async fn update(&self, _: &Context, prior: &Object, _: Value) -> Outcome {
        Outcome::complete(prior.clone())
    }

    async fn delete(&self, _: &Context, _: &Object) -> Outcome {
        Outcome::gone()
    }

    async fn ready(&self, _: &Context, object: &Object) -> Result<Readiness> {
        self.0.asked_count.fetch_add(1, Ordering::SeqCst);
        Ok(match self.0.is_open.load(Ordering::SeqCst) {
            true => Readiness::Ready(object.clone()),
            false => Readiness::NotYet { reason: "nobody opened it".to_owned() },
        })
    }
}

const TEMPLATE: &str = "resource \"test_door\" \"a\" {}\nresource \"test_door\" \"b\" {\n name = test_door.a.id\n}\n";

async fn plan(stack: &Stack) -> Plan {
    let (template, problems) = Template::parse(&Files::from_texts([("main.tf", TEMPLATE)]), &Options::default());
    assert_eq!(problems, []);
    stack.plan(&template, PlanOptions::default()).await.expect("a plan")
}

async fn apply(stack: &Stack, plan: Plan) -> RunReport {
    stack.apply(plan, ApplyOptions::default()).await.expect("a run").finish().await.expect("a report")
}

fn actions(plan: &Plan) -> Vec<Action> {
    plan.changes.iter().map(|change| change.action).collect()
}

#[tokio::test]
async fn the_next_run_waits_again() {
    let door = Arc::new(Door::default());
    let engine = Engine::builder()
        .store(MemoryStore::new())
        .cipher(AesGcmCipher::new(Key::generate().expect("random bytes")))
        .resource("test_door", DoorType(Arc::clone(&door)))
        .build()
        .expect("an engine");
    let stack = engine.stack("acme", "shop");
    let first = plan(&stack).await;
    assert_eq!(actions(&first), [Action::Create, Action::Create]);
    let report = apply(&stack, first).await;
    assert_eq!((report.status, &*report.problems[0].error.code), (RunStatus::Failed, "resource.not_ready"));
    // Still closed: the run fails the same way, and nothing is made.
    let second = plan(&stack).await;
    assert_eq!(actions(&second), [Action::Wait, Action::Create]);
    assert!(!second.is_empty());
    let report = apply(&stack, second).await;
    assert_eq!((report.status, &*report.problems[0].error.code), (RunStatus::Failed, "resource.not_ready"));
    assert_eq!(door.made_count.load(Ordering::SeqCst), 1);
    // Somebody opens it: whoever uses it is made now.
    door.is_open.store(true, Ordering::SeqCst);
    let third = plan(&stack).await;
    assert_eq!(actions(&third), [Action::Wait, Action::Create]);
    assert_eq!(apply(&stack, third).await.status, RunStatus::Succeeded);
    assert_eq!(door.made_count.load(Ordering::SeqCst), 2);
    let asked = door.asked_count.load(Ordering::SeqCst);
    let last = plan(&stack).await;
    assert!(last.is_empty() && actions(&last) == [Action::NoOp, Action::NoOp], "{last}");
    assert_eq!(door.asked_count.load(Ordering::SeqCst), asked);
}

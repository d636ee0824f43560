//! Many runs of many tenants with few turns between them.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use stackwright::{
    Result,
    plan::Plan,
    resource::{Context, Object, Outcome, Resource},
    run::{Fact, Fair},
    schema::{Attribute, Schema},
    stack::{ApplyOptions, Engine, PlanOptions, Run, Stack},
    state::{
        MemoryStore, RunStatus,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Template},
    value::{Type, Value},
};
use tokio::sync::Semaphore;

/// A type whose calls end when the test says so.
#[derive(Clone, Debug)]
struct Gated {
    /// Each call that ends takes one.
    gate: Arc<Semaphore>,
    /// Whose calls were made, in order.
    log: Arc<Mutex<Vec<String>>>,
    /// Calls under way, and the most that ever were.
    now: Arc<[AtomicUsize; 2]>,
}

impl Gated {
    async fn pass(&self, ctx: &Context) {
        self.log.lock().expect("not poisoned").push(ctx.info().tenant.to_string());
        let count = self.now[0].fetch_add(1, Ordering::SeqCst) + 1;
        self.now[1].fetch_max(count, Ordering::SeqCst);
        self.gate.acquire().await.expect("open").forget();
        self.now[0].fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Resource for Gated {
    fn schema(&self) -> Arc<Schema> {
        let schema = Schema::new(0)
            .attribute("id", Attribute::computed(Type::String))
            .attribute("after", Attribute::optional(Type::String));
        Arc::new(schema)
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        self.pass(ctx).await;
        let id = ctx.idempotency_key();
        let after = planned.attribute("after").cloned().expect("the schema has it");
        Outcome::complete(Object::new(id.clone(), Value::object([("id", Value::string(id)), ("after", after)])))
    }

    async fn read(&self, ctx: &Context, object: &Object) -> Result<Option<Object>> {
        self.pass(ctx).await;
        Ok(Some(object.clone()))
    }

    async fn update(&self, ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        self.pass(ctx).await;
        Outcome::complete(Object::new(prior.id.clone(), planned))
    }

    async fn delete(&self, ctx: &Context, _: &Object) -> Outcome {
        self.pass(ctx).await;
        Outcome::gone()
    }
}

struct Host {
    engine: Engine,
    fair: Fair,
    type_: Gated,
}

fn host(slots: usize) -> Host {
    let fair = Fair::new(slots);
    let type_ = Gated { gate: Arc::new(Semaphore::new(0)), log: Arc::default(), now: Arc::default() };
    let engine = Engine::builder()
        .store(MemoryStore::new())
        .cipher(AesGcmCipher::new(Key::from_bytes(b"a key for tests: 32 known bytes!").expect("32 bytes")))
        .resource("gated", type_.clone())
        .fair(fair.clone())
        .build()
        .expect("an engine");
    Host { engine, fair, type_ }
}

/// `count` things, which wait for nothing.
fn template(count: usize) -> Template {
    let text = format!("resource \"gated\" \"a\" {{\n  count = {count}\n}}\n");
    Template::parse(&Files::from_texts([("main.tf", text.as_str())]), &Default::default()).0
}

async fn plan(stack: &Stack, count: usize) -> Plan {
    stack.plan(&template(count), PlanOptions::default()).await.expect("a plan")
}

async fn begin(stack: &Stack, count: usize) -> Run {
    stack.apply(plan(stack, count).await, ApplyOptions::default()).await.expect("begins")
}

impl Host {
    /// Waits until so many have a turn and so many wait.
    async fn until(&self, held: usize, waiting: usize) {
        while (self.fair.held_count(), self.fair.waiting_count()) != (held, waiting)
            || self.type_.now[0].load(Ordering::SeqCst) != held
        {
            tokio::task::yield_now().await;
        }
    }

    fn log(&self) -> Vec<String> {
        self.type_.log.lock().expect("not poisoned").clone()
    }
}

fn started(journal: &[stackwright::run::Entry]) -> usize {
    journal.iter().filter(|entry| matches!(entry.fact, Fact::Started { .. })).count()
}

#[tokio::test]
async fn three_calls_do_not_wait_for_thirty() {
    let host = host(1);
    let (big, small) = (host.engine.stack("big", "one"), host.engine.stack("small", "two"));
    let many = begin(&big, 30).await;
    host.until(1, 29).await;
    let few = begin(&small, 3).await;
    host.until(1, 32).await;
    // Who waits has begun nothing.
    assert_eq!(started(&small.journal(few.id()).await.expect("a journal")), 0);
    assert_eq!(started(&big.journal(many.id()).await.expect("a journal")), 1);
    host.type_.gate.add_permits(33);
    assert_eq!(few.finish().await.expect("ends").status, RunStatus::Succeeded);
    assert_eq!(many.finish().await.expect("ends").status, RunStatus::Succeeded);
    let log = host.log();
    let places: Vec<usize> =
        log.iter().enumerate().filter(|(_, who)| *who == "small").map(|(place, _)| place).collect();
    // The first call of the big tenant was under way, and its second was next when the other came.
    assert_eq!((log.len(), places), (33, vec![2, 4, 6]));
    assert_eq!(host.type_.now[1].load(Ordering::SeqCst), 1);
    assert_eq!((host.fair.held_count(), host.fair.waiting_count()), (0, 0));
}

#[tokio::test]
async fn stopping_ends_the_wait_before_anything_began() {
    let host = host(2);
    let (big, small) = (host.engine.stack("big", "one"), host.engine.stack("small", "two"));
    let many = begin(&big, 5).await;
    host.until(2, 3).await;
    let few = begin(&small, 3).await;
    host.until(2, 6).await;
    few.canceller().cancel();
    let id = few.id();
    let report = few.finish().await.expect("ends although no turn was free");
    assert_eq!((report.status, report.done_count), (RunStatus::Cancelled, 0));
    assert_eq!(started(&small.journal(id).await.expect("a journal")), 0);
    host.until(2, 3).await;
    host.type_.gate.add_permits(5);
    assert_eq!(many.finish().await.expect("ends").status, RunStatus::Succeeded);
    assert_eq!(host.type_.now[1].load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn planning_looks_when_it_is_its_turn() {
    let host = host(1);
    let (big, small) = (host.engine.stack("big", "one"), host.engine.stack("small", "two"));
    host.type_.gate.add_permits(2);
    assert_eq!(begin(&small, 2).await.finish().await.expect("ends").status, RunStatus::Succeeded);
    let many = begin(&big, 2).await;
    host.until(1, 1).await;
    {
        let dropped = plan(&small, 2);
        tokio::pin!(dropped);
        tokio::select! {
            biased;
            _ = &mut dropped => panic!("no turn is free"),
            () = host.until(1, 3) => {}
        }
    }
    host.until(1, 1).await;
    host.type_.gate.add_permits(4);
    assert!(plan(&small, 2).await.is_empty());
    assert_eq!(many.finish().await.expect("ends").status, RunStatus::Succeeded);
    assert_eq!(host.type_.now[1].load(Ordering::SeqCst), 1);
}

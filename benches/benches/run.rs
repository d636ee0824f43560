//! What the driver itself costs: creates that take no time, independent and in one chain, in memory and in SQLite.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stackwright::{
    error::Result,
    event::{Bus, Clock, SystemClock},
    plan::{Action, Change, ChangeIdx, Inputs, Level, Mode, Need, Plan, Reason, Step, StepAction, StepConfig, StepId},
    resource::{Context, Object, Outcome, Registry, Resource},
    run::{Driver, DriverParts, KnownFinalizer, Options},
    schema::{Attribute, Schema},
    state::{Lineage, MemoryStore, ObjectId, RunId, RunStatus, StackKey, Store, testing::fixed_sealer},
    value::{Type, Value},
};
use stackwright_store_sqlite::SqliteStore;

/// A type whose objects cost nothing.
#[derive(Debug)]
struct Nothing;

#[async_trait]
impl Resource for Nothing {
    fn schema(&self) -> Arc<Schema> {
        Arc::new(
            Schema::new(1)
                .attribute("name", Attribute::required(Type::String))
                .attribute("size", Attribute::optional(Type::Number))
                .attribute("id", Attribute::computed(Type::String)),
        )
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        let id = ctx.idempotency_key();
        let entries = planned.entries().map(|(name, value)| {
            (Arc::clone(name), if &**name == "id" { Value::string(id.as_str()) } else { value.clone() })
        });
        let attributes = Value::object(entries);
        Outcome::complete(Object::new(id, attributes))
    }

    async fn read(&self, _: &Context, object: &Object) -> Result<Option<Object>> {
        Ok(Some(object.clone()))
    }

    async fn update(&self, _: &Context, prior: &Object, planned: Value) -> Outcome {
        Outcome::complete(Object::new(&prior.id, planned))
    }

    async fn delete(&self, _: &Context, _: &Object) -> Outcome {
        Outcome::gone()
    }
}

fn stack() -> StackKey {
    StackKey::new("acme", "shop")
}

fn plan(count: u32, chained: bool) -> Plan {
    let instance = |idx: u32| format!("none_thing.a[{idx}]").parse().expect("an address");
    let object = |id: Value| {
        Value::object([("name", Value::string("a name of some length")), ("size", Value::number(3)), ("id", id)])
    };
    let object_id = |idx: u32| ObjectId::from_u128(u128::from(idx) + 1);
    let needs = |idx: u32| match idx.checked_sub(1).filter(|_| chained) {
        Some(before) => vec![Need { step: StepId(before), level: Level::Ready }],
        None => Vec::new(),
    };
    let change = |idx: u32| Change {
        address: instance(idx),
        previous_address: None,
        type_name: "none_thing".into(),
        provider: "".into(),
        action: Action::Create,
        reasons: vec![Reason::NotInState],
        before: None,
        after: None,
        replace_paths: Vec::new(),
        prior_object: None,
        object: Some(object_id(idx)),
        deposed: false,
        importing: None,
    };
    let step = |idx: u32| Step {
        id: StepId(idx),
        change: ChangeIdx(idx),
        action: StepAction::Create,
        address: instance(idx),
        object_id: Some(object_id(idx)),
        prior: None,
        config: StepConfig::Known(object(Value::null(Type::String))),
        planned: Some(object(Value::unknown(Type::String))),
        planned_private: None,
        needs: needs(idx),
        joins: Vec::new(),
        dependencies: needs(idx).iter().map(|need| object_id(need.step.0)).collect(),
        wholes: Vec::new(),
        create_before_destroy: false,
        prevent_destroy: false,
        has_conditions: false,
        cost: 1,
    };
    Plan {
        stack: stack(),
        lineage: None,
        mode: Mode::Normal,
        targets: Vec::new(),
        changes: (0..count).map(change).collect(),
        steps: (0..count).map(step).collect(),
        joins: Vec::new(),
        row_updates: Vec::new(),
        base: Vec::new(),
        outputs: BTreeMap::new(),
        checks: Vec::new(),
        drift: Vec::new(),
        reads: Vec::new(),
        provider_configs: BTreeMap::new(),
        inputs: Inputs::default(),
        warnings: Vec::new(),
    }
}

async fn apply(store: Arc<dyn Store>, plan: Arc<Plan>) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let ttl = Duration::from_secs(30);
    let lease = store.acquire(&stack(), "bench", clock.now(), ttl).await.expect("nobody else is here");
    let mut registry = Registry::new();
    registry.add_resource("none_thing", "1", Arc::new(Nothing)).expect("a good type");
    let parts = DriverParts {
        store,
        lease,
        lease_ttl: ttl,
        sealer: fixed_sealer(stack()),
        lineage: Lineage::from_u128(1),
        finalizer: Box::new(KnownFinalizer::new(Arc::clone(&plan))),
        plan,
        rows: Vec::new(),
        seller: None,
        orders: Vec::new(),
        calls: Arc::new(registry),
        bus: Bus::new(Arc::clone(&clock)),
        clock,
        options: Options::default(),
    };
    let handle = Driver::start(parts, RunId::mint(), Arc::from(&b"the plan"[..])).await.expect("it begins");
    assert_eq!(handle.finish().await.expect("it ends").status, RunStatus::Succeeded);
}

fn bench(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut group = criterion.benchmark_group("run");
    group.sample_size(10);
    for (shape, chained, counts) in [("independent", false, [1_000, 10_000]), ("chain", true, [100, 1_000])] {
        for count in counts {
            let plan = Arc::new(plan(count, chained));
            group.throughput(Throughput::Elements(u64::from(count)));
            group.bench_with_input(BenchmarkId::new(format!("memory/{shape}"), count), &plan, |bencher, plan| {
                bencher.iter(|| runtime.block_on(apply(Arc::new(MemoryStore::new()), Arc::clone(plan))));
            });
            let folder = tempfile::tempdir().expect("a folder");
            let mut number = 0;
            group.bench_with_input(BenchmarkId::new(format!("sqlite/{shape}"), count), &plan, |bencher, plan| {
                let new_file = || {
                    number += 1;
                    let path = folder.path().join(format!("{number}.db"));
                    runtime.block_on(SqliteStore::open(path)).expect("it opens")
                };
                let run = |store| runtime.block_on(apply(Arc::new(store), Arc::clone(plan)));
                bencher.iter_batched(new_file, run, BatchSize::PerIteration);
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);

//! What tenants may use, amid runs that fail, crash, race and are edited around: never above a hard limit, never counted as less
//! than what exists, and all given back in the end.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::join_all;
use proptest::prelude::*;
use stackwright::{
    Error, ErrorKind, Result,
    event::{Clock, Event, SystemClock, Timestamp},
    plan::{Mode, Plan},
    run::{OnFailure, RunReport},
    stack::{ApplyOptions, Engine, Import, PlanOptions, Stack},
    state::{
        Amount, MemoryStore, RunStatus, Store,
        cipher::{AesGcmCipher, Key},
        testing::{Faults, FaultyStore, Verdict, WriteKind},
    },
    template::{Files, Options, Template},
    tenant::{FixedQuotas, Limit, Quotas, Standing},
};
use stackwright_tests::thing::{Thing, World};

#[path = "quotas/fog.rs"]
mod fog;

/// Time as the machine has it, and later by as much as a test says.
#[derive(Clone, Debug, Default)]
struct Later(SystemClock, Arc<AtomicU64>);

impl Later {
    /// Lets every lease run out.
    fn pass(&self) {
        self.1.fetch_add(120, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for Later {
    fn now(&self) -> Timestamp {
        self.0.now().plus(Duration::from_secs(self.1.load(Ordering::SeqCst)))
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic() + Duration::from_secs(self.1.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration.min(Duration::from_millis(2))).await;
    }
}

/// A world and a disk, which outlive hosts.
#[derive(Clone, Debug, Default)]
struct Stage {
    world: Arc<World>,
    disk: Arc<MemoryStore>,
    clock: Later,
}

impl Stage {
    fn host(&self, store: Arc<dyn Store>, quotas: Option<FixedQuotas>) -> Engine {
        let key = Key::from_bytes(b"a key for tests: 32 known bytes!").expect("the text has 32 bytes");
        let engine = Engine::builder()
            .shared_store(store)
            .cipher(AesGcmCipher::new(key))
            .clock(Arc::new(self.clock.clone()))
            .resource("thing", Thing { world: Arc::clone(&self.world) });
        let engine = match quotas {
            Some(quotas) => engine.quotas(quotas),
            None => engine,
        };
        engine.build().expect("an engine")
    }

    fn engine(&self, limits: &[Limit]) -> Engine {
        self.host(self.disk.clone(), Some(FixedQuotas::new(limits.iter().cloned())))
    }

    fn stack(&self, limits: &[Limit], name: &str) -> Stack {
        self.engine(limits).stack("acme", name)
    }

    /// What the tenant's ledger says, by dimension: used and reserved.
    async fn uses(&self) -> BTreeMap<String, (Amount, Amount)> {
        let uses = self.engine(&[]).tenant("acme").quotas().await.expect("quotas");
        uses.into_iter().map(|one| (one.dimension.to_string(), (one.used, one.reserved))).collect()
    }

    /// Checks that at least as much counts as there is.
    async fn check_enough(&self, what: &str) {
        let uses = self.uses().await;
        let (count, size) = self.world.extent();
        let counted = |dimension: &str| match uses.get(dimension).copied().unwrap_or((Amount::NONE, Amount::NONE)) {
            (Amount::Known(used), Amount::Known(reserved)) => used + reserved,
            _ => u64::MAX,
        };
        for (dimension, real) in [("resources", count), ("resources.thing", count), ("size", size)] {
            assert!(counted(dimension) >= real, "{what}: {dimension} counts as {} of {real}", counted(dimension));
        }
    }

    /// Checks that exactly as much counts as there is, and nothing is reserved.
    async fn check_exact(&self, stacks: u64, what: &str) {
        let (count, size) = self.world.extent();
        let real = [("resources", count), ("resources.thing", count), ("size", size), ("stacks", stacks)];
        let real = real.into_iter().filter(|(_, real)| *real > 0);
        let real: BTreeMap<String, (Amount, Amount)> =
            real.map(|(dimension, real)| (dimension.to_owned(), (Amount::Known(real), Amount::NONE))).collect();
        assert_eq!(self.uses().await, real, "{what}");
    }

    /// How many entries there are in the tenant's quota ledgers.
    async fn entries(&self) -> Vec<usize> {
        let keys = self.disk.list_ledgers(Some("acme"), "quota").await.expect("ledgers");
        let sizes = keys.iter().map(async |key| self.disk.load_ledger(key, 0).await.expect("a ledger").len());
        join_all(sizes).await
    }
}

fn template(text: &str) -> Template {
    let (template, problems) = Template::parse(&Files::from_texts([("main.tf", text)]), &Options::default());
    assert!(problems.is_empty(), "{problems:?}");
    template
}

/// Things of one size; the last of them as `more` says.
fn things(count: u64, size: u64, more: &str) -> Template {
    template(&format!(
        "resource \"thing\" \"all\" {{\n  count = {count}\n  name = \"n${{count.index}}\"\n  size = {size}\n{more}\n}}\n"
    ))
}

/// A fault that only the thing of this number has.
fn fault_at(number: u64, fault: &str) -> String {
    format!("  fault = count.index == {number} ? \"{fault}\" : null")
}

async fn plan(stack: &Stack, template: &Template) -> Plan {
    stack.plan(template, PlanOptions::default()).await.expect("a plan")
}

async fn apply_with(stack: &Stack, template: &Template, on_failure: OnFailure) -> Result<RunReport> {
    let plan = stack.plan(template, PlanOptions::default()).await?;
    let options = ApplyOptions { on_failure, ..ApplyOptions::default() };
    Box::pin(stack.apply(plan, options)).await?.finish().await
}

async fn apply(stack: &Stack, template: &Template) -> Result<RunReport> {
    apply_with(stack, template, OnFailure::Stop).await
}

async fn destroy(stack: &Stack) -> Result<RunReport> {
    let plan = stack.plan(&template(""), PlanOptions::default().mode(Mode::Destroy)).await?;
    Box::pin(stack.apply(plan, ApplyOptions::default())).await?.finish().await
}

fn succeeded(report: Result<RunReport>) -> RunReport {
    let report = report.expect("a report");
    assert_eq!(report.status, RunStatus::Succeeded, "{:?}", report.problems);
    report
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.expect_err("refused").code().to_owned()
}

#[tokio::test]
async fn what_is_made_counts_and_what_goes_is_given_back() {
    let stage = Stage::default();
    let limits = [Limit::hard("resources", 5), Limit::hard("size", 12), Limit::soft("stacks", 1)];
    let (shop, blog) = (stage.stack(&limits, "shop"), stage.stack(&limits, "blog"));
    succeeded(apply(&shop, &things(3, 2, "")).await);
    stage.check_exact(1, "made").await;
    succeeded(apply(&blog, &things(2, 3, "")).await);
    stage.check_exact(2, "both").await;
    assert_eq!(code(apply(&blog, &things(2, 4, "")).await), "quota.exceeded");
    succeeded(apply(&shop, &things(2, 2, "")).await);
    succeeded(apply(&blog, &things(3, 2, "")).await);
    stage.check_exact(2, "changed").await;
    succeeded(destroy(&shop).await);
    succeeded(destroy(&blog).await);
    stage.check_exact(0, "all gone").await;
    blog.forget().await.expect("forgotten");
    stage.check_exact(0, "forgotten").await;
    let uses = stage.engine(&limits).tenant("acme").quotas().await.expect("quotas");
    let uses: Vec<_> = uses.iter().map(|one| (&*one.dimension, one.hard, one.soft)).collect();
    assert_eq!(uses, [("resources", Some(5), None), ("size", Some(12), None), ("stacks", None, Some(1))]);
}

#[tokio::test]
async fn what_has_no_room_is_refused_with_everything_that_stands_in_the_way() {
    let stage = Stage::default();
    let limits = [
        Limit::hard("resources.thing", 2).warning_at(1),
        Limit::hard("resources", 9).warning_at(2),
        Limit::hard("size", 3),
        Limit::hard("gpu", 0),
    ];
    let shop = stage.stack(&limits, "shop");
    let wanted = plan(&shop, &things(3, 2, "")).await;
    let check = shop.quota_check(&wanted).await.expect("a check");
    let standings: Vec<_> = check.lines.iter().map(|line| (&*line.dimension, line.standing)).collect();
    let expected = [
        ("gpu", Standing::Within),
        ("resources", Standing::BeyondSoft),
        ("resources.thing", Standing::BeyondHard),
        ("size", Standing::BeyondHard),
        ("stacks", Standing::Within),
    ];
    assert_eq!(standings, expected);
    assert_eq!(check.warnings().len(), 1);
    let error = shop.apply(wanted, ApplyOptions::default()).await.expect_err("there is no room");
    assert_eq!((error.code(), error.kind()), ("quota.exceeded", ErrorKind::Denied));
    let messages: Vec<&str> = error.diagnostics().iter().map(|problem| problem.message.as_str()).collect();
    let wants = |amount: u64| format!("(thing.all[0]: {amount}, thing.all[1]: {amount}, thing.all[2]: {amount})");
    assert_eq!(
        messages,
        [
            format!(
                "`resources.thing`: 0 used, 0 reserved by other runs, 3 more wanted {}; at most 2, better not more than 1",
                wants(1)
            ),
            format!("`size`: 0 used, 0 reserved by other runs, 6 more wanted {}; at most 3", wants(2)),
        ]
    );
    assert!(messages.iter().all(|message| error.to_string().contains(message)));
    assert!(stage.world.things().is_empty() && shop.runs(9).await.expect("runs").is_empty());
    assert_eq!(shop.lease().await.expect("an answer"), None);
    assert!(stage.entries().await.is_empty());
    // What fits is warned about.
    let mut run = shop.apply(plan(&shop, &things(2, 1, "")).await, ApplyOptions::default()).await.expect("a run");
    let mut warned = Vec::new();
    while let Some(recorded) = run.next_event().await {
        if let Event::Problem { diagnostic } = recorded.event {
            warned.push((diagnostic.code.to_string(), diagnostic.is_error()));
        }
    }
    assert_eq!(warned, [("quota.soft".to_owned(), false)]);
    succeeded(run.finish().await);
    // What takes away is never refused, whatever the limits have become.
    let tight = stage.stack(&[Limit::hard("resources", 0), Limit::hard("size", 0)], "shop");
    succeeded(apply(&tight, &things(1, 1, "")).await);
    assert_eq!(code(apply(&tight, &things(1, 2, "")).await), "quota.exceeded");
    succeeded(destroy(&tight).await);
}

#[tokio::test]
async fn what_is_not_known_yet_is_not_taken_for_nothing() {
    let stage = Stage::default();
    let text = "resource \"thing\" \"a\" {\n  name = \"a\"\n  size = 2\n}\n\
                resource \"thing\" \"b\" {\n  name = \"b\"\n  size = length(thing.a.id)\n}\n";
    let shop = stage.stack(&[Limit::hard("size", 100)], "shop");
    let error = apply(&shop, &template(text)).await.expect_err("nobody can say");
    assert_eq!((error.code(), error.kind()), ("quota.unknown", ErrorKind::InvalidInput));
    assert!(error.to_string().contains("thing.b: an unknown amount"), "{error}");
    assert!(stage.world.things().is_empty());
    // The way out that the message names.
    let only = PlanOptions { targets: vec!["thing.a".parse().expect("a target")], ..PlanOptions::default() };
    let first = shop.plan(&template(text), only).await.expect("a plan");
    succeeded(shop.apply(first, ApplyOptions::default()).await.expect("a run").finish().await);
    succeeded(apply(&shop, &template(text)).await);
    stage.check_exact(1, "in two steps").await;
    // Where it is not limited, it is found out in the end.
    let free = Stage::default();
    succeeded(
        apply(&free.stack(&[Limit::hard("resources", 2), Limit::soft("size", 1)], "shop"), &template(text)).await,
    );
    free.check_exact(1, "in one step").await;
}

/// Says nothing at all.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl Quotas for Silent {
    async fn limits(&self, _: &str) -> Result<Vec<Limit>> {
        Err(Error::new(ErrorKind::Unavailable, "host.failed", "the accounts are not to be reached"))
    }
}

#[tokio::test]
async fn while_nobody_can_say_the_limits_nothing_is_added() {
    let stage = Stage::default();
    succeeded(apply(&stage.stack(&[], "shop"), &things(2, 1, "")).await);
    let engine = Engine::builder().shared_store(stage.disk.clone()).quotas(Silent);
    let key = Key::from_bytes(b"a key for tests: 32 known bytes!").expect("the text has 32 bytes");
    let engine = engine.cipher(AesGcmCipher::new(key)).resource("thing", Thing { world: Arc::clone(&stage.world) });
    let shop = engine.build().expect("an engine").stack("acme", "shop");
    assert_eq!(code(apply(&shop, &things(3, 1, "")).await), "host.failed");
    succeeded(apply(&shop, &things(1, 1, "")).await);
    succeeded(destroy(&shop).await);
    stage.check_exact(0, "gone").await;
}

#[tokio::test]
async fn an_engine_without_quotas_writes_nothing_and_what_it_did_is_counted_later() {
    let stage = Stage::default();
    let plain = stage.host(stage.disk.clone(), None).stack("acme", "old");
    succeeded(apply(&plain, &things(3, 2, "")).await);
    assert!(stage.entries().await.is_empty());
    assert!(plain.quota_check(&plan(&plain, &things(9, 9, "")).await).await.expect("a check").lines.is_empty());
    assert!(plain.engine().tenant("acme").quotas().await.expect("nothing").is_empty());
    stage.check_exact(1, "found when asked").await;
    let limits = [Limit::hard("resources", 4)];
    let shop = stage.stack(&limits, "shop");
    assert_eq!(code(apply(&shop, &things(2, 1, "")).await), "quota.exceeded");
    succeeded(apply(&shop, &things(1, 1, "")).await);
    // Once more behind the ledger's back.
    succeeded(apply(&plain, &things(1, 2, "")).await);
    succeeded(apply(&shop, &things(3, 1, "")).await);
    stage.check_exact(2, "found again").await;
    assert_eq!(code(apply(&shop, &things(4, 1, "")).await), "quota.exceeded");
}

#[tokio::test]
async fn what_is_replaced_counts_twice_only_where_both_are_there() {
    let stage = Stage::default();
    let limits = [Limit::hard("resources", 2), Limit::hard("size", 4)];
    let shop = stage.stack(&limits, "shop");
    let named = |name: &str, size: u64, first: bool| {
        template(&format!(
            "resource \"thing\" \"all\" {{\n  count = 2\n  name = \"{name}${{count.index}}\"\n  size = {size}\n  lifecycle {{\n    \
             create_before_destroy = {first}\n  }}\n}}\n"
        ))
    };
    succeeded(apply(&shop, &named("a", 2, false)).await);
    succeeded(apply(&shop, &named("b", 2, false)).await);
    let error = apply(&shop, &named("c", 2, true)).await.expect_err("both would be there");
    assert_eq!((error.code(), error.diagnostics().len()), ("quota.exceeded", 2));
    assert_eq!(stage.world.peak(), (2, 4));
    let roomy = stage.stack(&[Limit::hard("resources", 4), Limit::hard("size", 6)], "shop");
    succeeded(apply(&roomy, &named("c", 1, true)).await);
    stage.check_exact(1, "replaced").await;
}

#[tokio::test]
async fn a_run_that_fails_gives_back_what_it_did_not_make() {
    let refused = fault_at(2, "refuse create");
    let half = fault_at(2, "half create");
    for (more, on_failure) in [
        (&refused, OnFailure::Stop),
        (&refused, OnFailure::Continue),
        (&refused, OnFailure::Rollback),
        (&half, OnFailure::Stop),
        (&half, OnFailure::Rollback),
    ] {
        let stage = Stage::default();
        let limits = [Limit::hard("resources", 3), Limit::hard("size", 6)];
        let shop = stage.stack(&limits, "shop");
        succeeded(apply(&shop, &things(1, 1, "")).await);
        let report = apply_with(&shop, &things(3, 2, more), on_failure).await.expect("a report");
        let what = format!("{more} {on_failure:?}");
        assert_eq!(report.status, RunStatus::Failed, "{what}");
        stage.check_exact(1, &what).await;
        assert!(stage.world.peak() <= (3, 6), "{what}");
        succeeded(apply(&shop, &things(3, 2, "")).await);
        stage.check_exact(1, &what).await;
    }
}

#[tokio::test]
async fn a_run_that_is_cancelled_gives_back_what_it_did_not_make() {
    let stage = Stage::default();
    let shop = stage.stack(&[Limit::hard("resources", 8)], "shop");
    let options = ApplyOptions { parallelism: 1, ..ApplyOptions::default() };
    let mut run = shop.apply(plan(&shop, &things(8, 1, "")).await, options).await.expect("a run");
    let canceller = run.canceller();
    while let Some(recorded) = run.next_event().await {
        if matches!(recorded.event, Event::StepStarted { .. }) {
            canceller.cancel();
        }
    }
    assert_eq!(run.finish().await.expect("a report").status, RunStatus::Cancelled);
    assert!(stage.world.extent().0 < 8);
    stage.check_exact(1, "cancelled").await;
}

#[tokio::test]
async fn edits_of_state_and_imports_are_counted() {
    let stage = Stage::default();
    let limits = [Limit::hard("resources", 3)];
    let shop = stage.stack(&limits, "shop");
    succeeded(apply(&shop, &things(3, 1, "")).await);
    let address = |text: &str| text.parse().expect("an address");
    shop.move_address(&address("thing.all[2]"), &address("thing.other")).await.expect("moved");
    stage.check_exact(1, "moved").await;
    let ids: Vec<String> = stage.world.things().into_keys().collect();
    shop.forget_rows(&"thing.other".parse().expect("a target")).await.expect("forgotten");
    let resources = |uses: BTreeMap<String, (Amount, Amount)>| uses["resources"];
    assert_eq!(resources(stage.uses().await), (Amount::Known(2), Amount::NONE), "nobody manages it any more");
    // What is taken in counts like what is made.
    let both = template(
        "resource \"thing\" \"all\" {\n  count = 2\n  name = \"n${count.index}\"\n  size = 1\n}\n\
         resource \"thing\" \"mine\" {\n  name = \"n2\"\n  size = 1\n}\n",
    );
    let imports = vec![Import { address: address("thing.mine"), id: ids[2].clone() }];
    let adopt = PlanOptions { imports, ..PlanOptions::default() };
    let adopting = shop.plan(&both, adopt.clone()).await.expect("a plan");
    let tight = stage.stack(&[Limit::hard("resources", 2)], "shop");
    assert_eq!(code(tight.apply(adopting.clone(), ApplyOptions::default()).await), "quota.exceeded");
    succeeded(shop.apply(adopting, ApplyOptions::default()).await.expect("a run").finish().await);
    stage.check_exact(1, "adopted").await;
}

#[tokio::test]
async fn no_tenant_sees_or_hinders_another() {
    let stage = Stage::default();
    let quotas = FixedQuotas::new([Limit::hard("resources", 2)]).tenant("rich", [Limit::hard("resources", 9)]);
    let engine = stage.host(stage.disk.clone(), Some(quotas));
    for (tenant, fits, beyond) in [("acme", 2, 3), ("mallory", 2, 3), ("rich", 9, 10), ("acme/shop", 2, 3)] {
        let stack = engine.tenant(tenant).stack("shop");
        assert_eq!(code(apply(&stack, &things(beyond, 1, "")).await), "quota.exceeded", "{tenant}");
        succeeded(apply(&stack, &things(fits, 1, "")).await);
        let uses = engine.tenant(tenant).quotas().await.expect("quotas");
        let resources = uses.iter().find(|one| &*one.dimension == "resources").expect("counted");
        assert_eq!(resources.used, Amount::Known(fits), "{tenant}");
    }
    assert!(engine.tenant("nobody").quotas().await.expect("quotas").iter().all(|one| one.used == Amount::NONE));
    let foreign = plan(&engine.tenant("rich").stack("shop"), &things(9, 1, "")).await;
    assert_eq!(code(engine.tenant("acme").stack("shop").quota_check(&foreign).await), "plan.stale");
}

/// Several hosts at once want the last places; as many get one as there are.
#[test]
fn of_those_who_want_the_last_place_exactly_one_gets_it() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime");
    for (racers, places) in [(2, 1), (2, 1), (5, 3), (12, 4)] {
        let stage = Stage::default();
        let won = runtime.block_on(async {
            let racer = |number: u64| {
                let stack = stage.stack(&[Limit::hard("resources", places)], &format!("s{number}"));
                tokio::spawn(async move { apply(&stack, &things(1, 1, "")).await })
            };
            let racing: Vec<_> = (0..racers).map(racer).collect();
            let mut won = 0;
            for one in racing {
                match one.await.expect("no panic") {
                    Ok(report) => won += u64::from(report.status == RunStatus::Succeeded),
                    Err(error) => assert_eq!(error.code(), "quota.exceeded", "{error:?}"),
                }
            }
            stage.check_exact(places, "after the race").await;
            won
        });
        assert_eq!((won, stage.world.extent().0, stage.world.peak().0), (places, places, places));
    }
}

/// Between what a host has read and what it writes another one takes the last place.
#[test]
fn whoever_was_overtaken_decides_anew() {
    let (stage, limits) = (Stage::default(), [Limit::hard("resources", 1)]);
    let (other, was_late) = (stage.clone(), AtomicBool::new(false));
    let faults = Faults::when(move |point| {
        if point.kind == WriteKind::Append && !was_late.swap(true, Ordering::SeqCst) {
            let blog = other.stack(&[Limit::hard("resources", 1)], "blog");
            let meanwhile = std::thread::spawn(move || {
                runtime().block_on(async { succeeded(apply(&blog, &things(1, 1, "")).await) });
            });
            meanwhile.join().expect("the other is served");
        }
        Verdict::Proceed
    });
    let store = Arc::new(FaultyStore::new(stage.disk.clone(), faults));
    runtime().block_on(async {
        let shop = stage.host(store, Some(FixedQuotas::new(limits))).stack("acme", "shop");
        assert_eq!(code(apply(&shop, &things(1, 1, "")).await), "quota.exceeded");
        assert_eq!(stage.world.peak().0, 1);
        stage.check_exact(1, "the other").await;
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Apply,
    Update,
    Destroy,
}

impl Act {
    async fn carry_out(self, stack: &Stack) -> Result<RunReport> {
        match self {
            Self::Apply => apply(stack, &things(2, 1, "")).await,
            Self::Update => apply(stack, &things(3, 2, "")).await,
            Self::Destroy => destroy(stack).await,
        }
    }

    fn left(self) -> (u64, u64) {
        match self {
            Self::Apply => (2, 2),
            Self::Update => (3, 6),
            Self::Destroy => (0, 0),
        }
    }
}

const TIGHT: [(&str, u64); 2] = [("resources", 4), ("size", 7)];

fn tight() -> Vec<Limit> {
    TIGHT.iter().map(|(dimension, most)| Limit::hard(*dimension, *most)).collect()
}

/// Another stack has one thing; everything before `act` was done well.
fn prepared(act: Act) -> Stage {
    let stage = Stage::default();
    runtime().block_on(async {
        succeeded(apply(&stage.stack(&tight(), "other"), &things(1, 1, "")).await);
        if act != Act::Apply {
            succeeded(Act::Apply.carry_out(&stage.stack(&tight(), "shop")).await);
        }
    });
    stage
}

/// Lets one process try; returns how many writes it came to, and what it was told.
fn attempt(stage: &Stage, act: Act, faults: Faults) -> (u64, Option<Result<RunReport>>) {
    let store = Arc::new(FaultyStore::new(stage.disk.clone(), faults).hang_when_dead());
    let runtime = runtime();
    let answer = runtime.block_on(async {
        let engine = stage.host(store.clone(), Some(FixedQuotas::new(tight())));
        let stack = engine.stack("acme", "shop");
        tokio::select! {
            biased;
            () = store.died() => None,
            answer = act.carry_out(&stack) => Some(answer),
        }
    });
    drop(runtime);
    (store.write_count(), answer)
}

/// Looks while the dead process's lease runs, and after; then brings the stack to where it was to be.
fn mend(stage: &Stage, act: Act, what: &str) {
    runtime().block_on(async {
        stage.check_enough(what).await;
        stage.clock.pass();
        stage.check_enough(what).await;
        let shop = stage.stack(&tight(), "shop");
        if let Some(run) = shop.unfinished_run().await.expect("an answer") {
            succeeded(shop.resume(run.id, ApplyOptions::default()).await.expect("resumes").finish().await);
        } else {
            // Nothing stays reserved for a run that never began.
            let (count, size) = stage.world.extent();
            let room = [TIGHT[0].1 - count, TIGHT[1].1 - size];
            let many = room[0].min(room[1]);
            succeeded(apply(&stage.stack(&tight(), "third"), &things(many, 1, "")).await);
            stage
                .check_exact(
                    2 + u64::from(many > 0) - u64::from(shop.state().await.expect("a state").rows.is_empty()),
                    what,
                )
                .await;
            succeeded(destroy(&stage.stack(&tight(), "third")).await);
            succeeded(act.carry_out(&shop).await);
        }
        let (count, size) = act.left();
        assert_eq!(stage.world.extent(), (count + 1, size + 1), "{what}");
        stage.check_exact(1 + u64::from(act != Act::Destroy), what).await;
        let peak = stage.world.peak();
        assert!(peak <= (TIGHT[0].1, peak.1) && peak.1 <= TIGHT[1].1, "{what}: {peak:?}");
    });
}

#[test]
fn a_crash_at_any_write_loses_and_doubles_nothing() {
    for act in [Act::Apply, Act::Update, Act::Destroy] {
        let (count, answer) = attempt(&prepared(act), act, Faults::none());
        succeeded(answer.expect("survives"));
        assert!(count > 5, "{act:?} has {count} writes");
        for number in 0..count {
            for (how, faults) in [
                ("died before", Faults::die_before(number)),
                ("died after", Faults::die_after(number)),
                ("lost the reply to", Faults::lose_reply(number)),
            ] {
                let stage = prepared(act);
                attempt(&stage, act, faults);
                mend(&stage, act, &format!("{act:?} {how} write {number} of {count}"));
            }
        }
    }
}

/// A process reserves, and is then so slow that everybody takes it for dead. Its place is given away; it begins nothing.
#[test]
fn whose_place_was_given_away_begins_nothing() {
    let stage = Stage::default();
    let limits = [Limit::hard("resources", 1)];
    let was_late = Arc::new(AtomicBool::new(false));
    let (other, late) = (stage.clone(), Arc::clone(&was_late));
    let faults = Faults::when(move |point| {
        // The first commit begins the run.
        if point.kind == WriteKind::Commit && !late.swap(true, Ordering::SeqCst) {
            let other = other.clone();
            let limits = [Limit::hard("resources", 1)];
            let meanwhile = std::thread::spawn(move || {
                runtime().block_on(async {
                    let blog = other.stack(&limits, "blog");
                    assert_eq!(code(apply(&blog, &things(1, 1, "")).await), "quota.exceeded", "its lease runs");
                    other.clock.pass();
                    succeeded(apply(&blog, &things(1, 1, "")).await);
                });
            });
            meanwhile.join().expect("the other is served");
        }
        Verdict::Proceed
    });
    let store = Arc::new(FaultyStore::new(stage.disk.clone(), faults));
    runtime().block_on(async {
        let shop = stage.host(store, Some(FixedQuotas::new(limits.clone()))).stack("acme", "shop");
        assert_eq!(code(apply(&shop, &things(1, 1, "")).await), "lease.lost");
        assert_eq!(stage.world.peak().0, 1);
        stage.check_exact(1, "one of them").await;
        assert_eq!(code(apply(&stage.stack(&limits, "shop"), &things(1, 1, "")).await), "quota.exceeded");
    });
}

#[tokio::test]
async fn an_abandoned_run_keeps_what_it_made_and_gives_back_the_rest() {
    let stage = Stage::default();
    let limits = [Limit::hard("resources", 4)];
    let store = Arc::new(FaultyStore::new(stage.disk.clone(), Faults::die_before(4)));
    let dying = stage.host(store, Some(FixedQuotas::new(limits.clone()))).stack("acme", "shop");
    let _ = apply(&dying, &things(4, 1, "")).await;
    stage.clock.pass();
    let shop = stage.stack(&limits, "shop");
    let run = shop.unfinished_run().await.expect("an answer").expect("it was begun");
    assert_eq!(code(apply(&stage.stack(&limits, "blog"), &things(1, 1, "")).await), "quota.exceeded");
    shop.abandon(run.id).await.expect("given up");
    let uses = stage.uses().await;
    let rows = shop.state().await.expect("a state").rows.len() as u64;
    let used = uses.get("resources").map_or(Amount::NONE, |(used, _)| *used);
    assert_eq!(used, Amount::Known(rows), "what has rows");
    assert!(uses.values().all(|(_, reserved)| *reserved == Amount::NONE));
    succeeded(apply(&stage.stack(&limits, "blog"), &things(4 - rows, 1, "")).await);
}

/// Generations end and begin: what is read does not grow with what was done, and hosts that know nothing find the newest.
#[tokio::test]
async fn an_old_ledger_is_as_cheap_as_a_new_one() {
    let stage = Stage::default();
    let limits = [Limit::hard("resources", 3)];
    let one = stage.stack(&limits, "shop");
    for round in 0..160 {
        let count = 1 + round % 3;
        // Every other time by a host that has never seen the ledger.
        let stack = if round % 2 == 0 { one.clone() } else { stage.stack(&limits, "shop") };
        succeeded(apply(&stack, &things(count, 1, "")).await);
        if round % 16 == 0 {
            stage.check_exact(1, "meanwhile").await;
            assert_eq!(code(apply(&stage.stack(&limits, "blog"), &things(4 - count, 1, "")).await), "quota.exceeded");
        }
    }
    let sizes = stage.entries().await;
    assert!(sizes.len() > 4 && sizes.iter().all(|size| *size <= 67), "{sizes:?}");
    stage.check_exact(1, "in the end").await;
}

#[derive(Clone, Copy, Debug)]
enum Mishap {
    None,
    DieBefore(u64),
    DieAfter(u64),
    Refuse(u64),
}

#[derive(Clone, Debug)]
struct Move {
    stack: u64,
    count: u64,
    size: u64,
    mishap: Mishap,
    rolls_back: bool,
}

fn moves() -> impl Strategy<Value = Vec<Vec<Move>>> {
    let mishap = prop_oneof![
        3 => Just(Mishap::None),
        2 => (0_u64..14).prop_map(Mishap::DieBefore),
        2 => (0_u64..14).prop_map(Mishap::DieAfter),
        1 => (0_u64..4).prop_map(Mishap::Refuse),
    ];
    let one = (0_u64..3, 0_u64..4, 1_u64..4, mishap, any::<bool>())
        .prop_map(|(stack, count, size, mishap, rolls_back)| Move { stack, count, size, mishap, rolls_back });
    prop::collection::vec(prop::collection::vec(one, 1..4), 1..7)
}

const MOST: (u64, u64) = (5, 8);

/// Carries a move out in a process of its own, which may die.
async fn play(stage: &Stage, one: Move) {
    let faults = match one.mishap {
        Mishap::DieBefore(number) => Faults::die_before(number),
        Mishap::DieAfter(number) => Faults::die_after(number),
        Mishap::None | Mishap::Refuse(_) => Faults::none(),
    };
    let store = Arc::new(FaultyStore::new(stage.disk.clone(), faults));
    let quotas = FixedQuotas::new([Limit::hard("resources", MOST.0), Limit::hard("size", MOST.1)]);
    let stack = stage.host(store, Some(quotas)).stack("acme", format!("s{}", one.stack));
    let more = match one.mishap {
        Mishap::Refuse(number) => fault_at(number, "refuse create"),
        _ => String::new(),
    };
    let on_failure = if one.rolls_back { OnFailure::Rollback } else { OnFailure::Stop };
    let _ = match stack.unfinished_run().await {
        Ok(Some(run)) => match stack.resume(run.id, ApplyOptions::default()).await {
            Ok(run) => run.finish().await,
            Err(error) => Err(error),
        },
        _ => apply_with(&stack, &things(one.count, one.size, &more), on_failure).await,
    };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_limits_hold_and_everything_comes_back(rounds in moves()) {
        let stage = Stage::default();
        runtime().block_on(async {
            for round in &rounds {
                join_all(round.iter().map(|one| play(&stage, one.clone()))).await;
                stage.check_enough("after a round").await;
                            stage.clock.1.fetch_add(20, Ordering::SeqCst);
                stage.check_enough("later").await;
            }
            let peak = stage.world.peak();
            assert!(peak.0 <= MOST.0 && peak.1 <= MOST.1, "{peak:?}");
            stage.clock.pass();
            for number in 0..3 {
                let stack = stage.stack(&[Limit::hard("resources", 0)], &format!("s{number}"));
                if let Some(run) = stack.unfinished_run().await.expect("an answer") {
                    let run = stack.resume(run.id, ApplyOptions::default()).await.expect("resumes");
                    run.finish().await.expect("a report");
                }
                succeeded(destroy(&stack).await);
            }
            stage.check_exact(0, "in the end").await;
            let quotas = [Limit::hard("resources", MOST.0)];
            succeeded(apply(&stage.stack(&quotas, "last"), &things(MOST.0, 1, "")).await);
        });
    }
}

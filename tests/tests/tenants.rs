//! No tenant can see, name, lock, quote or change anything of another: every public call, with ids that are not one's own.

use std::{
    collections::BTreeSet,
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use stackwright::{
    Result,
    error::Diagnostic,
    plan::{Mode, Plan},
    pricing::{Money, Period, Price, Prices},
    resource::{Context, Object, Outcome, QuoteItem, Resource},
    schema::{Attribute, Schema},
    stack::{ApplyOptions, Engine, Import, PlanOptions, QuoteOptions, Settlement, Stack},
    state::{
        Amount, MemoryStore, RunId, StackKey, Store,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Options, RawVariables, Template},
    tenant::{FixedQuotas, Limit},
    value::{Type, Value},
};
use stackwright_tests::calls::public_calls;
use tokio::sync::Notify;

/// What of the victim nobody else may ever see: its name, values, ids of objects.
const MARKS: [&str; 4] = ["acme", "hunter2", "remote-", "the-mine"];

/// Chests in a vault that all tenants share; it hears which tenant asks.
#[derive(Debug, Default)]
struct Vault {
    chests: Mutex<Vec<(String, Value)>>,
    heard: Mutex<Vec<(String, String)>>,
    /// Creations of this name wait until they may go on.
    gate: Notify,
    reached: Notify,
}

#[derive(Debug)]
struct Chest(Arc<Vault>);

impl Chest {
    fn hear(&self, ctx: &Context, verb: &str) {
        let tenant = ctx.info().tenant.to_string();
        self.0.heard.lock().expect("not poisoned").push((tenant, verb.to_owned()));
    }
}

#[async_trait]
impl Resource for Chest {
    fn schema(&self) -> Arc<Schema> {
        let schema = Schema::new(0).attribute("content", Attribute::required(Type::String));
        let schema = schema.attribute("token", Attribute::optional(Type::String).sensitive());
        Arc::new(schema.attribute("id", Attribute::computed(Type::String)))
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        self.hear(ctx, "create");
        let content = planned.attribute("content").and_then(Value::as_str).unwrap_or_default().to_owned();
        if content == "waits" {
            self.0.reached.notify_one();
            self.0.gate.notified().await;
        }
        let id = format!("remote-{}-{}", ctx.info().tenant, self.0.chests.lock().expect("not poisoned").len());
        let kept = |name: &str| planned.attribute(name).cloned().expect("planned");
        let attributes =
            Value::object([("content", kept("content")), ("token", kept("token")), ("id", Value::string(id.as_str()))]);
        let object = Object::new(id.as_str(), attributes);
        self.0.chests.lock().expect("not poisoned").push((id, object.attributes.clone()));
        Outcome::complete(object)
    }

    async fn read(&self, ctx: &Context, object: &Object) -> Result<Option<Object>> {
        self.hear(ctx, "read");
        Ok(Some(object.clone()))
    }

    async fn update(&self, ctx: &Context, prior: &Object, _: Value) -> Outcome {
        self.hear(ctx, "update");
        Outcome::complete(prior.clone())
    }

    async fn delete(&self, ctx: &Context, _: &Object) -> Outcome {
        self.hear(ctx, "delete");
        Outcome::gone()
    }

    async fn quote(&self, ctx: &Context, items: &[QuoteItem]) -> Result<Vec<Prices>> {
        self.hear(ctx, "quote");
        let price = Price::recurring("chest", Period::Month, Money::new("10", "EUR")?);
        Ok(items.iter().map(|_| Prices::Known(vec![price.clone()])).collect())
    }
}

fn template(text: &str) -> Template {
    let (template, problems) = Template::parse(&Files::from_texts([("main.tf", text)]), &Options::default());
    assert!(problems.is_empty(), "{problems:?}");
    template
}

fn victims() -> Template {
    template(
        "resource \"chest\" \"crown\" {\n  content = \"the-mine\"\n  token = \"hunter2\"\n}\n\
         output \"crown\" {\n  value = chest.crown.content\n}\n",
    )
}

async fn plan(stack: &Stack, template: &Template) -> Plan {
    stack.plan(template, PlanOptions::default()).await.expect("a plan")
}

/// Everything that a store keeps of one tenant.
async fn all_of(store: &dyn Store, tenant: &str) -> String {
    let mut text = String::new();
    let mut keys: Vec<StackKey> =
        store.list_stacks(Some(tenant)).await.expect("stacks").into_iter().map(|stack| stack.key).collect();
    keys.push(StackKey::new(tenant, "waiting"));
    for key in keys {
        let _ = writeln!(text, "{:?}", store.load_stack(&key).await.expect("a stack"));
        let _ = writeln!(text, "{:?}", store.load_rows(&key).await.expect("rows"));
        // When it was extended is the holder's business; who holds it is not.
        let lease = store.lease_of(&key).await.expect("a lease");
        let _ = writeln!(text, "{:?}", lease.map(|lease| (lease.token, lease.holder)));
        for run in store.list_runs(&key, 100).await.expect("runs") {
            let _ = writeln!(text, "{run:?}");
            let _ = writeln!(text, "{:?}", store.load_segments(run.id).await.expect("segments"));
            let _ = writeln!(text, "{:?}", store.load_journal(run.id).await.expect("a journal"));
        }
    }
    for key in store.list_ledgers(Some(tenant), "quota").await.expect("ledgers") {
        let _ = writeln!(text, "{:?}", store.load_ledger(&key, 0).await.expect("a ledger"));
    }
    text
}

/// What a stranger tries, and what everything looked like before.
struct Stranger<'a> {
    store: &'a dyn Store,
    before: String,
    tried: BTreeSet<&'static str>,
}

impl Stranger<'_> {
    /// Looks at what a call said, and at what it did.
    async fn tried(&mut self, call: &'static str, answer: impl Debug) {
        let said = format!("{answer:?}");
        for mark in MARKS {
            assert!(!said.contains(mark), "`{call}` tells of `{mark}`: {said}");
        }
        assert_eq!(all_of(self.store, "acme").await, self.before, "`{call}` changed something of another tenant");
        self.tried.insert(call);
    }

    /// The same, of a call that is refused.
    async fn refused<T: Debug>(&mut self, call: &'static str, answer: Result<T>, code: &str) {
        let error = answer.expect_err(call);
        assert_eq!(error.code(), code, "`{call}`: {error}");
        self.tried(call, (error.to_string(), error)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_reaches_what_another_tenant_has() {
    let vault = Arc::new(Vault::default());
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let engine = Engine::builder()
        .shared_store(Arc::clone(&store))
        .cipher(AesGcmCipher::new(Key::generate().expect("a key")))
        .resource("chest", Chest(Arc::clone(&vault)))
        .quotas(FixedQuotas::new([Limit::hard("resources", 2)]))
        .build()
        .expect("an engine");

    // The victim: a stack that was applied, with a plan that was not, and one that is being applied right now.
    let acme = engine.tenant("acme").stack("shop");
    let run = acme.apply(plan(&acme, &victims()).await, ApplyOptions::default()).await.expect("a run");
    let ended = run.id();
    run.finish().await.expect("a report");
    let foreign = acme.plan(&victims(), PlanOptions::default().mode(Mode::Destroy)).await.expect("a plan");
    let sealed = acme.seal_plan(&foreign).expect("bytes");
    let quote = acme.quote(&foreign, QuoteOptions::default()).await.expect("a quote");
    assert_eq!(quote.ending.len(), 1);
    let waiting = engine.tenant("acme").stack("waiting");
    let slow = template("resource \"chest\" \"crown\" {\n  content = \"waits\"\n}\n");
    let held = waiting.apply(plan(&waiting, &slow).await, ApplyOptions::default()).await.expect("a run");
    vault.reached.notified().await;
    vault.heard.lock().expect("not poisoned").clear();
    let (held_id, address) = (held.id(), "chest.crown".parse::<stackwright::address::Address>().expect("an address"));
    let target = "chest.crown".parse::<stackwright::address::Target>().expect("a target");

    let before = all_of(&*store, "acme").await;
    assert!(before.len() > 1000);
    let mut stranger = Stranger { store: &*store, before, tried: BTreeSet::new() };
    let tenant = engine.tenant("mallory");
    // Stacks of the same names: everything but the tenant is guessed right.
    for name in ["shop", "waiting"] {
        let mine = tenant.stack(name);
        let heard_count = vault.heard.lock().expect("not poisoned").len();
        stranger.tried("key", mine.key()).await;
        stranger.tried("engine", mine.engine().tenant("mallory").stacks().await).await;
        stranger.tried("state", mine.state().await.expect("a state")).await;
        stranger.tried("outputs", mine.outputs().await.expect("outputs")).await;
        assert_eq!(mine.lease().await.expect("an answer"), None);
        stranger.tried("lease", ()).await;
        mine.break_lease().await.expect("nobody holds it");
        stranger.tried("break_lease", ()).await;
        assert_eq!(mine.runs(10).await.expect("runs"), []);
        stranger.tried("runs", ()).await;
        assert_eq!(mine.unfinished_run().await.expect("an answer"), None);
        stranger.tried("unfinished_run", ()).await;
        for run in [ended, held_id, RunId::mint()] {
            stranger.refused("journal", mine.journal(run).await, "run.unknown").await;
            stranger.refused("segments", mine.segments(run).await, "run.unknown").await;
            stranger.refused("open_calls", mine.open_calls(run).await, "run.unknown").await;
            stranger.refused("orders_of", mine.orders_of(run).await, "run.unknown").await;
            stranger.refused("settle_orders", mine.settle_orders(run).await, "run.unknown").await;
            stranger.refused("abandon", mine.abandon(run).await, "run.unknown").await;
            stranger.refused("resume", mine.resume(run, ApplyOptions::default()).await, "run.unknown").await;
        }
        let there = "chest.other".parse().expect("an address");
        stranger.refused("move_address", mine.move_address(&address, &there).await, "state.no_such_address").await;
        stranger.refused("forget_rows", mine.forget_rows(&target).await, "state.no_such_address").await;
        for settlement in [Settlement::Absent, Settlement::Tainted, Settlement::Present] {
            stranger.refused("settle", mine.settle(&address, settlement).await, "state.no_such_address").await;
        }
        assert_eq!(mine.reseal().await.expect("nothing"), 0);
        stranger.tried("reseal", ()).await;
        mine.forget().await.expect("there is nothing to forget");
        stranger.tried("forget", ()).await;
        // Plans that were made for somebody else, as values and as bytes.
        stranger.refused("apply", mine.apply(foreign.clone(), ApplyOptions::default()).await, "plan.stale").await;
        stranger.refused("quota_check", mine.quota_check(&foreign).await, "plan.stale").await;
        stranger.refused("quote", mine.quote(&foreign, QuoteOptions::default()).await, "plan.stale").await;
        let opened = mine.open_plan(&sealed).map(drop);
        stranger.tried("open_plan", opened.expect_err("it was sealed for another stack")).await;
        // Sealed here it is still not for here.
        let again = mine.seal_plan(&foreign).map(|bytes| mine.open_plan(&bytes).expect("its own bytes"));
        let applied = mine.apply(again.expect("a plan"), ApplyOptions::default()).await;
        stranger.refused("seal_plan", applied, "plan.stale").await;
        assert_eq!(vault.heard.lock().expect("not poisoned").len(), heard_count, "a type was asked");

        // A template of one's own that names what the other has.
        let twin = template("resource \"chest\" \"crown\" {\n  content = \"mine\"\n}\n");
        let problems: Vec<Diagnostic> = mine.validate(&twin);
        assert!(problems.is_empty());
        stranger.tried("validate", ()).await;
        let mut console = mine.console(&twin, &RawVariables::default(), None).await.expect("a console");
        assert!(!console.evaluate("chest.crown.content").is_ok_and(|text| text.contains("the-mine")));
        stranger.tried("console", ()).await;
        let destroys = mine.plan(&twin, PlanOptions::default().mode(Mode::Destroy)).await.expect("a plan");
        assert!(destroys.is_empty(), "there is nothing to destroy here");
        let options =
            PlanOptions { replace: vec![address.clone()], targets: vec![target.clone()], ..Default::default() };
        let planned = mine.plan(&twin, options).await.expect("a plan");
        assert_eq!(planned.steps.len(), 1);
        let imports = vec![Import { address: address.clone(), id: "remote-acme-0".to_owned() }];
        // What lies in a cloud is the type's to guard; it is asked in the name of the one who calls.
        let imported = mine.plan(&twin, PlanOptions { imports, ..Default::default() }).await;
        let error = imported.expect_err("this type imports nothing");
        assert!(error.to_string().contains("cannot be imported"), "{error:?}");
        stranger.tried("plan", &planned).await;
        let report =
            mine.apply(planned, ApplyOptions::default()).await.expect("a run").finish().await.expect("a report");
        assert_eq!(report.done_count, 1);
        stranger.tried("apply", &report).await;
        assert_eq!(mine.state().await.expect("a state").rows.len(), 1);
    }
    let names = |stacks: Vec<Stack>| stacks.iter().map(|stack| stack.key().to_string()).collect::<Vec<_>>();
    assert_eq!(names(tenant.stacks().await.expect("stacks")), ["mallory/shop", "mallory/waiting"]);
    // Both have as much as they may, and neither counts for the other.
    let uses = tenant.quotas().await.expect("quotas");
    let resources = uses.iter().find(|one| &*one.dimension == "resources").expect("counted");
    assert_eq!((resources.used, resources.reserved), (Amount::Known(2), Amount::NONE));
    stranger.tried("quotas", uses).await;
    stranger.tried.remove("quotas");
    let calls = ["name", "quotas", "stack", "stacks"].map(str::to_owned);
    assert_eq!(public_calls("stack", "Tenant"), calls.into(), "a call of a tenant was not tried");
    // Whoever was asked was asked for the tenant whose call it was.
    assert!(vault.heard.lock().expect("not poisoned").iter().all(|(tenant, _)| tenant == "mallory"));
    assert!(!vault.heard.lock().expect("not poisoned").is_empty());

    assert_eq!(
        stranger.tried,
        public_calls("stack", "Stack").iter().map(String::as_str).collect(),
        "a call was not tried"
    );
    vault.gate.notify_one();
    assert_eq!(held.finish().await.expect("a report").done_count, 1);
    assert_eq!(acme.state().await.expect("a state").rows.len(), 1);
}

#[tokio::test]
async fn names_that_look_alike_are_different_tenants() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let engine = Engine::builder()
        .shared_store(Arc::clone(&store))
        .cipher(AesGcmCipher::new(Key::generate().expect("a key")))
        .resource("chest", Chest(Arc::new(Vault::default())))
        .build()
        .expect("an engine");
    let keys = [
        ("acme", "a/shop"),
        ("acme/a", "shop"),
        ("ACME", "a/shop"),
        ("acme ", "a/shop"),
        ("acm%", "a/shop"),
        ("acm_", "a/shop"),
        ("", "acme/a/shop"),
        ("acme\0", "a/shop"),
        ("acmé", "a/shop"),
        ("acme\u{301}", "a/shop"),
    ];
    let template = victims();
    for (idx, (tenant, name)) in keys.iter().enumerate() {
        let stack = engine.tenant(*tenant).stack(*name);
        assert!(stack.state().await.expect("a state").rows.is_empty(), "{tenant:?} sees what others have");
        stack
            .apply(plan(&stack, &template).await, ApplyOptions::default())
            .await
            .expect("a run")
            .finish()
            .await
            .expect("ran");
        assert_eq!(engine.stacks(None).await.expect("stacks").len(), idx + 1);
    }
    for (tenant, name) in keys {
        let stacks = engine.tenant(tenant).stacks().await.expect("stacks");
        let found: Vec<&str> = stacks.iter().map(|stack| &*stack.key().name).collect();
        assert_eq!(found, [name], "of {tenant:?}");
        assert_eq!(stacks[0].outputs().await.expect("outputs").len(), 1);
    }
}

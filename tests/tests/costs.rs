//! What installations cost: as their ledgers say, as a bill says, and as nobody else may see.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde_json::json;
use stackwright::{
    Result,
    application::{
        Actor, CarryOptions, CostOptions, Fact, Installation, ObjectFate, Outcome, Parcel, Platform, ProposeOptions,
        Transfer, Verb,
    },
    event::{Clock, Timestamp},
    form::Inputs,
    pricing::{
        Decimal, Money, Period, Price, Prices, Usage,
        cost::{BillRow, CostBy, CostReport, CostRow, SharedCost, Window},
    },
    resource::{
        Context, Evidence, Object, Outcome as Made, PlanRequest, PlanResponse, QuoteAsk, QuoteItem, Recovery, Resource,
        Traits, conformance::Fault, layer::Verb as Call,
    },
    run::OnFailure,
    schema::Schema,
    stack::Engine,
    state::{
        LedgerDraft, LedgerKey, MemoryStore, Store as _,
        cipher::{AesGcmCipher, Cipher, Key},
    },
    value::Value,
};
use stackwright_tests::{
    apps::{Rules, carry, code, install, parcel_of},
    thing::{Thing, World},
};

/// Time stands still until a test moves it.
#[derive(Clone, Debug)]
struct Still(Arc<AtomicU64>);

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        // Who waits long waits for a time-out, which never comes.
        if duration > Duration::from_secs(1) {
            std::future::pending::<()>().await;
        }
        tokio::task::yield_now().await;
    }
}

/// A thing with prices: 0.10 an hour for its size, 12.00 once, and 5.00 of it back; the largest has a price by use, too, and that
/// of the smallest nobody knows.
#[derive(Debug)]
struct Priced(Thing);

fn cny(amount: &str) -> Money {
    Money::new(amount, "CNY").expect("money")
}

fn prices(item: &QuoteItem) -> Prices {
    let size = item.object.attribute("size").and_then(Value::as_number).and_then(|size| size.to_i64()).unwrap_or(1);
    if size == 1 {
        return Prices::unknown("no price list");
    }
    let hour = cny("0.10").amount.times(Decimal::whole(size), 2).expect("small");
    let hour = Price::recurring("thing", Period::Hour, Money { amount: hour, ..cny("0") });
    let mut list = match item.ask {
        QuoteAsk::Create => vec![Price::once("setup", cny("12.00")), hour],
        QuoteAsk::Change => vec![Price::once("change", cny("1.00")), hour],
        QuoteAsk::Keep => vec![hour],
        QuoteAsk::Refund => return Prices::Known(vec![Price::once("setup", cny("5.00"))]),
    };
    if size == 9 {
        let usage = Usage::new("traffic", "GB", Period::Month, "CNY").expect("usage").tier(None, Decimal::ONE);
        list.push(Price::usage("traffic", usage));
    }
    Prices::Known(list)
}

#[async_trait]
impl Resource for Priced {
    fn schema(&self) -> Arc<Schema> {
        self.0.schema()
    }

    fn traits(&self) -> Traits {
        self.0.traits()
    }

    async fn plan(&self, ctx: &Context, request: PlanRequest) -> Result<PlanResponse> {
        self.0.plan(ctx, request).await
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Made {
        self.0.create(ctx, planned).await
    }

    async fn read(&self, ctx: &Context, object: &Object) -> Result<Option<Object>> {
        self.0.read(ctx, object).await
    }

    async fn update(&self, ctx: &Context, prior: &Object, planned: Value) -> Made {
        self.0.update(ctx, prior, planned).await
    }

    async fn delete(&self, ctx: &Context, prior: &Object) -> Made {
        self.0.delete(ctx, prior).await
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        self.0.recover(ctx, evidence).await
    }

    async fn quote(&self, _: &Context, items: &[QuoteItem]) -> Result<Vec<Prices>> {
        Ok(items.iter().map(prices).collect())
    }
}

const FORM: &str = "
fields:
- { name: size, widget: number, default: 2 }
- { name: name, widget: input, default: a }
- { name: fault, widget: input, required: false }
";

const TEMPLATE: &str = r#"
variable "size" { type = number }
variable "name" { type = string }
variable "fault" {
  type    = string
  default = null
}
variable "stackwright_app_id" { type = string }

resource "thing" "first" {
  name = "${var.stackwright_app_id}-${var.name}"
  size = var.size
}

resource "thing" "second" {
  name  = thing.first.url
  size  = 2
  fault = var.fault
}
"#;

struct Stage {
    clock: Still,
    disk: Arc<MemoryStore>,
    world: Arc<World>,
    rules: Rules,
}

impl Stage {
    fn new() -> Self {
        let now = at("2026-11-01");
        Self {
            clock: Still(Arc::new(AtomicU64::new(now.0))),
            disk: Arc::default(),
            world: Arc::default(),
            rules: Rules::default(),
        }
    }

    fn go_to(&self, moment: &str) {
        self.clock.0.store(at(moment).0, Ordering::SeqCst);
    }

    fn platform(&self) -> Platform {
        let key = Key::from_bytes(b"a key for tests: 32 known bytes!").expect("the text has 32 bytes");
        let engine = Engine::builder()
            .shared_store(self.disk.clone())
            .cipher(AesGcmCipher::new(key))
            .clock(Arc::new(self.clock.clone()))
            .resource("thing", Priced(Thing { world: Arc::clone(&self.world) }))
            .build()
            .expect("an engine");
        Platform::builder(engine, self.rules.clone()).build()
    }

    fn one(&self, tenant: &str, name: &str) -> Installation {
        self.platform().applications(Actor::new(tenant, "alice")).installation(name)
    }

    async fn report(&self, tenant: &str, options: &CostOptions) -> CostReport {
        self.platform().applications(Actor::new(tenant, "alice")).cost(options).await.expect("a report")
    }

    /// The id of the thing that is called like that.
    fn id_of(&self, part: &str) -> String {
        let things = self.world.things();
        let found = things.iter().find(|(_, made)| made.name.contains(part) && !made.name.contains("://"));
        found.expect("it is there").0.clone()
    }
}

fn at(text: &str) -> Timestamp {
    Window::moment(text).expect("a moment")
}

fn november() -> CostOptions {
    CostOptions::of(Window::parse("2026-11-01", "2026-12-01").expect("a window"))
}

fn package() -> Parcel {
    parcel_of(&[
        ("package.yaml", "format: 1\nname: coding\nversion: 1.0.0\nform: form.yaml\n"),
        ("form.yaml", FORM),
        ("template/main.tf", TEMPLATE),
    ])
}

fn sized(size: i64) -> Inputs {
    Inputs::of([("size", json!(size))])
}

async fn upgrade(one: &Installation, inputs: &Inputs, options: &CarryOptions) -> Outcome {
    let proposal = one.propose_upgrade(&package(), inputs, &ProposeOptions::default()).await.expect("a proposal");
    let operation = one.carry_out(proposal, options).await.expect("begins");
    operation.finish().await.expect("ends").outcome
}

async fn uninstall(one: &Installation) {
    let proposal = one.propose_uninstall(&ProposeOptions::default()).await.expect("a proposal");
    assert!(carry(one, proposal).await.is_success());
}

/// `address component: cost from until` of every row.
fn shown(rows: &[CostRow]) -> Vec<String> {
    let day = |at: Timestamp| at.to_string()[5..16].replace('T', " ");
    let shown = rows.iter().map(|row| {
        let address = row.address.as_deref().unwrap_or("-");
        let component = row.component.as_deref().unwrap_or("-");
        let cost = row.costs.as_ref().map_or_else(|| "?".to_owned(), |costs| costs.billed.to_string());
        format!("{address} {component}: {cost}, {} until {}", day(row.charged.from), day(row.charged.until))
    });
    shown.collect()
}

fn total(report: &CostReport) -> String {
    let totals = report.total().expect("a total").totals;
    let texts: Vec<String> = totals.iter().map(|one| format!("{} {}", one.costs.billed, one.currency)).collect();
    texts.join(", ")
}

#[tokio::test]
async fn a_life_costs_what_was_accepted_for_as_long_as_it_was_there() {
    let stage = Stage::new();
    let shop = stage.one("acme", "shop");
    assert!(install(&shop, &package(), &sized(2)).await.is_success());
    stage.go_to("2026-11-11");
    // Larger, in place: it costs more from now on, and the change costs, too.
    assert_eq!(upgrade(&shop, &sized(4), &CarryOptions::default()).await, Outcome::Succeeded);
    stage.go_to("2026-11-16");
    // Another name makes both anew.
    let renamed = Inputs::of([("name", json!("b"))]);
    assert_eq!(upgrade(&shop, &renamed, &CarryOptions::default()).await, Outcome::Succeeded);
    stage.go_to("2026-11-21");
    uninstall(&shop).await;
    stage.go_to("2026-12-24");
    let report = stage.report("acme", &november()).await;
    assert_eq!(
        shown(report.rows()),
        [
            "thing.first change: 1, 11-11 00:00 until 11-11 00:00",
            "thing.first setup: 12, 11-01 00:00 until 11-01 00:00",
            "thing.first setup: 12, 11-16 00:00 until 11-16 00:00",
            "thing.first setup: -5, 11-16 00:00 until 11-16 00:00",
            "thing.first setup: -5, 11-21 00:00 until 11-21 00:00",
            "thing.first thing: 48, 11-01 00:00 until 11-11 00:00",
            "thing.first thing: 48, 11-11 00:00 until 11-16 00:00",
            "thing.first thing: 48, 11-16 00:00 until 11-21 00:00",
            "thing.second setup: 12, 11-01 00:00 until 11-01 00:00",
            "thing.second setup: 12, 11-16 00:00 until 11-16 00:00",
            "thing.second setup: -5, 11-16 00:00 until 11-16 00:00",
            "thing.second setup: -5, 11-21 00:00 until 11-21 00:00",
            "thing.second thing: 72, 11-01 00:00 until 11-16 00:00",
            "thing.second thing: 24, 11-16 00:00 until 11-21 00:00",
        ]
    );
    assert_eq!(total(&report), "269 CNY");
    assert!(report.rows().iter().all(|row| row.resource_id.is_some() && row.tags.contains_key("stackwright-app")));
}

#[tokio::test]
async fn what_failed_costs_what_was_made_of_it() {
    let stage = Stage::new();
    let shop = stage.one("acme", "shop");
    let refused = Inputs::of([("fault", json!(Fault::Refuse.of(Call::Create)))]);
    assert!(!install(&shop, &package(), &refused).await.is_success());
    stage.go_to("2026-11-02");
    let made = [
        "thing.first setup: 12, 11-01 00:00 until 11-01 00:00",
        "thing.first thing: 4.8, 11-01 00:00 until 11-02 00:00",
    ];
    assert_eq!(shown(stage.report("acme", &november()).await.rows()), made);
    // The rest is made later; what was there goes on.
    let retry =
        shop.propose_install(&package(), &Inputs::of([("fault", json!(null))]), &ProposeOptions::default()).await;
    assert!(carry(&shop, retry.expect("a proposal")).await.is_success());
    stage.go_to("2026-11-03");
    assert_eq!(
        shown(stage.report("acme", &november()).await.rows()),
        [
            "thing.first setup: 12, 11-01 00:00 until 11-01 00:00",
            "thing.first thing: 9.6, 11-01 00:00 until 11-03 00:00",
            "thing.second setup: 12, 11-02 00:00 until 11-02 00:00",
            "thing.second thing: 4.8, 11-02 00:00 until 11-03 00:00",
        ]
    );
}

#[tokio::test]
async fn what_was_undone_costs_what_it_did_before() {
    let stage = Stage::new();
    let shop = stage.one("acme", "shop");
    assert!(install(&shop, &package(), &sized(2)).await.is_success());
    stage.go_to("2026-11-02");
    let rollback = CarryOptions { on_failure: OnFailure::Rollback, parallelism: 1, ..CarryOptions::default() };
    // The first changes, and the second cannot.
    let inputs = Inputs::of([("size", json!(4)), ("fault", json!(Fault::Refuse.of(Call::Update)))]);
    assert_eq!(upgrade(&shop, &inputs, &rollback).await, Outcome::Undone);
    stage.go_to("2026-11-03");
    let report = stage.report("acme", &november()).await;
    let rows = shown(report.rows());
    let hours: Vec<&String> = rows.iter().filter(|row| row.contains(" thing: ")).collect();
    assert_eq!(hours.last().expect("one").as_str(), "thing.second thing: 9.6, 11-01 00:00 until 11-03 00:00");
    let first = report.rows().iter().filter(|row| row.address.as_deref() == Some("thing.first"));
    let first = first.filter(|row| row.component.as_deref() == Some("thing"));
    let sum = first.filter_map(|row| row.costs).try_fold(Decimal::ZERO, |sum, costs| sum.plus(costs.billed));
    assert_eq!(sum, Ok("9.6".parse().expect("a number")), "{rows:?}");
}

#[tokio::test]
async fn what_nobody_knows_is_shown_as_that() {
    let stage = Stage::new();
    assert!(install(&stage.one("acme", "small"), &package(), &sized(1)).await.is_success());
    assert!(install(&stage.one("acme", "large"), &package(), &sized(9)).await.is_success());
    stage.go_to("2026-11-02");
    let report = stage.report("acme", &november()).await;
    let unknown: Vec<&CostRow> = report.rows().iter().filter(|row| row.costs.is_none()).collect();
    let texts: Vec<&str> = unknown.iter().map(|row| &*row.description).collect();
    assert_eq!(
        texts,
        ["traffic: 1.00 CNY a GB, how much was used is not known", "thing: price not known: no price list"]
    );
    assert_eq!(report.total().expect("a total").unknown_count, 2);
    uninstall(&stage.one("acme", "small")).await;
    let report = stage.report("acme", &november()).await;
    let back = report.rows().iter().find(|row| row.description.contains("comes back: nobody knows"));
    assert!(back.is_some_and(|row| row.costs.is_none()), "what comes back of it nobody knows either");
}

fn bill(rows: &[(&str, &str, &str)]) -> Vec<BillRow> {
    let rows = rows.iter().enumerate().map(|(idx, (cost, day, id))| {
        let tag = id.strip_prefix("tag:").map(|tag| format!(r#"{{"stackwright-app":"{tag}"}}"#)).unwrap_or_default();
        let service = id.strip_prefix("service:").unwrap_or_default();
        let columns = [
            ("BilledCost", *cost),
            ("BillingCurrency", "CNY"),
            ("ChargePeriodStart", day),
            ("ChargePeriodEnd", &format!("{day}T12:00:00Z")),
            ("ResourceId", id),
            ("Tags", &tag),
            ("ServiceName", service),
        ];
        (idx as u64, columns.map(|(name, text)| (name.to_owned(), text.to_owned())).into())
    });
    BillRow::read(rows).expect("a bill")
}

fn owners(report: &CostReport) -> Vec<String> {
    let groups = report.groups(CostBy::Application).expect("groups");
    let shown = groups.iter().map(|group| {
        let name = [&group.key.tenant, &group.key.application].map(|part| part.as_deref().unwrap_or("-")).join("/");
        let sums: Vec<String> = group.totals.iter().map(|total| total.costs.billed.to_string()).collect();
        format!("{name}: {}", sums.join(" "))
    });
    shown.collect()
}

/// A bill finds who had what, also what is gone; and nobody sees what is another's.
#[tokio::test]
async fn a_bill_is_everybodys_and_each_sees_its_own() {
    let stage = Stage::new();
    let (shop, wiki) = (stage.one("acme", "shop"), stage.one("umbrella", "wiki"));
    assert!(install(&shop, &package(), &sized(2)).await.is_success());
    assert!(install(&wiki, &package(), &sized(2)).await.is_success());
    let (of_shop, of_wiki) = (stage.id_of("shop"), stage.id_of("wiki"));
    let app_id = wiki.view().await.expect("a view").app_id;
    stage.go_to("2026-11-10");
    uninstall(&shop).await;
    stage.go_to("2026-12-10");
    let tag = format!("tag:{app_id}");
    let rows = [
        ("3.00", "2026-11-02", of_shop.as_str()),
        // After it was gone.
        ("0.70", "2026-11-20", of_shop.as_str()),
        ("5.00", "2026-11-20", of_wiki.as_str()),
        ("1.01", "2026-11-03", tag.as_str()),
        ("2.01", "2026-11-04", "service:net"),
        ("0.11", "2026-11-05", "nobody's"),
    ];
    let rule = r#"{ "rule": "network", "of": { "service": "net" }, "split": { "kind": "even" } }"#;
    let shared: Vec<SharedCost> = vec![serde_json::from_str(rule).expect("a rule")];
    let options = CostOptions { bill: Some(bill(&rows)), shared, ..november() };
    let host = Actor::new("host", "operator");
    let whole = stage.platform().cost(&host, &options).await.expect("a report");
    assert_eq!(owners(&whole), ["acme/shop: 4.01", "umbrella/wiki: 7.01", "-/-: 0.81"]);
    assert_eq!(total(&whole), "11.83 CNY");
    let gone = whole.reconciled().expect("reconciled");
    let first = gone.iter().find(|one| one.key.address.as_deref() == Some("thing.first")).expect("of the shop");
    // 216 hours of 0.20, 12.00, and 5.00 back.
    assert_eq!((first.estimated, first.billed), (Some("50.2".parse().expect("one")), Decimal::whole(3)));
    assert_eq!(first.difference, Some("-47.2".parse().expect("one")));

    let mine = stage.report("acme", &options).await;
    assert_eq!(owners(&mine), ["acme/shop: 5.01", "-/-: 6.82"], "what another bears is not said to be anybody's");
    let stranger = stage.report("mallory", &options).await;
    assert_eq!(owners(&stranger), ["-/-: 11.83"]);
    assert!(stranger.estimate().is_empty());
    let named = r#"{ "rule": "x", "split": { "kind": "percent", "percent": { "umbrella/wiki": "1" } } }"#;
    let foreign = CostOptions { shared: vec![serde_json::from_str(named).expect("a rule")], ..options.clone() };
    let apps = stage.platform().applications(Actor::new("mallory", "alice"));
    assert_eq!(code(apps.cost(&foreign).await), "cost.shared");

    // The policy is asked for each.
    stage.rules.forbid("alice", Verb::Cost);
    assert!(stage.report("acme", &november()).await.estimate().is_empty());
    stage.rules.forbid("operator", Verb::Cost);
    let nothing = stage.platform().cost(&host, &november()).await.expect("a report");
    assert!(nothing.estimate().is_empty());
}

#[tokio::test]
async fn ledgers_say_what_became_of_objects_and_older_ones_are_understood() {
    let stage = Stage::new();
    let shop = stage.one("acme", "shop");
    assert!(install(&shop, &package(), &sized(2)).await.is_success());
    stage.go_to("2026-11-11");
    assert_eq!(upgrade(&shop, &sized(4), &CarryOptions::default()).await, Outcome::Succeeded);
    stage.go_to("2026-11-21");
    let (first, app_id) = (stage.id_of("shop"), shop.view().await.expect("a view").app_id);
    uninstall(&shop).await;
    let audit = shop.audit().await.expect("an audit");
    let ends = audit.iter().filter_map(|record| match &record.fact {
        Fact::Ended { objects, .. } => Some(objects.as_ref().expect("they are named")),
        _ => None,
    });
    let fates: Vec<Vec<ObjectFate>> = ends.clone().map(|list| list.iter().map(|one| one.fate).collect()).collect();
    assert_eq!(fates, [vec![ObjectFate::Made; 2], vec![ObjectFate::Changed], vec![ObjectFate::Gone; 2]]);
    assert!(
        ends.flatten().filter(|one| &*one.address == "thing.first").all(|one| one.remote_id.as_deref() == Some(&first))
    );

    // As an older version wrote it.
    let engine = stage.platform().engine().clone();
    let [new, old] = ["shop", "old"].map(|name| engine.ledger(LedgerKey::new("acme", "installation", name)));
    let mut head = stackwright::state::Head::default();
    for entry in new.load().await.expect("a ledger").entries {
        stage.clock.0.store(entry.at.0, Ordering::SeqCst);
        let mut fact = entry.fact.clone();
        let parts = fact.as_object_mut().and_then(|fact| fact.values_mut().next()?.as_object_mut()).expect("an object");
        for name in ["objects", "refunds", "unpriced"] {
            parts.remove(name);
        }
        head = old.append(&head, &[LedgerDraft { fact, values: entry.values }]).await.expect("appended");
    }
    stage.go_to("2026-12-01");
    assert_eq!(stage.disk.list_ledgers(Some("acme"), "installation").await.expect("ledgers").len(), 2);
    let report = stage.report("acme", &november()).await;
    let of = |name: &str| -> Vec<String> {
        let rows =
            report.rows().iter().filter(|row| row.owner.as_ref().is_some_and(|owner| &*owner.application == name));
        let rows: Vec<CostRow> = rows.filter(|row| !row.description.contains("comes back")).cloned().collect();
        shown(&rows)
    };
    assert_eq!(of("old"), of("shop"), "what was there is known, what came back is not");
    assert_eq!(of("old").len(), 6);
    assert!(report.rows().iter().any(|row| row.tags.values().any(|tag| *tag == app_id)));
}

/// Whoever had it then pays, by id and by tag.
#[tokio::test]
async fn what_is_handed_over_is_paid_by_whoever_has_it() {
    let stage = Stage::new();
    let shop = stage.one("acme", "shop");
    assert!(install(&shop, &package(), &sized(2)).await.is_success());
    let (id, tag) = (stage.id_of("shop"), format!("tag:{}", shop.view().await.expect("a view").app_id));
    stage.go_to("2026-11-11");
    let key = Key::from_bytes(b"another key: exactly 32 bytes!!!").expect("32 bytes");
    let key: Arc<dyn Cipher> = Arc::new(AesGcmCipher::new(key));
    let transfer = Transfer::open(&shop.export(&key, "sold").await.expect("a document"), &key).expect("a transfer");
    let site = stage.one("globex", "site");
    let receipt = site.import(&transfer, "bought").await.expect("a receipt");
    shop.hand_over(&receipt).await.expect("handed over");
    stage.go_to("2026-11-21");
    uninstall(&site).await;
    stage.go_to("2026-12-10");
    let report = stage.platform().cost(&Actor::new("host", "operator"), &november()).await.expect("a report");
    // 240 hours of two things at 0.20 each; setups were paid here, and come back there.
    assert_eq!(owners(&report), ["acme/shop: 120", "globex/site: 86", "-/-: 0"]);
    let rows = [
        ("1.00", "2026-11-02", id.as_str()),
        ("2.00", "2026-11-12", id.as_str()),
        ("4.00", "2026-11-02", tag.as_str()),
        ("8.00", "2026-11-12", tag.as_str()),
    ];
    let options = CostOptions { bill: Some(bill(&rows)), ..november() };
    let report = stage.platform().cost(&Actor::new("host", "operator"), &options).await.expect("a report");
    assert_eq!(owners(&report), ["acme/shop: 5", "globex/site: 10", "-/-: 0"]);
}

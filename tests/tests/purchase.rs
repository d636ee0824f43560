//! Applying a plan with a quote that was accepted, as whoever holds the engine sees it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use stackwright::{
    Error, ErrorKind, Result,
    event::Event,
    order::{
        Delivery, DeliveryStatus, Order, OrderRequest, OrderStage, OrderStatus, Refund, RefundRequest, Seller,
        SellerTraits,
    },
    plan::{Mode, Plan},
    pricing::{Decimal, Money, Period, Price, Prices, Quote, Tolerance},
    resource::{Context, Object, Outcome, QuoteAsk, QuoteItem, Resource, Traits},
    run::RunReport,
    schema::{Attribute, Schema},
    stack::{ApplyOptions, Engine, PlanOptions, Purchase, QuoteOptions, Stack},
    state::{
        MemoryStore, RunId, RunStatus,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Options, Template},
    value::{Type, Value},
};

fn money(amount: &str) -> Money {
    Money::new(amount, "CNY").expect("money")
}

/// What the machines and their seller remember.
#[derive(Debug, Default)]
struct Books {
    orders: BTreeMap<Arc<str>, (OrderRequest, OrderStatus)>,
    refunds: Vec<(Arc<str>, Arc<str>)>,
    /// The order line that each call came with.
    lines: Vec<(&'static str, String)>,
    /// On top of every price of a machine.
    extra: Decimal,
    /// Delivers nothing.
    is_slow: bool,
}

#[derive(Clone, Debug, Default)]
struct Market(Arc<Mutex<Books>>);

impl Market {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self, key: &str) -> Option<Order> {
        let books = self.books();
        let (request, status) = books.orders.get(key)?;
        let delivered = if books.is_slow { DeliveryStatus::Pending } else { DeliveryStatus::Delivered };
        let lines = request.lines.iter().map(|line| Delivery {
            key: Arc::clone(&line.key),
            id: format!("L:{}", line.key).into(),
            status: delivered.clone(),
        });
        let lines = lines.collect();
        Some(Order { id: format!("O:{key}").into(), key: key.into(), status: *status, due: request.due.clone(), lines })
    }

    fn known(&self, key: &str) -> Result<Order> {
        self.view(key).ok_or_else(|| Error::new(ErrorKind::NotFound, "market.unknown", "no such order"))
    }
}

#[async_trait]
impl Seller for Market {
    fn traits(&self) -> SellerTraits {
        let mut traits = SellerTraits::default();
        traits.poll_interval = Duration::from_millis(1);
        traits
    }

    async fn place(&self, _: &Context, order: &OrderRequest) -> Result<Order> {
        let new = || (order.clone(), OrderStatus::Unpaid);
        self.books().orders.entry(Arc::clone(&order.key)).or_insert_with(new);
        self.known(&order.key)
    }

    async fn find(&self, _: &Context, key: &str) -> Result<Option<Order>> {
        Ok(self.view(key))
    }

    async fn pay(&self, _: &Context, order: &Order) -> Result<Order> {
        if let Some((_, status)) = self.books().orders.get_mut(&order.key) {
            *status = OrderStatus::Paid;
        }
        self.known(&order.key)
    }

    async fn cancel(&self, _: &Context, order: &Order) -> Result<Order> {
        if let Some((_, status)) = self.books().orders.get_mut(&order.key) {
            *status = OrderStatus::Cancelled;
        }
        self.known(&order.key)
    }

    async fn refund(&self, _: &Context, refund: &RefundRequest) -> Result<Refund> {
        self.books().refunds.push((Arc::clone(&refund.line), Arc::clone(&refund.address)));
        Ok(Refund { amount: vec![money("1.00")] })
    }
}

/// A machine: 1.00 a core once, and 0.10 an hour; a bigger one is paid for when it becomes so.
#[derive(Debug)]
struct Machine(Market);

fn kept(planned: &Value, id: &str) -> Object {
    let part = |name: &'static str| (name, planned.attribute(name).cloned().expect("in the schema"));
    Object::new(id, Value::object([part("cores"), part("note"), ("id", Value::string(id))]))
}

#[async_trait]
impl Resource for Machine {
    fn schema(&self) -> Arc<Schema> {
        Arc::new(
            Schema::new(0)
                .attribute("cores", Attribute::required(Type::Number))
                .attribute("note", Attribute::optional(Type::String))
                .attribute("id", Attribute::computed(Type::String)),
        )
    }

    fn traits(&self) -> Traits {
        Traits { ready_at_once: true, ..Traits::default() }
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        self.0.books().lines.push(("create", ctx.info().order_line.clone().unwrap_or_default()));
        Outcome::complete(kept(&planned, &ctx.idempotency_key()))
    }

    async fn read(&self, _: &Context, object: &Object) -> Result<Option<Object>> {
        Ok(Some(object.clone()))
    }

    async fn update(&self, ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        self.0.books().lines.push(("update", ctx.info().order_line.clone().unwrap_or_default()));
        Outcome::complete(kept(&planned, &prior.id))
    }

    async fn delete(&self, ctx: &Context, _: &Object) -> Outcome {
        self.0.books().lines.push(("delete", ctx.info().order_line.clone().unwrap_or_default()));
        Outcome::gone()
    }

    async fn quote(&self, _: &Context, items: &[QuoteItem]) -> Result<Vec<Prices>> {
        let extra = self.0.books().extra;
        let cores = |value: &Value| {
            let cores = value.attribute("cores").and_then(Value::as_number).and_then(|cores| cores.to_i64());
            Decimal::whole(cores.unwrap_or_default())
        };
        let one = |item: &QuoteItem| {
            let now = cores(&item.object);
            let hourly = Money::of(now.times("0.10".parse()?, 2)?, &money("0").currency);
            let running = Price::recurring("running", Period::Hour, hourly);
            let once = |amount: Decimal| Price::once("setup", Money::of(amount, &money("0").currency));
            Ok(Prices::Known(match item.ask {
                QuoteAsk::Create => vec![running, once(now.plus(extra)?)],
                QuoteAsk::Change => {
                    let before = item.prior.as_ref().map(cores).unwrap_or(now);
                    let more = now.minus(before)?;
                    if more > Decimal::ZERO { vec![running, once(more)] } else { vec![running] }
                }
                QuoteAsk::Keep => vec![running],
                QuoteAsk::Refund => vec![once(now)],
            }))
        };
        items.iter().map(one).collect()
    }
}

/// Something that costs nothing.
#[derive(Debug)]
struct Zone;

#[async_trait]
impl Resource for Zone {
    fn schema(&self) -> Arc<Schema> {
        Arc::new(Schema::new(0).attribute("id", Attribute::computed(Type::String)))
    }

    fn traits(&self) -> Traits {
        Traits { free: true, ready_at_once: true, ..Traits::default() }
    }

    async fn create(&self, _: &Context, _: Value) -> Outcome {
        Outcome::complete(Object::new("z", Value::object([("id", Value::string("z"))])))
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
}

struct Host {
    market: Market,
    stack: Stack,
}

impl Host {
    fn open() -> Self {
        let market = Market::default();
        let engine = Engine::builder()
            .store(MemoryStore::new())
            .cipher(AesGcmCipher::new(Key::generate().expect("a key")))
            .resource("machine", Machine(market.clone()))
            .resource("zone", Zone)
            .seller(market.clone())
            .build()
            .expect("an engine");
        Self { market, stack: engine.stack("acme", "shop") }
    }

    async fn plan_as(&self, text: &str, mode: Mode) -> Plan {
        let (template, problems) = Template::parse(&Files::from_texts([("main.tf", text)]), &Options::default());
        assert_eq!(problems, []);
        self.stack.plan(&template, PlanOptions::default().mode(mode)).await.expect("a plan")
    }

    async fn plan(&self, text: &str) -> Plan {
        self.plan_as(text, Mode::Normal).await
    }

    async fn quote(&self, plan: &Plan) -> Quote {
        self.stack.quote(plan, QuoteOptions::default()).await.expect("a quote")
    }

    async fn apply(&self, plan: Plan, purchase: Option<Purchase>) -> Result<RunReport> {
        let options = ApplyOptions { purchase, ..ApplyOptions::default() };
        self.stack.apply(plan, options).await?.finish().await
    }

    /// Plans, quotes, accepts and applies.
    async fn buy(&self, text: &str) -> RunReport {
        let plan = self.plan(text).await;
        let purchase = Purchase::of(self.quote(&plan).await, QuoteOptions::default());
        let report = self.apply(plan, Some(purchase)).await.expect("a run");
        assert_eq!(report.status, RunStatus::Succeeded, "{:?}", report.problems);
        report
    }

    async fn refused(&self, plan: Plan, purchase: Option<Purchase>) -> Error {
        let error = self.apply(plan, purchase).await.expect_err("it is refused");
        assert!(self.market.books().orders.is_empty(), "nothing was ordered");
        assert_eq!(self.stack.runs(10).await.expect("runs"), [], "no run was begun");
        error
    }
}

fn machine(cores: u32, note: &str) -> String {
    format!(
        "resource \"machine\" \"main\" {{\n  cores = {cores}\n  note = \"{note}\"\n}}\nresource \"zone\" \"z\" {{}}\n"
    )
}

#[tokio::test]
async fn what_costs_money_needs_somebody_who_accepts() {
    let host = Host::open();
    let error = host.refused(host.plan(&machine(2, "")).await, None).await;
    assert_eq!(error.code(), "order.not_accepted");
    assert!(error.message().contains("`machine.main`"), "{error}");
    // What is free does not.
    let report = host.apply(host.plan("resource \"zone\" \"z\" {}\n").await, None).await.expect("a run");
    assert_eq!((report.status, report.orders.len()), (RunStatus::Succeeded, 0));
}

#[tokio::test]
async fn what_is_asked_must_be_what_was_accepted() {
    let host = Host::open();
    let plan = host.plan(&machine(2, "")).await;
    let accepted = host.quote(&plan).await;
    let purchase = || Purchase::of(accepted.clone(), QuoteOptions::default());

    host.market.books().extra = "0.10".parse().expect("a number");
    let error = host.refused(plan.clone(), Some(purchase())).await;
    assert_eq!(error.code(), "pricing.changed");
    assert!(error.message().contains("2.10 CNY is asked once; 2.00 CNY was accepted"), "{error}");
    let other = host.quote(&host.plan("resource \"machine\" \"other\" {\n  cores = 9\n}\n").await).await;
    let error = host.refused(plan.clone(), Some(Purchase::of(other, QuoteOptions::default()))).await;
    assert_eq!(error.code(), "pricing.changed", "a quote for something else, though it is more");
    let over = QuoteOptions { good_for: Duration::ZERO, ..QuoteOptions::default() };
    let over = host.stack.quote(&plan, over).await.expect("a quote");
    let error = host.refused(plan.clone(), Some(Purchase::of(over, QuoteOptions::default()))).await;
    assert_eq!(error.code(), "pricing.expired");

    // As much as was agreed to is paid, and what was accepted is what is ordered.
    let tolerant = purchase().tolerating(Tolerance { percent: Decimal::whole(5) });
    let report = host.apply(plan, Some(tolerant)).await.expect("a run");
    assert_eq!(report.status, RunStatus::Succeeded, "{:?}", report.problems);
    let books = host.market.books();
    let (order, _) = books.orders.values().next().expect("an order");
    assert_eq!((&order.due[..], &order.most[..]), (&[money("2.00")][..], &[money("2.10")][..]));
    assert_eq!(order.quote, accepted.hash);
}

#[tokio::test]
async fn an_object_is_bought_grows_and_is_paid_back() {
    let host = Host::open();
    let report = host.buy(&machine(2, "")).await;
    let rows = host.stack.state().await.expect("state").rows;
    let bought = rows.iter().find(|row| &*row.type_name == "machine").expect("the machine");
    let line = format!("L:{}", bought.object_id);
    assert_eq!(bought.order_lines, [Arc::from(line.as_str())]);
    {
        let books = host.market.books();
        let (order, status) = &books.orders[report.run.to_string().as_str()];
        assert_eq!((order.lines.len(), *status), (1, OrderStatus::Paid), "what is free has no line");
        let prices: Vec<_> = order.lines[0].prices.iter().map(|price| &*price.component).collect();
        assert_eq!(prices, ["running", "setup"]);
        assert_eq!(books.lines, [("create", line.clone())]);
    }
    // What changes no price is not ordered.
    let report = host.buy(&machine(2, "a note")).await;
    assert_eq!(report.orders, []);
    // What becomes dearer is.
    let report = host.buy(&machine(6, "a note")).await;
    assert_eq!(report.orders[0].due, [money("4.00")]);
    let change = format!("L:{}/{}", bought.object_id, report.run);
    let rows = host.stack.state().await.expect("state").rows;
    let grown = rows.iter().find(|row| &*row.type_name == "machine").expect("the machine");
    assert_eq!(grown.order_lines, [Arc::from(line.as_str()), Arc::from(change.as_str())]);
    assert_eq!(host.market.books().lines[1..], [("update", line.clone()), ("update", change.clone())]);
    // What becomes cheaper from then on is too: its price changes.
    let report = host.buy(&machine(1, "a note")).await;
    assert_eq!((report.orders.len(), &report.orders[0].due[..]), (1, &[][..]));
    let third = format!("L:{}/{}", bought.object_id, report.run);
    // Everything comes back when it is gone.
    let plan = host.plan_as(&machine(1, "a note"), Mode::Destroy).await;
    let report = host.apply(plan, None).await.expect("a run");
    assert_eq!(report.status, RunStatus::Succeeded, "{:?}", report.problems);
    let mut back: Vec<_> = host.market.books().refunds.iter().map(|(line, _)| line.to_string()).collect();
    back.sort();
    let mut all = vec![line, change, third];
    all.sort();
    assert_eq!(back, all);
    // The journal says the same as the report.
    let orders = host.stack.orders_of(report.run).await.expect("orders");
    assert_eq!(orders, report.orders);
    assert_eq!(orders[0].lines[0].refunded, Some(vec![money("1.00")]));
    let unknown = host.stack.orders_of(RunId::mint()).await.expect_err("no run");
    assert_eq!(unknown.code(), "run.unknown");
}

#[tokio::test]
async fn what_an_abandoned_run_bought_is_paid_back_by_who_asks() {
    let host = Host::open();
    host.market.books().is_slow = true;
    let plan = host.plan(&machine(2, "")).await;
    let purchase = Purchase::of(host.quote(&plan).await, QuoteOptions::default());
    let options = ApplyOptions { purchase: Some(purchase), ..ApplyOptions::default() };
    let mut run = host.stack.apply(plan, options).await.expect("a run");
    let (id, canceller) = (run.id(), run.canceller());
    while let Some(recorded) = run.next_event().await {
        if matches!(recorded.event, Event::OrderPaid { .. }) {
            canceller.cancel_now();
        }
    }
    let report = run.finish().await.expect("a report");
    assert_eq!((report.status, &report.orders[0].stage), (RunStatus::Running, &OrderStage::Paid));

    let early = host.stack.settle_orders(id).await.expect_err("it can be resumed");
    assert_eq!(early.code(), "run.unfinished");
    host.stack.abandon(id).await.expect("it is given up");
    assert_eq!(host.market.books().refunds, []);
    let orders = host.stack.settle_orders(id).await.expect("it is settled");
    assert_eq!(orders[0].lines[0].refunded, Some(vec![money("1.00")]));
    assert_eq!(host.market.books().refunds.len(), 1);
}

#[tokio::test]
async fn without_a_seller_nothing_can_be_bought() {
    let engine = Engine::builder()
        .store(MemoryStore::new())
        .cipher(AesGcmCipher::new(Key::generate().expect("a key")))
        .resource("machine", Machine(Market::default()))
        .build()
        .expect("an engine");
    let host = Host { market: Market::default(), stack: engine.stack("acme", "shop") };
    let plan = host.plan("resource \"machine\" \"main\" {\n  cores = 1\n}\n").await;
    let purchase = Purchase::of(host.quote(&plan).await, QuoteOptions::default());
    assert_eq!(host.refused(plan.clone(), Some(purchase)).await.code(), "order.no_seller");
    assert_eq!(host.apply(plan, None).await.expect("a run").status, RunStatus::Succeeded, "nobody asks for money");
}

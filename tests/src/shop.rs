//! A shop in the world: takes orders and money, delivers when it likes, and fails on purpose.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use stackwright::{
    error::{Error, ErrorKind, Result, Retry},
    order::{
        Delivery, DeliveryStatus, Order, OrderFact, OrderLine, OrderRequest, OrderStatus, Purpose, Refund,
        RefundReason, RefundRequest, Seller, SellerTraits,
    },
    plan::StepAction,
    pricing::Money,
    resource::Context,
    run::Fact,
};

use crate::{
    scene::Scene,
    world::{World, strike},
};

/// What the shop knows.
#[derive(Debug, Default)]
pub(crate) struct ShopState {
    is_open: bool,
    orders: BTreeMap<String, Sold>,
    /// Addresses of which nothing is left.
    sold_out: Vec<String>,
    /// Addresses that are neither delivered nor refused.
    slow: Vec<String>,
    /// Asked on top of every order.
    surcharge: Option<Money>,
    /// Refuses to pay these addresses back.
    keeps: Vec<String>,
    /// Takes nobody's money.
    is_choosy: bool,
    /// Answers nobody.
    is_closed: bool,
}

/// An order of the shop.
#[derive(Clone, Debug)]
pub struct Sold {
    /// Whether it was paid or taken back.
    pub status: OrderStatus,
    /// How often money was taken for it.
    pub payments: u32,
    /// Its lines by key.
    pub lines: BTreeMap<String, SoldLine>,
    due: Vec<Money>,
    /// How often somebody has to look until everything is delivered.
    looks: u32,
}

/// A line of an order of the shop.
#[derive(Clone, Debug)]
pub struct SoldLine {
    /// What the shop calls it.
    pub id: String,
    /// The object.
    pub object: String,
    /// Where it stands.
    pub address: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether it was delivered.
    pub is_delivered: bool,
    /// Why it was paid back, each time that it was.
    pub refunds: Vec<RefundReason>,
    due: Vec<Money>,
}

impl ShopState {
    fn line(&mut self, id: &str) -> Option<&mut SoldLine> {
        self.orders.values_mut().flat_map(|order| order.lines.values_mut()).find(|line| line.id == id)
    }
}

impl World {
    /// Opens the shop; what exists already was bought there.
    pub fn open_shop(&self, scene: &Scene) {
        let mut inner = self.inner();
        inner.shop.is_open = true;
        let lines = scene.rows.iter().filter(|row| !row.order_lines.is_empty()).map(|row| {
            let object = row.object_id.to_string();
            let line = SoldLine {
                id: row.order_lines[0].to_string(),
                object: object.clone(),
                address: row.address.to_string(),
                purpose: Purpose::Create,
                is_delivered: true,
                refunds: Vec::new(),
                due: vec![price("7.00")],
            };
            (object, line)
        });
        let lines = lines.collect();
        let sold = Sold { status: OrderStatus::Paid, payments: 1, lines, due: vec![price("7.00")], looks: 0 };
        inner.shop.orders.insert("before".to_owned(), sold);
    }

    /// Lets the shop have nothing of what is wanted at an address.
    pub fn sell_out(&self, address: &str) {
        self.inner().shop.sold_out.push(address.to_owned());
    }

    /// Lets the shop never deliver what is wanted at an address, nor say that it will not.
    pub fn dawdle(&self, address: &str) {
        self.inner().shop.slow.push(address.to_owned());
    }

    /// Lets the shop ask for more than it quoted.
    pub fn ask_more(&self, amount: &str) {
        self.inner().shop.surcharge = Some(price(amount));
    }

    /// Lets the shop refuse to pay an address back.
    pub fn keep_money(&self, address: &str) {
        self.inner().shop.keeps.push(address.to_owned());
    }

    /// Lets the shop take nobody's money.
    pub fn refuse_money(&self) {
        self.inner().shop.is_choosy = true;
    }

    /// Lets the shop answer nobody, or answer again.
    pub fn go_on_strike(&self, is_closed: bool) {
        self.inner().shop.is_closed = is_closed;
    }

    /// Returns the orders of the shop by key.
    pub fn sold(&self) -> BTreeMap<String, Sold> {
        self.inner().shop.orders.clone()
    }

    /// Complains where something is made that was not paid for.
    pub(crate) fn check_paid(&self, ctx: &Context) {
        let mut inner = self.inner();
        if !inner.shop.is_open {
            return;
        }
        let id = ctx.info().order_line.clone().unwrap_or_default();
        let is_paid = inner.shop.line(&id).is_some_and(|line| line.is_delivered && line.refunds.is_empty());
        drop(inner);
        if !is_paid {
            self.complain(format!("{} is made and `{id}` is not delivered", ctx.info().address));
        }
    }
}

/// Returns an amount of the currency of the shop.
pub fn price(amount: &str) -> Money {
    Money::new(amount, "CNY").expect("an amount")
}

/// Returns the orders of a scene: everything that is made or changed costs 10, and what is of `apart` is ordered by itself.
pub fn orders(scene: &Scene, run: stackwright::state::RunId, apart: &str) -> Vec<OrderRequest> {
    let lines = scene.plan.steps.iter().filter_map(|step| {
        let object_id = step.object_id?;
        let (purpose, key) = match step.action {
            StepAction::Create => (Purpose::Create, object_id.to_string()),
            StepAction::Update => (Purpose::Change, format!("{object_id}/{run}")),
            _ => return None,
        };
        Some(OrderLine {
            key: key.into(),
            object_id,
            address: step.address.to_string().into(),
            type_name: Arc::clone(&step.address.resource.type_name),
            purpose,
            prices: Vec::new(),
            due: vec![price("10.00")],
        })
    });
    let (apart, together): (Vec<_>, Vec<_>) = lines.partition(|line| &*line.type_name == apart);
    let order = |key: Arc<str>, apart: bool, lines: Vec<OrderLine>| {
        let due = vec![price(&format!("{}.00", 10 * lines.len()))];
        OrderRequest { key, apart, most: due.clone(), due, lines, quote: "accepted".into() }
    };
    let mut orders = Vec::new();
    if !together.is_empty() {
        orders.push(order(run.to_string().into(), false, together));
    }
    orders.extend(apart.into_iter().map(|line| order(Arc::clone(&line.key), true, vec![line])));
    orders
}

/// The shop's door.
#[derive(Debug)]
pub struct Shop {
    world: Arc<World>,
}

impl Shop {
    /// Returns the shop of a world.
    pub fn new(world: &Arc<World>) -> Self {
        Self { world: Arc::clone(world) }
    }

    /// Complains unless what is about to happen was written down.
    async fn check_written(&self, what: &str, is_it: impl Fn(&OrderFact) -> bool) {
        let journal = self.world.journal().await;
        let is_written = journal.iter().any(|fact| matches!(fact, Fact::Order { fact } if is_it(fact)));
        if !is_written {
            self.world.complain(format!("the shop was asked to {what} before that was written down"));
        }
    }

    fn view(&self, key: &str) -> Option<Order> {
        self.world.inner().shop.orders.get(key).map(|sold| as_order(key, sold))
    }

    /// Begins a call, looks whether what it is about was written down, and strikes before its effect.
    async fn begin(
        &self,
        ctx: &Context,
        verb: &'static str,
        is_it: impl Fn(&OrderFact) -> bool,
    ) -> Result<Option<crate::world::Fault>> {
        let fault = self.world.begin(ctx, verb);
        self.check_written(verb, is_it).await;
        self.world.linger(ctx, verb, 0).await;
        if self.world.inner().shop.is_closed {
            return Err(refused("nobody is here").retry(Retry::WithBackoff));
        }
        match strike(fault, true).await {
            Some(error) => Err(error),
            None => Ok(fault),
        }
    }
}

fn as_order(key: &str, sold: &Sold) -> Order {
    let lines = sold.lines.iter().map(|(key, line)| Delivery {
        key: key.as_str().into(),
        id: line.id.as_str().into(),
        status: match (line.refunds.is_empty(), line.is_delivered, sold.looks) {
            (false, ..) => DeliveryStatus::Refunded,
            (true, true, _) => DeliveryStatus::Delivered,
            (true, false, 0) if sold.status == OrderStatus::Paid => {
                DeliveryStatus::Failed { reason: "sold out".into() }
            }
            _ => DeliveryStatus::Pending,
        },
    });
    Order {
        id: format!("O-{key}").into(),
        key: key.into(),
        status: sold.status,
        due: sold.due.clone(),
        lines: lines.collect(),
    }
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::Conflict, "shop.refused", message).retry(Retry::No)
}

#[async_trait]
impl Seller for Shop {
    fn traits(&self) -> SellerTraits {
        let mut traits = SellerTraits::default();
        traits.call_timeout = Duration::from_secs(3);
        traits.poll_interval = Duration::from_millis(50);
        traits.delivery_timeout = Duration::from_secs(20);
        traits.patience = Duration::from_secs(30);
        traits
    }

    async fn place(&self, ctx: &Context, order: &OrderRequest) -> Result<Order> {
        let is_it = |fact: &OrderFact| matches!(fact, OrderFact::Placing { key } if *key == order.key);
        let fault = self.begin(ctx, "place", is_it).await?;
        {
            let shop = &mut self.world.inner().shop;
            let mut due = order.due.clone();
            if let Some(more) = &shop.surcharge {
                due[0] = due[0].plus(more).expect("one currency");
            }
            let number = shop.orders.len();
            let lines = order.lines.iter().enumerate().map(|(idx, line)| {
                let sold = SoldLine {
                    id: format!("L-{number}-{idx}"),
                    object: line.object_id.to_string(),
                    address: line.address.to_string(),
                    purpose: line.purpose,
                    is_delivered: false,
                    refunds: Vec::new(),
                    due: line.due.clone(),
                };
                (line.key.to_string(), sold)
            });
            let sold = Sold { status: OrderStatus::Unpaid, payments: 0, lines: lines.collect(), due, looks: 3 };
            shop.orders.entry(order.key.to_string()).or_insert(sold);
        }
        self.world.touch(ctx).await;
        match strike(fault, false).await {
            Some(error) => Err(error),
            None => self.view(&order.key).ok_or_else(|| refused("it is gone")),
        }
    }

    async fn find(&self, ctx: &Context, key: &str) -> Result<Option<Order>> {
        let _ = self.begin(ctx, "find", |_| true).await?;
        let shop = &mut self.world.inner().shop;
        let (sold_out, slow) = (shop.sold_out.clone(), shop.slow.clone());
        let Some(sold) = shop.orders.get_mut(key) else { return Ok(None) };
        if sold.status == OrderStatus::Paid {
            let is_slow = sold.lines.values().any(|line| slow.contains(&line.address));
            sold.looks = sold.looks.saturating_sub(1).max(u32::from(is_slow));
            // What is there comes piece by piece.
            let mut waiting = sold.lines.values_mut().filter(|line| !line.is_delivered && line.refunds.is_empty());
            let all = sold.looks == 0;
            for line in waiting.by_ref().take(if all { usize::MAX } else { 2 }) {
                line.is_delivered = !sold_out.contains(&line.address) && !slow.contains(&line.address);
            }
        }
        Ok(Some(as_order(key, sold)))
    }

    async fn pay(&self, ctx: &Context, order: &Order) -> Result<Order> {
        let is_it = |fact: &OrderFact| matches!(fact, OrderFact::Paying { key } if *key == order.key);
        let fault = self.begin(ctx, "pay", is_it).await?;
        {
            let shop = &mut self.world.inner().shop;
            if shop.is_choosy {
                return Err(refused("your money is not good here"));
            }
            let Some(sold) = shop.orders.get_mut(&*order.key) else { return Err(refused("there is no such order")) };
            match sold.status {
                OrderStatus::Unpaid => {
                    sold.status = OrderStatus::Paid;
                    sold.payments += 1;
                }
                OrderStatus::Paid => {}
                OrderStatus::Cancelled => return Err(refused("it was taken back")),
            }
        }
        self.world.touch(ctx).await;
        match strike(fault, false).await {
            Some(error) => Err(error),
            None => self.view(&order.key).ok_or_else(|| refused("it is gone")),
        }
    }

    async fn cancel(&self, ctx: &Context, order: &Order) -> Result<Order> {
        let is_it = |fact: &OrderFact| matches!(fact, OrderFact::Cancelling { key, .. } if *key == order.key);
        let fault = self.begin(ctx, "cancel", is_it).await?;
        {
            let shop = &mut self.world.inner().shop;
            let Some(sold) = shop.orders.get_mut(&*order.key) else { return Err(refused("there is no such order")) };
            if sold.status == OrderStatus::Unpaid {
                sold.status = OrderStatus::Cancelled;
            }
        }
        self.world.touch(ctx).await;
        match strike(fault, false).await {
            Some(error) => Err(error),
            None => self.view(&order.key).ok_or_else(|| refused("it is gone")),
        }
    }

    async fn refund(&self, ctx: &Context, refund: &RefundRequest) -> Result<Refund> {
        let is_it = |fact: &OrderFact| matches!(fact, OrderFact::Refunding { refund: written } if written == refund);
        let fault = self.begin(ctx, "refund", is_it).await?;
        let object = refund.object_id.to_string();
        let amount = {
            let mut inner = self.world.inner();
            let is_there = inner.things.values().any(|thing| thing.key == object);
            let keeps = inner.shop.keeps.contains(&refund.address.to_string());
            let line = inner.shop.line(&refund.line);
            let complaint = match &line {
                None => Some("is not known"),
                // A change that came to nothing is paid back, and its object stays.
                Some(line) if is_there && line.purpose == Purpose::Create => {
                    Some("is paid back, and its object is there")
                }
                Some(_) => None,
            };
            let amount = line.filter(|_| !keeps).map(|line| {
                if line.refunds.is_empty() {
                    line.refunds.push(refund.reason);
                }
                line.due.clone()
            });
            drop(inner);
            if let Some(complaint) = complaint {
                self.world.complain(format!("`{}` of {} {complaint}", refund.line, refund.address));
            }
            amount
        };
        let Some(amount) = amount else { return Err(refused("no refunds on Sundays")) };
        self.world.touch(ctx).await;
        match strike(fault, false).await {
            Some(error) => Err(error),
            None => Ok(Refund { amount }),
        }
    }
}

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::OrderRequest;
use crate::{error::Result, pricing::Money, resource::Context, state::ObjectId};

/// How far an order is, as its seller says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// It is placed and not paid. Nothing is delivered, and nothing is owed.
    Unpaid,
    /// It is paid.
    Paid,
    /// It was taken back before it was paid.
    Cancelled,
}

/// An order as its seller knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// What the seller calls it.
    pub id: Arc<str>,
    /// The key that it was placed with.
    pub key: Arc<str>,
    /// How far it is.
    pub status: OrderStatus,
    /// What is to be paid now, once for each currency.
    pub due: Vec<Money>,
    /// Its lines: each of the request, in any order.
    pub lines: Vec<Delivery>,
}

/// A line of an order as its seller knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// The key of the line in the request.
    pub key: Arc<str>,
    /// What the seller calls it; unique among all lines of the seller. Resource types see it as the order line that pays,
    /// rows remember it, and refunds name it.
    pub id: Arc<str>,
    /// How far it is.
    pub status: DeliveryStatus,
}

/// How far a line of an order is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case", deny_unknown_fields)]
pub enum DeliveryStatus {
    /// Not delivered yet.
    Pending,
    /// What it pays for may be made.
    Delivered,
    /// It will never be delivered. It is to be paid back like any other that is not used.
    Failed {
        /// Why, for people. Free of secrets.
        reason: Arc<str>,
    },
    /// It was paid back.
    Refunded,
}

/// Why something is paid back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundReason {
    /// It was paid and never delivered.
    Undelivered,
    /// It was delivered, and what it was for was not made.
    Unused,
    /// What it was for existed and is gone.
    Removed,
}

/// A line that is to be paid back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundRequest {
    /// The key of this refund: the same for every repeat. A line is paid back once.
    pub key: Arc<str>,
    /// The line, as the seller calls it.
    pub line: Arc<str>,
    /// The object that it was for.
    pub object_id: ObjectId,
    /// Where that stood.
    pub address: Arc<str>,
    /// Why.
    pub reason: RefundReason,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    /// How much, once for each currency; nothing where nothing was due.
    pub amount: Vec<Money>,
}

/// What a seller promises beyond the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SellerTraits {
    /// How long one call may take.
    pub call_timeout: Duration,
    /// How often a paid order is looked at until all of its lines are delivered.
    pub poll_interval: Duration,
    /// How long lines may take to be delivered, counted anew after a crash; those that took longer count as not delivered.
    pub delivery_timeout: Duration,
    /// How long a seller that does not answer is asked again before the run pauses.
    pub patience: Duration,
}

impl Default for SellerTraits {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_mins(1),
            poll_interval: Duration::from_secs(2),
            delivery_timeout: Duration::from_mins(30),
            patience: Duration::from_mins(5),
        }
    }
}

/// Who takes orders and money: implemented by the host, over whatever sells in its cloud.
///
/// Every verb is repeated after a crash, a lost reply or a time-out, with the same keys, and must then do nothing again and
/// return what it returned, or what became of it since. An order with another key is another order.
///
/// # Errors
/// A refusal is an error without effect that says not to retry (`Effect::None`, `Retry::No`): no money, sold out, price not
/// valid any more. It fails the run, with its code and message. Everything else is repeated with growing pauses as long as
/// [`SellerTraits::patience`] lasts; then the run pauses, and resuming it goes on.
///
/// # Cancellation
/// As for resource types: a call is told through [`Context::is_cancelled`] when nobody wants to wait any longer.
#[async_trait]
pub trait Seller: fmt::Debug + Send + Sync + 'static {
    /// Returns what the seller promises beyond the contract.
    fn traits(&self) -> SellerTraits {
        SellerTraits::default()
    }

    /// Places an order, without paying it. With a key that was placed before, returns that order as it is now.
    async fn place(&self, ctx: &Context, order: &OrderRequest) -> Result<Order>;

    /// Returns the order with this key; `None` where there is none.
    async fn find(&self, ctx: &Context, key: &str) -> Result<Option<Order>>;

    /// Pays an order. One that is paid stays so.
    async fn pay(&self, ctx: &Context, order: &Order) -> Result<Order>;

    /// Takes an order back that is not paid, and returns it as it then is; one that is paid stays so.
    async fn cancel(&self, ctx: &Context, order: &Order) -> Result<Order>;

    /// Pays a line back. One that was not delivered yet will not be delivered any more; one that was paid back already stays
    /// so, and what came back then is returned.
    async fn refund(&self, ctx: &Context, refund: &RefundRequest) -> Result<Refund>;
}

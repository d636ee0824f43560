use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use stackwright::{
    error::{Error, ErrorKind, Result},
    order::{
        Delivery, DeliveryStatus, Order, OrderLine, OrderRequest, OrderStatus, Purpose, Refund, RefundRequest, Seller,
    },
    pricing::{Confidence, Money},
    resource::Context,
};

use crate::{
    api::{Api, Connection},
    error::{Purpose as Reason, garbled},
};

/// Takes orders for the pretend cloud, whose knob `sells` says that things have to be ordered and paid first.
///
/// # Examples
/// ```
/// let seller = stackwright_provider_sandbox::Shop::at("http://127.0.0.1:7070")?;
/// let engine = stackwright::stack::Engine::builder()
///     .provider(stackwright_provider_sandbox::provider())
///     .seller(seller);
/// # let _ = engine;
/// # Ok::<(), stackwright::Error>(())
/// ```
#[derive(Debug)]
pub struct Shop {
    cloud: Connection,
}

impl Shop {
    /// Returns the shop of the cloud that listens at `endpoint`, such as `http://127.0.0.1:7070`.
    ///
    /// # Errors
    /// `sandbox.endpoint` where that is no such address.
    pub fn at(endpoint: &str) -> Result<Self> {
        Ok(Self { cloud: Api::default().connect_to(endpoint, None, None)? })
    }

    /// The same for a cloud that asks for a token.
    ///
    /// # Errors
    /// As [`Shop::at`]; also where the token holds what no header may.
    pub fn with_token(endpoint: &str, token: &str) -> Result<Self> {
        Ok(Self { cloud: Api::default().connect_to(endpoint, Some(token), None)? })
    }
}

/// Returns what the cloud wants to be shown for a line.
fn price(line: &OrderLine) -> Result<&str> {
    let tokens = line.prices.iter().find_map(|price| match &price.confidence {
        Confidence::Firm { token, .. } => token.as_deref(),
        _ => None,
    });
    tokens.ok_or_else(|| {
        let message = format!("`{}` was not priced by the sandbox, which cannot sell it", line.address);
        Error::new(ErrorKind::InvalidInput, "sandbox.invalid", message)
    })
}

fn money(answer: &Json, name: &str) -> Option<Vec<Money>> {
    let amount = Money::new(answer[name].as_str()?, answer["currency"].as_str()?).ok()?;
    Some(if amount.amount.is_zero() { Vec::new() } else { vec![amount] })
}

fn understand(answer: &Json) -> Result<Order> {
    let read = || {
        let text = |value: &Json| value.as_str().map(Arc::<str>::from);
        let line = |line: &Json| {
            let status = match line["status"].as_str()? {
                "pending" => DeliveryStatus::Pending,
                "delivered" => DeliveryStatus::Delivered,
                "refunded" => DeliveryStatus::Refunded,
                "failed" => DeliveryStatus::Failed { reason: text(&line["reason"])? },
                _ => return None,
            };
            Some(Delivery { key: text(&line["key"])?, id: text(&line["id"])?, status })
        };
        Some(Order {
            id: text(&answer["id"])?,
            key: text(&answer["token"])?,
            status: match answer["status"].as_str()? {
                "unpaid" => OrderStatus::Unpaid,
                "paid" => OrderStatus::Paid,
                "cancelled" => OrderStatus::Cancelled,
                _ => return None,
            },
            due: money(answer, "due")?,
            lines: answer["lines"].as_array()?.iter().map(line).collect::<Option<_>>()?,
        })
    };
    read().ok_or_else(|| garbled("not with an order", Reason::Change))
}

#[async_trait]
impl Seller for Shop {
    async fn place(&self, _ctx: &Context, order: &OrderRequest) -> Result<Order> {
        let lines: Result<Vec<_>> = order
            .lines
            .iter()
            .map(|line| {
                let is_change = line.purpose == Purpose::Change;
                Ok(json!({ "key": line.key, "price": price(line)?, "is_change": is_change }))
            })
            .collect();
        let body = json!({ "token": order.key, "lines": lines? });
        understand(&self.cloud.post("orders", &body).await?)
    }

    async fn find(&self, _ctx: &Context, key: &str) -> Result<Option<Order>> {
        self.cloud
            .items(&format!("orders?token={}", crate::api::escape(key)))
            .await?
            .first()
            .map(understand)
            .transpose()
    }

    async fn pay(&self, _ctx: &Context, order: &Order) -> Result<Order> {
        understand(&self.cloud.post(&format!("orders/{}/pay", order.id), &json!({})).await?)
    }

    async fn cancel(&self, _ctx: &Context, order: &Order) -> Result<Order> {
        understand(&self.cloud.post(&format!("orders/{}/cancel", order.id), &json!({})).await?)
    }

    async fn refund(&self, _ctx: &Context, refund: &RefundRequest) -> Result<Refund> {
        let path = format!("order-lines/{}/refund", refund.line);
        let answer = self.cloud.post(&path, &json!({ "token": refund.key })).await?;
        let amount = money(&answer, "amount").ok_or_else(|| garbled("not with an amount", Reason::Change))?;
        Ok(Refund { amount })
    }
}

//! Orders: placed, paid, delivered after a while, paid back.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    chance::Chance,
    cloud::Answer,
    kind::Kind,
    knobs::Knobs,
    price::{self, Amount, CURRENCY},
    problem::Problem,
};

/// An order, with all that is known of it; never forgotten.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    pub(crate) id: String,
    /// The idempotency token that it was placed with.
    pub(crate) token: String,
    due: Amount,
    pub(crate) lines: Vec<OrderLine>,
    placed_at_ms: u64,
    /// When it was paid; never twice.
    pub(crate) paid_at_ms: Option<u64>,
    cancelled_at_ms: Option<u64>,
    /// How long each line takes, one after another.
    delivery_ms: u64,
}

/// A line of an order: one thing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderLine {
    pub(crate) id: String,
    key: String,
    pub(crate) kind: Kind,
    due: Amount,
    /// Nothing of it is left.
    is_sold_out: bool,
    /// The thing that was made with it.
    pub(crate) used_by: Option<String>,
    /// What came back.
    refunded: Option<Amount>,
}

impl Order {
    fn status(&self) -> &'static str {
        match (self.paid_at_ms, self.cancelled_at_ms) {
            (Some(_), _) => "paid",
            (None, Some(_)) => "cancelled",
            (None, None) => "unpaid",
        }
    }

    /// Returns how a line stands.
    pub(crate) fn line_status(&self, idx: usize, now: u64) -> &'static str {
        let Some(line) = self.lines.get(idx) else { return "pending" };
        let due = self.paid_at_ms.map(|paid| paid + self.delivery_ms * (idx as u64 + 1));
        match due {
            _ if line.refunded.is_some() => "refunded",
            Some(due) if due <= now && line.is_sold_out => "failed",
            Some(due) if due <= now => "delivered",
            _ => "pending",
        }
    }

    pub(crate) fn view(&self, now: u64) -> Value {
        let lines = self.lines.iter().enumerate().map(|(idx, line)| {
            json!({
                "id": line.id,
                "key": line.key,
                "kind": line.kind.spec().path,
                "status": self.line_status(idx, now),
                "reason": line.is_sold_out.then_some("sold out"),
                "used_by": line.used_by,
                "refunded": line.refunded.map(price::text),
            })
        });
        json!({
            "id": self.id,
            "token": self.token,
            "status": self.status(),
            "due": price::text(self.due),
            "currency": CURRENCY,
            "lines": lines.collect::<Vec<_>>(),
        })
    }
}

/// Returns the order that a request asks for.
pub(crate) fn place(chance: &Chance, knobs: &Knobs, body: &Value, now: u64) -> Result<Order, Problem> {
    let token = body["token"].as_str().filter(|token| !token.is_empty());
    let Some(token) = token else { return Err(Problem::invalid("an order has a `token`")) };
    let asked = body["lines"].as_array().filter(|lines| !lines.is_empty());
    let Some(asked) = asked else { return Err(Problem::invalid("an order has `lines`")) };
    let id = format!("ord-{:012x}", chance.fixed(&format!("order {token}")) & 0xffff_ffff_ffff);
    let mut lines = Vec::new();
    for (idx, line) in asked.iter().enumerate() {
        let (Some(key), Some(shown)) = (line["key"].as_str(), line["price"].as_str()) else {
            return Err(Problem::invalid("a line has a `key` and the token of a `price`"));
        };
        let (kind, due) = price::redeem(chance, shown)?;
        lines.push(OrderLine {
            id: format!("{id}-{idx}"),
            key: key.to_owned(),
            kind,
            // A change is of what was paid for before.
            due: if line["is_change"].as_bool() == Some(true) { 0 } else { due },
            is_sold_out: knobs.sold_out.iter().any(|sold_out| sold_out == kind.spec().path),
            used_by: None,
            refunded: None,
        });
    }
    let surcharge = price::parse(&knobs.surcharge).unwrap_or_default();
    Ok(Order {
        due: lines.iter().map(|line| line.due).sum::<Amount>() + surcharge,
        id,
        token: token.to_owned(),
        lines,
        placed_at_ms: now,
        paid_at_ms: None,
        cancelled_at_ms: None,
        delivery_ms: knobs.delivery_ms,
    })
}

/// Pays an order; one that is paid stays so.
pub(crate) fn pay(order: &mut Order, knobs: &Knobs, now: u64) -> Result<(), Problem> {
    if order.cancelled_at_ms.is_some() {
        return Err(Problem::in_use(format!("the order `{}` was taken back", order.id)));
    }
    if order.paid_at_ms.is_none() && knobs.refuse_payments {
        return Err(Problem::unpaid("there is no money on the account"));
    }
    order.paid_at_ms.get_or_insert(now);
    Ok(())
}

/// Takes an order back that is not paid.
pub(crate) fn cancel(order: &mut Order, now: u64) {
    if order.paid_at_ms.is_none() {
        order.cancelled_at_ms.get_or_insert(now);
    }
}

/// Pays a line back: all of it where it was never used, half otherwise. Whether what it was used for is gone is the caller's
/// to know.
pub(crate) fn refund(order: &mut Order, idx: usize) -> Answer {
    if order.paid_at_ms.is_none() {
        return Err(Problem::in_use(format!("the order `{}` is not paid", order.id)));
    }
    let Some(line) = order.lines.get_mut(idx) else { return Err(Problem::not_found("there is no such order line")) };
    let back = if line.used_by.is_some() { line.due / 2 } else { line.due };
    let back = *line.refunded.get_or_insert(back);
    Ok((200, json!({ "id": line.id, "amount": price::text(back), "currency": CURRENCY })))
}

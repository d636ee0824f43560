use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use stackwright::{
    error::Result,
    pricing::{Confidence, Money, Period, Price, Prices},
    resource::{QuoteAsk, QuoteItem},
    value::{Value, to_json_value},
};

use crate::{
    api::Connection,
    error::{Purpose, garbled},
};

/// Asks the cloud what things of a kind cost, all in one request. `names` are the properties that prices depend on; nothing
/// else is sent.
pub(crate) async fn ask(cloud: &Connection, kind: &str, names: &[&str], items: &[QuoteItem]) -> Result<Vec<Prices>> {
    let asked: Vec<_> =
        items.iter().map(|item| json!({ "kind": kind, "properties": known(&item.object, names) })).collect();
    let answer = cloud.post("prices", &json!({ "items": asked })).await?;
    let answers = answer["items"].as_array().filter(|answers| answers.len() == items.len());
    let answers = answers.ok_or_else(|| garbled("not with as many prices", Purpose::Look))?;
    items.iter().zip(answers).map(|(item, answer)| prices(item.ask, answer)).collect()
}

/// Returns what is known of the properties that matter.
fn known(object: &Value, names: &[&str]) -> Map<String, Json> {
    let known = names.iter().filter_map(|name| {
        let value = object.attribute(name).filter(|value| value.is_wholly_known())?;
        Some(((*name).to_owned(), to_json_value(value).ok()?))
    });
    known.filter(|(_, value)| !value.is_null()).collect()
}

fn prices(ask: QuoteAsk, answer: &Json) -> Result<Prices> {
    if let Some(reason) = answer["unknown"].as_str() {
        return Ok(Prices::unknown(reason));
    }
    let Some(list) = answer["prices"].as_array() else {
        return Err(garbled("not with prices", Purpose::Look));
    };
    let mut prices = Vec::new();
    for price in list {
        let text = |name: &str| price[name].as_str();
        let (Some(component), Some(charge), Some(amount), Some(currency)) =
            (text("component"), text("charge"), text("amount"), text("currency"))
        else {
            return Err(garbled("not with prices", Purpose::Look));
        };
        let amount = Money::new(amount, currency)?;
        let made = match (charge, ask) {
            ("hour", QuoteAsk::Create | QuoteAsk::Change | QuoteAsk::Keep) => {
                Price::recurring(component, Period::Hour, amount)
            }
            ("month", QuoteAsk::Create | QuoteAsk::Change | QuoteAsk::Keep) => {
                Price::recurring(component, Period::Month, amount)
            }
            ("once", QuoteAsk::Create) => Price::once(component, amount),
            // Half of what was paid once comes back.
            ("once", QuoteAsk::Refund) => {
                let half = amount.amount.times("0.5".parse()?, amount.currency.minor_digits())?;
                Price::once(component, Money::of(half, &amount.currency))
            }
            _ => continue,
        };
        let made = match text("spec").filter(|spec| !spec.is_empty()) {
            Some(spec) => made.spec(spec),
            None => made,
        };
        let confidence = Confidence::Firm { until: None, token: text("token").map(Arc::from) };
        prices.push(Price { confidence, ..made });
    }
    Ok(Prices::Known(prices))
}

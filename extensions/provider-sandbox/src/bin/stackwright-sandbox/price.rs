//! What things cost. Amounts are decimal text; the cloud computes in ten-thousandths.

use serde_json::{Map, Value, json};

use crate::{catalogue, chance::Chance, kind::Kind, problem::Problem};

pub(crate) const CURRENCY: &str = "USD";

/// Ten-thousandths of the currency.
pub(crate) type Amount = u64;

/// When a price is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charge {
    Once,
    Hour,
    Month,
}

impl Charge {
    const fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Hour => "hour",
            Self::Month => "month",
        }
    }
}

#[derive(Debug)]
struct Price {
    component: &'static str,
    charge: Charge,
    amount: Amount,
    spec: String,
}

/// Returns an amount as text.
pub(crate) fn text(amount: Amount) -> String {
    format!("{}.{:04}", amount / 10_000, amount % 10_000)
}

/// Reads an amount.
pub(crate) fn parse(text: &str) -> Option<Amount> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || rest.len() > 4 || !is_plain(whole) || !is_plain(rest) {
        return None;
    }
    let whole: Amount = whole.parse().ok()?;
    let rest: Amount = format!("{rest:0<4}").parse().ok()?;
    whole.checked_mul(10_000)?.checked_add(rest)
}

/// Returns whether things of a kind cost anything.
pub(crate) const fn is_sold(kind: Kind) -> bool {
    matches!(kind, Kind::Instance | Kind::Volume | Kind::Bucket | Kind::Database | Kind::Cluster)
}

/// Returns the prices of a thing; an error in words where they cannot be said.
fn prices(kind: Kind, properties: &Map<String, Value>) -> Result<Vec<Price>, String> {
    let number = |name: &str, default: u64| match properties.get(name) {
        None => Ok(default),
        Some(value) => value.as_u64().ok_or_else(|| format!("`{name}` is not known")),
    };
    let hourly = |name: &str| {
        let size = properties.get(name).and_then(Value::as_str).ok_or_else(|| format!("`{name}` is not known"))?;
        let known = catalogue::find(size).ok_or_else(|| format!("there is no size `{size}`"))?;
        Ok::<_, String>((known.hourly_price(), size.to_owned()))
    };
    let price = |component, charge, amount, spec: String| Price { component, charge, amount, spec };
    Ok(match kind {
        Kind::Instance => {
            let (amount, size) = hourly("instance_type")?;
            vec![price("instance", Charge::Hour, amount, size)]
        }
        Kind::Volume => {
            let size = number("size_gb", 0)?;
            vec![price("disk", Charge::Month, 1_000 * size, format!("{size} GB"))]
        }
        Kind::Bucket => vec![price("bucket", Charge::Month, 5_000, String::new())],
        Kind::Database => {
            let (amount, size) = hourly("instance_type")?;
            let storage = number("storage_gb", 20)?;
            vec![
                price("instance", Charge::Hour, amount, size),
                price("license", Charge::Once, 200_000, String::new()),
                price("storage", Charge::Month, 1_200 * storage, format!("{storage} GB")),
            ]
        }
        Kind::Cluster => {
            let (amount, size) = hourly("node_type")?;
            let count = number("node_count", 3)?;
            vec![
                price("nodes", Charge::Hour, amount * count, format!("{count} x {size}")),
                price("setup", Charge::Once, 99_900, String::new()),
            ]
        }
        Kind::Network | Kind::Subnet | Kind::SecurityGroup | Kind::DnsRecord => Vec::new(),
    })
}

/// Returns what the cloud wants to be shown when something is ordered at this price, which nobody else can make up.
fn token(chance: &Chance, kind: Kind, once: Amount) -> String {
    let name = kind.spec().path;
    format!("{name}:{once}:{:016x}", chance.fixed(&format!("price {name} {once}")))
}

/// Returns what a token is for, and what is paid once for it.
pub(crate) fn redeem(chance: &Chance, shown: &str) -> Result<(Kind, Amount), Problem> {
    let mut parts = shown.split(':');
    let known = parts.next().and_then(Kind::from_path).zip(parts.next().and_then(|once| once.parse().ok()));
    match known.filter(|(kind, once)| token(chance, *kind, *once) == shown) {
        Some(known) => Ok(known),
        None => Err(Problem::invalid("a price that is ordered was never quoted")),
    }
}

/// Answers what things cost.
pub(crate) fn quote(chance: &Chance, body: &Value) -> Result<(u16, Value), Problem> {
    let Some(items) = body["items"].as_array() else { return Err(Problem::invalid("`items` is a list")) };
    let answers: Result<Vec<_>, _> = items
        .iter()
        .map(|item| {
            let kind = item["kind"].as_str().and_then(Kind::from_path);
            let Some(kind) = kind else { return Err(Problem::invalid("an item has no `kind` that there is")) };
            let properties = item["properties"].as_object().cloned().unwrap_or_default();
            let prices = match prices(kind, &properties) {
                Ok(prices) => prices,
                Err(reason) => return Ok(json!({ "unknown": reason })),
            };
            let once = prices.iter().filter(|price| price.charge == Charge::Once).map(|price| price.amount).sum();
            let shown: Vec<_> = prices
                .iter()
                .map(|price| {
                    json!({
                        "component": price.component,
                        "charge": price.charge.name(),
                        "amount": text(price.amount),
                        "currency": CURRENCY,
                        "spec": price.spec,
                        "token": token(chance, kind, once),
                    })
                })
                .collect();
            Ok(json!({ "prices": shown }))
        })
        .collect();
    Ok((200, json!({ "items": answers? })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written() {
        for (said, amount) in [("0", 0), ("0.0060", 60), ("20.00", 200_000), ("9.9", 99_000)] {
            assert_eq!(parse(said), Some(amount), "{said}");
        }
        assert_eq!(text(200_060), "20.0060");
        for wrong in ["", "-1", "1.00001", "1e3", ".5", "one"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn prices_are_asked_and_shown_again() {
        let chance = Chance::new(7);
        let body = json!({ "items": [
            { "kind": "clusters", "properties": { "node_type": "s1.medium", "node_count": 2 } },
            { "kind": "databases", "properties": { "storage_gb": 100 } },
            { "kind": "networks", "properties": {} },
        ] });
        let (_, answer) = quote(&chance, &body).expect("an answer");
        let nodes = &answer["items"][0]["prices"][0];
        assert_eq!((nodes["amount"].as_str(), nodes["charge"].as_str()), (Some("0.0940"), Some("hour")));
        assert_eq!(answer["items"][1]["unknown"], "`instance_type` is not known");
        assert_eq!(answer["items"][2]["prices"], json!([]));
        let token = answer["items"][0]["prices"][1]["token"].as_str().expect("a token");
        assert_eq!(redeem(&chance, token), Ok((Kind::Cluster, 99_900)));
        let cheaper = token.replace("99900", "1");
        assert_eq!(redeem(&chance, &cheaper).expect_err("it was made up").status, 400);
        assert_eq!(redeem(&Chance::new(8), token).expect_err("of another cloud").status, 400);
    }
}

use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    catalogue,
    chance::Chance,
    kind::{Kind, Property, Shape},
    object::Object,
    problem::Problem,
};

/// Properties, and the digests of those that are secret.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) plain: Map<String, Value>,
    pub(crate) secrets: Map<String, Value>,
}

impl Asked {
    /// Returns a digest of all of it.
    pub(crate) fn digest(&self) -> String {
        digest(&json!([self.plain, self.secrets]).to_string())
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sorts what a client sent into properties of a kind. Nulls are as good as nothing.
pub(crate) fn sort(kind: Kind, properties: &Value) -> Result<Asked, Problem> {
    let Some(given) = properties.as_object() else { return Err(Problem::invalid("`properties` is a JSON object")) };
    let spec = kind.spec();
    let mut asked = Asked::default();
    for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        let Some(property) = spec.properties.iter().find(|property| property.name == name) else {
            return Err(Problem::invalid(format!("a {} has no property `{name}`", spec.name)));
        };
        if !fits(property.shape, value) {
            return Err(Problem::invalid(format!("`{name}` of a {} is not of the right kind", spec.name)));
        }
        match property.shape {
            Shape::Secret => {
                asked.secrets.insert(name.clone(), json!(digest(value.as_str().unwrap_or_default())));
            }
            _ => {
                asked.plain.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(asked)
}

fn fits(shape: Shape, value: &Value) -> bool {
    let is_list_of = |fits: fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(fits));
    match shape {
        Shape::Text | Shape::Secret => value.as_str().is_some_and(|text| !text.is_empty()),
        Shape::Number => value.as_u64().is_some(),
        Shape::Switch => value.is_boolean(),
        Shape::Texts => is_list_of(Value::is_string),
        Shape::Objects => is_list_of(Value::is_object),
        Shape::Tags => value.as_object().is_some_and(|tags| tags.values().all(Value::is_string)),
    }
}

/// Checks that everything is there that a new thing needs.
pub(crate) fn check_complete(kind: Kind, asked: &Asked) -> Result<(), Problem> {
    let spec = kind.spec();
    let is_there = |property: &Property| match property.shape {
        Shape::Secret => asked.secrets.contains_key(property.name),
        _ => asked.plain.contains_key(property.name),
    };
    match spec.properties.iter().find(|property| property.is_required && !is_there(property)) {
        Some(property) => Err(Problem::invalid(format!("a {} needs `{}`", spec.name, property.name))),
        None => Ok(()),
    }
}

/// Fills in what was left out: nothing, where it can be told from null.
pub(crate) fn fill(kind: Kind, properties: &mut Map<String, Value>) {
    for property in kind.spec().properties {
        let nothing = match property.shape {
            Shape::Switch => json!(false),
            Shape::Texts | Shape::Objects => json!([]),
            Shape::Tags => json!({}),
            Shape::Text | Shape::Number | Shape::Secret => continue,
        };
        properties.entry(property.name).or_insert(nothing);
    }
}

/// Returns the ids that a property names.
pub(crate) fn named<'a>(properties: &'a Map<String, Value>, property: &Property) -> Vec<&'a str> {
    match properties.get(property.name) {
        Some(Value::String(id)) => vec![id],
        Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Checks what only this kind of thing has to satisfy. `living` are all objects that are not gone.
pub(crate) fn check<'a>(
    kind: Kind,
    properties: &Map<String, Value>,
    own_id: Option<&str>,
    living: impl Iterator<Item = &'a Object> + Clone,
) -> Result<(), Problem> {
    let text = |name: &str| properties.get(name).and_then(Value::as_str).unwrap_or_default();
    let find = |id: &str| living.clone().find(|object| object.id == id);
    match kind {
        Kind::Network => range(text("cidr")).map(|_| ()),
        Kind::Subnet => {
            check_zone(text("zone"))?;
            let own = range(text("cidr"))?;
            let network = find(text("network_id"));
            let around = range(network.and_then(|network| network.text("cidr")).unwrap_or_default())?;
            if !around.holds(own) {
                return Err(Problem::invalid(format!("`{}` does not lie within its network", text("cidr"))));
            }
            let others = living.clone().filter(|other| {
                other.kind == Kind::Subnet
                    && other.text("network_id") == Some(text("network_id"))
                    && Some(other.id.as_str()) != own_id
            });
            for other in others {
                let taken = range(other.text("cidr").unwrap_or_default())?;
                if taken.holds(own) || own.holds(taken) {
                    return Err(Problem::in_use(format!("`{}` overlaps the subnet `{}`", text("cidr"), other.id)));
                }
            }
            Ok(())
        }
        Kind::Instance => {
            let subnet = find(text("subnet_id"));
            check_size(text("instance_type"), subnet.and_then(|subnet| subnet.text("zone")))
        }
        Kind::Volume => check_zone(text("zone")),
        Kind::Database => check_size(text("instance_type"), None),
        Kind::Cluster => check_size(text("node_type"), None),
        Kind::SecurityGroup | Kind::Bucket | Kind::DnsRecord => Ok(()),
    }
}

/// Checks what a change may not do.
pub(crate) fn check_change(before: &Object, after: &Map<String, Value>) -> Result<(), Problem> {
    let number = |properties: &Map<String, Value>, name: &str| properties.get(name).and_then(Value::as_u64);
    for name in ["size_gb", "storage_gb"] {
        if number(after, name) < number(&before.properties, name) {
            return Err(Problem::invalid(format!("`{name}` can only grow")));
        }
    }
    Ok(())
}

fn check_zone(zone: &str) -> Result<(), Problem> {
    match catalogue::ZONES.contains(&zone) {
        true => Ok(()),
        false => Err(Problem::invalid(format!("there is no zone `{zone}`"))),
    }
}

fn check_size(name: &str, zone: Option<&str>) -> Result<(), Problem> {
    let Some(size) = catalogue::find(name) else {
        return Err(Problem::invalid(format!("there is no instance type `{name}`")));
    };
    match zone {
        Some(zone) if !size.is_in(zone) => {
            Err(Problem::invalid(format!("`{name}` is not to be had in the zone `{zone}`")))
        }
        _ => Ok(()),
    }
}

/// Fills in what the cloud chooses for a new thing.
pub(crate) fn choose(object: &mut Object, chance: &Chance) {
    let text = |name: &str| object.text(name).unwrap_or_default().to_owned();
    let host = |nth: u64| {
        let number = chance.fixed(&format!("{} {nth}", object.id));
        [number as u8, (number >> 8) as u8]
    };
    let chosen: &[(&str, Value)] = match object.kind {
        Kind::Instance => {
            let [high, low] = host(0);
            let [third, last] = host(1);
            &[
                ("private_ip", json!(format!("10.{high}.{low}.{}", third % 250 + 4))),
                ("public_ip", json!(format!("198.51.100.{}", last % 250 + 4))),
            ]
        }
        Kind::Bucket => &[("url", json!(format!("https://{}.buckets.sandbox.example", text("name"))))],
        Kind::Database => {
            let port = if text("engine") == "mysql" { 3306 } else { 5432 };
            &[("host", json!(format!("{}.databases.sandbox.example", text("name")))), ("port", json!(port))]
        }
        Kind::Cluster => &[("endpoint", json!(format!("https://{}.clusters.sandbox.example", text("name"))))],
        Kind::Network | Kind::Subnet | Kind::SecurityGroup | Kind::Volume | Kind::DnsRecord => &[],
    };
    for (name, value) in chosen {
        object.properties.insert((*name).to_owned(), value.clone());
    }
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    first: u32,
    length: u32,
}

impl Range {
    fn mask(length: u32) -> u32 {
        u32::MAX.checked_shl(32 - length).unwrap_or(0)
    }

    fn holds(self, other: Self) -> bool {
        self.length <= other.length && other.first & Self::mask(self.length) == self.first
    }
}

fn range(text: &str) -> Result<Range, Problem> {
    let parsed = text.split_once('/').and_then(|(first, length)| {
        let first = u32::from(first.parse::<Ipv4Addr>().ok()?);
        let length = length.parse().ok().filter(|length| *length <= 32)?;
        (first & Range::mask(length) == first).then_some(Range { first, length })
    });
    parsed.ok_or_else(|| Problem::invalid(format!("`{text}` is not the first address of a range, `/`, and its length")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(around: &str, own: &str) -> bool {
        range(around).expect("a range").holds(range(own).expect("a range"))
    }

    #[test]
    fn ranges_hold_one_another() {
        assert!(holds("10.0.0.0/16", "10.0.255.0/24"));
        assert!(holds("0.0.0.0/0", "255.255.255.255/32"));
        assert!(!holds("10.0.0.0/16", "10.1.0.0/24"));
        assert!(!holds("10.0.0.0/24", "10.0.0.0/16"));
        for wrong in ["", "10.0.0.0", "10.0.0.1/24", "10.0.0.0/33", "x/8"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_are_kept_as_digests_only() {
        let asked = sort(Kind::Database, &json!({ "password": "hunter2", "subnet_ids": null })).expect("sound");
        assert!(asked.plain.is_empty());
        assert!(!format!("{asked:?}").contains("hunter2"));
        assert!(check_complete(Kind::Database, &asked).is_err());
    }
}

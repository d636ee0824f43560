use serde_json::{Value, json};

/// Where machines can stand.
pub(crate) const ZONES: [&str; 3] = ["sandbox-1a", "sandbox-1b", "sandbox-1c"];

/// A size of machine that can be had. Prices are decimal text: money is never a float.
#[derive(Debug)]
pub(crate) struct InstanceType {
    pub(crate) name: &'static str,
    cpu: u32,
    memory_gb: u32,
    hourly_price: &'static str,
    zones: &'static [&'static str],
}

const fn size(
    name: &'static str,
    cpu: u32,
    memory_gb: u32,
    hourly_price: &'static str,
    zones: &'static [&'static str],
) -> InstanceType {
    InstanceType { name, cpu, memory_gb, hourly_price, zones }
}

/// What is on offer, the cheapest first. The big ones are not had everywhere.
static TYPES: [InstanceType; 9] = [
    size("s1.nano", 1, 1, "0.0060", &ZONES),
    size("s1.small", 1, 2, "0.0120", &ZONES),
    size("s1.medium", 2, 4, "0.0470", &ZONES),
    size("s1.large", 2, 8, "0.0940", &ZONES),
    size("c1.large", 4, 8, "0.1580", &["sandbox-1a", "sandbox-1b"]),
    size("s1.xlarge", 4, 16, "0.1880", &ZONES),
    size("m1.xlarge", 4, 32, "0.2520", &["sandbox-1a", "sandbox-1c"]),
    size("c1.xlarge", 8, 16, "0.3160", &["sandbox-1a", "sandbox-1b"]),
    size("m1.2xlarge", 8, 64, "0.5040", &["sandbox-1a"]),
];

pub(crate) fn find(name: &str) -> Option<&'static InstanceType> {
    TYPES.iter().find(|known| known.name == name)
}

impl InstanceType {
    /// Returns what an hour of it costs.
    pub(crate) fn hourly_price(&self) -> crate::price::Amount {
        crate::price::parse(self.hourly_price).unwrap_or_default()
    }

    pub(crate) fn is_in(&self, zone: &str) -> bool {
        self.zones.contains(&zone)
    }
}

/// Returns the whole catalogue as clients see it.
pub(crate) fn view() -> Value {
    let items = TYPES.iter().map(|size| {
        json!({
            "name": size.name,
            "cpu": size.cpu,
            "memory_gb": size.memory_gb,
            "hourly_price": size.hourly_price,
            "currency": "USD",
            "zones": size.zones,
        })
    });
    json!({ "items": items.collect::<Vec<_>>() })
}

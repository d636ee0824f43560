use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use stackwright::resource::typed::Attributes;

use crate::{
    kind::{Key, Kind},
    network::Id,
};

/// What a name stands for.
#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct DnsRecordInputs {
    /// The whole name, such as `www.shop.example`; unique together with the type.
    #[attribute(force_new, min_length = 1, max_length = 253)]
    name: String,
    /// What kind of record.
    #[serde(rename = "type")]
    #[attribute(force_new, one_of = ["A", "AAAA", "CNAME", "MX", "TXT"])]
    record_type: String,
    /// What it stands for.
    #[attribute(min_length = 1)]
    values: BTreeSet<String>,
    /// How long others may remember it, in seconds.
    #[attribute(default = 300, min = 1, max = 86_400)]
    ttl: u32,
    /// Words about it, by key.
    #[attribute(default, takes_tags)]
    tags: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct DnsRecord;

impl Kind for DnsRecord {
    type Inputs = DnsRecordInputs;
    type Outputs = Id;
    const TYPE_NAME: &'static str = "sandbox_dns_record";
    const PATH: &'static str = "dns-records";
    const KEY: Key = Key::Names(&["name", "type"]);

    fn tags(inputs: &mut DnsRecordInputs) -> &mut BTreeMap<String, String> {
        &mut inputs.tags
    }

    /// `NAME/TYPE`.
    fn import_names(id: &str) -> Vec<(&'static str, &str)> {
        id.rsplit_once('/').map(|(name, record_type)| vec![("name", name), ("type", record_type)]).unwrap_or_default()
    }
}

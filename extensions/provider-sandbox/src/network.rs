use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stackwright::resource::typed::Attributes;

use crate::kind::{Key, Kind};

/// A private network, a range of addresses.
#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct NetworkInputs {
    /// What people call it; need not be unique.
    #[attribute(min_length = 1)]
    name: String,
    /// Its addresses, such as `10.0.0.0/16`.
    #[attribute(force_new, pattern = "^[0-9.]+/[0-9]+$")]
    cidr: String,
    /// Words about it, by key.
    #[attribute(default, takes_tags)]
    tags: BTreeMap<String, String>,
}

/// What the cloud says of anything.
#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct Id {
    /// The id that the cloud gave it.
    #[attribute(stable)]
    id: String,
}

#[derive(Debug)]
pub(crate) struct Network;

impl Kind for Network {
    type Inputs = NetworkInputs;
    type Outputs = Id;
    const TYPE_NAME: &'static str = "sandbox_network";
    const PATH: &'static str = "networks";
    const KEY: Key = Key::Token;
    const COST: u64 = 3;

    fn tags(inputs: &mut NetworkInputs) -> &mut BTreeMap<String, String> {
        &mut inputs.tags
    }
}

/// A part of a network in one zone.
#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct SubnetInputs {
    /// The id of the network.
    #[attribute(force_new)]
    network_id: String,
    /// Its addresses: within those of the network, and apart from those of its other subnets.
    #[attribute(force_new, pattern = "^[0-9.]+/[0-9]+$")]
    cidr: String,
    /// Where it stands: `sandbox-1a`, `sandbox-1b` or `sandbox-1c`.
    #[attribute(force_new)]
    zone: String,
    /// Words about it, by key.
    #[attribute(default, takes_tags)]
    tags: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Subnet;

impl Kind for Subnet {
    type Inputs = SubnetInputs;
    type Outputs = Id;
    const TYPE_NAME: &'static str = "sandbox_subnet";
    const PATH: &'static str = "subnets";
    const KEY: Key = Key::Names(&["network_id", "cidr"]);

    fn tags(inputs: &mut SubnetInputs) -> &mut BTreeMap<String, String> {
        &mut inputs.tags
    }
}

/// What may come in to instances.
#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct SecurityGroupInputs {
    /// The id of the network.
    #[attribute(force_new)]
    network_id: String,
    /// Its name, unique in its network.
    #[attribute(force_new, min_length = 1)]
    name: String,
    /// What it is for.
    #[attribute(min_length = 1)]
    description: Option<String>,
    /// Words about it, by key.
    #[attribute(default, takes_tags)]
    tags: BTreeMap<String, String>,
    #[serde(rename = "rule")]
    #[attribute(block)]
    rules: Vec<Rule>,
}

/// What may come in; anything else may not.
#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct Rule {
    /// The transport.
    #[attribute(default = "tcp", one_of = ["tcp", "udp"])]
    protocol: String,
    /// The first port.
    from_port: u16,
    /// The last port.
    to_port: u16,
    /// Who may, such as `0.0.0.0/0`.
    #[attribute(pattern = "^[0-9.]+/[0-9]+$")]
    cidr: String,
}

#[derive(Debug)]
pub(crate) struct SecurityGroup;

impl Kind for SecurityGroup {
    type Inputs = SecurityGroupInputs;
    type Outputs = Id;
    const TYPE_NAME: &'static str = "sandbox_security_group";
    const PATH: &'static str = "security-groups";
    const KEY: Key = Key::Names(&["network_id", "name"]);

    fn tags(inputs: &mut SecurityGroupInputs) -> &mut BTreeMap<String, String> {
        &mut inputs.tags
    }
}

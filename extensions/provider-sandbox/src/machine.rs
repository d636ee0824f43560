use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use stackwright::resource::typed::{Attributes, TypedPlan};

use crate::kind::{Key, Kind};

/// A machine.
#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct InstanceInputs {
    /// What people call it; need not be unique.
    #[attribute(min_length = 1)]
    name: String,
    /// Its size, from the catalogue. It starts anew with another one.
    instance_type: String,
    /// What it starts from.
    #[attribute(force_new, min_length = 1)]
    image: String,
    /// The id of the subnet that it stands in.
    #[attribute(force_new)]
    subnet_id: String,
    /// The ids of its security groups.
    #[attribute(default)]
    security_group_ids: BTreeSet<String>,
    /// Words about it, by key.
    #[attribute(default, takes_tags)]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct InstanceOutputs {
    /// The id that the cloud gave it.
    #[attribute(stable)]
    id: String,
    /// Its address within the network.
    #[attribute(stable)]
    private_ip: String,
    /// Its address for the world.
    #[attribute(stable)]
    public_ip: String,
}

#[derive(Debug)]
pub(crate) struct Instance;

impl Kind for Instance {
    type Inputs = InstanceInputs;
    type Outputs = InstanceOutputs;
    const TYPE_NAME: &'static str = "sandbox_instance";
    const PATH: &'static str = "instances";
    const PRICED: Option<&'static [&'static str]> = Some(&["instance_type"]);
    const KEY: Key = Key::Token;
    const COST: u64 = 10;

    fn tags(inputs: &mut InstanceInputs) -> &mut BTreeMap<String, String> {
        &mut inputs.tags
    }
}

/// A database server.
#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct DatabaseInputs {
    /// Its name, unique in the cloud.
    #[attribute(force_new, pattern = "^[a-z][a-z0-9-]*$", max_length = 63)]
    name: String,
    /// Which one.
    #[attribute(force_new, one_of = ["postgres", "mysql"])]
    engine: String,
    /// Its size, from the catalogue. It starts anew with another one.
    instance_type: String,
    /// How much it holds; can only grow, less makes a new one.
    #[attribute(default = 20, min = 1)]
    storage_gb: u32,
    /// Who may do everything.
    #[attribute(force_new, min_length = 1)]
    username: String,
    /// The password of that user. The cloud never shows it.
    #[attribute(required, sensitive, min_length = 8)]
    password: Option<String>,
    /// The ids of the subnets from which it is reached.
    #[attribute(default)]
    subnet_ids: BTreeSet<String>,
    /// Words about it, by key.
    #[attribute(default, takes_tags)]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct DatabaseOutputs {
    /// The id that the cloud gave it.
    #[attribute(stable)]
    id: String,
    /// Where it is reached.
    #[attribute(stable)]
    host: String,
    /// On which port.
    #[attribute(stable)]
    port: u16,
}

#[derive(Debug)]
pub(crate) struct Database;

impl Kind for Database {
    type Inputs = DatabaseInputs;
    type Outputs = DatabaseOutputs;
    const TYPE_NAME: &'static str = "sandbox_database";
    const PATH: &'static str = "databases";
    const PRICED: Option<&'static [&'static str]> = Some(&["instance_type", "storage_gb"]);
    const KEY: Key = Key::Token;
    const COST: u64 = 20;

    fn tags(inputs: &mut DatabaseInputs) -> &mut BTreeMap<String, String> {
        &mut inputs.tags
    }

    fn keep(inputs: &mut DatabaseInputs, before: DatabaseInputs) {
        inputs.password = before.password;
    }

    fn plan(before: &DatabaseInputs, after: &DatabaseInputs) -> TypedPlan {
        match after.storage_gb < before.storage_gb {
            true => TypedPlan::new().replace("storage_gb"),
            false => TypedPlan::new(),
        }
    }

    fn import_names(id: &str) -> Vec<(&'static str, &str)> {
        vec![("name", id)]
    }
}

/// A cluster of machines for containers. Making one is an operation of its own, which the cloud takes its time for.
#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct ClusterInputs {
    /// Its name, unique in the cloud.
    #[attribute(force_new, pattern = "^[a-z][a-z0-9-]*$", max_length = 63)]
    name: String,
    /// Which version it runs.
    #[attribute(min_length = 1)]
    version: String,
    /// The size of its machines, from the catalogue.
    #[attribute(force_new)]
    node_type: String,
    /// How many machines it has.
    #[attribute(default = 3, min = 1, max = 100)]
    node_count: u32,
    /// The ids of the subnets that they stand in.
    #[attribute(force_new, min_length = 1)]
    subnet_ids: BTreeSet<String>,
    /// Words about it, by key.
    #[attribute(default, takes_tags)]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct ClusterOutputs {
    /// The id that the cloud gave it.
    #[attribute(stable)]
    id: String,
    /// Where its API is reached.
    #[attribute(stable)]
    endpoint: String,
}

#[derive(Debug)]
pub(crate) struct Cluster;

impl Kind for Cluster {
    type Inputs = ClusterInputs;
    type Outputs = ClusterOutputs;
    const TYPE_NAME: &'static str = "sandbox_cluster";
    const PATH: &'static str = "clusters";
    const PRICED: Option<&'static [&'static str]> = Some(&["node_type", "node_count"]);
    const KEY: Key = Key::Names(&["name"]);
    const IS_ASYNCHRONOUS: bool = true;
    const COST: u64 = 30;

    fn tags(inputs: &mut ClusterInputs) -> &mut BTreeMap<String, String> {
        &mut inputs.tags
    }

    fn import_names(id: &str) -> Vec<(&'static str, &str)> {
        vec![("name", id)]
    }
}

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stackwright::resource::typed::{Attributes, TypedPlan};

use crate::{
    kind::{Key, Kind},
    network::Id,
};

/// A disk.
#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct VolumeInputs {
    /// What people call it; need not be unique.
    #[attribute(min_length = 1)]
    name: String,
    /// How much it holds; can only grow, less makes a new one.
    #[attribute(min = 1)]
    size_gb: u32,
    /// Where it stands: `sandbox-1a`, `sandbox-1b` or `sandbox-1c`.
    #[attribute(force_new)]
    zone: String,
    /// The id of the instance that it belongs to.
    #[attribute(min_length = 1)]
    instance_id: Option<String>,
    /// Words about it, by key.
    #[attribute(default, takes_tags)]
    tags: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Volume;

impl Kind for Volume {
    type Inputs = VolumeInputs;
    type Outputs = Id;
    const TYPE_NAME: &'static str = "sandbox_volume";
    const PATH: &'static str = "volumes";
    const PRICED: Option<&'static [&'static str]> = Some(&["size_gb"]);
    const KEY: Key = Key::Token;
    const COST: u64 = 5;

    fn tags(inputs: &mut VolumeInputs) -> &mut BTreeMap<String, String> {
        &mut inputs.tags
    }

    fn plan(before: &VolumeInputs, after: &VolumeInputs) -> TypedPlan {
        match after.size_gb < before.size_gb {
            true => TypedPlan::new().replace("size_gb"),
            false => TypedPlan::new(),
        }
    }
}

/// A place for files.
#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct BucketInputs {
    /// Its name, unique in the cloud.
    #[attribute(force_new, pattern = "^[a-z0-9][a-z0-9.-]*$", max_length = 63)]
    name: String,
    /// Whether old contents are kept.
    #[attribute(default = false)]
    versioned: bool,
    /// Words about it, by key.
    #[attribute(default, takes_tags)]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct BucketOutputs {
    /// The id that the cloud gave it.
    #[attribute(stable)]
    id: String,
    /// Where it is reached.
    #[attribute(stable)]
    url: String,
}

#[derive(Debug)]
pub(crate) struct Bucket;

impl Kind for Bucket {
    type Inputs = BucketInputs;
    type Outputs = BucketOutputs;
    const TYPE_NAME: &'static str = "sandbox_bucket";
    const PATH: &'static str = "buckets";
    const PRICED: Option<&'static [&'static str]> = Some(&[]);
    const KEY: Key = Key::Names(&["name"]);

    fn tags(inputs: &mut BucketInputs) -> &mut BTreeMap<String, String> {
        &mut inputs.tags
    }

    fn import_names(id: &str) -> Vec<(&'static str, &str)> {
        vec![("name", id)]
    }
}

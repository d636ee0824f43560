use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    address::{Address, Target},
    error::Diagnostic,
    event::Timestamp,
    plan::{Action, ChangeIdx, DriftKind, Join, JoinId, Mode, Need, Reason, RowBase, StepAction, StepId},
    state::{CheckResult, Lineage, ObjectId, StackKey},
    value::Path,
};

/// A plan; `V` is how values are held: ready to be written, or as they were read.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanDoc<V> {
    /// What the seals of this plan are bound to.
    pub id: String,
    pub stack: StackKey,
    pub lineage: Option<Lineage>,
    pub mode: Mode,
    pub targets: Vec<Target>,
    pub changes: Vec<ChangeDoc<V>>,
    pub steps: Vec<StepDoc<V>>,
    #[serde(default)]
    pub joins: Vec<Join>,
    pub row_updates: Vec<RowUpdateDoc>,
    pub base: Vec<RowBase>,
    pub outputs: BTreeMap<String, OutputDoc<V>>,
    pub drift: Vec<DriftDoc<V>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckResult>,
    pub reads: Vec<ReadDoc<V>>,
    pub provider_configs: BTreeMap<Arc<str>, V>,
    pub inputs: InputsDoc,
    pub warnings: Vec<Diagnostic>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeDoc<V> {
    pub address: Address,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_address: Option<Address>,
    pub type_name: Arc<str>,
    pub provider: Arc<str>,
    pub action: Action,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<V>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<V>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replace_paths: Vec<Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior_object: Option<ObjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectId>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub deposed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importing: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ConfigDoc<V> {
    None,
    Known(V),
    Residual(V),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PlannedDoc<V> {
    /// What the change says that there will be: as it mostly is.
    AsChanged,
    Value(V),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepDoc<V> {
    pub id: StepId,
    pub change: ChangeIdx,
    pub action: StepAction,
    pub address: Address,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_id: Option<ObjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<ObjectId>,
    pub config: ConfigDoc<V>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned: Option<PlannedDoc<V>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned_private: Option<Json>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<JoinId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<ObjectId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wholes: Vec<Target>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub create_before_destroy: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub prevent_destroy: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub has_conditions: bool,
    pub cost: u64,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RowUpdateDoc {
    /// The row as state's codec writes it.
    Put {
        object_id: ObjectId,
        address: Arc<str>,
        version: u64,
        body: String,
    },
    Remove(ObjectId),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutputDoc<V> {
    pub before: Option<V>,
    pub after: Option<V>,
    pub sensitive: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DriftDoc<V> {
    pub address: Address,
    pub type_name: Arc<str>,
    pub object_id: ObjectId,
    pub kind: DriftKind,
    pub before: V,
    pub after: Option<V>,
    pub paths: Vec<Path>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadDoc<V> {
    pub address: Address,
    pub type_name: Arc<str>,
    pub value: Option<V>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Arc<str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InputsDoc {
    /// One sealed document for all files of the template.
    pub files: Json,
    pub read_files: BTreeMap<String, Json>,
    pub existing_files: BTreeMap<String, bool>,
    pub listed_files: BTreeMap<String, Vec<String>>,
    pub absolute_paths: BTreeMap<String, String>,
    /// One sealed document for all variables.
    pub variables: Json,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ephemeral_given: BTreeSet<String>,
    /// Plans that do not say were made in the first edition.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub edition: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    pub workspace: String,
    pub root: String,
    pub timestamp: Timestamp,
}

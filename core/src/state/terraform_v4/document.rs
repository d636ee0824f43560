use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// The only format that is read and written.
pub(super) const VERSION: u64 = 4;

/// Fields that are not listed are of no use here. They are skipped rather than refused: the format is not ours, and
/// minor versions of Terraform add to it.
#[derive(Serialize, Deserialize)]
pub(super) struct Document {
    pub(super) version: u64,
    #[serde(default)]
    pub(super) terraform_version: String,
    #[serde(default)]
    pub(super) serial: u64,
    #[serde(default)]
    pub(super) lineage: String,
    #[serde(default)]
    pub(super) outputs: Map<String, Json>,
    #[serde(default)]
    pub(super) resources: Vec<Resource>,
    #[serde(default)]
    pub(super) check_results: Option<Json>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Output {
    pub(super) value: Json,
    #[serde(rename = "type")]
    pub(super) ty: Json,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) sensitive: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Resource {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) module: String,
    pub(super) mode: String,
    #[serde(rename = "type")]
    pub(super) type_name: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) provider: String,
    #[serde(default)]
    pub(super) instances: Vec<Instance>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Instance {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) index_key: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deposed: Option<String>,
    #[serde(default)]
    pub(super) schema_version: u64,
    #[serde(default)]
    pub(super) attributes: Option<Json>,
    #[serde(default)]
    pub(super) sensitive_attributes: Vec<Vec<PathStep>>,
    /// Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) private: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) dependencies: Vec<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) create_before_destroy: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
pub(super) enum PathStep {
    GetAttr(String),
    Index(IndexKey),
}

#[derive(Serialize, Deserialize)]
pub(super) struct IndexKey {
    pub(super) value: Json,
    #[serde(rename = "type")]
    pub(super) ty: String,
}

fn is_false(value: &bool) -> bool {
    !value
}

use serde::{Deserialize, Serialize};

/// What became of the conditions of one thing that has any: a `check` block, a resource, an output or a variable.
///
/// Holds no secret: a message with a sensitive part is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckResult {
    /// What kind of thing it is.
    pub kind: CheckKind,
    /// The module that declares it, such as `module.net`; `None` for the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// For resources and data sources, the type with its mode in front: `acme_vpc`, `data.acme_zone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    /// Its name.
    pub name: String,
    /// The worst of its instances; `Pass` where there is none.
    pub status: CheckStatus,
    /// Its instances, one for each instance of its module and of itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<CheckInstance>,
}

/// One instance of something that has conditions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckInstance {
    /// Its address: `module.net["a"].check.reachable`.
    pub address: String,
    /// The module instance that it is in; `None` for the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The key of a resource, a number or a text; `None` where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<serde_json::Value>,
    /// Whether its conditions hold.
    pub status: CheckStatus,
    /// What those say that do not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// What has conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// A `check` block.
    Check,
    /// An output.
    OutputValue,
    /// A resource or data source.
    Resource,
    /// A variable.
    Var,
}

/// Whether conditions hold; the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// All of them do.
    Pass,
    /// Nobody can tell before the plan is carried out.
    Unknown,
    /// One does not.
    Fail,
}

impl CheckStatus {
    /// Returns the name that it has in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        }
    }
}

impl CheckResult {
    /// Sets the status to that of the instances.
    pub(crate) fn settle(&mut self) {
        self.status = self.instances.iter().map(|instance| instance.status).max().unwrap_or(CheckStatus::Pass);
    }
}

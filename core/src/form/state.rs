use std::{collections::BTreeMap, sync::Arc};

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value as Json;

use super::{Choice, input::Phase};
use crate::{
    error::Severity,
    value::{Kind, Value, to_json_value},
};

/// What a form looks like for what was filled in so far.
///
/// It serialises as an object with the same names in the same order; what is secret, and what is not known, is null there.
/// `docs/forms.md` describes the shape.
#[derive(Clone, Debug, Serialize)]
pub struct FormState {
    /// When it is filled in.
    #[serde(serialize_with = "phase")]
    pub phase: Phase,
    /// The plan that was chosen.
    pub preset: Option<Arc<str>>,
    /// Every declaration of the document, in its order.
    pub fields: Vec<FieldState>,
    /// Groups in the order of the document.
    pub groups: Vec<PartState>,
    /// Steps in the order of the document.
    pub steps: Vec<PartState>,
    /// Whether everything is filled in, answered and right.
    pub ready: bool,
    /// What must be asked, each once.
    pub pending: Vec<DataRequest>,
    /// What the variables of the template get: an object by name of the variable. Secrets are marked sensitive.
    #[serde(serialize_with = "shown")]
    pub values: Value,
    /// Paths of fields that must be filled in and are not.
    pub missing: Vec<Arc<str>>,
    /// What is wrong.
    pub errors: Vec<Problem>,
    /// What should be looked at.
    pub warnings: Vec<Problem>,
    /// Names of inputs that the host should forget: of fields that are not there any more, choices that are gone, fields that
    /// somebody else decides.
    pub discard: Vec<Arc<str>>,
    /// What was generated and should be kept, by path. Serialises as the list of paths.
    #[serde(serialize_with = "paths")]
    pub generated: BTreeMap<Arc<str>, Value>,
    /// Changes when a price may: a hash of the values of fields that say `price`, or of all where none does. 32 digits.
    pub quote_key: Arc<str>,
}

/// One declaration of a field.
#[derive(Clone, Debug, Serialize)]
pub struct FieldState {
    /// The name; inside of lists `disks[0].size`.
    pub path: Arc<str>,
    /// Which declaration of its name it is, from 0.
    pub ordinal: usize,
    /// Whether it is there.
    pub status: Status,
    /// Whether it is shown.
    pub visible: bool,
    /// Whether something can be filled in: it is there, and all that it refers to is filled in.
    pub enabled: bool,
    /// Whether it cannot be changed.
    pub readonly: bool,
    /// Whether it must be filled in.
    pub required: bool,
    /// What it holds; null where it holds nothing or a secret.
    #[serde(serialize_with = "shown")]
    pub value: Value,
    /// Whether a secret is set; `None` where it is no secret.
    pub secret: Option<Secret>,
    /// Who decided what it holds.
    pub source: Option<Source>,
    /// What the widget is told, by name; null where it is not known yet.
    #[serde(serialize_with = "shown_map")]
    pub props: BTreeMap<Arc<str>, Value>,
    /// What can be chosen.
    pub options: Option<OptionsState>,
    /// The items of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<Item>>,
    /// Paths that it waits for.
    pub waits_for: Vec<Arc<str>>,
    /// What to say while it waits.
    pub tips: Option<Arc<str>>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// One item of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// Its fields, in the order of the document.
    pub fields: Vec<FieldState>,
}

/// Whether a field is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is there.
    Active,
    /// Nobody knows yet: its condition hangs on something that is not filled in.
    Waiting,
    /// It is not there; what was filled in stays in the inputs.
    Inactive,
    /// It is not there, and what was filled in is forgotten.
    Removed,
}

/// Whether a secret is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// It is.
    Set,
    /// It is not.
    Unset,
}

/// Who decided what a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A person.
    User,
    /// The document, or a plan that leaves it open.
    Default,
    /// An expression of the document, or the options.
    Derived,
    /// A generator.
    Generated,
    /// A plan, or the installation: it cannot be changed now.
    Locked,
}

/// How far the options of a field are.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum OptionsState {
    /// They are here.
    Ready {
        /// In order.
        choices: Vec<Choice>,
    },
    /// They cannot be asked for yet.
    Blocked {
        /// Paths of what is not filled in.
        missing: Vec<Arc<str>>,
        /// What to say meanwhile.
        tips: Option<Arc<str>>,
    },
    /// They are asked for.
    Loading {
        /// The id of the request.
        request: Arc<str>,
    },
    /// They cannot be had.
    Failed {
        /// The id of the request, where there was one.
        request: Option<Arc<str>>,
        /// Why.
        message: Arc<str>,
        /// Whether asking again may help.
        retryable: bool,
    },
}

/// Something that the host is to ask for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataRequest {
    /// Hash of source, parameters and scope: 32 hexadecimal digits. The answer goes into the inputs under it.
    pub id: Arc<str>,
    /// Whom to ask.
    pub source: Arc<str>,
    /// What for.
    #[serde(serialize_with = "shown_map")]
    pub params: BTreeMap<Arc<str>, Value>,
    /// How long an answer is good, in seconds.
    pub ttl_seconds: Option<u64>,
    /// Ids of requests under way whose answers nobody waits for any more.
    pub supersedes: Vec<Arc<str>>,
    /// Paths of the fields that wait for it.
    pub fields: Vec<Arc<str>>,
}

/// A group or a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartState {
    /// The name.
    pub name: Arc<str>,
    /// Whether it is there, and one of its fields is shown.
    pub visible: bool,
    /// Whether each of its fields is filled in and right.
    pub ready: bool,
    /// How many errors its fields have.
    pub errors: usize,
    /// How many of its fields must be filled in and are not.
    pub missing: usize,
}

/// Something that is wrong with what was filled in. Free of secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The stable code; has a page in `docs/errors/`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in the language of the context.
    pub message: Arc<str>,
    /// The path of the field.
    pub path: Arc<str>,
    /// Paths of other fields that have to do with it.
    pub refs: Vec<Arc<str>>,
}

impl Serialize for Choice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("value", &json(&self.value))?;
        map.serialize_entry("label", &self.label)?;
        if let Some(description) = &self.description {
            map.serialize_entry("description", description)?;
        }
        if let Some(group) = &self.group {
            map.serialize_entry("group", group)?;
        }
        if self.is_disabled {
            map.serialize_entry("disabled", &true)?;
        }
        map.end()
    }
}

/// Returns a value as JSON with null in place of what is secret or not known.
pub(super) fn json(value: &Value) -> Json {
    if value.marks_deep().is_empty() && value.is_wholly_known() {
        return to_json_value(value).unwrap_or(Json::Null);
    }
    if !value.marks().is_empty() {
        return Json::Null;
    }
    match value.kind() {
        Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => items.iter().map(json).collect(),
        Kind::Map(fields) | Kind::Object(fields) => {
            Json::Object(fields.iter().map(|(name, value)| (name.to_string(), json(value))).collect())
        }
        _ => Json::Null,
    }
}

fn shown<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    json(value).serialize(serializer)
}

fn shown_map<S: Serializer>(values: &BTreeMap<Arc<str>, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(values.iter().map(|(name, value)| (name, json(value))))
}

fn paths<S: Serializer>(values: &BTreeMap<Arc<str>, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.keys())
}

fn phase<S: Serializer>(phase: &Phase, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(phase.as_str())
}

use std::{collections::BTreeMap, fmt, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value as Json;

use super::{
    Document, Failure,
    document::{misshapen, plain, read_json},
};
use crate::{
    error::{Error, Result},
    resource::{self, Context, layer::Verb},
    value::{Path, Type},
};

/// One real object; see [`resource::Object`]. `Debug` shows its id only.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// The id that the remote system uses.
    pub id: String,
    /// All attributes by name, as plain JSON.
    pub attributes: Json,
    /// Bytes that only the resource type reads, as Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<Bytes>,
}

impl Object {
    pub(super) fn of(object: &resource::Object) -> Self {
        Self {
            id: object.id.clone(),
            attributes: Document::of(&object.attributes).value,
            private: object.private.clone().map(Bytes),
        }
    }

    pub(super) fn read(self, ty: &Type) -> Result<resource::Object> {
        let attributes = read_json(&self.attributes, ty)?;
        Ok(resource::Object { id: self.id, attributes, private: self.private.map(|bytes| bytes.0) })
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Bytes, which are Base64 text in JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes(pub Arc<[u8]>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| de::Error::custom("bytes are Base64 text"))?;
        Ok(Self(bytes.into()))
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({})", self.0.len())
    }
}

/// What the engine asks of a type; the verbs of [`resource::Resource`] and of
/// [`resource::DataSource`] with their arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    /// Check a configuration beyond what the schema can say.
    Validate {
        /// What the template says.
        config: Document,
    },
    /// Adjust a proposed change.
    Plan {
        /// The object as it is; `None` when it is to be created.
        prior: Option<Object>,
        /// What the template says.
        config: Document,
        /// Config with prior values, or unknowns, filled in.
        proposed: Document,
    },
    /// Make the object.
    Create {
        /// Unknown only where the type computes values.
        planned: Document,
    },
    /// Read the object as it is now.
    Read {
        /// As it was seen last.
        object: Object,
    },
    /// Change the object in place.
    Update {
        /// As it is.
        prior: Object,
        /// Unknown only where the type computes values.
        planned: Document,
    },
    /// Remove the object.
    Delete {
        /// As it is.
        prior: Object,
    },
    /// Find an object that the engine did not make.
    Import {
        /// The id that people use for it.
        id: String,
    },
    /// Say whether the object really works.
    Ready {
        /// As it was made.
        object: Object,
    },
    /// Find out what became of a call whose outcome was lost.
    Recover {
        /// The remote id, where one is known.
        id: Option<String>,
        /// What the call checkpointed.
        partial: Option<Document>,
        /// The object before the call; `None` when it was a create.
        prior: Option<Object>,
        /// What was asked for; `None` when it was a delete.
        planned: Option<Document>,
    },
    /// Bring attributes that an older schema version stored into today's shape.
    Upgrade {
        /// The version of the schema that they were stored with.
        version: u64,
        /// As they were stored, as plain JSON.
        attributes: Json,
    },
    /// Look something up: asked of data sources only.
    ReadData {
        /// What the template says; wholly known.
        config: Document,
    },
}

impl Call {
    /// Returns which verb it is.
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Validate { .. } => Verb::Validate,
            Self::Plan { .. } => Verb::Plan,
            Self::Create { .. } => Verb::Create,
            Self::Read { .. } | Self::ReadData { .. } => Verb::Read,
            Self::Update { .. } => Verb::Update,
            Self::Delete { .. } => Verb::Delete,
            Self::Import { .. } => Verb::Import,
            Self::Ready { .. } => Verb::Ready,
            Self::Recover { .. } => Verb::Recover,
            Self::Upgrade { .. } => Verb::Upgrade,
        }
    }
}

/// The facts of one call; see [`resource::CallInfo`]. `Debug` shows the address only.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The same for every attempt to make the same object, across crashes too; empty for calls that make nothing.
    pub idempotency_key: String,
    /// The address of the instance.
    pub address: String,
    /// The registered name of the resource type.
    pub type_name: String,
    /// The stack, as `tenant/name`.
    pub stack: String,
    /// The tenant.
    pub tenant: String,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// When the call has to end, in milliseconds since the Unix epoch.
    pub deadline_ms: Option<u64>,
    /// What the host wants on every object.
    pub tags: BTreeMap<String, String>,
    /// The order line that pays for the object.
    pub order_line: Option<String>,
    /// The bytes that the type's `plan` handed out for this change.
    pub planned_private: Option<Bytes>,
    /// The configuration of the provider that owns the type.
    pub provider_config: Option<Document>,
    /// What the host called the plan or the run that the call belongs to.
    pub operation: Option<String>,
}

impl From<&Context> for Facts {
    fn from(ctx: &Context) -> Self {
        let info = ctx.info();
        Self {
            idempotency_key: ctx.idempotency_key(),
            address: info.address.to_string(),
            type_name: info.type_name.to_string(),
            stack: info.stack.to_string(),
            tenant: info.tenant.to_string(),
            attempt: info.attempt,
            deadline_ms: info.deadline.map(|deadline| deadline.0),
            tags: info.tags.clone(),
            order_line: info.order_line.clone(),
            planned_private: info.planned_private.clone().map(Bytes),
            provider_config: info.provider_config.as_ref().map(Document::of),
            operation: info.operation.as_deref().map(str::to_owned),
        }
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A call with its facts: all that a host needs beside the live [`Context`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Identity, time, tags.
    pub context: Facts,
    /// What is asked.
    pub call: Call,
}

impl Request {
    /// Returns the request as JSON text, for a host that reads numbers as doubles: those that a double cannot hold are
    /// text. Both are read as numbers where the type wants one.
    ///
    /// # Errors
    /// `engine.bug`: everything in it has a form in JSON.
    pub fn to_json(&self) -> Result<String> {
        let exact =
            serde_json::to_value(self).map_err(|error| Error::bug("a call has no form in JSON").because(error))?;
        Ok(plain(exact).to_string())
    }

    /// Returns the request as JSON text, with all digits of all numbers.
    ///
    /// # Errors
    /// `engine.bug`: everything in it has a form in JSON.
    pub fn to_exact_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::bug("a call has no form in JSON").because(error))
    }
}

/// What a verb that changes things left behind; see [`resource::ObjectState`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ObjectState {
    /// As it was before the call.
    Unchanged,
    /// It exists but is not what was asked for.
    Partial(Object),
    /// It is what was asked for.
    Complete(Object),
    /// It does not exist (any more).
    Gone,
}

/// How a verb that changes things ended; see [`resource::Outcome`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// What is there now.
    pub object: ObjectState,
    /// What went wrong; empty on success.
    #[serde(default)]
    pub problems: Vec<Failure>,
}

impl Outcome {
    pub(super) fn read(self, ty: &Type) -> Result<resource::Outcome> {
        let object = match self.object {
            ObjectState::Unchanged => resource::ObjectState::Unchanged,
            ObjectState::Partial(object) => resource::ObjectState::Partial(object.read(ty)?),
            ObjectState::Complete(object) => resource::ObjectState::Complete(object.read(ty)?),
            ObjectState::Gone => resource::ObjectState::Gone,
        };
        Ok(resource::Outcome { object, problems: self.problems.into_iter().map(Error::from).collect() })
    }
}

/// Whether an object really works yet; see [`resource::Readiness`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Readiness {
    /// It does.
    Ready(Object),
    /// Ask again.
    NotYet {
        /// What is awaited, for people; no secrets.
        reason: String,
    },
    /// It never will.
    Failed {
        /// Why, for people; no secrets.
        reason: String,
    },
}

/// What the world says about a call whose outcome was lost; see [`resource::Recovery`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Recovery {
    /// The object is there.
    Found(Object),
    /// It is certainly not there.
    Absent,
    /// Not to be told.
    CannotTell {
        /// Why, for people; no secrets.
        reason: String,
    },
}

/// A resource type's answer to `plan`; see [`resource::PlanResponse`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanResponse {
    /// The object as it will be.
    pub planned: Document,
    /// The paths whose change makes a new object necessary.
    #[serde(default)]
    pub requires_replace: Vec<Path>,
    /// Bytes handed to the verb that carries the plan out, as Base64.
    #[serde(default)]
    pub private: Option<Bytes>,
}

/// What a resource type answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// To `validate`: nothing is wrong. What is wrong is an [`Error`](Self::Error).
    Valid,
    /// To `plan`.
    Planned(PlanResponse),
    /// To `create`, `update` and `delete`.
    Outcome(Outcome),
    /// To `read` and `import`; `None` where there is no such object.
    Object(Option<Object>),
    /// To `ready`.
    Readiness(Readiness),
    /// To `recover`.
    Recovery(Recovery),
    /// To `upgrade`: the attributes as the schema has them today, as plain JSON.
    Upgraded(Json),
    /// To `read_data`: configuration and result together.
    Data(Document),
    /// To any: it failed. For a verb that changes things this is an outcome that left everything as it was.
    Error(Failure),
}

impl Reply {
    /// Reads JSON text.
    ///
    /// # Errors
    /// `host.reply`, with the place in the text and none of its contents.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| misshapen(&error))
    }

    /// Returns the name of its kind.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Planned(_) => "planned",
            Self::Outcome(_) => "outcome",
            Self::Object(_) => "object",
            Self::Readiness(_) => "readiness",
            Self::Recovery(_) => "recovery",
            Self::Upgraded(_) => "upgraded",
            Self::Data(_) => "data",
            Self::Error(_) => "error",
        }
    }
}

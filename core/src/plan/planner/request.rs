use std::sync::Arc;

use crate::{
    address::Address,
    error::Result,
    resource::{Object, PlanRequest, PlanResponse},
    state::ObjectId,
    value::Value,
};

/// Names a [`Request`] until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// A question about the world that planning cannot answer itself.
#[derive(Clone, Debug)]
pub struct Request {
    /// The instance that it is about.
    pub address: Address,
    /// The registered name of the resource type, data source or ephemeral resource type.
    pub type_name: Arc<str>,
    /// The provider that owns it.
    pub provider: Arc<str>,
    /// The provider's configuration, not marked; `None` where it has none. Unknown parts only in requests to
    /// plan and to upgrade.
    pub provider_config: Option<Value>,
    /// The object, if there is one.
    pub object_id: Option<ObjectId>,
    /// What is asked.
    pub ask: Ask,
}

/// What a [`Request`] asks. Values are not marked.
#[derive(Clone, Debug)]
pub enum Ask {
    /// What attributes that an older version of the schema stored are today. Answered with [`Answer::Upgrade`].
    Upgrade {
        /// The version of the schema that they were stored with.
        version: u64,
        /// As they were stored.
        attributes: Value,
    },
    /// How the object is now. Answered with [`Answer::Read`].
    Read(Object),
    /// Whether the configuration is right, and what the object would become. Answered with [`Answer::Plan`].
    Plan(Box<PlanRequest>),
    /// What a data source says; the configuration is wholly known. Answered with [`Answer::Data`].
    ReadData(Value),
    /// The object that goes by this id. Answered with [`Answer::Import`].
    Import(String),
    /// What an ephemeral resource holds once it is opened; the configuration is wholly known. Who answers keeps it open
    /// until nobody needs the value any more, and closes it. Answered with [`Answer::Opened`].
    Open(Value),
}

impl Ask {
    /// Returns what kind of question it is: `upgrade`, `read`, `plan`, `read_data`, `import` or `open`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Upgrade { .. } => "upgrade",
            Self::Read(_) => "read",
            Self::Plan(_) => "plan",
            Self::ReadData(_) => "read_data",
            Self::Import(_) => "import",
            Self::Open(_) => "open",
        }
    }
}

/// The answer to a [`Request`]. Values need not be marked: what the schema calls sensitive is marked when they arrive.
#[derive(Debug)]
pub enum Answer {
    /// The attributes as the type's schema has them today.
    Upgrade(Result<Value>),
    /// The object as it is; `None` where it is gone.
    Read(Result<Option<Object>>),
    /// What it would become.
    Plan(Result<PlanResponse>),
    /// What the data source says.
    Data(Result<Value>),
    /// The object found; `None` where there is none.
    Import(Result<Option<Object>>),
    /// What the ephemeral resource holds.
    Opened(Result<Value>),
}

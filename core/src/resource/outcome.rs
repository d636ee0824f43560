use std::sync::Arc;

use crate::{
    error::{Error, Result},
    value::{Path, Value},
};

/// One real object, as its resource type describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// The id that the remote system uses; what [`Resource::import`](super::Resource::import) takes.
    ///
    /// Never empty where a create, an import or a recovery answers with it: the object could not be found again. From all
    /// other verbs an empty one means the object that was asked about.
    pub id: String,
    /// All attributes: an object value that conforms to the schema, wholly known.
    pub attributes: Value,
    /// Bytes that only the resource type reads; stored with the row. Not encrypted: no secrets.
    pub private: Option<Arc<[u8]>>,
}

impl Object {
    /// Returns an object without private bytes.
    pub fn new(id: impl Into<String>, attributes: Value) -> Self {
        Self { id: id.into(), attributes, private: None }
    }
}

/// What a verb that changes things left behind.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectState {
    /// As it was before the call.
    Unchanged,
    /// It exists but is not what was asked for; a new one is marked tainted.
    Partial(Object),
    /// It is what was asked for.
    Complete(Object),
    /// It does not exist (any more).
    Gone,
}

/// How a verb that changes things ended: an object and problems, because there may be both.
#[derive(Debug)]
pub struct Outcome {
    /// What is there now.
    pub object: ObjectState,
    /// What went wrong; empty on success.
    pub problems: Vec<Error>,
}

impl Outcome {
    /// The object is what was asked for.
    pub fn complete(object: Object) -> Self {
        Self { object: ObjectState::Complete(object), problems: Vec::new() }
    }

    /// The object is gone, as asked.
    pub fn gone() -> Self {
        Self { object: ObjectState::Gone, problems: Vec::new() }
    }

    /// It failed and left everything as it was (or, when the error's effect is unknown, nobody knows).
    pub fn failed(error: Error) -> Self {
        Self { object: ObjectState::Unchanged, problems: vec![error] }
    }

    /// It failed half-way.
    pub fn partial(object: Object, error: Error) -> Self {
        Self { object: ObjectState::Partial(object), problems: vec![error] }
    }

    /// Returns whether there are no problems.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }
}

impl From<Result<Object>> for Outcome {
    fn from(result: Result<Object>) -> Self {
        match result {
            Ok(object) => Self::complete(object),
            Err(error) => Self::failed(error),
        }
    }
}

/// Whether an object really works yet.
#[derive(Clone, Debug, PartialEq)]
pub enum Readiness {
    /// It does; with its attributes as they are now.
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

/// What is known of a call whose outcome was lost.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The remote id, if the call checkpointed one or the object existed before.
    pub id: Option<String>,
    /// What the call checkpointed.
    pub partial: Option<Value>,
    /// The object before the call; `None` when it was a create.
    pub prior: Option<Object>,
    /// What was asked for, known except for computed attributes; `None` when it was a delete.
    pub planned: Option<Value>,
}

/// What the world says about a call whose outcome was lost.
#[derive(Clone, Debug, PartialEq)]
pub enum Recovery {
    /// The object is there, in this shape. The engine compares it with what was planned.
    Found(Object),
    /// It is certainly not there: the settle time has passed and nothing carries the key.
    Absent,
    /// Not to be told; a person has to settle it.
    CannotTell {
        /// Why, for people; no secrets.
        reason: String,
    },
}

/// A change that the engine proposes to a resource type while planning.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// The object as it is; `None` when it is to be created.
    pub prior: Option<Object>,
    /// What the template says: null where it says nothing, unknown where it is not known yet.
    pub config: Value,
    /// Config with prior values (or unknowns) filled in for what the type computes.
    pub proposed: Value,
}

/// A resource type's answer to a [`PlanRequest`].
#[derive(Clone, Debug)]
pub struct PlanResponse {
    /// The object as it will be; may be better known than `proposed`, must keep what the template sets.
    pub planned: Value,
    /// The paths whose change makes a new object necessary, beside those that the schema names.
    pub requires_replace: Vec<Path>,
    /// Bytes handed to the verb that carries the plan out.
    pub private: Option<Arc<[u8]>>,
}

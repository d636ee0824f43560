use std::{fmt, sync::Arc};

use super::TypedResource;
use crate::error::{Error, ErrorKind, Result};

/// One real object, as structs.
///
/// `Debug` prints the id alone: inputs and outputs may hold secrets.
pub struct TypedObject<R: TypedResource> {
    /// The id that the remote system uses; what [`TypedResource::import`] takes.
    pub id: String,
    /// What was asked for. Write-only fields are `None`.
    pub inputs: R::Inputs,
    /// What the resource decided; `None` if the object was left half made and nobody knows.
    pub outputs: Option<R::Outputs>,
    /// Bytes that only the resource type reads; not encrypted, so no secrets. `None` in an answer keeps what there was.
    pub private: Option<Arc<[u8]>>,
}

impl<R: TypedResource> TypedObject<R> {
    /// Returns an object without private bytes.
    pub fn new(id: impl Into<String>, inputs: R::Inputs, outputs: R::Outputs) -> Self {
        Self { id: id.into(), inputs, outputs: Some(outputs), private: None }
    }

    /// Returns what the resource decided.
    ///
    /// # Errors
    /// `resource.half_made` (`Conflict`) if the object was left half made.
    pub fn outputs(&self) -> Result<&R::Outputs> {
        self.outputs.as_ref().ok_or_else(half_made)
    }

    /// Returns what the resource decided, by value.
    ///
    /// # Errors
    /// As [`outputs`](Self::outputs).
    pub fn into_outputs(self) -> Result<R::Outputs> {
        self.outputs.ok_or_else(half_made)
    }
}

fn half_made() -> Error {
    let message = "the object was left half made, so that it is not known what the resource decided";
    Error::new(ErrorKind::Conflict, "resource.half_made", message)
}

impl<R: TypedResource> Clone for TypedObject<R>
where
    R::Inputs: Clone,
    R::Outputs: Clone,
{
    fn clone(&self) -> Self {
        Self {
            id: self.id.clone(),
            inputs: self.inputs.clone(),
            outputs: self.outputs.clone(),
            private: self.private.clone(),
        }
    }
}

impl<R: TypedResource> PartialEq for TypedObject<R>
where
    R::Inputs: PartialEq,
    R::Outputs: PartialEq,
{
    fn eq(&self, other: &Self) -> bool {
        (&self.id, &self.inputs, &self.outputs, &self.private)
            == (&other.id, &other.inputs, &other.outputs, &other.private)
    }
}

impl<R: TypedResource> fmt::Debug for TypedObject<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedObject").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a create or update made: the inputs are those that were asked for.
#[derive(Clone, PartialEq)]
pub struct Made<O> {
    /// The id that the remote system uses.
    pub id: String,
    /// What the resource decided.
    pub outputs: O,
    /// As [`TypedObject::private`].
    pub private: Option<Arc<[u8]>>,
}

impl<O> Made<O> {
    /// Returns what was made, without private bytes.
    pub fn new(id: impl Into<String>, outputs: O) -> Self {
        Self { id: id.into(), outputs, private: None }
    }

    /// Sets bytes that only the resource type reads. No secrets.
    pub fn private(self, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { private: Some(bytes.into()), ..self }
    }
}

impl<O> fmt::Debug for Made<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Whether an object really works yet.
pub enum TypedReadiness<O> {
    /// It does, and is as it was.
    Ready,
    /// It does, and got on meanwhile: these are its outputs now.
    ReadyWith(O),
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
pub struct TypedEvidence<R: TypedResource> {
    /// The remote id, if the call checkpointed one or the object existed before.
    pub id: Option<String>,
    /// The object before the call; of a create that checkpointed an id, what it was to become, as far as it is known.
    pub object: Option<TypedObject<R>>,
    /// What was asked for; `None` when it was a delete.
    pub asked: Option<R::Inputs>,
    /// Whether the call was a create.
    pub is_create: bool,
}

impl<R: TypedResource> fmt::Debug for TypedEvidence<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedEvidence")
            .field("id", &self.id)
            .field("is_create", &self.is_create)
            .finish_non_exhaustive()
    }
}

/// What the world says about a call whose outcome was lost.
#[derive(Debug)]
pub enum TypedRecovery<R: TypedResource> {
    /// The object is there, in this shape. The engine compares it with what was planned.
    Found(TypedObject<R>),
    /// It is certainly not there: the settle time has passed and nothing carries the key.
    Absent,
    /// Not to be told; a person has to settle it.
    CannotTell {
        /// Why, for people; no secrets.
        reason: String,
    },
}

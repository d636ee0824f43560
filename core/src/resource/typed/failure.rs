use std::{fmt, sync::Arc};

use super::{Made, TypedResource};
use crate::error::Error;

/// How a typed create or update ended: what was made, or what went wrong and what that left behind.
pub type TypedOutcome<R> = Result<Made<<R as TypedResource>::Outputs>, Failed<R>>;

/// Why a verb that changes things failed, and what it left behind.
///
/// `?` makes one of an [`Error`]: everything is as it was (or, where the error's effect is unknown, nobody knows).
/// An object that is there all the same must not be lost: return [`Failed::partial`] or [`Failed::complete`].
///
/// # Examples
/// ```
/// use stackwright::{Error, error::ErrorKind, resource::typed::{Failed, Half, TypedResource}};
///
/// fn give_up<R: TypedResource>(id: &str) -> Failed<R> {
///     let error = Error::new(ErrorKind::Unavailable, "acme.policy", "the bucket is there, its policy is not");
///     Failed::partial(Half::new(id), error)
/// }
/// ```
pub struct Failed<R: TypedResource> {
    left: Left<R>,
    errors: Vec<Error>,
}

/// What a failed call left behind.
pub(super) enum Left<R: TypedResource> {
    Unchanged,
    Partial(Half<R>),
    Complete(Made<R::Outputs>),
    Gone,
}

/// An object that exists but is not what was asked for.
pub struct Half<R: TypedResource> {
    pub(super) id: String,
    pub(super) inputs: Option<R::Inputs>,
    pub(super) outputs: Option<R::Outputs>,
    pub(super) private: Option<Arc<[u8]>>,
}

impl<R: TypedResource> Half<R> {
    /// Returns an object of which only the id is known.
    ///
    /// After a create its inputs are those that were asked for, and its outputs not known. After an update it is as it
    /// was before, so that the next plan asks for the rest again.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), inputs: None, outputs: None, private: None }
    }

    /// Says which inputs took effect.
    pub fn inputs(self, inputs: R::Inputs) -> Self {
        Self { inputs: Some(inputs), ..self }
    }

    /// Says what the resource decided.
    pub fn outputs(self, outputs: R::Outputs) -> Self {
        Self { outputs: Some(outputs), ..self }
    }

    /// Sets bytes that only the resource type reads. No secrets.
    pub fn private(self, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { private: Some(bytes.into()), ..self }
    }
}

impl<R: TypedResource> Failed<R> {
    fn new(left: Left<R>, error: Error) -> Self {
        Self { left, errors: vec![error] }
    }

    /// It failed half-way: the object exists but is not what was asked for. A new one is marked tainted.
    pub fn partial(half: Half<R>, error: Error) -> Self {
        Self::new(Left::Partial(half), error)
    }

    /// The object is what was asked for, and something went wrong all the same.
    pub fn complete(made: Made<R::Outputs>, error: Error) -> Self {
        Self::new(Left::Complete(made), error)
    }

    /// It failed, and the object does not exist (any more).
    pub fn gone(error: Error) -> Self {
        Self::new(Left::Gone, error)
    }

    /// Adds another thing that went wrong.
    pub fn and(mut self, error: Error) -> Self {
        self.errors.push(error);
        self
    }

    /// Returns what went wrong; at least one.
    pub fn errors(&self) -> &[Error] {
        &self.errors
    }

    pub(super) fn into_parts(self) -> (Left<R>, Vec<Error>) {
        (self.left, self.errors)
    }
}

impl<R: TypedResource> From<Error> for Failed<R> {
    fn from(error: Error) -> Self {
        Self::new(Left::Unchanged, error)
    }
}

impl<R: TypedResource> fmt::Debug for Failed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failed").field("errors", &self.errors).finish_non_exhaustive()
    }
}

impl<R: TypedResource> fmt::Debug for Half<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Half").field("id", &self.id).finish_non_exhaustive()
    }
}

use std::{fmt, sync::Arc};

use super::{TypedObject, TypedResource};
use crate::value::{Path, Value};

/// A change that the engine proposes to a typed resource while planning.
pub struct TypedChange<R: TypedResource> {
    /// The object as it is; `None` when it is to be created.
    pub prior: Option<TypedObject<R>>,
    /// What is asked for; `None` while a part of it is not known yet.
    pub inputs: Option<R::Inputs>,
    /// Whether anything is asked for that is not so already.
    pub is_change: bool,
    /// Whether the schema asks for a new object because of what changed.
    pub replaces: bool,
}

impl<R: TypedResource> fmt::Debug for TypedChange<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedChange")
            .field("prior", &self.prior)
            .field("is_change", &self.is_change)
            .field("replaces", &self.replaces)
            .finish_non_exhaustive()
    }
}

/// What a typed resource knows about a change beforehand.
///
/// Says nothing at first: then outputs of a new object are not known until it is made, those of a changed object are
/// not known unless they are `stable`, and those of one that does not change stay. What is said about an attribute that
/// the template sets is ignored; it stays as the template has it.
///
/// # Examples
/// ```
/// use stackwright::resource::typed::TypedPlan;
///
/// let plan = TypedPlan::new().predict("url", "https://assets.example.com").keep("created").replace("engine");
/// # let _ = plan;
/// ```
#[derive(Clone, Debug, Default)]
pub struct TypedPlan {
    pub(super) words: Vec<(Arc<str>, Word)>,
    pub(super) replace: Vec<Path>,
    pub(super) private: Option<Arc<[u8]>>,
}

/// What is said about one output.
#[derive(Clone, Debug)]
pub(super) enum Word {
    Keep,
    Recompute,
    Predict(Value),
}

impl TypedPlan {
    /// Returns a plan that says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    fn say(mut self, name: impl Into<Arc<str>>, word: Word) -> Self {
        self.words.push((name.into(), word));
        self
    }

    /// Says that an output will be what it is. Of an object that is new or replaced, nothing can be kept.
    pub fn keep(self, name: impl Into<Arc<str>>) -> Self {
        self.say(name, Word::Keep)
    }

    /// Says that an output will change although nothing else does, which makes an update of it.
    pub fn recompute(self, name: impl Into<Arc<str>>) -> Self {
        self.say(name, Word::Recompute)
    }

    /// Says what an output will be. It must come true.
    pub fn predict(self, name: impl Into<Arc<str>>, value: impl Into<Value>) -> Self {
        self.say(name, Word::Predict(value.into()))
    }

    /// Asks for a new object because an attribute changed, beside those that the schema names.
    pub fn replace(mut self, name: impl Into<Arc<str>>) -> Self {
        self.replace.push(Path::root().attr(name));
        self
    }

    /// Sets bytes that the verb that carries the plan out finds in
    /// [`CallInfo::planned_private`](crate::resource::CallInfo::planned_private). No secrets.
    pub fn private(self, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { private: Some(bytes.into()), ..self }
    }
}

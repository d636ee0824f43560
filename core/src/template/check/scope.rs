use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    address::Mode,
    error::Span,
    template::{
        eval::{FileAccess, Problem, Request, Resolution, Scope},
        model::{Edition, Repetition, ResourceKey},
    },
    value::{Marks, Refinement, Type, Value},
};

use super::{
    names::{Place, place},
    scene::Scene,
};

/// What is known of the locals and outputs of each folder: their values, as far as nothing must be asked for that.
#[derive(Debug, Default)]
pub(super) struct Values {
    pub(super) locals: BTreeMap<Key, Value>,
    pub(super) outputs: BTreeMap<Key, Value>,
}

/// A folder and a name in it.
pub(super) type Key = (Arc<str>, Arc<str>);

/// Stand-ins for everything that an expression may refer to: of the right type, and mostly unknown.
pub(super) struct Stage<'a> {
    pub(super) scene: Scene<'a>,
    pub(super) values: &'a Values,
    /// References that were reported: what they stand for may be anything.
    pub(super) reported: &'a BTreeSet<Place>,
    /// The type of `each.value`.
    pub(super) each: Type,
    /// What `self` is.
    pub(super) own: Option<&'a ResourceKey>,
    /// The edition of the language.
    pub(super) edition: Edition,
}

impl Stage<'_> {
    fn resource(&self, key: &ResourceKey, is_instance: bool) -> Value {
        let Some(block) = self.scene.module.resources.get(key) else { return Value::unknown(Type::Any) };
        if !is_instance && block.repetition != Repetition::One {
            return Value::unknown(Type::Any);
        }
        let instance = self.scene.types.of(key).map_or_else(|| Value::unknown(Type::Any), |known| known.instance);
        if key.mode == Mode::Ephemeral { instance.with_marks(Marks::EPHEMERAL) } else { instance }
    }

    fn module(&self, name: &str, is_instance: bool, output: Option<&str>) -> Value {
        let module = self.scene.module;
        let (Some(call), Some(child)) = (module.calls.get(name), self.scene.child(name)) else {
            return Value::unknown(Type::Any);
        };
        if !is_instance && call.repetition != Repetition::One {
            return Value::unknown(Type::Any);
        }
        let value = |name: &Arc<str>| {
            let found = self.values.outputs.get(&(Arc::clone(&child.dir), Arc::clone(name)));
            // Of others not even the type counts, as in Terraform: what stands beside it here may only be known later, and
            // nothing has a type in common with half of the truth.
            let value = match found {
                Some(value) if value.ty().is_primitive() => value.clone(),
                Some(value) => Value::unknown(Type::Any).with_marks(value.marks_deep()),
                None => Value::unknown(Type::Any),
            };
            child.outputs.get(name).map_or_else(|| value.clone(), |output| value.clone().with_marks(output.marks()))
        };
        match output {
            Some(output) => value(&Arc::from(output)),
            None => Value::object(child.outputs.keys().map(|name| (Arc::clone(name), value(name)))),
        }
    }
}

fn not_null(ty: Type) -> Value {
    Value::unknown_with(ty, Refinement::not_null())
}

impl Scope for Stage<'_> {
    fn provider_of_function<'a>(&'a self, local: &'a str) -> Option<&'a str> {
        self.scene.module.settings.provider_of_function(local, self.edition)
    }

    fn resolve(&self, request: &Request<'_>, span: Span) -> Resolution {
        if self.reported.contains(&place(span)) {
            return Value::unknown(Type::Any).into();
        }
        let module = self.scene.module;
        let value = match request {
            Request::Variable(name) => match module.variables.get(*name) {
                Some(variable) => {
                    let ty = variable.constraint.ty.without_optional();
                    let value = if variable.nullable { Value::unknown(ty) } else { not_null(ty) };
                    value.with_marks(variable.marks())
                }
                None => Value::unknown(Type::Any),
            },
            Request::Local(name) => {
                let key = (Arc::clone(&module.dir), Arc::from(*name));
                self.values.locals.get(&key).cloned().unwrap_or_else(|| Value::unknown(Type::Any))
            }
            Request::Resource { mode, type_name, name, key } => {
                let wanted = ResourceKey { mode: *mode, type_name: Arc::from(*type_name), name: Arc::from(*name) };
                self.resource(&wanted, key.is_some())
            }
            Request::Module { name, key, output } => self.module(name, key.is_some(), *output),
            Request::EachKey => not_null(Type::String),
            Request::EachValue => Value::unknown(self.each.clone()),
            Request::CountIndex => not_null(Type::Number),
            Request::SelfObject => self.own.map_or_else(|| Value::unknown(Type::Any), |key| self.resource(key, true)),
            Request::Applying => not_null(Type::Bool).with_marks(Marks::EPHEMERAL),
            Request::PathModule | Request::PathRoot | Request::PathCwd | Request::Workspace => not_null(Type::String),
        };
        value.into()
    }
}

/// Files that nobody may look at yet: what a function would read is not known, and that is no mistake.
#[derive(Debug)]
pub(super) struct LaterFiles;

impl LaterFiles {
    /// The code of the problem that tells so, which [`is_later`] finds again.
    const CODE: &'static str = "eval.file";

    fn later<T>() -> Result<T, Problem> {
        Err(Problem::new("files are not read while checking").code(Self::CODE))
    }
}

/// Returns whether a problem says no more than that files are not read while checking.
pub(super) fn is_later(code: &str) -> bool {
    code == LaterFiles::CODE
}

impl FileAccess for LaterFiles {
    fn read(&self, _: &str) -> Result<Arc<[u8]>, Problem> {
        Self::later()
    }

    fn exists(&self, _: &str) -> Result<bool, Problem> {
        Self::later()
    }

    fn list(&self, _: &str) -> Result<Vec<String>, Problem> {
        Self::later()
    }

    fn absolute(&self, _: &str) -> Result<String, Problem> {
        Self::later()
    }
}

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use crate::{
    address::Mode,
    schema::Schema,
    template::model::{Module, ResourceKey},
    value::{Refinement, Value},
};

use super::SchemaSource;

/// The module at hand, and what is known around it.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) module: &'a Module,
    /// All modules of the template by folder.
    pub(super) by_dir: &'a BTreeMap<Arc<str>, Arc<Module>>,
    pub(super) types: &'a Types<'a>,
}

/// The types of resources, each asked for once.
pub(super) struct Types<'a> {
    pub(super) source: &'a dyn SchemaSource,
    known: RefCell<ByType>,
}

type ByType = BTreeMap<(Mode, Arc<str>), Option<Known>>;

/// A type that is known.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) schema: Arc<Schema>,
    /// An instance of which nothing is known: of the schema's type, and not null.
    pub(super) instance: Value,
}

impl<'a> Types<'a> {
    pub(super) fn new(source: &'a dyn SchemaSource) -> Self {
        Self { source, known: RefCell::default() }
    }

    /// Returns what is known of the type of a resource.
    pub(super) fn of(&self, key: &ResourceKey) -> Option<Known> {
        let name = (key.mode, Arc::clone(&key.type_name));
        if let Some(known) = self.known.borrow().get(&name) {
            return known.clone();
        }
        let schema = match key.mode {
            Mode::Managed => self.source.resource(&key.type_name),
            Mode::Data => self.source.data_source(&key.type_name),
            Mode::Ephemeral => self.source.ephemeral(&key.type_name),
        };
        let known = schema.map(|schema| {
            let instance = Value::unknown_with(schema.block.implied_type(), Refinement::not_null());
            Known { schema, instance }
        });
        self.known.borrow_mut().insert(name, known.clone());
        known
    }
}

impl<'a> Scene<'a> {
    /// Returns the module that a call names, if it could be found.
    pub(super) fn child(&self, call: &str) -> Option<&'a Arc<Module>> {
        self.by_dir.get(&self.module.calls.get(call)?.dir)
    }

    /// Returns the schema of a resource, if the type is known.
    pub(super) fn schema(&self, key: &ResourceKey) -> Option<Arc<Schema>> {
        self.types.of(key).map(|known| known.schema)
    }
}

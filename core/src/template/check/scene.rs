use std::{collections::BTreeMap, sync::Arc};

use crate::{
    address::Mode,
    schema::Schema,
    template::model::{Module, ResourceKey},
};

use super::SchemaSource;

/// The module at hand, and what is known around it.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) module: &'a Module,
    /// All modules of the template by folder.
    pub(super) by_dir: &'a BTreeMap<Arc<str>, Arc<Module>>,
    pub(super) schemas: &'a dyn SchemaSource,
}

impl<'a> Scene<'a> {
    /// Returns the module that a call names, if it could be found.
    pub(super) fn child(&self, call: &str) -> Option<&'a Arc<Module>> {
        self.by_dir.get(&self.module.calls.get(call)?.dir)
    }

    /// Returns the schema of a resource, if the type is known.
    pub(super) fn schema(&self, key: &ResourceKey) -> Option<Arc<Schema>> {
        match key.mode {
            Mode::Managed => self.schemas.resource(&key.type_name),
            Mode::Data => self.schemas.data_source(&key.type_name),
        }
    }
}

use std::sync::Arc;

use crate::{schema::Schema, template::eval::Functions};

/// Who knows which types of resources there are: the registry of an engine, or a test.
pub trait SchemaSource {
    /// Returns the schema of a resource type.
    fn resource(&self, type_name: &str) -> Option<Arc<Schema>>;

    /// Returns the schema of a data source.
    fn data_source(&self, type_name: &str) -> Option<Arc<Schema>>;

    /// Returns the schema of an ephemeral resource type; there are none, unless somebody says so.
    fn ephemeral(&self, type_name: &str) -> Option<Arc<Schema>> {
        let _ = type_name;
        None
    }

    /// Returns the schema of a provider's block; the inside is `None` where the provider is known and has nothing to
    /// configure.
    fn provider(&self, name: &str) -> Option<Option<Arc<Schema>>>;

    /// Returns the functions that expressions may call; the language's own, unless there are others.
    fn functions(&self) -> Functions {
        Functions::standard()
    }

    /// Returns the names of all resource types, to suggest one.
    fn resource_names(&self) -> Vec<Arc<str>>;

    /// Returns the names of all data sources, to suggest one.
    fn data_source_names(&self) -> Vec<Arc<str>>;

    /// Returns the names of all ephemeral resource types, to suggest one.
    fn ephemeral_names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }

    /// Returns the names of all providers, to suggest one.
    fn provider_names(&self) -> Vec<Arc<str>>;
}

use std::{fmt, sync::Arc};

use crate::{
    address::Mode,
    error::suggest,
    resource::{Registry, Traits},
    schema::Schema,
    template::eval::Functions,
};

/// What planning has to know of resource types, data sources and providers without asking anything of the world.
///
/// The [`Registry`] is one.
pub trait TypeSource: fmt::Debug + Send + Sync {
    /// Returns a resource type; `None` where there is none of that name.
    fn resource(&self, type_name: &str) -> Option<ResourceInfo>;

    /// Returns the schema of a data source; `None` where there is none of that name.
    fn data_source(&self, type_name: &str) -> Option<Arc<Schema>>;

    /// Returns the schema of an ephemeral resource type; `None` where there is none of that name, as it is for sources
    /// that know none.
    fn ephemeral(&self, type_name: &str) -> Option<Arc<Schema>> {
        let _ = type_name;
        None
    }

    /// Returns the schema of what a block of this mode declares.
    fn schema(&self, mode: Mode, type_name: &str) -> Option<Arc<Schema>> {
        match mode {
            Mode::Managed => self.resource(type_name).map(|info| info.schema),
            Mode::Data => self.data_source(type_name),
            Mode::Ephemeral => self.ephemeral(type_name),
        }
    }

    /// Returns the schema of a provider's configuration; `None` where it has none, or where there is no such provider.
    fn provider_schema(&self, provider: &str) -> Option<Arc<Schema>>;

    /// Returns the name of the provider that owns a type.
    fn provider_of(&self, type_name: &str) -> Arc<str>;

    /// Returns the functions that expressions may call; the language's own, unless there are others.
    fn functions(&self) -> Functions {
        Functions::standard()
    }

    /// Returns the registered type whose name is most like this one.
    fn nearest(&self, type_name: &str) -> Option<String>;
}

/// A resource type as planning sees it.
#[derive(Clone, Debug)]
pub struct ResourceInfo {
    /// Its schema.
    pub schema: Arc<Schema>,
    /// What it promises beyond the contract.
    pub traits: Traits,
}

impl TypeSource for Registry {
    fn resource(&self, type_name: &str) -> Option<ResourceInfo> {
        let resource = Self::resource(self, type_name)?;
        Some(ResourceInfo { schema: resource.schema(), traits: resource.traits() })
    }

    fn data_source(&self, type_name: &str) -> Option<Arc<Schema>> {
        Self::data_source(self, type_name).map(|source| source.schema())
    }

    fn ephemeral(&self, type_name: &str) -> Option<Arc<Schema>> {
        Self::ephemeral(self, type_name).map(|resource| resource.schema())
    }

    fn provider_schema(&self, provider: &str) -> Option<Arc<Schema>> {
        Self::provider_schema(self, provider).flatten()
    }

    fn provider_of(&self, type_name: &str) -> Arc<str> {
        Arc::from(Self::provider_of(self, type_name))
    }

    fn functions(&self) -> Functions {
        Self::functions(self).clone()
    }

    fn nearest(&self, type_name: &str) -> Option<String> {
        let names = self.resource_names().chain(self.data_source_names()).chain(self.ephemeral_names());
        suggest(type_name, names).map(str::to_owned)
    }
}

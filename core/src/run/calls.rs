use std::{fmt, sync::Arc};

use crate::{
    error::{Error, ErrorKind, Result},
    resource::{DataSource, EphemeralResource, Registry, Resource},
};

/// Finds the implementation of a type; layers are around it already.
///
/// `provider` is the configured provider of the instance, such as `local` or `module.a.provider.local.east`; empty
/// for the one that the type's name implies.
pub trait Calls: fmt::Debug + Send + Sync + 'static {
    /// Returns the resource type.
    ///
    /// # Errors
    /// `registry.unknown_type` (`NotFound`).
    fn resource(&self, type_name: &str, provider: &str) -> Result<Arc<dyn Resource>>;

    /// Returns the data source.
    ///
    /// # Errors
    /// `registry.unknown_type` (`NotFound`).
    fn data_source(&self, type_name: &str, provider: &str) -> Result<Arc<dyn DataSource>>;

    /// Returns the ephemeral resource type; there are none, unless somebody says so.
    ///
    /// # Errors
    /// `registry.unknown_type` (`NotFound`).
    fn ephemeral(&self, type_name: &str, provider: &str) -> Result<Arc<dyn EphemeralResource>> {
        let _ = provider;
        Err(unknown("ephemeral resource type", type_name))
    }
}

fn unknown(kind: &str, type_name: &str) -> Error {
    Error::new(ErrorKind::NotFound, "registry.unknown_type", format!("no {kind} `{type_name}` is registered"))
}

impl Calls for Registry {
    fn resource(&self, type_name: &str, _: &str) -> Result<Arc<dyn Resource>> {
        Self::resource(self, type_name).ok_or_else(|| self.unknown_resource(type_name))
    }

    fn data_source(&self, type_name: &str, _: &str) -> Result<Arc<dyn DataSource>> {
        Self::data_source(self, type_name).ok_or_else(|| unknown("data source", type_name))
    }

    fn ephemeral(&self, type_name: &str, _: &str) -> Result<Arc<dyn EphemeralResource>> {
        Self::ephemeral(self, type_name).ok_or_else(|| unknown("ephemeral resource type", type_name))
    }
}

use std::{fmt, sync::Arc};

use crate::{
    error::{Error, ErrorKind, Result},
    resource::{DataSource, Registry, Resource},
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
}

impl Calls for Registry {
    fn resource(&self, type_name: &str, _: &str) -> Result<Arc<dyn Resource>> {
        Self::resource(self, type_name).ok_or_else(|| self.unknown_resource(type_name))
    }

    fn data_source(&self, type_name: &str, _: &str) -> Result<Arc<dyn DataSource>> {
        Self::data_source(self, type_name).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "registry.unknown_type",
                format!("no data source `{type_name}` is registered"),
            )
        })
    }
}

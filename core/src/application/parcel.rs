use std::{path::Path, sync::Arc};

use super::{PackageRef, problem};
use crate::{
    catalog::{Built, Catalog, Limits, Package, PackageFiles, Version, Viewer, digest, pack},
    error::{Diagnostics as _, Error, Result},
    form::Widgets,
};

/// A version of a package, ready to be installed: read without errors, and known by its content. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Parcel {
    package: Arc<Package>,
    reference: PackageRef,
}

impl Parcel {
    /// Takes a package that lies about as files, signed by nobody.
    ///
    /// # Errors
    /// `template.invalid` with every diagnostic; `installation.package` without name and version; `catalog.archive`,
    /// `catalog.too_large`.
    pub fn new(files: PackageFiles, widgets: &Widgets) -> Result<Self> {
        let digest = digest(&pack(&files, Limits::default())?);
        Self::of(files, digest, widgets)
    }

    /// Takes a package in a folder, signed by nobody.
    ///
    /// # Errors
    /// As [`new`](Self::new), and `catalog.unavailable`.
    pub fn from_dir(path: impl AsRef<Path>, widgets: &Widgets) -> Result<Self> {
        let (package, _) = Package::from_dir(path, widgets)?;
        Self::new(package.files, widgets)
    }

    /// Takes a package that was proved to be what its publisher signed.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_built(built: &Built, widgets: &Widgets) -> Result<Self> {
        Self::of(built.files(Limits::default())?, Arc::clone(&built.seal.digest), widgets)
    }

    /// Fetches a version from a catalog; the latest for the viewer where none is named. The catalog checks signature, digest
    /// and stage.
    ///
    /// # Errors
    /// As [`new`](Self::new), and those of [`Catalog::fetch`].
    pub async fn fetch(
        catalog: &Catalog,
        name: &str,
        version: Option<&Version>,
        viewer: &Viewer,
        widgets: &Widgets,
    ) -> Result<Self> {
        let (_, built) = catalog.fetch(name, version, viewer).await?;
        Self::from_built(&built, widgets)
    }

    fn of(files: PackageFiles, digest: Arc<str>, widgets: &Widgets) -> Result<Self> {
        let (package, problems) = Package::read(files, widgets);
        if problems.has_errors() {
            return Err(Error::from_diagnostics("template.invalid", problems));
        }
        let (name, version) =
            package.identity().ok_or_else(|| problem::package("the package has no name and version"))?;
        let reference = PackageRef { name: Arc::clone(name), version: version.clone(), digest };
        Ok(Self { package: Arc::new(package), reference })
    }

    /// Returns the package.
    pub fn package(&self) -> &Package {
        &self.package
    }

    /// Returns which version it is.
    pub fn reference(&self) -> &PackageRef {
        &self.reference
    }
}

use std::{fmt, sync::Arc};

use crate::{
    address::{Mode, ModulePath, ResourcePath},
    error::Span,
    template::syntax::{Body, Expr, Traversal},
};

use super::{Condition, Dependency, ProviderRef, Repetition};

/// Names a `resource`, `data` or `ephemeral` block within its module. Prints as `acme_vpc.main`,
/// `data.acme_zone.main` or `ephemeral.acme_token.main`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    /// Whether it is managed.
    pub mode: Mode,
    /// The resource type, such as `acme_vpc`.
    pub type_name: Arc<str>,
    /// The block's name.
    pub name: Arc<str>,
}

impl ResourceKey {
    /// Returns the key of a `resource` block.
    pub fn managed(type_name: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { mode: Mode::Managed, type_name: type_name.into(), name: name.into() }
    }

    /// Returns the key of a `data` block.
    pub fn data(type_name: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { mode: Mode::Data, type_name: type_name.into(), name: name.into() }
    }

    /// Returns the key of an `ephemeral` block.
    pub fn ephemeral(type_name: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { mode: Mode::Ephemeral, type_name: type_name.into(), name: name.into() }
    }

    /// Returns where the block is written, given the module that it is in.
    pub fn path(&self, module: &ModulePath) -> ResourcePath {
        ResourcePath {
            module: module.clone(),
            mode: self.mode,
            type_name: Arc::clone(&self.type_name),
            name: Arc::clone(&self.name),
        }
    }

    /// Returns the provider that a type belongs to by its name: `acme` for `acme_vpc`.
    pub fn implied_provider(&self) -> &str {
        self.type_name.split('_').next().unwrap_or(&self.type_name)
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}.{}", self.mode.prefix(), self.type_name, self.name)
    }
}

/// A `resource`, `data` or `ephemeral` block.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceBlock {
    /// Mode, type and name.
    pub key: ResourceKey,
    /// How many instances.
    pub repetition: Repetition,
    /// What it must wait for although no expression refers to it.
    pub depends_on: Vec<Dependency>,
    /// The provider that was named, if one was; else it follows from the type.
    pub provider: Option<ProviderRef>,
    /// The `check` block that it stands in, for a data source that only that can refer to.
    pub check: Option<Arc<str>>,
    /// How the object is treated.
    pub lifecycle: Lifecycle,
    /// Arguments and blocks for the schema of the type; without the meta-arguments that are fields here.
    pub body: Arc<Body>,
    /// The kind and the labels of the block: what messages about the whole point at.
    pub span: Span,
}

/// A `lifecycle` block; the default is that of a resource without one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lifecycle {
    /// Whether a replacement is made before the old object is deleted.
    pub create_before_destroy: bool,
    /// Whether planning to delete the object is an error; `Some` says where it was written.
    pub prevent_destroy: Option<Span>,
    /// Which differences are not acted on.
    pub ignore_changes: IgnoreChanges,
    /// What, when it changes, has the object replaced: references to resources, instances or attributes.
    pub replace_triggered_by: Vec<Arc<Expr>>,
    /// What must hold before the instance is planned.
    pub preconditions: Vec<Condition>,
    /// What must hold of the result; may use `self`.
    pub postconditions: Vec<Condition>,
}

/// `ignore_changes`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum IgnoreChanges {
    /// Every difference counts.
    #[default]
    None,
    /// No difference counts: the object is made and deleted, never changed.
    All,
    /// These do not count. The root of each traversal is an attribute of the resource.
    Only(Vec<Traversal>),
}

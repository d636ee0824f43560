use std::fmt;

use crate::{
    address::{Address, ModuleInstance, ModulePath, ResourceAddress, ResourcePath},
    error::Span,
};

/// A `moved` block: what stood at one place stands at another.
///
/// Both ends are of one kind: calls, module instances, resources or instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Where it stood.
    pub from: Endpoint,
    /// Where it stands.
    pub to: Endpoint,
    /// The kind of the block.
    pub span: Span,
    /// Where `from` is written.
    pub from_span: Span,
    /// Where `to` is written.
    pub to_span: Span,
}

/// One end of a move, relative to the module that the block stands in, of which every instance is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A module call with all of its instances; the last step has no key.
    Call(ModuleInstance),
    /// One instance of a module; without a key at the last step, the only one.
    Module(ModuleInstance),
    /// A resource with all of its instances.
    Resource(ResourceAddress),
    /// One instance of a resource; without a key, the only one.
    Instance(Address),
}

impl Endpoint {
    /// Returns the steps of its module, seen from the module of the block.
    pub fn module(&self) -> &ModuleInstance {
        match self {
            Self::Call(module) | Self::Module(module) => module,
            Self::Resource(resource) => &resource.module,
            Self::Instance(instance) => instance.module(),
        }
    }

    /// Returns the resource; nothing where a module is meant.
    pub fn resource(&self) -> Option<&ResourceAddress> {
        match self {
            Self::Call(_) | Self::Module(_) => None,
            Self::Resource(resource) => Some(resource),
            Self::Instance(instance) => Some(&instance.resource),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(module) | Self::Module(module) => module.fmt(f),
            Self::Resource(resource) => resource.fmt(f),
            Self::Instance(instance) => instance.fmt(f),
        }
    }
}

/// A `removed` block: what was declared here is not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// What was declared, relative to the module that the block stands in.
    pub from: RemovedFrom,
    /// Whether its objects are deleted; otherwise they are let go.
    pub destroy: bool,
    /// The kind of the block.
    pub span: Span,
    /// Where `from` is written.
    pub from_span: Span,
}

/// What a `removed` block names; all instances of it are meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RemovedFrom {
    /// A module with everything below it.
    Module(ModulePath),
    /// A resource.
    Resource(ResourcePath),
}

impl fmt::Display for RemovedFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module(module) => module.fmt(f),
            Self::Resource(resource) => resource.fmt(f),
        }
    }
}

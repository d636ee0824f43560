//! One model of what the user wrote.
//!
//! ```text
//! files ──▶ syntax tree ──▶ model ──▶ checked
//! load      hcl json yaml   decode    check
//! ```
//!
//! [`Files`] are texts by path. A front end ([`hcl`], [`json`], [`yaml`]) reads a text into the shared [`syntax`] tree, and decoding
//! makes a [`Template`] of the trees: plain data, which nothing downstream takes apart again. All of it is pure, and all of
//! it returns every problem at once instead of stopping at the first.

mod check;
mod decode;
pub(crate) mod document;
pub(crate) mod ephemeral;
pub mod eval;
mod graph;
pub mod hcl;
pub(crate) mod infinite;
pub mod json;
mod load;
mod model;
mod notation;
mod provider;
mod refactor;
mod reference;
pub mod syntax;
mod vars;
pub mod yaml;

#[cfg(test)]
mod testing;

pub use check::{SchemaSource, check};
pub(crate) use check::{sensitive_output, sensitive_repetition};
pub use graph::{StaticKind, StaticNode, drawn_graph, static_graph};
pub use json::with_schema_blocks;
pub use load::{FetchLimits, FetchedModule, FileKind, Files, LoadOptions, ModulePackage, ModuleRequest, ModuleSource};
pub use model::{
    Check, Condition, Defaults, Dependency, Edition, Endpoint, IgnoreChanges, Import, ImportTarget, Lifecycle, Local,
    Module, ModuleCall, Moved, Options, Output, PassedProvider, ProviderAddress, ProviderBlock, ProviderName,
    ProviderRef, Removed, RemovedFrom, Repetition, RequiredProvider, RequiredVersion, ResourceBlock, ResourceKey,
    Settings, Template, TypeConstraint, Variable, VersionConstraint,
};
pub use notation::{Notation, sort_blocks};
pub(crate) use provider::{Found, look};
pub(crate) use refactor::{Move, declared_moves, order_moves};
pub use reference::{EachPart, Reference, Referent, references, resolve};
pub use vars::{
    Origin, RawValue, RawVariable, RawVariables, VariableArgument, VariableSources, gather_variables, resolve_variables,
};

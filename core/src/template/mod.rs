//! One model of what the user wrote.
//!
//! ```text
//! files ──▶ syntax tree ──▶ model ──▶ checked
//! load      hcl json        decode    check
//! ```
//!
//! [`Files`] are texts by path. A front end (`hcl`, `json`) reads a text into the shared [`syntax`] tree, and decoding
//! makes a [`Template`] of the trees: plain data, which nothing downstream takes apart again. All of it is pure, and all of
//! it returns every problem at once instead of stopping at the first.

pub mod hcl;
mod load;
mod model;
mod reference;
pub mod syntax;

pub use load::{FileKind, Files};
pub use model::{
    Condition, Defaults, Dependency, Edition, IgnoreChanges, Lifecycle, Local, Module, ModuleCall, Options, Output,
    ProviderBlock, ProviderRef, Repetition, RequiredProvider, ResourceBlock, ResourceKey, Settings, Template,
    TypeConstraint, Variable, VersionConstraint,
};
pub use reference::{EachPart, Reference, Referent, references, resolve};

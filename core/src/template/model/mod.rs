//! What a template says, as plain data.
//!
//! ```text
//! Template ── Module (one per folder, shared by every call of it)
//!               ├─ Variable  Local  Output  ResourceBlock  ModuleCall  ProviderBlock  Settings
//!               ├─ Moved  Removed  Import  Check
//!               └─ expressions as they were written, each with its span; nothing is evaluated
//! ```
//!
//! The model is deliberately not a graph and holds no instance: `count` and `for_each` are still expressions. All that
//! must be known without evaluating anything (types, `lifecycle` switches, `depends_on`, sources of modules) is read
//! once, here, so that nothing downstream looks at syntax again, except into the bodies that a schema describes.
//!
//! Everything is shared (`Arc`), so copies are cheap, and every map is ordered by name, so that two readings of the same
//! files are equal whatever the order in which the files came.

mod check;
mod constraint;
mod import;
mod module;
mod provider;
mod refactor;
mod resource;
mod settings;
mod template;

pub use check::Check;
pub use constraint::{Defaults, TypeConstraint};
pub use import::{Import, ImportTarget};
pub use module::{Condition, Dependency, Local, Module, ModuleCall, Output, Repetition, Variable};
pub use provider::{PassedProvider, ProviderAddress, ProviderBlock, ProviderName, ProviderRef};
pub use refactor::{Endpoint, Moved, Removed, RemovedFrom};
pub use resource::{IgnoreChanges, Lifecycle, ResourceBlock, ResourceKey};
pub use settings::{RequiredProvider, RequiredVersion, Settings, VersionConstraint};
pub use template::{Edition, Options, Template};

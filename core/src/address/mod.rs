//! Where an instance stands in the template.
//!
//! ```text
//! module.net["a"].data.acme_zone.main[0]
//! └─ module ─────┘ └mode┘└ type ┘└name┘└key┘
//! ```
//!
//! An address names a place, never a thing: what stands there is an object, with an identity of its own that
//! survives moves. An address is never an index into anything either: nothing here knows how many siblings an
//! instance has.
//!
//! There is a static and a dynamic view. [`ModulePath`] and [`ResourcePath`] say where a block is written;
//! [`ModuleInstance`], [`ResourceAddress`] and [`Address`] say which of its instances is meant, with the keys that
//! `count` and `for_each` gave. [`Target`] is what people name to say "only this".
//!
//! Invariants: printing and parsing are inverse for every key and every valid name ([`is_identifier`]); the order
//! is total, stable, and groups what belongs together (module, mode, type, name, key; numbers before strings and
//! by size); copies cost no allocation.

mod error;
mod instance;
mod key;
mod module;
mod parse;
mod serial;
mod target;

pub use error::Error;
pub use instance::{Address, Mode, ResourceAddress, ResourcePath};
pub use key::InstanceKey;
pub use module::{ModuleInstance, ModulePath, ModuleStep};
pub use parse::is_identifier;
pub use target::Target;

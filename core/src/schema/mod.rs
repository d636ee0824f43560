//! What a resource type, a data source or a provider accepts and returns: attributes and nested blocks.
//!
//! A [`Schema`] is data. Resource types build one with a few words, the engine asks it questions, and JSON carries it
//! to other languages. Every question is a pure function of schema and values:
//!
//! ```text
//! template ─▶ coerce ─▶ validate_values ─▶ proposed_new(prior) ─▶ changed_paths, forces_replacement
//!             (types,    (one of, range,    (computed values       (what differs, what cannot
//!              defaults)  pattern, length)   carry over)            be changed in place)
//! state, provider ─▶ conform ─▶ mark_sensitive, strip_write_only
//! ```
//!
//! It deliberately knows no syntax and no spans (problems carry a [`Path`](crate::value::Path), which the caller maps to
//! text) and makes no plan: it proposes, `plan` decides.
//!
//! Invariants: every answer is total, whatever the value: nulls, unknowns, marks and values of a wrong shape are no
//! panic; marks survive; messages never hold a value that is marked or whose attribute is sensitive; a problem never
//! hides another.

mod attribute;
mod block;
mod change;
mod check;
mod coerce;
mod consistency;
mod error;
mod implied;
mod json_schema;
mod mark;
mod propose;
#[cfg(test)]
mod testing;
mod wire;

pub use attribute::Attribute;
pub use block::{Block, NestedBlock, Nesting, Schema};
pub use check::{Check, Pattern};
pub use coerce::Problems;
pub use error::Error;

//! The YAML syntax: the JSON syntax as people like to write it.
//!
//! A YAML file says what a JSON file of the same structure says: mappings are bodies and labels, sequences are several
//! blocks, strings in places of expressions are templates. Beyond that, `!expr` makes a string an expression without `${`
//! and `}` around it. What follows has no other way to be written, or no good one:
//!
//! ```yaml
//! resource:
//!   acme_disk:
//!     data:
//!       count: !expr var.size > 100 ? 2 : 1
//!       name: disk-${count.index}
//! ```
//!
//! Plain words mean what YAML 1.2's core schema says: `true` and `false` are bools, `yes`, `no`, `on` and `off` are strings.
//! A number that starts with a zero (`0644`) is an error, since half of its readers take it for an octal one. Anchors, aliases and the merge
//! key `<<` are understood; what aliases repeat is bounded.
//!
//! ```text
//! bytes ─▶ reader (events of saphyr-parser) ─▶ node ─▶ the JSON syntax
//! ```

mod place;
mod print;
mod reader;
mod scalar;

#[cfg(test)]
mod tests;

pub use print::print;
pub(in crate::template) use reader::{parse_body, read};

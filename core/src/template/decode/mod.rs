//! Syntax trees become the model.
//!
//! Each kind of block has a reader that takes the body apart name by name; what is left over in the end is reported, so
//! that nothing is ignored. What must be known without evaluating (types, switches, lists of references) is read here, and
//! everything that a later version will understand is refused with `template.unsupported`.
//!
//! A mistake is reported once: text that could not be read leaves marks (`Module::lost`, `Module::damage`), and what
//! seems to be missing near them is not reported again.

mod body;
mod call;
mod check;
mod constant;
mod dependency;
mod front;
mod import;
mod module;
mod overlay;
mod provider;
mod refactor;
mod resource;
mod settings;
mod tree;
mod types;
mod variable;
mod written;

#[cfg(test)]
mod tests;

pub(in crate::template) use body::{Problems, is_damaged, unknown};
pub(in crate::template) use constant::{constant, walk};
pub(in crate::template) use front::called_modules;
pub(in crate::template) use tree::template;
pub(in crate::template) use types::constraint;

use body::Reader;

//! Everything that is wrong with a template and can be known before it is planned.
//!
//! ```text
//! names   does everything exist that expressions refer to; `each`, `count`, `self`; instances
//! shape   do blocks fit the schemas of their types; do calls set what modules need
//! types   does every expression have a value of a type that fits, whatever comes
//! cycles  does anything need itself
//! refactor  can be followed what `moved`, `removed` and `import` blocks say
//! ```
//!
//! One mistake is one diagnostic: what follows from a thing that was reported is not.

mod cycles;
mod names;
mod providers;
mod refactor;
mod scene;
mod scope;
mod shape;
pub(in crate::template) mod sites;
mod source;
mod types;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::error::{Diagnostic, Diagnostics};

use super::model::{Module, Template};

pub use source::SchemaSource;
pub(crate) use types::{sensitive_output, sensitive_repetition};

/// Checks a template against the types that are known. Reads nothing and asks no resource.
///
/// Returns all problems, in order of place. Those of [`Template::parse`] are not among them, and are not told again in
/// other words: show both together.
///
/// # Complexity
/// O(size of the template), modules counted once per folder; cycles once per call.
pub fn check(template: &Template, schemas: &dyn SchemaSource) -> Vec<Diagnostic> {
    let by_dir: BTreeMap<Arc<str>, Arc<Module>> =
        template.modules().map(|(_, module)| (Arc::clone(&module.dir), Arc::clone(module))).collect();
    let types = scene::Types::new(schemas);
    let mut problems = Vec::new();
    let mut reported = BTreeSet::new();
    for module in by_dir.values() {
        let scene = scene::Scene { module, by_dir: &by_dir, types: &types };
        reported.append(&mut names::check(&scene, &mut problems));
        shape::check(&scene, &mut problems);
    }
    types::check(&by_dir, &types, template.edition(), &reported, &mut problems);
    providers::check(template, &mut problems);
    refactor::check(template, &mut problems);
    cycles::check(template, &mut problems);
    problems.tidy();
    problems
}

//! What of a form, or of a form and its template together, cannot be right.
//!
//! Reading a form reports what is no form at all: text that cannot be read, keys, widgets and references that lead nowhere,
//! circles, names that clash. The linter goes on from there, on the syntax tree: `fields` looks at the form alone,
//! `template` holds it against the variables and resources of a template. Everything has its place.

mod exclusive;
mod fields;
mod ids;
mod template;

use crate::{
    error::{Diagnostic, Diagnostics as _},
    template::Template,
};

use super::Form;

pub(super) use exclusive::{Facts, exclusive};

/// Looks for what is wrong with a form, and, where there is one, with its template.
///
/// Errors are what can never work: references to fields that are not there at the same time, types that no variable takes,
/// variables that nothing sets, secrets where everybody can read them, ids of the wrong kind, limits that contradict each
/// other. Warnings are what is probably not meant. Diagnostics of [`Form::parse`] are not among them.
///
/// # Complexity
/// O(size of form and template + references · declarations of a name).
pub fn lint(form: &Form, template: Option<&Template>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    fields::check(form, &mut problems);
    if let Some(template) = template {
        template::check(form, template, &mut problems);
    }
    problems.tidy();
    problems
}

use crate::{
    error::Diagnostic,
    template::{
        model::Dependency,
        reference::{Referent, resolve_static},
        syntax::{Attribute, Expr, Traversal},
    },
};

use super::Problems;

/// Reads a `depends_on` list: references that are never evaluated.
pub(super) fn depends_on(attribute: Option<Attribute>, problems: &mut Problems) -> Vec<Dependency> {
    let Some(attribute) = attribute else { return Vec::new() };
    list(&attribute, problems).into_iter().filter_map(|traversal| dependency(&traversal, problems)).collect()
}

fn dependency(traversal: &Traversal, problems: &mut Problems) -> Option<Dependency> {
    let span = traversal.span();
    let (referent, rest) = match resolve_static(traversal) {
        Ok(resolved) => resolved,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    match referent {
        Referent::Variable(_) | Referent::Local(_) | Referent::Resource(_) | Referent::Module { .. } => {}
        _ => {
            problems.push(
                Diagnostic::error("template.dependency", format!("`{referent}` is nothing that can be waited for"))
                    .at(span)
                    .help("name resources, data sources or modules"),
            );
            return None;
        }
    }
    if rest.iter().any(|step| !step.is_index()) {
        problems.push(
            Diagnostic::error("template.dependency", "`depends_on` names whole objects, not parts of them")
                .at(span)
                .help(format!("write `{referent}`")),
        );
    }
    Some(Dependency { referent, span })
}

/// Returns the traversals in a list that is written out; anything else in it is reported.
pub(super) fn list(attribute: &Attribute, problems: &mut Problems) -> Vec<Traversal> {
    let name = attribute.name.as_str();
    if attribute.expr.is_invalid() {
        return Vec::new();
    }
    let Some(items) = attribute.expr.static_list() else {
        problems.push(
            Diagnostic::error("template.static", format!("`{name}` is a list of references in brackets"))
                .at(attribute.expr.span)
                .help(format!("write `{name} = [a.b]`; it is read, not evaluated")),
        );
        return Vec::new();
    };
    items.iter().filter_map(|item| traversal(item, name, problems)).collect()
}

/// Returns the reference that an expression spells, in quotes as old templates write it, or without.
pub(super) fn traversal(expr: &Expr, name: &str, problems: &mut Problems) -> Option<Traversal> {
    if expr.is_invalid() {
        return None;
    }
    if let Some(traversal) = expr.as_traversal() {
        return Some(traversal);
    }
    if let Some(traversal) = expr.quoted_traversal() {
        problems.push(
            Diagnostic::warning("template.quoted", format!("a reference in `{name}` is written in quotes"))
                .at(expr.span)
                .help("remove the quotes; only old templates need them"),
        );
        return Some(traversal);
    }
    problems.push(
        Diagnostic::error("template.static", format!("`{name}` takes references that are written out"))
            .label(expr.span, "not a plain reference")
            .help("it is read, not evaluated: no operators, calls or computed indices"),
    );
    None
}

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    address::is_identifier,
    error::{Diagnostic, Span},
    template::{
        model::{PassedProvider, ProviderBlock, ProviderName, ProviderRef},
        syntax::{Attribute, Block, Expr, ExprKind, StaticKey, Step, Traversal},
    },
};

use super::{
    Problems, Reader,
    body::{labels, text},
    constant, dependency,
};

/// Reads a `provider` block.
pub(super) fn provider(block: Block, problems: &mut Problems) -> Option<ProviderBlock> {
    let [label] = labels(&block, ["name"], problems)?;
    let mut reader = Reader::new("a `provider` block", block, problems);
    let span = reader.header();
    let alias = reader.attribute("alias").and_then(|attribute| alias(attribute, reader.problems));
    if let Some(version) = reader.attribute("version") {
        reader.problems.push(
            Diagnostic::warning("template.deprecated", "`version` in a `provider` block says nothing any more")
                .at(version.name.span)
                .help("write the condition into `required_providers`, in the `terraform` block"),
        );
    }
    let for_each = reader.attribute("for_each");
    let escaped = reader.escaped();
    reader.reserved(&["count", "depends_on", "source", "lifecycle", "locals"]);
    let name = ProviderName { name: text(&label), alias };
    if let Some(for_each) = &for_each
        && name.alias.is_none()
    {
        reader.problems.push(
            Diagnostic::error("template.provider", "a default configuration is one, whatever `for_each` says")
                .at(for_each.name.span)
                .help("add an `alias`"),
        );
    }
    let body = Arc::new(reader.rest_with(escaped));
    Some(ProviderBlock { name, for_each: for_each.map(|attribute| attribute.expr), body, span })
}

fn alias(attribute: Attribute, problems: &mut Problems) -> Option<Arc<str>> {
    let span = attribute.expr.span;
    let alias = constant::text(Some(attribute), problems)?;
    if !is_identifier(&alias) {
        problems.push(
            Diagnostic::error("template.name", format!("`{alias}` is not a valid alias"))
                .at(span)
                .help("a name starts with a letter or `_`, and goes on with letters, digits, `_` and `-`"),
        );
        return None;
    }
    Some(alias)
}

/// Returns the configuration that `acme` or `acme.east` names.
pub(super) fn name(traversal: &Traversal) -> Option<ProviderName> {
    let name = Arc::clone(&traversal.root.name);
    match traversal.steps.as_slice() {
        [] => Some(ProviderName { name, alias: None }),
        [step] => Some(ProviderName { name, alias: Some(Arc::from(Step::as_attr(step)?)) }),
        _ => None,
    }
}

/// Reads a reference to a configuration; `argument` is what messages call it.
pub(super) fn reference(expr: &Expr, argument: &str, problems: &mut Problems) -> Option<ProviderRef> {
    let (found, key, span) = match split(expr) {
        Some((traversal, key)) => (Some(traversal), Some(key), expr.span),
        None => {
            let traversal = dependency::traversal(expr, argument, problems)?;
            let span = traversal.span();
            (Some(traversal), None, span)
        }
    };
    let named = found.as_ref().and_then(name);
    if named.is_none() {
        problems.push(
            Diagnostic::error(
                "template.provider",
                format!("`{argument}` takes a provider, or a provider and an alias"),
            )
            .at(span)
            .help("write `acme` or `acme.alias`"),
        );
    }
    Some(ProviderRef { name: named?, key, span })
}

/// Takes a reference with a key apart: `acme.east["k"]`, `acme.east[each.key]`.
fn split(expr: &Expr) -> Option<(Traversal, Arc<Expr>)> {
    match &expr.kind {
        ExprKind::Index(index) => Some((index.collection.as_traversal()?, Arc::new(index.key.clone()))),
        ExprKind::Traversal(traversal) => {
            let (last, rest) = traversal.steps.split_last()?;
            let key = Arc::new(Expr::new(ExprKind::Literal(last.as_index()?), last.span));
            Some((Traversal { root: traversal.root.clone(), steps: rest.to_vec() }, key))
        }
        _ => None,
    }
}

/// Reads `providers` of a `module` block.
pub(super) fn passed(attribute: &Attribute, problems: &mut Problems) -> BTreeMap<ProviderName, PassedProvider> {
    let mut passed: BTreeMap<ProviderName, PassedProvider> = BTreeMap::new();
    if attribute.expr.is_invalid() {
        return passed;
    }
    let Some(items) = attribute.expr.static_map() else {
        problems.push(
            Diagnostic::error("template.static", "`providers` is a map that is written out")
                .at(attribute.expr.span)
                .help("write `providers = { acme = acme.alias }`; it is read, not evaluated"),
        );
        return passed;
    };
    for item in items {
        let span = item.key.span();
        let inner = match item.key.as_traversal() {
            Some(traversal) => Some(traversal),
            None => match &item.key {
                StaticKey::Expr(expr) => dependency::traversal(expr, "providers", problems),
                StaticKey::Ident(_) => None,
            },
        };
        let inner = inner.as_ref().and_then(name);
        let outer = reference(item.value, "providers", problems);
        let (Some(inner), Some(outer)) = (inner, outer) else { continue };
        if let Some(first) = passed.get(&inner) {
            problems.push(twice(&inner, span, first.span));
            continue;
        }
        passed.insert(inner, PassedProvider { outer, span });
    }
    passed
}

fn twice(name: &ProviderName, span: Span, first: Span) -> Diagnostic {
    Diagnostic::error("template.duplicate", format!("`{name}` is handed in twice"))
        .label(span, "again here")
        .label(first, "first here")
}

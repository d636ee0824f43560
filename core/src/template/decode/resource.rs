use std::sync::Arc;

use crate::{
    address::Mode,
    error::Diagnostic,
    template::{
        model::{IgnoreChanges, Lifecycle, Repetition, ResourceBlock, ResourceKey},
        reference::{Referent, resolve},
        syntax::{self, Attribute, Block, Expr, ExprKind, Tail, Traversal},
    },
};

use super::{
    Problems, Reader,
    body::{labels, text},
    constant, dependency, provider,
    variable::condition,
};

pub(super) fn resource(block: Block, mode: Mode, problems: &mut Problems) -> Option<ResourceBlock> {
    let [type_name, name] = labels(&block, ["type", "name"], problems)?;
    let what = match mode {
        Mode::Managed => "a `resource` block",
        Mode::Data => "a `data` block",
        Mode::Ephemeral => "an `ephemeral` block",
    };
    let mut reader = Reader::new(what, block, problems);
    let span = reader.header();
    let repetition = repetition(&mut reader);
    let provider = reader
        .attribute("provider")
        .and_then(|attribute| provider::reference(&attribute.expr, "provider", reader.problems));
    let depends_on = dependency::depends_on(reader.attribute("depends_on"), reader.problems);
    let lifecycle = match reader.block("lifecycle") {
        Some(block) => lifecycle(block, mode, reader.problems).unwrap_or_default(),
        None => Lifecycle::default(),
    };
    let escaped = reader.escaped();
    if mode == Mode::Managed {
        reader.not_yet(&["connection", "provisioner"]);
    } else {
        reader.reserved(&["connection", "provisioner"]);
    }
    let key = ResourceKey { mode, type_name: text(&type_name), name: text(&name) };
    Some(ResourceBlock {
        check: None,
        key,
        repetition,
        depends_on,
        provider,
        lifecycle,
        body: Arc::new(reader.rest_with(escaped)),
        span,
    })
}

/// Reads `count` and `for_each`, of which there can be one.
pub(super) fn repetition(reader: &mut Reader<'_>) -> Repetition {
    match (reader.attribute("count"), reader.attribute("for_each")) {
        (None, None) => Repetition::One,
        (Some(count), None) => Repetition::Count(count.expr),
        (None, Some(for_each)) => Repetition::ForEach(for_each.expr),
        (Some(count), Some(for_each)) => {
            reader.problems.push(
                Diagnostic::error("template.repetition", "a block has `count` or `for_each`, not both")
                    .label(for_each.name.span, "`for_each` here")
                    .label(count.name.span, "`count` here")
                    .help("remove one of them"),
            );
            Repetition::ForEach(for_each.expr)
        }
    }
}

fn lifecycle(block: Block, mode: Mode, problems: &mut Problems) -> Option<Lifecycle> {
    labels(&block, [], problems)?;
    let mut reader = Reader::new("a `lifecycle` block", block, problems);
    let mut lifecycle = Lifecycle::default();
    if mode == Mode::Managed {
        lifecycle.create_before_destroy = constant::switch(reader.attribute("create_before_destroy"), reader.problems);
        if let Some(attribute) = reader.attribute("prevent_destroy") {
            let span = attribute.span;
            lifecycle.prevent_destroy = constant::switch(Some(attribute), reader.problems).then_some(span);
        }
        if let Some(attribute) = reader.attribute("ignore_changes") {
            lifecycle.ignore_changes = ignore_changes(&attribute, reader.problems);
        }
        if let Some(attribute) = reader.attribute("replace_triggered_by") {
            lifecycle.replace_triggered_by = triggers(&attribute, reader.problems);
        }
        reader.not_yet(&["action_trigger", "destroy", "enabled"]);
    } else {
        let (what, help) = match mode {
            Mode::Ephemeral => {
                ("an ephemeral resource", "an ephemeral resource is opened and closed, and nothing is left to change")
            }
            _ => ("a data source", "a data source is only read"),
        };
        for name in ["create_before_destroy", "prevent_destroy", "ignore_changes", "replace_triggered_by"] {
            if let Some(attribute) = reader.attribute(name) {
                reader.problems.push(
                    Diagnostic::error("template.argument", format!("`{name}` means nothing for {what}"))
                        .at(attribute.name.span)
                        .help(format!("{help}; its `lifecycle` holds pre- and postconditions")),
                );
            }
        }
    }
    for (kind, list) in
        [("precondition", &mut lifecycle.preconditions), ("postcondition", &mut lifecycle.postconditions)]
    {
        list.extend(reader.blocks(kind).into_iter().filter_map(|block| condition(block, reader.problems)));
    }
    reader.finish();
    Some(lifecycle)
}

fn ignore_changes(attribute: &Attribute, problems: &mut Problems) -> IgnoreChanges {
    if attribute.expr.as_keyword() == Some("all") {
        return IgnoreChanges::All;
    }
    let mut paths: Vec<Traversal> = Vec::new();
    for path in dependency::list(attribute, problems) {
        if path.as_keyword() == Some("all") {
            problems.push(
                Diagnostic::error("template.static", "`all` stands alone, not in a list")
                    .at(path.span())
                    .help("write `ignore_changes = all`"),
            );
        } else {
            paths.push(path);
        }
    }
    IgnoreChanges::Only(paths)
}

fn triggers(attribute: &Attribute, problems: &mut Problems) -> Vec<Arc<Expr>> {
    if attribute.expr.is_invalid() {
        return Vec::new();
    }
    let Some(items) = attribute.expr.static_list() else {
        problems.push(
            Diagnostic::error("template.static", "`replace_triggered_by` is a list of references in brackets")
                .at(attribute.expr.span)
                .help("write `replace_triggered_by = [a.b]`"),
        );
        return Vec::new();
    };
    items.iter().filter(|item| is_trigger(item, problems)).map(|item| Arc::new(item.clone())).collect()
}

/// Returns whether an expression is one reference to a resource, an instance of it or an attribute; an instance key may be
/// computed from `count.index`, `each.key` and `each.value`.
fn is_trigger(expr: &Expr, problems: &mut Problems) -> bool {
    let (traversal, key) = match &expr.kind {
        ExprKind::Invalid => return false,
        ExprKind::Traversal(traversal) => (Some(traversal), None),
        ExprKind::Index(index) => (index.collection.kind.traversal(), Some(&index.key)),
        ExprKind::Relative(relative) => match &relative.source.kind {
            ExprKind::Index(index) => (index.collection.kind.traversal(), Some(&index.key)),
            _ => (None, None),
        },
        _ => (None, None),
    };
    let refuse = |problems: &mut Problems, message: &str| {
        problems.push(
            Diagnostic::error("template.trigger", message)
                .at(expr.span)
                .help("name managed resources, their instances or attributes, as in `acme_vpc.main.id`"),
        );
        false
    };
    let Some(traversal) = traversal else {
        return refuse(problems, "`replace_triggered_by` takes references that are written out");
    };
    let reference = syntax::Reference { traversal, tail: Tail::None, span: traversal.span() };
    match resolve(&reference) {
        Err(problem) => {
            problems.push(problem);
            return false;
        }
        Ok(resolved) => match resolved.referent {
            Referent::Resource(ResourceKey { mode: Mode::Managed, .. }) => {}
            _ => return refuse(problems, "only changes of managed resources can trigger a replacement"),
        },
    }
    let mut allowed = true;
    for inner in key.into_iter().flat_map(Expr::references) {
        let is_instance_data =
            matches!(resolve(&inner).map(|found| found.referent), Ok(Referent::Each(_) | Referent::CountIndex));
        if !is_instance_data {
            allowed = refuse(problems, "an index here is made of `count.index`, `each.key` or `each.value` only");
        }
    }
    allowed
}

impl ExprKind {
    fn traversal(&self) -> Option<&Traversal> {
        match self {
            Self::Traversal(traversal) => Some(traversal),
            _ => None,
        }
    }
}

use std::sync::Arc;

use crate::{
    address::Mode,
    error::Diagnostic,
    template::{
        model::{Import, ImportTarget, Repetition, ResourceKey},
        reference::{Referent, resolve},
        syntax::{Block, Expr, ExprKind},
    },
};

use super::{
    Problems, Reader,
    body::labels,
    constant::{constant, walk},
    written::Written,
};

/// Reads an `import` block.
pub(super) fn import(block: Block, problems: &mut Problems) -> Option<Import> {
    labels(&block, [], problems)?;
    let mut reader = Reader::new("an `import` block", block, problems);
    let span = reader.header();
    let to = reader.required("to");
    let id = reader.required("id");
    let repetition = match reader.attribute("for_each") {
        Some(attribute) => Repetition::ForEach(attribute.expr),
        None => Repetition::One,
    };
    if let Some(provider) = reader.attribute("provider") {
        reader.problems.push(
            Diagnostic::error("template.import", "what is adopted belongs to the provider that its own block names")
                .at(provider.span)
                .help("take `provider` out here, and write it into the `resource` block, if it is not the usual one"),
        );
    }
    reader.finish();
    let (to, id) = (to?.expr, id?.expr);
    let target = target(&to, &repetition, problems)?;
    Some(Import { target, id, repetition, span, to_span: to.span })
}

fn target(expr: &Expr, repetition: &Repetition, problems: &mut Problems) -> Option<ImportTarget> {
    if expr.is_invalid() {
        return None;
    }
    let help = "write the address of an instance: `type.name`, `type.name[\"key\"]`, `module.net.type.name`";
    let written = match Written::of_expr(expr) {
        Ok(written) => written,
        Err((place, message)) => {
            problems.push(Diagnostic::error("template.import", message).at(place).help(help));
            return None;
        }
    };
    let Some((Mode::Managed, type_name, name)) = written.resource else {
        problems.push(
            Diagnostic::error("template.import", "only a managed resource can be adopted").at(expr.span).help(help),
        );
        return None;
    };
    let mut sound = true;
    for key in written.modules.iter().filter_map(|(_, key)| key.as_ref()).chain(&written.key) {
        sound &= match repetition {
            Repetition::One => constant(key, problems).is_some(),
            _ => is_of_each(key, problems),
        };
    }
    sound.then(|| ImportTarget {
        modules: written.modules,
        resource: ResourceKey::managed(type_name, name),
        key: written.key,
    })
}

/// Returns whether a key is made of `each` alone; reports what else is in it.
fn is_of_each(key: &Arc<Expr>, problems: &mut Problems) -> bool {
    let mut foreign = None;
    for reference in key.references() {
        if !matches!(resolve(&reference).map(|found| found.referent), Ok(Referent::Each(_))) {
            foreign.get_or_insert(reference.span);
        }
    }
    walk(key, &mut |expr| {
        if let ExprKind::Call(call) = &expr.kind {
            foreign.get_or_insert(call.name_span());
        }
    });
    if let Some(span) = foreign {
        problems.push(
            Diagnostic::error("template.import", "a key here is made of `each.key` and `each.value` only")
                .at(span)
                .help("put what is worked out into the elements of `for_each`, and take it from there"),
        );
    }
    foreign.is_none()
}

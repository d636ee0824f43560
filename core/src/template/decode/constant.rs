use std::sync::Arc;

use crate::{
    error::{Diagnostic, Diagnostics, Span},
    template::{
        eval::{EmptyScope, Evaluator, Functions, Options},
        syntax::{Attribute, Expr, ExprKind},
    },
    value::{Kind, Type, Value, convert},
};

use super::Problems;

/// Returns the value of an expression that stands for itself: literals and operators, no reference and no call.
///
/// Where that is not so, it is reported, and there is no value.
pub(in crate::template) fn constant(expr: &Expr, problems: &mut Problems) -> Option<Value> {
    if let Some(place) = disturbance(expr) {
        match place {
            Disturbance::Reference(span) => problems.push(
                Diagnostic::error("template.static", "nothing can be referred to here")
                    .label(span, "a reference")
                    .help("the value must be known from the text alone; write it out"),
            ),
            Disturbance::Call(span) => problems.push(
                Diagnostic::error("template.static", "no function can be called here")
                    .label(span, "a call")
                    .help("the value must be known from the text alone; write it out"),
            ),
            Disturbance::Invalid => {}
        }
        return None;
    }
    let functions = Functions::none();
    let mut evaluator = Evaluator::new(&EmptyScope, &functions, Options::default());
    let value = evaluator.eval(expr);
    let findings = evaluator.finish();
    let failed = findings.diagnostics.has_errors();
    problems.list.extend(findings.diagnostics);
    (!failed).then_some(value)
}

/// Returns the value of a constant argument, converted.
pub(super) fn argument(attribute: &Attribute, ty: &Type, problems: &mut Problems) -> Option<Value> {
    let value = constant(&attribute.expr, problems)?;
    let name = attribute.name.as_str();
    let refuse = |problems: &mut Problems, what: String| {
        problems.push(Diagnostic::error("template.static", what).at(attribute.expr.span));
        None
    };
    match convert(&value, ty) {
        Ok(value) if value.is_null() => refuse(problems, format!("`{name}` cannot be null")),
        Ok(value) => Some(value),
        Err(error) => refuse(problems, format!("`{name}` is not a {}: {error}", ty.friendly_name())),
    }
}

/// Returns a switch, `false` where it is not set or not understood.
pub(super) fn switch(attribute: Option<Attribute>, problems: &mut Problems) -> bool {
    attribute.and_then(|attribute| argument(&attribute, &Type::Bool, problems)?.as_bool()).unwrap_or(false)
}

/// Returns a text.
pub(super) fn text(attribute: Option<Attribute>, problems: &mut Problems) -> Option<Arc<str>> {
    match argument(&attribute?, &Type::String, problems)?.kind() {
        Kind::String(text) => Some(Arc::clone(text)),
        _ => None,
    }
}

enum Disturbance {
    Reference(Span),
    Call(Span),
    Invalid,
}

/// Returns the first thing that keeps an expression from standing for itself; what could not be read goes first, because
/// it was reported already.
fn disturbance(expr: &Expr) -> Option<Disturbance> {
    let mut call = None;
    let mut invalid = false;
    walk(expr, &mut |expr| match &expr.kind {
        ExprKind::Call(found) => {
            call.get_or_insert(found.name_span());
        }
        ExprKind::Invalid => invalid = true,
        _ => {}
    });
    if invalid {
        return Some(Disturbance::Invalid);
    }
    let reference = expr.references().first().map(|reference| reference.span);
    match (reference, call) {
        (Some(reference), Some(call)) if call < reference => Some(Disturbance::Call(call)),
        (Some(reference), _) => Some(Disturbance::Reference(reference)),
        (None, Some(call)) => Some(Disturbance::Call(call)),
        (None, None) => None,
    }
}

/// Calls `f` with an expression and everything in it, outermost first.
pub(in crate::template) fn walk<'a>(expr: &'a Expr, f: &mut dyn FnMut(&'a Expr)) {
    f(expr);
    expr.for_each_child(&mut |child, _| walk(child, f));
}

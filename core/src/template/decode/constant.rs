use std::sync::Arc;

use crate::{
    error::{Diagnostic, Span},
    template::syntax::{Attribute, Expr, ExprKind, Literal, ObjectKey, UnaryOp},
    value::{Kind, Number, Type, Value, convert},
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
    evaluate(expr).map_err(|problem| problems.push(problem)).ok()
}

fn evaluate(expr: &Expr) -> Result<Value, Diagnostic> {
    let refuse = |message: &str| Err(Diagnostic::error("template.static", message).at(expr.span));
    match &expr.kind {
        ExprKind::Literal(Literal::Null) => Ok(Value::null(Type::Any)),
        ExprKind::Literal(Literal::Bool(value)) => Ok(Value::bool(*value)),
        ExprKind::Literal(Literal::String(text)) => Ok(Value::string(Arc::clone(text))),
        ExprKind::Literal(Literal::Number(text)) => match text.parse::<Number>() {
            Ok(number) => Ok(Value::number(number)),
            Err(error) => refuse(&error.to_string()),
        },
        ExprKind::Template(template) => match template.as_literal() {
            Some(text) => Ok(Value::string(text)),
            None => refuse("only plain text can stand here"),
        },
        ExprKind::Tuple(items) => Ok(Value::tuple(items.iter().map(evaluate).collect::<Result<_, _>>()?)),
        ExprKind::Object(items) => {
            let mut entries = Vec::with_capacity(items.len());
            for item in items {
                let name: Arc<str> = match &item.key {
                    ObjectKey::Ident(ident) => Arc::clone(&ident.name),
                    ObjectKey::Expr(key) => {
                        match convert(&evaluate(key)?, &Type::String).ok().as_ref().and_then(Value::as_str) {
                            Some(text) => Arc::from(text),
                            None => return refuse("a key of an object is a string"),
                        }
                    }
                };
                entries.push((name, evaluate(&item.value)?));
            }
            Ok(Value::object(entries))
        }
        ExprKind::Paren(inner) => evaluate(inner),
        ExprKind::Unary(UnaryOp::Negate, inner) => match evaluate(inner)?.as_number() {
            Some(number) => Ok(Value::number(number.neg())),
            None => refuse("`-` stands before a number"),
        },
        _ => refuse("only values that are written out can stand here"),
    }
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

use std::sync::Arc;

use crate::{
    error::{Diagnostic, SourceId, Span},
    template::syntax::{Attribute, Body, Expr, ExprKind, Ident, Literal, ObjectItem, ObjectKey, UnaryOp},
};

use super::{
    body::twice_inside,
    node::{Kind, Node, Text},
    reader::read,
};

/// Reads a file of values: one object, whose properties are names and values. Strings mean themselves.
///
/// The last of several properties of one name counts. A property `//` is a comment.
pub(in crate::template) fn parse_values(source: SourceId, text: &str) -> (Body, Vec<Diagnostic>) {
    let span = Span::new(source, 0, text.len() as u32);
    let nothing = Body { span, is_json: true, ..Body::default() };
    let node = match read(source, text) {
        Ok(node) => node,
        Err(problem) => return (nothing, vec![problem]),
    };
    let Kind::Object(entries) = node.kind else {
        let message = format!("{} stands where an object of names and values is expected", node.kind_name());
        return (nothing, vec![Diagnostic::error("syntax.unexpected", message).at(node.span)]);
    };
    let problems = entries.iter().flat_map(|(_, value)| twice_inside(value)).collect();
    let attributes = entries.into_iter().filter(|(name, _)| &*name.decoded != "//").map(|(name, value)| {
        let expr = Arc::new(literal(&value));
        Attribute { span: name.span.to(value.span), name: ident(&name), expr }
    });
    (Body { attributes: attributes.collect(), ..nothing }, problems)
}

pub(super) fn ident(name: &Text) -> Ident {
    Ident::new(Arc::clone(&name.decoded), name.span)
}

/// Returns the expression of a value in which strings mean themselves.
pub(super) fn literal(node: &Node) -> Expr {
    let kind = match &node.kind {
        Kind::Null => ExprKind::Literal(Literal::Null),
        Kind::Bool(value) => ExprKind::Literal(Literal::Bool(*value)),
        Kind::Number(text) => number(text, node.span),
        Kind::String(text) => ExprKind::Literal(Literal::String(Arc::clone(&text.decoded))),
        // Reported where the value is read.
        Kind::Code(_) => ExprKind::Invalid,
        Kind::Array(items) => ExprKind::Tuple(items.iter().map(literal).collect()),
        Kind::Object(entries) => {
            let items = entries.iter().map(|(name, value)| ObjectItem {
                key: ObjectKey::Expr(Expr::new(
                    ExprKind::Literal(Literal::String(Arc::clone(&name.decoded))),
                    name.span,
                )),
                value: literal(value),
            });
            ExprKind::Object(items.collect())
        }
    };
    Expr::new(kind, node.span)
}

/// A literal has no sign; a negative number is a negation.
pub(super) fn number(text: &Arc<str>, span: Span) -> ExprKind {
    match text.strip_prefix('-') {
        None => ExprKind::Literal(Literal::Number(Arc::clone(text))),
        Some(digits) => {
            let place = Span { start: span.start + 1, ..span };
            let inner = Expr::new(ExprKind::Literal(Literal::Number(Arc::from(digits))), place);
            ExprKind::Unary(UnaryOp::Negate, Box::new(inner))
        }
    }
}

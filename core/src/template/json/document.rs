use std::sync::Arc;

use super::body::{Form, Place};
use crate::template::{
    hcl::{print_bare, print_inline},
    syntax::{Body, Expr, ExprKind, Label, Literal, ObjectItem, ObjectKey, UnaryOp},
};

/// A body as the JSON syntax has it; JSON and YAML write it down.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::template) enum Document {
    Null,
    Bool(bool),
    /// As JSON writes numbers.
    Number(String),
    Text(String),
    List(Vec<Document>),
    Map(Vec<(String, Document)>),
}

/// Returns a part of a module as the JSON syntax has it.
///
/// Reading what is written of it gives a body that means the same. Comments are no part of a body. Blocks of a resource type become
/// properties, as they are in JSON. A value that must be constant and is not, which is a mistake in any syntax, becomes the text of its expression.
pub(in crate::template) fn document(body: &Body) -> Document {
    Document::Map(properties(body, Place::Top))
}

fn properties(body: &Body, place: Place) -> Vec<(String, Document)> {
    let mut entries: Vec<(String, Document)> = Vec::new();
    for attribute in &body.attributes {
        let name = attribute.name.as_str();
        let value = match place.form(name) {
            Form::Literal => constant(&attribute.expr),
            Form::Code => code(&attribute.expr),
            Form::Requirement => requirement(&attribute.expr),
            Form::Blocks(..) | Form::Expression => expression(&attribute.expr),
        };
        entries.push((name.to_owned(), value));
    }
    for block in &body.blocks {
        let kind = block.kind.as_str();
        let inner = match place.form(kind) {
            Form::Blocks(_, inner) => inner,
            _ => Place::Plain,
        };
        let value = Document::Map(properties(&block.body, inner));
        add(&mut entries, kind, &block.labels, value);
    }
    entries
}

/// Adds a block below its labels; where there is one already, both become elements of a list.
fn add(entries: &mut Vec<(String, Document)>, name: &str, labels: &[Label], value: Document) {
    let at = entries.iter().position(|(known, _)| known == name);
    let slot = match at.and_then(|at| entries.get_mut(at)) {
        Some((_, slot)) => slot,
        None => {
            let value =
                labels.iter().rev().fold(value, |value, label| Document::Map(vec![(label.text.to_string(), value)]));
            return entries.push((name.to_owned(), value));
        }
    };
    match (labels.split_first(), slot) {
        (Some((label, rest)), Document::Map(inner)) => add(inner, &label.text, rest, value),
        (_, Document::List(blocks)) => blocks.push(value),
        (_, slot) => {
            let first = std::mem::replace(slot, Document::Null);
            *slot = Document::List(vec![first, value]);
        }
    }
}

/// Returns what stands in place of an expression.
fn expression(expr: &Expr) -> Document {
    let whole = |expr: &Expr| Document::Text(format!("${{{}}}", print_inline(expr)));
    match &expr.kind {
        ExprKind::Literal(Literal::String(text)) => Document::Text(escaped(text)),
        ExprKind::Literal(literal) => plain(literal),
        ExprKind::Unary(UnaryOp::Negate, operand) => negative(operand).unwrap_or_else(|| whole(expr)),
        ExprKind::Template(template) => Document::Text(print_bare(template)),
        ExprKind::Paren(inner) => expression(inner),
        ExprKind::Tuple(items) => Document::List(items.iter().map(expression).collect()),
        ExprKind::Object(items) => {
            object(items, |item| key_template(&item.key), expression).unwrap_or_else(|| braced(expr))
        }
        ExprKind::ForObject(_) => braced(expr),
        ExprKind::Invalid => Document::Null,
        _ => whole(expr),
    }
}

/// Braces beside the braces of the sequence would be hard to read, and `${{` reads as something else.
fn braced(expr: &Expr) -> Document {
    Document::Text(format!("${{ {} }}", print_inline(expr)))
}

/// Returns what stands where strings mean themselves.
fn constant(expr: &Expr) -> Document {
    match &expr.kind {
        ExprKind::Literal(Literal::String(text)) => Document::Text(text.to_string()),
        ExprKind::Literal(literal) => plain(literal),
        ExprKind::Unary(UnaryOp::Negate, operand) => {
            negative(operand).unwrap_or_else(|| Document::Text(print_inline(expr)))
        }
        ExprKind::Template(template) => match template.as_literal() {
            Some(text) => Document::Text(text.to_owned()),
            None => Document::Text(print_bare(template)),
        },
        ExprKind::Paren(inner) => constant(inner),
        ExprKind::Tuple(items) => Document::List(items.iter().map(constant).collect()),
        ExprKind::Object(items) => {
            object(items, |item| key_text(&item.key), constant).unwrap_or_else(|| Document::Text(print_inline(expr)))
        }
        ExprKind::Invalid => Document::Null,
        _ => Document::Text(print_inline(expr)),
    }
}

/// Returns what stands where strings are expressions: types, references.
fn code(expr: &Expr) -> Document {
    match &expr.kind {
        // A reference or type in quotes, as old templates have them, is the same without.
        ExprKind::Literal(Literal::String(text)) => Document::Text(text.to_string()),
        ExprKind::Literal(literal) => plain(literal),
        ExprKind::Tuple(items) => Document::List(items.iter().map(code).collect()),
        ExprKind::Object(items) => {
            object(items, |item| key_code(&item.key), code).unwrap_or_else(|| Document::Text(print_inline(expr)))
        }
        ExprKind::Invalid => Document::Null,
        _ => Document::Text(print_inline(expr)),
    }
}

/// Returns an entry of `required_providers`.
fn requirement(expr: &Expr) -> Document {
    let ExprKind::Object(items) = &expr.kind else { return constant(expr) };
    let entries = items.iter().map(|item| {
        let name = key_text(&item.key)?;
        let value = if name == "configuration_aliases" { code(&item.value) } else { constant(&item.value) };
        Some((name, value))
    });
    entries.collect::<Option<Vec<_>>>().map_or_else(|| constant(expr), Document::Map)
}

fn plain(literal: &Literal) -> Document {
    match literal {
        Literal::Null => Document::Null,
        Literal::Bool(value) => Document::Bool(*value),
        Literal::Number(text) => Document::Number(number(text)),
        Literal::String(text) => Document::Text(text.to_string()),
    }
}

fn negative(operand: &Expr) -> Option<Document> {
    match &operand.kind {
        ExprKind::Literal(Literal::Number(text)) => Some(Document::Number(format!("-{}", number(text)))),
        _ => None,
    }
}

/// JSON has no zeros at the front.
fn number(text: &Arc<str>) -> String {
    let rest = text.trim_start_matches('0');
    match rest.starts_with(|char: char| char.is_ascii_digit()) {
        true => rest.to_owned(),
        false => format!("0{rest}"),
    }
}

/// Returns an object; nothing where a key is not known, or there twice.
fn object(
    items: &[ObjectItem],
    key: impl Fn(&ObjectItem) -> Option<String>,
    value: impl Fn(&Expr) -> Document,
) -> Option<Document> {
    let mut entries: Vec<(String, Document)> = Vec::with_capacity(items.len());
    let mut seen = std::collections::HashSet::with_capacity(items.len());
    for item in items {
        let name = key(item)?;
        if !seen.insert(name.clone()) {
            return None;
        }
        entries.push((name, value(&item.value)));
    }
    Some(Document::Map(entries))
}

fn key_template(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(name) => Some(name.as_str().to_owned()),
        ObjectKey::Expr(expr) => match expression(expr) {
            Document::Text(text) | Document::Number(text) => Some(text),
            Document::Bool(value) => Some(value.to_string()),
            _ => None,
        },
    }
}

fn key_text(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(name) => Some(name.as_str().to_owned()),
        ObjectKey::Expr(expr) => match constant(expr) {
            Document::Text(text) | Document::Number(text) => Some(text),
            Document::Bool(value) => Some(value.to_string()),
            _ => None,
        },
    }
}

fn key_code(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(name) => Some(name.as_str().to_owned()),
        ObjectKey::Expr(expr) => Some(print_inline(expr)),
    }
}

/// Returns a text as a template that means it.
fn escaped(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

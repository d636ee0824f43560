//! Documents that are no templates, and hold expressions: trees of values that know where they stand.

use crate::error::{Diagnostic, SourceId};

pub(crate) use super::json::{Kind as NodeKind, Node, Text as NodeText};
use super::{
    TypeConstraint,
    decode::{self, Problems},
    json,
    syntax::Expr,
    yaml,
};

/// Reads a document: JSON where the name of the file says so, otherwise YAML.
pub(crate) fn read(source: SourceId, name: &str, text: &str) -> Result<Node, Box<Diagnostic>> {
    match name.rsplit_once('.') {
        Some((_, "json")) => json::read(source, text).map_err(Box::new),
        _ => yaml::read(source, text),
    }
}

/// Returns what is wrong with objects, at any depth, that have a key twice.
pub(crate) fn repeated(node: &Node) -> Vec<Diagnostic> {
    json::repeated(node)
}

/// Returns the expression of a value whose strings are templates, and what is wrong with it. Places are those in the
/// document.
pub(crate) fn expression(source: SourceId, node: &Node) -> (Expr, Vec<Diagnostic>) {
    json::expression_of(source, node)
}

/// Returns the type that a string spells, and what is wrong with it.
pub(crate) fn type_constraint(source: SourceId, text: &NodeText) -> (TypeConstraint, Vec<Diagnostic>) {
    let (expr, found) = json::code_of(source, text);
    let mut problems = Problems::default();
    let constraint = decode::constraint(&expr, &mut problems);
    problems.list.extend(found);
    (constraint, problems.list)
}

/// Returns the JSON of a node, for shapes that serde reads.
pub(crate) fn json_of(node: &Node) -> serde_json::Value {
    use serde_json::Value as Json;
    match &node.kind {
        NodeKind::Null => Json::Null,
        NodeKind::Bool(value) => Json::Bool(*value),
        NodeKind::Number(text) => serde_json::from_str(text).unwrap_or(Json::Null),
        NodeKind::String(text) | NodeKind::Code(text) => Json::String(text.decoded.to_string()),
        NodeKind::Array(items) => Json::Array(items.iter().map(json_of).collect()),
        NodeKind::Object(entries) => {
            Json::Object(entries.iter().map(|(name, node)| (name.decoded.to_string(), json_of(node))).collect())
        }
    }
}

use std::sync::Arc;

use crate::{
    error::Diagnostic,
    template::{
        model::{Condition, Local, Output, Variable},
        syntax::Block,
    },
    value::{Marks, Value, convert},
};

use super::{
    Problems, Reader,
    body::{labels, text},
    constant::{self, constant},
    dependency, types,
};

/// Names that mean something in a `module` block, so that no variable can be set under them.
const RESERVED: [&str; 8] =
    ["source", "version", "providers", "count", "for_each", "lifecycle", "depends_on", "locals"];

pub(super) fn variable(block: Block, problems: &mut Problems) -> Option<Variable> {
    let [label] = labels(&block, ["name"], problems)?;
    let name = text(&label);
    if RESERVED.contains(&&*name) {
        problems.push(
            Diagnostic::error("template.name", format!("a variable cannot be called `{name}`"))
                .at(label.span)
                .help("the name means something else in a `module` block"),
        );
    }
    let mut reader = Reader::new("a `variable` block", block, problems);
    let span = reader.header();
    let description = constant::text(reader.attribute("description"), reader.problems);
    let sensitive = constant::switch(reader.attribute("sensitive"), reader.problems);
    let nullable = match reader.attribute("nullable") {
        Some(attribute) => constant::switch(Some(attribute), reader.problems),
        None => true,
    };
    let ephemeral = constant::switch(reader.attribute("ephemeral"), reader.problems);
    let constraint = reader.attribute("type").map(|attribute| types::constraint(&attribute.expr, reader.problems));
    let literal = constraint.as_ref().is_none_or(|constraint| constraint.ty.is_primitive());
    let constraint = constraint.unwrap_or_default();
    let default = reader.attribute("default").map(|attribute| {
        let converted = constant(&attribute.expr, reader.problems).and_then(|value| {
            if value.is_null() && !nullable {
                reader.problems.push(
                    Diagnostic::error("template.default", format!("the default of `{name}` cannot be null"))
                        .at(attribute.expr.span)
                        .help("leave the default out to make the variable required, or remove `nullable = false`"),
                );
                return None;
            }
            match convert(&constraint.apply_defaults(&value), &constraint.ty) {
                Ok(value) => Some(value),
                Err(error) => {
                    let message = format!("the default of `{name}` does not fit its type: {error}");
                    let wanted = format!("a {} is required", constraint.ty.friendly_constraint());
                    reader
                        .problems
                        .push(Diagnostic::error("template.default", message).label(attribute.expr.span, wanted));
                    None
                }
            }
        });
        let value = converted.unwrap_or_else(|| Value::unknown(constraint.ty.without_optional()));
        let value = if sensitive { value.with_marks(Marks::SENSITIVE) } else { value };
        if ephemeral { value.with_marks(Marks::EPHEMERAL) } else { value }
    });
    let validations =
        reader.blocks("validation").into_iter().filter_map(|block| condition(block, reader.problems)).collect();
    reader.not_yet(&["deprecated", "const"]);
    reader.finish();
    Some(Variable {
        name,
        constraint,
        default,
        validations,
        literal,
        sensitive,
        ephemeral,
        nullable,
        description,
        span,
    })
}

pub(super) fn locals(block: Block, problems: &mut Problems) -> Vec<Local> {
    if labels(&block, [], problems).is_none() {
        return Vec::new();
    }
    let mut reader = Reader::new("a `locals` block", block, problems);
    let locals = reader.remaining_attributes().into_iter().map(|attribute| Local {
        name: Arc::clone(&attribute.name.name),
        expr: attribute.expr,
        span: attribute.name.span,
    });
    let locals = locals.collect();
    reader.finish();
    locals
}

pub(super) fn output(block: Block, problems: &mut Problems) -> Option<Output> {
    let [label] = labels(&block, ["name"], problems)?;
    let mut reader = Reader::new("an `output` block", block, problems);
    let span = reader.header();
    let value = reader.required("value");
    let description = constant::text(reader.attribute("description"), reader.problems);
    let sensitive = constant::switch(reader.attribute("sensitive"), reader.problems);
    let ephemeral = constant::switch(reader.attribute("ephemeral"), reader.problems);
    let depends_on = dependency::depends_on(reader.attribute("depends_on"), reader.problems);
    let preconditions =
        reader.blocks("precondition").into_iter().filter_map(|block| condition(block, reader.problems)).collect();
    for block in reader.blocks("postcondition") {
        reader.problems.push(
            Diagnostic::error("template.block", "an output has no `postcondition`")
                .at(block.header_span())
                .help("write a `precondition`: it holds before the value is used"),
        );
    }
    reader.not_yet(&["deprecated", "type"]);
    reader.finish();
    let expr = value?.expr;
    Some(Output { name: text(&label), expr, description, sensitive, ephemeral, depends_on, preconditions, span })
}

/// Reads a `validation`, `precondition`, `postcondition` or `assert` block.
pub(super) fn condition(block: Block, problems: &mut Problems) -> Option<Condition> {
    labels(&block, [], problems)?;
    let span = block.kind.span;
    let what = match block.kind.as_str() {
        "validation" => "a `validation` block",
        "precondition" => "a `precondition` block",
        "assert" => "an `assert` block",
        _ => "a `postcondition` block",
    };
    let mut reader = Reader::new(what, block, problems);
    let condition = reader.required("condition");
    let error_message = reader.required("error_message");
    reader.finish();
    Some(Condition { condition: condition?.expr, error_message: error_message?.expr, span })
}

//! Infinite numbers: expressions may come to one, and nothing that is stored can hold one. Checking a template and planning
//! it say the same.

use crate::{
    error::{Diagnostic, Span},
    value::{Kind, Number, Path, Type, Value},
};

/// Returns the places of infinite numbers in a value, in order.
pub(crate) fn places(value: &Value) -> Vec<Path> {
    let mut places = Vec::new();
    value.walk(|path, part| {
        if part.as_number().is_some_and(Number::is_infinite) {
            places.push(path.clone());
        }
        // Long lists of texts need not be walked.
        match part.kind() {
            Kind::List(items) | Kind::Set(items) => *items.element_type() != Type::String,
            Kind::Map(fields) => *fields.element_type() != Type::String,
            _ => true,
        }
    });
    places
}

/// Refuses one.
pub(crate) fn refuse(span: Span) -> Diagnostic {
    Diagnostic::error("eval.infinite", "an infinite number cannot be stored")
        .label(span, "is infinite, or holds what is")
        .help("look for a division by zero; leave it out with `null` where there is no such number")
}

//! Values in words: everything that can be told of one, in one line, so that equal words mean equal values.

use std::fmt::Write as _;

use stackwright::value::{Bound, Kind, Marks, Number, Refinement, Type, Value, type_repl};

/// Returns type, value, what is not known, what is known of that, and marks.
///
/// `?string{"ab"..}` is a text that is not known but for its start, `null:number` the null number, `!s` and `!e` stand
/// behind what is sensitive or ephemeral.
pub fn canon(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: &Value) {
    match value.kind() {
        Kind::Null(ty) => {
            let _ = write!(out, "null:{}", type_name(ty));
        }
        Kind::Unknown(unknown) => {
            let _ = write!(out, "?{}", type_name(&unknown.ty));
            if unknown.ty != Type::Any {
                out.push_str(&refinement(&unknown.refinement));
            }
        }
        Kind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        // What is written down has no negative zero.
        Kind::Number(number) if number.is_zero() => out.push('0'),
        Kind::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Kind::String(text) => {
            let _ = write!(out, "{}", serde_json::Value::from(&**text));
        }
        Kind::List(items) => sequence(out, "list", items.element_type(), items.iter()),
        Kind::Set(items) => sequence(out, "set", items.element_type(), items.iter()),
        Kind::Tuple(items) => bracketed(out, items.iter()),
        Kind::Map(fields) => {
            let _ = write!(out, "map({})", type_name(fields.element_type()));
            braced(out, value);
        }
        Kind::Object(_) => braced(out, value),
    }
    if value.marks().contains(Marks::SENSITIVE) {
        out.push_str("!s");
    }
    if value.marks().contains(Marks::EPHEMERAL) {
        out.push_str("!e");
    }
}

fn sequence<'v>(out: &mut String, kind: &str, element: &Type, items: impl Iterator<Item = &'v Value>) {
    let _ = write!(out, "{kind}({})", type_name(element));
    bracketed(out, items);
}

fn bracketed<'v>(out: &mut String, items: impl Iterator<Item = &'v Value>) {
    out.push('[');
    for (idx, item) in items.enumerate() {
        if idx > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

fn braced(out: &mut String, value: &Value) {
    out.push('{');
    for (idx, (name, value)) in value.entries().enumerate() {
        let comma = if idx > 0 { "," } else { "" };
        let _ = write!(out, "{comma}{}:", serde_json::Value::from(&**name));
        write(out, value);
    }
    out.push('}');
}

/// The type in one line.
fn type_name(ty: &Type) -> String {
    type_repl(ty).split_whitespace().collect()
}

/// Terraform's greatest length, which says nothing.
const MOST: i64 = i64::MAX;

fn refinement(known: &Refinement) -> String {
    let mut parts = Vec::new();
    if let Some(prefix) = &known.prefix {
        parts.push(format!("{}..", serde_json::Value::from(&**prefix)));
    }
    let bound = |bound: &Bound, sign: &str| {
        let or_equal = if bound.inclusive { "=" } else { "" };
        let value = if bound.value.is_zero() { "0".to_owned() } else { bound.value.to_string() };
        format!("{sign}{or_equal}{value}")
    };
    parts.extend(known.min.as_ref().map(|min| bound(min, ">")));
    parts.extend(known.max.as_ref().filter(|max| max.value != Number::from(MOST)).map(|max| bound(max, "<")));
    if known.min_length > 0 {
        parts.push(format!("len>={}", known.min_length));
    }
    if let Some(most) = known.max_length.filter(|most| *most != MOST as usize) {
        parts.push(format!("len<={most}"));
    }
    let null = if known.not_null { "" } else { "|null" };
    if parts.is_empty() { null.to_owned() } else { format!("{{{}}}{null}", parts.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_told() {
        let check = |value: Value, expect: &str| assert_eq!(canon(&value), expect);
        check(Value::null(Type::list(Type::Number)), "null:list(number)");
        check(Value::unknown(Type::String), "?string|null");
        check(Value::unknown_with(Type::String, Refinement::not_null().with_full_prefix("a-")), "?string{\"a-\"..}");
        check(Value::list(Type::Any, vec![]), "list(dynamic)[]");
        check(Value::tuple(vec![Value::bool(true), Value::string("x").with_marks(Marks::SENSITIVE)]), "[true,\"x\"!s]");
        check(Value::object([("a b", Value::number(1))]), "{\"a b\":1}");
        let long = Refinement::not_null().with_length(1, Some(3));
        check(Value::unknown_with(Type::set(Type::Bool), long), "?set(bool){len>=1,len<=3}");
    }
}

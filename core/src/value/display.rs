use std::fmt::Write as _;

use super::{Kind, Marks, Type, Value};

/// What stands in place of a marked value.
pub(super) fn hidden(marks: Marks) -> &'static str {
    if marks.contains(Marks::SENSITIVE) { "(sensitive value)" } else { "(ephemeral value)" }
}

/// Returns the value as `terraform console` prints it: an expression that people can read, over several lines, indented
/// by two; without a newline at the end.
///
/// Text of several lines becomes a heredoc, what is not known yet `(known after apply)`, what is marked
/// `(sensitive value)` or `(ephemeral value)`.
///
/// # Examples
/// ```
/// use stackwright::value::{Type, Value, repl};
///
/// let zones = Value::list(Type::String, vec![Value::string("gz-1"), Value::null(Type::String)]);
/// assert_eq!(repl(&zones), "tolist([\n  \"gz-1\",\n  tostring(null),\n])");
/// ```
pub fn repl(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, 0, &mut out);
    out
}

fn write_value(value: &Value, indent: usize, out: &mut String) {
    if !value.is_known() {
        return out.push_str("(known after apply)");
    }
    if !value.marks().is_empty() {
        return out.push_str(hidden(value.marks()));
    }
    match value.kind() {
        Kind::Unknown(_) => {}
        Kind::Null(ty) => write_null(ty, out),
        Kind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Kind::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Kind::String(text) => write_text(text, indent, out),
        Kind::Tuple(_) => write_sequence(value, indent, out),
        Kind::List(_) => wrap("tolist(", out, |out| write_sequence(value, indent, out)),
        Kind::Set(_) => wrap("toset(", out, |out| write_sequence(value, indent, out)),
        Kind::Object(_) => write_mapping(value, indent, out),
        Kind::Map(_) => wrap("tomap(", out, |out| write_mapping(value, indent, out)),
    }
}

fn wrap(open: &str, out: &mut String, inner: impl FnOnce(&mut String)) {
    out.push_str(open);
    inner(out);
    out.push(')');
}

fn write_null(ty: &Type, out: &mut String) {
    let _ = match ty {
        Type::Any => write!(out, "null"),
        Type::String => write!(out, "tostring(null)"),
        Type::Number => write!(out, "tonumber(null)"),
        Type::Bool => write!(out, "tobool(null)"),
        Type::List(element) => write!(out, "tolist(null) /* of {} */", element.friendly_name()),
        Type::Set(element) => write!(out, "toset(null) /* of {} */", element.friendly_name()),
        Type::Map(element) => write!(out, "tomap(null) /* of {} */", element.friendly_name()),
        Type::Tuple(_) | Type::Object(_) => write!(out, "null /* {} */", ty.friendly_name()),
    };
}

fn new_line(indent: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

fn write_text(text: &str, indent: usize, out: &mut String) {
    if !text.contains('\n') {
        return quote_go(text, out);
    }
    let mut delimiter = "EOT".to_owned();
    while text.split('\n').any(|line| line.trim() == delimiter) {
        delimiter.push('_');
    }
    out.push_str(if indent > 0 { "<<-" } else { "<<" });
    out.push_str(&delimiter);
    for line in text.split('\n') {
        new_line(indent, out);
        out.push_str(line);
    }
    new_line(indent, out);
    out.push_str(&delimiter);
}

fn write_sequence(value: &Value, indent: usize, out: &mut String) {
    out.push('[');
    for element in value.elements() {
        new_line(indent + 2, out);
        write_value(element, indent + 2, out);
        out.push(',');
    }
    if value.len() > 0 {
        new_line(indent, out);
    }
    out.push(']');
}

fn write_mapping(value: &Value, indent: usize, out: &mut String) {
    out.push('{');
    for (name, element) in value.entries() {
        new_line(indent + 2, out);
        write_text(name, indent + 2, out);
        out.push_str(" = ");
        write_value(element, indent + 2, out);
    }
    if value.len() > 0 {
        new_line(indent, out);
    }
    out.push('}');
}

/// Returns a type as the console's `type()` prints it: over several lines, indented by four.
///
/// # Examples
/// ```
/// use stackwright::value::{Type, type_repl};
///
/// let ty = Type::object([("name", Type::String), ("ports", Type::list(Type::Number))]);
/// assert_eq!(type_repl(&ty), "object({\n    name: string,\n    ports: list(number),\n})");
/// ```
pub fn type_repl(ty: &Type) -> String {
    let mut out = String::new();
    write_type(ty, 0, &mut out);
    out
}

fn write_type(ty: &Type, indent: usize, out: &mut String) {
    match ty {
        Type::Any => out.push_str("dynamic"),
        Type::Bool => out.push_str("bool"),
        Type::Number => out.push_str("number"),
        Type::String => out.push_str("string"),
        Type::List(element) => wrap("list(", out, |out| write_element_type(element, indent, out)),
        Type::Set(element) => wrap("set(", out, |out| write_element_type(element, indent, out)),
        Type::Map(element) => wrap("map(", out, |out| write_element_type(element, indent, out)),
        Type::Tuple(elements) => {
            out.push_str("tuple([");
            for element in &**elements {
                new_line(indent + 4, out);
                write_type(element, indent + 4, out);
                out.push(',');
            }
            if !elements.is_empty() {
                new_line(indent, out);
            }
            out.push_str("])");
        }
        Type::Object(object) => {
            out.push_str("object({");
            for (name, ty) in &object.attributes {
                new_line(indent + 4, out);
                out.push_str(name);
                out.push_str(": ");
                write_type(ty, indent + 4, out);
                out.push(',');
            }
            if !object.attributes.is_empty() {
                new_line(indent, out);
            }
            out.push_str("})");
        }
    }
}

/// Objects and tuples get lines of their own inside a collection.
fn write_element_type(element: &Type, indent: usize, out: &mut String) {
    if !matches!(element, Type::Object(_) | Type::Tuple(_)) {
        return write_type(element, indent, out);
    }
    new_line(indent + 4, out);
    write_type(element, indent + 4, out);
    out.push(',');
    new_line(indent, out);
}

/// Appends `text` quoted as Go's `%q` does.
pub(super) fn quote_go(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if is_printable(c) => out.push(c),
            c if (c as u32) < 0x1_0000 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => {
                let _ = write!(out, "\\U{:08x}", c as u32);
            }
        }
    }
    out.push('"');
}

/// Whether a character shows as itself: a letter, mark, number, punctuation, symbol, or the ASCII space.
fn is_printable(c: char) -> bool {
    // Rust escapes what is not printable, quotes, and marks that combine with what stands before them.
    c == '\'' || c.escape_debug().len() == 1 || unicode_normalization::char::is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::testing::{l, m, n, null, o, s, secret, set, t, unknown};

    fn check(value: &Value, expect: &str) {
        assert_eq!(repl(value), expect);
    }

    #[test]
    fn prints_what_the_console_prints() {
        check(&n("-0"), "-0");
        check(&n("Inf"), "+Inf");
        check(&s("${x} %{y} é 😀"), "\"${x} %{y} é 😀\"");
        check(&s("q\"\\\t\u{7}\u{1}\u{7f}\u{a0}\u{200b}👨\u{200d}👩"), r#""q\"\\\t\a\x01\x7f\u00a0\u200b👨\u200d👩""#);
        check(&s("\u{301}"), "\"\u{301}\"");
        check(&s("a\tb\nc\"d\\e"), "<<EOT\na\tb\nc\"d\\e\nEOT");
        check(&t([]), "[]");
        check(&t([t([n("1")]), l(Type::Any, [])]), "[\n  [\n    1,\n  ],\n  tolist([]),\n]");
        check(&set(Type::Number, [n("443"), n("80")]), "toset([\n  80,\n  443,\n])");
        check(&o([("a b", Value::bool(true))]), "{\n  \"a b\" = true\n}");
        check(&o([("a", unknown(Type::String))]), "{\n  \"a\" = (known after apply)\n}");
        check(
            &o([("a", m(Type::list(Type::String), [("x", l(Type::String, [s("l\nm")]))]))]),
            "{\n  \"a\" = tomap({\n    \"x\" = tolist([\n      <<-EOT\n      l\n      m\n      EOT,\n    ])\n  })\n}",
        );
        check(
            &o([("a\nb", s("x\ny")), ("q\"", s("EOT\n EOT "))]),
            "{\n  <<-EOT\n  a\n  b\n  EOT = <<-EOT\n  x\n  y\n  EOT\n  \"q\\\"\" = <<-EOT_\n  EOT\n   EOT \n  EOT_\n}",
        );
    }

    #[test]
    fn nulls_tell_their_type() {
        check(&null(Type::Any), "null");
        check(&null(Type::Bool), "tobool(null)");
        check(&null(Type::list(Type::Any)), "tolist(null) /* of dynamic */");
        check(&null(Type::map(Type::set(Type::Number))), "tomap(null) /* of set of number */");
        check(&null(Type::empty_object()), "null /* object */");
    }

    #[test]
    fn marked_parts_do_not_show() {
        check(&secret(o([("a", n("1"))])), "(sensitive value)");
        check(&o([("a", secret(s("x")))]), "{\n  \"a\" = (sensitive value)\n}");
        check(&set(Type::String, [secret(s("x"))]), "(sensitive value)");
        check(&secret(unknown(Type::String)), "(known after apply)");
        check(&s("x").with_marks(Marks::EPHEMERAL), "(ephemeral value)");
        assert_eq!(format!("{:?}", t([secret(s("x")), s("y")])), "[(sensitive value), \"y\"]");
    }

    #[test]
    fn types_print_over_lines() {
        let object = Type::object([("a", Type::Number)]);
        for (ty, expect) in [
            (Type::Any, "dynamic"),
            (Type::set(Type::Any), "set(dynamic)"),
            (Type::tuple([]), "tuple([])"),
            (Type::empty_object(), "object({})"),
            (Type::list(Type::tuple([])), "list(\n    tuple([]),\n)"),
            (Type::list(object.clone()), "list(\n    object({\n        a: number,\n    }),\n)"),
            (
                Type::object([("a b", Type::list(Type::list(object.clone()))), ("é", Type::tuple([Type::Bool]))]),
                "object({\n    a b: list(list(\n        object({\n            a: number,\n        }),\n    )),\n    é: tuple([\n        bool,\n    ]),\n})",
            ),
        ] {
            assert_eq!(type_repl(&ty), expect);
        }
    }
}

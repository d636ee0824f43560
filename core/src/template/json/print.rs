use super::document::{Document, document};
use crate::template::syntax::Body;

/// Returns a part of a module as JSON, laid out with two spaces.
///
/// Reading it as a `*.tf.json` file gives a body that means the same, as long as the body is free of mistakes. Comments are no
/// part of a tree and thus not printed. Blocks of a resource type become properties, as they always are in JSON:
/// [`with_schema_blocks`](crate::template::with_schema_blocks) tells them from arguments again.
///
/// # Complexity
/// Linear in the body.
pub fn print(body: &Body) -> String {
    let mut out = String::new();
    write(&mut out, &document(body), 0);
    out.push('\n');
    out
}

fn write(out: &mut String, document: &Document, depth: usize) {
    match document {
        Document::Null => out.push_str("null"),
        Document::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Document::Number(text) => out.push_str(text),
        Document::Text(text) => write_string(out, text),
        Document::List(items) if items.is_empty() => out.push_str("[]"),
        Document::Map(entries) if entries.is_empty() => out.push_str("{}"),
        Document::List(items) => {
            for (idx, item) in items.iter().enumerate() {
                out.push(if idx == 0 { '[' } else { ',' });
                new_line(out, depth + 1);
                write(out, item, depth + 1);
            }
            new_line(out, depth);
            out.push(']');
        }
        Document::Map(entries) => {
            for (idx, (name, value)) in entries.iter().enumerate() {
                out.push(if idx == 0 { '{' } else { ',' });
                new_line(out, depth + 1);
                write_string(out, name);
                out.push_str(": ");
                write(out, value, depth + 1);
            }
            new_line(out, depth);
            out.push('}');
        }
    }
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Writes a string in quotes; what it makes is a string of YAML, too.
pub(in crate::template) fn write_string(out: &mut String, text: &str) {
    use std::fmt::Write as _;
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Also what ends a line for some readers.
            '\0'..' ' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out.push('"');
}

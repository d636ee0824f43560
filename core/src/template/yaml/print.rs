use super::scalar;
use crate::template::{
    json::{Document, document, write_string},
    syntax::Body,
};

/// Returns a part of a module as YAML.
///
/// Reading it as a `*.tf.yaml` file gives a body that means the same, as long as the body is free of mistakes; see
/// [`json::print`](crate::template::json::print) for what does not come along. No tags are used, so that any YAML reader
/// understands it.
///
/// # Complexity
/// Linear in the body.
pub fn print(body: &Body) -> String {
    let mut out = String::new();
    match document(body) {
        Document::Map(entries) if entries.is_empty() => out.push_str("{}\n"),
        document => write(&mut out, &document, 0),
    }
    out
}

/// How many bytes a key may take up in front of its colon; YAML 1.2, 7.4.2, lets it be 1,024 characters.
const KEY_LENGTH: usize = 1000;

/// Writes a value from the place where it stands to the end of its last line.
fn write(out: &mut String, document: &Document, depth: usize) {
    match document {
        Document::List(items) if !items.is_empty() => {
            for (idx, item) in items.iter().enumerate() {
                if idx > 0 {
                    indent(out, depth);
                }
                out.push_str("- ");
                write(out, item, depth + 1);
            }
        }
        Document::Map(entries) if !entries.is_empty() => {
            for (idx, (name, value)) in entries.iter().enumerate() {
                if idx > 0 {
                    indent(out, depth);
                }
                let start = out.len();
                write_text(out, name, None);
                if out.len() - start > KEY_LENGTH {
                    out.insert_str(start, "? ");
                    out.push('\n');
                    indent(out, depth);
                }
                out.push(':');
                match value {
                    Document::List(items) if !items.is_empty() => {
                        out.push('\n');
                        indent(out, depth + 1);
                        write(out, value, depth + 1);
                    }
                    Document::Map(entries) if !entries.is_empty() => {
                        out.push('\n');
                        indent(out, depth + 1);
                        write(out, value, depth + 1);
                    }
                    _ => {
                        out.push(' ');
                        write(out, value, depth + 1);
                    }
                }
            }
        }
        Document::Null => out.push_str("null\n"),
        Document::Bool(value) => out.push_str(if *value { "true\n" } else { "false\n" }),
        Document::Number(text) => {
            out.push_str(text);
            out.push('\n');
        }
        Document::Text(text) => {
            write_text(out, text, Some(depth));
            if !out.ends_with('\n') || text.is_empty() {
                out.push('\n');
            }
        }
        Document::List(_) => out.push_str("[]\n"),
        Document::Map(_) => out.push_str("{}\n"),
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Writes a text; as a block of lines, if it has some and `block` says how deep they may stand.
fn write_text(out: &mut String, text: &str, block: Option<usize>) {
    match block {
        _ if is_plain(text) => out.push_str(text),
        Some(depth) if fits_block(text) => {
            out.push('|');
            let body = text.trim_end_matches('\n');
            match text.len() - body.len() {
                0 => out.push('-'),
                1 => {}
                _ => out.push('+'),
            }
            out.push('\n');
            for line in body.split('\n') {
                if !line.is_empty() {
                    indent(out, depth.max(1));
                    out.push_str(line);
                }
                out.push('\n');
            }
            out.extend(std::iter::repeat_n('\n', (text.len() - body.len()).saturating_sub(1)));
        }
        _ => write_string(out, text),
    }
}

/// Returns whether a text can stand without quotes, and is the same text for whoever reads it.
fn is_plain(text: &str) -> bool {
    let starts = text.starts_with(|char: char| char.is_ascii_alphabetic() || matches!(char, '_' | '/' | '$' | '.'));
    let means_itself = matches!(scalar::plain(text), Ok(None));
    // Words of YAML 1.1, which most readers still know.
    let is_word = matches!(text.to_ascii_lowercase().as_str(), "y" | "n" | "yes" | "no" | "on" | "off");
    let is_printable = |char: char| matches!(char, ' '..='~') || char.is_alphanumeric();
    starts
        && means_itself
        && !is_word
        && text.chars().all(is_printable)
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
}

/// Returns whether a text of several lines can stand as a block of lines.
fn fits_block(text: &str) -> bool {
    let body = text.trim_end_matches('\n');
    let fits = |line: &str| {
        !line.ends_with([' ', '\t'])
            && line.chars().all(|char| matches!(char, ' '..='~' | '\t') || char.is_alphanumeric())
    };
    text.contains('\n')
        && !body.is_empty()
        // Its indentation would be taken for that of the block.
        && !body.starts_with([' ', '\t', '\n'])
        && body.split('\n').all(fits)
}

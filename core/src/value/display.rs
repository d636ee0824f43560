use std::fmt::Write as _;

use super::Marks;

/// What stands in place of a marked value.
pub(super) fn hidden(marks: Marks) -> &'static str {
    if marks.contains(Marks::SENSITIVE) { "(sensitive value)" } else { "(ephemeral value)" }
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
    // Rust escapes what is not printable, and grapheme extenders, which are printable to us.
    c == ' '
        || c == '\''
        || c.is_alphanumeric()
        || !c.is_whitespace() && c.escape_debug().len() == 1
        || unicode_normalization::char::is_combining_mark(c)
}

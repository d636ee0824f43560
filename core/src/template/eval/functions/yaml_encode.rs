//! Writes YAML the way Terraform does: block style, quoted keys and texts, multi-line texts as `|` blocks.

use std::fmt::Write as _;

use crate::{
    template::eval::Problem,
    value::{Kind, Number, Value, combines},
};

/// Columns after which a quoted text is folded at its next space.
const WIDTH: usize = 80;
/// Bytes of the longest key that stands before its colon without a `?`.
const LONGEST_KEY: usize = 128;
const INDENT: i32 = 2;

/// Returns a wholly known, unmarked value as a YAML document.
pub(super) fn encode(value: &Value) -> Result<String, Problem> {
    let mut writer = Writer { out: String::new(), indent: -1, column: 0, whitespace: true, indention: true };
    writer.node(value, false)?;
    if writer.column > 0 {
        writer.line_break();
    }
    if matches!(value.kind(), Kind::Null(_) | Kind::Bool(_) | Kind::Number(_)) {
        // A plain text at the top might go on in what follows, so the document says where it ends.
        writer.out.push_str("...\n");
    }
    Ok(writer.out)
}

struct Writer {
    out: String,
    /// Columns; -1 at the top.
    indent: i32,
    column: usize,
    /// Whether the last thing written was white space.
    whitespace: bool,
    /// Whether nothing but indentation and indicators stands in the line.
    indention: bool,
}

impl Writer {
    fn node(&mut self, value: &Value, in_mapping: bool) -> Result<(), Problem> {
        match value.kind() {
            Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => {
                if items.is_empty() {
                    self.indicator("[]", true, false);
                    return Ok(());
                }
                let outer = self.deepen(in_mapping && !self.indention);
                for item in items.iter() {
                    self.start_line();
                    self.indicator("-", true, true);
                    self.node(item, false)?;
                }
                self.indent = outer;
            }
            Kind::Map(fields) | Kind::Object(fields) => {
                if fields.is_empty() {
                    self.indicator("{}", true, false);
                    return Ok(());
                }
                let outer = self.deepen(false);
                for (name, item) in fields.iter() {
                    self.start_line();
                    if name.len() <= LONGEST_KEY && !name.contains(is_break) {
                        self.text(name, false);
                        self.indicator(":", false, false);
                    } else {
                        self.indicator("?", true, true);
                        self.text(name, true);
                        self.start_line();
                        self.indicator(":", true, true);
                    }
                    self.node(item, true)?;
                }
                self.indent = outer;
            }
            Kind::String(text) => self.text(text, true),
            Kind::Number(number) => self.plain(&spelled(number)),
            Kind::Bool(value) => self.plain(if *value { "true" } else { "false" }),
            Kind::Null(_) => self.plain("null"),
            Kind::Unknown(_) => return Err(Problem::argument(0, "it is not known yet")),
        }
        Ok(())
    }

    /// Goes one level deeper and returns the level before.
    fn deepen(&mut self, stays: bool) -> i32 {
        let outer = self.indent;
        if outer < 0 {
            self.indent = 0;
        } else if !stays {
            self.indent += INDENT;
        }
        outer
    }

    /// Where the lines of a text that goes on start.
    fn text_indent(&self) -> i32 {
        if self.indent < 0 { INDENT } else { self.indent + INDENT }
    }

    fn push(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn line_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
        self.indention = true;
        self.whitespace = true;
    }

    fn start_line(&mut self) {
        self.start_line_at(self.indent.max(0) as usize);
    }

    fn start_line_at(&mut self, indent: usize) {
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.line_break();
        }
        while self.column < indent {
            self.push(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn indicator(&mut self, text: &str, spaced: bool, keeps_indention: bool) {
        if spaced && !self.whitespace {
            self.push(' ');
        }
        text.chars().for_each(|c| self.push(c));
        self.whitespace = false;
        self.indention &= keeps_indention;
    }

    fn plain(&mut self, text: &str) {
        self.indicator(text, true, false);
    }

    fn text(&mut self, text: &str, may_break: bool) {
        if may_break && text.contains(is_break) && fits_block(text) {
            self.block(text);
        } else {
            self.quoted(text, may_break);
        }
    }

    fn block(&mut self, text: &str) {
        let indent = self.text_indent() as usize;
        self.indicator("|", true, false);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.push('2');
        }
        let mut last = text.chars().rev();
        match (last.next().is_some_and(is_break), last.next()) {
            (false, _) => self.push('-'),
            (true, None) => self.push('+'),
            (true, Some(before)) if is_break(before) => self.push('+'),
            (true, Some(_)) => {}
        }
        self.line_break();
        let mut fresh = true;
        for c in text.chars() {
            if is_break(c) {
                if c == '\n' {
                    self.line_break();
                } else {
                    self.out.push(c);
                    self.column = 0;
                }
                self.indention = true;
                fresh = true;
            } else {
                if fresh {
                    self.start_line_at(indent);
                }
                self.push(c);
                self.indention = false;
                fresh = false;
            }
        }
        if fresh {
            self.whitespace = true;
        } else {
            self.whitespace = false;
            self.indention = false;
        }
    }

    fn quoted(&mut self, text: &str, may_fold: bool) {
        let indent = self.text_indent() as usize;
        self.indicator("\"", true, false);
        let mut after_space = false;
        // What is written becomes a text in normal form C, where the letter of an escape must stay one.
        let mut behind_escape = false;
        let mut rest = text.char_indices().peekable();
        while let Some((at, c)) = rest.next() {
            if c == ' ' {
                let next = rest.peek().map(|(_, next)| *next);
                if may_fold && !after_space && self.column > WIDTH && at > 0 && next.is_some() {
                    self.start_line_at(indent);
                    if next == Some(' ') {
                        self.push('\\');
                    }
                } else {
                    self.push(' ');
                }
                (after_space, behind_escape) = (true, false);
                continue;
            }
            let is_plain = is_printable(c) && !is_break(c) && c != '"' && c != '\\';
            if is_plain && !(behind_escape && combines(c)) {
                self.push(c);
                behind_escape = false;
            } else {
                behind_escape = true;
                let mut escaped = String::new();
                escape(c, &mut escaped);
                escaped.chars().for_each(|c| self.push(c));
            }
            after_space = false;
        }
        self.indicator("\"", false, false);
    }
}

fn spelled(number: &Number) -> String {
    if number.is_infinite() {
        return if number.is_negative() { "-Inf" } else { "+Inf" }.to_owned();
    }
    number.to_string()
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

/// Whether a text survives as a `|` block: nothing to escape, no space at the end of a line.
fn fits_block(text: &str) -> bool {
    let mut previous = None;
    for c in text.chars() {
        if !is_printable(c) || (is_break(c) && previous == Some(' ')) {
            return false;
        }
        previous = Some(c);
    }
    previous != Some(' ')
}

fn escape(c: char, out: &mut String) {
    let short = match c {
        '\0' => "\\0",
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\t' => "\\t",
        '\n' => "\\n",
        '\u{b}' => "\\v",
        '\u{c}' => "\\f",
        '\r' => "\\r",
        '\u{1b}' => "\\e",
        '"' => "\\\"",
        '\\' => "\\\\",
        '\u{85}' => "\\N",
        '\u{2028}' => "\\L",
        '\u{2029}' => "\\P",
        _ => "",
    };
    let code = u32::from(c);
    let _ = match code {
        _ if !short.is_empty() => out.write_str(short),
        0..=0xff => write!(out, "\\x{code:02X}"),
        0..=0xffff => write!(out, "\\u{code:04X}"),
        _ => write!(out, "\\U{code:08X}"),
    };
}

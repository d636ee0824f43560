use std::sync::Arc;

use crate::error::{Diagnostic, SourceId, Span};

use super::node::{Kind, Node, Text};

/// How deep arrays and objects may lie in each other.
const MAX_DEPTH: u32 = 200;

/// Reads a JSON text. Reading stops at the first mistake: JSON has no place to go on from.
///
/// Stricter than nothing, laxer than nothing: exactly RFC 8259, and a byte order mark is skipped.
pub(in crate::template) fn read(source: SourceId, text: &str) -> Result<Node, Diagnostic> {
    if u32::try_from(text.len()).is_err() {
        let message = format!("the text has {} bytes; {} are allowed", text.len(), u32::MAX);
        return Err(Diagnostic::error("syntax.size", message).at(Span::new(source, 0, 0)));
    }
    let mut reader = Reader { text, source, at: if text.starts_with('\u{feff}') { 3 } else { 0 }, depth: 0 };
    let node = reader.value()?;
    reader.space();
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.unexpected("the end of the text")),
    }
}

struct Reader<'a> {
    text: &'a str,
    source: SourceId,
    at: usize,
    depth: u32,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn span(&self, start: usize) -> Span {
        Span::new(self.source, start as u32, self.at as u32)
    }

    fn unexpected(&self, wanted: &str) -> Diagnostic {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let (found, length) = match rest.chars().next() {
            None => ("the end of the text".to_owned(), 0),
            Some(char) => (format!("`{char}`"), char.len_utf8()),
        };
        let span = Span::new(self.source, self.at as u32, (self.at + length) as u32);
        Diagnostic::error("syntax.unexpected", format!("{found} stands where {wanted} is expected")).at(span)
    }

    fn value(&mut self) -> Result<Node, Diagnostic> {
        self.space();
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::array)?,
            Some(b'"') => Kind::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => {
                let rest = self.text.get(start..).unwrap_or_default();
                let known = [("null", Kind::Null), ("true", Kind::Bool(true)), ("false", Kind::Bool(false))];
                let Some((word, kind)) = known.into_iter().find(|(word, _)| rest.starts_with(word)) else {
                    return Err(self.unexpected("a value"));
                };
                self.at += word.len();
                kind
            }
        };
        Ok(Node { kind, span: self.span(start) })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Kind, Diagnostic>) -> Result<Kind, Diagnostic> {
        if self.depth == MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} arrays and objects inside one another");
            return Err(Diagnostic::error("syntax.nesting", message).at(self.span(self.at)));
        }
        self.depth += 1;
        self.at += 1;
        let kind = read(self);
        self.depth -= 1;
        kind
    }

    fn array(&mut self) -> Result<Kind, Diagnostic> {
        let mut items = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Kind::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            if self.take(b']') {
                return Ok(Kind::Array(items));
            }
            if !self.take(b',') {
                return Err(self.unexpected("`,` or `]`"));
            }
        }
    }

    fn object(&mut self) -> Result<Kind, Diagnostic> {
        let mut entries = Vec::new();
        self.space();
        if self.take(b'}') {
            return Ok(Kind::Object(entries));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a name in quotes"));
            }
            let name = self.string()?;
            self.space();
            if !self.take(b':') {
                return Err(self.unexpected("`:`"));
            }
            entries.push((name, self.value()?));
            self.space();
            if self.take(b'}') {
                return Ok(Kind::Object(entries));
            }
            if !self.take(b',') {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self) -> Result<(), Diagnostic> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.unexpected("a digit"));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Kind, Diagnostic> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Ok(Kind::Number(Arc::from(self.text.get(start..self.at).unwrap_or_default())))
    }

    fn string(&mut self) -> Result<Text, Diagnostic> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        let mut runs: Vec<(u32, u32)> = vec![(0, self.at as u32)];
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let plain =
                rest.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < 0x20).unwrap_or(rest.len());
            text.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Text { decoded: text.into(), span: self.span(start), runs });
                }
                Some(b'\\') => {
                    text.push(self.escape()?);
                    runs.push((text.len() as u32, self.at as u32));
                }
                Some(_) => {
                    let span = Span::new(self.source, self.at as u32, self.at as u32 + 1);
                    return Err(Diagnostic::error("syntax.escape", "a control character in a string")
                        .at(span)
                        .help("write it as an escape, such as `\\n`"));
                }
                None => {
                    let span = Span::new(self.source, start as u32, start as u32 + 1);
                    return Err(Diagnostic::error("syntax.unterminated", "a string without an end").at(span));
                }
            }
        }
    }

    /// Reads from a backslash on.
    fn escape(&mut self) -> Result<char, Diagnostic> {
        let start = self.at;
        let letter = self.text.as_bytes().get(start + 1).copied();
        self.at += 2;
        let simple = match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(start),
            _ => return Err(self.bad_escape(start)),
        };
        Ok(simple)
    }

    fn unicode(&mut self, start: usize) -> Result<char, Diagnostic> {
        let unit = self.hex().ok_or_else(|| self.bad_escape(start))?;
        if let Some(char) = char::from_u32(unit) {
            return Ok(char);
        }
        // Half of a pair; the other half must follow.
        let low = self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u")).then(|| {
            self.at += 2;
            self.hex()
        });
        match low.flatten() {
            Some(low) if (0xD800..0xDC00).contains(&unit) && (0xDC00..0xE000).contains(&low) => {
                char::from_u32(0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
                    .ok_or_else(|| self.bad_escape(start))
            }
            _ => Err(self.bad_escape(start)),
        }
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    fn bad_escape(&self, start: usize) -> Diagnostic {
        let mut end = self.at.clamp(start + 1, self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        Diagnostic::error("syntax.escape", "an escape that JSON does not have")
            .at(Span::new(self.source, start as u32, end as u32))
            .help("a backslash stands before one of `\"\\/bfnrt`, or `u` and four hexadecimal digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(node: &Node) -> String {
        match &node.kind {
            Kind::Null => "null".into(),
            Kind::Bool(value) => value.to_string(),
            Kind::Number(text) => text.to_string(),
            Kind::String(text) | Kind::Code(text) => format!("{:?}", text.decoded),
            Kind::Array(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(",")),
            Kind::Object(entries) => {
                let entries = entries.iter().map(|(name, value)| format!("{}:{}", name.decoded, show(value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
            }
        }
    }

    #[test]
    fn values_are_read() {
        let check = |text, expect: &str| {
            assert_eq!(show(&read(SourceId(0), text).expect("JSON")), expect, "{text}");
        };
        check(" { \"a\" : [ 1 , -2.5e+3, true,null ] , \"a\": {} } ", "{a:[1,-2.5e+3,true,null],a:{}}");
        check(r#""a\n\u00e9\ud83d\ude00\/""#, r#""a\né😀/""#);
        check("\u{feff}0", "0");
    }

    #[test]
    fn mistakes_have_a_place() {
        let check = |text, code: &str, start, end| {
            let problem = read(SourceId(0), text).expect_err(text);
            assert_eq!((&*problem.code, problem.span()), (code, Some(Span::new(SourceId(0), start, end))), "{text}");
        };
        check("{", "syntax.unexpected", 1, 1);
        check("{\"a\" 1}", "syntax.unexpected", 5, 6);
        check("[1,]", "syntax.unexpected", 3, 4);
        check("[1 é]", "syntax.unexpected", 3, 5);
        check("01", "syntax.unexpected", 1, 2);
        check("1.", "syntax.unexpected", 2, 2);
        check("\"a", "syntax.unterminated", 0, 1);
        check("\"\\x\"", "syntax.escape", 1, 3);
        check("\"\\é\"", "syntax.escape", 1, 4);
        check("\"\\ud83d\"", "syntax.escape", 1, 7);
        check("\"\\ud83d\\u0041\"", "syntax.escape", 1, 13);
        check("\"\\u00", "syntax.escape", 1, 3);
        check("\"\n\"", "syntax.escape", 1, 2);
        check("", "syntax.unexpected", 0, 0);
        check(&"[".repeat(1000), "syntax.nesting", 200, 200);
    }

    #[test]
    fn places_in_a_string_are_places_in_the_text() {
        let source = r#"  "a\n\u00e9b\"c""#;
        let Kind::String(text) = read(SourceId(0), source).expect("JSON").kind else { panic!("a string") };
        for wanted in ['a', 'b', 'c'] {
            let offset = text.decoded.find(wanted).expect("in the string") as u32;
            assert_eq!(text.place(offset) as usize, source.rfind(wanted).expect("in the source"), "{wanted}");
        }
    }
}

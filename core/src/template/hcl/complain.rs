use std::sync::Arc;

use crate::{
    error::{Diagnostic, Span},
    template::syntax::{Expr, ExprKind, Literal},
};

use super::{
    lexer::TokenKind as K,
    parser::{Bail, Parsed, Parser},
};

/// How much of the user's text is repeated in a message, in characters.
const CLIP: usize = 60;

/// Returns `text`, cut where it is too long for a message.
pub(super) fn clip(text: &str) -> String {
    match text.char_indices().nth(CLIP) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or("")),
        None => text.to_owned(),
    }
}

/// Messages about tokens that do not fit, with the ways out of the slips that people make.
impl Parser<'_> {
    /// Returns the token at hand in words.
    pub(super) fn describe(&self) -> String {
        match self.kind() {
            K::Newline => "the end of the line".to_owned(),
            K::Eof => "the end of the text".to_owned(),
            K::Quote => "a string".to_owned(),
            K::Heredoc => "a heredoc".to_owned(),
            _ => format!("`{}`", clip(self.slice())),
        }
    }

    /// Reports that something else was expected here.
    pub(super) fn unexpected<T>(&mut self, expected: &str) -> Parsed<T> {
        self.complain(expected, None)
    }

    /// Reports that something else was expected here, because of `cause`.
    pub(super) fn unexpected_with<T>(&mut self, expected: &str, cause: Span, why: &str) -> Parsed<T> {
        self.complain(expected, Some((cause, why)))
    }

    /// Reports that a value goes on where it should have ended.
    pub(super) fn unexpected_after_value<T>(&mut self, expected: &str) -> Parsed<T> {
        self.complain(expected, None)
    }

    /// Reports that the closing bracket, or what may come before it, is missing.
    pub(super) fn expected_closer<T>(&mut self, expected: &str, opened: Span, what: &str) -> Parsed<T> {
        if self.is(K::Eof) || self.at_item_start() {
            let closer = match self.open.last().map(|open| open.kind) {
                Some(K::LeftParen) => ")",
                Some(K::LeftBracket) => "]",
                _ => "}",
            };
            self.unclosed(what, opened, closer);
            return Err(Bail);
        }
        self.complain(expected, Some((opened, "opened here")))
    }

    fn complain<T>(&mut self, expected: &str, cause: Option<(Span, &str)>) -> Parsed<T> {
        if self.is(K::Eof) {
            if let Some(open) = self.open.last().copied() {
                let closer = match open.kind {
                    K::LeftParen => ")",
                    K::LeftBracket => "]",
                    _ => "}",
                };
                self.unclosed("the bracket", open.span, closer);
                return Err(Bail);
            }
            if std::mem::replace(&mut self.end_reported, true) {
                return Err(Bail);
            }
        }
        if self.is(K::Ident) && self.prev_end == self.tok.start && self.follows_digit() {
            return self.number_with_unit();
        }
        let found = self.describe();
        let mut diagnostic = Diagnostic::error("syntax.unexpected", format!("expected {expected}, found {found}"))
            .label(self.span(), "");
        if let Some((span, text)) = cause {
            diagnostic = diagnostic.label(span, text);
        }
        if let Some(help) = self.hint() {
            diagnostic = diagnostic.help(help);
        }
        self.bail(diagnostic)
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match self.kind() {
            K::Newline => "an expression goes on over a line break only inside brackets: put it into `( … )`",
            K::Equal => "`=` sets an attribute; compare with `==`",
            K::EqualEqual => "`==` compares; set an attribute with `=`",
            K::FatArrow => "`=>` belongs to `{for … : key => value}`",
            K::Ident => match self.slice() {
                "and" => "write `&&`",
                "or" => "write `||`",
                "not" => "write `!`",
                _ => return None,
            },
            K::Quote => "join strings with a template: `\"${a}${b}\"`",
            K::Other => match self.slice() {
                "&" => "there are no bit operators; the logical one is `&&`",
                "|" => "there are no bit operators; the logical one is `||`",
                "^" => "there is no `^`; a power is `pow(x, y)`",
                ";" => "end the line instead",
                "'" | "`" | "\u{201c}" | "\u{201d}" | "\u{2018}" | "\u{2019}" => {
                    "strings have straight double quotes: `\"…\"`"
                }
                "\r" => "a line ends with a line feed, perhaps with a carriage return before it",
                _ => "this character means nothing here; text belongs between double quotes",
            },
            K::Plus | K::Minus | K::Star | K::Slash | K::AndAnd | K::OrOr | K::Question | K::Colon | K::Dot
                if self.fresh =>
            {
                "an expression goes on over a line break only inside brackets: put it into `( … )`"
            }
            K::Plus | K::Minus if self.prev_end == self.tok.start => "there is no `++` or `--`",
            K::RightBrace | K::RightBracket | K::RightParen => {
                "look for a bracket too many, or a value that is missing"
            }
            _ => return None,
        })
    }

    fn follows_digit(&self) -> bool {
        let start = self.tok.start as usize;
        // The whole word in front must be a number, not an identifier that ends with a digit.
        let before = self.lexer.slice(0, start);
        let word = before.rsplit(|char: char| !(char.is_alphanumeric() || matches!(char, '_' | '-' | '.'))).next();
        word.is_some_and(|word| word.starts_with(|char: char| char.is_ascii_digit()))
    }

    /// `10GB`, `0x1F`.
    fn number_with_unit<T>(&mut self) -> Parsed<T> {
        let end = self.tok.end;
        let start = self.lexer.slice(0, end as usize).rfind(|char: char| !(char.is_alphanumeric() || char == '.'));
        let start = start.map_or(0, |idx| idx as u32 + 1);
        let written = clip(self.lexer.slice(start as usize, end as usize));
        let help = if written.starts_with("0x") || written.starts_with("0b") || written.starts_with("0o") {
            format!(
                "numbers are decimal; write `parseint(\"{}\", 16)` or the decimal number",
                written.get(2..).unwrap_or("")
            )
        } else {
            format!("a number has no unit; put it into quotes if it is text: `\"{written}\"`")
        };
        self.bail(
            Diagnostic::error("syntax.number", format!("`{written}` is no number"))
                .label(self.at(start, end), "starts like a number")
                .help(help),
        )
    }

    pub(super) fn bad_number(&mut self, why: &str) -> Parsed<Expr> {
        let written = clip(self.slice());
        let span = self.span();
        self.report(
            Diagnostic::error("syntax.number", format!("`{written}` is no number"))
                .label(span, why)
                .help(format!("put it into quotes if it is text: `\"{written}\"`")),
        );
        self.advance();
        self.height = 1;
        Ok(Expr::new(ExprKind::Invalid, span))
    }

    /// A string in quotes of another language is reported and read as what it was meant to be.
    pub(super) fn foreign_quotes(&mut self) -> Option<Expr> {
        let start = self.tok.start;
        let closers: &[char] = match self.slice() {
            "'" => &['\''],
            "`" => &['`'],
            "\u{201c}" | "\u{201d}" | "\u{201e}" => &['\u{201c}', '\u{201d}', '"'],
            "\u{2018}" | "\u{2019}" => &['\u{2018}', '\u{2019}', '\''],
            "\u{ab}" => &['\u{bb}'],
            _ => return None,
        };
        if !self.is(K::Other) {
            return None;
        }
        let from = self.tok.end as usize;
        let rest = self.text.get(from..).unwrap_or("");
        let len = rest.find(|char| char == '\n' || closers.contains(&char)).unwrap_or(rest.len());
        let content = rest.get(..len).unwrap_or("");
        let close = rest.get(len..).and_then(|rest| rest.chars().next()).filter(|char| *char != '\n');
        let end = from + len + close.map_or(0, char::len_utf8);
        let span = self.at(start, end as u32);
        self.report(
            Diagnostic::error("syntax.unexpected", format!("a string does not start with `{}`", self.slice()))
                .label(if close.is_some() { span } else { self.span() }, "")
                .help("strings have straight double quotes: `\"…\"`"),
        );
        self.height = 1;
        self.resume_at(end);
        let kind = match close {
            Some(_) => ExprKind::Literal(Literal::String(Arc::from(content))),
            None => ExprKind::Invalid,
        };
        Some(Expr::new(kind, span))
    }
}

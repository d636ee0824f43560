use crate::{
    error::{Diagnostic, SourceId, Span},
    template::syntax::{Expr, MAX_HEIGHT, ObjectItem, Step},
};

use super::{
    lexer::{Lexer, Mode, Token, TokenKind},
    names::Names,
};

/// How deep expressions and blocks may lie in each other.
pub(super) const MAX_DEPTH: u32 = 200;

/// How many problems are reported for one text; the rest would help nobody.
const MAX_DIAGNOSTICS: usize = 500;

/// Says that a problem was reported and that the position is not where the caller wants it; the nearest list
/// of items (a body, an object) or sequence (`${`) finds the way back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bail;

pub(super) type Parsed<T> = Result<T, Bail>;

/// How much the parser believes in indentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Only brackets count.
    Ignored,
    /// A line that starts left of, or level with, what holds it ends that: used to find *which* bracket lacks
    /// its partner, once it is known that something is wrong.
    Trusted,
}

/// Elements of lists that are being read, those of the innermost last.
///
/// A finished list is cut off in one piece, so that it takes the memory that it needs and was never moved to grow.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) exprs: Vec<Expr>,
    pub(super) items: Vec<ObjectItem>,
    pub(super) steps: Vec<Step>,
}

/// How much was in a [`Scratch`].
#[derive(Clone, Copy, Debug)]
pub(super) struct ScratchMark {
    exprs: usize,
    items: usize,
    steps: usize,
}

impl Scratch {
    pub(super) fn mark(&self) -> ScratchMark {
        ScratchMark { exprs: self.exprs.len(), items: self.items.len(), steps: self.steps.len() }
    }

    /// Drops what lists have left that were given up.
    pub(super) fn truncate(&mut self, mark: ScratchMark) {
        self.exprs.truncate(mark.exprs);
        self.items.truncate(mark.items);
        self.steps.truncate(mark.steps);
    }
}

/// A bracket that waits for its partner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

/// Reads one text: a lexer, the token at hand, and what is known of the surroundings.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) source: SourceId,
    pub(super) lexer: Lexer<'a>,
    /// The token at hand, not yet consumed.
    pub(super) tok: Token,
    /// Whether it is the first of its line.
    pub(super) fresh: bool,
    /// Where its line starts.
    pub(super) tok_line: usize,
    /// The line of the last problem that made the parser give up an item; what else is wrong there, it made up.
    bail_line: Option<usize>,
    /// Column (bytes, from 0) of the first token of its line.
    pub(super) line_indent: u32,
    /// Where the last consumed token ended.
    pub(super) prev_end: u32,
    /// Whether line breaks are white space here.
    pub(super) skip_newlines: bool,
    pub(super) depth: u32,
    /// Height of the expression that was finished last.
    pub(super) height: u32,
    pub(super) names: Names,
    pub(super) strings: Names,
    pub(super) scratch: Scratch,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Brackets that are open inside the current item.
    pub(super) open: Vec<Open>,
    pub(super) layout: Layout,
    /// Whether the end of the text came too early and that was said already.
    pub(super) end_reported: bool,
    /// How many sequences (`${`, `%{`) are open around the token at hand.
    pub(super) sequence_depth: u32,
    /// Where lines consist of a single word; made when a heredoc turned out to have no end.
    pub(super) marker_lines: Option<super::heredoc::MarkerLines<'a>>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(source: SourceId, text: &'a str, layout: Layout) -> Self {
        let mut parser = Self {
            text,
            source,
            lexer: Lexer::new(text, Mode::Plain),
            tok: Token { kind: TokenKind::Newline, start: 0, end: 0 },
            fresh: true,
            tok_line: 0,
            bail_line: None,
            line_indent: 0,
            prev_end: 0,
            skip_newlines: false,
            depth: 0,
            height: 0,
            names: Names::new(),
            strings: Names::new(),
            scratch: Scratch::default(),
            diagnostics: Vec::new(),
            open: Vec::new(),
            layout,
            end_reported: false,
            sequence_depth: 0,
            marker_lines: None,
        };
        if u32::try_from(text.len()).is_err() {
            parser.report(
                Diagnostic::error(
                    "syntax.size",
                    format!("the text has {} bytes; {} are allowed", text.len(), u32::MAX),
                )
                .at(parser.at(0, 0)),
            );
            parser.lexer = Lexer::new("", Mode::Plain);
            parser.text = "";
        }
        if parser.text.starts_with('\u{feff}') {
            parser.lexer.pos = 3;
            parser.lexer.line_start = 3;
        }
        parser
    }

    #[inline]
    pub(super) fn at(&self, start: u32, end: u32) -> Span {
        Span::new(self.source, start, end)
    }

    #[inline]
    pub(super) fn span(&self) -> Span {
        self.at(self.tok.start, self.tok.end)
    }

    /// Returns the span from `start` to the end of the last consumed token.
    #[inline]
    pub(super) fn since(&self, start: u32) -> Span {
        self.at(start, self.prev_end.max(start))
    }

    #[inline]
    pub(super) fn kind(&self) -> TokenKind {
        self.tok.kind
    }

    #[inline]
    pub(super) fn is(&self, kind: TokenKind) -> bool {
        self.tok.kind == kind
    }

    /// Returns the text of the token at hand.
    #[inline]
    pub(super) fn slice(&self) -> &'a str {
        self.lexer.slice(self.tok.start as usize, self.tok.end as usize)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.is(TokenKind::Ident) && self.slice() == word
    }

    /// Consumes the token at hand.
    #[inline]
    pub(super) fn advance(&mut self) {
        if self.tok.kind != TokenKind::Newline {
            self.prev_end = self.tok.end;
        }
        self.load();
    }

    /// Looks for the next token at `pos`, having consumed what is before it.
    pub(super) fn resume_at(&mut self, pos: usize) {
        self.prev_end = pos as u32;
        self.lexer.pos = pos;
        self.tok.kind = TokenKind::Other;
        self.load();
    }

    fn load(&mut self) {
        loop {
            let line = self.lexer.line_start;
            self.fresh = self.tok.kind == TokenKind::Newline;
            self.tok = self.lexer.next();
            self.tok_line = self.lexer.line_start;
            if self.fresh {
                self.line_indent = (self.tok.start as usize).saturating_sub(self.tok_line) as u32;
            }
            match self.tok.kind {
                TokenKind::Newline => {
                    self.tok_line = line;
                    if !self.skip_newlines {
                        return;
                    }
                }
                TokenKind::OpenComment => self.open_comment(),
                _ => return,
            }
        }
    }

    fn open_comment(&mut self) {
        if !std::mem::replace(&mut self.end_reported, true) {
            let span = self.at(self.tok.start, self.tok.start + 2);
            self.report(
                Diagnostic::error("syntax.unterminated", "the comment has no end")
                    .label(span, "opened here")
                    .help("close it with `*/`"),
            );
        }
    }

    /// Returns whether the word at hand is followed by `=` or `:`.
    pub(super) fn is_assigned(&self) -> bool {
        let mut at = self.tok.end as usize;
        while matches!(self.lexer.byte(at), b' ' | b'\t') {
            at += 1;
        }
        let next = self.lexer.byte(at + 1);
        match self.lexer.byte(at) {
            b'=' => !matches!(next, b'=' | b'>'),
            b':' => next != b':',
            _ => false,
        }
    }

    /// Skips line breaks where they count.
    pub(super) fn skip_blank_lines(&mut self) {
        while self.is(TokenKind::Newline) {
            self.advance();
        }
    }

    /// Consumes the token at hand, an opening bracket, and sets whether line breaks count inside.
    ///
    /// Give the result to [`Parser::close`].
    pub(super) fn open(&mut self, skip_newlines: bool) -> bool {
        self.open.push(Open { kind: self.tok.kind, span: self.span() });
        let outer = std::mem::replace(&mut self.skip_newlines, skip_newlines);
        self.advance();
        outer
    }

    /// Consumes the closing bracket at hand.
    pub(super) fn close(&mut self, outer: bool) {
        self.open.pop();
        self.skip_newlines = outer;
        self.advance();
    }

    /// Goes one level deeper, or reports that this is too deep.
    pub(super) fn enter(&mut self) -> Parsed<()> {
        if self.depth >= MAX_DEPTH {
            return self.too_deep();
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Records the height of the expression that was just finished, or reports that it is too high.
    pub(super) fn set_height(&mut self, height: u32) -> Parsed<()> {
        self.height = height;
        if height > MAX_HEIGHT { self.too_deep() } else { Ok(()) }
    }

    pub(super) fn too_deep<T>(&mut self) -> Parsed<T> {
        let span = self.span();
        self.report(
            Diagnostic::error("syntax.nesting", "this is nested too deeply")
                .label(span, format!("more than {MAX_DEPTH} levels, or a chain of more than {MAX_HEIGHT} operations"))
                .help("move a part of it into a local value of its own"),
        );
        Err(Bail)
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < MAX_DIAGNOSTICS {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports a problem that leaves the position in the middle of something.
    pub(super) fn bail<T>(&mut self, diagnostic: Diagnostic) -> Parsed<T> {
        self.report_line(diagnostic);
        Err(Bail)
    }

    /// Reports a problem that makes others on the same line likely; those are not reported.
    pub(super) fn report_line(&mut self, diagnostic: Diagnostic) {
        if self.bail_line.replace(self.tok_line) != Some(self.tok_line) {
            self.report(diagnostic);
        }
    }

    /// Reports that the end of the text came before the partner of `open`; once per text.
    pub(super) fn unclosed(&mut self, what: &str, open: Span, closer: &str) {
        if !self.is(TokenKind::Eof) || !std::mem::replace(&mut self.end_reported, true) {
            self.report(
                Diagnostic::error("syntax.unterminated", format!("{what} is never closed"))
                    .label(open, "opened here")
                    .help(format!("add the missing `{closer}`")),
            );
        }
    }

    /// Returns whether the closing bracket at hand fits not the innermost open bracket but the one around it.
    pub(super) fn closes_around(&self) -> bool {
        let around = self.open.iter().rev().nth(1).map(|open| open.kind);
        match self.kind() {
            TokenKind::RightParen => around == Some(TokenKind::LeftParen),
            TokenKind::RightBracket => around == Some(TokenKind::LeftBracket),
            TokenKind::RightBrace => around == Some(TokenKind::LeftBrace),
            _ => false,
        }
    }

    /// Ends the innermost bracket without consuming anything: its partner is missing, which is reported.
    pub(super) fn close_missing(&mut self, what: &str, opened: Span, closer: &str, outer: bool) {
        self.unclosed(what, opened, closer);
        self.open.pop();
        self.skip_newlines = outer;
    }

    /// Returns whether the token at hand ends its line and the next line with something on it is indented more
    /// than this one and starts like an item.
    pub(super) fn body_follows(&self) -> bool {
        self.is(TokenKind::Newline)
            && matches!(next_line(self.lexer.clone()), (TokenKind::Ident | TokenKind::Quote, column) if column > self.line_indent)
    }

    /// Returns whether the line of the token at hand, being its first, starts like an item of a body or an
    /// object: `word =`, `word {`, `word "label"`, `"word" =`.
    pub(super) fn at_item_start(&self) -> bool {
        if !self.fresh || !matches!(self.kind(), TokenKind::Ident | TokenKind::Quote) {
            return false;
        }
        let mut ahead = self.lexer.clone();
        if self.is(TokenKind::Quote) {
            let line = self.lexer.slice(ahead.pos, self.lexer.line_end(ahead.pos));
            let Some(end) = line.find('"') else { return false };
            ahead.pos += end + 1;
            return matches!(ahead.next().kind, TokenKind::Equal | TokenKind::Colon);
        }
        matches!(ahead.next().kind, TokenKind::Equal | TokenKind::LeftBrace | TokenKind::Quote | TokenKind::Ident)
            && !matches!(self.slice(), "for" | "if" | "in")
    }
}

/// Returns the kind and the column of the first token behind `ahead` that is no line break.
pub(super) fn next_line(mut ahead: Lexer<'_>) -> (TokenKind, u32) {
    loop {
        let token = ahead.next();
        if token.kind != TokenKind::Newline {
            return (token.kind, (token.start as usize).saturating_sub(ahead.line_start) as u32);
        }
    }
}

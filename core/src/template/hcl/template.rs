use std::sync::Arc;

use crate::{
    error::{Diagnostic, Span},
    template::syntax::{Expr, ExprKind, Ident, Literal, Template},
};

use super::{
    complain::clip,
    lexer::TokenKind as K,
    parser::{Bail, Parsed, Parser},
};

/// A piece of a template, before directives are paired.
#[derive(Debug)]
pub(super) enum Piece {
    Text { run: Run, span: Span },
    Interpolation { expr: Expr, span: Span },
    If { condition: Expr, span: Span },
    Else { span: Span },
    EndIf { span: Span },
    For { key: Option<Ident>, value: Ident, collection: Expr, span: Span },
    EndFor { span: Span },
}

/// Text: a range of the source where that says it, else a string.
#[derive(Debug)]
pub(super) enum Run {
    Source(usize, usize),
    Owned(String),
}

/// The pieces of one template and what was learnt on the way.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pub(super) list: Vec<Piece>,
    /// Whether a sequence was broken, so that directives may not pair for no fault of their own.
    pub(super) broken: bool,
    /// Whether the last sequence ended with `~`.
    pub(super) trim_next: bool,
    /// Which diagnostic tells of a wrong escape, if one was found: one string is one mistake.
    bad_escape: Option<usize>,
    /// Height of the highest expression.
    pub(super) height: u32,
}

/// What a template stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// Double quotes: one line, with backslashes.
    Quoted,
    /// Lines of their own: a heredoc or a file.
    Lines,
}

/// Where reading goes on after a sequence.
pub(super) enum Resume {
    /// With the text at this offset.
    Text(usize),
    /// Behind the template, which ended at this offset for want of anything better; that was reported.
    GiveUp(usize),
}

const ESCAPES: &str =
    "write `\\\\` for a backslash; known are `\\n`, `\\r`, `\\t`, `\\\"`, `\\\\`, `\\uNNNN` and `\\UNNNNNNNN`";

/// Quoted strings and the sequences in any template.
impl Parser<'_> {
    /// Reads a string; its opening quote is at hand.
    pub(super) fn quoted(&mut self) -> Parsed<Expr> {
        let start = self.tok.start;
        let content = self.tok.end as usize;
        let stop = self.text_end(content, Ground::Quoted);
        self.height = 1;
        if self.lexer.byte(stop) == b'"' {
            let text = self.strings.share(self.lexer.slice(content, stop));
            self.resume_at(stop + 1);
            return Ok(Expr::new(ExprKind::Literal(Literal::String(text)), self.at(start, stop as u32 + 1)));
        }
        let mut pieces = Pieces::default();
        let mut pos = content;
        loop {
            let stop = self.text(&mut pieces, pos, Ground::Quoted);
            match self.lexer.byte(stop) {
                b'"' => {
                    self.resume_at(stop + 1);
                    break;
                }
                b'$' | b'%' => match self.sequence(&mut pieces, stop, Ground::Quoted) {
                    Resume::Text(at) => pos = at,
                    Resume::GiveUp(at) => {
                        self.resume_at(at);
                        if self.sequence_depth > 0 {
                            return Err(Bail);
                        }
                        break;
                    }
                },
                _ => {
                    self.unterminated_string(&mut pieces, start, stop)?;
                    break;
                }
            }
        }
        let span = self.since(start);
        match pieces.list.as_mut_slice() {
            [] => Ok(Expr::new(ExprKind::Literal(Literal::String(Arc::from(""))), span)),
            [Piece::Text { run, .. }] => {
                let run = std::mem::replace(run, Run::Source(0, 0));
                let text = self.share_run(run);
                Ok(Expr::new(ExprKind::Literal(Literal::String(text)), span))
            }
            _ => {
                let parts = self.pair(pieces)?;
                Ok(Expr::new(ExprKind::Template(Template { parts, heredoc: None }), span))
            }
        }
    }

    /// Reads a string that holds no sequences, such as a label.
    pub(super) fn quoted_label(&mut self) -> Parsed<Arc<str>> {
        let (start, content) = (self.tok.start, self.tok.end as usize);
        let before = self.diagnostics.len();
        let expr = self.quoted()?;
        let unterminated =
            self.diagnostics.get(before..).unwrap_or(&[]).iter().any(|found| found.code == "syntax.unterminated");
        if unterminated {
            // The quote swallowed the line; its brace, if any, is still wanted.
            let line = self.lexer.slice(content, self.lexer.line_end(content)).trim_end();
            if !line.ends_with('{') {
                return Err(Bail);
            }
            self.resume_at(content + line.len() - 1);
            return Ok(Arc::from(line.trim_end_matches('{').trim_end()));
        }
        match expr.kind {
            ExprKind::Literal(Literal::String(text)) => Ok(text),
            _ => {
                let span = self.since(start);
                if self.diagnostics.len() == before {
                    self.report(
                        Diagnostic::error("syntax.unexpected", "a label is plain text")
                            .label(span, "sequences cannot stand here")
                            .help("write `$${` for the characters `${`"),
                    );
                }
                Ok(Arc::from(self.lexer.slice(content, (span.end as usize).saturating_sub(1))))
            }
        }
    }

    pub(super) fn share_run(&mut self, run: Run) -> Arc<str> {
        match run {
            Run::Source(start, end) => self.strings.share(self.lexer.slice(start, end)),
            Run::Owned(text) => self.strings.share(&text),
        }
    }

    /// Returns where plain text that starts at `at` ends: at a line break, a sequence, an escape or a quote.
    pub(super) fn text_end(&self, mut at: usize, ground: Ground) -> usize {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'"' | b'\\' | b'\r' if ground == Ground::Quoted => return at,
                b'\n' => return at,
                b'$' | b'%' => {
                    let next = self.lexer.byte(at + 1);
                    if next == b'{' || (next == byte && self.lexer.byte(at + 2) == b'{') {
                        return at;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        at
    }

    /// Reads text from `pos` with its escapes up to a sequence, the end of the line or the closing quote; returns
    /// where it stopped. In [`Ground::Lines`] the line break belongs to the text.
    pub(super) fn text(&mut self, pieces: &mut Pieces, pos: usize, ground: Ground) -> usize {
        let mut owned: Option<String> = None;
        let mut from = pos;
        let mut end;
        loop {
            end = self.text_end(from, ground);
            let escape = match self.lexer.byte(end) {
                b'\n' if ground == Ground::Lines => {
                    end += 1;
                    None
                }
                b'\\' if ground == Ground::Quoted => Some(self.escape(pieces, end)),
                byte @ (b'$' | b'%') if self.lexer.byte(end + 1) == byte => {
                    Some((if byte == b'$' { "${" } else { "%{" }.into(), 3))
                }
                _ => None,
            };
            let plain = self.lexer.slice(from, end);
            match escape {
                Some((value, len)) => {
                    let buffer = owned.get_or_insert_default();
                    buffer.push_str(plain);
                    buffer.push_str(&value);
                    from = end + len;
                }
                None => {
                    if let Some(buffer) = &mut owned {
                        buffer.push_str(plain);
                    }
                    break;
                }
            }
        }
        if end > pos {
            let run = owned.map_or(Run::Source(pos, end), Run::Owned);
            let span = self.at(pos as u32, end as u32);
            let mut run = run;
            if pieces.trim_next {
                run = self.trimmed(run, str::trim_start);
            }
            pieces.list.push(Piece::Text { run, span });
            pieces.trim_next = false;
        }
        end
    }

    pub(super) fn run_str<'s>(&'s self, run: &'s Run) -> &'s str {
        match run {
            Run::Source(start, end) => self.lexer.slice(*start, *end),
            Run::Owned(text) => text,
        }
    }

    fn trimmed(&self, run: Run, trim: fn(&str) -> &str) -> Run {
        match run {
            Run::Source(start, end) => {
                let whole = self.lexer.slice(start, end);
                let kept = trim(whole);
                if kept.len() == whole.trim_end().len() && kept.len() != whole.trim_start().len() {
                    Run::Source(start, start + kept.len())
                } else if whole.ends_with(kept) {
                    Run::Source(end - kept.len(), end)
                } else {
                    Run::Source(start, start + kept.len())
                }
            }
            Run::Owned(text) => Run::Owned(trim(&text).to_owned()),
        }
    }

    /// Reads the escape at `at`, a backslash; returns what it means and its length. A wrong one is reported.
    fn escape(&mut self, pieces: &mut Pieces, at: usize) -> (String, usize) {
        let plain = match self.lexer.byte(at + 1) {
            b'n' => "\n",
            b'r' => "\r",
            b't' => "\t",
            b'"' => "\"",
            b'\\' => "\\",
            b'u' => return self.unicode_escape(pieces, at, 4),
            b'U' => return self.unicode_escape(pieces, at, 8),
            _ => {
                let next = self.text.get(at + 1..).and_then(|rest| rest.chars().next()).filter(|char| *char != '\n');
                let len = 1 + next.map_or(0, char::len_utf8);
                let written = self.lexer.slice(at, at + len).to_owned();
                let problem = Diagnostic::error("syntax.escape", format!("`{written}` is no escape"))
                    .label(self.at(at as u32, (at + len) as u32), "unknown")
                    .help(ESCAPES);
                self.report_escape(pieces, problem);
                return (written, len);
            }
        };
        (plain.to_owned(), 2)
    }

    fn unicode_escape(&mut self, pieces: &mut Pieces, at: usize, digits: usize) -> (String, usize) {
        let from = at + 2;
        let found = (0..digits).take_while(|idx| self.lexer.byte(from + idx).is_ascii_hexdigit()).count();
        let code = u32::from_str_radix(self.lexer.slice(from, from + found), 16).ok();
        let len = 2 + found;
        if found == digits
            && let Some(char) = code.and_then(char::from_u32)
        {
            return (char.to_string(), len);
        }
        let problem = if found == digits {
            Diagnostic::error("syntax.escape", "this escape names no character")
                .help("surrogates cannot be written; write the character itself")
        } else {
            Diagnostic::error("syntax.escape", format!("this escape needs {digits} hexadecimal digits")).help(ESCAPES)
        };
        self.report_escape(pieces, problem.label(self.at(at as u32, (at + len) as u32), "incomplete or invalid"));
        (char::REPLACEMENT_CHARACTER.to_string(), len)
    }

    /// Reports a wrong escape, or adds its place to the report of the first one in the same string.
    fn report_escape(&mut self, pieces: &mut Pieces, problem: Diagnostic) {
        match pieces.bad_escape.and_then(|idx| self.diagnostics.get_mut(idx)) {
            Some(first) if first.labels.len() < 8 => first.labels.extend(problem.labels),
            Some(_) => {}
            None => {
                pieces.bad_escape = Some(self.diagnostics.len());
                self.report(problem);
            }
        }
    }

    /// Reads the sequence at `at`: `${…}` or `%{…}`.
    pub(super) fn sequence(&mut self, pieces: &mut Pieces, at: usize, ground: Ground) -> Resume {
        let tilde = self.lexer.byte(at + 2) == b'~';
        if tilde && let Some(Piece::Text { run, .. }) = pieces.list.last_mut() {
            let old = std::mem::replace(run, Run::Source(0, 0));
            *run = self.trimmed(old, str::trim_end);
        }
        let outer = (self.skip_newlines, self.open.len(), self.depth);
        let scratch = self.scratch.mark();
        self.skip_newlines = true;
        self.sequence_depth += 1;
        self.resume_at(at + 2 + usize::from(tilde));
        let before = pieces.list.len();
        let read =
            if self.lexer.byte(at) == b'$' { self.interpolation(pieces, at) } else { self.directive(pieces, at) };
        let read = read.and_then(|()| self.sequence_end(at, ground));
        self.sequence_depth -= 1;
        pieces.height = pieces.height.max(self.height);
        let resume = match read {
            Ok(()) => {
                pieces.trim_next = self.is(K::TildeBrace);
                let end = self.tok.end;
                self.prev_end = end;
                set_piece_end(pieces, before, end);
                Resume::Text(end as usize)
            }
            Err(Bail) => {
                self.scratch.truncate(scratch);
                pieces.broken = true;
                pieces.trim_next = false;
                if pieces.list.len() == before {
                    let span = self.since(at as u32);
                    pieces.list.push(Piece::Interpolation { expr: Expr::new(ExprKind::Invalid, span), span });
                }
                self.after_broken_sequence(outer.1, ground)
            }
        };
        self.skip_newlines = outer.0;
        self.open.truncate(outer.1);
        self.depth = outer.2;
        resume
    }

    fn interpolation(&mut self, pieces: &mut Pieces, at: usize) -> Parsed<()> {
        let expr = self.expr()?;
        pieces.list.push(Piece::Interpolation { expr, span: self.at(at as u32, at as u32) });
        Ok(())
    }

    fn directive(&mut self, pieces: &mut Pieces, at: usize) -> Parsed<()> {
        let span = self.at(at as u32, at as u32);
        let word = if self.is(K::Ident) { self.slice() } else { "" };
        let piece = match word {
            "if" => {
                self.advance();
                Piece::If { condition: self.expr()?, span }
            }
            "for" => {
                self.advance();
                let (key, value) = self.for_variables()?;
                Piece::For { key, value, collection: self.expr()?, span }
            }
            "else" => Piece::Else { span },
            "endif" => Piece::EndIf { span },
            "endfor" => Piece::EndFor { span },
            _ => return self.unknown_directive(word),
        };
        if matches!(piece, Piece::Else { .. } | Piece::EndIf { .. } | Piece::EndFor { .. }) {
            self.height = 1;
            self.advance();
        }
        pieces.list.push(piece);
        Ok(())
    }

    fn unknown_directive(&mut self, word: &str) -> Parsed<()> {
        let help = match word {
            "elif" | "elsif" | "elseif" => "there is none of this kind: write `%{ else }%{ if … }…%{ endif }`",
            "end" | "fi" => "`if` ends with `endif`, `for` with `endfor`",
            _ => "known are `if`, `else`, `endif`, `for` and `endfor`; write `%%{` for the characters `%{`",
        };
        let message = if word.is_empty() {
            format!("expected `if`, `for` or another directive after `%{{`, found {}", self.describe())
        } else {
            format!("`{}` is no directive", clip(word))
        };
        self.bail(Diagnostic::error("syntax.directive", message).label(self.span(), "").help(help))
    }

    /// A sequence should end here; the closing brace is left at hand.
    fn sequence_end(&mut self, at: usize, ground: Ground) -> Parsed<()> {
        if matches!(self.kind(), K::RightBrace | K::TildeBrace) {
            return Ok(());
        }
        let opener = self.lexer.slice(at, at + 2);
        let open = self.at(at as u32, at as u32 + 2);
        let escape = format!("write `{}{opener}` for the characters `{opener}`", &opener.get(..1).unwrap_or(""));
        let cut_off = self.is(K::Eof) || self.fresh || (self.is(K::Quote) && ground == Ground::Quoted);
        if cut_off {
            self.end_reported |= self.is(K::Eof);
            return self.bail(
                Diagnostic::error("syntax.unterminated", format!("this `{opener}` is never closed"))
                    .label(open, "opened here")
                    .help(format!("add the missing `}}`, or {escape}")),
            );
        }
        if self.is_word("if") && self.lexer.slice(at, self.prev_end as usize).ends_with("else") {
            return self.bail(
                Diagnostic::error("syntax.directive", "`else` takes no condition")
                    .label(self.span(), "")
                    .help("write `%{ else }%{ if … }…%{ endif }`"),
            );
        }
        let found = self.describe();
        self.bail(
            Diagnostic::error("syntax.unexpected", format!("expected `}}` after the expression, found {found}"))
                .label(self.span(), "")
                .label(open, "the sequence starts here")
                .help(escape),
        )
    }

    /// Finds where the text goes on behind a broken sequence: behind its `}` on this line, else where the string
    /// seems to end.
    fn after_broken_sequence(&mut self, open: usize, ground: Ground) -> Resume {
        let from = self.prev_end as usize;
        let mut braces = self.open.get(open..).unwrap_or(&[]).iter().filter(|open| open.kind == K::LeftBrace).count();
        let mut pos = from;
        let mut first_quote = None;
        while let Some(&byte) = self.text.as_bytes().get(pos) {
            match byte {
                b'\n' => break,
                b'"' => {
                    first_quote = first_quote.or(Some(pos));
                    pos = self.string_end(pos + 1);
                    continue;
                }
                b'{' => braces += 1,
                b'}' if braces == 0 => return Resume::Text(pos + 1),
                b'}' => braces -= 1,
                _ => {}
            }
            pos += 1;
        }
        match (ground, first_quote) {
            (Ground::Lines, _) => Resume::Text(pos),
            // Inside another string the whole line is lost; looking again from the next quote would not end.
            (Ground::Quoted, Some(quote)) if self.sequence_depth == 0 => Resume::GiveUp(quote + 1),
            (Ground::Quoted, _) => Resume::GiveUp(pos),
        }
    }

    /// The line ended before the string did. The string is taken to end with the line, or before the brackets at
    /// its end that fit those which are open.
    fn unterminated_string(&mut self, pieces: &mut Pieces, start: u32, stop: usize) -> Parsed<()> {
        self.report(
            Diagnostic::error("syntax.unterminated", "the string has no closing quote")
                .label(self.at(start, start + 1), "opened here")
                .help("add the missing `\"`; for text over several lines write `<<-EOT`"),
        );
        pieces.broken = true;
        if self.sequence_depth > 0 {
            self.resume_at(stop);
            return Err(Bail);
        }
        let end = self.end_before_brackets(start as usize + 1, stop);
        let closed = self.lexer.slice(end, stop).matches([')', ']', '}']).count();
        let here = self.open.iter().rev().take_while(|open| open.span.start as usize >= self.tok_line).count();
        if closed < here {
            // The string has swallowed brackets, nobody knows which.
            self.open.truncate(self.open.len() - here);
            self.resume_at(stop);
            return Err(Bail);
        }
        if end < stop
            && let Some(Piece::Text { run, .. }) = pieces.list.last_mut()
        {
            *run = Run::Source(start as usize + 1, end.max(start as usize + 1));
        }
        self.resume_at(end);
        Ok(())
    }

    fn end_before_brackets(&self, start: usize, stop: usize) -> usize {
        let line = self.lexer.slice(start, stop);
        let tail_len = line.len() - line.trim_end_matches([')', ']', '}', ',', ' ', '\t', '\r']).len();
        let tail = line.get(line.len() - tail_len..).unwrap_or("");
        for (idx, _) in tail.char_indices() {
            let rest = tail.get(idx..).unwrap_or("");
            let mut open = self.open.iter().rev();
            let fits = rest.chars().all(|char| match char {
                ')' => open.next().is_some_and(|open| open.kind == K::LeftParen),
                ']' => open.next().is_some_and(|open| open.kind == K::LeftBracket),
                '}' => open.next().is_some_and(|open| open.kind == K::LeftBrace),
                ',' => !self.open.is_empty(),
                _ => true,
            });
            if fits && rest.starts_with([')', ']', '}', ',']) {
                return stop - rest.len();
            }
        }
        stop
    }
}

fn set_piece_end(pieces: &mut Pieces, idx: usize, end: u32) {
    match pieces.list.get_mut(idx) {
        Some(
            Piece::Interpolation { span, .. }
            | Piece::If { span, .. }
            | Piece::Else { span }
            | Piece::EndIf { span }
            | Piece::For { span, .. }
            | Piece::EndFor { span },
        ) => span.end = end,
        Some(Piece::Text { .. }) | None => {}
    }
}

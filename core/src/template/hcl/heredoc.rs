use std::collections::HashMap;

use crate::{
    error::{Diagnostic, Span},
    template::syntax::{Expr, ExprKind, Heredoc, Template},
};

use super::{
    complain::clip,
    lexer::{heredoc_marker, ident_end, starts_ident},
    parser::{Bail, Parsed, Parser},
    template::{Ground, Piece, Pieces, Resume, Run},
};

/// Where the last line stands that consists of a given word.
pub(super) struct MarkerLines<'a>(HashMap<&'a str, usize>);

impl<'a> MarkerLines<'a> {
    fn new(text: &'a str) -> Self {
        let mut lines = HashMap::new();
        let mut pos = 0;
        for line in text.split_inclusive('\n') {
            let word = line.trim();
            if starts_ident(word, 0) && ident_end(word, 0) == word.len() {
                lines.insert(word, pos);
            }
            pos += line.len();
        }
        Self(lines)
    }

    fn any_from(&self, marker: &str, pos: usize) -> bool {
        self.0.get(marker).is_some_and(|&line| line >= pos)
    }
}

/// Heredocs and files of text.
impl<'a> Parser<'a> {
    /// Reads a heredoc; its opening is at hand.
    pub(super) fn heredoc(&mut self) -> Parsed<Expr> {
        let start = self.tok.start;
        let Some((marker, content)) = heredoc_marker(self.text, start as usize) else {
            return self.unexpected("a value");
        };
        self.heredoc_content(start, marker, content)
    }

    fn heredoc_content(&mut self, start: u32, marker: &'a str, content: usize) -> Parsed<Expr> {
        let indented = self.lexer.byte(start as usize + 2) == b'-';
        let open = self.at(start, (start as usize + 2 + usize::from(indented) + marker.len()) as u32);
        if self.marker_lines.as_ref().is_some_and(|lines| !lines.any_from(marker, content)) {
            return self.unterminated_heredoc(open, marker, content);
        }
        let before = self.diagnostics.len();
        let mut pieces = Pieces::default();
        let mut pos = content;
        let mut line_starts = true;
        loop {
            if line_starts && self.closes(marker, pos) {
                break;
            }
            if pos >= self.text.len() {
                if self.end_reported {
                    return Err(Bail);
                }
                self.diagnostics.truncate(before);
                let text = self.text;
                self.marker_lines.get_or_insert_with(|| MarkerLines::new(text));
                return self.unterminated_heredoc(open, marker, content);
            }
            (pos, line_starts) = self.line(&mut pieces, pos);
        }
        let line = self.lexer.slice(pos, self.lexer.line_end(pos));
        if pos + line.len() == self.text.len() {
            let span = self.at(pos as u32, (pos + line.len()) as u32);
            self.report(
                Diagnostic::error("syntax.unterminated", "the heredoc's closing word needs a line break behind it")
                    .label(span, "the text ends here")
                    .help("end the last line with a line break"),
            );
        }
        self.resume_at(pos + line.trim_end().len());
        if indented {
            self.dedent(&mut pieces);
        }
        let parts = self.pair(pieces)?;
        let heredoc = Some(Heredoc { marker: self.names.share(marker), indented });
        Ok(Expr::new(ExprKind::Template(Template { parts, heredoc }), self.since(start)))
    }

    /// Reads a whole text as a template.
    pub(super) fn bare_template(&mut self) -> Parsed<Expr> {
        let mut pieces = Pieces::default();
        let mut pos = 0;
        while pos < self.text.len() {
            (pos, _) = self.line(&mut pieces, pos);
        }
        self.resume_at(pos);
        let parts = self.pair(pieces)?;
        Ok(Expr::new(ExprKind::Template(Template { parts, heredoc: None }), self.at(0, pos as u32)))
    }

    /// Reads one text and the sequence behind it, if one follows; returns where it got to and whether a line
    /// starts there.
    fn line(&mut self, pieces: &mut Pieces, pos: usize) -> (usize, bool) {
        let stop = self.text(pieces, pos, Ground::Lines);
        if stop > pos && self.lexer.byte(stop - 1) == b'\n' {
            return (stop, true);
        }
        if stop >= self.text.len() {
            return (stop, false);
        }
        match self.sequence(pieces, stop, Ground::Lines) {
            Resume::Text(at) | Resume::GiveUp(at) => (at, false),
        }
    }

    fn closes(&self, marker: &str, pos: usize) -> bool {
        let end = self.lexer.line_end(pos);
        // Most lines are told apart by their first letter, without a look at the rest.
        let first = self.text.as_bytes().get(pos..end).and_then(|line| line.iter().find(|byte| **byte > b' '));
        if first.is_some_and(|&byte| byte < 0x80 && Some(&byte) != marker.as_bytes().first()) {
            return false;
        }
        self.lexer.slice(pos, end).trim() == marker
    }

    /// Returns the offset behind the closing word of the heredoc at hand, for stepping over it.
    pub(super) fn heredoc_end(&mut self) -> Option<usize> {
        let (marker, content) = heredoc_marker(self.text, self.tok.start as usize)?;
        let text = self.text;
        let lines = self.marker_lines.get_or_insert_with(|| MarkerLines::new(text));
        if !lines.any_from(marker, content) {
            return None;
        }
        let mut pos = content;
        while pos < self.text.len() {
            let end = self.lexer.line_end(pos);
            if self.closes(marker, pos) {
                return Some(pos + self.lexer.slice(pos, end).trim_end().len());
            }
            pos = end + 1;
        }
        None
    }

    /// Removes the indentation that all lines share. Only text counts: a line that starts with a sequence has
    /// none. Lines of white space neither count nor change.
    fn dedent(&mut self, pieces: &mut Pieces) {
        let mut fewest = usize::MAX;
        let mut starts: Vec<usize> = Vec::new();
        let mut line_starts = true;
        for (idx, piece) in pieces.list.iter().enumerate() {
            let text = match piece {
                Piece::Text { run, .. } => Some(self.run_str(run)),
                _ => None,
            };
            if std::mem::take(&mut line_starts) {
                match text {
                    Some(text) => {
                        let spaces = text.chars().take_while(|char| char.is_whitespace()).count();
                        if !(text.ends_with('\n') && text.trim_start().is_empty()) {
                            fewest = fewest.min(spaces);
                            starts.push(idx);
                        }
                    }
                    None => fewest = 0,
                }
            }
            line_starts = text.is_some_and(|text| text.ends_with('\n'));
        }
        for idx in starts {
            let Some(Piece::Text { run, .. }) = pieces.list.get(idx) else { continue };
            let text = self.run_str(run);
            let cut = text.char_indices().nth(fewest).map_or(text.len(), |(at, _)| at);
            let shorter = match run {
                Run::Source(start, end) => Run::Source(start + cut, *end),
                Run::Owned(text) => Run::Owned(text.get(cut..).unwrap_or("").to_owned()),
            };
            if let Some(Piece::Text { run, .. }) = pieces.list.get_mut(idx) {
                *run = shorter;
            }
        }
    }

    /// Reports a heredoc without an end and goes on where its text seems to end: behind a line that starts with
    /// the marker, or before a line that can only belong to what is around.
    fn unterminated_heredoc(&mut self, open: Span, marker: &str, content: usize) -> Parsed<Expr> {
        let invalid = |parser: &Self| Expr::new(ExprKind::Invalid, parser.since(open.start));
        let indent = self.line_indent as usize;
        let mut pos = content;
        while pos < self.text.len() {
            let end = self.lexer.line_end(pos);
            let line = self.lexer.slice(pos, end);
            let trimmed = line.trim();
            let column = line.len() - line.trim_start().len();
            let behind = trimmed.strip_prefix(marker).unwrap_or("");
            if !behind.is_empty() && behind.chars().all(|char| matches!(char, ')' | ']' | '}' | ',' | ';' | ' ')) {
                let at = pos + column + marker.len();
                let span = self.at((at - marker.len()) as u32, (at + behind.len()) as u32);
                self.report(
                    Diagnostic::error(
                        "syntax.unterminated",
                        format!("the closing `{}` stands alone on its line", clip(marker)),
                    )
                    .label(span, "something follows it here")
                    .label(open, "the heredoc starts here")
                    .help("move what follows it to the next line"),
                );
                self.resume_at(at);
                return Ok(invalid(self));
            }
            let head = starts_ident(trimmed, 0) && trimmed.ends_with('{') && column <= indent;
            if head || (trimmed == "}" && column < indent) {
                break;
            }
            pos = end + 1;
        }
        self.report(
            Diagnostic::error("syntax.unterminated", format!("the heredoc is never closed by `{}`", clip(marker)))
                .label(open, "opened here")
                .help(format!("write `{}` alone on a line behind the text", clip(marker))),
        );
        if pos >= self.text.len() {
            self.end_reported = true;
        }
        // The line break before that line ends the attribute; a last line may have none.
        let end = if pos > self.text.len() { self.text.len() } else { pos.max(content).saturating_sub(1) };
        self.resume_at(end);
        if self.open.is_empty() && self.sequence_depth == 0 { Ok(invalid(self)) } else { Err(Bail) }
    }

    /// `<` or `<<` and something that is not quite the opening of a heredoc, if its end is there.
    pub(super) fn sloppy_heredoc(&mut self) -> Option<Parsed<Expr>> {
        let start = self.tok.start;
        let line = self.lexer.slice(start as usize, self.lexer.line_end(start as usize));
        let opening = line.trim_start_matches(['<', '-', ' ', '"', '\'']);
        let from = start as usize + line.len() - opening.len();
        let content = start as usize + line.len() + 1;
        if !starts_ident(self.text, from) {
            return None;
        }
        let to = ident_end(self.text, from);
        let text = self.text;
        let marker = self.lexer.slice(from, to);
        let lines = self.marker_lines.get_or_insert_with(|| MarkerLines::new(text));
        if !lines.any_from(marker, content) {
            return None;
        }
        let span = self.at(start, (start as usize + line.trim_end().len()) as u32);
        self.report(
            Diagnostic::error("syntax.unexpected", "the opening of a heredoc is `<<` and a word, nothing else")
                .label(span, "this is not quite it")
                .help("write `<<-EOT` at the end of the line, without quotes or anything else behind it"),
        );
        Some(self.heredoc_content(start, marker, content))
    }
}

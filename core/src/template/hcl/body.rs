use std::{collections::HashMap, sync::Arc};

use crate::{
    error::{Diagnostic, Span},
    template::syntax::{Attribute, Block, Body, Expr, ExprKind, Ident, Label},
};

use super::{
    complain::clip,
    lexer::TokenKind as K,
    parser::{Bail, Layout, Parsed, Parser, next_line},
    recover::{List, Mark},
};

/// What ends a body.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The end of the text.
    File,
    /// A closing brace.
    Brace { open: Span, indent: u32 },
}

impl End {
    /// Returns where the brace stands that opened the body.
    fn list(self) -> Option<u32> {
        match self {
            Self::File => None,
            Self::Brace { open, .. } => Some(open.start),
        }
    }
}

/// Bodies with more attributes than this look for duplicates with a table.
const FEW: usize = 16;

impl Parser<'_> {
    /// Reads a whole file.
    pub(super) fn file(&mut self) -> Body {
        self.advance();
        let mut body = Body::default();
        self.items(&mut body, End::File);
        body.span = self.at(0, self.text.len() as u32);
        self.check_duplicates(&mut body);
        body
    }

    /// Reads items until the end, which is not consumed.
    fn items(&mut self, body: &mut Body, end: End) {
        loop {
            self.skip_blank_lines();
            if let End::Brace { open, indent } = end
                && self.layout == Layout::Trusted
                && self.fresh
                && self.left_of(indent)
            {
                self.unclosed("the block", open, "}");
                return;
            }
            match (self.kind(), end) {
                (K::Eof, End::Brace { open, .. }) => {
                    self.unclosed("the block", open, "}");
                    return;
                }
                (K::Eof, End::File) | (K::RightBrace, End::Brace { .. }) => return,
                (K::RightBrace, End::File) => {
                    let span = self.span();
                    self.report(
                        Diagnostic::error("syntax.unexpected", "this `}` closes nothing")
                            .label(span, "no block is open here")
                            .help("remove it, or look for a `}` too many above"),
                    );
                    self.advance();
                }
                _ => self.item(body, end.list()),
            }
        }
    }

    /// Returns whether the token at hand stands where it cannot belong to a block whose line starts at `indent`.
    fn left_of(&self, indent: u32) -> bool {
        match self.kind() {
            K::RightBrace => self.line_indent < indent,
            K::Ident => self.line_indent <= indent && self.at_item_start(),
            _ => false,
        }
    }

    fn item(&mut self, body: &mut Body, list: Option<u32>) {
        let mark = self.mark(list);
        let done = match self.kind() {
            K::Ident => self.named_item(body, mark),
            K::Quote => self.quoted_item(body, mark),
            _ => self.unexpected("the name of an attribute or block"),
        };
        if done.is_err() {
            self.skip_item(mark, List::Body);
        }
    }

    fn named_item(&mut self, body: &mut Body, mark: Mark) -> Parsed<()> {
        let name = self.ident();
        match self.kind() {
            K::Equal => self.attribute(body, name, mark),
            _ if self.value_follows() => self.attribute_without_sign(body, name, mark),
            K::Newline if self.body_follows() => self.block(body, name, mark),
            K::Quote | K::LeftBrace | K::Ident => self.block(body, name, mark),
            K::Colon | K::EqualEqual | K::FatArrow => self.attribute_with_wrong_sign(body, name, mark),
            K::Newline | K::Eof | K::RightBrace => self.bail(
                Diagnostic::error("syntax.unexpected", format!("`{}` stands alone", clip(&name.name)))
                    .label(name.span, "an attribute or a block should start here")
                    .help(format!("write `{0} = value` or `{0} {{`", clip(&name.name))),
            ),
            K::Dot | K::LeftBracket => self.bail(
                Diagnostic::error("syntax.unexpected", "an attribute is set by its plain name")
                    .label(self.span(), "a name cannot go on with this")
                    .help("write the name alone; to set a part of an object, write the whole object: `a = { b = 1 }`"),
            ),
            _ => self.unexpected("`=` or `{`"),
        }
    }

    /// `"name" = value`, as JSON would have it.
    fn quoted_item(&mut self, body: &mut Body, mark: Mark) -> Parsed<()> {
        let start = self.tok.start;
        let label = self.quoted_label()?;
        let span = self.since(start);
        self.report(
            Diagnostic::error("syntax.unexpected", "the name of an attribute or block has no quotes")
                .label(span, "remove the quotes"),
        );
        let name = Ident { name: label, span };
        match self.kind() {
            K::Equal => self.attribute(body, name, mark),
            K::Colon => {
                self.advance();
                self.attribute_value(body, name, mark)
            }
            _ => Err(Bail),
        }
    }

    /// Returns whether what follows the name at hand is plainly a value: a string that ends the line, a call, a
    /// number, a `{for`.
    fn value_follows(&self) -> bool {
        let mut ahead = self.lexer.clone();
        match self.kind() {
            K::Number => true,
            K::Quote => {
                ahead.pos = self.string_end(self.tok.end as usize);
                if self.lexer.byte(ahead.pos.saturating_sub(1)) != b'"' {
                    return false;
                }
                match ahead.next().kind {
                    K::Newline => next_line(ahead).1 <= self.line_indent,
                    kind => matches!(kind, K::Eof | K::Plus | K::Question | K::EqualEqual),
                }
            }
            K::Ident => {
                let behind = self.lexer.byte(self.tok.end as usize);
                matches!(behind, b'(' | b'[') || (behind == b'.' && ahead_is_value(&mut ahead))
            }
            K::LeftBrace => {
                let word = ahead.next();
                self.lexer.slice(word.start as usize, word.end as usize) == "for" && ahead.next().kind == K::Ident
            }
            _ => false,
        }
    }

    fn attribute_without_sign(&mut self, body: &mut Body, name: Ident, mark: Mark) -> Parsed<()> {
        self.report(
            Diagnostic::error("syntax.unexpected", format!("`=` is missing after `{}`", clip(&name.name)))
                .label(self.at(name.span.end, name.span.end), "`=` belongs here")
                .help("an attribute is written `name = value`"),
        );
        self.attribute_value(body, name, mark)
    }

    fn attribute_with_wrong_sign(&mut self, body: &mut Body, name: Ident, mark: Mark) -> Parsed<()> {
        let mut span = self.span();
        let colon = self.is(K::Colon);
        self.advance();
        if colon && matches!(self.kind(), K::Equal) && self.prev_end == self.tok.start {
            span = span.to(self.span());
            self.advance();
        }
        let written = self.lexer.slice(span.start as usize, span.end as usize);
        self.report(
            Diagnostic::error("syntax.unexpected", format!("an attribute is set with `=`, not with `{written}`"))
                .label(span, "write `=`"),
        );
        self.attribute_value(body, name, mark)
    }

    fn attribute(&mut self, body: &mut Body, name: Ident, mark: Mark) -> Parsed<()> {
        self.advance();
        self.attribute_value(body, name, mark)
    }

    /// Reads the value and the end of the line.
    fn attribute_value(&mut self, body: &mut Body, name: Ident, mark: Mark) -> Parsed<()> {
        self.attribute_expr(body, name, mark);
        match self.kind() {
            K::Newline => {
                self.advance();
                Ok(())
            }
            K::Eof => Ok(()),
            K::RightBrace if self.depth > 0 => {
                self.brace_behind_item();
                Ok(())
            }
            // A broken value was stepped over together with its line break.
            _ if self.fresh => Ok(()),
            _ => self.attribute_end(body, mark),
        }
    }

    /// Reads the value; a broken one becomes [`ExprKind::Invalid`] and is stepped over.
    fn attribute_expr(&mut self, body: &mut Body, name: Ident, mark: Mark) {
        let start = self.tok.start;
        let expr = match self.expr() {
            Ok(expr) => expr,
            Err(_) => {
                self.skip_item(mark, List::Body);
                Expr::new(ExprKind::Invalid, self.since(start))
            }
        };
        let span = name.span.to(expr.span);
        body.attributes.push(Attribute { name, expr: Arc::new(expr), span });
    }

    /// An attribute is followed by something other than a line break.
    fn attribute_end(&mut self, body: &mut Body, mark: Mark) -> Parsed<()> {
        let span = self.span();
        let diagnostic = match self.kind() {
            K::Comma => {
                Diagnostic::error("syntax.unexpected", "attributes are separated by line breaks, not by commas")
                    .label(span, "remove the comma")
                    .help("write one attribute per line")
            }
            K::Other if self.slice() == ";" => Diagnostic::error("syntax.unexpected", "a line does not end with `;`")
                .label(span, "remove it")
                .help("write one attribute per line"),
            K::Ident if self.next_is(K::Equal) => {
                Diagnostic::error("syntax.unexpected", "two attributes stand on one line")
                    .label(span, "a line break is missing before this")
                    .help("write one attribute per line")
            }
            _ => return self.unexpected_after_value("the end of the line"),
        };
        self.report(diagnostic);
        // One such line is one mistake, however many attributes are on it.
        while !matches!(self.kind(), K::Newline | K::Eof | K::RightBrace) {
            if self.is(K::Comma) || self.is(K::Other) {
                self.advance();
                continue;
            }
            if !self.is(K::Ident) || !self.next_is(K::Equal) {
                return Err(Bail);
            }
            let name = self.ident();
            self.advance();
            self.attribute_expr(body, name, mark);
        }
        Ok(())
    }

    fn block(&mut self, body: &mut Body, kind: Ident, mark: Mark) -> Parsed<()> {
        let mut labels = Vec::new();
        loop {
            let start = self.tok.start;
            match self.kind() {
                K::Quote => {
                    let text = self.quoted_label()?;
                    labels.push(Label { text, quoted: true, span: self.since(start) });
                }
                K::Ident => {
                    let name = self.ident();
                    labels.push(Label { text: name.name, quoted: false, span: name.span });
                }
                K::LeftBrace => break,
                _ => {
                    self.block_without_brace(kind.span)?;
                    break;
                }
            }
        }
        let indent = mark.column;
        let block = self.block_body(kind, labels, indent)?;
        body.blocks.push(block);
        self.block_end()
    }

    /// What stands where `{` should; consumes what can be taken for a slip, so that `{` is at hand.
    fn block_without_brace(&mut self, kind: Span) -> Parsed<()> {
        let span = self.span();
        match self.kind() {
            K::Equal | K::Colon if self.next_is(K::LeftBrace) => {
                let sign = self.slice();
                self.report(
                    Diagnostic::error("syntax.unexpected", format!("a block has no `{sign}` before its `{{`"))
                        .label(span, "remove it")
                        .help("a block is written `kind \"label\" { … }`; only attributes have `=`"),
                );
                self.advance();
                Ok(())
            }
            K::Newline if self.brace_on_next_line() => {
                self.skip_blank_lines();
                let span = self.span();
                self.report(
                    Diagnostic::error("syntax.unexpected", "the `{` of a block stands on the line of its name")
                        .label(span, "move it to the end of the line above")
                        .label(kind, "the block starts here"),
                );
                Ok(())
            }
            K::Newline if self.body_follows() => {
                let end = self.at(self.prev_end, self.prev_end);
                self.report(
                    Diagnostic::error("syntax.unexpected", "the block has no `{`")
                        .label(end, "`{` is missing here")
                        .help("write `{` at the end of the line; an attribute needs `=`"),
                );
                Ok(())
            }
            K::Newline | K::Eof => self.bail(
                Diagnostic::error("syntax.unexpected", "the block has no body")
                    .label(self.since(kind.start), "`{` is missing after this")
                    .help("write `{` at the end of the line and `}` on a line of its own; an attribute needs `=`"),
            ),
            _ => {
                if self.foreign_quotes().is_none() {
                    let _ = self.unexpected::<()>("a label or `{`");
                }
                self.seek_brace()
            }
        }
    }

    /// Steps to the `{` on this line, so that the content of a block with a broken head is read nevertheless.
    fn seek_brace(&mut self) -> Parsed<()> {
        loop {
            match self.kind() {
                K::LeftBrace => return Ok(()),
                K::Newline | K::Eof | K::RightBrace | K::Equal => return Err(Bail),
                K::Quote => {
                    let end = self.string_end(self.tok.end as usize);
                    self.resume_at(end);
                }
                _ => self.advance(),
            }
        }
    }

    fn brace_on_next_line(&self) -> bool {
        next_line(self.lexer.clone()).0 == K::LeftBrace
    }

    /// Reads from `{` to `}`.
    fn block_body(&mut self, kind: Ident, mut labels: Vec<Label>, indent: u32) -> Parsed<Block> {
        self.enter()?;
        let open = if self.is(K::LeftBrace) {
            let open = self.span();
            self.advance();
            open
        } else {
            self.at(self.prev_end, self.prev_end)
        };
        let mut body = Body::default();
        if !matches!(self.kind(), K::Newline | K::Eof | K::RightBrace) {
            self.one_line_body(&mut body, open);
        }
        // A one-line block that lacks its `}`, and nothing below it belongs to it: that was said.
        let ended = self.tok_line <= open.start as usize
            && self.is(K::Newline)
            && !body.is_empty()
            && !self.body_follows()
            && next_line(self.lexer.clone()) != (K::RightBrace, self.line_indent);
        if !ended {
            self.items(&mut body, End::Brace { open, indent });
        }
        self.leave();
        self.check_duplicates(&mut body);
        let close = if self.is(K::RightBrace) && !self.closes_outer(indent) {
            let span = self.span();
            self.advance();
            span
        } else {
            self.at(self.prev_end, self.prev_end)
        };
        body.span = self.at(open.end, close.start.max(open.end));
        let span = kind.span.to(close);
        // What lists have left over is memory that the next ones can have.
        labels.shrink_to_fit();
        body.attributes.shrink_to_fit();
        body.blocks.shrink_to_fit();
        Ok(Block { kind, labels, body, span, open, close })
    }

    fn closes_outer(&self, indent: u32) -> bool {
        self.layout == Layout::Trusted && self.fresh && self.line_indent < indent
    }

    /// What follows `{` on its line: one attribute and `}`.
    ///
    /// Whatever else it is, it is reported once; the body is then read on as if it had been written well.
    fn one_line_body(&mut self, body: &mut Body, open: Span) {
        let mark = self.mark(Some(open.start));
        let span = self.span();
        let blames = |text: &'static str| {
            Diagnostic::error("syntax.one_line_block", text)
                .help("put the content on lines of its own, between `{` and `}`")
        };
        if !self.is(K::Ident) {
            return self.item(body, Some(open.start));
        }
        let name = self.ident();
        match self.kind() {
            K::Equal => {
                self.advance();
                let before = self.diagnostics.len();
                self.attribute_expr(body, name, mark);
                match self.kind() {
                    K::RightBrace | K::Eof => {}
                    _ if self.diagnostics.len() > before => {}
                    K::Newline => {
                        let span = self.at(self.prev_end, self.prev_end + 1);
                        self.report(
                            blames("a block that starts with an attribute on its first line ends on that line")
                                .label(span, "`}` is missing here"),
                        );
                    }
                    K::Comma | K::Ident => {
                        let span = self.span();
                        self.report(blames("a one-line block holds one attribute").label(span, "this is one too many"));
                        self.rest_of_one_line(body, mark);
                    }
                    _ => {
                        let _ = self.unexpected_after_value::<()>("`}`");
                        self.skip_item(mark, List::Body);
                    }
                }
            }
            K::Quote | K::LeftBrace | K::Ident => {
                self.report_line(blames("a one-line block holds no other block").label(span, "this starts a block"));
                if self.block(body, name, mark).is_err() {
                    self.skip_item(mark, List::Body);
                }
            }
            _ => {
                if self.unexpected::<()>("`=`").is_err() {
                    self.skip_item(mark, List::Body);
                }
            }
        }
    }

    fn rest_of_one_line(&mut self, body: &mut Body, mark: Mark) {
        loop {
            match self.kind() {
                K::Comma => self.advance(),
                K::Ident if self.next_is(K::Equal) => {
                    let name = self.ident();
                    self.advance();
                    self.attribute_expr(body, name, mark);
                }
                K::Ident => return self.skip_item(mark, List::Body),
                _ => return,
            }
        }
    }

    /// A block over several lines ends on a line of its own.
    fn brace_behind_item(&mut self) {
        let span = self.span();
        self.report_line(
            Diagnostic::error("syntax.unexpected", "the `}` of a block stands on a line of its own")
                .label(span, "a line break is missing before this"),
        );
    }

    /// After `}` the line ends.
    fn block_end(&mut self) -> Parsed<()> {
        let span = self.span();
        match self.kind() {
            K::Newline => {
                self.advance();
                Ok(())
            }
            K::Eof => Ok(()),
            K::RightBrace => {
                self.brace_behind_item();
                Ok(())
            }
            _ if self.layout == Layout::Trusted && self.fresh => Ok(()),
            K::Comma => {
                self.report(
                    Diagnostic::error("syntax.unexpected", "no comma follows a block").label(span, "remove the comma"),
                );
                self.advance();
                Ok(())
            }
            K::Other if self.slice() == ";" => {
                self.report(Diagnostic::error("syntax.unexpected", "no `;` follows a block").label(span, "remove it"));
                self.advance();
                Ok(())
            }
            K::Ident => {
                self.report(
                    Diagnostic::error("syntax.unexpected", "a block ends its line")
                        .label(span, "a line break is missing before this")
                        .help("put what follows the `}` on a line of its own"),
                );
                Ok(())
            }
            _ => self.unexpected("the end of the line"),
        }
    }

    /// Reports names that are set twice and keeps the first of each.
    fn check_duplicates(&mut self, body: &mut Body) {
        let attributes = &mut body.attributes;
        let mut repeated: Vec<(Ident, Span)> = Vec::new();
        if attributes.len() <= FEW {
            let mut idx = 1;
            while idx < attributes.len() {
                let (before, rest) = attributes.split_at(idx);
                let first = rest.first().and_then(|this| before.iter().find(|other| other.name.name == this.name.name));
                match first.map(|first| first.name.span) {
                    Some(first) => repeated.push((attributes.remove(idx).name, first)),
                    None => idx += 1,
                }
            }
        } else {
            let mut seen: HashMap<Arc<str>, Span> = HashMap::with_capacity(attributes.len());
            attributes.retain(|attribute| match seen.get(&attribute.name.name) {
                Some(first) => {
                    repeated.push((attribute.name.clone(), *first));
                    false
                }
                None => {
                    seen.insert(Arc::clone(&attribute.name.name), attribute.name.span);
                    true
                }
            });
        }
        for (name, first) in repeated {
            self.report(
                Diagnostic::error("syntax.duplicate_attribute", format!("`{}` is set twice", clip(&name.name)))
                    .label(name.span, "set again here")
                    .label(first, "first set here")
                    .help("keep one of them"),
            );
        }
    }

    /// Consumes the identifier at hand.
    pub(super) fn ident(&mut self) -> Ident {
        let span = self.span();
        let name = self.names.share(self.slice());
        self.advance();
        Ident { name, span }
    }

    /// Returns whether the token behind the one at hand is `kind`.
    pub(super) fn next_is(&self, kind: K) -> bool {
        self.lexer.clone().next().kind == kind
    }
}

/// Returns whether a dotted name ends its line, as a value does; labels are followed by a brace.
fn ahead_is_value(ahead: &mut super::lexer::Lexer<'_>) -> bool {
    loop {
        match ahead.next().kind {
            K::Dot | K::Ident => {}
            K::Newline | K::Eof => return true,
            _ => return false,
        }
    }
}

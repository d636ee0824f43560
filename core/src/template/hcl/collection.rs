use crate::{
    error::{Diagnostic, Span},
    template::syntax::{Expr, ExprKind, ForObject, ForTuple, Ident, Literal, ObjectItem, ObjectKey},
};

use super::{
    lexer::TokenKind as K,
    parser::{Bail, Layout, Open, Parsed, Parser},
    recover::List,
};

/// The words between `for` and `:`.
struct ForHead {
    key: Option<Ident>,
    value: Ident,
    collection: Expr,
}

/// Tuples, objects and both kinds of `for`.
impl Parser<'_> {
    pub(super) fn tuple(&mut self) -> Parsed<Expr> {
        let opened = self.span();
        let outer = self.open(true);
        if self.is_word("for") {
            return self.for_tuple(opened, outer);
        }
        let base = self.scratch.exprs.len();
        let mut height = 0;
        while !self.is(K::RightBracket) {
            let item = self.expr()?;
            self.scratch.exprs.push(item);
            height = height.max(self.height);
            match self.kind() {
                K::Comma => self.advance(),
                K::RightBracket => {}
                _ if self.closes_around() => {
                    self.close_missing("the list", opened, "]", outer);
                    break;
                }
                _ => return self.expected_closer("`,` or `]`", opened, "the list"),
            }
        }
        if self.open.last().is_some_and(|open| open.span == opened) {
            self.close(outer);
        }
        self.set_height(height + 1)?;
        Ok(Expr::new(ExprKind::Tuple(self.scratch.exprs.split_off(base)), self.since(opened.start)))
    }

    pub(super) fn object(&mut self) -> Parsed<Expr> {
        let opened = self.span();
        let outer = self.open(false);
        self.object_content(opened, outer)
    }

    /// The line ends where a value should stand, and items follow: a `{` was forgotten.
    pub(super) fn object_without_brace(&mut self) -> Parsed<Expr> {
        let end = self.at(self.prev_end, self.prev_end);
        self.report(
            Diagnostic::error("syntax.unexpected", "expected a value, found the end of the line")
                .label(end, "`{` is missing here")
                .help("an object starts with `{` on the line of its name"),
        );
        self.open.push(Open { kind: K::LeftBrace, span: end });
        let outer = std::mem::replace(&mut self.skip_newlines, false);
        self.object_content(end, outer)
    }

    fn object_content(&mut self, opened: Span, outer: bool) -> Parsed<Expr> {
        let indent = self.line_indent;
        self.skip_blank_lines();
        if self.is_word("for") {
            return self.for_object(opened, outer);
        }
        let base = self.scratch.items.len();
        let mut height = 0;
        loop {
            self.skip_blank_lines();
            if self.is(K::RightBrace) && !(self.left_behind() && self.line_indent < indent) {
                break;
            }
            if self.closes_around() && !self.is(K::RightBrace) {
                self.close_missing("the object", opened, "}", outer);
                return Ok(Expr::new(ExprKind::Object(self.scratch.items.split_off(base)), self.since(opened.start)));
            }
            let left = self.left_behind() && self.line_indent <= indent && self.at_item_start();
            if self.is(K::Eof) || self.is(K::RightBrace) || left {
                self.unclosed("the object", opened, "}");
                // Nothing is wrong with what comes next: the object is taken as it is.
                self.open.pop();
                self.skip_newlines = outer;
                self.set_height(height + 1)?;
                let span = self.since(opened.start);
                if outer && !self.is(K::Eof) {
                    return Err(Bail);
                }
                // Give the line break back that ends the item which holds the object.
                self.resume_at(span.end as usize);
                return Ok(Expr::new(ExprKind::Object(self.scratch.items.split_off(base)), span));
            }
            self.object_item(opened);
            height = height.max(self.height);
        }
        self.close(outer);
        self.set_height(height + 1)?;
        Ok(Expr::new(ExprKind::Object(self.scratch.items.split_off(base)), self.since(opened.start)))
    }

    /// Returns whether indentation is trusted here and the token at hand is the first of its line.
    fn left_behind(&self) -> bool {
        self.layout == Layout::Trusted && self.fresh
    }

    /// Reads `key = value` and the comma or line break behind it.
    fn object_item(&mut self, opened: Span) {
        let mark = self.mark(Some(opened.start));
        let start = self.tok.start;
        let (key, value) = match self.object_key(opened) {
            Ok(key) => {
                let start = self.tok.start;
                match self.expr() {
                    Ok(value) => (key, value),
                    Err(_) => {
                        self.skip_item(mark, List::Object);
                        (key, Expr::new(ExprKind::Invalid, self.since(start)))
                    }
                }
            }
            Err(_) => {
                self.skip_item(mark, List::Object);
                let span = self.since(start);
                let key = ObjectKey::Expr(Expr::new(ExprKind::Invalid, span));
                (key, Expr::new(ExprKind::Invalid, span))
            }
        };
        self.scratch.items.push(ObjectItem { key, value });
        match self.kind() {
            K::Comma | K::Newline => self.advance(),
            K::RightBrace | K::Eof => {}
            K::RightParen | K::RightBracket if self.closes_around() => {}
            _ => {
                let _ = self.object_item_end(opened);
                self.skip_item(mark, List::Object);
                if self.is(K::Comma) {
                    self.advance();
                }
            }
        }
    }

    fn object_item_end(&mut self, opened: Span) -> Parsed<()> {
        if self.is(K::Other) && self.slice() == ";" {
            let span = self.span();
            return self.bail(
                Diagnostic::error("syntax.unexpected", "the items of an object are not separated by `;`")
                    .label(span, "write a comma or a line break"),
            );
        }
        self.expected_closer("`,`, a line break or `}`", opened, "the object")
    }

    /// Reads a key and its `=` or `:`.
    fn object_key(&mut self, opened: Span) -> Parsed<ObjectKey> {
        let key = if self.is(K::Ident) && self.is_assigned() {
            self.height = 1;
            ObjectKey::Ident(self.ident())
        } else {
            self.object_key_expr()?
        };
        match self.kind() {
            K::Equal | K::Colon => {
                self.advance();
                Ok(key)
            }
            K::FatArrow => {
                let span = self.span();
                self.report(
                    Diagnostic::error("syntax.unexpected", "an item of an object is written with `=`, not with `=>`")
                        .label(span, "write `=`")
                        .help("`=>` belongs to `{for … : key => value}`"),
                );
                self.advance();
                Ok(key)
            }
            K::Newline | K::Comma | K::RightBrace => self.bail(
                Diagnostic::error("syntax.unexpected", "this item of the object has no value")
                    .label(key.span(), "`=` and a value are missing after this")
                    .help("a list is written in brackets: `[a, b]`"),
            ),
            _ => self.expected_closer("`=` and a value", opened, "the object"),
        }
    }

    fn object_key_expr(&mut self) -> Parsed<ObjectKey> {
        let expr = self.expr()?;
        match &expr.kind {
            ExprKind::Traversal(traversal) if traversal.steps.is_empty() => {
                Ok(ObjectKey::Ident(traversal.root.clone()))
            }
            ExprKind::Literal(literal @ (Literal::Null | Literal::Bool(_))) => {
                let name = self.names.share(&literal.to_string());
                Ok(ObjectKey::Ident(Ident { name, span: expr.span }))
            }
            _ => Ok(ObjectKey::Expr(expr)),
        }
    }

    fn for_head(&mut self, opened: Span) -> Parsed<ForHead> {
        if self.is_assigned() {
            let span = self.span();
            return self.bail(
                Diagnostic::error("syntax.unexpected", "`for` starts an expression here, it is no key")
                    .label(span, "read as `{for x in …}`")
                    .help("write the key in quotes: `\"for\"`"),
            );
        }
        self.advance();
        let (key, value) = self.for_variables()?;
        let collection = self.expr()?;
        if !self.is(K::Colon) {
            return self.expected_closer("`:` after the collection", opened, "the `for` expression");
        }
        self.advance();
        Ok(ForHead { key, value, collection })
    }

    /// Reads `value in` or `key, value in`.
    pub(super) fn for_variables(&mut self) -> Parsed<(Option<Ident>, Ident)> {
        if !self.is(K::Ident) {
            return self.unexpected("the name of a variable after `for`");
        }
        let mut value = self.ident();
        let mut key = None;
        if self.is(K::Comma) {
            self.advance();
            if !self.is(K::Ident) {
                return self.unexpected("the name of a second variable after the comma");
            }
            key = Some(std::mem::replace(&mut value, self.ident()));
        }
        if !self.is_word("in") {
            return self.unexpected("`in` after the variables of `for`");
        }
        self.advance();
        Ok((key, value))
    }

    fn for_tuple(&mut self, opened: Span, outer: bool) -> Parsed<Expr> {
        let head = self.for_head(opened)?;
        let mut height = self.height;
        let body = self.expr()?;
        height = height.max(self.height);
        if self.is(K::FatArrow) || self.is(K::Ellipsis) {
            let span = self.span();
            return self.bail(
                Diagnostic::error("syntax.for", format!("`{}` belongs to a `for` that makes an object", self.slice()))
                    .label(span, "this `for` makes a list")
                    .help("write `{for … : key => value}` with braces"),
            );
        }
        let condition = self.for_condition(&mut height)?;
        if !self.is(K::RightBracket) {
            return self.expected_closer("`if` or `]`", opened, "the `for` expression");
        }
        self.close(outer);
        self.set_height(height + 1)?;
        let ForHead { key, value, collection } = head;
        let kind = ExprKind::ForTuple(Box::new(ForTuple { key, value, collection, body, condition }));
        Ok(Expr::new(kind, self.since(opened.start)))
    }

    fn for_object(&mut self, opened: Span, outer: bool) -> Parsed<Expr> {
        // Unlike those of an object, the lines of a `for` do not count.
        self.skip_newlines = true;
        let head = self.for_head(opened)?;
        let mut height = self.height;
        let body_key = self.expr()?;
        height = height.max(self.height);
        if !self.is(K::FatArrow) {
            let span = body_key.span;
            return self.bail(
                Diagnostic::error("syntax.for", "a `for` in braces makes an object and needs `key => value`")
                    .label(span, "`=>` and a value are missing after this")
                    .help("write `[for … : value]` with brackets to make a list"),
            );
        }
        self.advance();
        let body_value = self.expr()?;
        height = height.max(self.height);
        let group = self.is(K::Ellipsis);
        if group {
            self.advance();
        }
        let condition = self.for_condition(&mut height)?;
        if !self.is(K::RightBrace) {
            return self.expected_closer("`...`, `if` or `}`", opened, "the `for` expression");
        }
        self.close(outer);
        self.set_height(height + 1)?;
        let ForHead { key, value, collection } = head;
        let expr = ForObject { key, value, collection, body_key, body_value, group, condition };
        Ok(Expr::new(ExprKind::ForObject(Box::new(expr)), self.since(opened.start)))
    }

    fn for_condition(&mut self, height: &mut u32) -> Parsed<Option<Expr>> {
        if !self.is_word("if") {
            return Ok(None);
        }
        self.advance();
        let condition = self.expr()?;
        *height = (*height).max(self.height);
        Ok(Some(condition))
    }
}

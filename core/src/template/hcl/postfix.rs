use crate::{
    error::{Diagnostic, Span},
    template::syntax::{Expr, ExprKind, Index, Literal, Relative, Splat, SplatKind, Step, StepKind},
};

use super::{
    complain::clip,
    lexer::TokenKind as K,
    parser::{Parsed, Parser},
};

/// What follows a term: `.name`, `.0`, `[key]`, `.*`, `[*]`.
impl Parser<'_> {
    pub(super) fn steps(&mut self, mut expr: Expr) -> Parsed<Expr> {
        loop {
            expr = match self.kind() {
                K::Dot => self.dot(expr)?,
                K::LeftBracket => self.bracket(expr)?,
                _ => return Ok(expr),
            };
        }
    }

    fn dot(&mut self, expr: Expr) -> Parsed<Expr> {
        let start = self.tok.start;
        if self.next_is(K::Star) {
            return self.attribute_splat(expr);
        }
        let step = self.dot_step(start)?;
        self.with_step(expr, step)
    }

    /// Reads `.name` or `.0`.
    fn dot_step(&mut self, start: u32) -> Parsed<Step> {
        self.advance();
        let kind = match self.kind() {
            K::Ident => StepKind::Attr(self.names.share(self.slice())),
            K::Number | K::BadNumber => {
                let text = self.slice();
                if !text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return self.chained_legacy_index(text);
                }
                StepKind::LegacyIndex(self.names.share(text))
            }
            _ => return self.unexpected("the name of an attribute after `.`"),
        };
        self.advance();
        Ok(Step { kind, span: self.since(start) })
    }

    fn chained_legacy_index<T>(&mut self, text: &str) -> Parsed<T> {
        let span = self.span();
        let text = clip(text);
        let indices = format!("[{}]", text.split('.').collect::<Vec<_>>().join("]["));
        self.bail(
            Diagnostic::error("syntax.number", format!("`.{text}` reads as a number, not as two indices"))
                .label(span, "this is a fraction")
                .help(format!("write the indices in brackets: `{indices}`")),
        )
    }

    /// Adds a literal step to an expression.
    fn with_step(&mut self, mut expr: Expr, step: Step) -> Parsed<Expr> {
        let span = expr.span.to(step.span);
        match &mut expr.kind {
            ExprKind::Traversal(traversal) => traversal.steps.push(step),
            ExprKind::Relative(relative) => relative.steps.push(step),
            _ => {
                self.set_height(self.height + 1)?;
                let relative = Relative { source: expr, steps: vec![step] };
                return Ok(Expr::new(ExprKind::Relative(Box::new(relative)), span));
            }
        }
        expr.span = span;
        Ok(expr)
    }

    /// `.*` and the `.name` and `.0` steps behind it.
    fn attribute_splat(&mut self, source: Expr) -> Parsed<Expr> {
        let start = self.tok.start;
        let height = self.height;
        self.advance();
        self.advance();
        let marker = self.since(start);
        let mut each = Expr::new(ExprKind::SplatItem, marker);
        self.height = 1;
        while self.is(K::Dot) {
            let start = self.tok.start;
            if self.next_is(K::Star) {
                let span = self.span();
                return self.bail(
                    Diagnostic::error("syntax.unexpected", "a `.*` cannot stand behind another one")
                        .label(span, "the second splat")
                        .label(marker, "the first splat")
                        .help("write `[*]`, which may be repeated"),
                );
            }
            let step = self.dot_step(start)?;
            each = self.with_step(each, step)?;
        }
        self.splat(source, SplatKind::Attribute, each, marker, height)
    }

    fn bracket(&mut self, expr: Expr) -> Parsed<Expr> {
        let opened = self.span();
        let height = self.height;
        let outer = self.open(true);
        if self.is(K::Star) {
            self.advance();
            if !self.is(K::RightBracket) {
                return self.expected_closer("`]`", opened, "the splat");
            }
            self.close(outer);
            let marker = self.since(opened.start);
            self.enter()?;
            self.height = 1;
            let each = self.steps(Expr::new(ExprKind::SplatItem, marker))?;
            self.leave();
            return self.splat(expr, SplatKind::Full, each, marker, height);
        }
        let key = self.expr()?;
        if !self.is(K::RightBracket) {
            return self.expected_closer("`]`", opened, "the index");
        }
        let height = height.max(self.height);
        self.close(outer);
        let span = self.since(opened.start);
        let literal = match key.kind {
            ExprKind::Literal(literal) => literal,
            ExprKind::Template(ref template) => match template.as_literal() {
                Some(text) => Literal::String(self.names.share(text)),
                None => return self.index(expr, key, span, height),
            },
            _ => return self.index(expr, key, span, height),
        };
        self.height = height;
        self.with_step(expr, Step { kind: StepKind::Index(literal), span })
    }

    fn index(&mut self, collection: Expr, key: Expr, bracket: Span, height: u32) -> Parsed<Expr> {
        self.set_height(height + 1)?;
        let span = collection.span.to(bracket);
        Ok(Expr::new(ExprKind::Index(Box::new(Index { collection, key })), span))
    }

    fn splat(&mut self, source: Expr, kind: SplatKind, each: Expr, marker: Span, height: u32) -> Parsed<Expr> {
        self.set_height(height.max(self.height) + 1)?;
        let span = source.span.to(marker).to(each.span);
        Ok(Expr::new(ExprKind::Splat(Box::new(Splat { source, kind, each, marker })), span))
    }
}

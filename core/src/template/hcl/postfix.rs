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
        if !matches!(self.kind(), K::Dot | K::LeftBracket) {
            return Ok(expr);
        }
        let base = self.scratch.steps.len();
        loop {
            match self.kind() {
                K::Dot => {
                    let start = self.tok.start;
                    self.advance();
                    if self.is(K::Star) {
                        expr = self.with_steps(expr, base)?;
                        expr = self.attribute_splat(expr, start)?;
                    } else {
                        let step = self.dot_step(start)?;
                        self.scratch.steps.push(step);
                    }
                }
                K::LeftBracket => expr = self.bracket(expr, base)?,
                _ => return self.with_steps(expr, base),
            }
        }
    }

    /// Reads the name or number behind the dot at `start`.
    fn dot_step(&mut self, start: u32) -> Parsed<Step> {
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

    /// Adds the literal steps that were gathered since `base` to an expression.
    fn with_steps(&mut self, mut expr: Expr, base: usize) -> Parsed<Expr> {
        if self.scratch.steps.len() <= base {
            return Ok(expr);
        }
        let steps = self.scratch.steps.split_off(base);
        let span = steps.last().map_or(expr.span, |last| expr.span.to(last.span));
        if let ExprKind::Traversal(traversal) = &mut expr.kind
            && traversal.steps.is_empty()
        {
            traversal.steps = steps;
            expr.span = span;
            return Ok(expr);
        }
        self.set_height(self.height + 1)?;
        Ok(Expr::new(ExprKind::Relative(Box::new(Relative { source: expr, steps })), span))
    }

    /// `.*`, whose star is at hand, and the `.name` and `.0` steps behind it.
    fn attribute_splat(&mut self, source: Expr, start: u32) -> Parsed<Expr> {
        let height = self.height;
        self.advance();
        let marker = self.since(start);
        let base = self.scratch.steps.len();
        while self.is(K::Dot) {
            let start = self.tok.start;
            self.advance();
            if self.is(K::Star) {
                return self.bail(
                    Diagnostic::error("syntax.unexpected", "a `.*` cannot stand behind another one")
                        .label(self.at(start, self.tok.end), "the second splat")
                        .label(marker, "the first splat")
                        .help("write `[*]`, which may be repeated"),
                );
            }
            let step = self.dot_step(start)?;
            self.scratch.steps.push(step);
        }
        self.height = 1;
        let each = self.with_steps(Expr::new(ExprKind::SplatItem, marker), base)?;
        self.splat(source, SplatKind::Attribute, each, marker, height)
    }

    /// `[key]` or `[*]`; the steps gathered since `base` come before it.
    fn bracket(&mut self, mut expr: Expr, base: usize) -> Parsed<Expr> {
        let opened = self.span();
        let outer = self.open(true);
        if self.is(K::Star) {
            expr = self.with_steps(expr, base)?;
            let height = self.height;
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
        let height = self.height;
        let key = self.expr()?;
        if !self.is(K::RightBracket) {
            return self.expected_closer("`]`", opened, "the index");
        }
        self.close(outer);
        let span = self.since(opened.start);
        let key_height = std::mem::replace(&mut self.height, height);
        let literal = match key.kind {
            ExprKind::Literal(literal) => literal,
            ExprKind::Template(ref template) if template.as_literal().is_some() => {
                Literal::String(self.strings.share(template.as_literal().unwrap_or("")))
            }
            _ => {
                let collection = self.with_steps(expr, base)?;
                self.set_height(self.height.max(key_height) + 1)?;
                let span = collection.span.to(span);
                return Ok(Expr::new(ExprKind::Index(Box::new(Index { collection, key })), span));
            }
        };
        self.scratch.steps.push(Step { kind: StepKind::Index(literal), span });
        Ok(expr)
    }

    fn splat(&mut self, source: Expr, kind: SplatKind, each: Expr, marker: Span, height: u32) -> Parsed<Expr> {
        self.set_height(height.max(self.height) + 1)?;
        let span = source.span.to(marker).to(each.span);
        Ok(Expr::new(ExprKind::Splat(Box::new(Splat { source, kind, each, marker })), span))
    }
}

use crate::{
    error::Diagnostic,
    template::syntax::{Binary, BinaryOp, Call, Conditional, Expr, ExprKind, Ident, Literal, Traversal, UnaryOp},
    value::Number,
};

use super::{
    lexer::TokenKind as K,
    parser::{Parsed, Parser},
};

/// Expressions, by precedence climbing: `?:`, then six levels of binary operators, then unary ones, then steps.
impl Parser<'_> {
    /// Reads an expression.
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        self.enter()?;
        let expr = self.conditional()?;
        self.leave();
        Ok(expr)
    }

    fn conditional(&mut self) -> Parsed<Expr> {
        let condition = self.binary(1)?;
        if !self.is(K::Question) {
            return Ok(condition);
        }
        let mut height = self.height;
        let question = self.span();
        self.advance();
        let then = self.expr()?;
        height = height.max(self.height);
        if !self.is(K::Colon) {
            let expected = "`:` and the value for the other case";
            return self.unexpected_with(expected, question, "this `?` needs a `:`");
        }
        self.advance();
        let otherwise = self.expr()?;
        height = height.max(self.height);
        self.set_height(height + 1)?;
        let span = condition.span.to(otherwise.span);
        Ok(Expr::new(ExprKind::Conditional(Box::new(Conditional { condition, then, otherwise })), span))
    }

    fn binary(&mut self, floor: u8) -> Parsed<Expr> {
        let mut left = self.operand()?;
        loop {
            let Some(op) = binary_op(self.kind()) else { return Ok(left) };
            if op.precedence() < floor {
                return Ok(left);
            }
            let height = self.height;
            let op_span = self.span();
            self.advance();
            let right = self.binary(op.precedence() + 1)?;
            self.set_height(height.max(self.height) + 1)?;
            let span = left.span.to(right.span);
            left = Expr::new(ExprKind::Binary(Box::new(Binary { op, op_span, left, right })), span);
        }
    }

    fn operand(&mut self) -> Parsed<Expr> {
        let op = match self.kind() {
            K::Minus => UnaryOp::Negate,
            K::Bang => UnaryOp::Not,
            _ => {
                let term = self.term()?;
                return self.steps(term);
            }
        };
        let start = self.tok.start;
        self.enter()?;
        self.advance();
        let operand = self.operand()?;
        self.leave();
        self.set_height(self.height + 1)?;
        let span = self.at(start, operand.span.end);
        Ok(Expr::new(ExprKind::Unary(op, Box::new(operand)), span))
    }

    fn term(&mut self) -> Parsed<Expr> {
        match self.kind() {
            K::Ident => self.word(),
            K::Quote => self.quoted(),
            K::Number => self.number(),
            K::LeftBracket => self.tuple(),
            K::LeftBrace => self.object(),
            K::LeftParen => self.paren(),
            K::Heredoc => self.heredoc(),
            K::BadNumber => self.bad_number("one fraction and one exponent at most"),
            _ => self.no_term(),
        }
    }

    fn number(&mut self) -> Parsed<Expr> {
        let (span, text) = (self.span(), self.slice());
        // Short ones without an exponent cannot be out of range.
        if (text.len() > 18 || text.contains(['e', 'E'])) && Number::parse(text).is_err() {
            return self.bad_number("beyond the range of numbers");
        }
        let literal = Literal::Number(self.names.share(text));
        self.advance();
        self.height = 1;
        Ok(Expr::new(ExprKind::Literal(literal), span))
    }

    fn no_term(&mut self) -> Parsed<Expr> {
        if let Some(expr) = self.foreign_quotes() {
            return Ok(expr);
        }
        if self.is(K::Less)
            && let Some(expr) = self.sloppy_heredoc()
        {
            return expr;
        }
        if self.body_follows() {
            return self.object_without_brace();
        }
        self.unexpected("a value")
    }

    fn word(&mut self) -> Parsed<Expr> {
        let ident = self.ident();
        self.height = 1;
        if matches!(self.kind(), K::LeftParen | K::ColonColon) {
            return self.call(ident);
        }
        let span = ident.span;
        let kind = match ident.as_str() {
            "true" => ExprKind::Literal(Literal::Bool(true)),
            "false" => ExprKind::Literal(Literal::Bool(false)),
            "null" => ExprKind::Literal(Literal::Null),
            _ => ExprKind::Traversal(Traversal { root: ident, steps: Vec::new() }),
        };
        Ok(Expr::new(kind, span))
    }

    fn paren(&mut self) -> Parsed<Expr> {
        let opened = self.span();
        let outer = self.open(true);
        let expr = self.expr()?;
        if self.is(K::RightParen) {
            self.close(outer);
        } else if self.closes_around() {
            self.close_missing("the parenthesis", opened, ")", outer);
        } else {
            return self.expected_closer("`)`", opened, "the parenthesis");
        }
        self.set_height(self.height + 1)?;
        let span = self.since(opened.start);
        Ok(Expr::new(ExprKind::Paren(Box::new(expr)), span))
    }

    fn call(&mut self, first: Ident) -> Parsed<Expr> {
        let start = first.span.start;
        let mut name = vec![first];
        while self.is(K::ColonColon) {
            self.advance();
            if !self.is(K::Ident) {
                return self.unexpected("the name of a function after `::`");
            }
            name.push(self.ident());
        }
        if !self.is(K::LeftParen) {
            return self.unexpected("`(` after the name of a function");
        }
        let opened = self.span();
        let outer = self.open(true);
        let base = self.scratch.exprs.len();
        let mut expand_final = false;
        let mut height = 0;
        while !self.is(K::RightParen) {
            let arg = self.expr()?;
            self.scratch.exprs.push(arg);
            height = height.max(self.height);
            match self.kind() {
                K::Comma => self.advance(),
                K::Ellipsis => {
                    let span = self.span();
                    expand_final = true;
                    self.advance();
                    if !self.is(K::RightParen) {
                        return self.bail(
                            Diagnostic::error("syntax.unexpected", "only the last argument of a call may be expanded")
                                .label(span, "`)` must follow this"),
                        );
                    }
                }
                K::RightParen => {}
                _ if self.closes_around() => {
                    self.close_missing("the call", opened, ")", outer);
                    break;
                }
                _ => return self.expected_closer("`,` or `)`", opened, "the call"),
            }
        }
        if self.open.last().is_some_and(|open| open.span == opened) {
            self.close(outer);
        }
        self.set_height(height + 1)?;
        let args = self.scratch.exprs.split_off(base);
        let span = self.since(start);
        Ok(Expr::new(ExprKind::Call(Box::new(Call { name, args, expand_final })), span))
    }
}

fn binary_op(kind: K) -> Option<BinaryOp> {
    Some(match kind {
        K::OrOr => BinaryOp::Or,
        K::AndAnd => BinaryOp::And,
        K::EqualEqual => BinaryOp::Equal,
        K::NotEqual => BinaryOp::NotEqual,
        K::Less => BinaryOp::Less,
        K::LessEqual => BinaryOp::LessOrEqual,
        K::Greater => BinaryOp::Greater,
        K::GreaterEqual => BinaryOp::GreaterOrEqual,
        K::Plus => BinaryOp::Add,
        K::Minus => BinaryOp::Subtract,
        K::Star => BinaryOp::Multiply,
        K::Slash => BinaryOp::Divide,
        K::Percent => BinaryOp::Modulo,
        _ => return None,
    })
}

use crate::error::Span;

use super::{Block, Body, Expr, ExprKind, Ident, ObjectKey, Step, TemplatePart, Traversal};

/// Changes to every span of a tree: to shift one that was read from the middle of another text, or to blank
/// all of them so that `==` compares shapes.
impl Body {
    /// Calls `f` with every span. Shared expressions are copied first.
    pub fn for_each_span(&mut self, f: &mut dyn FnMut(&mut Span)) {
        f(&mut self.span);
        for attribute in &mut self.attributes {
            f(&mut attribute.span);
            f(&mut attribute.name.span);
            std::sync::Arc::make_mut(&mut attribute.expr).for_each_span(f);
        }
        for block in &mut self.blocks {
            block.for_each_span(f);
        }
    }

    /// Returns the body with all spans blank, which makes `==` compare what was written, not where.
    pub fn without_spans(mut self) -> Self {
        self.for_each_span(&mut |span| *span = Span::default());
        self
    }
}

impl Block {
    fn for_each_span(&mut self, f: &mut dyn FnMut(&mut Span)) {
        for span in [&mut self.span, &mut self.open, &mut self.close, &mut self.kind.span] {
            f(span);
        }
        for label in &mut self.labels {
            f(&mut label.span);
        }
        self.body.for_each_span(f);
    }
}

impl Expr {
    /// Returns the expression with all spans blank, which makes `==` compare what was written, not where.
    pub fn without_spans(mut self) -> Self {
        self.for_each_span(&mut |span| *span = Span::default());
        self
    }

    /// Calls `f` with every span.
    pub fn for_each_span(&mut self, f: &mut dyn FnMut(&mut Span)) {
        f(&mut self.span);
        match &mut self.kind {
            ExprKind::Literal(_) | ExprKind::SplatItem | ExprKind::Invalid => {}
            ExprKind::Template(template) => parts(&mut template.parts, f),
            ExprKind::Tuple(items) => items.iter_mut().for_each(|item| item.for_each_span(f)),
            ExprKind::Object(items) => {
                for item in items {
                    match &mut item.key {
                        ObjectKey::Ident(name) => ident(name, f),
                        ObjectKey::Expr(expr) => expr.for_each_span(f),
                    }
                    item.value.for_each_span(f);
                }
            }
            ExprKind::ForTuple(expr) => {
                expr.key.iter_mut().for_each(|key| ident(key, f));
                ident(&mut expr.value, f);
                expr.collection.for_each_span(f);
                expr.body.for_each_span(f);
                expr.condition.iter_mut().for_each(|condition| condition.for_each_span(f));
            }
            ExprKind::ForObject(expr) => {
                expr.key.iter_mut().for_each(|key| ident(key, f));
                ident(&mut expr.value, f);
                expr.collection.for_each_span(f);
                expr.body_key.for_each_span(f);
                expr.body_value.for_each_span(f);
                expr.condition.iter_mut().for_each(|condition| condition.for_each_span(f));
            }
            ExprKind::Call(call) => {
                call.name.iter_mut().for_each(|name| ident(name, f));
                call.args.iter_mut().for_each(|arg| arg.for_each_span(f));
            }
            ExprKind::Unary(_, operand) | ExprKind::Paren(operand) => operand.for_each_span(f),
            ExprKind::Binary(binary) => {
                f(&mut binary.op_span);
                binary.left.for_each_span(f);
                binary.right.for_each_span(f);
            }
            ExprKind::Conditional(conditional) => {
                conditional.condition.for_each_span(f);
                conditional.then.for_each_span(f);
                conditional.otherwise.for_each_span(f);
            }
            ExprKind::Traversal(traversal) => traversal.for_each_span(f),
            ExprKind::Relative(relative) => {
                relative.source.for_each_span(f);
                steps(&mut relative.steps, f);
            }
            ExprKind::Index(index) => {
                index.collection.for_each_span(f);
                index.key.for_each_span(f);
            }
            ExprKind::Splat(splat) => {
                f(&mut splat.marker);
                splat.source.for_each_span(f);
                splat.each.for_each_span(f);
            }
        }
    }
}

impl Traversal {
    /// Calls `f` with every span.
    pub fn for_each_span(&mut self, f: &mut dyn FnMut(&mut Span)) {
        ident(&mut self.root, f);
        steps(&mut self.steps, f);
    }
}

fn ident(ident: &mut Ident, f: &mut dyn FnMut(&mut Span)) {
    f(&mut ident.span);
}

fn steps(steps: &mut [Step], f: &mut dyn FnMut(&mut Span)) {
    for step in steps {
        f(&mut step.span);
    }
}

fn parts(list: &mut [TemplatePart], f: &mut dyn FnMut(&mut Span)) {
    for part in list {
        match part {
            TemplatePart::Literal { span, .. } => f(span),
            TemplatePart::Interpolation { expr, span } => {
                f(span);
                expr.for_each_span(f);
            }
            TemplatePart::If(part) => {
                f(&mut part.span);
                part.condition.for_each_span(f);
                parts(&mut part.then, f);
                parts(&mut part.otherwise, f);
            }
            TemplatePart::For(part) => {
                f(&mut part.span);
                part.key.iter_mut().for_each(|key| ident(key, f));
                ident(&mut part.value, f);
                part.collection.for_each_span(f);
                parts(&mut part.body, f);
            }
        }
    }
}

use crate::error::Span;

use super::{Expr, ExprKind, Ident, ObjectKey, SplatKind, Step, StepKind, TemplatePart, Traversal};

/// A use of a variable from outside the expression.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'a> {
    /// The variable and the literal steps behind it.
    pub traversal: &'a Traversal,
    /// What comes right after the literal steps.
    pub tail: Tail<'a>,
    /// From the variable to the last literal step.
    pub span: Span,
}

/// What comes right after the literal steps of a [`Reference`].
#[derive(Clone, Copy, Debug)]
pub enum Tail<'a> {
    /// Nothing: the value itself is used.
    None,
    /// An index that must be computed, and the literal steps after it: `a[count.index].id`.
    Index(&'a Expr, &'a [Step]),
    /// A splat, and what it makes of every element (`SplatItem` stands for it).
    Splat(SplatKind, &'a Expr),
}

impl Expr {
    /// Calls `f` with every direct child, in source order, and with the variables that the child sees in addition
    /// to its parent's: those of a `for`, innermost last.
    pub fn for_each_child<'a>(&'a self, f: &mut dyn FnMut(&'a Expr, &[&'a Ident])) {
        let mut plain = |expr: &'a Expr| f(expr, &[]);
        match &self.kind {
            ExprKind::Literal(_) | ExprKind::Traversal(_) | ExprKind::SplatItem | ExprKind::Invalid => {}
            ExprKind::Template(template) => walk_parts(&template.parts, &mut Vec::new(), f),
            ExprKind::Tuple(items) => items.iter().for_each(plain),
            ExprKind::Object(items) => {
                for item in items {
                    if let ObjectKey::Expr(key) = &item.key {
                        plain(key);
                    }
                    plain(&item.value);
                }
            }
            ExprKind::ForTuple(expr) => {
                plain(&expr.collection);
                let bound: Vec<&Ident> = expr.key.iter().chain([&expr.value]).collect();
                for child in std::iter::once(&expr.body).chain(&expr.condition) {
                    f(child, &bound);
                }
            }
            ExprKind::ForObject(expr) => {
                plain(&expr.collection);
                let bound: Vec<&Ident> = expr.key.iter().chain([&expr.value]).collect();
                for child in [&expr.body_key, &expr.body_value].into_iter().chain(&expr.condition) {
                    f(child, &bound);
                }
            }
            ExprKind::Call(call) => call.args.iter().for_each(plain),
            ExprKind::Unary(_, operand) | ExprKind::Paren(operand) => plain(operand),
            ExprKind::Binary(binary) => {
                plain(&binary.left);
                plain(&binary.right);
            }
            ExprKind::Conditional(conditional) => {
                plain(&conditional.condition);
                plain(&conditional.then);
                plain(&conditional.otherwise);
            }
            ExprKind::Relative(relative) => plain(&relative.source),
            ExprKind::Index(index) => {
                plain(&index.collection);
                plain(&index.key);
            }
            ExprKind::Splat(splat) => {
                plain(&splat.source);
                plain(&splat.each);
            }
        }
    }

    /// Calls `f` with every use of a variable that the expression does not itself bind, in source order.
    ///
    /// Variables of `for` (in expressions and in templates) hide outer ones of the same name. O(nodes × depth
    /// of `for`).
    pub fn for_each_reference<'a>(&'a self, f: &mut dyn FnMut(Reference<'a>)) {
        Walk { scope: Vec::new(), f }.expr(self);
    }

    /// Returns every use of a variable that the expression does not itself bind, in source order.
    pub fn references(&self) -> Vec<Reference<'_>> {
        let mut list = Vec::new();
        self.for_each_reference(&mut |reference| list.push(reference));
        list
    }
}

fn walk_parts<'a>(parts: &'a [TemplatePart], bound: &mut Vec<&'a Ident>, f: &mut dyn FnMut(&'a Expr, &[&'a Ident])) {
    for part in parts {
        match part {
            TemplatePart::Literal { .. } => {}
            TemplatePart::Interpolation { expr, .. } => f(expr, bound),
            TemplatePart::If(part) => {
                f(&part.condition, bound);
                walk_parts(&part.then, bound, f);
                walk_parts(&part.otherwise, bound, f);
            }
            TemplatePart::For(part) => {
                f(&part.collection, bound);
                let height = bound.len();
                bound.extend(part.key.iter().chain([&part.value]));
                walk_parts(&part.body, bound, f);
                bound.truncate(height);
            }
        }
    }
}

struct Walk<'a, 'f> {
    scope: Vec<&'a str>,
    f: &'f mut dyn FnMut(Reference<'a>),
}

impl<'a> Walk<'a, '_> {
    fn report(&mut self, traversal: &'a Traversal, tail: Tail<'a>) {
        if !self.scope.contains(&traversal.root_name()) {
            (self.f)(Reference { traversal, tail, span: traversal.span() });
        }
    }

    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Traversal(traversal) => self.report(traversal, Tail::None),
            ExprKind::Index(index) => self.index(index, &[]),
            ExprKind::Relative(relative) => match &relative.source.kind {
                ExprKind::Index(index) => self.index(index, &relative.steps),
                _ => self.expr(&relative.source),
            },
            // The second argument of `convert` is a type: `string` there refers to nothing.
            ExprKind::Call(call)
                if call.args.len() == 2 && matches!(&*call.full_name(), "convert" | "core::convert") =>
            {
                call.args.iter().take(1).for_each(|value| self.expr(value));
            }
            ExprKind::Splat(splat) => {
                match &splat.source.kind {
                    ExprKind::Traversal(traversal) => self.report(traversal, Tail::Splat(splat.kind, &splat.each)),
                    _ => self.expr(&splat.source),
                }
                self.expr(&splat.each);
            }
            _ => expr.for_each_child(&mut |child, bound| {
                let height = self.scope.len();
                self.scope.extend(bound.iter().map(|ident| ident.as_str()));
                self.expr(child);
                self.scope.truncate(height);
            }),
        }
    }

    fn index(&mut self, index: &'a super::Index, steps: &'a [Step]) {
        match &index.collection.kind {
            ExprKind::Traversal(traversal) => self.report(traversal, Tail::Index(&index.key, steps)),
            _ => self.expr(&index.collection),
        }
        self.expr(&index.key);
    }
}

impl Step {
    /// Returns whether the step is an index, of either spelling.
    pub fn is_index(&self) -> bool {
        !matches!(self.kind, StepKind::Attr(_))
    }
}

//! What conditions say of fields, as far as it can be proved from the text.

use std::sync::Arc;

use crate::{
    form::{CompareOp, Condition, Expression, Field, Group, Step, condition::Truth, condition::equal},
    template::syntax::{BinaryOp, Expr, ExprKind, UnaryOp},
    value::Value,
};

/// The most alternatives that are followed; beyond, nothing is known.
const MOST: usize = 64;
/// The most things of one alternative; beyond, nothing is known. Each is held against every other.
const MOST_ATOMS: usize = 64;

/// One thing that holds: a part of a field is, or is not, a value.
#[derive(Clone, Debug)]
struct Atom {
    key: Arc<str>,
    is_equal: bool,
    value: Value,
}

/// What holds when a field is there: one of several alternatives, each a list of things that all hold.
#[derive(Clone, Debug)]
pub(in crate::form) struct Facts {
    alternatives: Vec<Vec<Atom>>,
}

impl Facts {
    /// Nothing is known.
    fn nothing() -> Self {
        Self { alternatives: vec![Vec::new()] }
    }

    /// Returns what holds when a field is there.
    pub(in crate::form) fn of(field: &Field, groups: &[Group], steps: &[Step]) -> Self {
        let group = field.group.and_then(|idx| groups.get(idx)).and_then(|group| group.when.as_ref());
        let step = field.step.and_then(|idx| steps.get(idx)).and_then(|step| step.when.as_ref());
        let conditions = [field.when.as_ref(), group, step].into_iter().flatten();
        conditions.fold(Self::nothing(), |facts, condition| facts.and(Self::when(condition)))
    }

    /// Returns what holds when a condition does.
    pub(super) fn when(condition: &Condition) -> Self {
        of_condition(condition, true)
    }

    pub(super) fn and(self, other: Self) -> Self {
        if self.alternatives.len().saturating_mul(other.alternatives.len()) > MOST {
            return Self::nothing();
        }
        let longest = |facts: &Self| facts.alternatives.iter().map(Vec::len).max().unwrap_or_default();
        if longest(&self) + longest(&other) > MOST_ATOMS {
            return Self::nothing();
        }
        let pairs = self.alternatives.iter().flat_map(|own| {
            other.alternatives.iter().map(move |more| own.iter().chain(more).cloned().collect::<Vec<_>>())
        });
        Self { alternatives: pairs.filter(|alternative| !contradicts(alternative, alternative)).collect() }
    }

    fn or(mut self, other: Self) -> Self {
        self.alternatives.extend(other.alternatives);
        if self.alternatives.len() > MOST { Self::nothing() } else { self }
    }

    /// Returns whether it can never be.
    pub(super) fn is_impossible(&self) -> bool {
        self.alternatives.iter().all(|alternative| contradicts(alternative, alternative))
    }
}

/// Returns whether two things can be proved never to hold together.
pub(in crate::form) fn exclusive(a: &Facts, b: &Facts) -> bool {
    a.alternatives.iter().all(|one| {
        contradicts(one, one) || b.alternatives.iter().all(|other| contradicts(other, other) || contradicts(one, other))
    })
}

fn contradicts(one: &[Atom], other: &[Atom]) -> bool {
    one.iter().any(|a| {
        other.iter().any(|b| {
            a.key == b.key
                && match (a.is_equal, b.is_equal) {
                    (true, true) => equal(&a.value, &b.value) == Truth::False,
                    (true, false) | (false, true) => equal(&a.value, &b.value) == Truth::True,
                    (false, false) => false,
                }
        })
    })
}

fn constant(holds: bool) -> Facts {
    Facts { alternatives: if holds { vec![Vec::new()] } else { Vec::new() } }
}

fn atom(key: &Arc<str>, value: &Value, is_equal: bool) -> Facts {
    Facts { alternatives: vec![vec![Atom { key: Arc::clone(key), is_equal, value: value.clone() }]] }
}

fn of_condition(condition: &Condition, holds: bool) -> Facts {
    match condition {
        Condition::Constant(value) => constant(*value == holds),
        Condition::Expression(expression) => of_expr(&expression.expr, holds),
        Condition::Compare { op: op @ (CompareOp::Eq | CompareOp::Ne), a, b } => {
            let is_equal = (*op == CompareOp::Eq) == holds;
            match (side(a), side(b)) {
                (Side::Part(key), Side::Value(value)) | (Side::Value(value), Side::Part(key)) => {
                    atom(&key, &value, is_equal)
                }
                (Side::Value(a), Side::Value(b)) => constant((equal(&a, &b) == Truth::True) == is_equal),
                _ => Facts::nothing(),
            }
        }
        Condition::In { a, b } => match (side(a), side(b)) {
            (Side::Part(key), Side::Value(list)) => {
                let mut atoms = list.elements().map(|value| atom(&key, value, holds));
                match holds {
                    true => atoms.fold(constant(false), Facts::or),
                    false => atoms.by_ref().fold(Facts::nothing(), Facts::and),
                }
            }
            _ => Facts::nothing(),
        },
        Condition::Compare { .. } | Condition::Network { .. } => Facts::nothing(),
        Condition::Not(inner) => of_condition(inner, !holds),
        Condition::All(list) => all(list.iter().map(|inner| of_condition(inner, holds)), holds),
        Condition::Any(list) => all(list.iter().map(|inner| of_condition(inner, holds)), !holds),
    }
}

/// Joins by "and", or by "or".
fn all(facts: impl Iterator<Item = Facts>, by_and: bool) -> Facts {
    match by_and {
        true => facts.fold(Facts::nothing(), Facts::and),
        false => facts.fold(constant(false), Facts::or),
    }
}

enum Side {
    Part(Arc<str>),
    Value(Value),
    Other,
}

fn side(expression: &Expression) -> Side {
    match (expression.as_reference(), expression.constant()) {
        (Some(path), _) => Side::Part(Arc::clone(&path.key)),
        (None, Some(value)) => Side::Value(value.clone()),
        (None, None) => Side::Other,
    }
}

fn side_of(expr: &Expr) -> Side {
    match &expr.unparen().kind {
        ExprKind::Traversal(traversal) => traversal.as_keyword().map_or(Side::Other, |name| Side::Part(name.into())),
        ExprKind::Literal(literal) => literal.to_value().map_or(Side::Other, Side::Value),
        ExprKind::Template(template) => template.unwrapped().map_or(Side::Other, side_of),
        _ => Side::Other,
    }
}

fn of_expr(expr: &Expr, holds: bool) -> Facts {
    match &expr.unparen().kind {
        ExprKind::Template(template) => match template.unwrapped() {
            Some(inner) => of_expr(inner, holds),
            None => Facts::nothing(),
        },
        ExprKind::Unary(UnaryOp::Not, inner) => of_expr(inner, !holds),
        ExprKind::Binary(binary) => match binary.op {
            BinaryOp::And => all([&binary.left, &binary.right].into_iter().map(|side| of_expr(side, holds)), holds),
            BinaryOp::Or => all([&binary.left, &binary.right].into_iter().map(|side| of_expr(side, holds)), !holds),
            BinaryOp::Equal | BinaryOp::NotEqual => {
                let is_equal = (binary.op == BinaryOp::Equal) == holds;
                match (side_of(&binary.left), side_of(&binary.right)) {
                    (Side::Part(key), Side::Value(value)) | (Side::Value(value), Side::Part(key)) => {
                        atom(&key, &value, is_equal)
                    }
                    _ => Facts::nothing(),
                }
            }
            _ => Facts::nothing(),
        },
        _ => match side_of(expr) {
            Side::Part(key) => atom(&key, &Value::bool(true), holds),
            Side::Value(value) => constant((value.as_bool() == Some(true)) == holds),
            Side::Other => Facts::nothing(),
        },
    }
}

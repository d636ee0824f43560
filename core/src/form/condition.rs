use std::cmp::Ordering;

use super::{Expression, FieldPath, network::Network};
use crate::value::{Type, Value, convert};

/// Something that holds, does not hold, or is not decided yet.
#[derive(Clone, Debug)]
pub enum Condition {
    /// Always the same.
    Constant(bool),
    /// `${…}`, which comes to a bool; null does not hold.
    Expression(Expression),
    /// `eq: {a, b}` and its kin.
    Compare {
        /// How.
        op: CompareOp,
        /// The left side.
        a: Expression,
        /// The right side.
        b: Expression,
    },
    /// `in: {a, b}`: whether the list `b` has `a`.
    In {
        /// What is looked for.
        a: Expression,
        /// Where.
        b: Expression,
    },
    /// `cidr_contains: {a, b}`, `cidr_overlaps: {a, b}`.
    Network {
        /// How.
        op: NetworkOp,
        /// A network.
        a: Expression,
        /// A network or address, or a list of them.
        b: Expression,
    },
    /// `not: …`.
    Not(Box<Condition>),
    /// `all: […]`, or a list.
    All(Vec<Condition>),
    /// `any: […]`.
    Any(Vec<Condition>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// Equal; numbers and texts are never equal to each other.
    Eq,
    /// Not equal.
    Ne,
    /// Less: numbers by value, texts by their bytes.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

impl CompareOp {
    /// Every comparison.
    pub const ALL: [Self; 6] = [Self::Eq, Self::Ne, Self::Lt, Self::Le, Self::Gt, Self::Ge];

    /// Returns the name that documents use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Lt => "lt",
            Self::Le => "le",
            Self::Gt => "gt",
            Self::Ge => "ge",
        }
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
        }
    }
}

/// How two networks lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkOp {
    /// Every address of `b` (of each one, in a list) is one of `a`.
    Contains,
    /// Some address of `b` (of one of them, in a list) is one of `a`.
    Overlaps,
}

impl NetworkOp {
    /// Every question.
    pub const ALL: [Self; 2] = [Self::Contains, Self::Overlaps];

    /// Returns the name that documents use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contains => "cidr_contains",
            Self::Overlaps => "cidr_overlaps",
        }
    }
}

/// True, false, or not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    pub(super) fn of(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }

    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Unknown,
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        self.negated().and(other.negated()).negated()
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// Where conditions are evaluated: what references stand for, and a place for what is wrong.
pub(super) struct Judge<'a> {
    pub(super) look: &'a mut dyn FnMut(&FieldPath) -> Value,
    /// What could not be evaluated, free of secrets.
    pub(super) problems: Vec<String>,
}

impl Judge<'_> {
    pub(super) fn value(&mut self, expression: &Expression) -> Value {
        let outcome = expression.eval(self.look);
        self.problems.extend(outcome.problem);
        outcome.value
    }
}

impl Condition {
    /// Returns whether it always holds, or never; `None` where it hangs on something.
    pub fn constant(&self) -> Option<bool> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Expression(expression) => expression.constant().map(|value| value.as_bool().unwrap_or(false)),
            _ => None,
        }
    }

    /// Calls `f` with every expression in it.
    pub fn for_each_expression<'a>(&'a self, f: &mut dyn FnMut(&'a Expression)) {
        match self {
            Self::Constant(_) => {}
            Self::Expression(expression) => f(expression),
            Self::Compare { a, b, .. } | Self::In { a, b } | Self::Network { a, b, .. } => {
                f(a);
                f(b);
            }
            Self::Not(inner) => inner.for_each_expression(f),
            Self::All(list) | Self::Any(list) => list.iter().for_each(|inner| inner.for_each_expression(f)),
        }
    }

    pub(super) fn for_each_expression_mut(&mut self, f: &mut dyn FnMut(&mut Expression)) {
        match self {
            Self::Constant(_) => {}
            Self::Expression(expression) => f(expression),
            Self::Compare { a, b, .. } | Self::In { a, b } | Self::Network { a, b, .. } => {
                f(a);
                f(b);
            }
            Self::Not(inner) => inner.for_each_expression_mut(f),
            Self::All(list) | Self::Any(list) => list.iter_mut().for_each(|inner| inner.for_each_expression_mut(f)),
        }
    }

    /// Judges it with null as a value like any other.
    pub(super) fn truth(&self, judge: &mut Judge<'_>) -> Truth {
        match self {
            Self::Constant(value) => Truth::of(*value),
            Self::Expression(expression) => as_truth(&judge.value(expression)),
            Self::Compare { op, a, b } => {
                let (a, b) = (judge.value(a), judge.value(b));
                compare(*op, &a, &b)
            }
            Self::In { a, b } => {
                let (a, b) = (judge.value(a), judge.value(b));
                if !b.is_known() {
                    return Truth::Unknown;
                }
                b.elements().fold(Truth::False, |found, element| found.or(equal(&a, element)))
            }
            Self::Network { op, a, b } => {
                let (a, b) = (judge.value(a), judge.value(b));
                network(*op, &a, &b)
            }
            Self::Not(inner) => inner.truth(judge).negated(),
            Self::All(list) => list.iter().fold(Truth::True, |truth, inner| truth.and(inner.truth(judge))),
            Self::Any(list) => list.iter().fold(Truth::False, |truth, inner| truth.or(inner.truth(judge))),
        }
    }

    /// Returns whether a comparison in it has a side that is absent: as a rule about values it then says nothing.
    pub(super) fn compares_absent(&self, judge: &mut Judge<'_>) -> bool {
        match self {
            Self::Constant(_) | Self::Expression(_) => false,
            Self::Compare { a, b, .. } | Self::In { a, b } | Self::Network { a, b, .. } => {
                [a, b].into_iter().any(|side| !side.references.is_empty() && judge.value(side).is_null())
            }
            Self::Not(inner) => inner.compares_absent(judge),
            Self::All(list) | Self::Any(list) => list.iter().any(|inner| inner.compares_absent(judge)),
        }
    }
}

fn as_truth(value: &Value) -> Truth {
    if !value.is_known() {
        return Truth::Unknown;
    }
    match convert(value, &Type::Bool) {
        Ok(value) => Truth::of(value.as_bool().unwrap_or(false)),
        Err(_) => Truth::False,
    }
}

pub(super) fn equal(a: &Value, b: &Value) -> Truth {
    match a.equals(b).as_bool() {
        Some(equal) => Truth::of(equal),
        None => Truth::Unknown,
    }
}

fn compare(op: CompareOp, a: &Value, b: &Value) -> Truth {
    match op {
        CompareOp::Eq => return equal(a, b),
        CompareOp::Ne => return equal(a, b).negated(),
        _ if !a.is_known() || !b.is_known() => return Truth::Unknown,
        _ => {}
    }
    let number = |value: &Value| convert(value, &Type::Number).ok().and_then(|value| value.as_number().cloned());
    let order = match (number(a), number(b), a.as_str(), b.as_str()) {
        (Some(a), Some(b), _, _) => a.cmp(&b),
        (_, _, Some(a), Some(b)) => a.cmp(b),
        _ => return Truth::False,
    };
    Truth::of(op.holds(order))
}

fn network(op: NetworkOp, a: &Value, b: &Value) -> Truth {
    if !a.is_known() || !b.is_wholly_known() {
        return Truth::Unknown;
    }
    let read = |value: &Value| value.as_str().and_then(Network::parse);
    let Some(outer) = read(a) else { return Truth::False };
    let test = |value: &Value| {
        read(value).is_some_and(|inner| match op {
            NetworkOp::Contains => outer.contains(inner),
            NetworkOp::Overlaps => outer.overlaps(inner),
        })
    };
    Truth::of(match (b.items(), op) {
        (Some(items), NetworkOp::Contains) => items.iter().all(test),
        (Some(items), NetworkOp::Overlaps) => items.iter().any(test),
        (None, _) => test(b),
    })
}

//! Operators and conditionals.

use super::{Evaluator, frame::Frame};
use crate::{
    error::{Diagnostic, Span},
    template::syntax::{Binary, BinaryOp, Conditional, Expr, UnaryOp},
    value::{Bound, Number, Refinement, Type, Value, convert, unify},
};

impl Evaluator<'_> {
    #[inline(never)]
    pub(super) fn unary(&mut self, op: UnaryOp, operand: &Expr, span: Span, frame: Option<&Frame<'_>>) -> Value {
        let ty = match op {
            UnaryOp::Negate => Type::Number,
            UnaryOp::Not => Type::Bool,
        };
        let before = self.problem_count();
        let value = self.expr(operand, frame);
        if self.problem_count() > before {
            return Value::unknown(ty);
        }
        let marks = value.marks();
        let Some(value) = self.operand(value, &ty, op.as_str(), operand.span) else {
            return Value::unknown(ty);
        };
        let result = match (value.as_number(), value.as_bool()) {
            (Some(number), _) => Value::number(number.neg()),
            (None, Some(value)) => Value::bool(!value),
            // An operand that is not known takes its marks along, as in Terraform.
            (None, None) => return Value::unknown_with(ty, Refinement::not_null()),
        };
        let _ = span;
        result.with_marks(marks)
    }

    #[inline(never)]
    pub(super) fn binary(&mut self, binary: &Binary, frame: Option<&Frame<'_>>) -> Value {
        let crate::template::syntax::ExprKind::Binary(_) = &binary.left.kind else {
            let before = self.problem_count();
            let left = self.expr(&binary.left, frame);
            return self.behind(binary, left, before, frame);
        };
        // Long sums lean to the left: walk down that side without recursion.
        let mut chain = vec![binary];
        let mut leftmost = &binary.left;
        while let crate::template::syntax::ExprKind::Binary(inner) = &leftmost.kind {
            chain.push(inner);
            leftmost = &inner.left;
        }
        let before = self.problem_count();
        let mut left = self.expr(leftmost, frame);
        while let Some(binary) = chain.pop() {
            left = self.behind(binary, left, before, frame);
        }
        left
    }

    /// Evaluates the right side, where it counts, and the operator.
    fn behind(&mut self, binary: &Binary, left: Value, before: usize, frame: Option<&Frame<'_>>) -> Value {
        if matches!(binary.op, BinaryOp::And | BinaryOp::Or) && self.context.options().edition.short_circuits() {
            return self.logical(binary, left, frame);
        }
        let right = self.expr(&binary.right, frame);
        if self.problem_count() > before {
            return Value::unknown(result_of(binary.op));
        }
        self.apply(binary, left, right)
    }

    /// `&&` and `||` as of edition `1.12`: where one side decides, the other one does not count, whichever is known first.
    fn logical(&mut self, binary: &Binary, left: Value, frame: Option<&Frame<'_>>) -> Value {
        let decisive = binary.op == BinaryOp::Or;
        let decides =
            |value: &Value| convert(value, &Type::Bool).ok().and_then(|value| value.as_bool()) == Some(decisive);
        if decides(&left) {
            return Value::bool(decisive).with_marks(left.marks());
        }
        if left.is_known() {
            let right = self.expr(&binary.right, frame);
            return self.apply(binary, left, right);
        }
        // The left side may still turn out to decide: then nobody will ask what was wrong with the right one.
        let before = self.problem_count();
        let right = self.expr(&binary.right, frame);
        if self.problem_count() > before {
            self.forget_problems(before);
            return Value::unknown_with(Type::Bool, Refinement::not_null()).with_marks(left.marks() | right.marks());
        }
        let marks = left.marks() | right.marks();
        let result = self.apply(binary, left, right.clone());
        if self.problem_count() == before && decides(&right) {
            return Value::bool(decisive).with_marks(marks);
        }
        result
    }

    fn apply(&mut self, binary: &Binary, left: Value, right: Value) -> Value {
        match binary.op {
            BinaryOp::Equal => return left.equals(&right),
            BinaryOp::NotEqual => {
                let equal = left.equals(&right);
                let marks = equal.marks();
                let result = match equal.as_bool() {
                    Some(equal) => Value::bool(!equal),
                    None => Value::unknown_with(Type::Bool, Refinement::not_null()),
                };
                return result.with_marks(marks);
            }
            _ => {}
        }
        let result = result_of(binary.op);
        let operand = if matches!(binary.op, BinaryOp::And | BinaryOp::Or) { Type::Bool } else { Type::Number };
        let marks = left.marks() | right.marks();
        let left = self.operand(left, &operand, binary.op.as_str(), binary.left.span);
        let right = self.operand(right, &operand, binary.op.as_str(), binary.right.span);
        let (Some(left), Some(right)) = (left, right) else { return Value::unknown(result) };
        let unknown = || Value::unknown_with(result.clone(), Refinement::not_null());
        let value = match (left.as_bool(), right.as_bool(), left.as_number(), right.as_number()) {
            (Some(left), Some(right), ..) => {
                Value::bool(if binary.op == BinaryOp::And { left && right } else { left || right })
            }
            (.., Some(left), Some(right)) => match self.arithmetic(binary, left, right, !marks.is_empty()) {
                Some(value) => value,
                None => return Value::unknown(result),
            },
            _ if result == Type::Bool && operand == Type::Number => {
                decided(binary.op, &left, &right).map_or_else(unknown, Value::bool)
            }
            // So do the operands of `&&` and `||`.
            _ if operand == Type::Bool => return unknown(),
            _ => unknown(),
        };
        value.with_marks(marks)
    }

    /// Converts an operand; `None` where it does not fit, which is reported.
    fn operand(&mut self, value: Value, ty: &Type, op: &str, span: Span) -> Option<Value> {
        if value.is_null() {
            self.report(
                Diagnostic::error("eval.null", format!("an operand of `{op}` must not be null"))
                    .label(span, "is null")
                    .help("use `coalesce` to put another value in place of null"),
            );
            return None;
        }
        if value.has_type(ty) {
            return Some(value);
        }
        // A text that is no number is not shown, whether marked or not: the type says enough.
        match convert(&value, ty) {
            Ok(value) => Some(value),
            Err(_) => {
                let (wanted, given) = (ty.friendly_name(), value.ty().friendly_name());
                let hint = (matches!(op, "+") && given == "string")
                    .then(|| "texts are joined in a template: `\"${a}${b}\"`".to_owned())
                    .or_else(|| {
                        (matches!(op, "+") && matches!(value.ty(), Type::Tuple(_) | Type::List(_)))
                            .then(|| "lists are joined with `concat(a, b)`".to_owned())
                    });
                let mut problem = Diagnostic::error("eval.operand", format!("`{op}` takes a {wanted}, not a {given}"))
                    .label(span, format!("is a {given}"));
                problem.help = hint;
                self.report(problem);
                None
            }
        }
    }

    fn arithmetic(&mut self, binary: &Binary, left: &Number, right: &Number, is_marked: bool) -> Option<Value> {
        let result = match binary.op {
            BinaryOp::Modulo if left.is_infinite() || right.is_infinite() => Number::INFINITY.sub(&Number::INFINITY),
            BinaryOp::Add => left.add(right),
            BinaryOp::Subtract => left.sub(right),
            BinaryOp::Multiply => left.mul(right),
            BinaryOp::Divide => left.div(right),
            BinaryOp::Modulo => left.rem(right),
            BinaryOp::Less => return Some(Value::bool(left < right)),
            BinaryOp::LessOrEqual => return Some(Value::bool(left <= right)),
            BinaryOp::Greater => return Some(Value::bool(left > right)),
            _ => return Some(Value::bool(left >= right)),
        };
        match result {
            Ok(number) => Some(Value::number(number)),
            Err(_) => {
                let op = binary.op;
                let message = if is_marked {
                    format!("`{op}` has no result for these operands")
                } else {
                    format!("`{left} {op} {right}` has no result")
                };
                let span = binary.left.span.to(binary.right.span);
                self.report(Diagnostic::error("eval.arithmetic", message).at(span));
                None
            }
        }
    }

    #[inline(never)]
    pub(super) fn conditional(&mut self, conditional: &Conditional, span: Span, frame: Option<&Frame<'_>>) -> Value {
        let (asked, waits) = self.deciding(&conditional.condition, frame);
        if waits {
            return Value::unknown(Type::Any);
        }
        let before = self.problem_count();
        let decision = self.condition(&asked, conditional.condition.span);
        let failed = self.problem_count() > before;
        let mut marks = asked.marks_deep();
        // Both arms count for the type; problems of the one that is not taken do not.
        let start = self.problem_count();
        let (then, then_failed) = self.arm(&conditional.then, decision, frame);
        let (otherwise, otherwise_failed) = self.arm(&conditional.otherwise, decision.map(|decision| !decision), frame);
        debug_assert!(self.problem_count() >= start, "problems only grow");
        // Which arm is taken may be told from the result, so it carries the marks of both.
        marks = marks | then.marks() | otherwise.marks();
        // What was wrong with the arm that is taken was reported; that it fits the other one only tells the type.
        let has_failed = match decision {
            Some(true) => then_failed,
            Some(false) => otherwise_failed,
            None => false,
        };
        // What is by far the most common needs no types to be built: `… ? x : null`.
        match decision {
            Some(true) if untyped_null(&otherwise) => return then.with_marks(marks),
            Some(false) if untyped_null(&then) => return otherwise.with_marks(marks),
            _ => {}
        }
        let ty = match (untyped_null(&then), untyped_null(&otherwise)) {
            (true, _) => Some(otherwise.ty()),
            (_, true) => Some(then.ty()),
            _ => unify(&[then.ty(), otherwise.ty()]),
        };
        let Some(ty) = ty else {
            if has_failed {
                return Value::unknown(Type::Any);
            }
            let (a, b) = (then.ty().friendly_name(), otherwise.ty().friendly_name());
            let problem = Diagnostic::error("eval.conditional", "both results of a conditional must have one type")
                .at(span)
                .label(conditional.then.span, format!("is a {a}"))
                .label(conditional.otherwise.span, format!("is a {b}"));
            return self.fail(problem);
        };
        let Some(decision) = decision else {
            if failed {
                // Names in the type may be what is secret, and no mark would say so any more.
                let hides = |arm: &Value| !arm.marks().is_empty() && arm.ty().has_names();
                let open = is_open(&then) || is_open(&otherwise) || hides(&then) || hides(&otherwise);
                return Value::unknown(if open { Type::Any } else { ty });
            }
            let ty = if is_open(&then) || is_open(&otherwise) { Type::Any } else { ty };
            return undecided(&then, &otherwise, ty).with_marks(marks);
        };
        let (taken, other, place) = if decision {
            (&then, &otherwise, conditional.then.span)
        } else {
            (&otherwise, &then, conditional.otherwise.span)
        };
        if taken.has_type(&ty) {
            return taken.clone().with_marks(marks);
        }
        if is_open(taken) || is_open(other) {
            // What the other arm will be says nothing about what this one must become.
            return taken.clone().with_marks(marks);
        }
        let converted = convert(taken, &ty).unwrap_or_else(|error| {
            if !has_failed {
                self.report(Diagnostic::error("eval.type", error.to_string()).at(place));
            }
            Value::unknown(ty.without_optional())
        });
        converted.with_marks(marks)
    }

    /// Evaluates an arm; problems count only when it is certainly taken. Returns whether there were any.
    fn arm(&mut self, expr: &Expr, taken: Option<bool>, frame: Option<&Frame<'_>>) -> (Value, bool) {
        let before = self.problem_count();
        let value = match taken {
            Some(false) => self.type_of_arm(expr, frame),
            _ => self.expr(expr, frame),
        };
        let failed = self.problem_count() > before;
        if taken != Some(true) {
            self.forget_problems(before);
        }
        (value, failed)
    }

    /// Evaluates an arm that is not taken: of what it refers to only the types count, as long as they are enough to tell
    /// its own. So it needs nothing that the other arm does not.
    fn type_of_arm(&mut self, expr: &Expr, frame: Option<&Frame<'_>>) -> Value {
        if self.typing > 0 {
            return self.expr(expr, frame);
        }
        let (before, observed, met_unknown) = (self.problem_count(), self.context.observed(), self.met_unknown);
        self.typing += 1;
        let value = self.expr(expr, frame);
        self.typing -= 1;
        self.context.forget_observed(observed);
        // Types go wrong only where values would, too.
        if self.problem_count() > before || !value.ty().has_any() || value.is_null() {
            self.met_unknown = met_unknown;
            return value;
        }
        let value = self.expr(expr, frame);
        self.context.forget_observed(observed);
        value
    }

    /// Reads a condition; `None` where it is not known, or no condition, which is reported.
    pub(super) fn condition(&mut self, value: &Value, span: Span) -> Option<bool> {
        if value.is_null() {
            self.report(
                Diagnostic::error("eval.null", "a condition must not be null")
                    .label(span, "is null")
                    .help("compare with null (`… != null`), or use `coalesce`"),
            );
            return None;
        }
        match convert(value, &Type::Bool) {
            Ok(value) => value.as_bool(),
            // As in Terraform: whatever it will be.
            Err(_) if !value.is_known() => None,
            Err(_) => {
                self.no_condition(value, span);
                None
            }
        }
    }

    pub(super) fn no_condition(&mut self, value: &Value, span: Span) {
        let ty = value.ty().friendly_name();
        self.report(
            Diagnostic::error("eval.condition", format!("a condition is a bool, not a {ty}"))
                .label(span, format!("is a {ty}"))
                .help("compare it with something: `… != \"\"`, `… > 0`, `length(…) > 0`"),
        );
    }
}

/// Whether it takes on whatever type it has to. A marked one is a value like any other.
fn untyped_null(value: &Value) -> bool {
    value.is_null() && value.ty() == Type::Any && value.marks().is_empty()
}

/// Whether not even the type is known.
fn is_open(value: &Value) -> bool {
    value.ty() == Type::Any && !untyped_null(value)
}

/// What is known of the result while the condition is not.
fn undecided(then: &Value, otherwise: &Value, ty: Type) -> Value {
    if then.is_null() && otherwise.is_null() {
        return Value::null(ty);
    }
    let is_there = then.is_definitely_not_null() && otherwise.is_definitely_not_null();
    let mut refinement = if is_there { Refinement::not_null() } else { Refinement::none() };
    if is_there {
        let (low, high) = (bounds(then), bounds(otherwise));
        if let (Some(a), Some(b)) = (low.0, high.0) {
            let least = if a.value <= b.value { a } else { b };
            refinement = refinement.with_min(least.value, least.inclusive);
        }
        if let (Some(a), Some(b)) = (low.1, high.1) {
            let most = if a.value >= b.value { a } else { b };
            refinement = refinement.with_max(most.value, most.inclusive);
        }
    }
    // A set may shrink once its elements are known.
    let is_firm = |value: &Value| {
        value.ty() == ty && (!value.is_known() || value.is_wholly_known() || !matches!(ty, Type::Set(_)))
    };
    if let (true, Some((a, b)), Some((c, d))) =
        (ty.is_collection() && is_firm(then) && is_firm(otherwise), then.length_bounds(), otherwise.length_bounds())
    {
        let most = match (b, d) {
            (Some(b), Some(d)) => Some(b.max(d)),
            _ => None,
        };
        refinement = refinement.with_length(a.min(c), most);
    }
    Value::unknown_with(ty, refinement)
}

/// The type of what an operator gives.
fn result_of(op: BinaryOp) -> Type {
    match op {
        BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => Type::Number,
        _ => Type::Bool,
    }
}

/// The least and the greatest number that a value may be.
fn bounds(value: &Value) -> (Option<Bound>, Option<Bound>) {
    match (value.as_number(), value.as_unknown()) {
        (Some(number), _) => {
            let bound = Bound { value: number.clone(), inclusive: true };
            (Some(bound.clone()), Some(bound))
        }
        (None, Some(unknown)) => (unknown.refinement.min.clone(), unknown.refinement.max.clone()),
        _ => (None, None),
    }
}

/// Compares numbers that are not both known by what is known of them.
fn decided(op: BinaryOp, left: &Value, right: &Value) -> Option<bool> {
    let (left, right) = (bounds(left), bounds(right));
    // Whether every number of one range is below every one of the other. Ranges that touch decide nothing, not even `<=`:
    // so Terraform has it, and whether a value is known is part of what an expression means.
    let below = |high: &Option<Bound>, low: &Option<Bound>| {
        high.as_ref().zip(low.as_ref()).is_some_and(|(high, low)| high.value < low.value)
    };
    let (less, greater) = (below(&left.1, &right.0), below(&right.1, &left.0));
    let is_less = matches!(op, BinaryOp::Less | BinaryOp::LessOrEqual);
    (less || greater).then_some(less == is_less)
}

use std::fmt;

use super::{Context, Functions, Options, Problem, Recall, Scope, frame::Frame};
use crate::{
    error::{Diagnostic, Diagnostics as _, Span},
    template::syntax::{Expr, ExprKind, Literal, ObjectItem, ObjectKey},
    value::{Marks, Number, Type, Value, convert},
};

/// Works out what expressions are worth.
///
/// One evaluator serves one place of a template (a block, a console line): it collects every problem that it meets, and
/// whether the host still owes it something. After a problem the part of the expression that has it counts as unknown, so
/// that one mistake gives one diagnostic.
///
/// # Complexity
/// Linear in the expression and in what it makes; [`Budget`](super::Budget) bounds the latter.
///
/// # Examples
/// ```
/// use stackwright::{
///     error::{SourceId, Span},
///     template::{
///         eval::{EmptyScope, Evaluator, Functions, Options},
///         syntax::{Expr, ExprKind, Literal, UnaryOp},
///     },
///     value::Value,
/// };
///
/// let span = Span::new(SourceId(0), 0, 2);
/// let two = Expr::new(ExprKind::Literal(Literal::Number("2".into())), span);
/// let expr = Expr::new(ExprKind::Unary(UnaryOp::Negate, Box::new(two)), span);
///
/// let functions = Functions::standard();
/// let mut evaluator = Evaluator::new(&EmptyScope, &functions, Options::default());
/// assert_eq!(evaluator.eval(&expr), Value::number(-2));
/// let outcome = evaluator.finish();
/// assert!(outcome.diagnostics.is_empty() && !outcome.pending);
/// ```
pub struct Evaluator<'a> {
    pub(super) scope: &'a dyn Scope,
    pub(super) functions: &'a Functions,
    pub(super) context: Context<'a>,
    diagnostics: Vec<Diagnostic>,
    /// The budget ran out: nothing is evaluated any more.
    exhausted: bool,
    pub(super) pending: bool,
    /// Some reference gave a value that is not wholly known: what `try` and `can` must not decide by.
    pub(super) met_unknown: bool,
    /// How many splats over something marked surround what is evaluated: what is inside must not be told of either.
    pub(super) concealed: u32,
    /// How many conditionals surround what is evaluated whose other arm is taken: only its type counts.
    pub(super) typing: u32,
    depth: u32,
}

/// What an evaluator has found out besides values.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Every problem, in order of place.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether the host answered [`Pending`](super::Resolution::Pending) to something: ask again later.
    pub pending: bool,
}

impl<'a> Evaluator<'a> {
    /// Returns an evaluator that has seen nothing yet.
    pub fn new(scope: &'a dyn Scope, functions: &'a Functions, options: Options<'a>) -> Self {
        Self {
            scope,
            functions,
            context: Context::new(options),
            diagnostics: Vec::new(),
            exhausted: false,
            pending: false,
            met_unknown: false,
            concealed: 0,
            typing: 0,
            depth: 0,
        }
    }

    /// Returns the value of an expression; unknown where it has a problem or the host is not ready.
    pub fn eval(&mut self, expr: &Expr) -> Value {
        self.expr(expr, None)
    }

    /// Returns the value of an expression that may use some variables by their bare names, before what the scope has.
    pub fn eval_with(&mut self, expr: &Expr, variables: &[(&str, Value)]) -> Value {
        self.with_variables(variables, None, &mut |evaluator, frame| evaluator.expr(expr, frame))
    }

    /// Returns the value of an expression converted to a type.
    pub fn eval_as(&mut self, expr: &Expr, ty: &Type) -> Value {
        let value = self.eval(expr);
        self.converted(value, ty, expr.span)
    }

    /// Returns whether the host has answered [`Pending`](super::Resolution::Pending) so far.
    pub fn is_pending(&self) -> bool {
        self.pending
    }

    /// Returns whether some problem is an error so far.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.has_errors()
    }

    /// Returns what was found.
    pub fn finish(mut self) -> Findings {
        self.diagnostics.tidy();
        Findings { diagnostics: self.diagnostics, pending: self.pending }
    }

    pub(super) fn with_variables<T>(
        &mut self,
        variables: &[(&str, Value)],
        outer: Option<&Frame<'_>>,
        run: &mut dyn FnMut(&mut Self, Option<&Frame<'_>>) -> T,
    ) -> T {
        match variables.split_first() {
            None => run(self, outer),
            Some(((name, value), rest)) => {
                let frame = Frame::variable(name, value, outer);
                self.with_variables(rest, Some(&frame), run)
            }
        }
    }

    pub(super) fn converted(&mut self, value: Value, ty: &Type, span: Span) -> Value {
        if value.has_type(ty) {
            return value;
        }
        match convert(&value, ty) {
            Ok(converted) => converted,
            Err(error) => {
                let marks = value.marks_deep();
                self.report(Diagnostic::error("eval.type", error.to_string()).at(span));
                Value::unknown(ty.without_optional()).with_marks(marks)
            }
        }
    }

    /// Reports a problem and returns what stands for the part that has it.
    pub(super) fn fail(&mut self, diagnostic: Diagnostic) -> Value {
        self.report(diagnostic);
        Value::unknown(Type::Any)
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        /// Problems that are kept; nobody reads more.
        const MOST: usize = 500;
        if self.diagnostics.len() < MOST {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports that the budget is used up; evaluation stops.
    pub(super) fn exhaust(&mut self, problem: Problem, span: Span) -> Value {
        if !self.exhausted {
            self.exhausted = true;
            let mut diagnostic = Diagnostic::error(problem.code, problem.message).at(span);
            diagnostic.help = problem.help;
            self.diagnostics.push(diagnostic);
        }
        Value::unknown(Type::Any)
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    pub(super) fn problem_count(&self) -> usize {
        self.diagnostics.len()
    }

    /// Forgets the problems after the first `count`, but for those that no other value could mend.
    pub(super) fn forget_problems(&mut self, count: usize) {
        let mut idx = 0;
        self.diagnostics.retain(|diagnostic| {
            idx += 1;
            idx <= count || matches!(&*diagnostic.code, "eval.budget" | "template.reference" | "template.unsupported")
        });
    }

    /// After one of several elements: forgets its problems if an element before it had some, so that `first` is their count.
    pub(super) fn keep_first_problems(&mut self, before: usize, first: &mut Option<usize>) {
        match *first {
            Some(count) if !self.is_exhausted() => self.diagnostics.truncate(count),
            None if self.problem_count() > before => *first = Some(self.problem_count()),
            _ => {}
        }
    }

    pub(super) fn problems_since(&self, count: usize) -> &[Diagnostic] {
        self.diagnostics.get(count..).unwrap_or(&[])
    }

    /// Rewrites the problems after the first `count`.
    pub(super) fn map_problems_since(&mut self, count: usize, rewrite: impl FnMut(Diagnostic) -> Diagnostic) {
        let later = self.diagnostics.split_off(count.min(self.diagnostics.len()));
        self.diagnostics.extend(later.into_iter().map(rewrite));
    }

    /// Takes room for elements; `None` when there is none left, which is then reported.
    pub(super) fn room(&mut self, count: usize, span: Span) -> Option<()> {
        match self.context.spend_elements(count) {
            Ok(()) => Some(()),
            Err(problem) => {
                self.exhaust(problem, span);
                None
            }
        }
    }

    pub(super) fn expr(&mut self, expr: &Expr, frame: Option<&Frame<'_>>) -> Value {
        if self.exhausted {
            return Value::unknown(Type::Any);
        }
        let limit = self.context.options().budget.depth;
        if self.depth >= limit {
            let problem = Problem::budget(format!("more than {limit} expressions inside one another"));
            return self.exhaust(problem.help("split the expression into locals"), expr.span);
        }
        self.depth += 1;
        let value = match &expr.kind {
            ExprKind::Literal(literal) => self.literal(literal, expr.span),
            ExprKind::Traversal(traversal) => self.traversal(traversal, frame),
            ExprKind::Relative(relative) => self.relative(relative, frame),
            ExprKind::Index(index) => self.index(index, &[], frame),
            ExprKind::Paren(inner) => self.expr(inner, frame),
            ExprKind::Template(template) => self.template(template, expr.span, frame),
            ExprKind::Binary(binary) => self.binary(binary, frame),
            ExprKind::Unary(op, operand) => self.unary(*op, operand, expr.span, frame),
            ExprKind::Conditional(conditional) => self.conditional(conditional, expr.span, frame),
            ExprKind::Call(call) => self.shared(expr, frame, |this| this.call(call, expr.span, frame)),
            ExprKind::Tuple(items) => self.tuple(items, expr.span, frame),
            ExprKind::Object(items) => self.object(items, expr.span, frame),
            ExprKind::ForTuple(each) => self.shared(expr, frame, |this| this.for_tuple(each, expr.span, frame)),
            ExprKind::ForObject(each) => self.shared(expr, frame, |this| this.for_object(each, expr.span, frame)),
            ExprKind::Splat(splat) => self.shared(expr, frame, |this| this.splat(splat, expr.span, frame)),
            ExprKind::SplatItem => match super::frame::find_item(frame) {
                Some(item) => item.clone(),
                None => Value::unknown(Type::Any),
            },
            // A problem was reported when the text was read.
            ExprKind::Invalid => Value::unknown(Type::Any),
        };
        self.depth -= 1;
        value
    }

    pub(super) fn literal(&mut self, literal: &Literal, span: Span) -> Value {
        match literal {
            Literal::Null => Value::null(Type::Any),
            Literal::Bool(value) => Value::bool(*value),
            Literal::String(text) => Value::string(std::sync::Arc::clone(text)),
            Literal::Number(text) => match Number::parse(text) {
                Ok(number) => Value::number(number),
                Err(_) => self.fail(
                    Diagnostic::error("eval.number", "the number is too large or too small to work with").at(span),
                ),
            },
        }
    }

    /// Evaluates an expression unless the scope knows what it comes to. Inside of loops nobody does.
    fn shared(&mut self, expr: &Expr, frame: Option<&Frame<'_>>, run: impl FnOnce(&mut Self) -> Value) -> Value {
        if frame.is_some() {
            return run(self);
        }
        match self.scope.recall(expr, self.typing > 0) {
            Recall::Never => run(self),
            Recall::Known { value, met_unknown } => {
                self.met_unknown |= met_unknown;
                value
            }
            Recall::Wanted => {
                let before = self.problem_count();
                let pending = std::mem::replace(&mut self.pending, false);
                let met_unknown = std::mem::replace(&mut self.met_unknown, false);
                let value = run(self);
                let sound = self.problem_count() == before && !self.pending && !self.exhausted;
                self.scope.remember(expr, self.typing > 0, sound.then(|| (value.clone(), self.met_unknown)));
                self.pending |= pending;
                self.met_unknown |= met_unknown;
                value
            }
        }
    }

    /// Evaluates an expression that decides what else is evaluated. Returns also whether the host does not have it yet: then
    /// nothing behind it is asked for, since it may turn out not to be wanted.
    pub(super) fn deciding(&mut self, expr: &Expr, frame: Option<&Frame<'_>>) -> (Value, bool) {
        let pending = std::mem::replace(&mut self.pending, false);
        let value = self.expr(expr, frame);
        let waits = std::mem::replace(&mut self.pending, pending);
        self.pending |= waits;
        (value, waits)
    }

    /// Evaluates what may be wanted once more is known, for what it refers to and nothing else: its problems are told when
    /// it is wanted.
    pub(super) fn touch<T>(&mut self, run: impl FnOnce(&mut Self) -> T) {
        let (before, observed) = (self.problem_count(), self.context.observed());
        run(self);
        self.context.forget_observed(observed);
        self.forget_problems(before);
    }

    #[inline(never)]
    fn tuple(&mut self, items: &[Expr], span: Span, frame: Option<&Frame<'_>>) -> Value {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            values.push(self.expr(item, frame));
        }
        match self.room(values.len(), span) {
            Some(()) => Value::tuple(values),
            None => Value::unknown(Type::Any),
        }
    }

    #[inline(never)]
    fn object(&mut self, items: &[ObjectItem], span: Span, frame: Option<&Frame<'_>>) -> Value {
        let mut entries = Vec::with_capacity(items.len());
        let mut marks = Marks::NONE;
        let mut known = true;
        for item in items {
            let key = match &item.key {
                ObjectKey::Ident(name) => Some(std::sync::Arc::clone(&name.name)),
                ObjectKey::Expr(key) if matches!(key.kind, ExprKind::Traversal(_)) => {
                    self.report(
                        Diagnostic::error("eval.object_key", "a key that reads like a reference may mean two things")
                            .at(key.span)
                            .help("put it in parentheses to use its value, in quotes to use its letters"),
                    );
                    None
                }
                ObjectKey::Expr(key) => {
                    let before = self.problem_count();
                    let value = self.expr(key, frame);
                    marks |= value.marks_deep();
                    // Of a key with a problem nothing is told, even where something is left of it.
                    let key = self.object_key(&value, key.span).ok().flatten();
                    key.filter(|_| self.problem_count() == before)
                }
            };
            let value = self.expr(&item.value, frame);
            match key {
                Some(key) => entries.push((key, value)),
                None => known = false,
            }
        }
        match self.room(entries.len(), span) {
            Some(()) if known => Value::object(entries).with_marks(marks),
            // As in Terraform: not even marks are known of it.
            _ => Value::unknown(Type::Any),
        }
    }

    /// Returns a value as the key of an object; `None` where it is not known. An error where it is none, which is reported.
    pub(super) fn object_key(&mut self, value: &Value, span: Span) -> Result<Option<std::sync::Arc<str>>, NoKey> {
        if value.is_null() {
            self.report(
                Diagnostic::error("eval.object_key", "a key must not be null")
                    .label(span, "is null")
                    .help("use `coalesce` to put another key in place of null"),
            );
            return Err(NoKey);
        }
        match convert(value, &Type::String) {
            Ok(key) => Ok(match key.kind() {
                crate::value::Kind::String(text) => Some(std::sync::Arc::clone(text)),
                _ => None,
            }),
            Err(_) => {
                let ty = value.ty().friendly_name();
                self.report(Diagnostic::error("eval.object_key", format!("a key is a text, not {ty}")).at(span));
                Err(NoKey)
            }
        }
    }
}

/// A value was no key of an object, which was reported.
#[derive(Debug)]
pub(super) struct NoKey;

impl fmt::Debug for Evaluator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evaluator")
            .field("diagnostics", &self.diagnostics)
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

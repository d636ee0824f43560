use std::sync::{Arc, LazyLock};

use crate::{
    error::{Diagnostics, Span},
    template::{
        Edition,
        eval::{Budget, EmptyScope, Evaluator, Functions, Options},
        syntax::{Expr, ExprKind, Ident, Literal, ObjectKey, StepKind, TemplatePart, Traversal},
    },
    value::{Kind, Type, Value},
};

/// The functions that expressions of forms can call: those of templates. Those that read files or look at the world are
/// refused when a form is read.
pub(super) static FUNCTIONS: LazyLock<Functions> = LazyLock::new(Functions::standard);

/// A value that may hang on what other fields hold.
///
/// Every reference is at once a dependency (the value is worked out again when the field changes) and a gate (it is not
/// known before the field is filled in).
#[derive(Clone, Debug)]
pub struct Expression {
    /// With each reference to a field made a plain name that [`FieldPath::key`] spells.
    pub(super) expr: Arc<Expr>,
    /// What it refers to; each place once.
    pub references: Vec<FieldPath>,
    /// Where it stands.
    pub span: Span,
    /// The value of one without references.
    pub(super) constant: Option<Value>,
    /// Whether it is nothing but its only reference.
    pub(super) is_direct: bool,
}

/// A part of what a field holds: `app_target.subnet.zone`.
#[derive(Clone, Debug)]
pub struct FieldPath {
    /// As it is written.
    pub key: Arc<str>,
    /// The name of the field.
    pub field: Arc<str>,
    /// The steps into its value: names of attributes, or digits.
    pub steps: Vec<Arc<str>>,
    /// Where it stands.
    pub span: Span,
    /// Where the field is, once that was looked up.
    pub(super) target: Option<Target>,
}

/// The declarations that a name stands for.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// How many lists further out; 0 is beside.
    pub(super) level: usize,
    /// Indices among the fields there.
    pub(super) fields: Arc<[usize]>,
}

/// What an expression came to.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) value: Value,
    /// What was wrong, free of secrets.
    pub(super) problem: Option<String>,
}

impl Expression {
    /// Makes an expression of what was read.
    pub(super) fn new(expr: Expr) -> Self {
        let span = expr.span;
        let mut expr = expr;
        let mut rewrite = Rewrite { scope: Vec::new(), references: Vec::new() };
        rewrite.expr(&mut expr);
        let references = rewrite.references;
        let is_direct = references.len() == 1 && is_plain(&expr);
        let mut expression = Self { expr: Arc::new(expr), references, span, constant: None, is_direct };
        if expression.references.is_empty() {
            let outcome = expression.run(&[]);
            expression.constant = outcome.problem.is_none().then_some(outcome.value);
        }
        expression
    }

    /// Returns an expression that is a value.
    pub(super) fn of(value: Value, span: Span) -> Self {
        let expr = Arc::new(Expr::new(ExprKind::Literal(Literal::Null), span));
        Self { expr, references: Vec::new(), span, constant: Some(value), is_direct: false }
    }

    /// Returns the value, if it does not hang on any field.
    pub fn constant(&self) -> Option<&Value> {
        self.constant.as_ref()
    }

    /// Returns the reference that it is, if it is nothing else.
    pub fn as_reference(&self) -> Option<&FieldPath> {
        self.references.first().filter(|_| self.is_direct)
    }

    /// Evaluates it. `look` gives what each reference stands for.
    pub(super) fn eval(&self, look: &mut dyn FnMut(&FieldPath) -> Value) -> Outcome {
        if let Some(value) = &self.constant {
            return Outcome { value: value.clone(), problem: None };
        }
        if let Some(reference) = self.as_reference() {
            return Outcome { value: look(reference), problem: None };
        }
        let values: Vec<(&str, Value)> = self.references.iter().map(|path| (&*path.key, look(path))).collect();
        let outcome = self.run(&values);
        // What is absent is no mistake: whatever is made of it is absent, too.
        if outcome.problem.is_some() && values.iter().any(|(_, value)| value.is_null()) {
            return Outcome { value: Value::null(Type::Any), problem: None };
        }
        outcome
    }

    fn run(&self, values: &[(&str, Value)]) -> Outcome {
        // Forms are evaluated at every key press, and those of strangers, too.
        let budget = Budget { elements: 100_000, text_bytes: 1 << 20, ..Budget::default() };
        let options = Options { edition: Edition::Stackwright, budget, ..Options::default() };
        let mut evaluator = Evaluator::new(&EmptyScope, &FUNCTIONS, options);
        let value = evaluator.eval_with(&self.expr, values);
        let findings = evaluator.finish();
        let failed = findings.diagnostics.has_errors();
        let problem =
            findings.diagnostics.into_iter().find(|problem| problem.is_error()).map(|problem| problem.message);
        Outcome { value: if failed { Value::null(Type::Any) } else { value }, problem }
    }
}

impl FieldPath {
    /// Returns the part of a field's value. What a value does not have is null.
    pub(super) fn within(&self, value: &Value) -> Value {
        let mut marks = value.marks();
        let mut at = value;
        for step in &self.steps {
            let part = match at.kind() {
                Kind::Unknown(_) => return Value::unknown(Type::Any).with_marks(marks),
                Kind::Object(_) | Kind::Map(_) => at.attribute(step),
                Kind::List(_) | Kind::Tuple(_) => step.parse().ok().and_then(|idx| at.element_at(idx)),
                _ => None,
            };
            let Some(part) = part else { return Value::null(Type::Any).with_marks(marks) };
            marks |= part.marks();
            at = part;
        }
        at.clone().with_marks(marks)
    }

    /// Returns the type of the part, given the type of the field's value; `None` where the value has no such part.
    pub(super) fn type_within(&self, ty: &Type) -> Option<Type> {
        let mut at = ty.clone();
        for step in &self.steps {
            at = match &at {
                Type::Any => return Some(Type::Any),
                Type::Object(object) => object.attributes.get(step)?.clone(),
                Type::Map(element) => (**element).clone(),
                Type::List(element) if step.parse::<usize>().is_ok() => (**element).clone(),
                Type::Tuple(types) => step.parse().ok().and_then(|idx: usize| types.get(idx))?.clone(),
                _ => return None,
            };
        }
        Some(at)
    }
}

/// Returns whether an expression is a reference and nothing else, `"${x.y}"` included.
fn is_plain(expr: &Expr) -> bool {
    match &expr.unparen().kind {
        ExprKind::Traversal(_) => true,
        ExprKind::Template(template) => template.unwrapped().is_some_and(is_plain),
        _ => false,
    }
}

/// Makes each reference a plain name, so that what stands for it can be looked up as a whole: a part of what is absent is
/// absent, not a mistake.
struct Rewrite {
    scope: Vec<Arc<str>>,
    references: Vec<FieldPath>,
}

impl Rewrite {
    fn traversal(&mut self, traversal: &mut Traversal) {
        if self.scope.contains(&traversal.root.name) {
            return;
        }
        let mut key = traversal.root.name.to_string();
        let mut steps = Vec::with_capacity(traversal.steps.len());
        for step in &traversal.steps {
            let (text, is_attribute) = match &step.kind {
                StepKind::Attr(name) => (Arc::clone(name), true),
                StepKind::Index(Literal::String(name)) => (Arc::clone(name), false),
                StepKind::Index(literal) => (Arc::from(literal.to_string()), false),
                StepKind::LegacyIndex(number) => (Arc::clone(number), false),
            };
            match is_attribute {
                true => key.extend([".", &*text]),
                false => key.extend(["[", &*text, "]"]),
            }
            steps.push(text);
        }
        let key: Arc<str> = key.into();
        let span = traversal.span();
        if !self.references.iter().any(|known| known.key == key) {
            let field = Arc::clone(&traversal.root.name);
            self.references.push(FieldPath { key: Arc::clone(&key), field, steps, span, target: None });
        }
        traversal.root = Ident { name: key, span };
        traversal.steps.clear();
    }

    fn bound(&mut self, names: &[Option<&Ident>], run: &mut dyn FnMut(&mut Self)) {
        let height = self.scope.len();
        self.scope.extend(names.iter().flatten().map(|ident| Arc::clone(&ident.name)));
        run(self);
        self.scope.truncate(height);
    }

    fn expr(&mut self, expr: &mut Expr) {
        match &mut expr.kind {
            ExprKind::Literal(_) | ExprKind::SplatItem | ExprKind::Invalid => {}
            ExprKind::Traversal(traversal) => self.traversal(traversal),
            ExprKind::Template(template) => self.parts(&mut template.parts),
            ExprKind::Tuple(items) => items.iter_mut().for_each(|item| self.expr(item)),
            ExprKind::Object(items) => {
                for item in items {
                    match &mut item.key {
                        // A bare key such as `a.b` is for the evaluator to refuse.
                        ObjectKey::Expr(key) if !matches!(key.kind, ExprKind::Traversal(_)) => self.expr(key),
                        ObjectKey::Ident(_) | ObjectKey::Expr(_) => {}
                    }
                    self.expr(&mut item.value);
                }
            }
            ExprKind::ForTuple(each) => {
                self.expr(&mut each.collection);
                let names = [each.key.clone(), Some(each.value.clone())];
                self.bound(&[names[0].as_ref(), names[1].as_ref()], &mut |this| {
                    this.expr(&mut each.body);
                    each.condition.iter_mut().for_each(|condition| this.expr(condition));
                });
            }
            ExprKind::ForObject(each) => {
                self.expr(&mut each.collection);
                let names = [each.key.clone(), Some(each.value.clone())];
                self.bound(&[names[0].as_ref(), names[1].as_ref()], &mut |this| {
                    this.expr(&mut each.body_key);
                    this.expr(&mut each.body_value);
                    each.condition.iter_mut().for_each(|condition| this.expr(condition));
                });
            }
            ExprKind::Call(call) => {
                // The second argument of `convert` is a type.
                let is_convert = matches!(&*call.full_name(), "convert" | "core::convert") && call.args.len() == 2;
                let count = if is_convert { 1 } else { call.args.len() };
                call.args.iter_mut().take(count).for_each(|arg| self.expr(arg));
            }
            ExprKind::Unary(_, inner) | ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Binary(binary) => {
                self.expr(&mut binary.left);
                self.expr(&mut binary.right);
            }
            ExprKind::Conditional(conditional) => {
                self.expr(&mut conditional.condition);
                self.expr(&mut conditional.then);
                self.expr(&mut conditional.otherwise);
            }
            ExprKind::Relative(relative) => self.expr(&mut relative.source),
            ExprKind::Index(index) => {
                self.expr(&mut index.collection);
                self.expr(&mut index.key);
            }
            ExprKind::Splat(splat) => {
                self.expr(&mut splat.source);
                self.expr(&mut splat.each);
            }
        }
    }

    fn parts(&mut self, parts: &mut [TemplatePart]) {
        for part in parts {
            match part {
                TemplatePart::Literal { .. } => {}
                TemplatePart::Interpolation { expr, .. } => self.expr(expr),
                TemplatePart::If(part) => {
                    self.expr(&mut part.condition);
                    self.parts(&mut part.then);
                    self.parts(&mut part.otherwise);
                }
                TemplatePart::For(part) => {
                    self.expr(&mut part.collection);
                    let names = [part.key.clone(), Some(part.value.clone())];
                    self.bound(&[names[0].as_ref(), names[1].as_ref()], &mut |this| this.parts(&mut part.body));
                }
            }
        }
    }
}

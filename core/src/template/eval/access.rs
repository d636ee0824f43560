//! References, attributes, indexes and splats.

use std::sync::Arc;

use super::{
    Evaluator, Request, Resolution,
    frame::{self, Found, Frame},
};
use crate::{
    address::{InstanceKey, Mode},
    error::{Diagnostic, Span, suggest},
    template::syntax::{self, Expr, ExprKind, Index, Literal, Relative, Splat, Step, StepKind, Tail, Traversal},
    value::{Kind, Number, Refinement, Type, Value, ValueError, unify_values},
};

/// A computed index behind a reference, and where it stands.
type Key<'k> = Option<(&'k Value, Span)>;

impl Evaluator<'_> {
    #[inline(never)]
    pub(super) fn traversal(&mut self, traversal: &Traversal, frame: Option<&Frame<'_>>) -> Value {
        self.reference(traversal, None, &[], frame)
    }

    #[inline(never)]
    pub(super) fn relative(&mut self, relative: &Relative, frame: Option<&Frame<'_>>) -> Value {
        if let ExprKind::Index(index) = &relative.source.kind {
            return self.index(index, &relative.steps, frame);
        }
        let value = self.expr(&relative.source, frame);
        self.steps(value, &relative.steps)
    }

    /// Evaluates the key first: it says which instance of a resource is wanted.
    #[inline(never)]
    pub(super) fn index(&mut self, index: &Index, behind: &[Step], frame: Option<&Frame<'_>>) -> Value {
        let (key, waits) = self.deciding(&index.key, frame);
        let value = match &index.collection.kind {
            // Which instance is meant is not known yet, and so not that all of them are.
            ExprKind::Traversal(traversal)
                if waits && Shape::of(traversal).is_some_and(|(shape, _)| shape.has_instances()) =>
            {
                return Value::unknown(Type::Any);
            }
            ExprKind::Traversal(traversal) => {
                return self.reference(traversal, Some((&key, index.key.span)), behind, frame);
            }
            _ => self.expr(&index.collection, frame),
        };
        let value = self.index_by(&value, &key, index.key.span);
        self.steps(value, behind)
    }

    fn reference(&mut self, traversal: &Traversal, key: Key<'_>, behind: &[Step], frame: Option<&Frame<'_>>) -> Value {
        let name = traversal.root_name();
        let before = self.problem_count();
        let value = match frame::find(frame, name) {
            Found::Value(value) => {
                let value = self.steps(value.clone(), &traversal.steps);
                let value = match key {
                    Some((key, span)) => self.index_by(&value, key, span),
                    None => value,
                };
                self.steps(value, behind)
            }
            Found::Closed(template) => {
                let message = format!("the template `{template}` has no variable `{name}`");
                let help = match suggest(name, frame::names(frame)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("pass it along with the others: `{{ {name} = … }}`"),
                };
                let problem = Diagnostic::error("eval.template_variable", message).at(traversal.root.span);
                return self.fail(problem.help(help));
            }
            Found::Outside => self.outside(traversal, key, behind),
        };
        // What stands for a part with a problem is unknown, too, but not because something is yet to come.
        self.met_unknown |= !value.is_wholly_known() && self.problem_count() == before;
        value
    }

    /// Asks the host for exactly what is used.
    fn outside(&mut self, traversal: &Traversal, key: Key<'_>, behind: &[Step]) -> Value {
        let steps = traversal.steps.as_slice();
        let Some((shape, base)) = Shape::of(traversal) else { return self.malformed(traversal) };
        // The instance, by a literal or a computed key right behind the name.
        let literal = steps.get(base).and_then(instance_of_step).filter(|_| shape.has_instances());
        if let Some(step) = steps
            .get(base)
            .filter(|step| literal.is_none() && shape.has_instances() && !matches!(step.kind, StepKind::Attr(_)))
        {
            // No instance can have such a key, whatever is there.
            let problem = Diagnostic::error("eval.part", "the key of an instance is a whole number or a text");
            return self.fail(problem.at(step.span));
        }
        let computed = match key {
            Some((key, _)) if steps.len() == base && shape.has_instances() => instance_of_value(key),
            _ => None,
        };
        let instance = literal.as_ref().or(computed.as_ref());
        let mut used = base + usize::from(literal.is_some());
        let mut used_behind = 0;
        let output = match shape {
            Shape::Module(_) if computed.is_some() => {
                let output = behind.first().and_then(Step::as_attr);
                used_behind = usize::from(output.is_some());
                output
            }
            Shape::Module(_) => {
                let output = steps.get(used).and_then(Step::as_attr);
                used += usize::from(output.is_some());
                output
            }
            _ => None,
        };
        let request = shape.request(instance, output);
        let span =
            steps.get(used.wrapping_sub(1)).map_or(traversal.root.span, |step| traversal.root.span.to(step.span));
        let answer = match self.typing {
            0 => self.scope.resolve(&request, span),
            _ => self.scope.resolve_type(&request, span),
        };
        let value = match answer {
            Resolution::Value(value) => value,
            Resolution::Pending => {
                self.pending = true;
                Value::unknown(Type::Any)
            }
            Resolution::Failed(diagnostic) => return self.fail(diagnostic),
        };
        let value = self.steps(value, steps.get(used..).unwrap_or(&[]));
        let value = match key {
            Some((key, _)) if computed.is_some() => value.with_marks(key.marks()),
            Some((key, span)) => self.index_by(&value, key, span),
            None => value,
        };
        self.steps(value, behind.get(used_behind..).unwrap_or(&[]))
    }

    #[cold]
    fn malformed(&mut self, traversal: &Traversal) -> Value {
        let span = traversal.span();
        let reference = syntax::Reference { traversal, tail: Tail::None, span };
        let problem = crate::template::resolve(&reference).err().unwrap_or_else(|| {
            Diagnostic::error("template.reference", format!("`{}` refers to nothing", traversal.root_name())).at(span)
        });
        self.fail(problem)
    }

    pub(super) fn steps(&mut self, mut value: Value, steps: &[Step]) -> Value {
        for step in steps {
            value = match &step.kind {
                StepKind::Attr(name) => match value.get_attr(name) {
                    Ok(part) => part,
                    Err(error) => return self.no_part(&value, &error, Some(name), step.span),
                },
                StepKind::Index(literal) => {
                    let key = self.literal(literal, step.span);
                    self.index_by(&value, &key, step.span)
                }
                StepKind::LegacyIndex(digits) => {
                    let key = self.literal(&Literal::Number(Arc::clone(digits)), step.span);
                    self.index_by(&value, &key, step.span)
                }
            };
        }
        value
    }

    fn index_by(&mut self, value: &Value, key: &Value, span: Span) -> Value {
        match value.index(key) {
            Ok(part) => part,
            Err(error) => {
                let name = key.as_str().filter(|_| key.marks().is_empty());
                self.no_part(value, &error, name, span)
            }
        }
    }

    /// Reports that a part is not there. Names inside what is marked are not told.
    #[cold]
    fn no_part(&mut self, value: &Value, error: &ValueError, name: Option<&str>, span: Span) -> Value {
        let is_secret = !value.marks().is_empty() || self.concealed > 0;
        let message = match error {
            ValueError::NoMapElement { .. } | ValueError::NoElement { .. } | ValueError::WrongKey { .. }
                if is_secret || name.is_none() =>
            {
                match error {
                    ValueError::NoElement { reason } if !is_secret && !reason.is_empty() => error.to_string(),
                    _ => "there is no element at that key".to_owned(),
                }
            }
            ValueError::NoElement { reason: "" } => format!("there is no element `{}`", name.unwrap_or("")),
            error => error.to_string(),
        };
        let mut problem = Diagnostic::error("eval.part", lower_first(&message)).at(span);
        problem.help = self.part_help(value, error, name).filter(|_| !is_secret);
        self.fail(problem)
    }

    fn part_help(&self, value: &Value, error: &ValueError, name: Option<&str>) -> Option<String> {
        let objects = |ty: &Type, name: &str| match ty {
            Type::List(element) | Type::Set(element) => {
                element.as_object().is_some_and(|object| object.attributes.contains_key(name))
            }
            Type::Tuple(types) => {
                types.iter().any(|ty| ty.as_object().is_some_and(|object| object.attributes.contains_key(name)))
            }
            _ => false,
        };
        match error {
            ValueError::NoAttribute { .. } | ValueError::NoMapElement { .. } | ValueError::NoElement { .. }
                if let Some(name) = name =>
            {
                let names: Vec<Arc<str>> = match (value.fields(), value.ty()) {
                    (Some(fields), _) => fields.names().cloned().collect(),
                    (None, Type::Object(object)) => object.attributes.keys().cloned().collect(),
                    _ => Vec::new(),
                };
                if let Some(near) = suggest(name, names.iter().map(|name| &**name)) {
                    return Some(format!("did you mean `{near}`?"));
                }
                if names.is_empty() {
                    return Some("there is nothing in it".to_owned());
                }
                let shown: Vec<String> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
                let more = if names.len() > 8 { format!(" and {} more", names.len() - 8) } else { String::new() };
                Some(format!("there are {}{more}", shown.join(", ")))
            }
            ValueError::NoElement { .. } if value.items().is_some() => match value.len() {
                0 => Some("guard it: `length(…) > 0 ? … : …`, or use `one` or `try`".to_owned()),
                count => Some(format!("indexes go from 0 to {}", count - 1)),
            },
            ValueError::NoAttributes | ValueError::AttributeOfCollection { .. } => {
                let name = name.unwrap_or("name");
                objects(&value.ty(), name).then(|| {
                    format!("choose an element first, as in `[0].{name}`, or take all of them with `[*].{name}`")
                })
            }
            ValueError::IndexOfSet => Some("make it a list with `tolist` if its order does not matter".to_owned()),
            ValueError::AttributeOfNull | ValueError::IndexOfNull => {
                Some("guard it: `… == null ? … : …`, or use `try`".to_owned())
            }
            _ => None,
        }
    }

    #[inline(never)]
    pub(super) fn splat(&mut self, splat: &Splat, span: Span, frame: Option<&Frame<'_>>) -> Value {
        let source = self.expr(&splat.source, frame);
        let is_secret = !source.marks().is_empty();
        self.concealed += u32::from(is_secret);
        let value = self.splat_over(splat, source, span, frame);
        self.concealed -= u32::from(is_secret);
        value
    }

    fn splat_over(&mut self, splat: &Splat, source: Value, span: Span, frame: Option<&Frame<'_>>) -> Value {
        let marks = source.marks();
        let ty = source.ty();
        let is_sequence = matches!(ty, Type::Tuple(_) | Type::List(_) | Type::Set(_));
        if source.is_null() {
            if !is_sequence {
                return Value::tuple(Vec::new()).with_marks(marks);
            }
            let problem = Diagnostic::error("eval.null", "a null list has no elements to walk").at(splat.source.span);
            return self.fail(problem.help("use `coalesce` or `try` to put another list in place of null"));
        }
        if ty == Type::Any {
            self.touch(|this| this.each(&splat.each, &Value::unknown(Type::Any), frame));
            return Value::unknown(Type::Any).with_marks(marks);
        }
        if !is_sequence {
            // Anything else is its own only element; unless it may still turn out to be null, and so to have none.
            let may_be_null = !source.is_definitely_not_null();
            let before = self.problem_count();
            let item = self.each(&splat.each, &source, frame);
            if self.problem_count() > before {
                return self.splat_failed(splat, &Type::tuple([ty]), frame).with_marks(marks);
            }
            if may_be_null {
                return Value::unknown(Type::Any).with_marks(marks);
            }
            return Value::tuple(vec![item]).with_marks(marks);
        }
        let Some(items) = source.items() else {
            return self.splat_unknown(splat, &source, &ty, frame).with_marks(marks);
        };
        if self.room(items.len(), span).is_none() {
            return Value::unknown(Type::Any);
        }
        let mut values = Vec::with_capacity(items.len());
        let (problems, mut first) = (self.problem_count(), None);
        for item in items.iter() {
            values.push(self.each(&splat.each, item, frame));
            // Of several elements with a problem the first is enough, but all count for the type.
            self.keep_first_problems(problems, &mut first);
            if self.is_exhausted() {
                return Value::unknown(Type::Any);
            }
        }
        let element = match &ty {
            _ if first.is_some() => return self.splat_failed(splat, &ty, frame).with_marks(marks),
            Type::Tuple(_) => return Value::tuple(values).with_marks(marks),
            Type::List(element) | Type::Set(element) => element,
            _ => return Value::unknown(Type::Any),
        };
        let list = match values.first() {
            None => {
                let element = self.each(&splat.each, &Value::unknown((**element).clone()), frame).ty();
                let element = if self.problem_count() > problems { Type::Any } else { element };
                Value::list(element, values)
            }
            Some(first) => {
                let element = first.ty();
                match values.iter().all(|value| value.has_type(&element)) {
                    true => Value::list(element, values),
                    false => match unify_values(&values) {
                        Ok((element, values)) => Value::list(element, values),
                        Err(_) => Value::tuple(values),
                    },
                }
            }
        };
        list.with_marks(marks)
    }

    fn each(&mut self, each: &Expr, item: &Value, frame: Option<&Frame<'_>>) -> Value {
        self.expr(each, Some(&Frame::item(item, frame)))
    }

    /// What comes of sources of a type, told without their elements.
    fn splat_type(&mut self, splat: &Splat, ty: &Type, frame: Option<&Frame<'_>>) -> Type {
        let mut of = |ty: &Type| self.each(&splat.each, &Value::unknown(ty.clone()), frame).ty();
        match ty {
            Type::Tuple(types) => Type::tuple(types.iter().map(of).collect::<Vec<_>>()),
            Type::List(element) | Type::Set(element) => Type::list(of(element)),
            _ => Type::Any,
        }
    }

    /// An element had a problem, which is told already: of all of it only the type is left.
    #[cold]
    fn splat_failed(&mut self, splat: &Splat, ty: &Type, frame: Option<&Frame<'_>>) -> Value {
        let mut result = Type::Any;
        self.touch(|this| result = this.splat_type(splat, ty, frame));
        Value::unknown(result)
    }

    /// The elements are not known yet, but their type is.
    fn splat_unknown(&mut self, splat: &Splat, source: &Value, ty: &Type, frame: Option<&Frame<'_>>) -> Value {
        let ty = self.splat_type(splat, ty, frame);
        let refinement = match source.length_bounds() {
            Some((min, max)) if source.is_definitely_not_null() => Refinement::not_null().with_length(min, max),
            _ => Refinement::not_null(),
        };
        Value::unknown_with(ty, refinement)
    }
}

/// What a reference refers to, by its first words.
enum Shape<'r> {
    Variable(&'r str),
    Local(&'r str),
    Resource(Mode, &'r str, &'r str),
    Module(&'r str),
    Plain(Request<'static>),
}

impl<'r> Shape<'r> {
    /// Returns the shape, and how many steps name it. `None` where the reference is malformed.
    fn of(traversal: &'r Traversal) -> Option<(Self, usize)> {
        let attr = |idx| traversal.attr(idx);
        let shape = match traversal.root_name() {
            "var" => (Self::Variable(attr(0)?), 1),
            "local" => (Self::Local(attr(0)?), 1),
            "module" => (Self::Module(attr(0)?), 1),
            "data" => (Self::Resource(Mode::Data, attr(0)?, attr(1)?), 2),
            "ephemeral" => (Self::Resource(Mode::Ephemeral, attr(0)?, attr(1)?), 2),
            "resource" => (Self::Resource(Mode::Managed, attr(0)?, attr(1)?), 2),
            "self" => (Self::Plain(Request::SelfObject), 0),
            "each" => match attr(0)? {
                "key" => (Self::Plain(Request::EachKey), 1),
                "value" => (Self::Plain(Request::EachValue), 1),
                _ => return None,
            },
            "count" if attr(0)? == "index" => (Self::Plain(Request::CountIndex), 1),
            "path" => match attr(0)? {
                "module" => (Self::Plain(Request::PathModule), 1),
                "root" => (Self::Plain(Request::PathRoot), 1),
                "cwd" => (Self::Plain(Request::PathCwd), 1),
                _ => return None,
            },
            "terraform" if attr(0)? == "workspace" => (Self::Plain(Request::Workspace), 1),
            "terraform" if attr(0)? == "applying" => (Self::Plain(Request::Applying), 1),
            "count" | "terraform" => return None,
            root => (Self::Resource(Mode::Managed, root, attr(0)?), 1),
        };
        Some(shape)
    }

    fn has_instances(&self) -> bool {
        matches!(self, Self::Resource(..) | Self::Module(_))
    }

    fn request<'q>(self, key: Option<&'q InstanceKey>, output: Option<&'q str>) -> Request<'q>
    where
        'r: 'q,
    {
        match self {
            Self::Variable(name) => Request::Variable(name),
            Self::Local(name) => Request::Local(name),
            Self::Resource(mode, type_name, name) => Request::Resource { mode, type_name, name, key },
            Self::Module(name) => Request::Module { name, key, output },
            Self::Plain(request) => request,
        }
    }
}

fn instance_of_step(step: &Step) -> Option<InstanceKey> {
    match &step.kind {
        StepKind::Attr(_) => None,
        StepKind::LegacyIndex(digits) | StepKind::Index(Literal::Number(digits)) => {
            Number::parse(digits).ok()?.to_u64().map(InstanceKey::Int)
        }
        StepKind::Index(Literal::String(text)) => Some(InstanceKey::from(&**text)),
        StepKind::Index(_) => None,
    }
}

fn instance_of_value(key: &Value) -> Option<InstanceKey> {
    match key.kind() {
        Kind::Number(number) => number.to_u64().map(InstanceKey::Int),
        Kind::String(text) => Some(InstanceKey::Str(Arc::clone(text))),
        _ => None,
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

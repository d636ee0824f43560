//! `for` expressions.

use std::{collections::HashMap, sync::Arc};

use super::{Evaluator, frame::Frame};
use crate::{
    error::{Diagnostic, Span},
    template::syntax::{Expr, ForObject, ForTuple, Ident},
    value::{Kind, Marks, Type, Value, convert},
};

/// The variables of a loop.
#[derive(Clone, Copy)]
pub(super) struct Variables<'e> {
    pub(super) key: Option<&'e Ident>,
    pub(super) value: &'e Ident,
}

/// What a loop walks.
#[derive(Clone, Copy)]
pub(super) struct Source<'e> {
    pub(super) collection: &'e Expr,
    /// Which elements it lets in.
    pub(super) condition: Option<&'e Expr>,
}

/// Whether a loop lets an element in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    Yes,
    No,
    /// That is not known yet.
    Perhaps,
}

/// How a loop went on.
pub(super) enum Walk {
    /// Through every element.
    Done,
    /// The collection is not known, or something went wrong.
    Unknown,
}

impl Evaluator<'_> {
    #[inline(never)]
    pub(super) fn for_tuple(&mut self, each: &ForTuple, span: Span, frame: Option<&Frame<'_>>) -> Value {
        let mut marks = Marks::NONE;
        let mut values = Vec::new();
        let mut known = true;
        let variables = Variables { key: each.key.as_ref(), value: &each.value };
        let source = Source { collection: &each.collection, condition: each.condition.as_ref() };
        let walk = self.walk(source, variables, &mut marks, frame, &mut |this, marks, frame| {
            match this.keeps(each.condition.as_ref(), false, marks, &mut known, frame) {
                Keeps::Yes => {}
                Keeps::No => return,
                Keeps::Perhaps => return this.touch(|this| this.expr(&each.body, frame)),
            }
            let value = this.expr(&each.body, frame);
            if this.room(1, span).is_some() {
                values.push(value);
            }
        });
        match walk {
            Walk::Done if known => Value::tuple(values).with_marks(marks),
            _ => Value::unknown(Type::Any).with_marks(marks),
        }
    }

    #[inline(never)]
    pub(super) fn for_object(&mut self, each: &ForObject, span: Span, frame: Option<&Frame<'_>>) -> Value {
        let mut marks = Marks::NONE;
        let mut order: Vec<(Arc<str>, Vec<Value>)> = Vec::new();
        let mut places: HashMap<Arc<str>, usize> = HashMap::new();
        let mut known = true;
        let variables = Variables { key: each.key.as_ref(), value: &each.value };
        let source = Source { collection: &each.collection, condition: each.condition.as_ref() };
        let walk = self.walk(source, variables, &mut marks, frame, &mut |this, marks, frame| {
            match this.keeps(each.condition.as_ref(), true, marks, &mut known, frame) {
                Keeps::Yes => {}
                Keeps::No => return,
                Keeps::Perhaps => {
                    return this.touch(|this| {
                        this.expr(&each.body_key, frame);
                        this.expr(&each.body_value, frame);
                    });
                }
            }
            let key_value = this.expr(&each.body_key, frame);
            // Behind a key that is not known, what is wrong with keys is told when they are.
            let before = this.problem_count();
            let key = this.object_key(&key_value, each.body_key.span);
            // What is in something that is no key says nothing about the others.
            *marks |= if key.is_ok() { key_value.marks_deep() } else { key_value.marks() };
            let key = match key {
                Ok(Some(key)) => key,
                Ok(None) | Err(_) => {
                    if !known || !key_value.is_known() {
                        this.forget_problems(before);
                    }
                    known = false;
                    return this.touch(|this| drop(this.expr(&each.body_value, frame)));
                }
            };
            let value = this.expr(&each.body_value, frame);
            if this.room(1, span).is_none() {
                return;
            }
            match places.get(&key).and_then(|place| order.get_mut(*place)) {
                Some((_, values)) if each.group => values.push(value),
                Some(_) => {
                    let name = if marks.is_empty() { format!("`{key}`") } else { "that is sensitive".to_owned() };
                    let message = format!("two elements give the same key {name}");
                    this.report(
                        Diagnostic::error("eval.duplicate_key", message)
                            .at(each.body_key.span)
                            .help("write `...` after the value to collect the values of each key in a list"),
                    );
                }
                None => {
                    places.insert(Arc::clone(&key), order.len());
                    order.push((key, vec![value]));
                }
            }
        });
        match walk {
            Walk::Done if known => {
                let entries = order.into_iter().map(|(key, mut values)| match each.group {
                    true => (key, Value::tuple(values)),
                    false => (key, values.pop().unwrap_or_else(|| Value::null(Type::Any))),
                });
                Value::object(entries).with_marks(marks)
            }
            _ => Value::unknown(Type::Any).with_marks(marks),
        }
    }

    /// Reports what is wrong with a condition whatever the elements are, even if there are none. Adds the marks that it has
    /// whatever they are. False also where the host does not have it yet.
    fn can_decide(
        &mut self,
        condition: Option<&Expr>,
        variables: Variables<'_>,
        marks: &mut Marks,
        frame: Option<&Frame<'_>>,
    ) -> bool {
        let Some(condition) = condition else { return true };
        let (before, observed, met_unknown) = (self.problem_count(), self.context.observed(), self.met_unknown);
        let [key, item] = [(); 2].map(|()| Value::unknown(Type::Any));
        let mut is_pending = false;
        self.typing += 1;
        self.element(variables, &key, &item, marks, frame, &mut |this, marks, frame| {
            let (value, waits) = this.deciding(condition, frame);
            *marks |= value.marks_deep();
            if waits {
                is_pending = true;
                return;
            }
            match value.is_known() || convert(&value, &Type::Bool).is_ok() {
                true => drop(this.condition(&value, condition.span)),
                false => this.no_condition(&value, condition.span),
            }
        });
        self.typing -= 1;
        self.context.forget_observed(observed);
        self.met_unknown = met_unknown;
        !is_pending && self.problem_count() == before && !self.is_exhausted()
    }

    /// Asks the condition whether it lets an element in. `known` becomes false where that cannot be told. One that is not
    /// known yet and will be no bool is a problem only where `objects` are made, as in Terraform.
    fn keeps(
        &mut self,
        condition: Option<&Expr>,
        objects: bool,
        marks: &mut Marks,
        known: &mut bool,
        frame: Option<&Frame<'_>>,
    ) -> Keeps {
        let Some(condition) = condition else { return Keeps::Yes };
        let (value, waits) = self.deciding(condition, frame);
        *marks |= value.marks_deep();
        let before = self.problem_count();
        if objects && *known && !value.is_known() && convert(&value, &Type::Bool).is_err() {
            self.no_condition(&value, condition.span);
        }
        match self.condition(&value, condition.span) {
            Some(true) => Keeps::Yes,
            Some(false) => Keeps::No,
            None => {
                let has_failed = self.problem_count() > before;
                // Behind a condition that is not known, what is wrong with others is told when it is.
                if !*known {
                    self.forget_problems(before);
                }
                *known = false;
                if waits || has_failed { Keeps::No } else { Keeps::Perhaps }
            }
        }
    }

    /// Evaluates a collection and runs `body` for each element with the variables bound. Of their problems those of the first
    /// element that has any are told: the others would have the same.
    pub(super) fn walk(
        &mut self,
        Source { collection, condition }: Source<'_>,
        variables: Variables<'_>,
        marks: &mut Marks,
        frame: Option<&Frame<'_>>,
        body: &mut dyn FnMut(&mut Self, &mut Marks, Option<&Frame<'_>>),
    ) -> Walk {
        let (value, waits) = self.deciding(collection, frame);
        if value.ty() != Type::Any {
            *marks |= value.marks();
        }
        if value.is_null() {
            let problem = Diagnostic::error("eval.null", "a null collection cannot be walked")
                .label(collection.span, "is null")
                .help("use `coalesce` or `try` to put an empty collection in place of null");
            self.report(problem);
            *marks = Marks::NONE;
            return Walk::Unknown;
        }
        let mut of_condition = Marks::NONE;
        if value.ty() != Type::Any && !self.can_decide(condition, variables, &mut of_condition, frame) {
            // Nothing was looked at.
            *marks = Marks::NONE;
            return Walk::Unknown;
        }
        let (before, mut first) = (self.problem_count(), None);
        let mut each = |key: &Value, item: &Value| {
            self.element(variables, key, item, marks, frame, body);
            // Of several elements with a problem the first is enough, but all count for the type.
            self.keep_first_problems(before, &mut first);
            if self.is_exhausted() { Walk::Unknown } else { Walk::Done }
        };
        let go_on = |walk: &Walk| matches!(walk, Walk::Done);
        let ty = match value.kind() {
            Kind::List(items) | Kind::Tuple(items) => {
                let mut elements = items.iter().enumerate().map(|(idx, item)| each(&Value::number(idx), item));
                return elements.find(|walk| !go_on(walk)).unwrap_or(Walk::Done);
            }
            Kind::Set(items) => {
                return items.iter().map(|item| each(item, item)).find(|walk| !go_on(walk)).unwrap_or(Walk::Done);
            }
            Kind::Map(fields) | Kind::Object(fields) => {
                let mut elements = fields.iter().map(|(name, item)| each(&Value::string(Arc::clone(name)), item));
                return elements.find(|walk| !go_on(walk)).unwrap_or(Walk::Done);
            }
            Kind::Unknown(unknown) => unknown.ty.clone(),
            _ => value.ty(),
        };
        if ty == Type::Any || ty.is_collection() || matches!(ty, Type::Tuple(_) | Type::Object(_)) {
            *marks |= of_condition;
            if !waits {
                // Whatever the elements are, what is made of them refers to the same.
                let [key, item] = [(); 2].map(|()| Value::unknown(Type::Any));
                let mut unused = Marks::NONE;
                self.touch(|this| this.element(variables, &key, &item, &mut unused, frame, body));
            }
            return Walk::Unknown;
        }
        let name = ty.friendly_name();
        self.report(
            Diagnostic::error("eval.iteration", format!("a {name} has no elements to walk"))
                .label(collection.span, format!("is a {name}"))
                .help("a collection is a list, set, tuple, map or object"),
        );
        *marks = Marks::NONE;
        Walk::Unknown
    }

    fn element(
        &mut self,
        variables: Variables<'_>,
        key: &Value,
        value: &Value,
        marks: &mut Marks,
        frame: Option<&Frame<'_>>,
        body: &mut dyn FnMut(&mut Self, &mut Marks, Option<&Frame<'_>>),
    ) {
        match variables.key {
            Some(name) => {
                let outer = Frame::variable(&name.name, key, frame);
                body(self, marks, Some(&Frame::variable(&variables.value.name, value, Some(&outer))));
            }
            None => body(self, marks, Some(&Frame::variable(&variables.value.name, value, frame))),
        }
    }
}

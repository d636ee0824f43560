//! `for` expressions.

use std::{collections::HashMap, sync::Arc};

use super::{Evaluator, frame::Frame};
use crate::{
    error::{Diagnostic, Span},
    template::syntax::{Expr, ForObject, ForTuple, Ident},
    value::{Kind, Marks, Type, Value},
};

/// The variables of a loop.
#[derive(Clone, Copy)]
pub(super) struct Variables<'e> {
    pub(super) key: Option<&'e Ident>,
    pub(super) value: &'e Ident,
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
        let walk = self.walk(&each.collection, variables, &mut marks, frame, &mut |this, marks, frame| {
            match this.keeps(each.condition.as_ref(), marks, &mut known, frame) {
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
        let walk = self.walk(&each.collection, variables, &mut marks, frame, &mut |this, marks, frame| {
            match this.keeps(each.condition.as_ref(), marks, &mut known, frame) {
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
            *marks |= key_value.marks_deep();
            let key = this.object_key(&key_value, each.body_key.span);
            let value = this.expr(&each.body_value, frame);
            let Some(key) = key else {
                known = false;
                return;
            };
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

    /// Asks the condition whether it lets an element in. `known` becomes false where that cannot be told.
    fn keeps(
        &mut self,
        condition: Option<&Expr>,
        marks: &mut Marks,
        known: &mut bool,
        frame: Option<&Frame<'_>>,
    ) -> Keeps {
        let Some(condition) = condition else { return Keeps::Yes };
        let (value, waits) = self.deciding(condition, frame);
        *marks |= value.marks_deep();
        let before = self.problem_count();
        match self.condition(&value, condition.span) {
            Some(true) => Keeps::Yes,
            Some(false) => Keeps::No,
            None => {
                *known = false;
                if waits || self.problem_count() > before { Keeps::No } else { Keeps::Perhaps }
            }
        }
    }

    /// Evaluates a collection and runs `body` for each element with the variables bound. Stops after the first element
    /// that has a problem: the others would have the same.
    pub(super) fn walk(
        &mut self,
        collection: &Expr,
        variables: Variables<'_>,
        marks: &mut Marks,
        frame: Option<&Frame<'_>>,
        body: &mut dyn FnMut(&mut Self, &mut Marks, Option<&Frame<'_>>),
    ) -> Walk {
        let (value, waits) = self.deciding(collection, frame);
        *marks |= value.marks();
        if value.is_null() {
            let problem = Diagnostic::error("eval.null", "a null collection cannot be walked")
                .label(collection.span, "is null")
                .help("use `coalesce` or `try` to put an empty collection in place of null");
            self.report(problem);
            return Walk::Unknown;
        }
        let ty = match value.kind() {
            Kind::List(items) | Kind::Tuple(items) => {
                for (idx, item) in items.iter().enumerate() {
                    let key = Value::number(idx);
                    if !self.element(variables, &key, item, marks, frame, body) {
                        return Walk::Unknown;
                    }
                }
                return Walk::Done;
            }
            Kind::Set(items) => {
                for item in items.iter() {
                    if !self.element(variables, item, item, marks, frame, body) {
                        return Walk::Unknown;
                    }
                }
                return Walk::Done;
            }
            Kind::Map(fields) | Kind::Object(fields) => {
                for (name, item) in fields.iter() {
                    let key = Value::string(Arc::clone(name));
                    if !self.element(variables, &key, item, marks, frame, body) {
                        return Walk::Unknown;
                    }
                }
                return Walk::Done;
            }
            Kind::Unknown(unknown) => unknown.ty.clone(),
            _ => value.ty(),
        };
        if ty == Type::Any || ty.is_collection() || matches!(ty, Type::Tuple(_) | Type::Object(_)) {
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
    ) -> bool {
        let before = self.problem_count();
        match variables.key {
            Some(name) => {
                let outer = Frame::variable(&name.name, key, frame);
                body(self, marks, Some(&Frame::variable(&variables.value.name, value, Some(&outer))));
            }
            None => body(self, marks, Some(&Frame::variable(&variables.value.name, value, frame))),
        }
        self.problem_count() == before && !self.is_exhausted()
    }
}

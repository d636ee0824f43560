//! What must hold of what was filled in.

use std::sync::Arc;

use crate::{
    form::{
        Check, Field, FieldPath, FieldState, Fields, Status, Validator,
        condition::{Judge, Truth, equal},
    },
    value::{Number, Type, Value, convert},
};

use super::{
    Level, Run, Worked,
    value::{is_blank, same},
};

impl Run<'_> {
    /// Looks at every rule of fields side by side, and of the items of their lists.
    pub(super) fn rules(&self, set: &Fields, worked: &mut Worked, outer: Option<&Level<'_>>) {
        let level = Level { slots: &worked.slots, outer };
        for (((field, state), slot), items) in
            set.list.iter().zip(&mut worked.states).zip(&worked.slots).zip(&mut worked.items)
        {
            if let (Some(list), Some(items)) = (&field.list, items.as_mut()) {
                items.iter_mut().for_each(|item| self.rules(&list.fields, item, Some(&level)));
            }
            if state.status == Status::Active && (slot.value.is_known() || field.list.is_some()) {
                self.field_rules(field, state, &level);
            }
        }
    }

    fn field_rules(&self, field: &Field, state: &mut FieldState, level: &Level<'_>) {
        let value = state.value.clone();
        if let Some(list) = &field.list {
            let count = value.len() as u64;
            if count < list.min || list.max.is_some_and(|max| count > max) {
                let message = limits("item", Some(list.min).filter(|min| *min > 0), list.max);
                state.complain("form.limit", &message);
            }
        }
        if is_blank(&value) {
            return;
        }
        if let (Some(format), Some(text)) = (field.widget.format, value.as_str())
            && !format.matches(text)
        {
            state.complain("form.format", &format!("it does not look like `{}`", format.as_str()));
        }
        if let (Type::Number, Some(number)) = (&field.widget.output, value.as_number()) {
            let bound = |name: &str| state.props.get(name).and_then(|value| value.as_number().cloned());
            let (min, max) = (bound("min"), bound("max"));
            if min.as_ref().is_some_and(|min| number < min) || max.as_ref().is_some_and(|max| number > max) {
                state.complain("form.limit", &bounds(min.as_ref(), max.as_ref()));
            }
        }
        for validator in &field.validators {
            self.rule(validator, &value, state, level);
        }
    }

    fn rule(&self, validator: &Validator, value: &Value, state: &mut FieldState, level: &Level<'_>) {
        if let Some(when) = &validator.when {
            let mut asked = FieldState::new(Arc::clone(&state.path), 0);
            let counts = level.truth(when, &mut asked);
            state.problems.extend(asked.problems);
            if counts != Truth::True {
                return;
            }
        }
        let mut look = |path: &FieldPath| level.look(path);
        let mut judge = Judge { look: &mut look, problems: Vec::new() };
        let breach = breach(&validator.check, value, &mut judge);
        let problems = judge.problems;
        problems.iter().for_each(|message| state.complain("form.evaluation", message));
        let Some(usual) = breach.filter(|_| problems.is_empty()) else { return };
        let message = validator.message.as_ref().map(|text| Arc::clone(text.get(&self.context.locale)));
        let mut refs: Vec<Arc<str>> = Vec::new();
        validator.check.for_each_expression(&mut |expression| {
            refs.extend(expression.references.iter().map(|path| Arc::clone(&path.key)));
        });
        refs.sort();
        refs.dedup();
        let code = validator.check.code();
        state.complain_with(code, message.unwrap_or_else(|| usual.into()), validator.severity, refs);
    }
}

/// Returns what to say where a rule does not hold. A rule that cannot be decided yet holds.
fn breach(check: &Check, value: &Value, judge: &mut Judge<'_>) -> Option<String> {
    match check {
        Check::Range { min, max } => {
            let number = convert(value, &Type::Number).ok()?;
            let number = number.as_number()?;
            let mut bound = |bound: &Option<crate::form::Expression>| {
                convert(&judge.value(bound.as_ref()?), &Type::Number).ok().and_then(|value| value.as_number().cloned())
            };
            let (min, max) = (bound(min), bound(max));
            let is_out = min.as_ref().is_some_and(|min| number < min) || max.as_ref().is_some_and(|max| number > max);
            is_out.then(|| bounds(min.as_ref(), max.as_ref()))
        }
        Check::Length { min, max } => {
            let (count, what) = match value.as_str() {
                Some(text) => (text.chars().count(), "character"),
                None if value.items().is_some() || value.fields().is_some() => (value.len(), "element"),
                None => return None,
            };
            let count = count as u64;
            let is_out = min.is_some_and(|min| count < min) || max.is_some_and(|max| count > max);
            is_out.then(|| limits(what, *min, *max))
        }
        Check::Pattern(regex) => {
            let is_wrong = texts(value).any(|text| !regex.is_match(&text));
            is_wrong.then(|| "it does not have the right form".to_owned())
        }
        Check::Format(format) => {
            let is_wrong = texts(value).any(|text| !format.matches(&text));
            is_wrong.then(|| format!("it does not look like `{}`", format.as_str()))
        }
        Check::Enum(list) => {
            let list = judge.value(list);
            if !list.is_wholly_known() || list.is_null() {
                return None;
            }
            let known = |value: &Value| list.elements().any(|one| equal(one, value) == Truth::True || same(one, value));
            let is_wrong = match value.items() {
                Some(items) => !items.iter().all(known),
                None => !known(value),
            };
            is_wrong.then(|| "it is not one of the values that are allowed".to_owned())
        }
        Check::Unique(path) => {
            let part = |value: &Value| match path {
                Some(path) => path.split('.').try_fold(value.clone(), |value, name| value.attribute(name).cloned()),
                None => Some(value.clone()),
            };
            let mut parts: Vec<Value> =
                value.elements().filter_map(part).filter(|part| part.is_wholly_known() && !part.is_null()).collect();
            parts.sort_by(Value::set_order);
            let is_twice = parts.windows(2).any(|pair| matches!(pair, [a, b] if same(a, b)));
            is_twice.then(|| "two elements are the same".to_owned())
        }
        Check::Condition(condition) => {
            if condition.compares_absent(judge) {
                return None;
            }
            (condition.truth(judge) == Truth::False).then(|| "a rule does not hold".to_owned())
        }
    }
}

/// Returns the texts that a rule about a text looks at: the value itself, or each element of a list.
fn texts(value: &Value) -> impl Iterator<Item = Arc<str>> {
    let text = |value: &Value| convert(value, &Type::String).ok().and_then(|value| value.as_str().map(Arc::from));
    let own = if value.items().is_none() { text(value) } else { None };
    own.into_iter().chain(value.elements().filter_map(text).collect::<Vec<_>>())
}

fn limits(what: &str, min: Option<u64>, max: Option<u64>) -> String {
    let s = |count: u64| if count == 1 { "" } else { "s" };
    match (min, max) {
        (Some(min), Some(max)) if min == max => format!("exactly {min} {what}{} are required", s(min)),
        (Some(min), Some(max)) => format!("{min} to {max} {what}s are required"),
        (Some(min), None) => format!("at least {min} {what}{} are required", s(min)),
        (None, Some(max)) => format!("at most {max} {what}{} are allowed", s(max)),
        (None, None) => format!("so many {what}s are not allowed"),
    }
}

fn bounds(min: Option<&Number>, max: Option<&Number>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("a number from {min} to {max} is required"),
        (Some(min), None) => format!("a number from {min} on is required"),
        (None, Some(max)) => format!("a number up to {max} is required"),
        (None, None) => "another number is required".to_owned(),
    }
}

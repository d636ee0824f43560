//! What can be chosen.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use sha2::{Digest as _, Sha256};

use crate::{
    error::Severity,
    form::{
        Answer, AutoSelect, Choice, DataRequest, DataSource, Field, FieldState, OnStale, OptionSource, Options,
        OptionsState, Source, condition::Truth,
    },
    value::{Kind, Type, Value, convert, to_json},
};

use super::{
    Level, Run,
    value::{Chosen, fits},
};

impl Run<'_> {
    /// Works out what a field offers, and asks for what is not here yet.
    pub(super) fn offer(
        &mut self,
        field: &Field,
        options: &Options,
        state: &mut FieldState,
        level: &Level<'_>,
    ) -> OptionsState {
        let mut missing = Vec::new();
        let choices = match &options.from {
            OptionSource::Inline(items) => {
                let mut choices = Vec::with_capacity(items.len());
                for item in items {
                    let mut asked = FieldState::new(Arc::clone(&state.path), 0);
                    let is_offered = item.when.as_ref().map_or(Truth::True, |when| level.truth(when, &mut asked));
                    let disabled = item.disabled.as_ref().map_or(Truth::False, |when| level.truth(when, &mut asked));
                    let value = level.value(&item.value, &mut asked);
                    if !value.is_wholly_known() {
                        level.waits(&item.value, &mut asked.waits_for);
                    }
                    missing.extend(asked.waits_for);
                    state.problems.extend(asked.problems);
                    if is_offered != Truth::True || value.is_null() {
                        continue;
                    }
                    let locale = &self.context.locale;
                    let label = item.label.as_ref().map(|label| Arc::clone(label.get(locale)));
                    choices.push(Choice {
                        label: label.unwrap_or_else(|| text_of(&value)),
                        description: item.description.as_ref().map(|text| Arc::clone(text.get(locale))),
                        group: None,
                        is_disabled: disabled == Truth::True,
                        value,
                    });
                }
                choices
            }
            OptionSource::Computed(expression) => {
                let value = level.value(expression, state);
                if !value.is_wholly_known() {
                    level.waits(expression, &mut missing);
                }
                value.elements().map(|item| choice(item, None)).collect()
            }
            OptionSource::Data(data) => match self.ask(data, state, level, &mut missing) {
                Asked::Items(choices) => choices,
                Asked::Not(other) => return other,
                Asked::Blocked => Vec::new(),
            },
        };
        if !missing.is_empty() {
            missing.sort();
            missing.dedup();
            let tips = field.incomplete_tips.as_ref().map(|text| Arc::clone(text.get(&self.context.locale)));
            return OptionsState::Blocked { missing, tips };
        }
        let ty = if field.widget.is_multiple { field.ty.element().unwrap_or(&Type::Any) } else { &field.ty };
        let fit = |mut choice: Choice| {
            choice.value = convert(&choice.value, ty).unwrap_or(choice.value);
            choice
        };
        OptionsState::Ready { choices: choices.into_iter().map(fit).collect() }
    }

    fn ask(
        &mut self,
        data: &DataSource,
        state: &mut FieldState,
        level: &Level<'_>,
        missing: &mut Vec<Arc<str>>,
    ) -> Asked {
        let mut params = BTreeMap::new();
        for (name, expression) in &data.params {
            let value = level.value(expression, state);
            if !value.is_wholly_known() {
                level.waits(expression, missing);
            } else if !value.marks_deep().is_empty() {
                let message = format!("the parameter `{name}` would give a secret away");
                return Asked::Not(OptionsState::Failed { request: None, message: message.into(), retryable: false });
            }
            params.insert(Arc::clone(name), value);
        }
        if !missing.is_empty() {
            return Asked::Blocked;
        }
        let id = request_id(data, &params, &self.context.scope);
        match self.inputs.answers.get(&id) {
            Some(Answer::Items(items)) => Asked::Items(items.iter().map(|item| choice(item, Some(data))).collect()),
            Some(Answer::Failed { message, retryable }) => Asked::Not(OptionsState::Failed {
                request: Some(id),
                message: Arc::clone(message),
                retryable: *retryable,
            }),
            None => {
                self.request(&id, data, params, &state.path);
                Asked::Not(OptionsState::Loading { request: id })
            }
        }
    }

    fn request(&mut self, id: &Arc<str>, data: &DataSource, params: BTreeMap<Arc<str>, Value>, path: &Arc<str>) {
        let old = self.inputs.outstanding.get(path).filter(|old| *old != id);
        let idx = *self.request_idx.entry(Arc::clone(id)).or_insert(self.requests.len());
        if idx == self.requests.len() {
            self.requests.push(DataRequest {
                id: Arc::clone(id),
                source: Arc::clone(&data.source),
                params,
                ttl_seconds: data.ttl_seconds,
                supersedes: Vec::new(),
                fields: Vec::new(),
            });
        }
        if let Some(request) = self.requests.get_mut(idx) {
            request.fields.push(Arc::clone(path));
            if let Some(old) = old.filter(|old| !request.supersedes.contains(old)) {
                request.supersedes.push(Arc::clone(old));
            }
        }
    }

    /// Holds what was chosen against what can be.
    pub(super) fn settle(
        &mut self,
        field: &Field,
        options: &Options,
        offer: &OptionsState,
        chosen: &mut Chosen,
        state: &mut FieldState,
    ) {
        let is_set = chosen.value.is_known() && !super::value::is_blank(&chosen.value);
        let OptionsState::Ready { choices } = offer else {
            if let OptionsState::Failed { message, .. } = offer
                && (is_set || state.required)
            {
                state.complain("form.data", &format!("the options cannot be had: {message}"));
            }
            // Nobody can say yet whether the choice is one.
            let may_change = options.auto_select != AutoSelect::None && chosen.source != Some(Source::User);
            self.is_settled &= !is_set && !may_change || options.allow_other;
            return;
        };
        if is_set {
            match found(&chosen.value, choices, field.widget.is_multiple) {
                Some(value) => {
                    chosen.value = value.with_marks(chosen.value.marks());
                    return;
                }
                None if options.allow_other => return,
                None => {}
            }
            let is_free = matches!(chosen.source, Some(Source::Default | Source::Derived));
            let path = Arc::clone(&state.path);
            match options.on_stale {
                _ if is_free => {}
                OnStale::Clear if chosen.source == Some(Source::User) => self.discard.push(path),
                OnStale::Keep => {
                    let message = Arc::from("it is not among the options any more");
                    state.complain_with("form.option", message, Severity::Warning, Vec::new());
                    return;
                }
                OnStale::Clear | OnStale::Error => {
                    state.complain("form.option", "it is not among the options");
                    return;
                }
            }
            *chosen = Chosen { value: Value::null(Type::Any), source: None };
        }
        if chosen.source == Some(Source::User) || !chosen.value.is_known() {
            return;
        }
        let mut free = choices.iter().filter(|choice| !choice.is_disabled);
        let first = match (options.auto_select, free.next(), free.next()) {
            (AutoSelect::First, Some(first), _) | (AutoSelect::Only, Some(first), None) => first.value.clone(),
            _ => return,
        };
        let value = if field.widget.is_multiple { Value::tuple(vec![first]) } else { first };
        *chosen = Chosen { value: convert(&value, &field.ty).unwrap_or(value), source: Some(Source::Derived) };
    }
}

enum Asked {
    Items(Vec<Choice>),
    Not(OptionsState),
    Blocked,
}

/// Returns the options that were chosen, in full; `None` where something is no option, or cannot be chosen.
fn found(value: &Value, choices: &[Choice], is_multiple: bool) -> Option<Value> {
    let one = |value: &Value| {
        // An option that says the same comes before one that says more.
        let free = || choices.iter().filter(|choice| !choice.is_disabled);
        let exact = free().find(|choice| super::value::same(value, &choice.value));
        let choice = exact.or_else(|| free().find(|choice| value.fields().is_some() && fits(value, &choice.value)))?;
        Some(choice.value.clone())
    };
    match value.items() {
        Some(items) if is_multiple => {
            let values = items.iter().map(one).collect::<Option<Vec<_>>>()?;
            let value_again = Value::tuple(values);
            Some(convert(&value_again, &value.ty()).unwrap_or(value_again))
        }
        _ => one(value),
    }
}

/// Makes an option of an item that an expression or a source gave.
fn choice(item: &Value, data: Option<&DataSource>) -> Choice {
    let at = |path: Option<&Arc<str>>, usual: &str| match path {
        Some(path) => path.split('.').try_fold(item, |value, name| value.attribute(name)),
        None => item.attribute(usual),
    };
    let value = at(data.and_then(|data| data.value.as_ref()), "value").unwrap_or(item).clone();
    let text = |value: &Value| value.as_str().map(Arc::<str>::from);
    Choice {
        label: at(data.and_then(|data| data.label.as_ref()), "label").map_or_else(|| text_of(&value), text_of),
        description: at(None, "description").and_then(text),
        group: at(data.and_then(|data| data.group.as_ref()), "group").and_then(text),
        is_disabled: at(data.and_then(|data| data.disabled.as_ref()), "disabled").and_then(Value::as_bool)
            == Some(true),
        value,
    }
}

fn text_of(value: &Value) -> Arc<str> {
    match value.kind() {
        Kind::String(text) if value.marks().is_empty() => Arc::clone(text),
        _ => super::super::state::json(value).to_string().into(),
    }
}

/// Returns the id of a request: the same for the same question of the same asker.
fn request_id(data: &DataSource, params: &BTreeMap<Arc<str>, Value>, scope: &str) -> Arc<str> {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    add(&data.source);
    add(scope);
    for (name, value) in params {
        add(name);
        add(&to_json(value).unwrap_or_default());
    }
    digits(&hash.finalize())
}

/// Returns the first 32 hexadecimal digits of a hash.
pub(super) fn digits(hash: &[u8]) -> Arc<str> {
    let mut text = String::with_capacity(32);
    for byte in hash.iter().take(16) {
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}

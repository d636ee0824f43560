use std::sync::Arc;

use crate::{
    form::{Default, Field, FieldState, Persist, Source, generate::generate},
    value::{Kind, Type, Value},
};

use super::{Given, Level, Run};

/// What a field holds, and who decided that.
pub(super) struct Chosen {
    pub(super) value: Value,
    pub(super) source: Option<Source>,
}

impl Chosen {
    fn by(source: Source, value: Value) -> Self {
        Self { value, source: Some(source) }
    }

    fn nothing() -> Self {
        Self { value: Value::null(Type::Any), source: None }
    }
}

impl Run<'_> {
    /// Decides what a field holds: the installation or the plan, where they have the say; then people; then defaults.
    pub(super) fn chosen(
        &mut self,
        field: &Field,
        state: &mut FieldState,
        given: &Given<'_>,
        level: &Level<'_>,
    ) -> Chosen {
        let is_top = given.prefix.is_none();
        let input = given.values.get(&field.name);
        let existing = self.existing(field, is_top);
        if self.is_immutable(field) {
            if let Some(value) = existing {
                state.readonly = true;
                if input.is_some_and(|input| !same(input, value)) {
                    let phase = self.context.phase.as_str();
                    state.complain("form.immutable", &format!("it cannot be changed in the phase `{phase}`"));
                }
                return Chosen::by(Source::Locked, value.clone());
            }
            // What was never set before can be set now; while installing, only defaults count.
            state.readonly |= self.context.phase == crate::form::Phase::Install;
        }
        let preset = self.preset.filter(|_| is_top);
        let planned = preset.and_then(|preset| preset.values.get(&field.name)?.constant());
        if let Some(value) = planned.filter(|_| preset.is_some_and(|preset| preset.locked.contains(&field.name))) {
            state.readonly = true;
            self.discard_other(input, value, state);
            return Chosen::by(Source::Locked, value.clone());
        }
        if let Some(input) = input {
            if !state.readonly {
                return Chosen::by(Source::User, input.clone());
            }
            self.discard.push(Arc::clone(&state.path));
        }
        if let Some(value) = existing.or(planned) {
            return Chosen::by(Source::Default, value.clone());
        }
        match &field.default {
            None => Chosen::nothing(),
            Some(Default::Expression(expression)) => match expression.constant() {
                Some(value) => Chosen::by(Source::Default, value.clone()),
                None => {
                    let value = level.value(expression, state);
                    if !value.is_known() {
                        level.waits(expression, &mut state.waits_for);
                    }
                    Chosen::by(Source::Derived, value)
                }
            },
            Some(Default::Generated { generator, persist, .. }) => {
                let kept = self.inputs.generated.get(&state.path).filter(|_| *persist == Persist::Install);
                let value = match (kept, &self.context.seed) {
                    (Some(value), _) => value.clone(),
                    (None, Some(seed)) => Value::string(generate(*generator, seed, &state.path)),
                    (None, None) => {
                        state.complain("form.generate", "there is no seed to generate it from");
                        return Chosen::nothing();
                    }
                };
                if *persist == Persist::Install {
                    let marks = if field.secret { crate::value::Marks::SENSITIVE } else { crate::value::Marks::NONE };
                    self.generated.insert(Arc::clone(&state.path), value.clone().with_marks(marks));
                }
                Chosen::by(Source::Generated, value)
            }
        }
    }

    /// Names an input that somebody else decides.
    fn discard_other(&mut self, input: Option<&Value>, decided: &Value, state: &FieldState) {
        if input.is_some_and(|input| !same(input, decided)) {
            self.discard.push(Arc::clone(&state.path));
        }
    }
}

/// Returns whether nothing is filled in: null, no text, no elements, or an object of such.
pub(super) fn is_blank(value: &Value) -> bool {
    match value.kind() {
        Kind::Null(_) => true,
        Kind::String(text) => text.is_empty(),
        Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => items.is_empty(),
        Kind::Map(fields) => fields.is_empty(),
        Kind::Object(fields) => fields.iter().all(|(_, value)| is_blank(value)),
        Kind::Unknown(_) | Kind::Bool(_) | Kind::Number(_) => false,
    }
}

/// Returns whether two values say the same, whatever their types and marks: attributes that are null count as left out.
pub(in crate::form) fn same(a: &Value, b: &Value) -> bool {
    fits(a, b) && fits(b, a)
}

/// Returns whether whatever `part` says `whole` says, too.
pub(super) fn fits(part: &Value, whole: &Value) -> bool {
    match (part.fields(), whole.fields()) {
        (Some(part), Some(whole)) => part
            .iter()
            .filter(|(_, value)| !value.is_null())
            .all(|(name, value)| whole.get(name).is_some_and(|other| fits(value, other))),
        (None, None) => match (part.items(), whole.items()) {
            (Some(part), Some(whole)) => {
                part.len() == whole.len() && part.iter().zip(&**whole).all(|(a, b)| fits(a, b))
            }
            (None, None) => scalars_agree(part, whole),
            _ => false,
        },
        _ => false,
    }
}

fn scalars_agree(a: &Value, b: &Value) -> bool {
    match (a.kind(), b.kind()) {
        (Kind::Null(_), Kind::Null(_)) => true,
        (Kind::Bool(a), Kind::Bool(b)) => a == b,
        (Kind::Number(a), Kind::Number(b)) => a == b,
        (Kind::String(a), Kind::String(b)) => a == b,
        _ => false,
    }
}

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    form::{
        Field, FieldState, Fields, List, OnInactive, OptionsState, Phase, Secret, Source, Status, condition::Truth,
    },
    value::{Marks, Type, Value, convert},
};

use super::{Given, Level, Run, Slot, Worked, value::is_blank};

impl FieldState {
    pub(super) fn new(path: Arc<str>, ordinal: usize) -> Self {
        Self {
            path,
            ordinal,
            status: Status::Active,
            visible: true,
            enabled: true,
            readonly: false,
            required: false,
            value: Value::null(Type::Any),
            secret: None,
            source: None,
            props: BTreeMap::new(),
            options: None,
            items: None,
            waits_for: Vec::new(),
            tips: None,
            problems: Vec::new(),
        }
    }
}

impl<'a> Run<'a> {
    /// Works out one declaration: whether it is there, what it holds, what can be chosen.
    pub(super) fn field(
        &mut self,
        field: &'a Field,
        mut state: FieldState,
        given: &Given<'_>,
        level: &Level<'_>,
    ) -> (FieldState, Slot, Option<Vec<Worked>>) {
        let is_top = given.prefix.is_none();
        let locale = &self.context.locale;
        let presence = self.presence(field, &mut state, level);
        if presence != Truth::True {
            state.visible = false;
            state.enabled = false;
            state.status = match (presence, field.on_inactive) {
                (Truth::Unknown, _) => Status::Waiting,
                (_, OnInactive::Keep) => Status::Inactive,
                (_, OnInactive::Drop) => Status::Removed,
            };
            state.secret = field.secret.then_some(Secret::Unset);
            let value = match presence {
                Truth::Unknown => {
                    self.is_settled = false;
                    state.tips = field.incomplete_tips.as_ref().map(|text| Arc::clone(text.get(locale)));
                    Value::unknown(field.ty.without_optional())
                }
                _ => Value::null(Type::Any),
            };
            return (state, Slot { value, presence }, None);
        }
        let preset = self.preset.filter(|_| is_top);
        let is_hidden = field.hidden.as_ref().is_some_and(|hidden| level.truth(hidden, &mut state) == Truth::True);
        state.visible = !is_hidden && !preset.is_some_and(|preset| preset.hidden.contains(&field.name));
        state.readonly =
            field.readonly.as_ref().is_some_and(|readonly| level.truth(readonly, &mut state) == Truth::True);
        // What is not decided yet may well be required; what nobody sees cannot be filled in.
        state.required = state.visible && level.truth(&field.required, &mut state) != Truth::False;
        // How many items there must be a list says by itself.
        state.required &= field.list.as_ref().is_none_or(|list| list.min > 0);
        let mut blocked = Vec::new();
        for (name, expression) in &field.props {
            let value = level.value(expression, &mut state);
            if !value.is_wholly_known() {
                level.waits(expression, &mut blocked);
            }
            state.props.insert(Arc::clone(name), value);
        }

        let mut chosen = self.chosen(field, &mut state, given, level);
        if field.secret {
            chosen.value = chosen.value.with_marks(Marks::SENSITIVE);
        }
        let mut items = None;
        let mut is_sound = true;
        if let Some(list) = &field.list {
            let worked = self.list(list, &mut chosen.value, chosen.source.is_some(), &state.path, level);
            is_sound = worked.is_some();
            if worked.is_none() {
                state.complain("form.type", "a list of items is required");
            } else if chosen.source.is_none() {
                chosen.source = Some(Source::Default);
            }
            items = Some(worked.unwrap_or_default());
        } else if !chosen.value.is_null() && chosen.value.is_known() {
            match convert(&chosen.value, &field.ty) {
                Ok(value) => chosen.value = value,
                Err(error) => {
                    is_sound = false;
                    state.complain("form.type", &error.to_string());
                }
            }
        }
        if let Some(options) = &field.options {
            let offer = self.offer(field, options, &mut state, level);
            if is_sound {
                self.settle(field, options, &offer, &mut chosen, &mut state);
            }
            state.options = Some(offer);
        }
        if let Some(OptionsState::Blocked { missing, .. }) = &state.options {
            blocked.extend(missing.iter().filter(|path| !blocked.contains(path)).cloned().collect::<Vec<_>>());
        }
        state.enabled = blocked.is_empty() && !state.readonly;
        state.waits_for.extend(blocked);
        state.waits_for.sort();
        state.waits_for.dedup();
        if !state.waits_for.is_empty() {
            state.tips = field.incomplete_tips.as_ref().map(|text| Arc::clone(text.get(locale)));
        }

        let is_known = chosen.value.is_known();
        let is_empty = !is_known || is_blank(&chosen.value);
        state.secret = field.secret.then_some(if is_empty { Secret::Unset } else { Secret::Set });
        state.source = if chosen.value.is_null() && chosen.source != Some(Source::User) { None } else { chosen.source };
        // What does not fit, what is yet to come and what is required and not there is unknown to everybody else.
        let is_open = !is_known || !is_sound || (is_empty && state.required);
        let slot = if is_open { Value::unknown(field.ty.without_optional()) } else { chosen.value.clone() };
        self.is_settled &= is_known;
        state.value = if is_known { chosen.value } else { Value::null(Type::Any) };
        (state, Slot { value: slot, presence: Truth::True }, items)
    }

    fn presence(&mut self, field: &Field, state: &mut FieldState, level: &Level<'_>) -> Truth {
        let group = field.group.and_then(|idx| self.form.groups.get(idx));
        let step = field.step.and_then(|idx| self.form.steps.get(idx));
        let conditions = [step.and_then(|step| step.when.as_ref()), group.and_then(|group| group.when.as_ref())];
        let conditions = conditions.into_iter().chain([field.when.as_ref()]).flatten();
        let mut presence = Truth::True;
        for condition in conditions {
            presence = presence.and(level.truth(condition, state));
            if presence == Truth::False {
                state.waits_for.clear();
                break;
            }
        }
        presence
    }

    /// Works out the items of a list, and makes its value of theirs. `None` where there is something else.
    fn list(
        &mut self,
        list: &'a List,
        value: &mut Value,
        is_given: bool,
        path: &str,
        level: &Level<'_>,
    ) -> Option<Vec<Worked>> {
        /// Items that are looked at; nobody fills in more by hand.
        const MOST: usize = 1000;
        let given: Vec<BTreeMap<Arc<str>, Value>> = match value.items() {
            Some(items) => items.iter().take(MOST).map(entries).collect::<Option<_>>()?,
            // As many empty ones as there must be at least.
            None if value.is_null() && !is_given => {
                vec![BTreeMap::new(); usize::try_from(list.min).unwrap_or(MOST).min(MOST)]
            }
            None if value.is_null() => return Some(Vec::new()),
            None => return None,
        };
        let mut worked = Vec::with_capacity(given.len());
        let mut values = Vec::with_capacity(given.len());
        for (idx, given) in given.iter().enumerate() {
            let prefix = format!("{path}[{idx}]");
            let item = self.values(&list.fields, &Given { values: given, prefix: Some(&prefix) }, Some(level));
            values.push(item_value(&list.fields, &item.slots));
            worked.push(item);
        }
        let marks = value.marks();
        *value = Value::tuple(values).with_marks(marks);
        Some(worked)
    }

    /// Names inputs of fields that are not there, and of fields that there never were.
    pub(super) fn discard_absent(&mut self, set: &Fields, given: &Given<'_>, slots: &[Slot]) {
        for name in given.values.keys() {
            let mut twins = set.indices(name).iter().filter_map(|&idx| Some((set.list.get(idx)?, slots.get(idx)?)));
            let is_dropped =
                twins.all(|(field, slot)| slot.presence == Truth::False && field.on_inactive == OnInactive::Drop);
            if is_dropped {
                self.discard.push(match given.prefix {
                    None => Arc::clone(name),
                    Some(prefix) => Arc::from(format!("{prefix}.{name}")),
                });
            }
        }
    }

    /// Returns whether a field cannot be changed in this phase whatever was filled in.
    pub(super) fn is_immutable(&self, field: &Field) -> bool {
        field.immutable.contains(&self.context.phase)
    }

    /// Returns what the installation has.
    pub(super) fn existing(&self, field: &Field, is_top: bool) -> Option<&'a Value> {
        let is_there = is_top && self.context.phase != Phase::Install;
        self.context.existing.get(&field.name).filter(|value| is_there && !value.is_null())
    }
}

fn entries(value: &Value) -> Option<BTreeMap<Arc<str>, Value>> {
    value.fields()?;
    Some(value.entries().map(|(name, value)| (Arc::clone(name), value.clone())).collect())
}

/// Returns the object of an item: what is there, by name.
fn item_value(set: &Fields, slots: &[Slot]) -> Value {
    let there = set.list.iter().zip(slots).filter(|(_, slot)| slot.presence == Truth::True);
    Value::object(there.map(|(field, slot)| (Arc::clone(&field.name), slot.value.clone())))
}

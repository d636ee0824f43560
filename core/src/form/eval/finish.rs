use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::{
    error::Severity,
    form::{Field, FieldState, FormState, PartState, Problem, Status},
    value::{Marks, Value, convert, to_json},
};

use super::{Run, Worked, offer::digits, value::is_blank};

impl Run<'_> {
    /// Binds what is there to variables, and says how far everything is.
    pub(super) fn finish(mut self, mut worked: Worked) -> FormState {
        let mut bound: Vec<(Arc<str>, Value)> = Vec::with_capacity(worked.states.len());
        let mut priced: Vec<usize> = Vec::new();
        for (field, state) in self.form.fields.list.iter().zip(&mut worked.states) {
            if let Some((name, value)) = bind(field, state) {
                if field.price {
                    priced.push(bound.len());
                }
                bound.push((name, value));
            }
        }
        let mut quoted: Vec<&(Arc<str>, Value)> = match priced.is_empty() {
            true => bound.iter().collect(),
            false => priced.iter().filter_map(|&idx| bound.get(idx)).collect(),
        };
        quoted.sort_by(|(a, _), (b, _)| a.cmp(b));
        let quote_key = quote_key(&quoted, self.inputs.preset.as_deref());
        let values = Value::object(bound);

        let fields = worked.into_states();
        let tallies: Vec<Tally> = fields.iter().map(Tally::of).collect();
        let empty =
            |name: &Arc<str>| PartState { name: Arc::clone(name), visible: false, ready: true, errors: 0, missing: 0 };
        let mut groups: Vec<PartState> = self.form.groups.iter().map(|group| empty(&group.name)).collect();
        let mut steps: Vec<PartState> = self.form.steps.iter().map(|step| empty(&step.name)).collect();
        for ((field, state), tally) in self.form.fields.list.iter().zip(&fields).zip(&tallies) {
            let group = field.group.and_then(|idx| groups.get_mut(idx));
            let step = field.step.and_then(|idx| steps.get_mut(idx));
            for part in group.into_iter().chain(step) {
                part.visible |= state.visible;
                part.errors += tally.errors.len();
                part.missing += tally.missing.len();
                part.ready &= tally.is_done();
            }
        }

        let (mut errors, mut warnings, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for tally in tallies {
            errors.extend(tally.errors);
            warnings.extend(tally.warnings);
            missing.extend(tally.missing);
        }
        self.unknown_inputs(&mut errors);
        self.discard.sort();
        self.discard.dedup();
        FormState {
            phase: self.context.phase,
            preset: self.preset.map(|preset| Arc::clone(&preset.name)),
            ready: self.is_settled && errors.is_empty() && missing.is_empty(),
            fields,
            groups,
            steps,
            pending: self.requests,
            values,
            missing,
            errors,
            warnings,
            discard: self.discard,
            generated: self.generated,
            quote_key,
        }
    }

    /// Reports inputs that name no field, and a plan that there is not.
    fn unknown_inputs(&self, errors: &mut Vec<Problem>) {
        let mut report = |path: &Arc<str>, message: String| {
            let path = Arc::clone(path);
            errors.push(Problem {
                code: "form.input",
                severity: Severity::Error,
                message: message.into(),
                path,
                refs: Vec::new(),
            });
        };
        for name in self.inputs.values.keys() {
            if self.form.fields.indices(name).is_empty() {
                report(name, format!("there is no field `{name}`"));
            }
        }
        if let Some(name) = self.inputs.preset.as_ref().filter(|_| self.preset.is_none()) {
            report(name, format!("there is no preset `{name}`"));
        }
    }
}

/// Returns what a field gives its variable, converted to what that takes.
fn bind(field: &Field, state: &mut FieldState) -> Option<(Arc<str>, Value)> {
    let name = field.variable.as_ref()?;
    let is_set = !state.value.is_null() && state.value.is_wholly_known();
    let is_there = state.status == Status::Active && is_set && !state.has_errors();
    if !is_there || (state.required && is_blank(&state.value)) {
        return None;
    }
    let marks = if field.target_sensitive { Marks::SENSITIVE } else { Marks::NONE };
    let value = state.value.clone().with_marks(marks);
    match convert(&field.target.apply_defaults(&value), &field.target.ty) {
        Ok(value) => Some((Arc::clone(name), value)),
        Err(error) => {
            state.complain("form.type", &format!("the variable `{name}` does not take it: {error}"));
            None
        }
    }
}

/// What the fields of one declaration, those of its items included, lack.
#[derive(Default)]
struct Tally {
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    missing: Vec<Arc<str>>,
    waits: bool,
}

impl Tally {
    fn of(state: &FieldState) -> Self {
        let mut tally = Self::default();
        tally.add(state);
        tally
    }

    fn add(&mut self, state: &FieldState) {
        for problem in &state.problems {
            match problem.severity {
                Severity::Error => self.errors.push(problem.clone()),
                Severity::Warning => self.warnings.push(problem.clone()),
            }
        }
        self.waits |= state.status == Status::Waiting;
        if state.status == Status::Active && state.required && is_blank(&state.value) {
            self.missing.push(Arc::clone(&state.path));
        }
        for item in state.items.iter().flatten() {
            item.fields.iter().for_each(|field| self.add(field));
        }
    }

    fn is_done(&self) -> bool {
        self.errors.is_empty() && self.missing.is_empty() && !self.waits
    }
}

fn quote_key(values: &[&(Arc<str>, Value)], preset: Option<&str>) -> Arc<str> {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    add(preset.unwrap_or_default());
    // A hash of a short secret would give it away.
    for (name, value) in values.iter().filter(|(_, value)| value.marks_deep().is_empty()) {
        add(name);
        add(&to_json(value).unwrap_or_default());
    }
    digits(&hash.finalize())
}

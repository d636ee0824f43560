use std::{collections::BTreeMap, sync::Arc};

use crate::{
    error::Severity,
    form::{Context, Form, FormState, Inputs, Problem, Status, unbind},
    value::{Type, Value},
};

use super::{eval, value::same};

/// Judges values for the template's variables as whoever receives them must: as if they had been filled in, and nothing
/// else. Accepts exactly what a [ready](FormState::ready) state bound, given the same plan, answers and context.
///
/// `values` is an object by name of the variable. `inputs` gives the plan, the answers, what was generated, and the values
/// of fields that set no variable; its other values are not looked at.
///
/// # Errors
/// Everything that is wrong, as problems with codes and paths.
///
/// # Complexity
/// That of [`eval`].
pub fn validate(form: &Form, values: &Value, inputs: &Inputs, context: &Context) -> Result<FormState, Vec<Problem>> {
    let mut given = BTreeMap::new();
    let unbound = unbind(form, values);
    for field in &form.fields.list {
        let value = match &field.variable {
            // What is not there was left empty, and does not get its default.
            Some(_) => Some(unbound.values.get(&field.name).cloned().unwrap_or_else(|| Value::null(Type::Any))),
            None => inputs.values.get(&field.name).cloned(),
        };
        given.extend(value.map(|value| (Arc::clone(&field.name), value)));
    }
    let inputs = Inputs { values: given, outstanding: BTreeMap::new(), ..inputs.clone() };
    let state = eval(form, &inputs, context);

    let mut problems = state.errors.clone();
    let mut report = |code, path: &Arc<str>, message: String| {
        let path = Arc::clone(path);
        problems.push(Problem { code, severity: Severity::Error, message: message.into(), path, refs: Vec::new() });
    };
    for path in &state.missing {
        report("form.required", path, "it must be filled in".to_owned());
    }
    for name in unbound.rest.keys() {
        report("form.input", name, format!("no field sets the variable `{name}`"));
    }
    for (name, value) in values.entries().filter(|(name, value)| !value.is_null() && !unbound.rest.contains_key(*name))
    {
        match state.values.attribute(name) {
            Some(bound) if same(value, bound) => {}
            Some(_) => report("form.input", name, "it is not for the installer to choose".to_owned()),
            None if problems_at(&state, name) => {}
            None => report("form.input", name, "it is not part of the form for these values".to_owned()),
        }
    }
    for (name, _) in state.values.entries().filter(|(name, _)| values.attribute(name).is_none_or(Value::is_null)) {
        report("form.input", name, "it is left out, and the form sets it".to_owned());
    }
    if problems.is_empty() && !state.ready {
        for field in state.fields.iter().filter(|field| field.status == Status::Waiting || field.options.is_some()) {
            let path = Arc::clone(&field.path);
            let message = Arc::from("it is not settled: something is not answered yet");
            problems.push(Problem { code: "form.open", severity: Severity::Error, message, path, refs: Vec::new() });
        }
    }
    if problems.is_empty() && state.ready { Ok(state) } else { Err(problems) }
}

/// Returns whether something was said of the fields that set a variable already.
fn problems_at(state: &FormState, name: &str) -> bool {
    state.errors.iter().any(|problem| *problem.path == *name) || state.missing.iter().any(|path| **path == *name)
}

use crate::{
    error::{Diagnostic, Diagnostics as _, Error, Result},
    plan::Plan,
    template::{Files, Options, RawVariables, Template, resolve_variables},
};

/// Gives a plan that was stored its ephemeral variables again; values for others are left alone.
///
/// # Errors
/// `template.invalid` with `variable.ephemeral` for a variable that was not set when the plan was made, and with what is
/// wrong with a value; spans point into the plan's own texts.
pub(super) fn give(plan: &mut Plan, given: &RawVariables) -> Result<()> {
    if given.values.is_empty() {
        return Ok(());
    }
    let texts = plan.inputs.files.iter().map(|(path, text)| (path, text.clone()));
    let options = Options::default().edition(plan.inputs.edition);
    let (template, problems) = Template::parse(&Files::from_texts(texts), &options);
    if problems.has_errors() {
        return Err(Error::from_diagnostics("engine.bug", problems));
    }
    let mut root = template.root().clone();
    root.variables.retain(|name, variable| variable.ephemeral && given.values.contains_key(name));
    let unasked = root.variables.values().filter(|variable| !plan.inputs.ephemeral_given.contains(&*variable.name));
    let mut problems: Vec<Diagnostic> = unasked
        .map(|variable| {
            let message = format!("the variable `{}` was not set when the plan was made", variable.name);
            Diagnostic::error("variable.ephemeral", message)
                .label(variable.span, "ephemeral: planned with its default")
                .help("leave it out, or set it and plan again")
        })
        .collect();
    let values = given.values.iter().filter(|(name, _)| root.variables.contains_key(*name));
    let values = RawVariables { values: values.map(|(name, value)| (name.clone(), value.clone())).collect() };
    let (resolved, found) = resolve_variables(&root, &values);
    problems.extend(found);
    problems.tidy();
    if problems.has_errors() {
        return Err(Error::from_diagnostics("template.invalid", problems));
    }
    plan.inputs.ephemeral.extend(resolved.into_iter().map(|(name, value)| (name.to_string(), value)));
    Ok(())
}

/// Checks that every ephemeral variable that was set when a plan was made is set again.
///
/// # Errors
/// `template.invalid` with `variable.missing`, naming each.
pub(super) fn check_given(plan: &Plan) -> Result<()> {
    let missing = plan.inputs.ephemeral_given.iter().filter(|name| !plan.inputs.ephemeral.contains_key(*name));
    let problems: Vec<Diagnostic> = missing
        .map(|name| {
            let message =
                format!("the ephemeral variable `{name}` was set when the plan was made, and has to be set again");
            Diagnostic::error("variable.missing", message).help(format!(
                "its value is not stored with a plan; set it with `-var {name}=…`, or as `TF_VAR_{name}`"
            ))
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::from_diagnostics("template.invalid", problems)) }
}

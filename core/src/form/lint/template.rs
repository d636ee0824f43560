//! The form against the template that it is for.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    error::{Diagnostic, Span, suggest},
    form::{Field, Form, eval::same, resolve::literal_default, resolve::literal_options},
    template::{
        Module, Template, Variable,
        eval::{EmptyScope, Evaluator, Options, Request, Resolution, Scope},
        syntax::{Body, Expr, ExprKind, ObjectKey, Step, Traversal},
    },
    value::{Safety, Type, Value, can_convert, convert},
};

use super::ids;

/// What variables start with that the platform sets.
const SYSTEM: [&str; 2] = ["stackwright_", "cloudapp_"];

pub(super) fn check(form: &Form, template: &Template, problems: &mut Vec<Diagnostic>) {
    let module = template.root();
    let mut by_variable: BTreeMap<&str, Vec<&Field>> = BTreeMap::new();
    for field in &form.fields.list {
        if let Some(variable) = &field.variable {
            by_variable.entry(variable).or_default().push(field);
        }
    }
    for field in &form.fields.list {
        match field.variable.as_ref().map(|name| (name, module.variables.get(name))) {
            None => {}
            Some((_, Some(variable))) => bound(field, variable, problems),
            Some((name, None)) => {
                let message = format!("the template has no variable `{name}`");
                let problem = Diagnostic::error("form.variable", message).at(field.span);
                problems.push(match suggest(name, module.variables.keys().map(|name| &**name)) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None if form.is_foreign() => problem.help(format!("declare it: `variable \"{name}\" {{}}`")),
                    None => problem.help(format!(
                        "declare it: `variable \"{name}\" {{}}`, or write `variable: false` if only the form needs it"
                    )),
                });
            }
        }
    }
    for variable in module.variables.values() {
        let is_system = SYSTEM.iter().any(|prefix| variable.name.starts_with(prefix));
        if is_system || by_variable.contains_key(&*variable.name) {
            continue;
        }
        let name = &variable.name;
        problems.push(match variable.is_required() {
            true => {
                Diagnostic::error("form.variable", format!("nothing sets the variable `{name}`, which has no default"))
                    .at(variable.span)
                    .help("add a field of that name")
            }
            false => Diagnostic::warning(
                "form.variable",
                format!("nothing sets the variable `{name}`: it is always its default"),
            )
            .at(variable.span)
            .help("add a field of that name, or make it a local"),
        });
    }
    let places = Places { module, by_variable };
    for block in module.resources.values() {
        places.body(&block.body, &block.key.type_name, problems);
    }
    for call in module.calls.values() {
        for (name, expr) in &call.inputs {
            places.argument(name, expr, "", problems);
        }
    }
    for variable in module.variables.values().filter(|variable| is_secret_name(&variable.name)) {
        let has_text = variable.default.as_ref().and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        if has_text {
            let message =
                format!("the variable `{}` has a secret as its default, for everybody to read", variable.name);
            problems.push(Diagnostic::error("form.literal_secret", message).at(variable.span));
        }
    }
}

/// Looks at a field and the variable that it sets.
fn bound(field: &Field, variable: &Variable, problems: &mut Vec<Diagnostic>) {
    let (ty, wanted) = (type_of(field), &variable.constraint.ty);
    let name = &variable.name;
    if !can_convert(&ty, wanted, Safety::Unsafe) {
        let message = format!("the variable `{name}` does not take what the widget `{}` gives", field.widget.name);
        let mut problem = Diagnostic::error("form.misfit", message)
            .label(field.span, format!("gives {}", ty.friendly_name()))
            .label(variable.span, format!("takes {}", wanted.friendly_constraint()));
        if let (Some(gives), Some(takes)) = (ty.as_object(), wanted.as_object()) {
            let lacks: Vec<String> = takes
                .attributes
                .keys()
                .filter(|name| !gives.attributes.contains_key(*name) && !takes.optional.contains(*name))
                .map(|name| format!("`{name}`"))
                .collect();
            if !lacks.is_empty() {
                problem = problem.help(format!("the widget does not give {}", lacks.join(", ")));
            }
        }
        problems.push(problem);
    }
    if field.secret && !variable.sensitive {
        let message = format!("the secret `{}` goes into a variable that is not sensitive", field.name);
        problems.push(
            Diagnostic::error("form.secret", message)
                .label(field.span, "a secret")
                .label(variable.span, "shown in plans and state")
                .help("add `sensitive = true` to the variable"),
        );
    }
    let is_never_null = !variable.nullable && variable.is_required();
    if is_never_null && field.required.constant() == Some(false) && literal_default(field).is_none() {
        let message = format!("`{}` may be left empty, and the variable has no default", field.name);
        problems.push(
            Diagnostic::warning("form.variable", message)
                .label(field.span, "optional")
                .label(variable.span, "required"),
        );
    }
    // What the form offers the template must take.
    let mut offered: Vec<(&Value, Span)> = literal_options(field).unwrap_or_default();
    if let Some(value) = literal_default(field)
        && !offered.iter().any(|(known, _)| same(known, value))
    {
        offered.push((value, field.span));
    }
    for (value, span) in offered.into_iter().filter(|(value, _)| !value.is_null()) {
        let Ok(value) = convert(value, wanted) else {
            if can_convert(&ty, wanted, Safety::Unsafe) {
                let message = format!("the variable `{name}` does not take this");
                let takes = format!("takes {}", wanted.friendly_constraint());
                problems
                    .push(Diagnostic::error("form.misfit", message).label(span, "offered").label(variable.span, takes));
            }
            continue;
        };
        let scope = One { name, value: &value };
        for validation in &variable.validations {
            let mut evaluator = Evaluator::new(&scope, &super::super::expression::FUNCTIONS, Options::default());
            let holds = evaluator.eval(&validation.condition).as_bool();
            if holds == Some(false) && evaluator.finish().diagnostics.is_empty() {
                let message = format!("the form offers what the variable `{name}` refuses");
                let problem = Diagnostic::error("form.contradiction", message).label(span, "offered");
                problems.push(problem.label(validation.span, "refused"));
            }
        }
    }
}

/// Returns the type of what a field gives: of a list, that of its items.
fn type_of(field: &Field) -> Type {
    let Some(list) = &field.list else { return field.ty.clone() };
    let attributes = list.fields.list.iter().map(|field| (Arc::clone(&field.name), type_of(field)));
    let optional: Vec<Arc<str>> = list.fields.list.iter().map(|field| Arc::clone(&field.name)).collect();
    Type::list(Type::object_with_optional(attributes.collect::<Vec<_>>(), optional))
}

/// The scope of a variable's validation, as far as the form decides it.
struct One<'a> {
    name: &'a str,
    value: &'a Value,
}

impl Scope for One<'_> {
    fn resolve(&self, request: &Request<'_>, span: Span) -> Resolution {
        match request {
            Request::Variable(name) if *name == self.name => Resolution::Value(self.value.clone()),
            Request::Variable(_) => Resolution::Value(Value::unknown(Type::Any)),
            _ => EmptyScope.resolve(request, span),
        }
    }
}

/// The places of a template where values of a form go.
struct Places<'a> {
    module: &'a Module,
    by_variable: BTreeMap<&'a str, Vec<&'a Field>>,
}

impl Places<'_> {
    fn body(&self, body: &Body, type_name: &str, problems: &mut Vec<Diagnostic>) {
        for attribute in &body.attributes {
            self.argument(attribute.name.as_str(), &attribute.expr, type_name, problems);
        }
        for block in &body.blocks {
            self.body(&block.body, type_name, problems);
        }
    }

    fn argument(&self, name: &str, expr: &Expr, type_name: &str, problems: &mut Vec<Diagnostic>) {
        if is_secret_name(name) && type_name != "random_password" {
            each_value(expr, &mut |value| {
                if value.as_string().is_some_and(|text| !text.is_empty()) {
                    let message = format!("a secret is written into the template as `{name}`");
                    problems.push(
                        Diagnostic::error("form.literal_secret", message)
                            .at(value.span)
                            .help("make it a sensitive variable, or generate it with `random_password`"),
                    );
                }
            });
        }
        if let Some(wanted) = ids::kind_of_name(name) {
            each_value(expr, &mut |value| {
                if let ExprKind::Traversal(traversal) = &value.kind {
                    self.id(name, wanted, traversal, problems);
                }
            });
        }
        // Objects and maps hold arguments of their own.
        if let ExprKind::Object(items) = &expr.unparen().kind {
            for item in items {
                let key = match &item.key {
                    ObjectKey::Ident(ident) => Some(ident.as_str()),
                    ObjectKey::Expr(expr) => expr.as_string(),
                };
                if let Some(key) = key {
                    self.argument(key, &item.value, type_name, problems);
                }
            }
        }
    }

    /// Looks whether a reference to a variable gives the id of something else.
    fn id(&self, name: &str, wanted: &str, traversal: &Traversal, problems: &mut Vec<Diagnostic>) {
        let Some(variable) = traversal.attr(0).filter(|_| traversal.root_name() == "var") else { return };
        let steps = || traversal.steps.iter().skip(1).filter_map(Step::as_attr);
        for field in self.by_variable.get(variable).into_iter().flatten() {
            let Some(found) = ids::kind_at(field, steps()).filter(|found| &***found != wanted) else { continue };
            let message = format!("`{name}` takes the id of a {wanted}, and this is that of a {found}");
            let problem = Diagnostic::error("form.id", message).label(traversal.span(), format!("the id of a {found}"));
            let right = self.by_variable.iter().find_map(|(variable, fields)| {
                let ty = &self.module.variables.get(*variable)?.constraint.ty;
                let path = fields.iter().find_map(|field| ids::path_of_kind(field, wanted, ty))?;
                Some(match path.is_empty() {
                    true => format!("`var.{variable}`"),
                    false => format!("`var.{variable}.{path}`"),
                })
            });
            problems.push(match right {
                Some(right) => problem.help(format!("the id of a {wanted} is in {right}")),
                None => problem.help(format!("no field of the form gives the id of a {wanted}")),
            });
            return;
        }
    }
}

/// Calls `f` with each expression whose value is that of the whole, or an element of it.
fn each_value<'e>(expr: &'e Expr, f: &mut dyn FnMut(&'e Expr)) {
    match &expr.kind {
        ExprKind::Paren(inner) => each_value(inner, f),
        ExprKind::Tuple(items) => items.iter().for_each(|item| each_value(item, f)),
        ExprKind::Conditional(conditional) => {
            each_value(&conditional.then, f);
            each_value(&conditional.otherwise, f);
        }
        ExprKind::Template(template) => match template.unwrapped() {
            Some(inner) => each_value(inner, f),
            None => f(expr),
        },
        _ => f(expr),
    }
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words = ["password", "passwd", "secret", "token", "secret_key", "private_key", "access_key"];
    words.iter().any(|word| name == *word || name.strip_suffix(word).is_some_and(|rest| rest.ends_with('_')))
}

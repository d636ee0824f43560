use std::{collections::BTreeMap, sync::Arc};

use crate::{
    error::{Diagnostic, SourceId, suggest},
    template::{
        decode::{Problems, constant},
        hcl,
        model::{Module, Variable},
    },
    value::{Value, convert},
};

use super::{Origin, RawValue, RawVariable, RawVariables};

/// Returns a value for each variable that a module declares: the given one or the default, converted to its type with
/// inner defaults filled in, and marked if the variable is sensitive.
///
/// Where a value is missing or wrong, that is reported, and the value is unknown, of the right type. Names that are not
/// declared are an error when an argument or the host sets them, a warning when a file does, and nothing in the environment,
/// which other templates share. Validations are not looked at: they are expressions that may refer to anything.
///
/// # Complexity
/// O(variables + size of the values).
pub fn resolve_variables(module: &Module, raw: &RawVariables) -> (BTreeMap<Arc<str>, Value>, Vec<Diagnostic>) {
    let mut problems = Problems::default();
    for (name, given) in &raw.values {
        if !module.variables.contains_key(name) && !module.lost.contains(name) {
            problems.list.extend(undeclared(name, given, module));
        }
    }
    let values = module.variables.values().map(|variable| {
        let value = match raw.values.get(&variable.name) {
            Some(given) => given_value(variable, given, &mut problems),
            None => default(variable, &mut problems),
        };
        let value = value.unwrap_or_else(|| Value::unknown(variable.constraint.ty.without_optional()));
        (Arc::clone(&variable.name), value.with_marks(variable.marks()))
    });
    let values = values.collect();
    (values, problems.list)
}

fn undeclared(name: &str, given: &RawVariable, module: &Module) -> Option<Diagnostic> {
    let message = format!("there is no variable `{name}`, which {} sets", given.origin);
    let problem = match &given.origin {
        Origin::Environment(_) => return None,
        Origin::File(span) => Diagnostic::warning("variable.undeclared", message).at(*span),
        Origin::Argument | Origin::Host => Diagnostic::error("variable.undeclared", message),
    };
    Some(match suggest(name, module.variables.keys().map(|name| &**name)) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("declare it: `variable \"{name}\" {{}}`")),
    })
}

fn default(variable: &Variable, problems: &mut Problems) -> Option<Value> {
    if variable.default.is_none() {
        let name = &variable.name;
        problems.push(
            Diagnostic::error("variable.missing", format!("the variable `{name}` has no value"))
                .label(variable.span, "declared without a default")
                .help(format!("set it with `-var {name}=…`, in a `.tfvars` file or as `TF_VAR_{name}`")),
        );
    }
    variable.default.clone()
}

fn given_value(variable: &Variable, given: &RawVariable, problems: &mut Problems) -> Option<Value> {
    let value = match &given.value {
        RawValue::Value(value) => value.clone(),
        RawValue::Expr(expr) if variable.sensitive => {
            let mut inner = Problems::default();
            let value = constant(expr, &mut inner);
            if value.is_none() {
                let message = format!("the value of variable `{}` is not a valid expression", variable.name);
                problems.push(blame(variable, given, Diagnostic::error("variable.syntax", message)));
            }
            value?
        }
        RawValue::Expr(expr) => constant(expr, problems)?,
        RawValue::Text(text) if variable.literal => Value::string(Arc::clone(text)),
        RawValue::Text(text) => parsed(variable, given, text, problems)?,
    };
    let constraint = &variable.constraint;
    if value.is_null() {
        if variable.nullable {
            return Some(Value::null(constraint.ty.without_optional()).with_marks(value.marks()));
        }
        return match &variable.default {
            Some(default) => Some(default.clone()),
            None => {
                let message = format!("the variable `{}` cannot be null", variable.name);
                problems.push(blame(variable, given, Diagnostic::error("variable.null", message)));
                None
            }
        };
    }
    // Marked before, so that what is wrong with it is told without its names.
    match convert(&constraint.apply_defaults(&value).with_marks(variable.marks()), &constraint.ty) {
        Ok(value) => Some(value),
        Err(error) => {
            let message = format!("the value of variable `{}` does not fit its type: {error}", variable.name);
            let problem = Diagnostic::error("variable.type", message).help(format!("the type is `{}`", constraint.ty));
            problems.push(blame(variable, given, problem));
            None
        }
    }
}

/// Reads text as an expression. The text may be secret, and is in no source, so problems name only the variable.
fn parsed(variable: &Variable, given: &RawVariable, text: &str, problems: &mut Problems) -> Option<Value> {
    let mut inner = Problems::default();
    let (expr, found) = hcl::parse_expression(SourceId::default(), text);
    inner.list.extend(found);
    let value = if inner.list.is_empty() { constant(&expr, &mut inner) } else { None };
    if value.is_none() {
        let message =
            format!("the value of variable `{}` from {} is not a valid expression", variable.name, given.origin);
        problems.push(
            Diagnostic::error("variable.syntax", message)
                .label(variable.span, "declared here")
                .help(format!("a variable of type `{}` takes an expression such as `[\"a\"]`", variable.constraint.ty)),
        );
    }
    value
}

/// Points at the value, or, where that may be secret or stands in no file, at the declaration.
fn blame(variable: &Variable, given: &RawVariable, problem: Diagnostic) -> Diagnostic {
    match (&given.origin, &given.value) {
        (Origin::File(_), RawValue::Expr(expr)) if !variable.sensitive => problem.at(expr.span),
        (origin, _) => problem.label(variable.span, format!("declared here; the value comes from {origin}")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::template::{
        Files, VariableArgument, VariableSources, gather_variables,
        testing::{lines, parse_files},
    };
    use crate::value::Type;

    const TEMPLATE: &str = "variable \"s\" {\n  default = \"d\"\n}\n\
        variable \"n\" {\n  type = number\n  default = 1\n}\n\
        variable \"l\" {\n  type = list(object({ a = optional(string, \"x\") }))\n  default = []\n}\n\
        variable \"secret\" {\n  type = number\n  sensitive = true\n  nullable = false\n  default = 7\n}\n";

    fn run(files: &[(&str, &str)], sources: &VariableSources) -> (BTreeMap<Arc<str>, Value>, Vec<String>) {
        let mut all = vec![("main.tf", TEMPLATE)];
        all.extend(files);
        let (template, problems) = parse_files(&all);
        assert!(problems.is_empty(), "{problems:?}");
        let mut texts = template.sources().clone();
        let (raw, mut found) = gather_variables(sources, &Files::from_texts(all), &mut texts);
        let (values, more) = resolve_variables(template.root(), &raw);
        found.extend(more);
        (values, lines(&texts, &found))
    }

    fn text(name: &str, text: &str) -> VariableArgument {
        VariableArgument::Text { name: name.into(), text: text.into() }
    }

    #[test]
    fn the_last_source_wins() {
        let env = |value: &str| BTreeMap::from([("TF_VAR_s".to_owned(), value.to_owned())]);
        let check = |files: &[(&str, &str)], sources: VariableSources, expect: &str| {
            let (values, problems) = run(files, &sources);
            assert_eq!((values["s"].as_str(), problems), (Some(expect), vec![]));
        };
        let tfvars = ("terraform.tfvars", "s = \"tfvars\"\n");
        let json = ("terraform.tfvars.json", "{\"s\": \"json ${x}\", \"//\": \"a comment\"}");
        let auto = ("a.auto.tfvars", "s = \"a\"\n");
        let later = ("b.auto.tfvars.json", "{\"s\": \"b\"}");
        let file = VariableArgument::File { path: "x.tfvars".into(), text: "s = \"file\"\n".into() };
        check(&[], VariableSources::default(), "d");
        let sources = || VariableSources { environment: env("env"), ..VariableSources::default() };
        check(&[], sources(), "env");
        check(&[tfvars], sources(), "tfvars");
        check(&[tfvars, json], sources(), "json ${x}");
        check(&[tfvars, json, auto], sources(), "a");
        check(&[tfvars, json, auto, later], sources(), "b");
        let arguments = vec![text("s", "one"), file.clone()];
        check(&[tfvars, later], VariableSources { arguments, ..sources() }, "file");
        let arguments = vec![file, text("s", "one")];
        check(&[tfvars, later], VariableSources { arguments: arguments.clone(), ..sources() }, "one");
        let values = BTreeMap::from([("s".to_owned(), Value::from("host"))]);
        check(&[tfvars], VariableSources { arguments, values, ..sources() }, "host");
    }

    #[test]
    fn a_type_that_takes_anything_is_still_a_type() {
        let text = "variable \"a\" {\n  type = any\n}\nvariable \"b\" {\n}\n";
        let (template, _) = parse_files(&[("main.tf", text)]);
        let arguments = vec![
            VariableArgument::Text { name: "a".into(), text: "[1]".into() },
            VariableArgument::Text { name: "b".into(), text: "[1]".into() },
        ];
        let sources = VariableSources { arguments, ..VariableSources::default() };
        let (raw, _) = gather_variables(&sources, &Files::new(), &mut template.sources().clone());
        let (values, problems) = resolve_variables(template.root(), &raw);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(values["a"], Value::tuple(vec![Value::number(1)]));
        assert_eq!(values["b"], Value::from("[1]"));
    }

    #[test]
    fn text_is_literal_or_an_expression_by_type() {
        let arguments = vec![text("s", "[1]"), text("n", "42"), text("l", "[{}, { a = \"y\" }]")];
        let (values, problems) = run(&[], &VariableSources { arguments, ..VariableSources::default() });
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(values["s"], Value::from("[1]"));
        assert_eq!(values["n"], Value::number(42));
        let item = |a: &str| Value::object([("a", Value::from(a))]);
        assert_eq!(values["l"], Value::list(item("x").ty(), vec![item("x"), item("y")]));
        assert_eq!(values["secret"], Value::number(7).with_marks(crate::value::Marks::SENSITIVE));
    }

    #[test]
    fn wrong_values_are_reported_together() {
        let arguments = vec![text("n", "many"), text("l", "[oops"), text("nn", "1"), text("secret", "hunter2")];
        let environment = BTreeMap::from([("TF_VAR_other".to_owned(), "x".to_owned())]);
        let sources = VariableSources { environment, arguments, ..VariableSources::default() };
        let (values, problems) = run(&[("terraform.tfvars", "ss = 1\nblock {}\n")], &sources);
        assert_eq!(
            problems,
            [
                "2 variable.syntax <block> a block `block` in a file of values",
                "variable.undeclared there is no variable `nn`, which the argument `-var` sets",
                "1 variable.undeclared <ss> there is no variable `ss`, which a file of values sets",
                "8 variable.syntax <variable \"l\"> the value of variable `l` from the argument `-var` is not a valid expression",
                "4 variable.type <variable \"n\"> the value of variable `n` does not fit its type: a number is required",
                "12 variable.type <variable \"secret\"> the value of variable `secret` does not fit its type: a number is required",
            ]
        );
        assert_eq!(values["n"], Value::unknown(Type::Number));
        assert!(values["secret"].is_sensitive());
    }

    #[test]
    fn secrets_are_not_pointed_at() {
        let (_, problems) =
            run(&[("terraform.tfvars", "secret = \"hunter2\"\nn = \"x\"\n")], &VariableSources::default());
        assert_eq!(
            problems,
            [
                "2 variable.type <\"x\"> the value of variable `n` does not fit its type: a number is required",
                "12 variable.type <variable \"secret\"> the value of variable `secret` does not fit its type: a number is required",
            ]
        );
        let (_, problems) = run(&[("terraform.tfvars", "secret = \"hunter2\" + 1\n")], &VariableSources::default());
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("<variable \"secret\">"), "{problems:?}");
        let sources = VariableSources { arguments: vec![text("secret", "hunter2")], ..VariableSources::default() };
        assert!(!format!("{sources:?}").contains("hunter2"));
    }

    #[test]
    fn null_means_the_default_where_it_is_not_allowed() {
        let (values, problems) = run(&[("terraform.tfvars", "secret = null\nn = null\n")], &VariableSources::default());
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(values["secret"], Value::number(7).with_marks(crate::value::Marks::SENSITIVE));
        assert_eq!(values["n"], Value::null(Type::Number));
    }

    #[test]
    fn what_is_required_must_be_given() {
        let (template, _) = parse_files(&[("main.tf", "variable \"r\" {}\n")]);
        let (_, problems) = resolve_variables(template.root(), &RawVariables::default());
        assert_eq!(
            lines(template.sources(), &problems),
            ["1 variable.missing <variable \"r\"> the variable `r` has no value"]
        );
    }
}

//! Laws of evaluation, over the text of expressions.

mod bodies;
mod editions;
mod laws;
mod problems;
mod requests;
mod values;

use std::{cell::RefCell, collections::BTreeMap};

use super::*;
use crate::{
    error::{Diagnostic, SourceId, Span},
    template::{hcl, syntax::Expr},
    value::{Marks, Refinement, Type, Value},
};

/// A host with some values, which writes down what it is asked for.
#[derive(Default)]
pub(super) struct Host {
    pub(super) values: BTreeMap<&'static str, Value>,
    pub(super) asked: RefCell<Vec<String>>,
}

impl Host {
    pub(super) fn new() -> Self {
        let unknown = Value::unknown_with(Type::String, Refinement::not_null());
        let secret = Value::string("hunter2").with_marks(Marks::SENSITIVE);
        let user = |name: &str, age: i64| Value::object([("name", Value::string(name)), ("age", Value::number(age))]);
        let values = [
            ("var.unknown", unknown),
            ("var.open", Value::unknown(Type::Any)),
            ("var.unknown_list", Value::unknown_with(Type::list(Type::String), Refinement::not_null())),
            ("var.secret", secret.clone()),
            ("var.secrets", Value::object([("a", secret), ("b", Value::number(1))])),
            ("var.name", Value::string("app")),
            ("var.zones", Value::list(Type::String, vec!["a".into(), "b".into(), "c".into()])),
            ("var.tags", Value::map(Type::String, [("env", Value::string("prod")), ("team", Value::string("core"))])),
            ("var.users", Value::tuple(vec![user("ann", 31), user("bob", 27)])),
            ("count.index", Value::number(2)),
            ("local.typed_any", Value::string("now known")),
            ("local.typed_list", Value::list(Type::Number, vec![1.into()])),
            ("each.key", Value::string("k")),
        ];
        Self { values: values.into_iter().collect(), asked: RefCell::default() }
    }
}

impl Scope for Host {
    /// Knows the types of what is called so.
    fn resolve_type(&self, request: &Request<'_>, span: Span) -> Resolution {
        let ty = match request {
            Request::Local(name) if name.starts_with("typed_text") => Type::String,
            Request::Local(name) if name.starts_with("typed_list") => Type::list(Type::Number),
            Request::Local(name) if name.starts_with("typed_any") => Type::Any,
            _ => return self.resolve(request, span),
        };
        self.asked.borrow_mut().push(format!("type {request:?}").replace("Local(\"", "").replace("\")", ""));
        Resolution::Value(Value::unknown(ty))
    }

    fn resolve(&self, request: &Request<'_>, span: Span) -> Resolution {
        let name = match request {
            Request::Variable(name) => format!("var.{name}"),
            Request::Local(name) => format!("local.{name}"),
            Request::Resource { mode, type_name, name, key } => {
                let key = key.map(ToString::to_string).unwrap_or_default();
                format!("{}{type_name}.{name}{key}", mode.prefix())
            }
            Request::Module { name, key, output } => {
                let key = key.map(ToString::to_string).unwrap_or_default();
                let output = output.map(|output| format!(".{output}")).unwrap_or_default();
                format!("module.{name}{key}{output}")
            }
            Request::CountIndex => "count.index".to_owned(),
            Request::EachKey => "each.key".to_owned(),
            other => format!("{other:?}"),
        };
        self.asked.borrow_mut().push(name.clone());
        if name.contains("pending") {
            return Resolution::Pending;
        }
        if let Some(value) = self.values.get(&*name) {
            return Resolution::Value(value.clone());
        }
        match request {
            Request::Resource { .. } | Request::Module { .. } => {
                Resolution::Value(Value::object([("id", Value::string(name)), ("n", Value::number(1))]))
            }
            _ => Resolution::Failed(
                Diagnostic::error("template.reference", format!("`{name}` is not declared")).at(span),
            ),
        }
    }
}

pub(super) fn parsed(text: &str) -> Expr {
    let (expr, problems) = hcl::parse_expression(SourceId(0), text);
    assert_eq!(problems, [], "{text}");
    expr
}

pub(super) fn run(host: &Host, text: &str) -> (Value, Findings) {
    let functions = Functions::standard();
    let mut evaluator = Evaluator::new(host, &functions, Options::default());
    let value = evaluator.eval(&parsed(text));
    (value, evaluator.finish())
}

/// The value as a console prints it, or the messages of the problems.
pub(super) fn shown(text: &str) -> String {
    let (value, findings) = run(&Host::new(), text);
    if findings.diagnostics.is_empty() {
        return console_print(&value);
    }
    findings
        .diagnostics
        .iter()
        .map(|problem| format!("{}: {}", problem.code, problem.message))
        .collect::<Vec<_>>()
        .join("\n")
}

pub(super) fn check(text: &str, expect: &str) {
    assert_eq!(shown(text), expect, "{text}");
}

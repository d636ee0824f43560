//! The evaluator, and the functions that decode texts.

use std::collections::BTreeMap;

use stackwright::{
    error::{Diagnostic, Diagnostics as _, RenderOptions, SourceId, Sources, Span, render_all},
    template::{
        eval::{Evaluator, Findings, Functions, Options, Request, Resolution, Scope, console_print},
        hcl,
        syntax::{Expr, ExprKind},
    },
    value::{Marks, Type, Value},
};

use crate::text;

/// Must never be seen.
const CANARY: &str = "canary-4f1c";

/// Some of everything: texts, numbers, collections, unknown ones, secrets.
struct Host {
    values: BTreeMap<String, Value>,
}

impl Host {
    fn new() -> Self {
        let secret = || Value::string(CANARY).with_marks(Marks::SENSITIVE);
        let values = [
            ("text", Value::string("a text, ünïcode")),
            ("number", Value::number(3)),
            ("list", Value::list(Type::String, vec!["a".into(), "b".into()])),
            ("set", Value::set(Type::Number, vec![1.into(), 2.into()])),
            ("map", Value::map(Type::String, [("a", Value::string("x")), ("b", Value::string("y"))])),
            (
                "object",
                Value::object([("a", Value::number(1)), ("b", Value::tuple(vec!["x".into(), Value::bool(true)]))]),
            ),
            ("null", Value::null(Type::String)),
            ("unknown", Value::unknown(Type::String)),
            ("open", Value::unknown(Type::Any)),
            ("unknowns", Value::list(Type::String, vec![Value::unknown(Type::String), "b".into()])),
            ("secret", secret()),
            ("secrets", Value::object([("a", secret()), ("b", Value::number(1))])),
        ];
        Self { values: values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.values.insert(name.to_owned(), value);
        self
    }

    fn run(&self, expr: &Expr) -> (Value, Findings) {
        let functions = Functions::standard();
        let mut evaluator = Evaluator::new(self, &functions, Options::default());
        let value = evaluator.eval(expr);
        (value, evaluator.finish())
    }
}

impl Scope for Host {
    fn resolve(&self, request: &Request<'_>, span: Span) -> Resolution {
        let found = match request {
            Request::Variable(name) | Request::Local(name) => self.values.get(*name).cloned(),
            Request::CountIndex => Some(Value::number(1)),
            Request::EachKey => Some(Value::string("k")),
            Request::EachValue => Some(Value::string("v")),
            Request::Resource { name, .. } => self.values.get(*name).cloned(),
            _ => None,
        };
        found.map_or_else(
            || Resolution::Failed(Diagnostic::error("template.reference", "nothing is declared so").at(span)),
            Resolution::Value,
        )
    }
}

/// Any expression: what it comes to, and what is wrong with it, tells no secret, and printing it changes nothing.
pub(crate) fn expression(data: &[u8]) {
    let text = text(data);
    let (expr, problems) = hcl::parse_expression(SourceId(0), &text);
    if problems.has_errors() {
        return;
    }
    let host = Host::new();
    let (value, findings) = host.run(&expr);
    let shown = console_print(&value);
    let mut sources = Sources::new();
    sources.add("expression", text.as_str());
    let told = render_all(&findings.diagnostics, &sources, RenderOptions { color: false });
    if !text.contains(CANARY) && !calls(&expr, &["nonsensitive"]) {
        assert!(!shown.contains(CANARY), "the value tells the secret");
        assert!(!told.contains(CANARY), "a problem tells the secret");
        assert!(!format!("{value:?}").contains(CANARY), "the value tells the secret");
    }
    if calls(&expr, &["timestamp", "uuid", "bcrypt", "plantimestamp"]) {
        return;
    }
    let printed = hcl::print_expression(&expr);
    let (again, problems) = hcl::parse_expression(SourceId(0), &printed);
    assert!(problems.is_empty(), "{printed}: {problems:?}");
    let (same, later) = host.run(&again);
    assert_eq!(console_print(&same), shown, "{printed}");
    assert_eq!(later.diagnostics.len(), findings.diagnostics.len(), "{printed}");
}

/// Returns whether a function of these names is called, or a template that may call any.
fn calls(expr: &Expr, names: &[&str]) -> bool {
    let mut found = match &expr.kind {
        ExprKind::Call(call) => {
            let name = call.name.last().map(|name| name.as_str()).unwrap_or_default();
            names.contains(&name) || matches!(name, "templatefile" | "templatestring")
        }
        _ => false,
    };
    expr.for_each_child(&mut |child, _| found = found || calls(child, names));
    found
}

/// Calls that read a text: `var.text`, and `var.more` behind the first line end.
const DECODERS: &[&str] = &[
    "yamldecode(var.text)",
    "jsondecode(var.text)",
    "csvdecode(var.text)",
    "jsonencode(try(jsondecode(var.text), var.text))",
    "yamlencode(try(yamldecode(var.text), var.text))",
    "yamldecode(yamlencode(var.text))",
    "base64decode(var.text)",
    "textdecodebase64(var.text, \"UTF-16LE\")",
    "urlencode(var.text)",
    "formatdate(var.text, \"2020-02-03T04:05:06Z\")",
    "timeadd(\"2020-02-03T04:05:06Z\", var.text)",
    "timecmp(var.text, var.more)",
    "regex(var.text, var.more)",
    "regexall(var.text, var.more)",
    "replace(var.more, \"/${var.text}/\", \"$0\")",
    "format(var.text, var.more, 1, [true])",
    "formatlist(var.text, [1, 2], var.more)",
    "templatestring(local.text, { a = var.more, b = [1] })",
    "cidrsubnet(var.text, 4, 2)",
    "cidrhost(var.text, 3)",
    "cidrsubnets(var.text, 4, 8)",
    "parseint(var.text, 16)",
    "tonumber(var.text)",
    "substr(var.text, 2, 3)",
    "title(strrev(upper(var.text)))",
    "split(var.more, var.text)",
    "indent(2, var.text)",
    "trimspace(chomp(var.text))",
    "rsadecrypt(var.text, var.more)",
];

/// The functions that decode texts.
pub(crate) fn decoders(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let Some(call) = DECODERS.get(usize::from(*first) % DECODERS.len()) else { return };
    let rest = text(rest);
    let (one, more) = rest.split_once('\n').unwrap_or((&rest, ""));
    // Most read all of it.
    let one = if call.contains("var.more") { one } else { &rest };
    let (expr, problems) = hcl::parse_expression(SourceId(0), call);
    assert!(problems.is_empty(), "{call}: {problems:?}");
    let host = Host::new().with("text", Value::string(one)).with("more", Value::string(more));
    let (value, findings) = host.run(&expr);
    // A template may have many, and says all of them.
    let one_problem = findings.diagnostics.len() <= 1 || call.starts_with("templatestring");
    assert!(one_problem, "one call, one problem: {:?}", findings.diagnostics);
    if *call == "yamldecode(yamlencode(var.text))" {
        assert_eq!(value.as_str(), Value::string(one).as_str(), "YAML gives back what it got");
    }
    let _ = console_print(&value);
}

use serde_json::{Map, Value as Json, json};

use super::value::shown;
use crate::template::{
    eval::{EmptyScope, Evaluator, Functions, Options},
    syntax::{Expr, ExprKind, Reference, Step, StepKind, Traversal},
};

/// Returns an expression as Terraform tells it: `constant_value` where it refers to nothing and calls nothing,
/// `references` where it refers to something.
pub(super) fn expression(expr: &Expr) -> Map<String, Json> {
    let mut json = Map::new();
    if let Some(constant) = constant(expr) {
        json.insert("constant_value".into(), constant);
    }
    let references = references(expr);
    if !references.is_empty() {
        json.insert("references".into(), json!(references));
    }
    json
}

fn constant(expr: &Expr) -> Option<Json> {
    if !expr.references().is_empty() || calls(expr) {
        return None;
    }
    let functions = Functions::standard();
    let mut evaluator = Evaluator::new(&EmptyScope, &functions, Options::default());
    let value = evaluator.eval(expr);
    evaluator.finish().diagnostics.is_empty().then(|| shown(&value))
}

/// Returns whether something is called. The expression may be deep; its depth is that of the text, which has a limit.
fn calls(expr: &Expr) -> bool {
    let mut found = matches!(expr.kind, ExprKind::Call(_));
    expr.for_each_child(&mut |child, _| found |= calls(child));
    found
}

/// Returns what an expression refers to: each reference in full, then step by step less of it, down to what is declared.
fn references(expr: &Expr) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    expr.for_each_reference(&mut |reference: Reference<'_>| {
        for text in parts(reference.traversal) {
            if !list.contains(&text) {
                list.push(text);
            }
        }
    });
    list
}

/// What of a reference names something that is declared.
struct Subject {
    /// The text of what is named.
    text: String,
    /// How many steps that takes.
    used: usize,
    /// What is named with less: the block of an instance, the call of an output.
    above: Option<String>,
}

fn parts(traversal: &Traversal) -> Vec<String> {
    let Some(subject) = subject(traversal) else { return Vec::new() };
    let rest: Vec<String> = traversal.steps.iter().skip(subject.used).map(printed).collect();
    let mut list: Vec<String> = (1..=rest.len())
        .rev()
        .map(|count| format!("{}{}", subject.text, rest.iter().take(count).cloned().collect::<String>()))
        .collect();
    list.push(subject.text);
    list.extend(subject.above);
    list
}

/// Returns what a reference names; nothing where it is malformed.
fn subject(traversal: &Traversal) -> Option<Subject> {
    let attr = |at: usize| traversal.attr(at);
    let key = |at: usize| traversal.steps.get(at).filter(|step| step.is_index()).map(printed);
    let plain = |text: String, used: usize| Some(Subject { text, used, above: None });
    let instance = |block: String, used: usize| match key(used) {
        Some(key) => Some(Subject { text: format!("{block}{key}"), used: used + 1, above: Some(block) }),
        None => Some(Subject { text: block, used, above: None }),
    };
    match traversal.root_name() {
        root @ ("var" | "local" | "each" | "count" | "path" | "terraform") => plain(format!("{root}.{}", attr(0)?), 1),
        "self" => plain("self".to_owned(), 0),
        "data" => instance(format!("data.{}.{}", attr(0)?, attr(1)?), 2),
        "resource" => instance(format!("{}.{}", attr(0)?, attr(1)?), 2),
        "module" => {
            let call = instance(format!("module.{}", attr(0)?), 1)?;
            Some(match attr(call.used) {
                Some(output) => {
                    Subject { text: format!("{}.{output}", call.text), used: call.used + 1, above: Some(call.text) }
                }
                None => call,
            })
        }
        root => instance(format!("{root}.{}", attr(0)?), 1),
    }
}

fn printed(step: &Step) -> String {
    match &step.kind {
        StepKind::Attr(name) => format!(".{name}"),
        StepKind::Index(literal) => format!("[{literal}]"),
        StepKind::LegacyIndex(text) => format!("[{text}]"),
    }
}

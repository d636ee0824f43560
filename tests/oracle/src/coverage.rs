//! What expressions are made of: which functions, operators and forms they reach.

use std::collections::BTreeMap;

use stackwright::template::syntax::{Expr, ExprKind, SplatKind, StepKind, TemplatePart};

/// How often each function, operator and form was met.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Names such as `fn upper`, `op +`, `for object`.
    pub counts: BTreeMap<String, usize>,
}

impl Coverage {
    /// Counts what an expression is made of; each once.
    pub fn add(&mut self, expr: &Expr) {
        let mut names = Vec::new();
        collect(expr, &mut names);
        names.sort();
        names.dedup();
        for name in names {
            *self.counts.entry(name).or_default() += 1;
        }
    }

    /// Returns how often something was met.
    pub fn count(&self, name: &str) -> usize {
        self.counts.get(name).copied().unwrap_or(0)
    }
}

/// Every operator and form that a generator has to reach.
pub const FORMS: &[&str] = &[
    "op +",
    "op -",
    "op *",
    "op /",
    "op %",
    "op ==",
    "op !=",
    "op <",
    "op <=",
    "op >",
    "op >=",
    "op &&",
    "op ||",
    "unary -",
    "unary !",
    "conditional",
    "for list",
    "for object",
    "for grouped",
    "for filtered",
    "splat [*]",
    "splat .*",
    "index",
    "attribute",
    "legacy index",
    "tuple",
    "object",
    "computed key",
    "template",
    "template if",
    "template for",
    "heredoc",
    "expansion",
    "null",
    "number",
    "text",
    "bool",
];

fn collect(expr: &Expr, names: &mut Vec<String>) {
    let mut add = |name: &str| names.push(name.to_owned());
    let steps = |steps: &[stackwright::template::syntax::Step], add: &mut dyn FnMut(&str)| {
        for step in steps {
            add(match step.kind {
                StepKind::Attr(_) => "attribute",
                StepKind::Index(_) => "index",
                StepKind::LegacyIndex(_) => "legacy index",
            });
        }
    };
    match &expr.kind {
        ExprKind::Literal(literal) => add(match literal {
            stackwright::template::syntax::Literal::Null => "null",
            stackwright::template::syntax::Literal::Bool(_) => "bool",
            stackwright::template::syntax::Literal::Number(_) => "number",
            stackwright::template::syntax::Literal::String(_) => "text",
        }),
        ExprKind::Call(call) => {
            add(&format!("fn {}", call.full_name()));
            if call.expand_final {
                add("expansion");
            }
        }
        ExprKind::Binary(binary) => add(&format!("op {}", binary.op)),
        ExprKind::Unary(op, _) => add(&format!("unary {}", op.as_str())),
        ExprKind::Conditional(_) => add("conditional"),
        ExprKind::ForTuple(it) => {
            add("for list");
            if it.condition.is_some() {
                add("for filtered");
            }
        }
        ExprKind::ForObject(it) => {
            add(if it.group { "for grouped" } else { "for object" });
            if it.condition.is_some() {
                add("for filtered");
            }
        }
        ExprKind::Splat(splat) => add(match splat.kind {
            SplatKind::Full => "splat [*]",
            SplatKind::Attribute => "splat .*",
        }),
        ExprKind::Index(_) => add("index"),
        ExprKind::Traversal(traversal) => steps(&traversal.steps, &mut add),
        ExprKind::Relative(relative) => steps(&relative.steps, &mut add),
        ExprKind::Tuple(_) => add("tuple"),
        ExprKind::Object(items) => {
            add("object");
            if items.iter().any(|item| matches!(item.key, stackwright::template::syntax::ObjectKey::Expr(_))) {
                add("computed key");
            }
        }
        ExprKind::Template(template) => {
            add("template");
            if template.heredoc.is_some() {
                add("heredoc");
            }
            parts(&template.parts, &mut add);
        }
        ExprKind::Paren(_) | ExprKind::SplatItem | ExprKind::Invalid => {}
    }
    expr.for_each_child(&mut |child, _| collect(child, names));
}

fn parts(list: &[TemplatePart], add: &mut dyn FnMut(&str)) {
    for part in list {
        match part {
            TemplatePart::If(it) => {
                add("template if");
                parts(&it.then, add);
                parts(&it.otherwise, add);
            }
            TemplatePart::For(it) => {
                add("template for");
                parts(&it.body, add);
            }
            _ => {}
        }
    }
}

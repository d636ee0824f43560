use crate::{
    error::{Diagnostic, Span, suggest},
    form::{CompareOp, Condition, Expression, NetworkOp},
    template::document::{Node, NodeKind},
};

use super::{Map, Reader};

/// The keys of a condition that is a mapping.
const KEYS: [&str; 12] =
    ["eq", "ne", "lt", "le", "gt", "ge", "in", "cidr_contains", "cidr_overlaps", "not", "any", "all"];

impl Reader<'_> {
    /// Reads a bool, an expression, a mapping with an operator, or a list of conditions that must all hold.
    pub(super) fn condition(&mut self, node: &Node) -> Option<Condition> {
        if !self.enter(node.span) {
            return None;
        }
        let condition = self.condition_inside(node);
        self.depth -= 1;
        condition
    }

    fn condition_inside(&mut self, node: &Node) -> Option<Condition> {
        match &node.kind {
            NodeKind::Bool(value) => Some(Condition::Constant(*value)),
            NodeKind::Code(_) => Some(Condition::Expression(self.expression(node))),
            NodeKind::String(text) if text.decoded.contains("${") => Some(Condition::Expression(self.expression(node))),
            NodeKind::String(text) => {
                let problem = Diagnostic::error("form.shape", "a text stands where a condition is expected");
                let help =
                    format!("write `${{{}}}` to have it evaluated, or `true` or `false` without quotes", text.decoded);
                self.problems.push(problem.at(node.span).help(help));
                None
            }
            NodeKind::Array(items) => {
                Some(Condition::All(items.iter().filter_map(|item| self.condition(item)).collect()))
            }
            NodeKind::Object(entries) => {
                let mut map = Map::new(entries, node.span, "a condition");
                let condition = self.operators(&mut map);
                map.finish(self, &KEYS);
                condition
            }
            _ => {
                self.expected(node, "a condition");
                None
            }
        }
    }

    /// Takes the operators out of a mapping; several of them must all hold.
    pub(super) fn operators(&mut self, map: &mut Map<'_>) -> Option<Condition> {
        let mut found = Vec::new();
        let span = map.span;
        let asks = KEYS.iter().chain(&["expr"]).any(|key| map.has(key));
        for op in CompareOp::ALL {
            if let Some((a, b)) = self.sides(map, op.as_str(), "b") {
                found.push(Condition::Compare { op, a, b });
            }
        }
        if let Some((a, b)) = self.sides(map, "in", "b") {
            found.push(Condition::In { a, b });
        }
        for op in NetworkOp::ALL {
            if let Some((a, b)) = self.sides(map, op.as_str(), "b") {
                found.push(Condition::Network { op, a, b });
            }
        }
        if let Some((_, node)) = map.take("not") {
            found.extend(self.condition(node).map(|inner| Condition::Not(Box::new(inner))));
        }
        if let Some((_, node)) = map.take("expr") {
            found.push(Condition::Expression(self.expression(node)));
        }
        for (key, make) in [("all", Condition::All as fn(Vec<Condition>) -> Condition), ("any", Condition::Any)] {
            if let Some((_, node)) = map.take(key) {
                let items = self.items(node);
                found.push(make(items.into_iter().filter_map(|item| self.condition(item)).collect()));
            }
        }
        match found.len() {
            0 => {
                if !asks {
                    self.nothing_asked(map, span);
                }
                None
            }
            1 => found.pop(),
            _ => Some(Condition::All(found)),
        }
    }

    fn nothing_asked(&mut self, map: &mut Map<'_>, span: Span) {
        let mut rest = map.rest();
        let named = rest.first().map(|(name, _)| (*name).clone());
        rest.clear();
        let problem = match named {
            Some(name) => {
                let message = format!("`{}` asks nothing that is known", name.decoded);
                let problem = Diagnostic::error("form.key", message).at(name.span);
                match suggest(&name.decoded, map.asked()) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help(format!("there are {}", KEYS.map(|key| format!("`{key}`")).join(", "))),
                }
            }
            None => Diagnostic::error("form.missing", "a condition without an operator").at(span),
        };
        self.problems.push(problem);
    }

    /// Takes `op: {a, b}` out, or `op:` with `a` and `b` beside it, as CloudApp's older documents have it.
    fn sides(&mut self, map: &mut Map<'_>, op: &'static str, second: &'static str) -> Option<(Expression, Expression)> {
        let (name, node) = map.take(op)?;
        let (a, b, span) = match &node.kind {
            NodeKind::Null => (map.take("a"), map.take(second), name.span),
            NodeKind::Object(entries) => {
                let mut inner = Map::new(entries, node.span, "an operator");
                let sides = (inner.take("a"), inner.take(second), node.span);
                // The message of CloudApp's validators stands inside; whoever reads those has taken it.
                inner.take("message");
                inner.finish(self, &[]);
                sides
            }
            _ => {
                self.expected(node, "a mapping with `a` and `b`");
                return None;
            }
        };
        match (a, b) {
            (Some((_, a)), Some((_, b))) => Some((self.expression(a), self.expression(b))),
            (a, _) => {
                let missing = if a.is_none() { "a" } else { second };
                let problem = Diagnostic::error("form.missing", format!("`{op}` has no `{missing}`"));
                self.problems.push(problem.at(span).help(format!("write `{op}: {{ a: …, b: … }}`")));
                None
            }
        }
    }
}

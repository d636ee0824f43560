use crate::{
    error::{Diagnostic, Severity, suggest},
    form::{Check, Dialect, Format, Validator},
    template::{
        document::{Node, NodeKind},
        eval::compile_pattern,
    },
};

use super::{Map, Reader};

impl Reader<'_> {
    pub(super) fn validators(&mut self, node: &Node) -> Vec<Validator> {
        self.items(node).into_iter().flat_map(|item| self.validator(item)).collect()
    }

    /// Reads one rule; several checks in one mapping share its message.
    fn validator(&mut self, node: &Node) -> Vec<Validator> {
        let Some(mut map) = self.map(node, "a validator") else { return Vec::new() };
        let when = self.condition_at(&mut map, "when");
        let message = self.text_at(&mut map, "message").or_else(|| self.message_inside(&map));
        let severity = match map.take("severity") {
            None => Severity::Error,
            Some((_, node)) => match self.word(node).as_deref() {
                None | Some("error") => Severity::Error,
                Some("warning") => Severity::Warning,
                Some(other) => {
                    let message = format!("a severity is `error` or `warning`, not `{other}`");
                    self.problems.push(Diagnostic::error("form.value", message).at(node.span));
                    Severity::Error
                }
            },
        };
        let checks = self.checks(&mut map);
        let span = map.span;
        map.finish(self, &["eq", "ne", "lt", "le", "gt", "ge", "in", "cidr_contains", "cidr_overlaps", "not", "any"]);
        if message.is_none() && !checks.is_empty() {
            let problem = match self.dialect {
                Dialect::Native => Diagnostic::error("form.message", "a validator without a message"),
                Dialect::CloudApp => Diagnostic::warning("form.message", "a validator without a message"),
            };
            self.problems.push(problem.at(span).help("say what is wrong, and what would be right: `message: …`"));
        }
        let make = |check| Validator { check, when: when.clone(), message: message.clone(), severity, span };
        checks.into_iter().map(make).collect()
    }

    /// Returns the message that stands inside of an operator: `eq: {a, b, message}`.
    fn message_inside(&mut self, map: &Map<'_>) -> Option<crate::form::Text> {
        let ops = ["eq", "ne", "lt", "le", "gt", "ge", "in", "cidr_contains", "cidr_overlaps"];
        let inner = ops.into_iter().find_map(|op| match &map.peek(op)?.kind {
            NodeKind::Object(entries) => entries.iter().find(|(name, _)| &*name.decoded == "message"),
            _ => None,
        });
        inner.and_then(|(_, node)| self.text(node))
    }

    fn checks(&mut self, map: &mut Map<'_>) -> Vec<Check> {
        /// What asks something by itself; what is wrong with it is told where it is read.
        const OWN: [&str; 9] =
            ["min", "max", "min_length", "max_length", "length", "pattern", "enum", "format", "unique"];
        let asks = OWN.iter().any(|key| map.has(key));
        let mut checks = Vec::new();
        let (min, max) = (self.expression_at(map, "min"), self.expression_at(map, "max"));
        if min.is_some() || max.is_some() {
            checks.push(Check::Range { min, max });
        }
        let (mut min, mut max) = (self.count_at(map, "min_length"), self.count_at(map, "max_length"));
        if let Some((_, node)) = map.take("length") {
            match &node.kind {
                NodeKind::Array(items) if items.len() == 2 => {
                    let mut bounds = items.iter().map(|item| self.count(item));
                    (min, max) = (bounds.next().flatten(), bounds.next().flatten());
                }
                _ => (min, max) = (self.count(node), None),
            }
            max = max.or(if matches!(node.kind, NodeKind::Number(_)) { min } else { None });
        }
        if min.is_some() || max.is_some() {
            checks.push(Check::Length { min, max });
        }
        if let Some((_, node)) = map.take("pattern")
            && let Some(text) = self.word(node)
        {
            match compile_pattern(&text) {
                Ok(regex) => checks.push(Check::Pattern(regex)),
                Err(why) => self.problems.push(Diagnostic::error("form.value", why).at(node.span)),
            }
        }
        if let Some((_, node)) = map.take("enum") {
            checks.push(Check::Enum(self.expression(node)));
        }
        if let Some((_, node)) = map.take("format")
            && let Some(name) = self.word(node)
        {
            match Format::by_name(&name) {
                Some(format) => checks.push(Check::Format(format)),
                None => {
                    let problem = Diagnostic::error("form.value", format!("there is no format `{name}`"));
                    let names = Format::ALL.map(Format::as_str);
                    self.problems.push(problem.at(node.span).help(match suggest(&name, names) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("there are {}", names.map(|name| format!("`{name}`")).join(", ")),
                    }));
                }
            }
        }
        if let Some((_, node)) = map.take("unique") {
            match &node.kind {
                NodeKind::Bool(true) => checks.push(Check::Unique(None)),
                NodeKind::String(path) => checks.push(Check::Unique(Some(path.decoded.clone()))),
                _ => self.expected(node, "`true`, or the path of what must be different,"),
            }
        }
        let has_operator = ["eq", "ne", "lt", "le", "gt", "ge", "in", "cidr_contains", "cidr_overlaps", "not", "expr"]
            .into_iter()
            .chain(["any", "all"])
            .any(|key| map.has(key));
        if has_operator || !asks {
            checks.extend(self.operators(map).map(Check::Condition));
        }
        checks
    }
}

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    error::{Diagnostic, Span, suggest},
    form::{Condition, Expression, Text, expression::FUNCTIONS},
    template::{
        document::{self, Node, NodeKind, NodeText},
        syntax::{Expr, ExprKind},
    },
    value::Number,
};

use super::Reader;

/// Functions that look at the world or read files: what they give is not the same every time.
const IMPURE: [&str; 14] = [
    "timestamp",
    "plantimestamp",
    "uuid",
    "bcrypt",
    "file",
    "filebase64",
    "fileexists",
    "fileset",
    "templatefile",
    "filemd5",
    "filesha1",
    "filesha256",
    "filesha512",
    "filebase64sha256",
];

/// A mapping that is taken apart key by key.
pub(super) struct Map<'n> {
    entries: Vec<(&'n NodeText, &'n Node)>,
    pub(super) span: Span,
    what: &'static str,
    asked: Vec<&'static str>,
}

impl<'n> Map<'n> {
    pub(super) fn new(entries: &'n [(NodeText, Node)], span: Span, what: &'static str) -> Self {
        let entries = entries.iter().filter(|(name, _)| &*name.decoded != "//").map(|(name, node)| (name, node));
        Self { entries: entries.collect(), span, what, asked: Vec::new() }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| &*name.decoded == key)
    }

    /// Takes an entry out; of several of one name, which are reported elsewhere, the first.
    pub(super) fn take(&mut self, key: &'static str) -> Option<(&'n NodeText, &'n Node)> {
        self.asked.push(key);
        let idx = self.entries.iter().position(|(name, _)| &*name.decoded == key)?;
        let found = self.entries.remove(idx);
        self.entries.retain(|(name, _)| &*name.decoded != key);
        Some(found)
    }

    /// Returns the keys that somebody asked for.
    pub(super) fn asked(&self) -> Vec<&'static str> {
        self.asked.clone()
    }

    /// Returns an entry without taking it out.
    pub(super) fn peek(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(name, _)| &*name.decoded == key).map(|(_, node)| *node)
    }

    /// Takes out whatever is left.
    pub(super) fn rest(&mut self) -> Vec<(&'n NodeText, &'n Node)> {
        std::mem::take(&mut self.entries)
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self, reader: &mut Reader<'_>, more: &[&'static str]) {
        for (name, _) in &self.entries {
            let known = self.asked.iter().chain(more).copied();
            let message = format!("{} has no key `{}`", self.what, name.decoded);
            let problem = Diagnostic::error("form.key", message).at(name.span);
            reader.problems.push(match suggest(&name.decoded, known.clone()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => {
                    let mut names: Vec<_> = known.map(|name| format!("`{name}`")).collect();
                    names.sort();
                    names.dedup();
                    problem.help(format!("its keys are {}", names.join(", ")))
                }
            });
        }
    }
}

impl Reader<'_> {
    /// Reads a plain text.
    pub(super) fn word(&mut self, node: &Node) -> Option<Arc<str>> {
        match &node.kind {
            NodeKind::String(text) => Some(Arc::clone(&text.decoded)),
            _ => {
                self.expected(node, "a text");
                None
            }
        }
    }

    pub(super) fn word_at(&mut self, map: &mut Map<'_>, key: &'static str) -> Option<Arc<str>> {
        map.take(key).and_then(|(_, node)| self.word(node))
    }

    pub(super) fn words(&mut self, node: &Node) -> Vec<Arc<str>> {
        self.items(node).into_iter().filter_map(|item| self.word(item)).collect()
    }

    /// Reads a text for people: one, or one for each locale.
    pub(super) fn text(&mut self, node: &Node) -> Option<Text> {
        match &node.kind {
            NodeKind::String(text) => Some(Text::Plain(Arc::clone(&text.decoded))),
            // A label such as `8` or `true`.
            NodeKind::Number(text) => Some(Text::Plain(Arc::clone(text))),
            NodeKind::Bool(value) => Some(Text::Plain(Arc::from(value.to_string()))),
            NodeKind::Object(entries) if !entries.is_empty() => {
                let texts: BTreeMap<_, _> = entries
                    .iter()
                    .filter_map(|(locale, node)| Some((Arc::clone(&locale.decoded), self.word(node)?)))
                    .collect();
                (!texts.is_empty()).then_some(Text::Localized(texts))
            }
            _ => {
                self.expected(node, "a text, or a mapping from locales to texts,");
                None
            }
        }
    }

    pub(super) fn text_at(&mut self, map: &mut Map<'_>, key: &'static str) -> Option<Text> {
        map.take(key).and_then(|(_, node)| self.text(node))
    }

    pub(super) fn bool_at(&mut self, map: &mut Map<'_>, key: &'static str) -> Option<bool> {
        let (_, node) = map.take(key)?;
        match node.kind {
            NodeKind::Bool(value) => Some(value),
            _ => {
                self.expected(node, "`true` or `false`");
                None
            }
        }
    }

    /// Reads a whole number that is not negative.
    pub(super) fn count_at(&mut self, map: &mut Map<'_>, key: &'static str) -> Option<u64> {
        let (_, node) = map.take(key)?;
        self.count(node)
    }

    pub(super) fn count(&mut self, node: &Node) -> Option<u64> {
        let number = match &node.kind {
            NodeKind::Number(text) => Number::parse(text).ok().and_then(|number| number.to_u64()),
            _ => None,
        };
        if number.is_none() {
            self.expected(node, "a whole number from 0 on");
        }
        number
    }

    /// Reads a value whose strings may hold `${…}`.
    pub(super) fn expression(&mut self, node: &Node) -> Expression {
        let (expr, problems) = document::expression(self.source, node);
        self.problems.extend(problems);
        self.check_calls(&expr);
        let constant = Expression::new(expr);
        let is_broken = constant.references.is_empty() && constant.constant().is_none();
        if is_broken && !has_invalid(&constant.expr) && !self.problems.iter().any(|known| touches(known, node.span)) {
            let reason = constant.eval(&mut |_| unreachable_value()).problem.unwrap_or_default();
            let problem = Diagnostic::error("form.value", format!("this cannot be worked out: {reason}"));
            self.problems.push(problem.at(node.span));
        }
        constant
    }

    pub(super) fn expression_at(&mut self, map: &mut Map<'_>, key: &'static str) -> Option<Expression> {
        map.take(key).map(|(_, node)| self.expression(node))
    }

    pub(super) fn condition_at(&mut self, map: &mut Map<'_>, key: &'static str) -> Option<Condition> {
        map.take(key).and_then(|(_, node)| self.condition(node))
    }

    /// Refuses calls that would not give the same every time, and those of functions that do not exist.
    fn check_calls(&mut self, expr: &Expr) {
        if let ExprKind::Call(call) = &expr.kind {
            let name = call.full_name();
            let bare = name.strip_prefix("core::").unwrap_or(&name);
            if IMPURE.contains(&bare) || bare == "filebase64sha512" {
                let message = format!("`{name}` cannot be called in a form");
                self.problems.push(
                    Diagnostic::error("form.function", message).at(call.name_span()).help(
                        "a form is the same for the same inputs; generate values with `default: { generate: … }`",
                    ),
                );
            } else if FUNCTIONS.get(bare).is_none() {
                let problem = Diagnostic::error("form.function", format!("there is no function `{name}`"));
                let problem = problem.at(call.name_span());
                self.problems.push(match FUNCTIONS.suggest(bare) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem,
                });
            }
        }
        expr.for_each_child(&mut |child, _| self.check_calls(child));
    }
}

fn unreachable_value() -> crate::value::Value {
    crate::value::Value::null(crate::value::Type::Any)
}

fn touches(problem: &Diagnostic, span: Span) -> bool {
    problem
        .span()
        .is_some_and(|place| place.source == span.source && place.start >= span.start && place.end <= span.end)
}

fn has_invalid(expr: &Expr) -> bool {
    let mut found = expr.is_invalid();
    expr.for_each_child(&mut |child, _| found |= has_invalid(child));
    found
}

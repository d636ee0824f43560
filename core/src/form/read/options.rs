use std::collections::BTreeMap;

use crate::{
    error::{Diagnostic, Span, suggest},
    form::{AutoSelect, DataSource, OnStale, OptionItem, OptionSource, Options},
    template::document::{Node, NodeKind},
};

use super::{Map, Reader};

impl Reader<'_> {
    /// Reads a list of options, an expression, or a mapping with `items`, `from` or `source`.
    pub(super) fn options(&mut self, node: &Node) -> Option<Options> {
        let plain = |from| Options {
            from,
            auto_select: AutoSelect::None,
            on_stale: OnStale::Error,
            allow_other: false,
            span: node.span,
        };
        match &node.kind {
            NodeKind::Array(items) => {
                let items = items.iter().filter_map(|item| self.option(item)).collect();
                Some(plain(OptionSource::Inline(items)))
            }
            NodeKind::String(_) | NodeKind::Code(_) => Some(plain(OptionSource::Computed(self.expression(node)))),
            NodeKind::Object(entries) => {
                let mut map = Map::new(entries, node.span, "`options`");
                let options = self.options_in(&mut map);
                map.finish(self, &["items", "from", "source"]);
                options
            }
            _ => {
                self.expected(node, "a list of options");
                None
            }
        }
    }

    fn options_in(&mut self, map: &mut Map<'_>) -> Option<Options> {
        let span = map.span;
        let auto_select = match self.choice_at(map, "auto_select", &["none", "first", "only"]) {
            Some("first") => AutoSelect::First,
            Some("only") => AutoSelect::Only,
            _ => AutoSelect::None,
        };
        let on_stale = self.choice_at(map, "on_stale", &["clear", "keep", "error"]);
        let allow_other = self.bool_at(map, "allow_other").unwrap_or(false);
        let from = if let Some((_, node)) = map.take("items") {
            let items = self.items(node);
            OptionSource::Inline(items.into_iter().filter_map(|item| self.option(item)).collect())
        } else if let Some((_, node)) = map.take("from") {
            OptionSource::Computed(self.expression(node))
        } else if let Some(source) = self.word_at(map, "source") {
            let mut params = BTreeMap::new();
            if let Some((_, node)) = map.take("params")
                && let Some(mut entries) = self.map(node, "the parameters of a data source")
            {
                for (name, node) in entries.rest() {
                    params.insert(name.decoded.clone(), self.expression(node));
                }
            }
            OptionSource::Data(DataSource {
                source,
                params,
                ttl_seconds: self.count_at(map, "ttl_seconds"),
                value: self.word_at(map, "value"),
                label: self.word_at(map, "label"),
                disabled: self.word_at(map, "disabled"),
                group: self.word_at(map, "group"),
            })
        } else {
            let problem = Diagnostic::error("form.missing", "these options come from nowhere").at(span);
            self.problems.push(problem.help("list them under `items`, compute them with `from`, or name a `source`"));
            return None;
        };
        let on_stale = match (on_stale, &from) {
            (Some("clear"), _) | (None, OptionSource::Data(_)) => OnStale::Clear,
            (Some("keep"), _) => OnStale::Keep,
            _ => OnStale::Error,
        };
        Some(Options { from, auto_select, on_stale, allow_other, span })
    }

    /// Reads `{value, label}`, or a plain value.
    fn option(&mut self, node: &Node) -> Option<OptionItem> {
        let NodeKind::Object(entries) = &node.kind else {
            let value = self.expression(node);
            return Some(OptionItem {
                value,
                label: None,
                description: None,
                when: None,
                disabled: None,
                span: node.span,
            });
        };
        let mut map = Map::new(entries, node.span, "an option");
        let value = self.expression_at(&mut map, "value");
        let label = self.text_at(&mut map, "label");
        let description = self.text_at(&mut map, "description");
        let when = self.condition_at(&mut map, "when");
        let disabled = self.condition_at(&mut map, "disabled");
        map.finish(self, &[]);
        if value.is_none() {
            self.missing("an option", "value", node.span);
        }
        Some(OptionItem { value: value?, label, description, when, disabled, span: node.span })
    }

    /// Takes a word out that must be one of a few.
    pub(super) fn choice_at(
        &mut self,
        map: &mut Map<'_>,
        key: &'static str,
        known: &[&'static str],
    ) -> Option<&'static str> {
        let (_, node) = map.take(key)?;
        let word = self.word(node)?;
        let found = known.iter().find(|name| **name == &*word).copied();
        if found.is_none() {
            let names: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("`{key}` is one of {}, not `{word}`", names.join(", "));
            let problem = Diagnostic::error("form.value", message).at(node.span);
            self.problems.push(match suggest(&word, known.iter().copied()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
        found
    }

    pub(super) fn missing(&mut self, what: &str, key: &str, span: Span) {
        let problem = Diagnostic::error("form.missing", format!("{what} has no `{key}`"));
        self.problems.push(problem.at(span).help(format!("add `{key}: …`")));
    }
}

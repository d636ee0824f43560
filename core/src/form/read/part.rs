use std::{collections::BTreeMap, sync::Arc};

use crate::{
    error::{Diagnostic, Span, suggest},
    form::{Group, Preset, Step},
    template::document::Node,
};

use super::{Map, Reader};

impl Reader<'_> {
    pub(super) fn step(&mut self, node: &Node) -> Option<Step> {
        let mut map = self.map(node, "a step")?;
        let (name, span) = self.name(&mut map, "a step");
        let step = Step {
            name: name?,
            label: self.text_at(&mut map, "label"),
            description: self.text_at(&mut map, "description"),
            when: self.condition_at(&mut map, "when"),
            span,
        };
        map.finish(self, &[]);
        Some(step)
    }

    pub(super) fn group(&mut self, node: &Node, steps: &[Step]) -> Option<Group> {
        let mut map = self.map(node, "a group")?;
        let (name, span) = self.name(&mut map, "a group");
        let group = Group {
            name: name?,
            label: self.text_at(&mut map, "label"),
            description: self.text_at(&mut map, "description"),
            when: self.condition_at(&mut map, "when"),
            step: self.part_at(&mut map, "step", steps.iter().map(|step| &step.name)),
            span,
        };
        map.finish(self, &[]);
        Some(group)
    }

    pub(super) fn preset(&mut self, node: &Node) -> Option<Preset> {
        let mut map = self.map(node, "a preset")?;
        let (name, span) = self.name(&mut map, "a preset");
        let label = self.text_at(&mut map, "label");
        let description = self.text_at(&mut map, "description");
        let mut values = BTreeMap::new();
        if let Some((_, node)) = map.take("values")
            && let Some(mut entries) = self.map(node, "the values of a preset")
        {
            for (name, node) in entries.rest() {
                values.insert(Arc::clone(&name.decoded), self.expression(node));
            }
        }
        let locked = match map.take("lock") {
            None => Vec::new(),
            Some((_, node)) => match node.kind {
                crate::template::document::NodeKind::Bool(true) => values.keys().cloned().collect(),
                crate::template::document::NodeKind::Bool(false) => Vec::new(),
                _ => self.words(node),
            },
        };
        let hidden = map.take("hide").map(|(_, node)| self.words(node)).unwrap_or_default();
        map.finish(self, &[]);
        Some(Preset { name: name?, label, description, values, locked, hidden, span })
    }

    /// Takes the name out, and where it stands; reports that there is none.
    pub(super) fn name(&mut self, map: &mut Map<'_>, what: &str) -> (Option<Arc<str>>, Span) {
        let span = map.span;
        match map.take("name") {
            Some((_, node)) => {
                let name = self.word(node);
                if let Some(name) = name.as_deref().filter(|name| !is_name(name)) {
                    let message = format!("`{name}` cannot be a name");
                    let problem = Diagnostic::error("form.value", message).at(node.span);
                    self.problems
                        .push(problem.help("a name has letters, digits, `_` and `-`, and starts with no digit"));
                    return (None, node.span);
                }
                (name, node.span)
            }
            None => {
                self.missing(what, "name", span);
                (None, span)
            }
        }
    }

    /// Takes the name of a group or step out, and returns its index.
    pub(super) fn part_at<'a>(
        &mut self,
        map: &mut Map<'_>,
        key: &'static str,
        known: impl Iterator<Item = &'a Arc<str>>,
    ) -> Option<usize> {
        let (_, node) = map.take(key)?;
        let name = self.word(node)?;
        let known: Vec<&str> = known.map(|name| &**name).collect();
        let found = known.iter().position(|candidate| *candidate == &*name);
        if found.is_none() {
            let problem = Diagnostic::error("form.reference", format!("there is no {key} `{name}`")).at(node.span);
            self.problems.push(match suggest(&name, known) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("declare it under the root key `{key}s`")),
            });
        }
        found
    }
}

/// Returns whether expressions can name it.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first == '_' || unicode_ident::is_xid_start(first))
        && name.chars().all(|char| char == '-' || unicode_ident::is_xid_continue(char))
}

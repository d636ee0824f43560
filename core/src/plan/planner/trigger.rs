use std::sync::Arc;

use super::{
    Planner,
    instance::{Go, Instance},
};
use crate::{
    address::InstanceKey,
    error::Diagnostic,
    plan::{
        Action,
        node::{BlockNodes, Keys, NodeId, NodeKind},
    },
    template::{
        Referent, references,
        syntax::{Literal, Step, StepKind, Tail},
    },
    value::{Kind, Value},
};

impl Planner {
    /// Returns which entries of `replace_triggered_by` change; the address and, where one is named, the attribute.
    pub(super) fn triggers(&mut self, instance: &mut Instance) -> Result<Vec<String>, Go> {
        let block = Arc::clone(&instance.block);
        let list = &block.lifecycle.replace_triggered_by;
        let mut changed = Vec::new();
        let mut waits = Vec::new();
        for expr in list {
            let found = references(expr);
            let Some(reference) = found.first() else { continue };
            let Referent::Resource(key) = &reference.referent else { continue };
            let Some(nodes) = self.table.module(instance.module).block(key.mode, &key.type_name, &key.name) else {
                continue;
            };
            if !self.table.is_done(nodes.block) {
                waits.push(nodes.block);
                continue;
            }
            let Some(expansion) = self.table.expansion(nodes.block).cloned() else { return Err(Go::Fail) };
            let (wanted, steps) = match (reference.steps.split_first(), reference.tail) {
                (Some((first, rest)), _) if first.is_index() => {
                    (first.as_index().and_then(|key| key_of_literal(&key)), rest)
                }
                (None, Tail::Index(index, rest)) => {
                    let evaluated = self.table.evaluate(instance.module, &instance.repeat, None, index);
                    if !evaluated.waits.is_empty() {
                        waits.extend(evaluated.waits);
                        continue;
                    }
                    let Some(value) = self.table.settle(evaluated, Some(&instance.address)) else {
                        return Err(Go::Fail);
                    };
                    (key_of_value(&value), rest)
                }
                _ => (None, reference.steps),
            };
            let meant: Vec<NodeId> = match &wanted {
                None => expansion.keys.iter().copied().collect(),
                Some(key) => {
                    expansion.keys.iter().copied().filter(|node| self.table.key_of(*node) == Some(key)).collect()
                }
            };
            if meant.is_empty() && !matches!(&expansion.keys, Keys::Count(list) if list.is_empty()) && wanted.is_some()
            {
                let key = wanted.map(|key| key.to_string()).unwrap_or_default();
                self.problems.push(
                    Diagnostic::error("eval.part", format!("there is no instance `{}{key}`", reference.referent))
                        .at(reference.span),
                );
                return Err(Go::Fail);
            }
            let path: String = steps.iter().filter_map(step_text).collect();
            if wanted.is_none() && !matches!(expansion.keys, Keys::One(_)) {
                match self.whole_changes(nodes, &meant, steps, &path) {
                    Ok(true) => changed.push(format!("{}{path}", self.table.label(nodes.block))),
                    Ok(false) => {}
                    Err(Go::Wait(on)) => waits.extend(on),
                    Err(go) => return Err(go),
                }
                instance.touched.push(self.table.touched(nodes.whole).clone());
                continue;
            }
            waits.extend(meant.iter().copied().filter(|node| !self.table.is_done(*node)));
            for node in meant {
                if self.table.has_failed(node) {
                    return Err(Go::Fail);
                }
                instance.touched.push(self.table.touched(node).clone());
                if self.changes(node, steps) {
                    changed.push(format!("{}{path}", self.table.label(node)));
                }
            }
        }
        if !waits.is_empty() {
            return Err(Go::Wait(waits));
        }
        changed.sort();
        changed.dedup();
        Ok(changed)
    }

    /// Returns whether any instance of a repeated block changes; found out once for all who ask.
    fn whole_changes(
        &mut self,
        nodes: BlockNodes,
        instances: &[NodeId],
        steps: &[Step],
        path: &str,
    ) -> Result<bool, Go> {
        if !self.table.is_done(nodes.whole) {
            return Err(Go::Wait(vec![nodes.whole]));
        }
        if self.table.has_failed(nodes.whole) {
            return Err(Go::Fail);
        }
        if let Some(changes) = self.changing.get(&(nodes.whole, path.to_owned())) {
            return Ok(*changes);
        }
        let changes = instances.iter().any(|node| self.changes(*node, steps));
        self.changing.insert((nodes.whole, path.to_owned()), changes);
        Ok(changes)
    }

    /// Returns whether an instance changes, or what stands at `steps` in it does.
    fn changes(&self, node: NodeId, steps: &[Step]) -> bool {
        debug_assert!(matches!(self.table.kind(node), NodeKind::Instance { .. }));
        let Some(outcome) = self.instances.get(node).and_then(|instance| instance.outcome.as_ref()) else {
            return false;
        };
        if steps.is_empty() {
            return matches!(outcome.action, Action::Update | Action::Replace | Action::ReplaceCreateFirst)
                && !outcome.marks_only;
        }
        if outcome.action == Action::NoOp {
            return false;
        }
        let at = |value: &Option<Value>| value.as_ref().and_then(|value| reach(value, steps));
        match (at(&outcome.before), at(&outcome.after)) {
            (Some(before), Some(after)) => !before.unmark_deep().0.same(&after.unmark_deep().0),
            (before, after) => before.is_some() || after.is_some(),
        }
    }
}

fn reach(value: &Value, steps: &[Step]) -> Option<Value> {
    let mut part = value.clone();
    for step in steps {
        if !part.is_known() {
            return Some(part);
        }
        part = match &step.kind {
            StepKind::Attr(name) => part.attribute(name)?.clone(),
            StepKind::Index(Literal::String(key)) => part.attribute(key)?.clone(),
            StepKind::Index(Literal::Number(text)) | StepKind::LegacyIndex(text) => {
                part.element_at(text.parse().ok()?)?.clone()
            }
            StepKind::Index(_) => return None,
        };
    }
    Some(part)
}

fn step_text(step: &Step) -> Option<String> {
    match &step.kind {
        StepKind::Attr(name) => Some(format!(".{name}")),
        StepKind::Index(literal) => Some(format!("[{literal}]")),
        StepKind::LegacyIndex(text) => Some(format!("[{text}]")),
    }
}

fn key_of_literal(literal: &Literal) -> Option<InstanceKey> {
    match literal {
        Literal::Number(text) => text.parse::<u64>().ok().map(InstanceKey::Int),
        Literal::String(text) => Some(InstanceKey::from(&**text)),
        Literal::Null | Literal::Bool(_) => None,
    }
}

fn key_of_value(value: &Value) -> Option<InstanceKey> {
    match value.kind() {
        Kind::Number(number) => number.to_u64().map(InstanceKey::Int),
        Kind::String(text) => Some(InstanceKey::from(&**text)),
        _ => None,
    }
}

use super::{
    Ask, Planner,
    instance::{Go, Instance, Stage},
    outcome::Outcome,
};
use crate::{
    error::{Diagnostic, Result},
    plan::{
        Action, Mode, Reason,
        node::{NodeId, Table},
    },
    value::Value,
};

impl Planner {
    pub(super) fn work_on_data(&mut self, instance: &mut Instance) -> Go {
        match instance.stage {
            Stage::Look => {
                let (config, barriers) = match self.evaluated(instance) {
                    Ok(Some(found)) => found,
                    Ok(None) => return Go::Fail,
                    Err(go) => return go,
                };
                match self.preconditions(instance) {
                    Ok(true) => {}
                    Ok(false) => return Go::Fail,
                    Err(go) => return go,
                }
                let pending = self.pending(&barriers);
                let provider = self.provider_config(&instance.provider);
                let known = config.is_wholly_known() && provider.is_none_or(|provider| provider.is_wholly_known());
                instance.config = Some(config.clone());
                if !known || !pending.is_empty() || instance.undecided {
                    return self.read_later(instance, &config, known, pending);
                }
                instance.stage = Stage::Plan;
                self.request(instance, None, Ask::ReadData(config.unmark_deep().0))
            }
            Stage::Check => {
                let value = instance.outcome.as_ref().and_then(|outcome| outcome.after.clone());
                let value = value.unwrap_or_else(Table::nothing);
                match self.postconditions(instance, &value) {
                    Ok(true) => Go::On(value),
                    Ok(false) => Go::Fail,
                    Err(go) => go,
                }
            }
            _ => Go::Fail,
        }
    }

    /// Returns what changes of that which a data source only waits for: instances, and blocks and modules as a whole.
    pub(super) fn pending(&mut self, barriers: &[NodeId]) -> Vec<String> {
        let touched = barriers.iter().flat_map(|barrier| self.table.touched(*barrier).nodes().iter().copied());
        let mut list: Vec<NodeId> = touched.collect();
        list.sort_unstable();
        list.dedup();
        list.retain(|node| self.is_pending(*node));
        list.into_iter().map(|node| self.table.label(node)).collect()
    }

    fn is_pending(&mut self, node: NodeId) -> bool {
        let Some(parts) = self.table.parts(node).cloned() else {
            let outcome = self.instances.get(node).and_then(|instance| instance.outcome.as_ref());
            return outcome.is_some_and(Outcome::needs_step);
        };
        if let Some(pending) = self.pending.get(&node) {
            return *pending;
        }
        let pending = parts.nodes().iter().any(|part| self.is_pending(*part));
        self.pending.insert(node, pending);
        pending
    }

    /// Leaves reading to a step, where there will be steps.
    fn read_later(&mut self, instance: &mut Instance, config: &Value, known: bool, pending: Vec<String>) -> Go {
        let (plain, marks) = config.unmark_deep_with_paths();
        let after = instance.schema.set_unknowns_for_computed(&plain).mark_with_paths(&marks);
        let after = instance.schema.mark_sensitive(&after);
        let reason = if known && !pending.is_empty() {
            Reason::DependencyPending { addresses: pending }
        } else {
            Reason::ConfigUnknown
        };
        let action = if self.input.options.mode == Mode::Normal { Action::Read } else { Action::NoOp };
        instance.outcome = Some(Outcome {
            action,
            reasons: vec![reason],
            before: None,
            after: Some(after.clone()),
            replace_paths: Vec::new(),
            config: config.clone(),
            private: None,
            marks_only: false,
            checks: instance.undecided || !instance.block.lifecycle.postconditions.is_empty(),
        });
        Go::On(after)
    }

    /// A data source of a `check` block that cannot be read is what that block warns of, and stops nothing.
    fn could_not_read(&mut self, mut instance: Box<Instance>, error: &crate::Error) {
        let node = instance.node;
        if let Some(check) = &instance.block.check {
            let message = format!("`{}` could not be read: {}", instance.address, error.message());
            self.problems.push(
                Diagnostic::warning("plan.check_failed", message.clone())
                    .at(instance.block.span)
                    .address(instance.address.to_string())
                    .help(format!("the check `{check}` looks at it; what it asserts cannot be told")),
            );
            self.unread.insert((instance.module, check.to_string()), message);
        }
        let config = instance.config.clone().unwrap_or_else(Table::nothing);
        let (plain, marks) = config.unmark_deep_with_paths();
        let after = instance.schema.set_unknowns_for_computed(&plain).mark_with_paths(&marks);
        instance.outcome = Some(Outcome { config, before: None, ..Outcome::unchanged(after) });
        instance.stage = Stage::Check;
        self.instances.put(instance);
        self.table.resume(node);
    }

    /// Takes what a data source says.
    pub(super) fn data_was_read(&mut self, node: NodeId, result: Result<Value>) {
        let Some(mut instance) = self.instances.take(node) else { return self.table.fail(node) };
        let (address, span) = (instance.address.clone(), Some(instance.block.span));
        let read = result
            .and_then(|value| super::rows::conformed(&instance.schema, &value, &address, &instance.key.type_name));
        match read {
            Ok(value) => {
                let config = instance.config.clone().unwrap_or_else(Table::nothing);
                let (_, marks) = config.unmark_deep_with_paths();
                instance.outcome = Some(Outcome {
                    action: Action::NoOp,
                    reasons: Vec::new(),
                    before: None,
                    after: Some(value.mark_with_paths(&marks)),
                    replace_paths: Vec::new(),
                    config,
                    private: None,
                    marks_only: false,
                    checks: false,
                });
                instance.stage = Stage::Check;
                self.instances.put(instance);
                self.table.resume(node);
            }
            Err(error) if instance.block.check.is_some() => self.could_not_read(instance, &error),
            Err(error) => {
                self.blame(&error, &address, span);
                self.instances.put(instance);
                self.table.fail(node);
            }
        }
    }
}

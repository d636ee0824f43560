use std::sync::Arc;

use super::Residue;
use crate::{
    error::{Diagnostic, Result},
    plan::{
        Action, Change, Mode, Step,
        node::{NodeId, Verdict},
    },
    template::{Condition, ResourceBlock, ResourceKey},
    value::Value,
};

impl Residue {
    /// Evaluates conditions of an instance; those that do not hold are reported.
    pub(super) fn conditions(
        &mut self,
        node: NodeId,
        pick: impl Fn(&ResourceBlock) -> Vec<Condition>,
        this: Option<&Value>,
    ) -> Result<Vec<Diagnostic>> {
        let (module, key, declared) = self.block(node)?;
        let Some(block) = declared.resources.get(&key) else { return Ok(Vec::new()) };
        let conditions = pick(block);
        let repeat = self.table()?.repeat_of(node);
        let subject = self.table()?.label(node);
        for condition in &conditions {
            loop {
                let table = self.table()?;
                let verdict = table.condition(
                    module,
                    &repeat,
                    this,
                    condition,
                    "plan.condition_failed",
                    &subject,
                    &mut Vec::new(),
                );
                match verdict {
                    Verdict::Waits(on) => self.settle(&on)?,
                    Verdict::Unknown => {
                        let problem = Diagnostic::error(
                            "plan.condition_failed",
                            format!("a condition of `{subject}` is not known even now"),
                        );
                        self.table()?.problems.push(problem.at(condition.condition.span).address(subject.as_str()));
                        break;
                    }
                    Verdict::Holds | Verdict::Fails => break,
                }
            }
        }
        Ok(std::mem::take(&mut self.table()?.problems))
    }

    /// Checks conditions of what did not change: they may hang on what did.
    pub(super) fn check_unchanged(&mut self) -> Result<Vec<Diagnostic>> {
        let plan = Arc::clone(&self.plan);
        if plan.mode != Mode::Normal {
            return Ok(Vec::new());
        }
        let unchanged = |change: &&Change| matches!(change.action, Action::NoOp | Action::Wait) && !change.deposed;
        let unchanged = plan.changes.iter().filter(unchanged);
        let addresses = unchanged.map(|change| &change.address);
        let read = plan.reads.iter().filter(|read| read.value.is_some()).map(|read| &read.address);
        let mut problems = Vec::new();
        for address in addresses.chain(read) {
            let table = self.table()?;
            let key = ResourceKey {
                mode: address.mode(),
                type_name: Arc::clone(&address.resource.type_name),
                name: Arc::clone(&address.resource.name),
            };
            let declares = table.declares_conditions(&address.module().path(), &key);
            if declares {
                let node = self.locate(address)?;
                let value = self.known(address).map(|known| known.value.clone());
                problems.extend(self.conditions(node, |block| block.lifecycle.preconditions.clone(), None)?);
                problems.extend(self.conditions(
                    node,
                    |block| block.lifecycle.postconditions.clone(),
                    value.as_ref(),
                )?);
            }
        }
        Ok(problems)
    }

    /// Checks the postconditions of a step whose object is ready.
    pub fn check(&mut self, step: &Step, object: &Value) -> Vec<Diagnostic> {
        let checked = self
            .locate(&step.address)
            .and_then(|node| self.conditions(node, |block| block.lifecycle.postconditions.clone(), Some(object)));
        checked.unwrap_or_else(|error| match error.diagnostics() {
            [] => vec![Diagnostic::error("engine.bug", error.message()).address(step.address.to_string())],
            problems => problems.to_vec(),
        })
    }
}

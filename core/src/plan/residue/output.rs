use std::{collections::BTreeMap, sync::Arc};

use super::Residue;
use crate::{
    error::{Diagnostics as _, Error, Result},
    plan::Step,
    value::Value,
};

impl Residue {
    /// Returns the configuration of the provider that owns a step's instance, marked; `None` where it has none.
    ///
    /// # Errors
    /// What evaluation says, with diagnostics.
    pub fn provider_config(&mut self, step: &Step) -> Result<Option<Value>> {
        let name = self.provider_name(step);
        match self.plan.provider_configs.get(&name) {
            None => Ok(None),
            Some(config) if config.is_wholly_known() => Ok(Some(config.clone())),
            Some(_) => {
                let node = self.table()?.provider_node(&name);
                self.settle(&[node])?;
                let table = self.table()?;
                let problems = std::mem::take(&mut table.problems);
                if problems.has_errors() {
                    return Err(Error::from_diagnostics("plan.evaluation", problems));
                }
                Ok(Some(table.value(node).clone()))
            }
        }
    }

    /// Returns the text of the address of the configuration that a step's instance uses.
    pub(super) fn provider_name(&self, step: &Step) -> Arc<str> {
        let change = self.plan.change(step.change);
        let named = change.map(|change| Arc::clone(&change.provider)).filter(|name| !name.is_empty());
        named.unwrap_or_else(|| self.types.provider_of(step.address.type_name()))
    }

    /// Evaluates the root outputs once every step ended well; marked. One that still cannot be computed keeps its value.
    ///
    /// # Errors
    /// What evaluation says, with diagnostics; `plan.condition_failed` where a condition of what did not change does not
    /// hold any more.
    pub fn outputs(&mut self) -> Result<BTreeMap<String, Value>> {
        let plan = Arc::clone(&self.plan);
        let is_known = |value: &Option<Value>| value.as_ref().is_none_or(Value::is_wholly_known);
        let conditions = self.check_unchanged()?;
        if conditions.has_errors() {
            return Err(Error::from_diagnostics("plan.condition_failed", conditions));
        }
        let mut outputs = BTreeMap::new();
        for (name, change) in &plan.outputs {
            if is_known(&change.after) {
                outputs.extend(change.after.clone().map(|value| (name.clone(), value)));
                continue;
            }
            let node = self.table()?.root().outputs.get(name.as_str()).copied();
            let node =
                node.ok_or_else(|| Error::bug("an output is not in the plan's snapshot").context("output", name))?;
            self.settle(&[node])?;
            let table = self.table()?;
            let problems = std::mem::take(&mut table.problems);
            if problems.has_errors() {
                return Err(Error::from_diagnostics("plan.evaluation", problems));
            }
            let value = table.value(node).clone();
            // What cannot be computed after all keeps the value that it had.
            let value =
                if value.is_wholly_known() && !table.has_failed(node) { Some(value) } else { change.before.clone() };
            outputs.extend(value.map(|value| (name.clone(), value)));
        }
        Ok(outputs)
    }
}

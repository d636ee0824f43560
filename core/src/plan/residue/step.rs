use super::{Residue, evaluate::Known};
use crate::{
    address::Address,
    error::{Diagnostics as _, Error, Result},
    plan::{
        Step, StepAction, StepConfig,
        planner::{admitted, keep},
        tag::{trespasses, with_locked},
    },
    state::ObjectId,
    value::{Type, Value},
};

/// What a step's residue came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Finalized {
    /// The configuration, wholly known; marked. Null of any type for a delete or a forget.
    pub config: Value,
    /// The object as it will be, unknown only where the type computes values; marked. `None` for a delete, a forget or
    /// a read.
    ///
    /// With `plan_again` it is what is proposed to the type's `plan`, whose answer takes its place.
    pub planned: Option<Value>,
    /// Whether the type's `plan` has to be asked once more, because the configuration is better known than it was.
    pub plan_again: bool,
}

impl Residue {
    /// Evaluates a step's configuration right before it starts, preconditions included.
    ///
    /// # Errors
    /// What evaluation says, with diagnostics; `plan.condition_failed` where a precondition does not hold.
    pub fn finalize(&mut self, step: &Step) -> Result<Finalized> {
        let finalized = match &step.config {
            StepConfig::None => {
                return Ok(Finalized { config: Value::null(Type::Any), planned: None, plan_again: false });
            }
            StepConfig::Known(config) => {
                Finalized { config: config.clone(), planned: step.planned.clone(), plan_again: false }
            }
            StepConfig::Residual(_) => self.residual(step)?,
        };
        if step.has_conditions {
            let node = self.locate(&step.address)?;
            let problems = self.conditions(node, |block| block.lifecycle.preconditions.clone(), None)?;
            if problems.has_errors() {
                return Err(Error::from_diagnostics("plan.condition_failed", problems));
            }
        }
        if !finalized.config.is_wholly_known() {
            let problems = std::mem::take(&mut self.table()?.problems);
            if problems.has_errors() {
                return Err(Error::from_diagnostics("plan.evaluation", problems));
            }
            return Err(Error::bug("a step was started before all that it refers to was applied")
                .context("address", &step.address));
        }
        Ok(finalized)
    }

    /// Evaluates the configuration of a step, and what it proposes.
    fn residual(&mut self, step: &Step) -> Result<Finalized> {
        let node = self.locate(&step.address)?;
        let (module, key, declared) = self.block(node)?;
        let block = declared.resources.get(&key).ok_or_else(|| Error::bug("a step has no block"))?;
        let missing = || self.types.nearest(&key.type_name).unwrap_or_default();
        let schema = self.types.schema(key.mode, &key.type_name).ok_or_else(|| {
            let message = format!("the type `{}` is not registered any more", key.type_name);
            Error::new(crate::ErrorKind::NotFound, "plan.type_unknown", message).context("nearest", missing())
        })?;
        let repeat = self.table()?.repeat_of(node);
        let config = self.evaluate(|table| table.evaluate_body(module, &repeat, &block.body, &schema, block.span))?;
        // Of what is not known yet, planning cannot always tell that it will be ephemeral.
        let config = admitted(&config, &schema, block)
            .map_err(|problems| Error::from_diagnostics("plan.evaluation", problems))?;
        let config = schema.mark_sensitive(&config);
        if step.action == StepAction::Read {
            return Ok(Finalized { config, planned: None, plan_again: false });
        }
        let tags = &self.plan.inputs.tags;
        let problems = trespasses(tags, &schema, &config, &block.body, block.span);
        if problems.has_errors() {
            return Err(Error::from_diagnostics("plan.evaluation", problems));
        }
        let change = self.plan.change(step.change);
        let prior = match step.action {
            StepAction::Update => change.and_then(|change| change.before.as_ref()).map(|before| before.unmark_deep().0),
            _ => None,
        };
        let config = match &prior {
            Some(prior) => keep(&block.lifecycle.ignore_changes, &schema, &config, prior),
            None => config,
        };
        let config = with_locked(tags, &schema, &config);
        let (plain, marks) = config.unmark_deep_with_paths();
        let proposed = schema.planned_new(prior.as_ref(), &plain);
        let planned = schema.mark_sensitive(&proposed.mark_with_paths(&marks));
        Ok(Finalized { config, planned: Some(planned), plan_again: true })
    }

    /// Takes what an instance came to.
    pub fn applied(&mut self, address: &Address, _: Option<ObjectId>, value: Value) {
        let schema = self.types.schema(address.mode(), address.type_name());
        let value = schema.map_or(value.clone(), |schema| schema.mark_sensitive(&value));
        let marks = self.change_of(address).and_then(|change| change.after.as_ref());
        let value = match marks {
            // What the template marks stays marked, whatever the type returned.
            Some(after) => value.mark_with_paths(&after.unmark_deep_with_paths().1),
            None => value,
        };
        let old = self.know(address, Known { value: value.clone(), is_final: true });
        let Some(table) = self.table.as_mut() else { return };
        let was_final = old.as_ref().is_some_and(|old| old.is_final);
        if was_final && old.is_some_and(|old| !old.value.same(&value)) {
            // It changed once more while it became ready: whatever used it is computed anew.
            #[cfg(test)]
            {
                self.walk_count += 1;
            }
            let users = table.node_of(address).map(|node| table.users_of(node)).unwrap_or_default();
            table.forget(&users);
        }
        table.forget(&std::mem::take(&mut self.passing));
        self.open.clear();
    }
}

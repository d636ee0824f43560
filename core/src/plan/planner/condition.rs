use std::sync::Arc;

use super::{
    Planner,
    instance::{Go, Instance},
};
use crate::value::Value;

impl Planner {
    /// Checks what must hold before an instance is planned.
    pub(super) fn preconditions(&mut self, instance: &mut Instance) -> Result<bool, Go> {
        let block = Arc::clone(&instance.block);
        self.hold(instance, &block.lifecycle.preconditions, None)
    }

    /// Checks what must hold of an instance, given what it will be.
    pub(super) fn postconditions(&mut self, instance: &mut Instance, after: &Value) -> Result<bool, Go> {
        let block = Arc::clone(&instance.block);
        let conditions = &block.lifecycle.postconditions;
        let holds = self.hold(instance, conditions, Some(after))?;
        let undecided = instance.undecided;
        if let Some(outcome) = &mut instance.outcome {
            outcome.checks = undecided || !conditions.is_empty();
        }
        Ok(holds)
    }
}

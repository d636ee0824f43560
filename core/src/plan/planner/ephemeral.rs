use std::sync::Arc;

use super::{
    Ask, Planner,
    instance::{Go, Instance, Stage},
};
use crate::{
    address::Mode as AddressMode,
    error::{Diagnostic, Result},
    plan::node::{NodeId, held, held_later},
    schema::Schema,
    template::{ResourceBlock, ephemeral},
    value::{Marks, Path, Step, Value},
};

/// Ephemeral resources: opened as soon as their configuration is known, and no part of the plan.
impl Planner {
    pub(super) fn work_on_ephemeral(&mut self, instance: &mut Instance) -> Go {
        self.ephemeral_step(instance).unwrap_or_else(|go| go)
    }

    fn ephemeral_step(&mut self, instance: &mut Instance) -> Result<Go, Go> {
        if instance.stage == Stage::Check {
            let value = instance.kept.clone().ok_or(Go::Fail)?;
            return Ok(if self.postconditions(instance, &value)? { Go::On(value) } else { Go::Fail });
        }
        let Some((config, barriers)) = self.evaluated(instance)? else { return Err(Go::Fail) };
        if !self.preconditions(instance)? {
            return Err(Go::Fail);
        }
        let waits_for_steps = !self.pending(&barriers).is_empty();
        let provider = self.provider_config(&instance.provider);
        let known = config.is_wholly_known() && provider.is_none_or(|provider| provider.is_wholly_known());
        instance.config = Some(config.clone());
        if !known || waits_for_steps || instance.undecided {
            instance.undecided = true;
            instance.kept = Some(held_later(&instance.schema, &config));
            instance.stage = Stage::Check;
            return self.ephemeral_step(instance);
        }
        Ok(self.request(instance, None, Ask::Open(config.unmark_deep().0)))
    }

    /// Takes what an ephemeral resource holds.
    pub(super) fn was_opened(&mut self, node: NodeId, result: Result<Value>) {
        let Some(mut instance) = self.instances.take(node) else { return self.table.fail(node) };
        let config = instance.config.clone().unwrap_or_else(crate::plan::node::Table::nothing);
        let opened = result
            .and_then(|value| held(&instance.schema, &config, &value, &instance.address, &instance.key.type_name));
        match opened {
            Ok(value) => {
                instance.kept = Some(value);
                instance.stage = Stage::Check;
                self.table.resume(node);
            }
            Err(error) => {
                let span = Some(instance.block.span);
                self.blame(&error, &instance.address, span);
                self.table.fail(node);
            }
        }
        self.instances.put(instance);
    }
}

/// Takes the configuration of a block as it may be kept: without ephemeral marks, which only write-only attributes may
/// have, and whatever is ephemeral itself. Each other one is a problem.
pub(in crate::plan) fn admitted(
    config: &Value,
    schema: &Schema,
    block: &ResourceBlock,
) -> Result<Value, Vec<Diagnostic>> {
    if block.key.mode == AddressMode::Ephemeral || !config.marks_deep().contains(Marks::EPHEMERAL) {
        return Ok(config.clone());
    }
    let kept = schema.strip_write_only(config);
    let (_, marks) = kept.unmark_deep_with_paths();
    let mut problems: Vec<Diagnostic> = Vec::new();
    for (path, _) in marks.iter().filter(|(_, marks)| marks.contains(Marks::EPHEMERAL)) {
        let problem = refuse(path, block);
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let (plain, marks) = config.unmark_deep_with_paths();
    let marks: Vec<(Path, Marks)> =
        marks.into_iter().map(|(path, marks)| (path, marks.without(Marks::EPHEMERAL))).collect();
    Ok(plain.mark_with_paths(&marks))
}

fn refuse(path: &Path, block: &ResourceBlock) -> Diagnostic {
    let name: Arc<str> = match path.steps().first() {
        Some(Step::Attr(name)) => Arc::clone(name),
        _ => Arc::from(""),
    };
    let span = block.body.attribute(&name).map_or(block.span, |attribute| attribute.expr.span);
    ephemeral::argument(&name, span)
}

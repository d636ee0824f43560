use std::sync::Arc;

use super::{Planner, entry::Entry, instance::Instance};
use crate::{
    error::Diagnostic,
    plan::{
        Action, Change, ChangeIdx, Plan, Step, StepAction, StepConfig, StepId,
        order::{Half, Ordered, Sequence, order},
    },
};

impl Planner {
    /// Puts everything together. Nothing where a problem was found on the way.
    pub(super) fn assemble(&mut self) -> Option<Plan> {
        let mut entries = self.entries();
        self.read_again(&mut entries);
        let uses = self.uses(&entries);
        self.decide_create_first(&mut entries, &uses);
        self.mint(&mut entries);
        self.depend(&mut entries, &uses);
        self.unused_options(&entries);
        if self.problems.iter().any(Diagnostic::is_error) {
            return None;
        }
        let items = self.items(&entries, uses);
        let Sequence { steps, joins } = match order(&items) {
            Ok(sequence) => sequence,
            Err(circle) => {
                self.report_circle(&entries, &circle);
                return None;
            }
        };
        let steps = self.steps(&entries, &steps);
        let row_updates = self.row_updates(&entries);
        let outputs = self.outputs();
        Some(Plan {
            stack: self.input.stack.clone(),
            lineage: self.input.lineage,
            mode: self.input.options.mode,
            targets: self.input.options.targets.clone(),
            steps,
            joins,
            row_updates,
            base: self.base(),
            outputs,
            checks: self.checks(),
            drift: self.drift(),
            reads: self.reads(&entries),
            provider_configs: self.provider_configs(),
            inputs: self.inputs(),
            warnings: Vec::new(),
            changes: entries.into_iter().filter_map(|entry| self.change(entry)).collect(),
        })
    }

    fn report_circle(&mut self, entries: &[Entry], circle: &[u32]) {
        let names: Vec<String> = circle
            .iter()
            .filter_map(|at| entries.get(*at as usize))
            .map(|entry| format!("`{}`", entry.address))
            .collect();
        self.problems.push(
            Diagnostic::error("plan.cycle", format!("the changes to {} wait for one another", names.join(", ")))
                .help("change one of them on its own first (`-target`), or use `create_before_destroy` so that old and new may stand side by side"),
        );
    }

    fn steps(&self, entries: &[Entry], ordered: &[Ordered]) -> Vec<Step> {
        let step = |(at, place): (u32, &Ordered)| {
            let entry = entries.get(place.item as usize)?;
            let instance = self.of(entry);
            let block = instance.map(|instance| &instance.block);
            let row = entry.row.and_then(|number| self.rows.get(number)).map(|known| &known.row);
            let deletes = place.half == Half::Delete;
            let action = match (place.half, entry.outcome.action) {
                (Half::Delete, Action::Forget) => StepAction::Forget,
                (Half::Delete, _) => StepAction::Delete,
                (Half::Make, Action::Update) => StepAction::Update,
                (Half::Make, Action::Read) => StepAction::Read,
                (Half::Make, Action::Wait) => StepAction::Wait,
                (Half::Make, _) => StepAction::Create,
            };
            let config = match instance {
                Some(instance) if !deletes && action != StepAction::Wait => {
                    let config =
                        super::decide::storable(&instance.schema, &entry.outcome.config, &entry.outcome.config);
                    if config.is_wholly_known() { StepConfig::Known(config) } else { StepConfig::Residual(config) }
                }
                _ => StepConfig::None,
            };
            let info = self.input.types.resource(&entry.address.resource.type_name);
            Some(Step {
                id: StepId(at),
                change: ChangeIdx(place.item),
                action,
                address: entry.address.clone(),
                object_id: if deletes { entry.prior } else { entry.object },
                prior: entry.prior,
                config,
                planned: match (instance, &entry.outcome.after) {
                    (Some(instance), Some(after))
                        if !deletes && !matches!(action, StepAction::Read | StepAction::Wait) =>
                    {
                        Some(super::decide::storable(&instance.schema, after, &entry.outcome.config))
                    }
                    _ => None,
                },
                planned_private: if deletes { None } else { entry.outcome.private.clone() },
                needs: place.needs.clone(),
                joins: place.joins.clone(),
                dependencies: match row {
                    Some(row) if deletes => row.dependencies.clone(),
                    _ => entry.dependencies.clone(),
                },
                wholes: match row {
                    Some(row) if deletes => row.wholes.clone(),
                    _ => entry.wholes.clone(),
                },
                create_before_destroy: if deletes {
                    entry.deposed || entry.outcome.action == Action::ReplaceCreateFirst
                } else {
                    entry.create_first
                },
                prevent_destroy: !deletes && block.is_some_and(|block| block.lifecycle.prevent_destroy.is_some()),
                has_conditions: !deletes && entry.outcome.checks,
                cost: info.map_or(1, |info| info.traits.cost),
            })
        };
        (0..).zip(ordered).filter_map(step).collect()
    }

    fn change(&self, entry: Entry) -> Option<Change> {
        let instance = self.of(&entry);
        let known = entry.row.and_then(|number| self.rows.get(number));
        let provider =
            instance.map(Instance::named_provider).or_else(|| known.map(|known| Arc::clone(&known.row.provider)));
        let type_name = known.map(|known| Arc::clone(&known.row.type_name));
        Some(Change {
            previous_address: known.and_then(|known| known.previous.clone()),
            type_name: type_name.unwrap_or_else(|| Arc::clone(&entry.address.resource.type_name)),
            provider: provider.unwrap_or_default(),
            action: entry.outcome.action,
            reasons: entry.outcome.reasons,
            before: entry.outcome.before,
            after: entry.outcome.after,
            replace_paths: entry.outcome.replace_paths,
            prior_object: entry.prior,
            object: entry.object,
            deposed: entry.deposed,
            importing: instance.and_then(|instance| instance.import.as_ref()).map(|(id, _)| id.clone()),
            address: entry.address,
        })
    }
}

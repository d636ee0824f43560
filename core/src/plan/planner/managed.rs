use std::sync::Arc;

use super::{
    Ask, Planner,
    instance::{Go, Instance, Stage},
    outcome::Outcome,
};
use crate::{
    error::{Diagnostic, Result},
    plan::{
        Mode,
        node::{NodeId, Table},
        tag::{trespasses, with_locked},
    },
    resource::{Object, PlanRequest, PlanResponse},
    value::Value,
};

/// A managed instance, stage by stage.
impl Planner {
    pub(super) fn work_on_managed(&mut self, instance: &mut Instance) -> Go {
        loop {
            let step = match instance.stage {
                Stage::Look => self.look_for(instance),
                Stage::Configure => self.configure(instance),
                Stage::Plan => self.compare(instance),
                // Both are entered by an answer.
                Stage::PlanNew => self.compare_new(instance),
                Stage::Check => return self.check_after(instance),
            };
            match step {
                Ok(next) => instance.stage = next,
                Err(go) => return go,
            }
        }
    }

    /// Where nothing is to be made, an object is adopted as it is, with the marks and dependencies that the template
    /// gives it; how it differs from the template, the next plan shows.
    pub(super) fn adopt_only(&mut self, instance: &mut Instance) -> Result<Go, Go> {
        self.look_for(instance)?;
        let Some((config, _)) = self.evaluated(instance)? else { return Err(Go::Fail) };
        let Some((_, Some(object))) = &mut instance.import else { return Err(Go::Fail) };
        let marks = super::rows::present(&object.attributes, config.unmark_deep_with_paths().1);
        object.attributes = instance.schema.mark_sensitive(&object.attributes.mark_with_paths(&marks));
        let value = object.attributes.clone();
        instance.outcome = Some(Outcome::unchanged(value.clone()));
        Ok(Go::On(value))
    }

    /// Finds the row, or the object that is to be adopted.
    fn look_for(&mut self, instance: &mut Instance) -> Result<Stage, Go> {
        if instance.row.is_none() {
            instance.row = self.rows.at(&instance.address);
        }
        if let Some(known) = instance.row.and_then(|number| self.rows.get_mut(number)) {
            known.claimed = true;
            let task = known.task;
            if !self.table.is_done(task) {
                return Err(Go::Wait(vec![task]));
            }
            if self.table.has_failed(task) {
                return Err(Go::Fail);
            }
        } else if instance.import.is_none()
            && let Some((id, shown)) = self.adopted(instance)?
        {
            let config = self.table.provider_node(&instance.provider);
            if !self.table.is_done(config) {
                return Err(Go::Wait(vec![config]));
            }
            instance.import = Some((shown, None));
            return Err(self.request(instance, None, Ask::Import(id)));
        }
        Ok(Stage::Configure)
    }

    /// Returns the id of the object that an instance adopts, and how it is shown; nothing where there is none.
    fn adopted(&self, instance: &Instance) -> Result<Option<(String, String)>, Go> {
        if let Some(id) = self.input.options.imports.get(&instance.address) {
            return Ok(Some((id.clone(), id.clone())));
        }
        if self.input.options.mode != Mode::Normal {
            return Ok(None);
        }
        let nodes = self.table.imports_of(|| instance.address.resource.path());
        let waits: Vec<NodeId> = nodes.iter().copied().filter(|node| !self.table.is_done(*node)).collect();
        if !waits.is_empty() {
            return Err(Go::Wait(waits));
        }
        if nodes.iter().any(|node| self.table.has_failed(*node)) {
            return Err(Go::Fail);
        }
        let mut found = nodes.iter().rev().flat_map(|node| self.table.adoptions_of(*node).iter().rev());
        let adoption = found.find(|adoption| adoption.address == instance.address);
        Ok(adoption.map(|adoption| (adoption.id.clone(), adoption.shown.clone())))
    }

    /// Evaluates the block, its preconditions and what it waits for.
    fn configure(&mut self, instance: &mut Instance) -> Result<Stage, Go> {
        let Some((config, _)) = self.evaluated(instance)? else { return Err(Go::Fail) };
        instance.forced = self.forced(instance)?;
        if !self.preconditions(instance)? {
            return Err(Go::Fail);
        }
        self.report_trespasses(instance, &config);
        instance.config = Some(config);
        Ok(Stage::Plan)
    }

    /// Reports what the template says against the locked tags. Planning goes on with those, so that everything of the kind
    /// is told at once.
    fn report_trespasses(&mut self, instance: &Instance, config: &Value) {
        let (tags, block) = (&self.input.options.tags, &instance.block);
        for problem in trespasses(tags, &instance.schema, config, &block.body, block.span) {
            let is_same = |other: &Diagnostic| (&other.message, &other.labels) == (&problem.message, &problem.labels);
            // One problem for a block, however many instances it has.
            if !self.problems.iter().any(is_same) {
                self.problems.push(problem.address(instance.address.to_string()));
            }
        }
    }

    /// Evaluates an instance's body with all that it waits for. Returns the configuration, marked, and the nodes of what
    /// it only waits for; nothing where it failed.
    pub(super) fn evaluated(&mut self, instance: &mut Instance) -> Result<Option<(Value, Vec<NodeId>)>, Go> {
        let config = self.table.provider_node(&instance.provider);
        if !self.table.is_done(config) {
            // All instances of a provider wait for this at first: none is evaluated in vain.
            return Err(Go::Wait(vec![config]));
        }
        let block = Arc::clone(&instance.block);
        let mut barriers = self.table.module(instance.module).barriers.clone();
        barriers
            .extend(block.depends_on.iter().filter_map(|dependency| self.table.barrier(instance.module, dependency)));
        let mut evaluated =
            self.table.evaluate_body(instance.module, &instance.repeat, &block.body, &instance.schema, block.span);
        evaluated.waits.extend(barriers.iter().copied().filter(|other| !self.table.is_done(*other)));
        if !evaluated.waits.is_empty() {
            return Err(Go::Wait(evaluated.waits));
        }
        let broken = barriers.iter().chain([&config]).any(|other| self.table.has_failed(*other));
        let poisoned = evaluated.poisoned || broken;
        // What told how often it is there comes first, too.
        let told = self.table.block_of(instance.node).map(|(.., block)| block);
        let via = self.table.module(instance.module).via.iter().copied().chain(told);
        let others = barriers.iter().copied().chain([config]).chain(via);
        instance.touched = others.map(|other| self.table.touched(other).clone()).collect();
        instance.touched.push(evaluated.touched.clone());
        match self.table.settle(evaluated, Some(&instance.address)) {
            Some(value) if !poisoned => match super::ephemeral::admitted(&value, &instance.schema, &block) {
                Ok(value) => Ok(Some((instance.schema.mark_sensitive(&value), barriers))),
                Err(problems) => {
                    let address = instance.address.to_string();
                    self.problems.extend(problems.into_iter().map(|problem| problem.address(address.clone())));
                    Ok(None)
                }
            },
            _ => Ok(None),
        }
    }

    /// Asks the type what the object that is there becomes, or a new one.
    fn compare(&mut self, instance: &mut Instance) -> Result<Stage, Go> {
        let Some(prior) = self.prior(instance) else { return Ok(Stage::PlanNew) };
        if !instance.forced.is_empty() {
            return Ok(Stage::PlanNew);
        }
        let Some(config) = &instance.config else { return Err(Go::Fail) };
        let ignored = &instance.block.lifecycle.ignore_changes;
        let kept = super::ignore::keep(ignored, &instance.schema, config, &prior.attributes);
        // What is locked is none of what a template can ignore.
        let kept = with_locked(&self.input.options.tags, &instance.schema, &kept);
        let plain = kept.unmark_deep().0;
        let proposed = instance.schema.planned_new(Some(&prior.attributes), &plain);
        instance.kept = Some(kept);
        Err(self.request(
            instance,
            None,
            Ask::Plan(Box::new(PlanRequest { prior: Some(prior), config: plain, proposed })),
        ))
    }

    fn compare_new(&mut self, instance: &mut Instance) -> Result<Stage, Go> {
        let Some(config) = &instance.config else { return Err(Go::Fail) };
        let config = with_locked(&self.input.options.tags, &instance.schema, config);
        let plain = config.unmark_deep().0;
        let proposed = instance.schema.planned_new(None, &plain);
        instance.kept = Some(config);
        instance.stage = Stage::PlanNew;
        Err(self.request(instance, None, Ask::Plan(Box::new(PlanRequest { prior: None, config: plain, proposed }))))
    }

    /// Takes the type's answer.
    pub(super) fn was_planned(&mut self, node: NodeId, result: Result<PlanResponse>) {
        let Some(mut instance) = self.instances.take(node) else { return self.table.fail(node) };
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                let span = Some(instance.block.span);
                self.blame(&error, &instance.address, span);
                self.instances.put(instance);
                return self.table.fail(node);
            }
        };
        match self.decide(&mut instance, response) {
            Some(next) => {
                instance.stage = next;
                self.instances.put(instance);
                self.table.resume(node);
            }
            None => {
                self.instances.put(instance);
                self.table.fail(node);
            }
        }
    }

    /// Takes the object that is to be adopted.
    pub(super) fn was_imported(&mut self, node: NodeId, result: Result<Option<Object>>) {
        let Some(mut instance) = self.instances.take(node) else { return self.table.fail(node) };
        let (address, span) = (instance.address.clone(), Some(instance.block.span));
        let id = instance.import.as_ref().map(|(id, _)| id.clone()).unwrap_or_default();
        let found = result.and_then(|found| {
            let Some(object) = found else { return Ok(None) };
            if object.id.is_empty() {
                let type_name = &instance.key.type_name;
                let message = format!("`{address}`: the resource type `{type_name}` returned an object without an id");
                return Err(crate::Error::new(crate::ErrorKind::Bug, "resource.inconsistent", message));
            }
            let attributes = self.shown(&address, &instance.key.type_name, &object.attributes)?;
            Ok(Some(Object { attributes, ..object }))
        });
        match found {
            Ok(Some(object)) => {
                instance.import = Some((id, Some(object)));
                instance.stage = Stage::Configure;
                self.instances.put(instance);
                return self.table.resume(node);
            }
            Ok(None) => {
                let mut problem = Diagnostic::error(
                    "plan.import_missing",
                    format!("there is no `{}` with the id `{id}`", instance.key.type_name),
                )
                .address(address.to_string())
                .help("look the id up where the object lives; what an id is, the documentation of the type says");
                if let Some(span) = span {
                    problem = problem.at(span);
                }
                self.problems.push(problem);
            }
            Err(error) => self.blame(&error, &address, span),
        }
        self.instances.put(instance);
        self.table.fail(node);
    }

    /// Checks what must hold of the result, as far as it is known.
    fn check_after(&mut self, instance: &mut Instance) -> Go {
        let Some(outcome) = &instance.outcome else { return Go::Fail };
        let after = outcome.after.clone().unwrap_or_else(Table::nothing);
        match self.postconditions(instance, &after) {
            Ok(true) => Go::On(after),
            Ok(false) => Go::Fail,
            Err(go) => go,
        }
    }
}

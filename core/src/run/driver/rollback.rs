use std::sync::Arc;

use super::{dispatcher::Dispatcher, ephemeral::Loans, start::counts, writer::Write};
use crate::{
    error::{Effect, Error, ErrorKind, Result},
    event::{Event, StepOutcome},
    plan::{Step, StepAction, codec},
    run::{
        Before, Fact, KnownFinalizer, Machine, Phase, StepProblem,
        rollback::{Traces, Undoing},
    },
    state::{RunStatus, SegmentRecord},
};

/// Undoing what a run did, once it failed.
impl Dispatcher {
    /// Returns what has to be remembered before a step begins: the rows that it may change, as they are.
    pub(super) fn remember(&mut self, step: &Step) -> Vec<Fact> {
        let touches =
            matches!(step.action, StepAction::Create | StepAction::Update | StepAction::Delete | StepAction::Forget);
        if !touches || !self.machine.may_roll_back() {
            return Vec::new();
        }
        let change = self.plan.change(step.change);
        let prior = step.prior.or_else(|| change.and_then(|change| change.prior_object));
        let mut facts = Vec::new();
        for object in step.object_id.into_iter().chain(prior) {
            let Some(row) = self.ledger.get(object).filter(|_| !self.before.contains_key(&object)) else { continue };
            let before = Before::from(row);
            self.before.insert(object, before.clone());
            facts.push(Fact::Remembered { step: step.id, before });
        }
        facts
    }

    /// Returns whether a run that ends so is undone: nobody stopped it, and everybody knows what it did.
    pub(super) fn is_to_be_undone(&self, status: RunStatus) -> bool {
        let is_ending = self.counter.ending.is_some();
        status == RunStatus::Failed && self.machine.may_roll_back() && !self.machine.is_cancelled() && !is_ending
    }

    /// Goes on with the segment that undoes what was done; false where there is nothing to undo.
    pub(super) fn begin_rollback(&mut self) -> Result<bool> {
        let traces = Traces { plan: &self.plan, before: &self.before, rows: self.ledger.rows(), calls: &*self.calls };
        let plan = traces.undo()?;
        if plan.steps.is_empty() && plan.row_updates.is_empty() {
            return Ok(false);
        }
        let nothing: Box<dyn crate::run::Finalizer> = Box::new(KnownFinalizer::new(Arc::clone(&self.plan)));
        let inner = std::mem::replace(&mut self.finalizer, nothing);
        let finalizer = Undoing::new(&traces, &plan, inner)?;
        let (mut facts, mut events) = self.skip_leftovers();
        // What is open was opened for steps that have ended.
        let open = self.loans.open();
        self.give_back(open);
        for fact in &facts {
            self.machine.apply(fact)?;
        }
        self.carried_out = Some(counts(&self.machine));
        let step_count = plan.steps.len() as u32;
        let begun = Fact::RollbackStarted { step_count };
        self.machine.apply(&begun)?;
        let mut machine = Machine::undoing(&plan)?;
        machine.apply(&begun)?;
        facts.push(begun);
        events.push(Event::RollbackStarted { run: self.record.id.to_string(), step_count: step_count.into() });
        let mut rows = Vec::new();
        self.ledger.update(&plan.row_updates, &*self.calls, &mut rows);
        let body = codec::encode(&plan, &self.sealer)?;
        let segment = Some(SegmentRecord { run: self.record.id, number: 1, body });
        self.finalizer = Box::new(finalizer);
        self.machine = machine;
        self.memory.clear();
        self.loans = Loans::default();
        self.plan = Arc::new(plan);
        self.pending.push(Write { facts, rows, segment, events, ..Write::default() });
        Ok(true)
    }

    /// Returns what says that nothing that is left will start.
    pub(super) fn skip_leftovers(&mut self) -> (Vec<Fact>, Vec<Event>) {
        let plan = Arc::clone(&self.plan);
        let (mut facts, mut events) = (Vec::new(), Vec::new());
        for id in self.machine.leftovers() {
            facts.push(Fact::Skipped { step: id });
            if let Some(step) = plan.step(id) {
                events.push(self.finished(step, StepOutcome::Skipped, None));
            }
        }
        (facts, events)
    }

    /// Says of a rollback that got stuck how far it got.
    pub(super) fn note_incomplete(&mut self) {
        let left = self.machine.steps_where(|phase| phase != Phase::Done).len();
        let message = format!(
            "{left} of {} changes could not be undone; state says what is there, mend the causes and plan again",
            self.plan.steps.len()
        );
        let error = Error::new(ErrorKind::Conflict, "run.rollback_incomplete", message).effect(Effect::None);
        self.problems.push(StepProblem { step: None, address: "rollback".to_owned(), error: (&error).into() });
    }
}

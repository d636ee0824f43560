use std::sync::Arc;

use tokio::sync::oneshot;

use super::{
    dispatcher::Dispatcher,
    judge::{Fate, Verdict},
    task::{End, Finding, Word},
    writer::{RowChange, Write},
};
use crate::{
    error::{Diagnostic, Diagnostics, Effect, Error, ErrorKind, Result},
    event::{Event, StepOutcome},
    plan::{Step, StepAction, StepId},
    resource::Object,
    run::{
        Conclusion, Fact, Phase, RowFate, StepError, StepProblem, encode_summary,
        refine::{for_state, known_part, storable},
        uses::{counted, uses_of},
    },
    state::{
        ObjectId, Row, RowStatus, RunStatus, StackWrite,
        codec::{Output, encode_stack},
    },
    value::Value,
};

/// What the dispatcher makes of what its tasks say.
impl Dispatcher {
    pub(super) fn hear(&mut self, word: Word) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let find = |id: StepId| plan.step(id).ok_or_else(|| Error::bug("a task speaks of a step that is not planned"));
        match word {
            Word::Begin { step, input, ack } => {
                if !self.machine.may_start(step) {
                    // Dropping `ack` ends the task, which gives the start back.
                    return Ok(());
                }
                self.begin(find(step)?, input, Some(ack), None)
            }
            Word::Checkpoint { step, id, partial, ack } => {
                // A call that was given up may still speak; what it says is void.
                if !matches!(self.machine.phase(step), Some(Phase::Running { .. })) {
                    return Ok(());
                }
                self.memory.entry(step).or_default().checkpoint = Some((id.clone(), partial.clone()));
                let facts = vec![Fact::Checkpointed { step, id, partial }];
                self.record(Write { facts, ack: Some(ack), ..Write::default() })
            }
            Word::Ended { step, end, is_call } => {
                self.task_count -= 1;
                self.call_count -= usize::from(is_call);
                self.ended(find(step)?, end)
            }
            Word::Opened { address, result } => self.was_opened(address, result),
            Word::Sold(answer) => self.answered(answer),
            Word::Lapsed { address } => {
                self.lapsed(address);
                Ok(())
            }
        }
    }

    fn ended(&mut self, step: &Step, end: End) -> Result<()> {
        match end {
            End::Dropped => self.dropped(step),
            End::Unwritten => {
                // Where it was on its way to the disk the writer has ended, and says itself why; that may be heard later.
                self.machine.withdraw(step.id);
                Ok(())
            }
            End::Refused(error) if self.machine.may_start(step.id) => {
                self.fail(step, vec![(&error).into()], RowFate::Untouched, Vec::new())
            }
            End::Refused(_) => {
                self.machine.withdraw(step.id);
                Ok(())
            }
            End::Called(verdict) => self.conclude(step, verdict, None),
            End::Read(Ok(value)) => self.observed(step, value),
            End::Read(Err(error)) if crate::plan::Residue::is_scoped(&self.plan, &step.address) => {
                // What a check looks at may fail: it warns, and the run goes on.
                let message = format!("`{}` could not be read: {}", step.address, error.message());
                self.unread.insert(step.address.clone(), message);
                self.observed(step, Value::unknown(crate::value::Type::Any))
            }
            End::Read(Err(error)) => self.fail(step, vec![(&error).into()], RowFate::Untouched, Vec::new()),
            End::Recovered(finding) => self.recovered(step, finding),
            End::Ready(Ok(object)) => self.ready(step, object),
            End::Ready(Err(error)) => self.fail(step, vec![(&error).into()], RowFate::Untouched, Vec::new()),
        }
    }

    fn dropped(&mut self, step: &Step) -> Result<()> {
        match self.machine.phase(step.id) {
            Some(Phase::Waiting | Phase::Again { .. }) => {
                self.machine.withdraw(step.id);
                Ok(())
            }
            // The run ends without this step; resuming settles it.
            _ if self.shared.hurry.is_cancelled() || self.shared.guard.lost.is_cancelled() => Ok(()),
            _ => Err(Error::bug("the task of a step ended early").context("address", &step.address)),
        }
    }

    fn recovered(&mut self, step: &Step, finding: Finding) -> Result<()> {
        let missing = Fact::Recovered { step: step.id, conclusion: Conclusion::Missing, row: None };
        match finding {
            Finding::Made(verdict) => {
                let found = Fact::Recovered { step: step.id, conclusion: Conclusion::Found, row: None };
                self.conclude(step, verdict, Some(found))
            }
            Finding::Missing(prior) => {
                self.record(Write { facts: vec![missing], ..Write::default() })?;
                let memory = self.memory.entry(step.id).or_default();
                (memory.is_unsettled, memory.must_ask) = (false, false);
                memory.prior = prior.or(memory.prior.take());
                match memory.last_error.clone() {
                    Some(error) if memory.attempts_here >= self.options.attempts => {
                        // The world was asked: this attempt left nothing behind.
                        let error = StepError { effect: Effect::None, ..error };
                        self.fail(step, vec![error], RowFate::Untouched, Vec::new())
                    }
                    _ => Ok(()),
                }
            }
            Finding::Vanished => {
                self.record(Write { facts: vec![missing], ..Write::default() })?;
                let error = Error::new(
                    ErrorKind::Conflict,
                    "resource.vanished",
                    "the object was gone when the world was asked about it",
                );
                let (fate, rows) = self.settle_row(step, Fate::Removed);
                self.fail(step, vec![(&error).into()], fate, rows)
            }
            Finding::CannotTell(reason) => self.uncertain(step, reason),
        }
    }

    /// Records what a call came to; `before` is a fact that belongs into the same transaction.
    fn conclude(&mut self, step: &Step, verdict: Verdict, before: Option<Fact>) -> Result<()> {
        match self.unsettled(step, verdict) {
            Verdict::Applied(object) => self.applied(step, object, before),
            Verdict::Gone => self.apply_gone(step, before),
            Verdict::Lost(error) => {
                let error = StepError::from(&error);
                self.memory.entry(step.id).or_default().last_error = Some(error.clone());
                self.record(Write { facts: vec![Fact::Interrupted { step: step.id, error }], ..Write::default() })
            }
            Verdict::Failed { errors, fate } => {
                let errors = errors.iter().map(StepError::from).collect();
                let (fate, rows) = self.settle_row(step, fate);
                self.fail_with(step, errors, fate, rows, before)
            }
        }
    }

    /// A repeat that was refused says nothing of the attempt that it repeats: that one may have made the object, so the
    /// world is asked.
    fn unsettled(&mut self, step: &Step, verdict: Verdict) -> Verdict {
        let memory = self.memory.entry(step.id).or_default();
        match verdict {
            Verdict::Failed { mut errors, fate: Fate::Untouched } if memory.is_unsettled && !errors.is_empty() => {
                memory.must_ask = true;
                Verdict::Lost(errors.swap_remove(0).effect(Effect::Unknown))
            }
            verdict => verdict,
        }
    }

    fn applied(&mut self, step: &Step, object: Object, before: Option<Fact>) -> Result<()> {
        let value = object.attributes.clone();
        let as_made = self.is_ready_at_once(step).then(|| object.clone());
        let Some(row) = self.row_of(step, object, RowStatus::Current) else {
            return Err(Error::bug("a change of nothing was applied").context("address", &step.address));
        };
        let mut rows = Vec::new();
        let reference = self.ledger.put(row, &mut rows);
        self.depose_prior(step, &mut rows);
        let applied = Fact::Applied { step: step.id, row: Some(reference) };
        self.finalizer.applied(&step.address, step.object_id, value);
        self.record(Write {
            facts: before.into_iter().chain([applied]).collect(),
            rows,
            events: vec![Event::StepApplied { step: step.id.0, address: step.address.to_string() }],
            ..Write::default()
        })?;
        match as_made {
            // In the same transaction: nobody sees it applied and not ready.
            Some(object) => self.ready(step, object),
            None => Ok(()),
        }
    }

    fn is_ready_at_once(&self, step: &Step) -> bool {
        let Some(change) = self.plan.change(step.change) else { return false };
        let resource = self.calls.resource(&change.type_name, &change.provider);
        resource.is_ok_and(|resource| resource.traits().ready_at_once)
    }

    /// Records that the step's object is gone from the world or from care.
    pub(super) fn apply_gone(&mut self, step: &Step, before: Option<Fact>) -> Result<()> {
        let mut rows = Vec::new();
        if let Some(object_id) = step.object_id {
            self.ledger.remove(object_id, &mut rows);
        }
        let facts = before.into_iter().chain([Fact::Applied { step: step.id, row: None }]).collect();
        let events = vec![self.finished(step, StepOutcome::Done, None)];
        self.record(Write { facts, rows, events, ..Write::default() })
    }

    fn observed(&mut self, step: &Step, value: Value) -> Result<()> {
        self.finalizer.applied(&step.address, None, value.clone());
        if let Some(error) = self.broken_conditions(step, &value) {
            return self.fail(step, vec![error], RowFate::Untouched, Vec::new());
        }
        let facts = vec![Fact::Observed { step: step.id, value }];
        let events = vec![self.finished(step, StepOutcome::Done, None)];
        self.record(Write { facts, events, ..Write::default() })
    }

    fn ready(&mut self, step: &Step, object: Object) -> Result<()> {
        let row = step.object_id.and_then(|object_id| self.ledger.get(object_id)).cloned();
        let Some(row) = row else {
            return Err(Error::bug("an applied step has no row").context("address", &step.address));
        };
        if row.attributes != object.attributes {
            self.finalizer.applied(&step.address, step.object_id, object.attributes.clone());
        }
        let mut rows = Vec::new();
        let value = object.attributes.clone();
        let row = Row {
            attributes: object.attributes,
            private: object.private,
            remote_id: Some(object.id),
            ready: true,
            ..row
        };
        let reference = self.ledger.put(counted(&*self.calls, row), &mut rows);
        if let Some(error) = self.broken_conditions(step, &value) {
            return self.fail(step, vec![error], RowFate::Saved(reference), rows);
        }
        let events = vec![self.finished(step, StepOutcome::Done, None)];
        self.record(Write { facts: vec![Fact::Ready { step: step.id }], rows, events, ..Write::default() })
    }

    fn broken_conditions(&mut self, step: &Step, value: &Value) -> Option<StepError> {
        if !step.has_conditions {
            return None;
        }
        let (errors, warnings): (Vec<Diagnostic>, Vec<_>) =
            self.finalizer.check(step, value).into_iter().partition(Diagnostic::is_error);
        for diagnostic in warnings {
            self.shared.bus.send(Event::Problem { diagnostic });
        }
        if !errors.has_errors() {
            return None;
        }
        for diagnostic in &errors {
            self.shared.bus.send(Event::Problem { diagnostic: diagnostic.clone() });
        }
        Some((&Error::from_diagnostics("plan.condition_failed", errors)).into())
    }

    /// Records that nobody can tell what a lost call did.
    pub(super) fn uncertain(&mut self, step: &Step, reason: String) -> Result<()> {
        let memory = self.memory.entry(step.id).or_default();
        let planned = memory.input.as_ref().map_or_else(|| step.planned.clone(), |input| input.planned.clone());
        let remote_id = memory.checkpoint.as_ref().map(|(id, _)| id.clone());
        let cause = memory.last_error.clone();
        let known = step.object_id.and_then(|object_id| self.ledger.get(object_id)).cloned();
        let row = match (known, planned) {
            (Some(row), planned) => {
                let order_lines = self.order_lines(step, Some(&row));
                // It is as it was, or as it was to be: it may use as much as the larger of both.
                let planned = planned.map(|planned| uses_of(&*self.calls, &row.type_name, &row.provider, &planned));
                let uses = planned.map_or_else(|| row.uses.clone(), |planned| row.uses.max(&planned));
                Some(Row { status: RowStatus::Uncertain, order_lines, uses, ..row })
            }
            (None, Some(planned)) => self.uncertain_row(step, remote_id, &planned),
            (None, None) => None,
        };
        let mut rows = Vec::new();
        let reference = row.map(|row| self.ledger.put(row, &mut rows));
        let error = uncertain_error(step, &reason, cause);
        let events = vec![self.finished(step, StepOutcome::Uncertain, Some(&error))];
        self.problems.push(problem(step, error));
        let conclusion = Conclusion::CannotTell { reason };
        let facts = vec![Fact::Recovered { step: step.id, conclusion, row: reference }];
        self.record(Write { facts, rows, events, ..Write::default() })
    }

    fn uncertain_row(&self, step: &Step, remote_id: Option<String>, planned: &Value) -> Option<Row> {
        let known = known_part(planned);
        let schema = self.plan.change(step.change).and_then(|change| {
            self.calls.resource(&change.type_name, &change.provider).ok().map(|resource| resource.schema())
        });
        let attributes = match schema {
            Some(schema) => for_state(&known, Some(planned), &schema),
            None => storable(&known).0,
        };
        let object = Object { id: String::new(), attributes, private: None };
        let row = self.row_of(step, object, RowStatus::Uncertain)?;
        // What was to be known only later counts as unknown, not as nothing.
        let uses = uses_of(&*self.calls, &row.type_name, &row.provider, planned);
        Some(Row { remote_id, uses, ..row })
    }

    pub(super) fn fail(
        &mut self,
        step: &Step,
        errors: Vec<StepError>,
        row: RowFate,
        rows: Vec<RowChange>,
    ) -> Result<()> {
        self.fail_with(step, errors, row, rows, None)
    }

    fn fail_with(
        &mut self,
        step: &Step,
        errors: Vec<StepError>,
        row: RowFate,
        rows: Vec<RowChange>,
        before: Option<Fact>,
    ) -> Result<()> {
        let errors: Vec<_> = errors.into_iter().map(|error| self.while_undoing(error)).collect();
        let events = vec![self.finished(step, StepOutcome::Failed, errors.first())];
        self.problems.extend(errors.iter().map(|error| problem(step, error.clone())));
        let failed = Fact::Failed { step: step.id, errors, row };
        let facts = before.into_iter().chain([failed]).collect();
        self.record(Write { facts, rows, events, ..Write::default() })
    }

    /// Tells errors of a rollback from those that it is for.
    fn while_undoing(&self, mut error: StepError) -> StepError {
        if self.machine.is_undoing() {
            error.context.push(("while".to_owned(), "undoing what the run did".to_owned()));
        }
        error
    }

    /// Writes what a failed call left.
    fn settle_row(&mut self, step: &Step, fate: Fate) -> (RowFate, Vec<RowChange>) {
        let mut rows = Vec::new();
        let fate = match fate {
            Fate::Untouched => RowFate::Untouched,
            Fate::Removed => {
                if let Some(object_id) = step.object_id {
                    self.ledger.remove(object_id, &mut rows);
                }
                RowFate::Removed
            }
            Fate::Saved { object, tainted } => {
                let status = if tainted { RowStatus::Tainted } else { RowStatus::Current };
                match self.row_of(step, object, status) {
                    Some(row) => {
                        let reference = self.ledger.put(row, &mut rows);
                        self.depose_prior(step, &mut rows);
                        RowFate::Saved(reference)
                    }
                    None => RowFate::Untouched,
                }
            }
        };
        (fate, rows)
    }

    /// A create took the address of the object before it, if that is still there.
    fn depose_prior(&mut self, step: &Step, rows: &mut Vec<RowChange>) {
        let change = self.plan.change(step.change);
        let prior = step.prior.or_else(|| change.and_then(|change| change.prior_object));
        if step.action == StepAction::Create
            && let Some(prior) = prior.filter(|prior| Some(*prior) != step.object_id)
        {
            self.ledger.depose(prior, rows);
        }
    }

    /// Returns the row of a step's object as it is now; `ready` is false until it is seen to work.
    fn row_of(&self, step: &Step, object: Object, status: RowStatus) -> Option<Row> {
        let object_id: ObjectId = step.object_id?;
        let change = self.plan.change(step.change)?;
        let known = self.ledger.get(object_id);
        let resource = self.calls.resource(&change.type_name, &change.provider).ok();
        let version = resource.map(|resource| resource.schema().version);
        let deletes = step.action == StepAction::Delete;
        // What a failed delete leaves is the old row with what is left of its object.
        let old = known.filter(|_| deletes);
        let uses = uses_of(&*self.calls, &change.type_name, &change.provider, &object.attributes);
        Some(Row {
            object_id,
            address: step.address.clone(),
            status: match old.map(|row| row.status) {
                Some(RowStatus::Deposed) => RowStatus::Deposed,
                _ => status,
            },
            type_name: Arc::clone(&change.type_name),
            provider: Arc::clone(&change.provider),
            schema_version: version.or_else(|| known.map(|row| row.schema_version)).unwrap_or_default(),
            remote_id: Some(object.id),
            attributes: object.attributes,
            private: object.private,
            dependencies: old.map_or_else(|| step.dependencies.clone(), |row| row.dependencies.clone()),
            wholes: old.map_or_else(|| step.wholes.clone(), |row| row.wholes.clone()),
            order_lines: self.order_lines(step, known),
            uses,
            create_before_destroy: old.map_or(step.create_before_destroy, |row| row.create_before_destroy),
            prevent_destroy: old.map_or(step.prevent_destroy, |row| row.prevent_destroy),
            ready: false,
            version: 0,
        })
    }

    pub(super) fn finished(&mut self, step: &Step, outcome: StepOutcome, error: Option<&StepError>) -> Event {
        let begun = self.memory.remove(&step.id).and_then(|memory| memory.begun);
        let elapsed = begun.map(|begun| self.shared.clock.monotonic().saturating_sub(begun)).unwrap_or_default();
        Event::StepFinished {
            step: step.id.0,
            address: step.address.to_string(),
            action: step.action.as_str().to_owned(),
            outcome,
            code: error.map(|error| error.code.clone()),
            message: error.map(|error| error.message.clone()),
            elapsed_ms: elapsed.as_millis() as u64,
        }
    }

    /// Skips what is left and ends the run; the receiver is told once that is durable.
    pub(super) fn finish(&mut self, status: RunStatus) -> Result<oneshot::Receiver<()>> {
        let (mut facts, mut events) = self.skip_leftovers();
        let (checks, warnings) = self.finalizer.checks(&self.unread);
        self.checks = checks;
        self.warnings.extend(warnings);
        let (status, stack) = self.final_outputs(status);
        facts.push(Fact::Finished { status });
        self.record(Write { facts, ..Write::default() })?;
        // Where steps were skipped their phase is only known now.
        let [done, failed, skipped] = self.carried_out.unwrap_or_else(|| super::start::counts(&self.machine));
        if self.machine.is_undoing() && status == RunStatus::Stuck {
            self.note_incomplete();
        }
        self.summary.done_count = done as u32;
        self.summary.failed_count = failed as u32;
        self.summary.skipped_count = skipped as u32;
        self.record.status = status;
        self.record.finished = Some(self.shared.clock.now());
        self.record.body = encode_summary(self.record.id, &self.summary)?;
        events.push(Event::RunFinished {
            run: self.record.id.to_string(),
            status: status.as_str().to_owned(),
            done: done as u64,
            failed: failed as u64,
            skipped: skipped as u64,
        });
        let (ack, durable) = oneshot::channel();
        if let Some(last) = self.pending.last_mut() {
            last.run = Some(self.record.clone());
            last.stack = stack;
            last.events = events;
            last.ack = Some(ack);
        }
        Ok(durable)
    }

    /// Evaluates the outputs of a run that succeeded; if that fails, so does the run.
    fn final_outputs(&mut self, status: RunStatus) -> (RunStatus, Option<StackWrite>) {
        if status != RunStatus::Succeeded {
            return (status, None);
        }
        let encoded = self.finalizer.outputs().and_then(|outputs| {
            let declared = |name: &String| self.plan.outputs.get(name).is_some_and(|output| output.sensitive);
            let stored = outputs.iter().map(|(name, value)| {
                let sensitive = declared(name) || value.is_sensitive();
                (name.clone(), Output { value: storable(value).0, sensitive })
            });
            let body = encode_stack(&stored.collect(), &self.checks, &self.sealer)?;
            Ok((outputs, StackWrite { lineage: self.lineage, body }))
        });
        match encoded {
            Ok((outputs, write)) => {
                self.outputs = outputs;
                (status, Some(write))
            }
            Err(error) => {
                let error = StepError::from(&error);
                self.problems.push(StepProblem { step: None, address: "outputs".to_owned(), error });
                (RunStatus::Failed, None)
            }
        }
    }
}

fn problem(step: &Step, error: StepError) -> StepProblem {
    StepProblem { step: Some(step.id), address: step.address.to_string(), error }
}

/// Returns `resource.uncertain`.
pub(super) fn uncertain_error(step: &Step, reason: &str, cause: Option<StepError>) -> StepError {
    let message = format!("nobody can tell whether the {} took effect: {reason}", step.action.as_str());
    let mut error = Error::new(ErrorKind::Conflict, "resource.uncertain", message)
        .effect(Effect::Unknown)
        .context("way_out", "look at the object; then import it or forget it, and plan again");
    if let Some(cause) = cause {
        error = error.context("cause", cause.message);
    }
    (&error).into()
}

use std::collections::{BTreeMap, VecDeque};

use super::{Command, Conclusion, Fact, IllegalFact, OnFailure, Phase};
use crate::{
    error::{Error, ErrorKind, Result},
    graph::{Frontier, Graph, NodeIdx},
    plan::{Join, JoinId, Level, Need, Plan, Step, StepAction, StepId},
    state::RunStatus,
};

/// How far the run itself is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunPhase {
    New,
    Open,
    Closed,
}

#[derive(Clone, Debug)]
struct Slot {
    action: StepAction,
    needs: Vec<Need>,
    joins: Vec<JoinId>,
    phase: Phase,
    /// How far it got, as [`rank`] counts; a step that fails after it was applied keeps that.
    reached: u8,
    /// Whether its present command was handed out.
    issued: bool,
}

/// A run as a pure state machine: facts in, commands out. No clock, no I/O.
///
/// # Complexity
/// A whole run costs O((n + e) log n), n steps and joins, e needs.
#[derive(Clone, Debug)]
pub struct Machine {
    slots: Vec<Slot>,
    nodes: Vec<NodeIdx>,
    /// The nodes of joins, which the frontier lets pass by itself.
    joins: Vec<NodeIdx>,
    frontier: Frontier,
    /// Steps that were handed out and given back before anything happened.
    returned: VecDeque<StepId>,
    /// Repeats and recoveries: they finish what runs, so they come before anything new.
    urgent: VecDeque<StepId>,
    /// Applied steps whose readiness nobody awaits yet.
    unready: VecDeque<StepId>,
    run: RunPhase,
    on_failure: OnFailure,
    cancelled: bool,
    failed: bool,
    /// Whether its plan undoes another one.
    is_undoing: bool,
    /// Steps that run, are lost, found or applied.
    active_count: usize,
    /// Steps that wait for another attempt.
    again_count: usize,
    /// Starts that were handed out and not followed by a fact yet.
    handed_count: usize,
    finish_issued: bool,
}

impl Machine {
    /// Returns the machine of a plan of which nothing has run.
    ///
    /// # Errors
    /// `run.invalid_plan` where a step waits for itself or a later one, or its number is not its place.
    pub fn new(plan: &Plan) -> Result<Self> {
        Self::of_steps(&plan.steps, &plan.joins)
    }

    /// Returns the machine of a plan that undoes what another one did: it begins with [`Fact::RollbackStarted`], undoes as
    /// much as it can, and ends as failed where all is undone and as stuck where not.
    ///
    /// # Errors
    /// As [`Machine::new`].
    pub fn undoing(plan: &Plan) -> Result<Self> {
        let machine = Self::new(plan)?;
        Ok(Self { is_undoing: true, on_failure: OnFailure::Continue, ..machine })
    }

    /// Returns the machine of these steps and joins; as [`Machine::new`].
    ///
    /// # Errors
    /// As [`Machine::new`].
    pub fn of_steps(steps: &[Step], joins: &[Join]) -> Result<Self> {
        let last_steps = last_steps(steps, joins)?;
        let mut graph = Graph::new();
        let nodes: Vec<NodeIdx> = steps.iter().map(|step| graph.add_node(step.cost.max(1))).collect();
        let passages: Vec<NodeIdx> = joins.iter().map(|_| graph.add_node(0)).collect();
        for (idx, (step, node)) in steps.iter().zip(&nodes).enumerate() {
            if step.id.0 as usize != idx {
                return Err(invalid_plan(step, "its number is not its place in the plan"));
            }
            for need in strongest(&step.needs) {
                let Some(needed) = nodes.get(need.step.0 as usize).filter(|_| need.step < step.id) else {
                    return Err(invalid_plan(step, "it waits for a step that does not come before it"));
                };
                graph.add_edge(*node, *needed, rank(need.level));
            }
            for join in &step.joins {
                let before = last_steps.get(join.0 as usize).is_some_and(|last| last.is_none_or(|last| last < step.id));
                let Some(passage) = passages.get(join.0 as usize).filter(|_| before) else {
                    return Err(invalid_plan(step, "it waits for a join that does not come before it"));
                };
                graph.add_edge(*node, *passage, PASSED);
            }
        }
        for (join, passage) in joins.iter().zip(&passages) {
            for need in strongest(&join.needs) {
                if let Some(needed) = nodes.get(need.step.0 as usize) {
                    graph.add_edge(*passage, *needed, rank(need.level));
                }
            }
            for other in join.joins.iter().filter_map(|other| passages.get(other.0 as usize)) {
                graph.add_edge(*passage, *other, PASSED);
            }
        }
        let is_join = |node: NodeIdx, _: &u64| node.index() >= steps.len();
        let frontier = Frontier::with_passages(&graph, |_, cost| *cost, |level| *level, is_join)
            .map_err(|_| Error::bug("steps in order cannot form a cycle"))?;
        let slots = steps.iter().map(|step| Slot {
            action: step.action,
            needs: step.needs.clone(),
            joins: step.joins.clone(),
            phase: Phase::Waiting,
            reached: 0,
            issued: false,
        });
        Ok(Self {
            slots: slots.collect(),
            nodes,
            joins: passages,
            frontier,
            returned: VecDeque::new(),
            urgent: VecDeque::new(),
            unready: VecDeque::new(),
            run: RunPhase::New,
            on_failure: OnFailure::Stop,
            cancelled: false,
            failed: false,
            is_undoing: false,
            active_count: 0,
            again_count: 0,
            handed_count: 0,
            finish_issued: false,
        })
    }

    /// Returns the machine of a plan after these facts.
    ///
    /// What was running when the journal ends still counts as running: a driver that takes the run up appends
    /// [`Fact::Resumed`], after which the world is asked about it.
    ///
    /// # Errors
    /// As [`Machine::new`]; `run.illegal_fact` for facts that cannot be this plan's.
    pub fn replay<'a, V: 'a>(plan: &Plan, facts: impl IntoIterator<Item = &'a Fact<V>>) -> Result<Self> {
        let mut machine = Self::new(plan)?;
        for fact in facts {
            machine.apply(fact)?;
        }
        Ok(machine)
    }

    /// Takes in what happened.
    ///
    /// # Errors
    /// The fact cannot follow those before it; the machine is as it was.
    pub fn apply<V>(&mut self, fact: &Fact<V>) -> Result<(), IllegalFact> {
        match self.run {
            RunPhase::New if self.is_undoing => match fact {
                Fact::RollbackStarted { step_count } if *step_count as usize == self.slots.len() => {
                    self.run = RunPhase::Open;
                    return Ok(());
                }
                _ => return Err(self.illegal(fact, "a rollback begins with `rollback_started` and its own steps")),
            },
            RunPhase::New if !matches!(fact, Fact::RunStarted { .. }) => {
                return Err(self.illegal(fact, "a run begins with `run_started`"));
            }
            RunPhase::Closed => return Err(self.illegal(fact, "nothing follows the end of a run")),
            RunPhase::New | RunPhase::Open => {}
        }
        match fact {
            Fact::RunStarted { .. } if self.run == RunPhase::Open => Err(self.illegal(fact, "a run begins once")),
            Fact::RunStarted { step_count, .. } if *step_count as usize != self.slots.len() => {
                Err(self.illegal(fact, "its plan has another number of steps"))
            }
            Fact::RunStarted { on_failure, .. } => {
                self.run = RunPhase::Open;
                self.on_failure = *on_failure;
                Ok(())
            }
            Fact::RollbackStarted { .. } => {
                if self.is_undoing || self.on_failure != OnFailure::Rollback || self.status() != RunStatus::Failed {
                    return Err(self.illegal(fact, "only a run that failed and was asked to is undone, and only once"));
                }
                if self.open_count() > 0 {
                    return Err(self.illegal(fact, "some steps have not ended"));
                }
                self.run = RunPhase::Closed;
                Ok(())
            }
            Fact::Remembered { step, .. } => match self.phase_in(fact, *step)? {
                phase if phase.is_final() => Err(self.illegal(fact, "what has ended changes no row")),
                _ => Ok(()),
            },
            Fact::CancelRequested => {
                self.cancelled = true;
                Ok(())
            }
            Fact::Resumed => {
                self.resume();
                Ok(())
            }
            // The till says what may follow of these.
            Fact::Drawn { .. } | Fact::Order { .. } => Ok(()),
            Fact::Finished { status } => self.finish(fact, *status),
            Fact::Started { step, attempt, .. } => {
                let from = self.phase_in(fact, *step)?;
                self.may_begin(fact, *step)?;
                let expected = match from {
                    Phase::Waiting => 1,
                    Phase::Again { attempt } => attempt + 1,
                    _ => return Err(self.illegal(fact, "only a waiting step starts")),
                };
                if *attempt != expected {
                    return Err(self.illegal(fact, "attempts are counted one by one"));
                }
                self.enter(*step, Phase::Running { attempt: *attempt });
                Ok(())
            }
            Fact::Checkpointed { step, .. } => match self.phase_in(fact, *step)? {
                Phase::Running { .. } if self.changes_world(*step) => Ok(()),
                _ => Err(self.illegal(fact, "only a running change has checkpoints")),
            },
            Fact::Interrupted { step, .. } => match self.phase_in(fact, *step)? {
                Phase::Running { attempt } if self.changes_world(*step) => {
                    self.enter(*step, Phase::Lost { attempt });
                    Ok(())
                }
                _ => Err(self.illegal(fact, "only a running change can be lost")),
            },
            Fact::Recovered { step, conclusion, row } => {
                let Phase::Lost { attempt } = self.phase_in(fact, *step)? else {
                    return Err(self.illegal(fact, "only of a lost call is the world asked"));
                };
                let next = match conclusion {
                    Conclusion::Found => Phase::Found { attempt },
                    Conclusion::Missing | Conclusion::Repeatable => Phase::Again { attempt },
                    Conclusion::CannotTell { .. } => Phase::Uncertain,
                };
                if row.is_some() && next != Phase::Uncertain {
                    return Err(self.illegal(fact, "only an uncertain step writes its row so"));
                }
                self.enter(*step, next);
                Ok(())
            }
            Fact::Applied { step, row } => {
                let from = self.phase_in(fact, *step)?;
                if !matches!(from, Phase::Running { .. } | Phase::Found { .. }) {
                    return Err(self.illegal(fact, "only a running or found change is applied"));
                }
                let next = match (self.action(*step), row) {
                    (Some(StepAction::Create | StepAction::Update | StepAction::Wait), Some(_)) => Phase::Applied,
                    (Some(StepAction::Delete | StepAction::Forget), None) => Phase::Done,
                    _ => {
                        return Err(self.illegal(fact, "deletes and forgets leave no row, everything else leaves one"));
                    }
                };
                self.enter(*step, next);
                Ok(())
            }
            Fact::Ready { step } => match self.phase_in(fact, *step)? {
                Phase::Applied => {
                    self.enter(*step, Phase::Done);
                    Ok(())
                }
                _ => Err(self.illegal(fact, "only what is applied becomes ready")),
            },
            Fact::Observed { step, .. } => match self.phase_in(fact, *step)? {
                Phase::Running { .. } if self.action(*step) == Some(StepAction::Read) => {
                    self.enter(*step, Phase::Done);
                    Ok(())
                }
                _ => Err(self.illegal(fact, "only a running read observes")),
            },
            Fact::Failed { step, errors, .. } => {
                if errors.is_empty() {
                    return Err(self.illegal(fact, "a failure names its error"));
                }
                match self.phase_in(fact, *step)? {
                    Phase::Waiting => self.may_begin(fact, *step)?,
                    Phase::Running { .. } | Phase::Found { .. } | Phase::Again { .. } | Phase::Applied => {}
                    _ => {
                        return Err(
                            self.illegal(fact, "a lost call is settled by asking the world, and an end is an end")
                        );
                    }
                }
                self.enter(*step, Phase::Failed);
                Ok(())
            }
            Fact::Skipped { step } => match self.phase_in(fact, *step)? {
                Phase::Waiting => {
                    self.enter(*step, Phase::Skipped);
                    Ok(())
                }
                Phase::Again { .. } if self.cancelled => {
                    self.enter(*step, Phase::Skipped);
                    Ok(())
                }
                _ => Err(self.illegal(fact, "what has begun is not skipped")),
            },
        }
    }

    /// Returns what is to be done now; each command is handed out once.
    ///
    /// At most `call_limit` of them start or recover a step: repeats and recoveries first, then the steps that head
    /// the costliest chains.
    ///
    /// # Complexity
    /// O(log n) for each command.
    pub fn commands(&mut self, call_limit: usize) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.run != RunPhase::Open {
            return commands;
        }
        while let Some(step) = self.unready.pop_front() {
            if self.issue(step, Phase::Applied) {
                commands.push(Command::AwaitReady(step));
            }
        }
        let waits = commands.len();
        while commands.len() - waits < call_limit {
            let Some(step) = self.next_call() else {
                if self.is_settled() && !self.finish_issued && commands.is_empty() {
                    self.finish_issued = true;
                    commands.push(Command::Finish(self.status()));
                }
                break;
            };
            commands.push(step);
        }
        commands
    }

    /// Returns how the run ends if it can end right now: nothing is in the air and nothing may start.
    pub fn end_if_settled(&mut self) -> Option<RunStatus> {
        let ends = self.run == RunPhase::Open && self.is_stopping() && self.is_settled() && !self.finish_issued;
        self.finish_issued |= ends;
        ends.then(|| self.status())
    }

    /// Takes back a start that was handed out, because it may not or need not be made now.
    ///
    /// It is handed out again if the run goes on; giving back what was not handed out changes nothing.
    pub fn withdraw(&mut self, step: StepId) {
        let Some(slot) = self.slots.get_mut(step.0 as usize) else { return };
        if !slot.issued {
            return;
        }
        match slot.phase {
            Phase::Waiting => self.returned.push_back(step),
            Phase::Again { .. } => self.urgent.push_back(step),
            _ => return,
        }
        slot.issued = false;
        self.handed_count -= 1;
    }

    /// Returns whether a start that was handed out may still be made.
    pub fn may_start(&self, step: StepId) -> bool {
        match self.phase(step) {
            Some(Phase::Waiting) => !self.is_stopping(),
            Some(Phase::Again { .. }) => !self.cancelled,
            _ => false,
        }
    }

    /// Returns how a step stands; `None` where the plan has no such step.
    pub fn phase(&self, step: StepId) -> Option<Phase> {
        self.slots.get(step.0 as usize).map(|slot| slot.phase)
    }

    /// Returns whether nothing new is started any more.
    pub fn is_stopping(&self) -> bool {
        self.cancelled || (self.failed && self.on_failure != OnFailure::Continue)
    }

    /// Returns whether the run undoes what it did, should it fail.
    pub fn may_roll_back(&self) -> bool {
        self.on_failure == OnFailure::Rollback
    }

    /// Returns whether its plan undoes another one.
    pub fn is_undoing(&self) -> bool {
        self.is_undoing
    }

    /// Returns whether somebody asked the run to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    /// Returns whether the run has ended.
    pub fn is_finished(&self) -> bool {
        self.run == RunPhase::Closed
    }

    /// Returns how the run ends if nothing else happens.
    pub fn status(&self) -> RunStatus {
        let has = |phase: Phase| self.slots.iter().any(|slot| slot.phase == phase);
        if self.is_undoing {
            let is_undone = self.slots.iter().all(|slot| slot.phase == Phase::Done);
            return if is_undone { RunStatus::Failed } else { RunStatus::Stuck };
        }
        if has(Phase::Uncertain) {
            RunStatus::Stuck
        } else if has(Phase::Failed) {
            RunStatus::Failed
        } else if self.slots.iter().all(|slot| slot.phase == Phase::Done) {
            RunStatus::Succeeded
        } else {
            RunStatus::Cancelled
        }
    }

    /// Returns the steps that have not begun, or wait for another attempt, in order.
    pub fn leftovers(&self) -> Vec<StepId> {
        self.steps_where(|phase| matches!(phase, Phase::Waiting | Phase::Again { .. }))
    }

    /// Returns the steps whose phase fits, in order. O(n).
    pub fn steps_where(&self, fits: impl Fn(Phase) -> bool) -> Vec<StepId> {
        let ids = (0..).map(StepId).zip(&self.slots);
        ids.filter(|(_, slot)| fits(slot.phase)).map(|(step, _)| step).collect()
    }

    /// Returns how many steps have not ended. O(n).
    pub fn open_count(&self) -> usize {
        self.slots.iter().filter(|slot| !slot.phase.is_final()).count()
    }

    fn next_call(&mut self) -> Option<Command> {
        while let Some(step) = self.urgent.pop_front() {
            match self.phase(step) {
                Some(phase @ Phase::Lost { .. }) if self.issue(step, phase) => return Some(Command::Recover(step)),
                Some(phase @ Phase::Again { .. }) if !self.cancelled && self.issue(step, phase) => {
                    self.handed_count += 1;
                    return Some(Command::Start(step));
                }
                _ => {}
            }
        }
        while !self.is_stopping() {
            let step = match self.returned.pop_front() {
                Some(step) => step,
                None => StepId(self.frontier.pop_ready()?.index() as u32),
            };
            if self.issue(step, Phase::Waiting) {
                self.handed_count += 1;
                return Some(Command::Start(step));
            }
        }
        None
    }

    /// Notes that the command of a step in this phase is handed out; returns whether it was not before.
    fn issue(&mut self, step: StepId, phase: Phase) -> bool {
        match self.slots.get_mut(step.0 as usize) {
            Some(slot) if slot.phase == phase && !slot.issued => {
                slot.issued = true;
                true
            }
            _ => false,
        }
    }

    /// Returns whether nothing runs and nothing will, as far as what was handed out goes.
    fn is_settled(&self) -> bool {
        self.active_count == 0 && self.handed_count == 0 && (self.again_count == 0 || self.cancelled)
    }

    fn resume(&mut self) {
        self.urgent.clear();
        self.unready.clear();
        self.finish_issued = false;
        for idx in 0..self.slots.len() {
            let step = StepId(idx as u32);
            let Some(slot) = self.slots.get_mut(idx) else { continue };
            let was_issued = std::mem::take(&mut slot.issued);
            let (phase, changes) = (slot.phase, changes_world(slot.action));
            match phase {
                Phase::Waiting if was_issued => {
                    self.handed_count -= 1;
                    self.returned.push_back(step);
                }
                Phase::Again { .. } => {
                    self.handed_count -= usize::from(was_issued);
                    self.urgent.push_back(step);
                }
                Phase::Running { attempt } if !changes => self.enter(step, Phase::Again { attempt }),
                Phase::Running { attempt } | Phase::Found { attempt } => self.enter(step, Phase::Lost { attempt }),
                Phase::Lost { .. } => self.urgent.push_back(step),
                Phase::Applied => self.unready.push_back(step),
                Phase::Waiting | Phase::Done | Phase::Failed | Phase::Uncertain | Phase::Skipped => {}
            }
        }
    }

    fn enter(&mut self, step: StepId, next: Phase) {
        let Some(slot) = self.slots.get_mut(step.0 as usize) else { return };
        let before = std::mem::replace(&mut slot.phase, next);
        if matches!(before, Phase::Waiting | Phase::Again { .. }) && slot.issued {
            self.handed_count -= 1;
        }
        slot.issued = false;
        self.active_count -= usize::from(before.is_active());
        self.active_count += usize::from(next.is_active());
        self.again_count -= usize::from(matches!(before, Phase::Again { .. }));
        let level = match next {
            Phase::Applied => rank(Level::Applied),
            Phase::Done => rank(Level::Done),
            _ => 0,
        };
        slot.reached = slot.reached.max(level);
        let reached = slot.reached;
        if let Some(node) = self.nodes.get(step.0 as usize) {
            self.frontier.reached(*node, reached);
        }
        match next {
            Phase::Again { .. } => {
                self.again_count += 1;
                self.urgent.push_back(step);
            }
            Phase::Lost { .. } => self.urgent.push_back(step),
            Phase::Applied => self.unready.push_back(step),
            Phase::Failed | Phase::Uncertain => self.failed = true,
            _ => {}
        }
    }

    fn finish<V>(&mut self, fact: &Fact<V>, status: RunStatus) -> Result<(), IllegalFact> {
        if self.open_count() > 0 {
            return Err(self.illegal(fact, "some steps have not ended"));
        }
        let expected = self.status();
        // Every step may have ended well, and an output still not evaluate.
        if status != expected && (expected, status) != (RunStatus::Succeeded, RunStatus::Failed) {
            return Err(self.illegal(fact, "the steps ended otherwise"));
        }
        self.run = RunPhase::Closed;
        Ok(())
    }

    fn may_begin<V>(&self, fact: &Fact<V>, step: StepId) -> Result<(), IllegalFact> {
        let Some(slot) = self.slots.get(step.0 as usize) else { return Ok(()) };
        let stopped = match slot.phase {
            Phase::Waiting => self.is_stopping(),
            _ => self.cancelled,
        };
        if stopped {
            return Err(self.illegal(fact, "the run was stopped"));
        }
        let holds =
            |need: &Need| self.slots.get(need.step.0 as usize).is_some_and(|needed| needed.reached >= rank(need.level));
        let passed =
            |join: &JoinId| self.joins.get(join.0 as usize).is_some_and(|passage| self.frontier.has_passed(*passage));
        if !slot.needs.iter().all(holds) || !slot.joins.iter().all(passed) {
            return Err(self.illegal(fact, "what it needs has not got so far"));
        }
        Ok(())
    }

    fn phase_in<V>(&self, fact: &Fact<V>, step: StepId) -> Result<Phase, IllegalFact> {
        self.phase(step).ok_or_else(|| self.illegal(fact, "the plan has no such step"))
    }

    fn action(&self, step: StepId) -> Option<StepAction> {
        self.slots.get(step.0 as usize).map(|slot| slot.action)
    }

    fn changes_world(&self, step: StepId) -> bool {
        self.action(step).is_some_and(changes_world)
    }

    fn illegal<V>(&self, fact: &Fact<V>, why: &'static str) -> IllegalFact {
        let step = fact.step();
        let state = match step.map(|step| self.phase(step)) {
            Some(Some(phase)) => phase.as_str(),
            Some(None) => "not in the plan",
            None => match self.run {
                RunPhase::New => "new",
                RunPhase::Open => "open",
                RunPhase::Closed => "closed",
            },
        };
        IllegalFact { step, fact: fact.name(), state, why }
    }
}

/// Returns whether a lost call of this action may have changed the world.
const fn changes_world(action: StepAction) -> bool {
    matches!(action, StepAction::Create | StepAction::Update | StepAction::Delete)
}

/// What an edge asks of a join: to be passed.
const PASSED: u8 = 1;

/// Returns for each join the last step that it waits for, by way of other joins too; none where it waits for none.
fn last_steps(steps: &[Step], joins: &[Join]) -> Result<Vec<Option<StepId>>> {
    let invalid = |idx: usize, what: &str| {
        Error::new(ErrorKind::Bug, "run.invalid_plan", format!("join {idx} of the plan cannot be passed: {what}"))
    };
    let mut last_steps: Vec<Option<StepId>> = Vec::with_capacity(joins.len());
    for (idx, join) in joins.iter().enumerate() {
        let mut last = join.needs.iter().map(|need| need.step).max();
        if last.is_some_and(|last| last.0 as usize >= steps.len()) {
            return Err(invalid(idx, "it waits for a step that there is not"));
        }
        for other in &join.joins {
            match last_steps.get(other.0 as usize) {
                Some(other) => last = last.max(*other),
                None => return Err(invalid(idx, "it waits for a join that does not come before it")),
            }
        }
        last_steps.push(last);
    }
    Ok(last_steps)
}

/// Levels as the frontier counts them.
const fn rank(level: Level) -> u8 {
    match level {
        Level::Applied => 1,
        Level::Ready => 2,
        Level::Done => 3,
    }
}

/// Returns one need for each step: the one that asks for most.
fn strongest(needs: &[Need]) -> Vec<Need> {
    let mut strongest: BTreeMap<StepId, Level> = BTreeMap::new();
    for need in needs {
        let level = strongest.entry(need.step).or_insert(need.level);
        *level = need.level.max(*level);
    }
    strongest.into_iter().map(|(step, level)| Need { step, level }).collect()
}

fn invalid_plan(step: &Step, what: &str) -> Error {
    Error::new(ErrorKind::Bug, "run.invalid_plan", format!("step {} of the plan cannot be run: {what}", step.id.0))
        .context("address", &step.address)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests index what they made")]
mod tests;

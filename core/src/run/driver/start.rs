use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    dispatcher::{Dispatcher, Memory},
    ephemeral::Loans,
    handle::{Canceller, RunHandle, RunReport, StepProblem},
    keeper::{Guard, keep},
    ledger::Ledger,
    orders::{Counter, trouble},
    parts::DriverParts,
    task::{Prepared, Shared, Word},
    writer::{Encoder, RowChange, Sink, Write, Writer},
};
use crate::{
    address::Address,
    error::{Error, ErrorKind, Result},
    event::Event,
    order::{HeldLine, OrderFact, Till},
    plan::{Plan, Step, StepAction, StepConfig, StepId},
    resource::CallInfo,
    run::{
        Before, Conclusion, Drawing, Entry, Fact, Finalizer, Holder, HolderParts, Input, KnownFinalizer, Machine,
        Phase, Resume, Summary, call_info, decode_summary, encode_summary,
        rollback::{Traces, Undoing},
    },
    state::{ObjectId, Row, RunId, RunRecord, RunStatus, SegmentRecord, StackWrite, codec::encode_outputs},
    value::Value,
};

/// Starts and resumes runs.
#[derive(Clone, Copy, Debug)]
pub struct Driver;

/// What a run begins with, new or resumed.
struct Launch {
    record: RunRecord,
    summary: Summary,
    machine: Machine,
    ledger: Ledger,
    memory: HashMap<StepId, Memory>,
    problems: Vec<StepProblem>,
    unread: BTreeMap<Address, String>,
    before: BTreeMap<ObjectId, Before>,
    carried_out: Option<[usize; 3]>,
    till: Till,
    first: Write,
    next_seq: u64,
    is_resumed: bool,
}

impl Driver {
    /// Starts a run: stores the plan with the changes to rows that need no call, then works on a task of its own.
    ///
    /// `segment` is the encoded plan. Returns once the beginning is durable.
    ///
    /// # Errors
    /// `run.invalid_plan`; `plan.stale` (`Conflict`) when rows that the plan is built on
    /// have changed; what the store says. Nothing was done then.
    ///
    /// # Cancellation
    /// Dropping the future leaves the run going, or not begun at all.
    pub async fn start(parts: DriverParts, run: RunId, segment: Arc<[u8]>) -> Result<RunHandle> {
        check_base(&parts.plan, &parts.rows)?;
        let mut machine = Machine::new(&parts.plan)?;
        let step_count = parts.plan.steps.len() as u32;
        let fact = Fact::RunStarted { step_count, on_failure: parts.options.on_failure };
        machine.apply(&fact)?;
        let mut ledger = Ledger::new(parts.rows.clone());
        let mut rows = Vec::new();
        ledger.update(&parts.plan.row_updates, &*parts.calls, &mut rows);
        let summary = Summary {
            who: parts.options.who.clone(),
            why: parts.options.why.clone(),
            step_count,
            ..Summary::default()
        };
        let record = RunRecord {
            id: run,
            stack: parts.plan.stack.clone(),
            status: RunStatus::Running,
            started: parts.clock.now(),
            finished: None,
            body: encode_summary(run, &summary)?,
        };
        let (accepted, till) = accept(&parts, &ledger, &rows)?;
        let stack = match parts.plan.lineage {
            Some(_) => None,
            None => Some(StackWrite { lineage: parts.lineage, body: encode_outputs(&BTreeMap::new(), &parts.sealer)? }),
        };
        let first = Write {
            facts: [fact].into_iter().chain(accepted).collect(),
            rows,
            run: Some(record.clone()),
            segment: Some(SegmentRecord { run, number: 0, body: segment }),
            stack,
            ..Write::default()
        };
        let (memory, problems) = (HashMap::new(), Vec::new());
        let launch = Launch {
            record,
            summary,
            machine,
            ledger,
            memory,
            problems,
            unread: BTreeMap::new(),
            before: BTreeMap::new(),
            carried_out: None,
            till,
            first,
            next_seq: 0,
            is_resumed: false,
        };
        launch.go(parts).await
    }

    /// Takes up a run that another process left, or this one paused. `parts.plan` is the plan of `resume`, and
    /// `parts.rows` are the rows as they are stored now. The failure policy stays the one that the run began with.
    ///
    /// The lease must have been acquired after the earlier holder's had expired, so that none of its calls is still
    /// under way; a host that breaks a lease vouches for that.
    ///
    /// # Errors
    /// `run.ended` (`Conflict`) when it has ended; `run.illegal_fact` when its journal does not fit its plan; what
    /// the store says.
    ///
    /// # Cancellation
    /// Dropping the future leaves the run going.
    pub async fn resume(mut parts: DriverParts, resume: Resume) -> Result<RunHandle> {
        if resume.record.status != RunStatus::Running {
            let message = format!("run {} has ended: {}", resume.record.id, resume.record.status.as_str());
            return Err(Error::new(ErrorKind::Conflict, "run.ended", message));
        }
        let is_rollback = |entry: &Entry| matches!(entry.fact, Fact::RollbackStarted { .. });
        let undone_from = resume.entries.iter().position(is_rollback).unwrap_or(resume.entries.len());
        let (carried_out, undone) = resume.entries.split_at(undone_from);
        let mut machine = Machine::replay(&parts.plan, carried_out.iter().map(|entry| &entry.fact))?;
        let ledger = Ledger::new(std::mem::take(&mut parts.rows));
        let mut past = Past::default();
        for entry in carried_out {
            past.replay(&parts.plan, &ledger, parts.finalizer.as_mut(), &entry.fact);
        }
        if let Some(plan) = resume.undo {
            past.memory.clear();
            past.carried_out = Some(counts(&machine));
            machine = Machine::undoing(&plan)?;
            let traces = Traces { plan: &parts.plan, before: &past.before, rows: ledger.rows(), calls: &*parts.calls };
            let inner = std::mem::replace(&mut parts.finalizer, Box::new(KnownFinalizer::new(Arc::clone(&plan))));
            parts.finalizer = Box::new(Undoing::new(&traces, &plan, inner)?);
            for entry in undone {
                machine.apply(&entry.fact)?;
                past.replay(&plan, &ledger, parts.finalizer.as_mut(), &entry.fact);
            }
            parts.plan = plan;
        }
        let till = replayed(&parts, &resume.entries, &mut past)?;
        let fact = Fact::Resumed;
        machine.apply(&fact)?;
        past.memory.retain(|step, _| machine.phase(*step).is_some_and(|phase| !phase.is_final()));
        let first = Write { facts: vec![fact], ..Write::default() };
        let launch = Launch {
            summary: decode_summary(&resume.record)?,
            record: resume.record,
            machine,
            ledger,
            memory: past.memory,
            problems: past.problems,
            unread: past.unread,
            before: past.before,
            carried_out: past.carried_out,
            till,
            first,
            next_seq: resume.entries.len() as u64,
            is_resumed: true,
        };
        launch.go(parts).await
    }
}

impl Launch {
    async fn go(self, parts: DriverParts) -> Result<RunHandle> {
        let run = self.record.id;
        let canceller = Canceller { stop: CancellationToken::new(), hurry: CancellationToken::new() };
        let events = parts.bus.subscribe();
        let (begun, beginning) = oneshot::channel();
        let task = tokio::spawn(self.work(parts, canceller.clone(), begun));
        match beginning.await {
            Ok(()) => Ok(RunHandle { run, events, canceller, task }),
            // It ended before it began: its own error says why.
            Err(_) => match task.await {
                Ok(Err(error)) => Err(error),
                Ok(Ok(_)) => Err(Error::bug("a run ended before it began")),
                Err(error) => Err(Error::bug("the task of a run ended early").because(error)),
            },
        }
    }

    async fn work(self, parts: DriverParts, canceller: Canceller, begun: oneshot::Sender<()>) -> Result<RunReport> {
        let bus = parts.bus.clone();
        let guard = Arc::new(Guard::new(Arc::clone(&parts.clock), &parts.lease, parts.lease_ttl));
        let keeper =
            tokio::spawn(keep(Arc::clone(&guard), Arc::clone(&parts.store), parts.lease.clone(), parts.lease_ttl));
        let result = self.dispatch(parts, canceller, begun, guard).await;
        keeper.abort();
        // Its end by abortion is what was asked for.
        let _ = keeper.await;
        bus.close();
        result
    }

    async fn dispatch(
        self,
        parts: DriverParts,
        canceller: Canceller,
        begun: oneshot::Sender<()>,
        guard: Arc<Guard>,
    ) -> Result<RunReport> {
        let mut writer = Writer {
            encoder: Encoder {
                run: self.record.id,
                sealer: parts.sealer.clone(),
                clock: Arc::clone(&parts.clock),
                next_seq: self.next_seq,
            },
            sink: Sink {
                store: parts.store,
                lease: parts.lease,
                clock: Arc::clone(&parts.clock),
                patience: parts.options.store_patience,
            },
            bus: parts.bus.clone(),
        };
        writer.write(self.first).await?;
        parts.bus.send(Event::RunStarted {
            run: self.record.id.to_string(),
            step_count: self.machine.open_count() as u64,
            resumed: self.is_resumed,
        });
        // The caller may have stopped waiting; the run goes on all the same.
        let _ = begun.send(());
        let (words, inbox) = mpsc::unbounded_channel();
        let (writes, queue) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            clock: parts.clock,
            bus: parts.bus,
            guard,
            inbox: words,
            grace: parts.options.grace,
            recover_patience: parts.options.recover_patience,
            fair: parts.options.fair.clone().map(|fair| (fair, parts.plan.stack.clone())),
            stop: canceller.stop,
            hurry: canceller.hurry,
        });
        let lapses = shared.inbox.clone();
        let holder = Holder::new(HolderParts {
            calls: Arc::clone(&parts.calls),
            clock: Arc::clone(&shared.clock),
            bus: Some(shared.bus.clone()),
            info: CallInfo { ..call_info(&parts.plan.stack, &parts.options.tags, parts.options.operation.as_ref()) },
            grace: shared.grace,
            stop: shared.stop.child_token(),
            hurry: shared.hurry.clone(),
            lapsed: Box::new(move |address| {
                // Nobody listens at the end of the run, when it matters no more.
                let _ = lapses.send(Word::Lapsed { address: address.clone() });
            }),
        });
        let dispatcher = Dispatcher {
            holder,
            loans: Loans::default(),
            plan: parts.plan,
            machine: self.machine,
            finalizer: parts.finalizer,
            ledger: self.ledger,
            calls: parts.calls,
            sealer: parts.sealer,
            options: parts.options,
            record: self.record,
            summary: self.summary,
            lineage: parts.lineage,
            shared,
            inbox,
            writes,
            memory: self.memory,
            problems: self.problems,
            pending: Vec::new(),
            call_count: 0,
            task_count: 0,
            outputs: BTreeMap::new(),
            unread: self.unread,
            before: self.before,
            carried_out: self.carried_out,
            counter: Counter::new(self.till, parts.seller),
            checks: Vec::new(),
            warnings: Vec::new(),
        };
        let writer = tokio::spawn(writer.run(queue));
        dispatcher.run(writer).await
    }
}

/// What earlier processes did, as far as it matters to this one.
#[derive(Default)]
struct Past {
    memory: HashMap<StepId, Memory>,
    problems: Vec<StepProblem>,
    unread: BTreeMap<Address, String>,
    before: BTreeMap<ObjectId, Before>,
    carried_out: Option<[usize; 3]>,
}

impl Past {
    fn replay(&mut self, plan: &Plan, ledger: &Ledger, finalizer: &mut dyn Finalizer, fact: &Fact) {
        if let Fact::Drawn { key, value } = fact {
            finalizer.drawn(Drawing { key: key.clone(), value: value.clone() });
        }
        let Some(step) = fact.step().and_then(|step| plan.step(step)) else { return };
        let mut fail = |error| {
            self.problems.push(StepProblem { step: Some(step.id), address: step.address.to_string(), error });
        };
        match fact {
            Fact::Started { input, .. } => {
                let memory = self.memory.entry(step.id).or_default();
                memory.input = prepared(step, input);
            }
            Fact::Remembered { before, .. } => {
                self.before.entry(before.object_id).or_insert_with(|| before.clone());
            }
            Fact::Checkpointed { id, partial, .. } => {
                self.memory.entry(step.id).or_default().checkpoint = Some((id.clone(), partial.clone()));
            }
            Fact::Interrupted { error, .. } => {
                self.memory.entry(step.id).or_default().last_error = Some(error.clone());
            }
            Fact::Applied { row: Some(reference), .. } => {
                if let Some(row) = ledger.get(reference.object_id) {
                    finalizer.applied(&step.address, Some(reference.object_id), row.attributes.clone());
                }
            }
            Fact::Observed { value, .. } => {
                if !value.is_known() {
                    self.unread.insert(step.address.clone(), format!("`{}` could not be read", step.address));
                }
                finalizer.applied(&step.address, None, value.clone());
            }
            Fact::Failed { errors, .. } => errors.iter().cloned().for_each(&mut fail),
            Fact::Recovered { conclusion: conclusion @ (Conclusion::Repeatable | Conclusion::Missing), .. } => {
                self.memory.entry(step.id).or_default().is_unsettled = *conclusion == Conclusion::Repeatable;
            }
            Fact::Recovered { conclusion: Conclusion::CannotTell { reason }, .. } => {
                fail(super::outcome::uncertain_error(step, reason, None));
            }
            _ => {}
        }
    }
}

/// Returns what is to be ordered and paid back, as a fact, and the till that it makes.
fn accept(parts: &DriverParts, ledger: &Ledger, rows: &[RowChange]) -> Result<(Option<Fact>, Till)> {
    let removed = rows.iter().filter_map(|change| match change {
        RowChange::Delete(object_id) => Some(*object_id),
        RowChange::Put(_) => None,
    });
    let deletes = parts.plan.steps.iter().filter(|step| step.action == StepAction::Delete);
    let going: BTreeSet<ObjectId> = removed.chain(deletes.filter_map(|step| step.object_id)).collect();
    let mut held = Vec::new();
    for row in parts.rows.iter().filter(|row| !row.order_lines.is_empty() && going.contains(&row.object_id)) {
        let address: Arc<str> = row.address.to_string().into();
        held.extend(row.order_lines.iter().map(|line| HeldLine {
            line: Arc::clone(line),
            object_id: row.object_id,
            address: Arc::clone(&address),
        }));
    }
    let mut till = Till::default();
    if parts.orders.is_empty() && held.is_empty() {
        return Ok((None, till));
    }
    ensure_seller(parts)?;
    // A line may have paid for an object that goes and for one that stays, by way of a rollback; it is paid back with the last.
    let staying: BTreeSet<&Arc<str>> = (ledger.rows().values())
        .filter(|row| !going.contains(&row.object_id))
        .flat_map(|row| &row.order_lines)
        .collect();
    held.retain(|held| !staying.contains(&held.line));
    let fact = OrderFact::Accepted { orders: parts.orders.clone(), held };
    till.apply(&fact)?;
    Ok((Some(Fact::Order { fact }), till))
}

/// Returns the till as the journal says, to go on with.
fn replayed(parts: &DriverParts, entries: &[Entry], past: &mut Past) -> Result<Till> {
    let mut till = Till::default();
    for entry in entries {
        let Fact::Order { fact } = &entry.fact else { continue };
        till.apply(fact)?;
        past.problems.extend(trouble(&till, fact));
    }
    if !till.is_empty() {
        ensure_seller(parts)?;
    }
    till.resume();
    Ok(till)
}

fn ensure_seller(parts: &DriverParts) -> Result<()> {
    if parts.seller.is_some() {
        return Ok(());
    }
    let message = "the run orders something, or removes what was ordered, and nobody takes orders; name the seller";
    Err(Error::new(ErrorKind::InvalidInput, "order.no_seller", message))
}

/// Returns what an earlier process made the call with; `None` where it has to be evaluated again.
fn prepared(step: &Step, input: &Input) -> Option<Prepared> {
    match input {
        Input::AsPlanned => Some(Prepared {
            config: match &step.config {
                StepConfig::None => None,
                StepConfig::Known(config) | StepConfig::Residual(config) => Some(config.clone()),
            },
            planned: step.planned.clone(),
            private: step.planned_private.clone(),
            as_planned: true,
        }),
        Input::Finalised { ephemeral: true, .. } => None,
        Input::Finalised { config, planned, private, .. } => Some(Prepared {
            config: config.clone(),
            planned: planned.clone(),
            private: private.clone(),
            as_planned: false,
        }),
    }
}

/// Returns how many steps are done, failed or uncertain, and skipped.
pub(super) fn counts(machine: &Machine) -> [usize; 3] {
    let count = |fits: fn(Phase) -> bool| machine.steps_where(fits).len();
    [
        count(|phase| phase == Phase::Done),
        count(|phase| matches!(phase, Phase::Failed | Phase::Uncertain)),
        count(|phase| phase == Phase::Skipped),
    ]
}

pub(super) fn report(
    run: RunId,
    status: RunStatus,
    machine: &Machine,
    problems: Vec<StepProblem>,
    outputs: BTreeMap<String, Value>,
) -> RunReport {
    let [done_count, failed_count, skipped_count] = counts(machine);
    RunReport {
        run,
        status,
        problems,
        outputs,
        checks: Vec::new(),
        warnings: Vec::new(),
        orders: Vec::new(),
        done_count,
        failed_count,
        skipped_count,
        undone_count: None,
    }
}

/// Checks that the rows that a plan is built on are still as it saw them.
fn check_base(plan: &Plan, rows: &[Row]) -> Result<()> {
    let versions: HashMap<_, _> = rows.iter().map(|row| (row.object_id, row.version)).collect();
    let moved = plan.base.iter().filter(|base| versions.get(&base.object_id) != Some(&base.version)).count();
    if moved == 0 {
        return Ok(());
    }
    let message = format!("{moved} objects that the plan is built on have changed since; plan again");
    Err(Error::new(ErrorKind::Conflict, "plan.stale", message).context("stack", &plan.stack))
}

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    ephemeral::Loans,
    judge::check_known,
    ledger::Ledger,
    orders::Counter,
    parts::Options,
    start::report,
    task::{self, Beginning, Job, Link, Prepared, Shared, Word, backoff, inconsistent},
    writer::Write,
};
use crate::{
    error::{Error, Result},
    event::Event,
    plan::{Plan, Step, StepAction, StepConfig, StepId},
    resource::{CallInfo, Object},
    run::{
        Before, Calls, Command, Conclusion, Fact, Finalizer, Holder, Input, Machine, Phase, RowFate, RowRef, RunReport,
        StepError, StepProblem, Summary,
        refine::{bare, refines, storable},
    },
    state::{ObjectId, Row, RunRecord, RunStatus, codec::Sealer},
    value::Value,
};

/// What is remembered of a step between its tasks.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// What its call was made with; `None` where it has to be finalised (again).
    pub(super) input: Option<Prepared>,
    /// The remote id that the call told, and what else was known.
    pub(super) checkpoint: Option<(String, Option<Value>)>,
    /// How often this process made the call.
    pub(super) attempts_here: u32,
    /// Why the last attempt was lost.
    pub(super) last_error: Option<StepError>,
    /// Whether an attempt before the present one may have done it, and nobody has asked the world.
    pub(super) is_unsettled: bool,
    /// Whether the world has to be asked before anything is repeated.
    pub(super) must_ask: bool,
    /// The object that a repeat starts from, where the world was found otherwise than its row. Unmarked.
    pub(super) prior: Option<Object>,
    /// When it began, on the monotonic clock.
    pub(super) begun: Option<Duration>,
}

/// The only owner of truth while a run is under way.
pub(super) struct Dispatcher {
    pub(super) plan: Arc<Plan>,
    pub(super) machine: Machine,
    pub(super) finalizer: Box<dyn Finalizer>,
    pub(super) ledger: Ledger,
    pub(super) calls: Arc<dyn Calls>,
    pub(super) sealer: Sealer,
    pub(super) options: Options,
    pub(super) record: RunRecord,
    pub(super) summary: Summary,
    pub(super) lineage: crate::state::Lineage,
    pub(super) shared: Arc<Shared>,
    pub(super) inbox: mpsc::UnboundedReceiver<Word>,
    pub(super) writes: mpsc::UnboundedSender<Vec<Write>>,
    pub(super) memory: HashMap<StepId, Memory>,
    pub(super) problems: Vec<StepProblem>,
    /// Decided, not handed to the writer yet.
    pub(super) pending: Vec<Write>,
    /// Calls under way; at most `parallelism`.
    pub(super) call_count: usize,
    /// Tasks under way, those that await readiness included.
    pub(super) task_count: usize,
    pub(super) outputs: BTreeMap<String, Value>,
    /// Data sources of `check` blocks that could not be read, and why.
    pub(super) unread: BTreeMap<crate::address::Address, String>,
    pub(super) checks: Vec<crate::state::CheckResult>,
    pub(super) warnings: Vec<crate::error::Diagnostic>,
    pub(super) holder: Holder,
    pub(super) loans: Loans,
    pub(super) counter: Counter,
    /// Rows as they were before this run touched them, where it may be rolled back.
    pub(super) before: BTreeMap<ObjectId, Before>,
    /// How many steps ended well, badly and not at all before the rollback began.
    pub(super) carried_out: Option<[usize; 3]>,
}

/// What went wrong: with one step, or with the run.
pub(super) enum Trouble {
    Step(Error),
    Run(Error),
}

/// Why the dispatcher ends.
enum Ending {
    /// The last facts are on their way to the disk.
    Finished(oneshot::Receiver<()>),
    /// Somebody did not want to wait for what runs.
    Hurried,
    /// The run cannot go on now.
    Paused(Error),
}

impl Dispatcher {
    /// Works until the run ends or pauses.
    pub(super) async fn run(mut self, mut writer: JoinHandle<Result<()>>) -> Result<RunReport> {
        let ending = match self.work(&mut writer).await {
            Ok(ending) => ending,
            Err(error) => Ending::Paused(error),
        };
        match ending {
            Ending::Finished(durable) => {
                let (closed, _) = mpsc::unbounded_channel();
                drop(std::mem::replace(&mut self.writes, closed));
                // Its error says more than the missing acknowledgement.
                written(writer).await?;
                durable.await.map_err(|_| Error::bug("the end of a run was written and not acknowledged"))?;
                let status = self.record.status;
                Ok(self.report(status))
            }
            Ending::Hurried => {
                self.drain().await;
                // Everything may have ended in time; then the run has too.
                let ending = self.counter.ending.or_else(|| self.machine.end_if_settled());
                let ended = match ending.filter(|_| self.would_be_paid_up()) {
                    Some(status) => self.finish(status).map(drop),
                    None => Ok(()),
                };
                self.give_all_back().await;
                ended?;
                self.flush();
                let (closed, _) = mpsc::unbounded_channel();
                drop(std::mem::replace(&mut self.writes, closed));
                let patience = self.shared.clock.sleep(self.options.grace);
                tokio::select! {
                    biased;
                    done = written(writer) => done?,
                    () = patience => self.record.status = RunStatus::Running,
                }
                let status = self.record.status;
                Ok(self.report(status))
            }
            Ending::Paused(error) => {
                self.shared.stop.cancel();
                self.shared.hurry.cancel();
                self.settle_down().await;
                self.give_all_back().await;
                writer.abort();
                Err(error)
            }
        }
    }

    fn report(self, status: RunStatus) -> RunReport {
        let report = report(self.record.id, status, &self.machine, self.problems, self.outputs);
        let orders = self.counter.till.report();
        let report = RunReport { checks: self.checks, warnings: self.warnings, orders, ..report };
        match self.carried_out {
            None => report,
            // What was undone counts apart from what was done.
            Some([done_count, failed_count, skipped_count]) => {
                let undone_count = Some(report.done_count);
                RunReport { done_count, failed_count, skipped_count, undone_count, ..report }
            }
        }
    }

    async fn work(&mut self, writer: &mut JoinHandle<Result<()>>) -> Result<Ending> {
        let mut words = Vec::new();
        loop {
            match self.issue()? {
                Some(status) if self.is_to_be_undone(status) && self.begin_rollback()? => continue,
                Some(status) if self.is_paid_up(status)? => {
                    self.flush();
                    self.open_for_the_end().await;
                    let durable = self.finish(status)?;
                    self.give_all_back().await;
                    self.flush();
                    return Ok(Ending::Finished(durable));
                }
                _ => {}
            }
            self.flush();
            if let Some(ending) = self.listen(writer, &mut words).await? {
                return Ok(ending);
            }
        }
    }

    /// Waits for something to happen, and takes it in; returns how the run ends where it does.
    async fn listen(&mut self, writer: &mut JoinHandle<Result<()>>, words: &mut Vec<Word>) -> Result<Option<Ending>> {
        tokio::select! {
            biased;
            // It ends early only with an error.
            done = &mut *writer => return Ok(Some(Ending::Paused(early_end(done)))),
            () = self.shared.guard.lost.cancelled() => return Ok(Some(Ending::Paused(self.shared.guard.reason()))),
            () = self.shared.hurry.cancelled() => {
                self.cancel()?;
                return Ok(Some(Ending::Hurried));
            }
            () = self.shared.stop.cancelled(), if !self.machine.is_cancelled() => self.cancel()?,
            _ = self.inbox.recv_many(words, 1024) => {
                for word in words.drain(..) {
                    self.hear(word)?;
                }
            }
        }
        Ok(None)
    }

    /// Takes in what running calls came to within their grace, without starting anything.
    async fn drain(&mut self) {
        let clock = Arc::clone(&self.shared.clock);
        let patience = clock.sleep(self.options.grace * 2 + Duration::from_secs(1));
        tokio::pin!(patience);
        while self.task_count > 0 {
            let word = tokio::select! {
                biased;
                word = self.inbox.recv() => word,
                () = &mut patience => return,
            };
            // An illegal fact now would be ours, and the journal is right without it.
            let Some(Ok(())) = word.map(|word| self.hear(word)) else { return };
        }
    }

    /// Waits for running calls within their grace; what they say is not recorded any more.
    async fn settle_down(&mut self) {
        let clock = Arc::clone(&self.shared.clock);
        let patience = clock.sleep(self.options.grace * 2 + Duration::from_secs(1));
        tokio::pin!(patience);
        while self.task_count > 0 {
            tokio::select! {
                biased;
                word = self.inbox.recv() => match word {
                    Some(Word::Ended { .. } | Word::Opened { .. } | Word::Sold(_)) => self.task_count -= 1,
                    // Dropping the word tells its task to stop.
                    Some(_) => {}
                    None => return,
                },
                () = &mut patience => return,
            }
        }
    }

    /// Closes whatever is open, and takes what went wrong with ephemeral resources.
    async fn give_all_back(&mut self) {
        let warnings = self.holder.close_all().await;
        self.warnings.extend(warnings);
    }

    fn flush(&mut self) {
        if !self.pending.is_empty() {
            // The writer's own end is noticed where it is awaited.
            let _ = self.writes.send(std::mem::take(&mut self.pending));
        }
    }

    fn cancel(&mut self) -> Result<()> {
        if self.machine.is_cancelled() {
            return Ok(());
        }
        let running = self.task_count as u64;
        self.loans.withdraw(&mut self.machine);
        self.counter.withdraw(&mut self.machine);
        self.record(Write {
            facts: vec![Fact::CancelRequested],
            events: vec![Event::CancelRequested { running }],
            ..Write::default()
        })
    }

    /// Takes facts into the machine and hands them to the writer. All or none.
    pub(super) fn record(&mut self, write: Write) -> Result<()> {
        for fact in &write.facts {
            self.machine.apply(fact)?;
            let ended = fact.step().filter(|step| self.machine.phase(*step).is_some_and(|phase| phase.is_final()));
            let unused = ended.map(|step| self.loans.ended(step)).unwrap_or_default();
            self.give_back(unused);
        }
        self.pending.push(write);
        Ok(())
    }

    /// Does what the machine says; returns how the run is to end, once it is to.
    fn issue(&mut self) -> Result<Option<RunStatus>> {
        loop {
            // Nothing is bought or waited for that will not start.
            if self.machine.is_stopping() || self.machine.is_undoing() {
                self.counter.till.stop();
                self.counter.withdraw(&mut self.machine);
            }
            self.trade()?;
            if self.counter.ending.is_some() {
                return Ok(self.counter.ending);
            }
            let room = self.options.parallelism.max(1).saturating_sub(self.call_count);
            if room > 0
                && let Some(command) = self.loans.next()
            {
                self.perform(command)?;
                continue;
            }
            let commands = self.machine.commands(room);
            if commands.is_empty() {
                return Ok(None);
            }
            for command in commands {
                match command {
                    Command::Finish(status) => return Ok(Some(status)),
                    command => self.perform(command)?,
                }
            }
        }
    }

    pub(super) fn start(&mut self, step: &Step) -> Result<()> {
        match self.try_start(step) {
            Ok(()) => Ok(()),
            Err(Trouble::Step(error)) => self.fail(step, vec![(&error).into()], RowFate::Untouched, Vec::new()),
            Err(Trouble::Run(error)) => Err(error),
        }
    }

    fn try_start(&mut self, step: &Step) -> Result<(), Trouble> {
        self.memory.entry(step.id).or_default().begun.get_or_insert(self.shared.clock.monotonic());
        if step.action == StepAction::Forget {
            return self.forget(step).map_err(Trouble::Run);
        }
        if step.action == StepAction::Wait {
            return self.wait(step).map_err(Trouble::Run);
        }
        let (prepared, plan_again) = self.prepare(step).map_err(Trouble::Step)?;
        if !plan_again {
            check_known(prepared.config.as_ref(), prepared.planned.as_ref()).map_err(Trouble::Step)?;
        }
        let info = self.call_info(step).map_err(Trouble::Step)?;
        if step.action == StepAction::Read {
            return self.read(step, prepared, info);
        }
        let job = self.job(step, info).map_err(Trouble::Step)?;
        let repeats = matches!(self.machine.phase(step.id), Some(Phase::Again { .. }));
        let delay = match self.memory.get(&step.id) {
            Some(memory) if repeats && memory.attempts_here > 0 => backoff(memory.attempts_here),
            _ => Duration::ZERO,
        };
        let beginning = if plan_again || !delay.is_zero() || self.shared.fair.is_some() {
            self.tell_delay(step, delay);
            Beginning::Pending { prepared, plan_again, delay }
        } else {
            let (ack, durable) = oneshot::channel();
            self.begin(step, prepared.clone(), Some(ack), None).map_err(Trouble::Run)?;
            Beginning::Begun(prepared, durable)
        };
        self.spawn_call(task::change(Link::call(&self.shared, step.id), job, beginning));
        Ok(())
    }

    fn tell_delay(&mut self, step: &Step, delay: Duration) {
        let error = self.memory.get(&step.id).and_then(|memory| memory.last_error.clone());
        if let Some(error) = error.filter(|_| !delay.is_zero()) {
            self.shared.bus.send(Event::StepRetrying {
                step: step.id.0,
                address: step.address.to_string(),
                code: error.code,
                message: error.message,
                delay_ms: delay.as_millis() as u64,
            });
        }
    }

    /// Evaluates what a step is made with; the flag says whether the type's `plan` has to be asked again.
    fn prepare(&mut self, step: &Step) -> Result<(Prepared, bool)> {
        if let Some(known) = self.memory.get(&step.id).and_then(|memory| memory.input.clone()) {
            return Ok((known, false));
        }
        let finalized = self.finalizer.finalize(step)?;
        for drawing in self.finalizer.take_drawings() {
            let fact = Fact::Drawn { key: drawing.key, value: drawing.value };
            self.record(Write { facts: vec![fact], ..Write::default() })?;
        }
        let (approved, as_planned) = match &step.config {
            StepConfig::None => (None, true),
            StepConfig::Known(config) => (Some(config), true),
            StepConfig::Residual(config) => (Some(config), false),
        };
        let config = approved.map(|_| finalized.config);
        if let (Some(approved), Some(config)) = (approved, &config) {
            refines(approved, config)
                .map_err(|paths| inconsistent("the configuration came out otherwise than it was approved", &paths))?;
        }
        if !finalized.plan_again
            && let (Some(approved), Some(planned)) = (&step.planned, &finalized.planned)
        {
            refines(approved, planned)
                .map_err(|paths| inconsistent("it came out otherwise than it was approved", &paths))?;
        }
        let as_planned = as_planned && !finalized.plan_again && finalized.planned == step.planned;
        let private = step.planned_private.clone();
        Ok((Prepared { config, planned: finalized.planned, private, as_planned }, finalized.plan_again))
    }

    fn call_info(&mut self, step: &Step) -> Result<CallInfo> {
        let config = self.finalizer.provider_config(step)?.map(|config| config.unmark_deep().0);
        if config.as_ref().is_some_and(|config| !config.is_wholly_known()) {
            check_known(config.as_ref(), None)?;
        }
        let stack = &self.plan.stack;
        let attempt = self.attempt(step.id) + 1;
        Ok(CallInfo {
            object_id: step.object_id,
            address: step.address.to_string().into(),
            type_name: self.plan.change(step.change).map(|change| Arc::clone(&change.type_name)).unwrap_or_default(),
            stack: stack.to_string().into(),
            tenant: Arc::clone(&stack.tenant),
            attempt,
            deadline: None,
            tags: self.options.tags.clone(),
            order_line: self.order_line(step),
            planned_private: None,
            provider_config: config,
            operation: self.options.operation.clone(),
        })
    }

    fn job(&self, step: &Step, info: CallInfo) -> Result<Job> {
        let provider = self.plan.change(step.change).map(|change| Arc::clone(&change.provider)).unwrap_or_default();
        let resource = self.calls.resource(&info.type_name, &provider)?;
        let remembered = self.memory.get(&step.id).and_then(|memory| memory.prior.clone());
        let row = step.object_id.and_then(|object_id| self.ledger.get(object_id));
        let prior = match step.action {
            StepAction::Create => None,
            _ => remembered.or_else(|| row.map(object_of)),
        };
        if prior.is_none() && step.action != StepAction::Create {
            return Err(
                Error::bug("a step changes an object that state does not know").context("address", &step.address)
            );
        }
        Ok(Job {
            action: step.action,
            schema: resource.schema(),
            traits: resource.traits(),
            resource,
            prior,
            approved: step.planned.clone(),
            info,
        })
    }

    /// Records that a step's call is about to be made.
    pub(super) fn begin(
        &mut self,
        step: &Step,
        prepared: Prepared,
        ack: Option<oneshot::Sender<()>>,
        before: Option<Fact>,
    ) -> Result<()> {
        let attempt = self.attempt(step.id) + 1;
        let started = Fact::Started {
            step: step.id,
            object_id: step.object_id,
            attempt,
            input: self.input_fact(step, &prepared),
        };
        let event = Event::StepStarted {
            step: step.id.0,
            address: step.address.to_string(),
            action: step.action.as_str().to_owned(),
            attempt,
        };
        let facts = before.into_iter().chain(self.remember(step)).chain([started]).collect();
        self.record(Write { facts, events: vec![event], ack, ..Write::default() })?;
        let memory = self.memory.entry(step.id).or_default();
        memory.attempts_here += 1;
        memory.input = Some(prepared);
        Ok(())
    }

    fn input_fact(&self, step: &Step, prepared: &Prepared) -> Input {
        if prepared.as_planned {
            return Input::AsPlanned;
        }
        let change = self.plan.change(step.change);
        let schema = change.and_then(|change| self.calls.resource(&change.type_name, &change.provider).ok());
        let schema = schema.filter(|_| step.action != StepAction::Read).map(|resource| resource.schema());
        let mut ephemeral = false;
        let mut strip = |value: &Value| {
            let bare = schema.as_ref().map_or_else(|| value.clone(), |schema| schema.strip_write_only(value));
            let (kept, dropped) = storable(&bare);
            ephemeral |= dropped || bare != *value;
            kept
        };
        let config = prepared.config.as_ref().map(&mut strip);
        let planned = prepared.planned.as_ref().map(&mut strip);
        Input::Finalised { config, planned, private: prepared.private.clone(), ephemeral }
    }

    fn attempt(&self, step: StepId) -> u32 {
        match self.machine.phase(step) {
            Some(
                Phase::Running { attempt }
                | Phase::Lost { attempt }
                | Phase::Again { attempt }
                | Phase::Found { attempt },
            ) => attempt,
            _ => 0,
        }
    }

    fn spawn_call(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.call_count += 1;
        self.task_count += 1;
        tokio::spawn(task);
    }

    fn read(&mut self, step: &Step, prepared: Prepared, info: CallInfo) -> Result<(), Trouble> {
        let provider = self.plan.change(step.change).map(|change| Arc::clone(&change.provider)).unwrap_or_default();
        let source = self.calls.data_source(&info.type_name, &provider).map_err(Trouble::Step)?;
        let Some(config) = prepared.config.clone() else {
            return Err(Trouble::Step(Error::bug("a read has no configuration").context("address", &step.address)));
        };
        let pending = if self.shared.fair.is_some() {
            Some(prepared)
        } else {
            // A read changes nothing, so nothing waits for its `Started`.
            self.begin(step, prepared, None, None).map_err(Trouble::Run)?;
            None
        };
        self.spawn_call(task::read(Link::call(&self.shared, step.id), source, config, info, pending));
        Ok(())
    }

    fn forget(&mut self, step: &Step) -> Result<()> {
        self.begin(step, Prepared { config: None, planned: None, private: None, as_planned: true }, None, None)?;
        self.apply_gone(step, None)
    }

    /// Nothing is to be changed: what is there counts as applied, and readiness is awaited as after any change.
    fn wait(&mut self, step: &Step) -> Result<()> {
        let row = step.object_id.and_then(|object_id| self.ledger.get(object_id));
        let Some(row) = row.cloned() else {
            return Err(
                Error::bug("a step waits for an object that state does not know").context("address", &step.address)
            );
        };
        self.begin(step, Prepared { config: None, planned: None, private: None, as_planned: true }, None, None)?;
        self.finalizer.applied(&step.address, step.object_id, row.attributes.clone());
        let reference = RowRef { object_id: row.object_id, version: row.version };
        let applied = Fact::Applied { step: step.id, row: Some(reference) };
        self.record(Write {
            facts: vec![applied],
            events: vec![Event::StepApplied { step: step.id.0, address: step.address.to_string() }],
            ..Write::default()
        })
    }

    pub(super) fn recover(&mut self, step: &Step) -> Result<()> {
        let id = step.id;
        let job = match self.call_info(step).and_then(|info| self.job(step, info)) {
            Ok(mut job) => {
                job.info.attempt = self.attempt(id).max(1);
                job
            }
            Err(error) => {
                let reason = format!("the world could not be asked: {}", error.message());
                return self.uncertain(step, reason);
            }
        };
        let memory = self.memory.entry(id).or_default();
        memory.begun.get_or_insert(self.shared.clock.monotonic());
        let repeatable = step.action == StepAction::Create
            && job.traits.idempotent_create
            && memory.attempts_here < self.options.attempts
            && !memory.must_ask
            && !self.machine.is_cancelled();
        if repeatable && let Some(prepared) = memory.input.clone() {
            memory.is_unsettled = true;
            // Both facts in one transaction: a repeat that is only promised must not be given up in between.
            let conclusion = Fact::Recovered { step: id, conclusion: Conclusion::Repeatable, row: None };
            let (ack, durable) = oneshot::channel();
            self.begin(step, prepared.clone(), Some(ack), Some(conclusion))?;
            self.spawn_call(task::change(Link::call(&self.shared, id), job, Beginning::Begun(prepared, durable)));
            return Ok(());
        }
        let planned = memory.input.as_ref().map_or_else(|| step.planned.clone(), |input| input.planned.clone());
        let (remote_id, partial) = memory.checkpoint.clone().unzip();
        let task = task::recover(Link::call(&self.shared, id), job, planned, remote_id, partial.flatten());
        self.spawn_call(task);
        Ok(())
    }

    pub(super) fn await_ready(&mut self, step: &Step) -> Result<()> {
        let id = step.id;
        let row = step.object_id.and_then(|object_id| self.ledger.get(object_id)).cloned();
        let Some(row) = row else {
            return Err(Error::bug("an applied step has no row").context("address", &step.address));
        };
        match self.call_info(step).and_then(|info| self.job(step, info)) {
            Ok(mut job) => {
                job.info.attempt = job.info.attempt.max(1);
                self.task_count += 1;
                tokio::spawn(task::ready(Link::wait(&self.shared, id), job, object_of(&row), Some(row.attributes)));
                Ok(())
            }
            Err(error) => self.fail(step, vec![(&error).into()], RowFate::Untouched, Vec::new()),
        }
    }
}

/// Returns the object of a row, as a resource type may see it.
fn object_of(row: &Row) -> Object {
    let id = row.remote_id.clone().unwrap_or_default();
    bare(&Object { id, attributes: row.attributes.clone(), private: row.private.clone() })
}

async fn written(writer: JoinHandle<Result<()>>) -> Result<()> {
    writer.await.unwrap_or_else(|error| Err(Error::bug("the writer of a run ended early").because(error)))
}

fn early_end(done: Result<Result<()>, tokio::task::JoinError>) -> Error {
    match done {
        Ok(Err(error)) => error,
        Ok(Ok(())) => Error::bug("the writer of a run ended early"),
        Err(error) => Error::bug("the writer of a run ended early").because(error),
    }
}

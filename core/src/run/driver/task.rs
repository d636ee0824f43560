use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    judge::{Asked, Verdict, check_known, list},
    keeper::Guard,
    orders::Answer,
};
use crate::{
    address::Address,
    error::{Error, ErrorKind, Result, Retry},
    event::{Bus, Clock, Event},
    plan::{StepAction, StepId, held_against},
    resource::{
        CallInfo, Checkpoint, Context, DataSource, Evidence, Object, Outcome, PlanRequest, Progress, Readiness,
        Recovery, Resource, Traits, checked_plan,
    },
    run::bounds::Bounds,
    run::refine::{bare, for_state, refines, remark},
    run::{Fair, Turn},
    schema::Schema,
    state::StackKey,
    value::{Path, Value},
};

/// What a step's task tells the dispatcher.
#[derive(Debug)]
pub(super) enum Word {
    /// The call is about to be made with this; answered once that is durable, dropped where it must not be made.
    Begin { step: StepId, input: Prepared, ack: oneshot::Sender<()> },
    /// The call knows its object's id; answered once that is durable.
    Checkpoint { step: StepId, id: String, partial: Option<Value>, ack: oneshot::Sender<()> },
    /// The task ended; `is_call` unless it awaited readiness.
    Ended { step: StepId, end: End, is_call: bool },
    /// An ephemeral resource was opened, or could not be; with what it holds.
    Opened { address: Address, result: Result<Value> },
    /// The seller was asked.
    Sold(Answer),
    /// An ephemeral resource could not be renewed; what it holds may be worth nothing any more.
    Lapsed { address: Address },
}

/// How a step's task ended.
#[derive(Debug)]
pub(super) enum End {
    /// The step fails before any effect.
    Refused(Error),
    /// The call was made.
    Called(Verdict),
    /// The data source was read; marked.
    Read(Result<Value>),
    /// The world was asked.
    Recovered(Finding),
    /// The object works (marked, as it is now), or does not.
    Ready(Result<Object>),
    /// Nothing came of it: the run stops, or its start was taken back.
    Dropped,
    /// Nothing came of it: that it begins did not become durable, or was not wanted any more.
    Unwritten,
}

/// What asking the world came to.
#[derive(Debug)]
pub(super) enum Finding {
    /// The change is there; never `Lost`.
    Made(Verdict),
    /// It is not. The object that a repeat starts from, where it is another than before.
    Missing(Option<Object>),
    /// The object that was to be changed is gone.
    Vanished,
    /// Not to be told.
    CannotTell(String),
}

/// What a call is made with; values are marked.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) config: Option<Value>,
    pub(super) planned: Option<Value>,
    pub(super) private: Option<Arc<[u8]>>,
    /// Whether all of it is exactly what the plan says.
    pub(super) as_planned: bool,
}

/// What all tasks of a run share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) bus: Bus,
    pub(super) guard: Arc<Guard>,
    pub(super) inbox: mpsc::UnboundedSender<Word>,
    pub(super) grace: Duration,
    pub(super) recover_patience: Duration,
    /// Where calls wait for their turn, and as whose.
    pub(super) fair: Option<(Fair, StackKey)>,
    /// Cancelled when nothing new is to start.
    pub(super) stop: CancellationToken,
    /// Cancelled when nothing is waited for.
    pub(super) hurry: CancellationToken,
}

impl Shared {
    /// Waits for the turn to make a call; `None` where nothing is waited for any more. Nothing is limited without a [`Fair`].
    async fn turn(&self) -> Option<Option<Turn>> {
        let Some((fair, stack)) = &self.fair else { return Some(None) };
        tokio::select! {
            biased;
            () = self.hurry.cancelled() => None,
            turn = fair.take(stack) => Some(Some(turn)),
        }
    }

    /// The same for what has not begun, and is not to once the run stops.
    async fn first_turn(&self) -> Option<Option<Turn>> {
        tokio::select! {
            biased;
            () = self.stop.cancelled(), if self.fair.is_some() => None,
            turn = self.turn() => turn,
        }
    }
}

/// One step's part in a task; says how it ended whatever happens.
pub(super) struct Link {
    shared: Arc<Shared>,
    step: StepId,
    is_call: bool,
    told: bool,
}

impl Link {
    /// Returns the link of a task that makes a call.
    pub(super) fn call(shared: &Arc<Shared>, step: StepId) -> Self {
        Self { shared: Arc::clone(shared), step, is_call: true, told: false }
    }

    /// Returns the link of a task that only waits.
    pub(super) fn wait(shared: &Arc<Shared>, step: StepId) -> Self {
        let mut link = Self::call(shared, step);
        link.is_call = false;
        link
    }

    fn end(mut self, end: End) {
        self.tell(end);
    }

    fn tell(&mut self, end: End) {
        self.told = true;
        // The dispatcher is gone when nobody listens; then nothing matters any more.
        let _ = self.shared.inbox.send(Word::Ended { step: self.step, end, is_call: self.is_call });
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if !self.told {
            self.tell(End::Dropped);
        }
    }
}

/// A call that is to be made.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) action: StepAction,
    pub(super) resource: Arc<dyn Resource>,
    pub(super) schema: Arc<Schema>,
    pub(super) traits: Traits,
    /// Unmarked.
    pub(super) prior: Option<Object>,
    /// What was approved; marked.
    pub(super) approved: Option<Value>,
    pub(super) info: CallInfo,
}

impl Job {
    pub(super) fn asked<'a>(&'a self, planned: Option<&'a Value>) -> Asked<'a> {
        let prior_id = self.prior.as_ref().map(|prior| prior.id.as_str());
        Asked { action: self.action, type_name: &self.info.type_name, schema: &self.schema, planned, prior_id }
    }

    fn context(&self, shared: &Arc<Shared>, step: StepId, token: &CancellationToken) -> Context {
        let mut info = self.info.clone();
        info.deadline = Some(shared.clock.now().plus(self.traits.call_timeout));
        let progress = Teller { bus: shared.bus.clone(), step, address: Arc::clone(&info.address) };
        Context::new(info, Arc::clone(&shared.clock), token.clone()).with_progress(Arc::new(progress))
    }

    fn bounds(&self, shared: &Arc<Shared>) -> Bounds {
        Bounds {
            clock: Arc::clone(&shared.clock),
            limit: self.traits.call_timeout,
            grace: shared.grace,
            token: CancellationToken::new(),
            hurry: shared.hurry.clone(),
        }
    }
}

/// How a step begins.
pub(super) enum Beginning {
    /// Its `Started` is on its way to the disk.
    Begun(Prepared, oneshot::Receiver<()>),
    /// It has to wait, for its turn or longer, or to ask the type's `plan` once more, before it may begin.
    Pending { prepared: Prepared, plan_again: bool, delay: Duration },
}

/// Makes the call of a create, update or delete.
pub(super) async fn change(link: Link, job: Job, beginning: Beginning) {
    let shared = Arc::clone(&link.shared);
    let (prepared, durable, turn) = match beginning {
        Beginning::Begun(prepared, durable) => (prepared, durable, None),
        Beginning::Pending { prepared, plan_again, delay } => {
            if !delay.is_zero() {
                tokio::select! {
                    () = shared.clock.sleep(delay) => {}
                    () = shared.stop.cancelled() => return,
                    () = shared.hurry.cancelled() => return,
                }
            }
            let Some(turn) = shared.first_turn().await else { return };
            let prepared =
                match if plan_again { plan_again_with(&shared, &link, &job, prepared).await } else { Ok(prepared) } {
                    Ok(prepared) => prepared,
                    Err(error) => return link.end(End::Refused(error)),
                };
            let (ack, durable) = oneshot::channel();
            if shared.inbox.send(Word::Begin { step: link.step, input: prepared.clone(), ack }).is_err() {
                return;
            }
            (prepared, durable, Some(turn))
        }
    };
    if durable.await.is_err() {
        return link.end(End::Unwritten);
    }
    // A repeat has begun long ago: its promise to be made stands, whoever comes first.
    let _turn = match turn {
        Some(turn) => turn,
        None => match shared.turn().await {
            Some(turn) => turn,
            None => return,
        },
    };
    if shared.hurry.is_cancelled() || !shared.guard.ensure().await {
        return;
    }
    if is_no_op(&job, &prepared)
        && let Some(prior) = job.prior.clone()
    {
        let verdict = job.asked(prepared.planned.as_ref()).judge(Outcome::complete(prior));
        return link.end(End::Called(verdict));
    }
    let outcome = call(&shared, &link, &job, &prepared).await;
    let verdict = match outcome {
        Ok(outcome) => job.asked(prepared.planned.as_ref()).judge(outcome),
        Err(error) => Verdict::Lost(error),
    };
    link.end(End::Called(verdict));
}

/// Returns whether an update came out as what is there already, now that everything is known.
fn is_no_op(job: &Job, prepared: &Prepared) -> bool {
    let planned = prepared.planned.as_ref().map(|planned| planned.unmark_deep().0);
    match (job.action, planned, &job.prior) {
        (StepAction::Update, Some(planned), Some(prior)) if !prepared.as_planned => planned.same(&prior.attributes),
        _ => false,
    }
}

async fn call(shared: &Arc<Shared>, link: &Link, job: &Job, prepared: &Prepared) -> Result<Outcome> {
    let bounds = job.bounds(shared);
    let saver = Saver {
        shared: Arc::clone(shared),
        step: link.step,
        planned: prepared.planned.clone(),
        schema: Arc::clone(&job.schema),
    };
    let mut context = job.context(shared, link.step, &bounds.token).with_checkpoint(Arc::new(saver));
    if let Some(private) = &prepared.private {
        context = context.with_info(|info| info.planned_private = Some(Arc::clone(private)));
    }
    let planned = prepared.planned.as_ref().map(|planned| planned.unmark_deep().0);
    let resource = Arc::clone(&job.resource);
    match (job.action, planned, job.prior.clone()) {
        (StepAction::Create, Some(planned), _) => {
            bounds.run(async move { resource.create(&context, planned).await }).await
        }
        (StepAction::Update, Some(planned), Some(prior)) => {
            bounds.run(async move { resource.update(&context, &prior, planned).await }).await
        }
        (StepAction::Delete, _, Some(prior)) => {
            bounds.run(async move { resource.delete(&context, &prior).await }).await
        }
        _ => Ok(Outcome::failed(Error::bug("a step lacks what its action needs"))),
    }
}

/// Asks the type's `plan` with everything known, and compares the answer with what was approved.
async fn plan_again_with(shared: &Arc<Shared>, link: &Link, job: &Job, prepared: Prepared) -> Result<Prepared> {
    let (Some(config), Some(proposed)) = (&prepared.config, &prepared.planned) else { return Ok(prepared) };
    let request =
        PlanRequest { prior: job.prior.clone(), config: config.unmark_deep().0, proposed: proposed.unmark_deep().0 };
    let bounds = job.bounds(shared);
    let context = job.context(shared, link.step, &bounds.token);
    let resource = Arc::clone(&job.resource);
    let answer = bounds.run(async move { checked_plan(&*resource, &context, request).await }).await??;
    let forced: Vec<Path> = match &job.prior {
        Some(prior) => answer
            .requires_replace
            .into_iter()
            .filter(|path| differs(&prior.attributes, &answer.planned, path))
            .collect(),
        None => Vec::new(),
    };
    if !forced.is_empty() {
        return Err(inconsistent("an update was approved, and now a new object would be needed", &forced));
    }
    let prior = job.prior.as_ref().map(|prior| &prior.attributes);
    let planned = held_against(&job.schema, &config.unmark_deep().0, prior, &answer.planned).map_err(|problems| {
        let list: Vec<String> = problems
            .iter()
            .map(|(path, what)| format!("`{}` {what}", path.to_string().trim_start_matches('.')))
            .collect();
        let type_name = &job.info.type_name;
        let message = format!("`{type_name}` broke its contract in plan, right before the change: {}", list.join("; "));
        Error::new(ErrorKind::Bug, "resource.inconsistent", message)
    })?;
    let planned = remark(&planned, prepared.planned.as_ref(), &job.schema);
    if let Some(approved) = &job.approved
        && let Err(paths) = refines(approved, &planned)
    {
        return Err(inconsistent("it came out otherwise than it was approved", &paths));
    }
    check_known(prepared.config.as_ref(), Some(&planned))?;
    let private = answer.private.or_else(|| prepared.private.clone());
    Ok(Prepared { planned: Some(planned), private, as_planned: false, ..prepared })
}

fn differs(prior: &Value, planned: &Value, path: &Path) -> bool {
    let at = |value: &Value| path.steps().iter().try_fold(value.clone(), |value, step| value.part(step).cloned());
    match (at(prior), at(planned)) {
        (Some(before), Some(after)) => !before.same(&after),
        (before, after) => before.is_some() != after.is_some(),
    }
}

/// Returns `plan.inconsistent`.
pub(super) fn inconsistent(what: &str, paths: &[Path]) -> Error {
    let error =
        Error::new(ErrorKind::Conflict, "plan.inconsistent", format!("the plan does not hold any more: {what}"));
    if paths.is_empty() { error } else { error.context("paths", list(paths)) }
}

/// Reads a data source. With `pending`, it has not begun yet, and does once it is its turn.
pub(super) async fn read(
    link: Link,
    source: Arc<dyn DataSource>,
    config: Value,
    info: CallInfo,
    pending: Option<Prepared>,
) {
    let shared = Arc::clone(&link.shared);
    let Some(_turn) = shared.first_turn().await else { return };
    if let Some(input) = pending {
        let (ack, durable) = oneshot::channel();
        if shared.inbox.send(Word::Begin { step: link.step, input, ack }).is_err() {
            return;
        }
        if durable.await.is_err() {
            return link.end(End::Unwritten);
        }
    }
    if !shared.guard.ensure().await {
        return;
    }
    let limit = Traits::default().call_timeout;
    let bounds = Bounds {
        clock: Arc::clone(&shared.clock),
        limit,
        grace: shared.grace,
        token: CancellationToken::new(),
        hurry: shared.hurry.clone(),
    };
    let mut info = info;
    info.deadline = Some(shared.clock.now().plus(limit));
    let type_name = Arc::clone(&info.type_name);
    let progress = Teller { bus: shared.bus.clone(), step: link.step, address: Arc::clone(&info.address) };
    let context = Context::new(info, Arc::clone(&shared.clock), bounds.token.clone()).with_progress(Arc::new(progress));
    let schema = source.schema();
    let asked = config.unmark_deep().0;
    let answer = bounds.run(async move { source.read(&context, asked).await }).await.and_then(|answer| answer);
    let value = answer.and_then(|value| {
        let shaped = schema.conform(&value.unmark_deep().0);
        if let (Ok(shaped), true) = (shaped, value.is_wholly_known()) {
            return Ok(for_state(&shaped, Some(&config), &schema));
        }
        let message = format!("`{type_name}` broke its contract in read: it returned what does not follow its schema");
        Err(Error::new(ErrorKind::Bug, "resource.inconsistent", message))
    });
    link.end(End::Read(value));
}

/// Asks the world what became of a lost call.
pub(super) async fn recover(link: Link, job: Job, planned: Option<Value>, id: Option<String>, partial: Option<Value>) {
    let shared = Arc::clone(&link.shared);
    let evidence = Evidence {
        id: id.or_else(|| job.prior.as_ref().map(|prior| prior.id.clone())),
        partial: partial.map(|partial| partial.unmark_deep().0),
        prior: job.prior.clone(),
        planned: planned.as_ref().map(|planned| planned.unmark_deep().0),
    };
    let settle = if job.action == StepAction::Create { job.traits.settle } else { Duration::ZERO };
    let mut pause = settle;
    let mut tries = 0;
    let patience = shared.clock.monotonic() + settle + shared.recover_patience;
    let answer = loop {
        tokio::select! {
            biased;
            () = shared.hurry.cancelled() => return,
            () = sleep(&shared, pause) => {}
        }
        let Some(turn) = shared.turn().await else { return };
        if !shared.guard.ensure().await {
            return;
        }
        let bounds = job.bounds(&shared);
        let context = job.context(&shared, link.step, &bounds.token);
        let (resource, evidence) = (Arc::clone(&job.resource), evidence.clone());
        let answer = bounds.run(async move { resource.recover(&context, &evidence).await }).await;
        drop(turn);
        tries += 1;
        match answer.and_then(|answer| answer) {
            Ok(answer) => break answer,
            Err(_) if shared.hurry.is_cancelled() => return,
            Err(error) if shared.clock.monotonic() < patience && error.retry_advice() != Retry::No => {
                pause = match error.retry_advice() {
                    Retry::After(least) => least,
                    _ => backoff(tries),
                };
            }
            Err(error) => {
                break Recovery::CannotTell { reason: format!("the world could not be asked: {}", error.message()) };
            }
        }
    };
    let asked = job.asked(planned.as_ref());
    let answer = match answer {
        Recovery::Found(object) if object.id.is_empty() => match &evidence.id {
            Some(id) => Recovery::Found(Object { id: id.clone(), ..object }),
            None => {
                let reason = "the resource type found the object and did not say by what id it goes";
                Recovery::CannotTell { reason: reason.to_owned() }
            }
        },
        answer => answer,
    };
    let finding = match (job.action, answer) {
        (_, Recovery::CannotTell { reason }) => Finding::CannotTell(reason),
        (StepAction::Create, Recovery::Found(object)) => Finding::Made(asked.judge_found(object)),
        (StepAction::Create, Recovery::Absent) => Finding::Missing(None),
        (StepAction::Update, Recovery::Found(object)) if asked.matches(&object) => {
            Finding::Made(asked.judge_found(object))
        }
        (StepAction::Delete, Recovery::Absent) => Finding::Made(Verdict::Gone),
        (_, Recovery::Found(object)) => Finding::Missing(Some(bare(&object))),
        (_, Recovery::Absent) => Finding::Vanished,
    };
    link.end(End::Recovered(finding));
}

/// Waits until an object works.
pub(super) async fn ready(link: Link, job: Job, object: Object, planned: Option<Value>) {
    let shared = Arc::clone(&link.shared);
    let begun = shared.clock.monotonic();
    let object = bare(&object);
    let result = loop {
        if !shared.guard.ensure().await {
            return;
        }
        let bounds = job.bounds(&shared);
        let context = job.context(&shared, link.step, &bounds.token);
        let (resource, asked) = (Arc::clone(&job.resource), object.clone());
        let answer = bounds.run(async move { resource.ready(&context, &asked).await }).await;
        let awaited = match answer.and_then(|answer| answer) {
            Ok(Readiness::Ready(found)) => {
                let id = if found.id.is_empty() { object.id.clone() } else { found.id };
                break job.asked(planned.as_ref()).judge_ready(Object { id, ..found });
            }
            Ok(Readiness::NotYet { reason }) => reason,
            Ok(Readiness::Failed { reason }) => break Err(not_ready(&job, reason)),
            Err(error) if error.retry_advice() == Retry::No => break Err(error),
            Err(error) => error.message().to_owned(),
        };
        let waited = shared.clock.monotonic().saturating_sub(begun);
        if waited >= job.traits.ready_timeout {
            let message = format!("not ready after {} s: {awaited}", waited.as_secs());
            break Err(not_ready(&job, message));
        }
        tokio::select! {
            biased;
            () = shared.hurry.cancelled() => return,
            () = sleep(&shared, job.traits.ready_interval.min(job.traits.ready_timeout.saturating_sub(waited))) => {}
        }
    };
    if shared.hurry.is_cancelled() && result.is_err() {
        return;
    }
    link.end(End::Ready(result));
}

fn not_ready(job: &Job, reason: String) -> Error {
    Error::new(ErrorKind::Unavailable, "resource.not_ready", reason).context("type", &job.info.type_name)
}

async fn sleep(shared: &Shared, pause: Duration) {
    if !pause.is_zero() {
        shared.clock.sleep(pause).await;
    }
}

/// Returns how long to wait after so many failures.
pub(super) fn backoff(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(5))
}

/// Makes checkpoints durable.
#[derive(Debug)]
struct Saver {
    shared: Arc<Shared>,
    step: StepId,
    planned: Option<Value>,
    schema: Arc<Schema>,
}

#[async_trait]
impl Checkpoint for Saver {
    async fn checkpoint(&self, id: &str, partial: Option<&Value>) -> Result<()> {
        // Nothing that anybody could be found by.
        if id.is_empty() {
            return Ok(());
        }
        let partial = partial.map(|partial| for_state(partial, self.planned.as_ref(), &self.schema));
        let (ack, durable) = oneshot::channel();
        let word = Word::Checkpoint { step: self.step, id: id.to_owned(), partial, ack };
        if self.shared.inbox.send(word).is_ok() && durable.await.is_ok() {
            return Ok(());
        }
        if self.shared.guard.lost.is_cancelled() {
            return Err(Error::new(ErrorKind::Conflict, "lease.lost", "the stack was taken over; stop at once"));
        }
        Err(Error::new(ErrorKind::Unavailable, "store.unavailable", "the checkpoint could not be written"))
    }
}

/// How many bytes of a report of progress are passed on.
const LONGEST_PROGRESS: usize = 4096;

/// Tells observers how far a call is.
#[derive(Debug)]
struct Teller {
    bus: Bus,
    step: StepId,
    address: Arc<str>,
}

impl Progress for Teller {
    fn say(&self, message: &str) {
        let (step, address) = (self.step.0, self.address.to_string());
        let end = message.floor_char_boundary(LONGEST_PROGRESS);
        let message = message.get(..end).unwrap_or_default().to_owned();
        self.bus.send(Event::StepProgress { step, address, message });
    }
}

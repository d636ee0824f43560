use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{
    ApplyQuery, Bytes, ChangeView, ConformQuery, Failure, GraphView, Host, OutputView, PlanQuery, PlanView, Problem,
    ReportData, RunData, StateData,
    failure::enveloped,
    query::{address, attached, read, target},
    store::conform,
};
use crate::{
    error::{Diagnostics as _, Error, ErrorKind, Result},
    event::{Bus, Recorded, Subscription, SystemClock},
    plan::{Action, Change, Plan, plan_json},
    run::Canceller,
    stack::{self, Engine, Settlement, Stack},
    state::RunId,
};

/// An engine as the other side of a language boundary sees it: questions and answers that are JSON text.
///
/// What a host holds on to are numbers and names: a plan has a number, and what takes a while (a plan that is being
/// made, a run) is an *operation*, named by the host, so that its events can be asked for and it can be cancelled.
///
/// # Examples
/// ```
/// use stackwright::{ffi::Session, stack::Engine, state::{MemoryStore, cipher::{AesGcmCipher, Key}}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> stackwright::Result<()> {
/// let engine = Engine::builder().store(MemoryStore::new()).cipher(AesGcmCipher::new(Key::generate()?)).build()?;
/// let session = Session::new(engine);
/// session.tell(r#"{"start": {"operation": "1"}}"#);
/// let answer = session.ask(r#"{"plan": {"stack": "acme/shop", "operation": "1", "query": {}}}"#).await;
/// assert!(answer.starts_with(r#"{"ok":{"#) && answer.contains(r#""is_empty":true"#) && answer.contains(r#""plan":1"#));
/// assert_eq!(session.tell(r#"{"release_plan": {"plan": 1}}"#), r#"{"ok":null}"#);
/// # Ok(()) }
/// ```
pub struct Session {
    engine: Engine,
    host: Option<Arc<dyn Host>>,
    plans: Mutex<Plans>,
    operations: Mutex<BTreeMap<String, Arc<Operation>>>,
}

#[derive(Default)]
struct Plans {
    last: u64,
    by_number: BTreeMap<u64, (Stack, Arc<Plan>)>,
}

struct Operation {
    stop: CancellationToken,
    /// Until it begins.
    bus: Mutex<Option<Bus>>,
    events: async_lock::Mutex<Subscription>,
    watched: Option<async_lock::Mutex<Subscription>>,
    run: Mutex<Option<stack::Run>>,
    canceller: Mutex<Option<Canceller>>,
}

/// What takes its time.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// Everything that is wrong with a template: problems.
    Validate {
        /// Whose types count, as `tenant/name`.
        stack: String,
        /// The template.
        query: PlanQuery,
    },
    /// Works out what is to be done: a [`PlanView`].
    Plan {
        /// As `tenant/name`; a name alone belongs to the tenant `default`.
        stack: String,
        /// As it was announced.
        operation: String,
        /// The template and what it is for.
        query: PlanQuery,
    },
    /// Opens a plan that `seal_plan` wrote: a [`PlanView`].
    OpenPlan {
        /// Whose it is.
        stack: String,
        /// As `seal_plan` gave it.
        sealed: Bytes,
    },
    /// Carries a plan out: the id of the run, once it has begun.
    Apply {
        /// Its number.
        plan: u64,
        /// As it was announced.
        operation: String,
        /// How.
        #[serde(default)]
        query: ApplyQuery,
    },
    /// Goes on with a run whose process died: the id of the run.
    Resume {
        /// Whose run.
        stack: String,
        /// Its id.
        run: String,
        /// As it was announced.
        operation: String,
        /// How.
        #[serde(default)]
        query: ApplyQuery,
    },
    /// The next events of an operation, as soon as there are some: an [`EventBatch`].
    Events {
        /// Which.
        operation: String,
        /// How many at most.
        limit: usize,
        /// Whether those are meant that `start` keeps for watchers; each is given once to either.
        #[serde(default)]
        watcher: bool,
    },
    /// Waits for the end of a run: a [`ReportData`]. Once.
    Finish {
        /// Which.
        operation: String,
    },
    /// What exists: a [`StateData`].
    State {
        /// Of whom.
        stack: String,
    },
    /// The root outputs: [`OutputView`] by name.
    Outputs {
        /// Of whom.
        stack: String,
        /// Whether sensitive ones are shown.
        #[serde(default)]
        reveal: bool,
    },
    /// The runs, newest first: [`RunData`] each.
    Runs {
        /// Of whom.
        stack: String,
        /// How many at most.
        limit: u32,
    },
    /// The run that was begun and not ended: a [`RunData`] or null.
    UnfinishedRun {
        /// Of whom.
        stack: String,
    },
    /// Gives a run up.
    Abandon {
        /// Whose run.
        stack: String,
        /// Its id.
        run: String,
    },
    /// Stacks that were ever applied: `tenant/name` each.
    Stacks {
        /// Of one tenant, or of all.
        #[serde(default)]
        tenant: Option<String>,
    },
    /// Removes what is remembered of a stack without objects.
    Forget {
        /// Which.
        stack: String,
    },
    /// Takes the lease away from a process that is dead.
    BreakLease {
        /// Of which stack.
        stack: String,
    },
    /// Says that an uncertain object does not exist (`absent`), or is to be replaced (`tainted`).
    Settle {
        /// Whose object.
        stack: String,
        /// Where it stands.
        address: String,
        /// Whether it exists.
        exists: bool,
    },
    /// Gives an object another address.
    MoveAddress {
        /// Whose object.
        stack: String,
        /// The address that it has.
        from: String,
        /// The address that it gets.
        to: String,
    },
    /// Holds a type of the host's against the contract of resource types: [`FindingData`](super::FindingData) each.
    Conform {
        /// Which type, and how its things are described.
        query: ConformQuery,
    },
    /// Holds stores that the host makes against the contract of stores: [`FindingData`](super::FindingData) each.
    ConformStore {},
    /// Stops managing objects and leaves them alone: the addresses.
    ForgetRows {
        /// Whose objects.
        stack: String,
        /// What covers them.
        target: String,
    },
}

/// What is answered at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Tell {
    /// Announces an operation, whose events are kept from then on.
    Start {
        /// What the host calls it; unused so far.
        operation: String,
        /// Whether all events are kept once more, for somebody who watches every operation.
        #[serde(default)]
        watched: bool,
    },
    /// A plan as a page for people.
    PlanText {
        /// Its number.
        plan: u64,
    },
    /// The changes of a plan, without those left alone: [`ChangeView`] each.
    PlanChanges {
        /// Its number.
        plan: u64,
    },
    /// What the root outputs will be: [`OutputView`] by name.
    PlanOutputs {
        /// Its number.
        plan: u64,
    },
    /// The steps of a plan: a [`GraphView`].
    PlanGraph {
        /// Its number.
        plan: u64,
    },
    /// A plan as Terraform shows it (`show -json`).
    PlanJson {
        /// Its number.
        plan: u64,
    },
    /// A plan as Base64 that another process can open; secrets in it are sealed.
    SealPlan {
        /// Its number.
        plan: u64,
    },
    /// Forgets a plan.
    ReleasePlan {
        /// Its number.
        plan: u64,
    },
    /// Asks an operation to end: planning stops, a run starts nothing new. `now`: a run does not wait for calls either.
    Cancel {
        /// Which; one that is not there (any more) is left alone.
        operation: String,
        /// Whether to hurry.
        #[serde(default)]
        now: bool,
    },
    /// Forgets an operation; a run goes on.
    Release {
        /// Which.
        operation: String,
    },
}

/// Some events of an operation, in order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventBatch {
    /// The events; none only once the operation ended.
    pub events: Vec<Recorded>,
    /// Whether there are no more.
    pub ended: bool,
}

type Json = serde_json::Value;
type Answer = Result<Json, Failure>;

impl Session {
    /// Returns a session with an engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine, host: None, plans: Mutex::default(), operations: Mutex::default() }
    }

    /// Names the host whose stores [`Ask::ConformStore`] tries.
    #[must_use]
    pub fn with_host(self, host: Arc<dyn Host>) -> Self {
        Self { host: Some(host), ..self }
    }

    /// Returns the engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Answers an [`Ask`] that is JSON text with an envelope.
    ///
    /// # Cancellation
    /// Dropping the future of a plan ends planning; that of a run leaves the run going.
    pub async fn ask(&self, text: &str) -> String {
        let answer = match read::<Ask>(text) {
            Ok(ask) => self.answer(ask).await,
            Err(error) => Err(Failure::from(&error)),
        };
        enveloped(answer)
    }

    /// Answers a [`Tell`] that is JSON text with an envelope, at once. O(size of the plan).
    pub fn tell(&self, text: &str) -> String {
        enveloped(read::<Tell>(text).and_then(|tell| self.reply(tell)).map_err(|error| Failure::from(&error)))
    }

    async fn answer(&self, ask: Ask) -> Answer {
        match ask {
            Ask::Validate { stack, query } => self.validate(&stack, query),
            Ask::Plan { stack, operation, query } => self.plan(&stack, &operation, query).await,
            other => self.other(other).await.map_err(|error| Failure::from(&error)),
        }
    }

    async fn other(&self, ask: Ask) -> Result<Json> {
        match ask {
            Ask::Validate { .. } | Ask::Plan { .. } => Err(Error::bug("somebody else answers it")),
            Ask::OpenPlan { stack, sealed } => {
                let stack = self.stack(&stack);
                let plan = stack.open_plan(&sealed.0)?;
                json(self.keep(stack, plan, Vec::new()))
            }
            Ask::Apply { plan, operation, query } => {
                let (stack, plan) = self.planned(plan)?;
                let plan = Arc::unwrap_or_clone(plan);
                self.begin(&operation, query, |options| async move { stack.apply(plan, options).await }).await
            }
            Ask::Resume { stack, run, operation, query } => {
                let (stack, run) = (self.stack(&stack), run_id(&run)?);
                self.begin(&operation, query, |options| async move { stack.resume(run, options).await }).await
            }
            Ask::Events { operation, limit, watcher } => {
                let operation = self.operation(&operation)?;
                let events = if watcher { operation.watched.as_ref() } else { Some(&operation.events) };
                let mut events = events.ok_or_else(|| Error::bug("nothing is kept for watchers"))?.lock().await;
                let mut batch: Vec<Recorded> = events.next().await.into_iter().collect();
                let ended = batch.is_empty();
                while !ended
                    && batch.len() < limit
                    && let Some(next) = events.try_next()
                {
                    batch.push(next);
                }
                json(EventBatch { events: batch, ended })
            }
            Ask::Finish { operation } => {
                let operation = self.operation(&operation)?;
                let run = lock(&operation.run).take().ok_or_else(|| Error::bug("the run is awaited already"))?;
                json(ReportData::from(&run.finish().await?))
            }
            Ask::State { stack } => json(StateData::from(&self.stack(&stack).state().await?)),
            Ask::Outputs { stack, reveal } => {
                let outputs = self.stack(&stack).outputs().await?;
                let shown = outputs.iter().map(|(name, output)| (name, OutputView::of(output, reveal)));
                json(shown.collect::<BTreeMap<_, _>>())
            }
            Ask::Runs { stack, limit } => {
                let runs = self.stack(&stack).runs(limit).await?;
                json(runs.iter().map(RunData::from).collect::<Vec<_>>())
            }
            Ask::UnfinishedRun { stack } => {
                json(self.stack(&stack).unfinished_run().await?.as_ref().map(RunData::from))
            }
            Ask::Abandon { stack, run } => json(self.stack(&stack).abandon(run_id(&run)?).await?),
            Ask::Stacks { tenant } => {
                let stacks = self.engine.stacks(tenant.as_deref()).await?;
                json(stacks.iter().map(|stack| stack.key().to_string()).collect::<Vec<_>>())
            }
            Ask::Forget { stack } => json(self.stack(&stack).forget().await?),
            Ask::BreakLease { stack } => json(self.stack(&stack).break_lease().await?),
            Ask::Settle { stack, address: at, exists } => {
                let settlement = if exists { Settlement::Tainted } else { Settlement::Absent };
                json(self.stack(&stack).settle(&address(&at)?, settlement).await?)
            }
            Ask::MoveAddress { stack, from, to } => {
                json(self.stack(&stack).move_address(&address(&from)?, &address(&to)?).await?)
            }
            Ask::Conform { query } => json(query.run(&self.engine.registry()).await?),
            Ask::ConformStore {} => match &self.host {
                Some(host) => json(conform(Arc::clone(host)).await),
                None => Err(Error::new(ErrorKind::Unsupported, "host.failed", "this host keeps no stores")),
            },
            Ask::ForgetRows { stack, target: covers } => {
                let gone = self.stack(&stack).forget_rows(&target(&covers)?).await?;
                json(gone.iter().map(ToString::to_string).collect::<Vec<_>>())
            }
        }
    }

    fn reply(&self, tell: Tell) -> Result<Json> {
        match tell {
            Tell::Start { operation, watched } => {
                self.start(operation, watched)?;
                Ok(Json::Null)
            }
            Tell::PlanText { plan } => json(self.planned(plan)?.1.to_string()),
            Tell::PlanChanges { plan } => {
                let (_, plan) = self.planned(plan)?;
                // What is only adopted or moved is worth a line too.
                let is_quiet = |change: &&Change| {
                    change.action == Action::NoOp && change.importing.is_none() && change.previous_address.is_none()
                };
                let changes = plan.changes.iter().filter(|change| !is_quiet(change));
                json(changes.map(ChangeView::from).collect::<Vec<_>>())
            }
            Tell::PlanOutputs { plan } => {
                let (_, plan) = self.planned(plan)?;
                let outputs = plan.outputs.iter();
                let shown = outputs.filter_map(|(name, change)| Some((name, OutputView::planned(change)?)));
                json(shown.collect::<BTreeMap<_, _>>())
            }
            Tell::PlanGraph { plan } => json(GraphView::from(&*self.planned(plan)?.1)),
            Tell::PlanJson { plan } => Ok(plan_json(&self.planned(plan)?.1, &*self.engine.registry())),
            Tell::SealPlan { plan } => {
                let (stack, plan) = self.planned(plan)?;
                json(BASE64_STANDARD.encode(stack.seal_plan(&plan)?))
            }
            Tell::ReleasePlan { plan } => {
                lock(&self.plans).by_number.remove(&plan);
                Ok(Json::Null)
            }
            Tell::Cancel { operation, now } => {
                let found = lock(&self.operations).get(&operation).cloned();
                if let Some(operation) = found {
                    operation.cancel(now);
                }
                Ok(Json::Null)
            }
            Tell::Release { operation } => {
                lock(&self.operations).remove(&operation);
                Ok(Json::Null)
            }
        }
    }

    fn validate(&self, stack: &str, query: PlanQuery) -> Answer {
        let plain = |error: Error| Failure::from(&error);
        let (template, mut problems) = self.engine.read(&query.texts().map_err(plain)?);
        if !problems.has_errors() {
            problems.extend(self.stack(stack).validate(&template));
            problems.tidy();
        }
        let sources = template.sources();
        let problems: Vec<Problem> = problems.iter().map(|problem| Problem::within(problem, sources)).collect();
        json(problems).map_err(plain)
    }

    async fn plan(&self, stack: &str, operation: &str, query: PlanQuery) -> Answer {
        let plain = |error: Error| Failure::from(&error);
        let (template, problems) = self.engine.read(&query.texts().map_err(plain)?);
        if problems.has_errors() {
            return Err(Failure::within(&Error::from_diagnostics("template.invalid", problems), template.sources()));
        }
        let sources = template.sources().clone();
        let (template, options) = query.options(template).map_err(|error| Failure::within(&error, &sources))?;
        let started = self.operation(operation).map_err(plain)?;
        let options = attached(options, operation, started.bus().map_err(plain)?, started.stop.clone());
        let stack = self.stack(stack);
        let plan = stack.plan(&template, options).await;
        let sources = template.sources();
        let mut plan = plan.map_err(|error| Failure::within(&error, sources))?;
        let warnings = std::mem::take(&mut plan.warnings);
        let shown = warnings.iter().map(|warning| Problem::within(warning, sources)).collect();
        plan.warnings = warnings;
        json(self.keep(stack, plan, shown)).map_err(plain)
    }

    fn start(&self, name: String, is_watched: bool) -> Result<()> {
        let bus = Bus::new(Arc::new(SystemClock::default()));
        let operation = Operation {
            stop: CancellationToken::new(),
            events: async_lock::Mutex::new(bus.subscribe()),
            watched: is_watched.then(|| async_lock::Mutex::new(bus.subscribe())),
            bus: Mutex::new(Some(bus)),
            run: Mutex::default(),
            canceller: Mutex::default(),
        };
        if lock(&self.operations).insert(name, Arc::new(operation)).is_some() {
            return Err(Error::bug("there is an operation of this name already"));
        }
        Ok(())
    }

    async fn begin<F: Future<Output = Result<stack::Run>>>(
        &self,
        name: &str,
        query: ApplyQuery,
        begin: impl FnOnce(stack::ApplyOptions) -> F,
    ) -> Result<Json> {
        let operation = self.operation(name)?;
        // Dropped where the run does not begin, so that nobody waits for its events.
        let bus = operation.bus()?;
        let options = query.options()?;
        let run = begin(stack::ApplyOptions { operation: Some(name.into()), events: Some(bus), ..options }).await?;
        let id = run.id().to_string();
        *lock(&operation.canceller) = Some(run.canceller());
        *lock(&operation.run) = Some(run);
        // Somebody may have asked it to stop while it began.
        if operation.stop.is_cancelled() {
            operation.cancel(false);
        }
        json(id)
    }

    fn keep(&self, stack: Stack, plan: Plan, warnings: Vec<Problem>) -> PlanView {
        let mut plans = lock(&self.plans);
        plans.last += 1;
        let number = plans.last;
        let view = PlanView::of(number, &plan, warnings);
        plans.by_number.insert(number, (stack, Arc::new(plan)));
        view
    }

    fn planned(&self, number: u64) -> Result<(Stack, Arc<Plan>)> {
        let found = lock(&self.plans).by_number.get(&number).cloned();
        found.ok_or_else(|| Error::bug(format!("there is no plan {number}")))
    }

    fn operation(&self, name: &str) -> Result<Arc<Operation>> {
        let found = lock(&self.operations).get(name).cloned();
        found.ok_or_else(|| Error::bug(format!("there is no operation `{name}`")))
    }

    fn stack(&self, name: &str) -> Stack {
        match name.split_once('/') {
            Some((tenant, name)) => self.engine.stack(tenant, name),
            None => self.engine.stack("default", name),
        }
    }
}

impl Operation {
    fn bus(&self) -> Result<Bus> {
        lock(&self.bus).take().ok_or_else(|| Error::bug("the operation has begun already"))
    }

    fn cancel(&self, now: bool) {
        self.stop.cancel();
        match &*lock(&self.canceller) {
            Some(canceller) if now => canceller.cancel_now(),
            Some(canceller) => canceller.cancel(),
            None => {}
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("engine", &self.engine).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn json(value: impl Serialize) -> Result<Json> {
    serde_json::to_value(value).map_err(|error| Error::bug("an answer has no form in JSON").because(error))
}

fn run_id(text: &str) -> Result<RunId> {
    text.parse().map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "run.unknown", format!("`{text}` is not the id of a run")).because(error)
    })
}

use std::{collections::BTreeMap, sync::Arc};

use tokio::task::JoinHandle;

use super::{Purchase, Stack, variables};
use crate::{
    error::{Error, ErrorKind, Result},
    event::{Bus, Event, Recorded, Subscription},
    plan::{Plan, Residue, codec},
    run::{Canceller, Driver, DriverParts, OnFailure, Options, Resume, RunReport},
    state::{Lease, Lineage, Row, RowStatus, RunId, RunStatus, failure},
    template::RawVariables,
    tenant::QuotaCheck,
};

/// How a plan is to be carried out.
#[derive(Clone, Debug)]
pub struct ApplyOptions {
    /// How many calls run at once; at least 1.
    pub parallelism: usize,
    /// What to do about the rest when a step fails.
    pub on_failure: OnFailure,
    /// Who starts it, for the history.
    pub who: String,
    /// Why, for the history.
    pub why: String,
    /// Where events go beside [`Run::next_event`].
    pub events: Option<Bus>,
    /// The ephemeral variables of a plan that was stored, or of a run that is resumed. Others are ignored: the plan has
    /// their values.
    pub variables: RawVariables,
    /// The quote that was accepted, where the engine has a seller and the plan makes or changes what costs money.
    pub purchase: Option<Purchase>,
    /// What the host calls this run; resource types get it with every call.
    pub operation: Option<Arc<str>>,
    /// The id of the run, which no run may have yet: a host that notes it first can ask afterwards whether the run ever
    /// began. Minted where nothing is said. [`Stack::resume`] does not look at it.
    pub run: Option<RunId>,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        let options = Options::default();
        Self {
            parallelism: options.parallelism,
            on_failure: options.on_failure,
            who: String::new(),
            why: String::new(),
            events: None,
            variables: RawVariables::default(),
            purchase: None,
            operation: None,
            run: None,
        }
    }
}

/// A plan that is being carried out, on a task of the engine's own.
///
/// Dropping it leaves the run going.
#[derive(Debug)]
pub struct Run {
    id: RunId,
    events: Subscription,
    canceller: Canceller,
    task: JoinHandle<Result<RunReport>>,
}

impl Run {
    /// Returns which run it is.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// Returns the next event, or `None` once the run ended.
    ///
    /// # Cancellation
    /// Dropping the future loses no event.
    pub async fn next_event(&mut self) -> Option<Recorded> {
        self.events.next().await
    }

    /// Returns what asks the run to stop, for use elsewhere.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Waits for the end. Failed steps are in the report, not in the error.
    ///
    /// # Errors
    /// The run paused and can be resumed: `store.unavailable`, `lease.lost`, `engine.bug`.
    ///
    /// # Cancellation
    /// Dropping the future leaves the run going.
    pub async fn finish(self) -> Result<RunReport> {
        let Self { events, task, .. } = self;
        // Nobody reads them any more; what is sent from now on need not be kept.
        drop(events);
        match task.await {
            Ok(result) => result,
            Err(error) => Err(Error::bug("the task of a run ended early; resume the run").because(error)),
        }
    }
}

impl Stack {
    /// Returns a plan as bytes that another process can open; secrets in it are sealed.
    ///
    /// # Errors
    /// What the cipher says.
    pub fn seal_plan(&self, plan: &Plan) -> Result<Arc<[u8]>> {
        codec::encode(plan, &self.sealer())
    }

    /// Returns the plan that [`Stack::seal_plan`] wrote for this stack.
    ///
    /// # Errors
    /// `store.corrupt`, `store.version`, `cipher.open_failed` with another key.
    pub fn open_plan(&self, bytes: &[u8]) -> Result<Plan> {
        codec::decode(bytes, &self.sealer())
    }

    /// Carries out a plan.
    ///
    /// Returns once the run's first facts are about to be written; the rest happens on a task of the engine's own.
    ///
    /// # Errors
    /// `template.invalid` where the plan was stored and an ephemeral variable is not set again as it was when it was made;
    /// `plan.stale` (`Conflict`) when state moved since the plan was made; `lease.held` while somebody else works on
    /// the stack; `run.unfinished` while an earlier run of it was not ended; `order.not_accepted`, `order.no_seller`,
    /// `pricing.expired` and `pricing.changed` where money is at stake (see [`Purchase`]); `quota.exceeded`, `quota.unknown`,
    /// `quota.overflow` and `quota.busy` where the engine has quotas, and nothing was touched; those of
    /// [`Store`](crate::state::Store).
    pub async fn apply(&self, mut plan: Plan, options: ApplyOptions) -> Result<Run> {
        variables::give(&mut plan, &options.variables)?;
        variables::check_given(&plan)?;
        self.refuse_foreign(&plan)?;
        // Boxed: few runs cost money, and every caller would carry it.
        Box::pin(self.check_purchase(&plan, options.purchase.as_ref())).await?;
        let lease = self.acquire("apply").await?;
        // Boxed, so that callers need not carry what it holds between its writes.
        match Box::pin(self.begin(plan, options, &lease)).await {
            Ok(run) => Ok(run),
            Err(error) => {
                // What failed first is what the caller has to know.
                let _ = self.store().release(&lease).await;
                Err(error)
            }
        }
    }

    async fn begin(&self, plan: Plan, options: ApplyOptions, lease: &Lease) -> Result<Run> {
        self.refuse_unfinished().await?;
        let run = options.run.unwrap_or_else(RunId::mint);
        if options.run.is_some() && self.store().load_run(run).await?.is_some() {
            return Err(failure::conflict(&self.key, "a run with this id exists already").context("run", run));
        }
        let record = self.store().load_stack(&self.key).await?;
        let lineage = record.map(|record| record.lineage);
        let rows = self.rows(&self.sealer()).await?;
        check_base(&plan, lineage, &rows)?;
        let lineage = lineage.unwrap_or_else(Lineage::mint);
        let segment = codec::encode(&plan, &self.sealer())?;
        let orders = self.orders(&plan, options.purchase.as_ref(), run)?;
        let plan = Arc::new(plan);
        let reserved = Arc::clone(&plan);
        let parts = DriverParts { orders, ..self.parts(plan, rows, lineage, lease.clone(), &options)? };
        let events = parts.bus.subscribe();
        let check = self.reserve(&reserved, run, &parts.rows).await?;
        for diagnostic in check.iter().flat_map(QuotaCheck::warnings) {
            parts.bus.send(Event::Problem { diagnostic });
        }
        match Driver::start(parts, run, segment).await {
            Ok(handle) => Ok(self.attend(handle, events, lease.clone())),
            Err(error) => {
                // The answer may have been lost, and the run begun all the same: then it is reserved for what resumes it.
                if check.is_some() && matches!(self.store().load_run(run).await, Ok(None)) {
                    // Whoever needs the room finds out, too.
                    let _ = self.settle_quota(Some(run)).await;
                }
                Err(error)
            }
        }
    }

    /// Goes on with a run whose process died, or that paused.
    ///
    /// What was under way when it died is looked up in the world before anything is repeated. Steps that need an ephemeral
    /// variable fail unless the options set it.
    ///
    /// # Errors
    /// `run.unknown` (`NotFound`), `run.ended` (`Conflict`) when there is nothing to resume, `lease.held`, and those of
    /// [`Store`](crate::state::Store).
    pub async fn resume(&self, run: RunId, options: ApplyOptions) -> Result<Run> {
        let lease = self.acquire("resume").await?;
        match Box::pin(self.take_up(run, options, &lease)).await {
            Ok(run) => Ok(run),
            Err(error) => {
                let _ = self.store().release(&lease).await;
                Err(error)
            }
        }
    }

    async fn take_up(&self, run: RunId, options: ApplyOptions, lease: &Lease) -> Result<Run> {
        let sealer = self.sealer();
        let open = |bytes: &[u8]| {
            let mut plan = codec::decode(bytes, &sealer)?;
            variables::give(&mut plan, &options.variables)?;
            Ok(plan)
        };
        let resume = Resume::load(self.store(), run, &sealer, open).await?;
        let record = self.store().load_stack(&self.key).await?;
        let lineage = record.map(|record| record.lineage).or(resume.plan().lineage).unwrap_or_else(Lineage::mint);
        let rows = self.rows(&sealer).await?;
        let plan = resume.plan();
        let parts = self.parts(plan, rows, lineage, lease.clone(), &options)?;
        let events = parts.bus.subscribe();
        let handle = Driver::resume(parts, resume).await?;
        Ok(self.attend(handle, events, lease.clone()))
    }

    fn parts(
        &self,
        plan: Arc<Plan>,
        rows: Vec<Row>,
        lineage: Lineage,
        lease: Lease,
        options: &ApplyOptions,
    ) -> Result<DriverParts> {
        let inner = &self.engine.inner;
        let registry = self.engine.registry();
        let tags = self.tags_of(&plan);
        let finalizer = Residue::open(Arc::clone(&plan), &rows, Arc::clone(&registry) as _)?;
        Ok(DriverParts {
            store: Arc::clone(&inner.store),
            lease,
            lease_ttl: inner.lease_ttl,
            sealer: self.sealer(),
            lineage,
            plan,
            rows,
            seller: inner.seller.clone(),
            orders: Vec::new(),
            calls: registry,
            finalizer: Box::new(finalizer),
            bus: options.events.clone().unwrap_or_else(|| Bus::new(Arc::clone(&inner.clock))),
            clock: Arc::clone(&inner.clock),
            options: Options {
                parallelism: options.parallelism.max(1),
                on_failure: options.on_failure,
                who: options.who.clone(),
                why: options.why.clone(),
                tags,
                operation: options.operation.clone(),
                fair: inner.fair.clone(),
                ..Options::default()
            },
        })
    }

    /// Waits for the driver and gives the lease back, whoever still listens.
    fn attend(&self, handle: crate::run::RunHandle, events: Subscription, lease: Lease) -> Run {
        let (id, canceller) = (handle.run(), handle.canceller());
        let stack = self.clone();
        let task = tokio::spawn(async move {
            let report = handle.finish().await;
            if report.as_ref().is_ok_and(|report| report.status != RunStatus::Running) {
                // Whoever needs the room finds out, too.
                let _ = stack.settle_quota(Some(id)).await;
            }
            // A lease that cannot be given back runs out by itself.
            let _ = stack.store().release(&lease).await;
            report
        });
        Run { id, events, canceller, task }
    }
}

/// Refuses a plan that was made for another state than the one that is there.
fn check_base(plan: &Plan, lineage: Option<Lineage>, rows: &[Row]) -> Result<()> {
    let stale = |what: String| {
        Error::new(ErrorKind::Conflict, "plan.stale", format!("{what} since the plan was made; plan again"))
    };
    if plan.lineage.is_some() && plan.lineage != lineage {
        return Err(stale("the stack was removed and made anew".to_owned()));
    }
    let base: BTreeMap<_, _> = plan.base.iter().map(|base| (base.object_id, base.version)).collect();
    for row in rows {
        match base.get(&row.object_id) {
            Some(version) if *version == row.version => {}
            Some(_) => return Err(stale(format!("`{}` changed", row.address))),
            None => return Err(stale(format!("`{}` appeared", row.address))),
        }
    }
    let present: std::collections::BTreeSet<_> = rows.iter().map(|row| row.object_id).collect();
    match base.keys().find(|object| !present.contains(object)) {
        Some(object) => Err(stale(format!("object {object} went"))),
        None => Ok(()),
    }
}

/// Returns the rows that a person has to settle before their addresses can be planned.
pub(super) fn uncertain(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|row| row.status == RowStatus::Uncertain)
}

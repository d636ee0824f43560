use std::{fmt, sync::Arc};

use tokio::task::JoinHandle;

use super::{
    Endpoint, Fact, Installation, OperationId, OperationKind, Outcome, Proposal, Standing, Verb, problem,
    propose::sealed,
};
use crate::{
    error::{Error, ErrorKind, Result},
    event::{Bus, Recorded, Subscription},
    plan,
    pricing::Tolerance,
    run::{Canceller, OnFailure, RunReport},
    stack::{ApplyOptions, Purchase, Run},
    state::{LedgerDraft, RunId, RunStatus},
};

/// The output that says where an installation answers to actions of its own.
const ENDPOINT: &str = "stackwright_action_endpoint";

/// How a proposal is carried out.
#[derive(Clone, Debug)]
pub struct CarryOptions {
    /// How many calls run at once; at least 1.
    pub parallelism: usize,
    /// What to do about the rest when a step fails.
    pub on_failure: OnFailure,
    /// How much more than what was accepted may be asked.
    pub tolerance: Tolerance,
    /// Why, for the audit record.
    pub why: Arc<str>,
    /// Where events go beside [`Operation::next_event`].
    pub events: Option<Bus>,
    /// The operation that it is a part of, where many are one.
    pub part_of: Option<OperationId>,
}

impl Default for CarryOptions {
    /// As [`ApplyOptions`] has it.
    fn default() -> Self {
        let ApplyOptions { parallelism, on_failure, .. } = ApplyOptions::default();
        Self { parallelism, on_failure, tolerance: Tolerance::NONE, why: "".into(), events: None, part_of: None }
    }
}

/// What became of an operation.
#[derive(Clone, Debug)]
pub struct OperationReport {
    /// Which.
    pub operation: OperationId,
    /// What it made of the installation.
    pub kind: OperationKind,
    /// How it ended.
    pub outcome: Outcome,
    /// The end of its run.
    pub run: RunReport,
}

/// A change that is being carried out, on a task of the engine's own. Dropping it leaves it going.
pub struct Operation {
    id: OperationId,
    run: RunId,
    events: Subscription,
    canceller: Canceller,
    task: JoinHandle<Result<OperationReport>>,
}

impl Operation {
    /// Returns which operation it is.
    pub fn id(&self) -> OperationId {
        self.id
    }

    /// Returns the id of its run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Returns the next event, or `None` once the run ended.
    ///
    /// # Cancellation
    /// Dropping the future loses no event.
    pub async fn next_event(&mut self) -> Option<Recorded> {
        self.events.next().await
    }

    /// Returns what asks it to stop.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Waits for the end, and until that was written down. Failed steps are in the report, not in the error.
    ///
    /// # Errors
    /// It paused, and can be resumed: `store.unavailable`, `lease.lost`, `engine.bug`.
    ///
    /// # Cancellation
    /// Dropping the future leaves it going.
    pub async fn finish(self) -> Result<OperationReport> {
        let Self { events, task, .. } = self;
        drop(events);
        match task.await {
            Ok(result) => result,
            Err(error) => Err(Error::bug("the task of an operation ended early; resume it").because(error)),
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("id", &self.id).field("run", &self.run).finish_non_exhaustive()
    }
}

impl Installation {
    /// Carries a proposal out.
    ///
    /// What is about to be done, by whom, and at which price, is in the ledger before anything happens. Returns once the run
    /// began; the rest happens on a task of the engine's own, which writes the end down, too.
    ///
    /// # Errors
    /// `installation.denied`; `installation.changed` where another change came first; `installation.busy`,
    /// `installation.interrupted`; `pricing.expired` where the quote is over, `pricing.changed` where more is asked now; `quota.exceeded`, `quota.unknown` where the
    /// tenant has no room (nothing is written down then, unless others took it at the last moment); those of
    /// [`Stack::apply`](crate::stack::Stack::apply) (then the ledger says that nothing began); those of the gateway.
    pub async fn carry_out(&self, proposal: Proposal, options: &CarryOptions) -> Result<Operation> {
        self.permit(verb(proposal.kind), Some(&proposal.package), None).await?;
        if proposal.plan.stack != self.key {
            let message = format!("this was proposed for another installation than `{}`", self.key);
            return Err(Error::new(ErrorKind::InvalidInput, "installation.changed", message));
        }
        if self.now() >= proposal.quote.expires_at {
            let message = format!("the quote was good until {}", proposal.quote.expires_at);
            return Err(Error::new(ErrorKind::Conflict, "pricing.expired", message));
        }
        // What is full now was perhaps not when this was proposed, and the other way round.
        if let Some(refusal) = self.stack.quota_check(&proposal.plan).await?.refusal() {
            return Err(refusal);
        }
        let operation = OperationId::mint();
        let run = proposal.made_with.run;
        let draft = self.intent(operation, &proposal, options)?;
        self.settled().await?;
        self.record(|folded| {
            if let Some(open) = folded.open() {
                return Err(problem::busy(&self.key, open.operation));
            }
            if folded.view.standing == Standing::Leaving {
                return Err(problem::standing(&folded.view, "changed"));
            }
            if folded.steps != proposal.on {
                return Err(problem::changed(&self.key));
            }
            Ok(vec![draft.clone()])
        })
        .await?;
        let Proposal { kind, plan, quote, quoting, .. } = proposal;
        let purchase = Purchase::of(quote, quoting).tolerating(options.tolerance);
        let (apply, events) = self.apply_options(operation, kind, run, options, Some(purchase));
        let begun = match self.withdraw(kind).await {
            Ok(()) => self.stack.apply(plan, apply).await,
            Err(error) => Err(error),
        };
        match begun {
            Ok(begun) => Ok(self.attend(operation, kind, begun, events)),
            Err(error) => {
                // The answer may have been lost, and the run begun all the same: then it is resumed, not noted as none.
                if let Ok(false) = self.has_run(run).await {
                    let _ = self.note_end(operation, Outcome::NotBegun, vec![error.code().into()]).await;
                    // What was withdrawn for it is there again.
                    if kind == OperationKind::Uninstall {
                        let _ = self.register(OperationKind::Install, Outcome::Succeeded).await;
                    }
                }
                Err(error)
            }
        }
    }

    /// Returns what is written down before a change begins.
    fn intent(&self, operation: OperationId, proposal: &Proposal, options: &CarryOptions) -> Result<LedgerDraft> {
        let made_with = &proposal.made_with;
        let fact = Fact::Intended {
            operation,
            kind: proposal.kind,
            run: made_with.run,
            by: (*self.apps.actor).clone(),
            why: Arc::clone(&options.why),
            app_id: Arc::clone(&proposal.app_id),
            package: proposal.package.clone(),
            preset: made_with.preset.clone(),
            role: made_with.role.clone(),
            plan: plan::codec::hash(&proposal.plan)?.to_string().into(),
            quote: Arc::clone(&proposal.quote.hash),
            lines: proposal.quote.lines.clone(),
            refunds: proposal.quote.refunds.clone(),
            unpriced: proposal.quote.unpriced.clone(),
            views: made_with.views.clone(),
            part_of: options.part_of,
        };
        let draft = LedgerDraft::new(&fact)?.with("variables", made_with.variables.clone());
        Ok(draft.with("inputs", sealed(&made_with.inputs)).with("generated", sealed(&made_with.generated)))
    }

    /// Returns how a run is carried out. What was accepted passes through here: a run that buys takes its quote along, and
    /// one that nobody sells anything to has none.
    fn apply_options(
        &self,
        operation: OperationId,
        kind: OperationKind,
        run: RunId,
        options: &CarryOptions,
        purchase: Option<Purchase>,
    ) -> (ApplyOptions, Subscription) {
        let bus = options.events.clone();
        let bus = bus.unwrap_or_else(|| Bus::new(Arc::clone(self.apps.platform.engine().clock())));
        let events = bus.subscribe();
        let why = match options.why.is_empty() {
            true => kind.as_str().to_owned(),
            false => format!("{}: {}", kind.as_str(), options.why),
        };
        let apply = ApplyOptions {
            parallelism: options.parallelism,
            on_failure: options.on_failure,
            who: self.apps.actor.to_string(),
            why,
            events: Some(bus),
            operation: Some(operation.to_string().into()),
            run: Some(run),
            purchase: purchase.filter(|_| self.apps.platform.engine().has_seller()),
            ..ApplyOptions::default()
        };
        (apply, events)
    }

    /// Goes on with a change that was interrupted: what was under way is looked up in the world before anything is repeated.
    ///
    /// # Errors
    /// `installation.standing` where nothing was interrupted; `installation.busy` while somebody carries it out;
    /// `installation.denied`; those of [`Stack::resume`](crate::stack::Stack::resume).
    pub async fn resume(&self, options: &CarryOptions) -> Result<Operation> {
        self.permit(Verb::Recover, None, None).await?;
        let (operation, kind, run) = self.interrupted().await?;
        let (apply, events) = self.apply_options(operation, kind, run, options, None);
        let resumed = self.stack.resume(run, apply).await?;
        Ok(self.attend(operation, kind, resumed, events))
    }

    /// Gives a change up that was interrupted. What was under way may exist and be known to nobody: resume it if you can.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub async fn give_up(&self) -> Result<()> {
        self.permit(Verb::Recover, None, None).await?;
        let (operation, _, run) = self.interrupted().await?;
        self.stack.abandon(run).await?;
        self.note_end(operation, Outcome::Abandoned, Vec::new()).await
    }

    async fn interrupted(&self) -> Result<(OperationId, OperationKind, RunId)> {
        match self.settled().await {
            Ok(folded) => Err(problem::standing(&folded.view, "resumed: nothing was interrupted")),
            Err(error) if error.code() == "installation.interrupted" => {
                let folded = self.load().await?;
                let open = folded.in_question().ok_or(error)?;
                Ok((open.operation, open.kind, open.run))
            }
            Err(error) => Err(error),
        }
    }

    /// Waits for a run and writes its end down, whoever still listens.
    fn attend(&self, operation: OperationId, kind: OperationKind, run: Run, events: Subscription) -> Operation {
        let (id, canceller) = (run.id(), run.canceller());
        let installation = self.clone();
        let task = tokio::spawn(async move {
            let report = run.finish().await?;
            let outcome = match report.status {
                RunStatus::Failed if report.undone_count.is_some() => Some(Outcome::Undone),
                status => Outcome::of(status),
            };
            let Some(outcome) = outcome else {
                return Ok(OperationReport { operation, kind, outcome: Outcome::Interrupted, run: report });
            };
            let problems = report.problems.iter();
            let problems =
                problems.map(|problem| format!("{} {}", problem.error.code, problem.address).into()).collect();
            let registered = installation.register(kind, outcome).await;
            installation.note_end(operation, outcome, problems).await?;
            registered?;
            Ok(OperationReport { operation, kind, outcome, run: report })
        });
        Operation { id: operation, run: id, events, canceller, task }
    }

    /// Tells the gateway where the installation answers, once it is there.
    pub(super) async fn register(&self, kind: OperationKind, outcome: Outcome) -> Result<()> {
        let is_there = outcome == Outcome::Succeeded && kind != OperationKind::Uninstall;
        let Some(gateway) = self.apps.platform.inner.gateway.as_ref().filter(|_| is_there) else { return Ok(()) };
        let outputs = self.stack.outputs().await?;
        let Some(output) = outputs.get(ENDPOINT) else { return Ok(()) };
        let endpoint = Endpoint {
            tenant: Arc::clone(&self.key.tenant),
            installation: Arc::clone(&self.key.name),
            app_id: self.load().await?.view.app_id,
            value: output.value.clone(),
        };
        gateway.register(&endpoint).await
    }

    /// Lets nobody reach it any more before it goes.
    async fn withdraw(&self, kind: OperationKind) -> Result<()> {
        match &self.apps.platform.inner.gateway {
            Some(gateway) if kind == OperationKind::Uninstall => {
                gateway.withdraw(&self.key.tenant, &self.key.name).await
            }
            _ => Ok(()),
        }
    }
}

impl OperationReport {
    /// Returns whether it ended well.
    pub fn is_success(&self) -> bool {
        self.outcome == Outcome::Succeeded
    }
}

/// Returns what somebody has to be allowed to do for a change.
const fn verb(kind: OperationKind) -> Verb {
    match kind {
        OperationKind::Install => Verb::Install,
        OperationKind::Upgrade | OperationKind::Undo => Verb::Upgrade,
        OperationKind::Uninstall => Verb::Uninstall,
    }
}

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{QuoteOptions, Stack};
use crate::{
    error::{Effect, Error, ErrorKind, Result, Retry},
    order::{OrderCommand, OrderFact, OrderReport, OrderRequest, Seller, Till, same_things},
    plan::{Plan, StepAction, Tags},
    pricing::{Quote, Tolerance},
    resource::{CallInfo, Context},
    run::{Fact, call_info, guarded},
    state::{RunId, RunStatus},
};

/// What somebody accepted to pay for a plan.
///
/// The plan is quoted once more right before anything is ordered: what was accepted must still hold.
#[derive(Clone, Debug)]
pub struct Purchase {
    /// The quote that was accepted.
    pub accepted: Quote,
    /// How it was made; the plan is quoted so again.
    pub quoting: QuoteOptions,
    /// How much more than what was accepted may be asked, by the fresh quote and by the seller.
    pub tolerance: Tolerance,
}

impl Purchase {
    /// Returns the acceptance of a quote that was made so, of which nothing may be more.
    pub fn of(accepted: Quote, quoting: QuoteOptions) -> Self {
        Self { accepted, quoting, tolerance: Tolerance::NONE }
    }

    /// Says how much more may be asked.
    pub fn tolerating(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }
}

impl Stack {
    /// Returns how the orders of a run stand, as its journal says. Lines that paid for what the run removed are in one
    /// without a key, the last.
    ///
    /// # Errors
    /// `run.unknown` (`NotFound`); those of [`Store`](crate::state::Store).
    ///
    /// # Complexity
    /// O(plan and journal).
    pub async fn orders_of(&self, run: RunId) -> Result<Vec<OrderReport>> {
        Ok(self.till_of(run).await?.report())
    }

    async fn till_of(&self, run: RunId) -> Result<Till> {
        let mut till = Till::default();
        for entry in self.journal(run).await? {
            if let Fact::Order { fact } = &entry.fact {
                till.apply(fact)?;
            }
        }
        Ok(till)
    }

    /// Pays back what a run that has ended left unsettled: it was abandoned, or nobody could tell what became of an object
    /// that somebody has settled since. Orders that were not paid are taken back. Does nothing where nothing is owed, and may
    /// be repeated.
    ///
    /// Returns how the orders of the run stand then. The run's journal, which has ended, goes on saying how they stood.
    ///
    /// # Errors
    /// `run.unknown` (`NotFound`); `run.unfinished` (`Conflict`) while it can be resumed; `order.no_seller`; `lease.held`;
    /// what the seller says, and those of [`Store`](crate::state::Store).
    ///
    /// # Cancellation
    /// Dropping the future leaves some lines not paid back; a repeat goes on.
    pub async fn settle_orders(&self, run: RunId) -> Result<Vec<OrderReport>> {
        let lease = self.acquire("settle orders").await?;
        let result = self.pay_back(run).await;
        let released = self.store().release(&lease).await;
        let reports = result?;
        released.map(|()| reports)
    }

    async fn pay_back(&self, run: RunId) -> Result<Vec<OrderReport>> {
        if self.load_run(run).await?.status == RunStatus::Running {
            let message = format!("run {run} of `{}` never ended; resume or abandon it first", self.key);
            return Err(Error::new(ErrorKind::Conflict, "run.unfinished", message));
        }
        let mut till = self.till_of(run).await?;
        if till.is_empty() {
            return Ok(Vec::new());
        }
        let Some(seller) = self.engine.inner.seller.clone() else { return Err(no_seller()) };
        let rows = self.rows(&self.sealer()).await?;
        till.resume();
        till.close(rows.into_iter().flat_map(|row| row.order_lines).collect());
        loop {
            for fact in till.intents() {
                till.apply(&fact)?;
            }
            let commands = till.commands();
            if commands.is_empty() {
                return Ok(till.report());
            }
            for command in commands {
                for fact in self.deal(&*seller, &mut till, command).await? {
                    till.apply(&fact)?;
                }
            }
        }
    }

    async fn deal(&self, seller: &dyn Seller, till: &mut Till, command: OrderCommand) -> Result<Vec<OrderFact>> {
        let inner = &self.engine.inner;
        let limit = seller.traits().call_timeout;
        let info = CallInfo {
            deadline: Some(inner.clock.now().plus(limit)),
            ..call_info(&self.key, &self.locked_tags(&Tags::new()), None)
        };
        let ctx = Context::new(info, Arc::clone(&inner.clock), CancellationToken::new());
        match command {
            OrderCommand::Find(key) => {
                let found = guarded(&inner.clock, limit, seller.find(&ctx, &key)).await?;
                till.heard(&key, found.as_ref())
            }
            OrderCommand::Cancel(order) => {
                let found = guarded(&inner.clock, limit, seller.cancel(&ctx, &order)).await?;
                till.heard(&order.key, Some(&found))
            }
            OrderCommand::Refund(refund) => {
                let answer = guarded(&inner.clock, limit, seller.refund(&ctx, &refund)).await;
                match answer {
                    Err(error) if error.retry_advice() != Retry::No || error.effect_on_world() != Effect::None => {
                        Err(error)
                    }
                    answer => Ok(vec![Till::refunded(&refund.line, answer)]),
                }
            }
            OrderCommand::Place(_) | OrderCommand::Pay(_) | OrderCommand::Watch { .. } => {
                Err(Error::bug("a till that is closed buys something"))
            }
        }
    }

    /// Refuses a plan that costs money nobody agreed to pay.
    pub(super) async fn check_purchase(&self, plan: &Plan, purchase: Option<&Purchase>) -> Result<()> {
        let Some(purchase) = purchase else { return self.refuse_unaccepted(plan) };
        if self.engine.inner.seller.is_none() {
            return Err(no_seller());
        }
        let fresh = self.quote(plan, purchase.quoting.clone()).await?;
        same_things(&purchase.accepted, &fresh)?;
        purchase.accepted.still_holds(&fresh, self.engine.inner.clock.now(), purchase.tolerance)
    }

    fn refuse_unaccepted(&self, plan: &Plan) -> Result<()> {
        if self.engine.inner.seller.is_none() {
            return Ok(());
        }
        let registry = self.engine.registry();
        let changes = plan.steps.iter().filter(|step| matches!(step.action, StepAction::Create | StepAction::Update));
        let costs = |type_name: &str| registry.resource(type_name).is_none_or(|resource| !resource.traits().free);
        let mut paid = changes.filter(|step| plan.change(step.change).is_some_and(|change| costs(&change.type_name)));
        match paid.next() {
            None => Ok(()),
            Some(step) => {
                let message = format!(
                    "`{}` may cost money and nobody accepted a quote; quote the plan and apply it with the purchase",
                    step.address
                );
                Err(Error::new(ErrorKind::InvalidInput, "order.not_accepted", message))
            }
        }
    }

    /// Returns what is ordered for a plan.
    pub(super) fn orders(&self, plan: &Plan, purchase: Option<&Purchase>, run: RunId) -> Result<Vec<OrderRequest>> {
        let Some(purchase) = purchase else { return Ok(Vec::new()) };
        let registry = self.engine.registry();
        let is_apart = |name: &str| registry.resource(name).is_some_and(|resource| resource.traits().ordered_apart);
        OrderRequest::of(plan, &purchase.accepted, run, purchase.tolerance, is_apart)
    }
}

fn no_seller() -> Error {
    let message = "there are orders to deal with, and nobody takes orders; give the engine its seller";
    Error::new(ErrorKind::InvalidInput, "order.no_seller", message)
}

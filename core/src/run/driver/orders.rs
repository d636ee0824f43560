use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    dispatcher::Dispatcher,
    task::{Shared, Word, backoff},
    writer::Write,
};
use crate::{
    error::{Effect, Error, ErrorKind, Result, Retry},
    event::Event,
    order::{Gate, Order, OrderCommand, OrderFact, Purpose, Refund, RefundRequest, Refusal, Seller, Till},
    plan::{Step, StepAction, StepId},
    pricing::Money,
    resource::{CallInfo, Context},
    run::{Command, Fact, StepError, StepProblem, bounds::Bounds},
    state::{Row, RunStatus},
};

/// What a run has to do with money.
#[derive(Debug, Default)]
pub(super) struct Counter {
    pub(super) till: Till,
    pub(super) seller: Option<Arc<dyn Seller>>,
    /// Starts that wait until what they need is paid and delivered.
    parked: Vec<StepId>,
    /// How the run ends once nothing is owed any more.
    pub(super) ending: Option<RunStatus>,
}

/// What a task that asked the seller tells the dispatcher.
#[derive(Debug)]
pub(super) enum Answer {
    /// How an order stands; `None` where the seller does not know it.
    Order { key: Arc<str>, found: Option<Order> },
    /// The seller refused what it was asked about an order.
    Refused { key: Arc<str>, error: Error },
    /// The lines of an order are not waited for any longer.
    Overdue { key: Arc<str> },
    /// What came of paying a line back.
    Refunded { line: Arc<str>, answer: Result<Refund> },
    /// The seller could not be asked for too long; the run pauses.
    Stuck(Error),
    /// Nobody waits for an answer any more.
    Dropped,
}

impl Counter {
    pub(super) fn new(till: Till, seller: Option<Arc<dyn Seller>>) -> Self {
        Self { till, seller, ..Self::default() }
    }

    /// Gives all starts back: none is made any more.
    pub(super) fn withdraw(&mut self, machine: &mut crate::run::Machine) {
        self.parked.drain(..).for_each(|step| machine.withdraw(step));
    }
}

/// Returns what a step does that may have to be paid.
fn purpose(action: StepAction) -> Option<Purpose> {
    match action {
        StepAction::Create => Some(Purpose::Create),
        StepAction::Update => Some(Purpose::Change),
        _ => None,
    }
}

impl Dispatcher {
    /// Returns whether a step may start, as far as money goes; otherwise it is started once it may.
    ///
    /// # Errors
    /// Why it never may, in the inner result.
    pub(super) fn may_be_paid(&mut self, step: &Step) -> Result<Result<bool, StepError>> {
        if self.counter.till.is_empty() || self.machine.is_undoing() {
            return Ok(Ok(true));
        }
        match self.gate(step) {
            Gate::Open => return Ok(Ok(true)),
            Gate::Never(refusal) => return Ok(Err(StepError::from(&refusal.to_error()))),
            Gate::Shut => {}
            Gate::Order(key) => self.book(vec![OrderFact::Placing { key }])?,
        }
        self.counter.parked.push(step.id);
        Ok(Ok(false))
    }

    fn gate(&self, step: &Step) -> Gate {
        self.counter.till.gate(step.object_id, purpose(step.action))
    }

    /// Returns the line that pays for a step.
    pub(super) fn order_line(&self, step: &Step) -> Option<String> {
        let known = step.object_id.and_then(|object_id| self.ledger.get(object_id));
        let lines = self.order_lines(step, known);
        let line = match step.action {
            StepAction::Update => lines.last(),
            _ => lines.first(),
        };
        line.map(ToString::to_string)
    }

    /// Returns the lines that have paid for a step's object once the step is done.
    pub(super) fn order_lines(&self, step: &Step, known: Option<&Row>) -> Vec<Arc<str>> {
        // What is undone is paid for by what it was paid for before.
        if let Some(before) = self.finalizer.paid_with(step) {
            return before;
        }
        let mut lines = known.map(|row| row.order_lines.clone()).unwrap_or_default();
        let bought = step.object_id.zip(purpose(step.action)).filter(|_| !self.machine.is_undoing());
        let bought = bought.and_then(|(object_id, purpose)| self.counter.till.line_of(object_id, purpose));
        if let Some(line) = bought.filter(|line| !lines.contains(line)) {
            lines.push(line);
        }
        lines
    }

    /// Begins what is to be done about orders now.
    pub(super) fn trade(&mut self) -> Result<()> {
        if self.counter.till.is_empty() {
            return Ok(());
        }
        loop {
            let intents = self.counter.till.intents();
            if intents.is_empty() {
                break;
            }
            self.book(intents)?;
        }
        for command in self.counter.till.commands() {
            self.deal(command)?;
        }
        Ok(())
    }

    /// Has a command carried out, once everything that is recorded so far is durable.
    fn deal(&mut self, command: OrderCommand) -> Result<()> {
        let Some(seller) = self.counter.seller.clone() else {
            return Err(Error::bug("a run has orders, and nobody to place them with"));
        };
        let durable = match command {
            OrderCommand::Find(_) | OrderCommand::Watch { .. } => None,
            _ => {
                let (ack, durable) = oneshot::channel();
                self.record(Write { ack: Some(ack), ..Write::default() })?;
                Some(durable)
            }
        };
        let stack = &self.plan.stack;
        let info = CallInfo {
            stack: stack.to_string().into(),
            tenant: Arc::clone(&stack.tenant),
            attempt: 1,
            tags: self.options.tags.clone(),
            operation: self.options.operation.clone(),
            ..CallInfo::default()
        };
        let errand = Errand { shared: Arc::clone(&self.shared), seller, info, is_told: false };
        self.task_count += 1;
        tokio::spawn(errand.run(command, durable));
        Ok(())
    }

    /// Takes what a seller said.
    pub(super) fn answered(&mut self, answer: Answer) -> Result<()> {
        self.task_count -= 1;
        let till = &mut self.counter.till;
        let facts = match answer {
            Answer::Order { key, found } => till.heard(&key, found.as_ref())?,
            Answer::Refused { key, error } => till.refused(&key, error)?,
            Answer::Overdue { key } => till.overdue(&key),
            Answer::Refunded { line, answer } => vec![Till::refunded(&line, answer)],
            Answer::Stuck(error) => return Err(error),
            Answer::Dropped => return Ok(()),
        };
        self.book(facts)
    }

    /// Records facts about orders, and lets steps start that waited for them.
    fn book(&mut self, facts: Vec<OrderFact>) -> Result<()> {
        if facts.is_empty() {
            return Ok(());
        }
        let mut events = Vec::new();
        for fact in &facts {
            self.counter.till.apply(fact)?;
            events.extend(self.counter.told(fact));
            self.problems.extend(trouble(&self.counter.till, fact));
        }
        let facts = facts.into_iter().map(|fact| Fact::Order { fact }).collect();
        self.record(Write { facts, events, ..Write::default() })?;
        let plan = Arc::clone(&self.plan);
        let (parked, free): (Vec<_>, Vec<_>) = std::mem::take(&mut self.counter.parked)
            .into_iter()
            .partition(|id| plan.step(*id).is_some_and(|step| self.gate(step) == Gate::Shut));
        self.counter.parked = parked;
        free.into_iter().for_each(|step| self.loans.again(Command::Start(step)));
        Ok(())
    }

    /// Returns whether nothing is owed, so that the run may end; begins to pay back what nobody uses.
    pub(super) fn is_paid_up(&mut self, status: RunStatus) -> Result<bool> {
        if self.counter.till.is_empty() {
            return Ok(true);
        }
        if self.counter.ending.is_none() {
            self.counter.ending = Some(status);
            self.close_till();
            self.trade()?;
        }
        Ok(self.counter.till.is_settled())
    }

    /// Returns whether nothing is owed, of a run that does not wait for anything any more.
    pub(super) fn would_be_paid_up(&mut self) -> bool {
        if self.counter.till.is_empty() {
            return true;
        }
        if self.counter.ending.is_none() {
            self.close_till();
        }
        self.counter.till.is_settled()
    }

    fn close_till(&mut self) {
        let rows = self.ledger.rows().values();
        let kept: BTreeSet<Arc<str>> = rows.flat_map(|row| row.order_lines.iter().cloned()).collect();
        self.counter.till.close(kept);
    }
}

impl Counter {
    /// Returns what observers are told of a fact.
    fn told(&self, fact: &OrderFact) -> Option<Event> {
        let order = |key: &Arc<str>| key.to_string();
        let address = |line: &Arc<str>| self.till.address_of(line).unwrap_or_default().to_string();
        Some(match fact {
            OrderFact::Placed { key, id, due, lines } => Event::OrderPlaced {
                order: order(key),
                id: id.to_string(),
                line_count: lines.len() as u64,
                due: texts(due),
            },
            OrderFact::Paid { key } => Event::OrderPaid { order: order(key) },
            OrderFact::Cancelled { key } => Event::OrderCancelled { order: order(key) },
            OrderFact::Delivered { line } => Event::OrderDelivered { address: address(line), line: line.to_string() },
            OrderFact::Refunded { line, amount } => {
                Event::OrderRefunded { address: address(line), line: line.to_string(), amount: texts(amount) }
            }
            _ => return None,
        })
    }
}

fn texts(amounts: &[Money]) -> Vec<String> {
    amounts.iter().map(ToString::to_string).collect()
}

/// Returns what went wrong with an order and belongs to no step.
pub(super) fn trouble(till: &Till, fact: &OrderFact) -> Option<StepProblem> {
    let OrderFact::RefundRefused { line, refusal: Refusal { kind, code, message } } = fact else { return None };
    let message = format!("the order line `{line}` was not paid back: {message}");
    let error = Error::new(*kind, "order.refund_refused", message).context("cause", code);
    let address = till.address_of(line).unwrap_or_default().to_string();
    Some(StepProblem { step: None, address, error: (&error).into() })
}

/// A question to the seller on its way; says how it ended whatever happens.
struct Errand {
    shared: Arc<Shared>,
    seller: Arc<dyn Seller>,
    info: CallInfo,
    is_told: bool,
}

impl Drop for Errand {
    fn drop(&mut self) {
        if !self.is_told {
            self.tell(Answer::Dropped);
        }
    }
}

impl Errand {
    fn tell(&mut self, answer: Answer) {
        self.is_told = true;
        // The dispatcher is gone when nobody listens; resuming the run settles it.
        let _ = self.shared.inbox.send(Word::Sold(answer));
    }

    async fn run(mut self, command: OrderCommand, durable: Option<oneshot::Receiver<()>>) {
        if let Some(durable) = durable
            && durable.await.is_err()
        {
            return;
        }
        let answer = self.carry_out(command).await;
        self.tell(answer);
    }

    async fn carry_out(&self, command: OrderCommand) -> Answer {
        let (key, answer) = match command {
            OrderCommand::Place(request) => {
                let answer = self.ask(|seller, ctx| {
                    let request = Arc::clone(&request);
                    async move { seller.place(&ctx, &request).await.map(Some) }
                });
                (Arc::clone(&request.key), answer.await)
            }
            OrderCommand::Find(key) => (Arc::clone(&key), self.find(&key).await),
            OrderCommand::Pay(order) => {
                let answer = self.ask(|seller, ctx| {
                    let order = order.clone();
                    async move { seller.pay(&ctx, &order).await.map(Some) }
                });
                (Arc::clone(&order.key), answer.await)
            }
            OrderCommand::Cancel(order) => {
                let answer = self.ask(|seller, ctx| {
                    let order = order.clone();
                    async move { seller.cancel(&ctx, &order).await.map(Some) }
                });
                (Arc::clone(&order.key), answer.await)
            }
            OrderCommand::Watch { key, pending } => match self.watch(&key, pending).await {
                Ok(None) => return Answer::Overdue { key },
                answer => (key, answer),
            },
            OrderCommand::Refund(refund) => return self.refund(refund).await,
        };
        match answer {
            Ok(found) => Answer::Order { key, found },
            Err(Failure::Refused(error)) => Answer::Refused { key, error },
            Err(Failure::Stuck(error)) => Answer::Stuck(error),
            Err(Failure::Dropped) => Answer::Dropped,
        }
    }

    async fn find(&self, key: &Arc<str>) -> Result<Option<Order>, Failure> {
        self.ask(|seller, ctx| {
            let key = Arc::clone(key);
            async move { seller.find(&ctx, &key).await }
        })
        .await
    }

    /// Looks at a paid order until less of it is pending than was; `None` when that takes too long.
    async fn watch(&self, key: &Arc<str>, pending: usize) -> Result<Option<Order>, Failure> {
        let traits = self.seller.traits();
        let begun = self.shared.clock.monotonic();
        let mut lost: u32 = 0;
        loop {
            let found = self.find(key).await?;
            let is_pending = |line: &&crate::order::Delivery| line.status == crate::order::DeliveryStatus::Pending;
            match found {
                Some(order) if order.lines.iter().filter(is_pending).count() < pending => return Ok(Some(order)),
                Some(order) if order.status != crate::order::OrderStatus::Paid => return Ok(Some(order)),
                Some(_) => lost = 0,
                None => lost += 1,
            }
            let waited = self.shared.clock.monotonic().saturating_sub(begun);
            if lost > 0 && waited >= traits.patience {
                let message = format!("the seller does not know the paid order `{key}` any more");
                return Err(Failure::Stuck(Error::new(ErrorKind::Unavailable, "order.broken", message)));
            }
            if lost == 0 && waited >= traits.delivery_timeout {
                return Ok(None);
            }
            self.pause(traits.poll_interval).await?;
        }
    }

    async fn refund(&self, refund: RefundRequest) -> Answer {
        let line = Arc::clone(&refund.line);
        let answer = self.ask(|seller, ctx| {
            let refund = refund.clone();
            async move { seller.refund(&ctx, &refund).await }
        });
        match answer.await {
            Ok(answer) => Answer::Refunded { line, answer: Ok(answer) },
            Err(Failure::Refused(error)) => Answer::Refunded { line, answer: Err(error) },
            Err(Failure::Stuck(error)) => Answer::Stuck(error),
            Err(Failure::Dropped) => Answer::Dropped,
        }
    }

    /// Asks the seller, again and again while that may help.
    async fn ask<T, F, C>(&self, call: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        C: Future<Output = Result<T>> + Send + 'static,
        F: Fn(Arc<dyn Seller>, Context) -> C,
    {
        let traits = self.seller.traits();
        let patience = self.shared.clock.monotonic() + traits.patience;
        let mut tries = 0;
        loop {
            if self.shared.hurry.is_cancelled() || !self.shared.guard.ensure().await {
                return Err(Failure::Dropped);
            }
            let bounds = Bounds {
                clock: Arc::clone(&self.shared.clock),
                limit: traits.call_timeout,
                grace: self.shared.grace,
                token: CancellationToken::new(),
                hurry: self.shared.hurry.clone(),
            };
            let deadline = Some(self.shared.clock.now().plus(traits.call_timeout));
            let info = CallInfo { deadline, attempt: tries + 1, ..self.info.clone() };
            let ctx = Context::new(info, Arc::clone(&self.shared.clock), bounds.token.clone());
            let answer = bounds.run(call(Arc::clone(&self.seller), ctx)).await;
            let error = match answer.and_then(|answer| answer) {
                Ok(answer) => return Ok(answer),
                Err(_) if self.shared.hurry.is_cancelled() => return Err(Failure::Dropped),
                Err(error) => error,
            };
            if error.retry_advice() == Retry::No && error.effect_on_world() == Effect::None {
                return Err(Failure::Refused(error));
            }
            if self.shared.clock.monotonic() >= patience {
                let message = format!("the seller does not answer; resume the run: {}", error.message());
                let error = Error::new(ErrorKind::Unavailable, "order.unavailable", message).because(error);
                return Err(Failure::Stuck(error));
            }
            tries += 1;
            self.pause(match error.retry_advice() {
                Retry::After(least) => least,
                _ => backoff(tries),
            })
            .await?;
        }
    }

    async fn pause(&self, pause: Duration) -> Result<(), Failure> {
        tokio::select! {
            biased;
            () = self.shared.hurry.cancelled() => Err(Failure::Dropped),
            () = self.shared.clock.sleep(pause) => Ok(()),
        }
    }
}

/// Why the seller did not do what it was asked.
enum Failure {
    /// It said no, and did nothing.
    Refused(Error),
    /// It did not answer for too long.
    Stuck(Error),
    /// Nobody waits any more.
    Dropped,
}

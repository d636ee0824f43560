use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use super::{
    DeliveryStatus, HeldLine, Order, OrderFact, OrderRequest, OrderStatus, Purpose, Refund, RefundReason,
    RefundRequest, Refusal,
};
use crate::{
    error::{Error, ErrorKind, Result},
    pricing::Money,
    state::ObjectId,
};

/// How far an order is, as the journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderStage {
    /// Its time has not come.
    Wanted,
    /// It is being placed, or was when the journal ends.
    Placing,
    /// It is placed and not paid.
    Placed,
    /// It is being paid, or was when the journal ends.
    Paying,
    /// It is paid.
    Paid,
    /// It is being taken back.
    Cancelling,
    /// It was taken back, or never placed.
    Cancelled,
    /// It could not be placed or paid.
    Refused(Refusal),
}

impl OrderStage {
    /// Returns the name used in messages.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Placing => "placing",
            Self::Placed => "placed",
            Self::Paying => "paying",
            Self::Paid => "paid",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Refused(_) => "refused",
        }
    }
}

/// What the driver must do next about orders. Commands are never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderCommand {
    /// Place the order.
    Place(Arc<OrderRequest>),
    /// Find out what became of the order with this key: an earlier process placed or paid it, perhaps.
    Find(Arc<str>),
    /// Pay the order.
    Pay(Order),
    /// Look at a paid order again, after a while.
    Watch {
        /// Its key.
        key: Arc<str>,
        /// How many of its lines are neither delivered nor failed, as far as is known.
        pending: usize,
    },
    /// Take the order back.
    Cancel(Order),
    /// Pay a line back.
    Refund(RefundRequest),
}

/// Whether a step may start, as far as money goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Open,
    /// Not yet.
    Shut,
    /// Not yet: the order with this key has to be placed for it.
    Order(Arc<str>),
    /// Never: what it needs is not to be had.
    Never(Refusal),
}

/// How an order of a run stands, for people and reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderReport {
    /// The key that it was placed with.
    pub key: Arc<str>,
    /// What the seller calls it; `None` where it was not placed.
    pub id: Option<Arc<str>>,
    /// How far it is.
    pub stage: OrderStage,
    /// What was paid, or is to be.
    pub due: Vec<Money>,
    /// Its lines.
    pub lines: Vec<LineReport>,
}

/// How a line of an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineReport {
    /// What the seller calls it; `None` where it was not placed.
    pub id: Option<Arc<str>>,
    /// The object.
    pub object_id: ObjectId,
    /// Where it stands.
    pub address: Arc<str>,
    /// Whether it was delivered.
    pub is_delivered: bool,
    /// What came back; `None` where it was not paid back.
    pub refunded: Option<Vec<Money>>,
    /// Why it should have been paid back and was not.
    pub refund_refused: Option<Refusal>,
}

#[derive(Clone, Debug)]
enum DeliveryState {
    Pending,
    Delivered,
    Failed(Arc<str>),
}

#[derive(Clone, Debug)]
struct LineState {
    id: Option<Arc<str>>,
    delivery: DeliveryState,
}

#[derive(Clone, Debug)]
struct OrderState {
    request: Arc<OrderRequest>,
    stage: OrderStage,
    id: Option<Arc<str>>,
    due: Vec<Money>,
    lines: Vec<LineState>,
    /// Why it is being taken back.
    reason: Option<Refusal>,
    /// Whether a command about it is being carried out.
    issued: bool,
    /// Whether an earlier process may have done what is to be done next.
    must_find: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum RefundState {
    Running(RefundRequest),
    Done(Vec<Money>),
    Refused(Refusal),
}

/// How many lines are paid back at once.
const REFUNDS_AT_ONCE: usize = 16;

/// The orders of a run as a pure state machine: facts in, commands out. No clock, no I/O.
///
/// # Complexity
/// O(lines of the order) for what is heard of an order; O(log n) for everything about one line; O(1) for a gate.
#[derive(Clone, Debug, Default)]
pub struct Till {
    /// The order of all lines comes first, where there is one.
    orders: Vec<OrderState>,
    held: Vec<HeldLine>,
    by_key: HashMap<Arc<str>, usize>,
    /// Where the line of an object is.
    places: HashMap<(ObjectId, Purpose), (usize, usize)>,
    /// Where a line is that the seller calls so.
    by_id: HashMap<Arc<str>, (usize, usize)>,
    /// Orders about which something may be to be done.
    stirred: BTreeSet<usize>,
    refunds: BTreeMap<Arc<str>, RefundState>,
    /// How many of them are under way.
    refunding: usize,
    /// Those that nobody carries out yet.
    begun: Vec<RefundRequest>,
    /// Refunds that are owed and not begun.
    owed: VecDeque<RefundRequest>,
    /// Whether nothing more is bought.
    is_stopped: bool,
    /// The lines that rows name, once nothing is made any more.
    kept: Option<BTreeSet<Arc<str>>>,
}

impl Till {
    /// Takes in what happened.
    ///
    /// # Errors
    /// `run.illegal_fact`: the fact cannot follow those before it; nothing has changed then.
    pub fn apply(&mut self, fact: &OrderFact) -> Result<()> {
        match fact {
            OrderFact::Accepted { orders, held } => self.accept(fact, orders, held),
            OrderFact::Placing { key } => {
                self.step(fact, key, &[OrderStage::Wanted], |order| order.stage = OrderStage::Placing)
            }
            OrderFact::Placed { key, id, due, lines } => {
                self.step(fact, key, &[OrderStage::Placing], |order| {
                    order.stage = OrderStage::Placed;
                    order.id = Some(Arc::clone(id));
                    order.due.clone_from(due);
                    for (line, asked) in order.lines.iter_mut().zip(&order.request.lines) {
                        line.id = lines.get(&asked.key).cloned();
                    }
                })?;
                let order = self.by_key.get(key).copied().unwrap_or_default();
                let ids = self.orders.get(order).into_iter().flat_map(|order| &order.lines);
                let ids = ids.enumerate().filter_map(|(line, state)| Some((state.id.clone()?, (order, line))));
                self.by_id.extend(ids);
                Ok(())
            }
            OrderFact::Paying { key } => {
                self.step(fact, key, &[OrderStage::Placed], |order| order.stage = OrderStage::Paying)
            }
            OrderFact::Paid { key } => {
                self.step(fact, key, &[OrderStage::Paying, OrderStage::Cancelling], |order| {
                    order.stage = OrderStage::Paid;
                })?;
                // Nobody wanted it any more, or too much was asked for.
                if let Some(order) = self.by_key.get(key).copied().filter(|_| self.is_closed()) {
                    self.owe(order);
                }
                Ok(())
            }
            OrderFact::Refused { key, refusal } => self.step(fact, key, &[OrderStage::Placing], |order| {
                order.stage = OrderStage::Refused(refusal.clone());
            }),
            OrderFact::Cancelling { key, refusal } => {
                self.step(fact, key, &[OrderStage::Placed, OrderStage::Paying], |order| {
                    order.stage = OrderStage::Cancelling;
                    order.reason.clone_from(refusal);
                })
            }
            OrderFact::Cancelled { key } => {
                self.step(fact, key, &[OrderStage::Placing, OrderStage::Cancelling], |order| {
                    order.stage = order.reason.clone().map_or(OrderStage::Cancelled, OrderStage::Refused);
                })
            }
            OrderFact::Delivered { line } => self.deliver(fact, line, DeliveryState::Delivered),
            OrderFact::Undelivered { line, reason } => {
                self.deliver(fact, line, DeliveryState::Failed(Arc::clone(reason)))
            }
            OrderFact::Refunding { refund } => {
                if self.refunds.contains_key(&refund.line) || !self.is_paid(&refund.line) {
                    return Err(illegal(fact, "only a paid line is paid back, and only once"));
                }
                let request = refund.clone();
                self.refunds.insert(Arc::clone(&refund.line), RefundState::Running(request.clone()));
                self.begun.push(request);
                self.refunding += 1;
                Ok(())
            }
            OrderFact::Refunded { line, amount } => self.end_refund(fact, line, RefundState::Done(amount.clone())),
            OrderFact::RefundRefused { line, refusal } => {
                self.end_refund(fact, line, RefundState::Refused(refusal.clone()))
            }
        }
    }

    fn accept(&mut self, fact: &OrderFact, orders: &[OrderRequest], held: &[HeldLine]) -> Result<()> {
        if !self.orders.is_empty() || !self.held.is_empty() {
            return Err(illegal(fact, "a run accepts once"));
        }
        for (idx, request) in orders.iter().enumerate() {
            for (line_idx, line) in request.lines.iter().enumerate() {
                self.places.insert((line.object_id, line.purpose), (idx, line_idx));
            }
            self.by_key.insert(Arc::clone(&request.key), idx);
            self.stirred.insert(idx);
            let line = LineState { id: None, delivery: DeliveryState::Pending };
            self.orders.push(OrderState {
                lines: vec![line; request.lines.len()],
                due: request.due.clone(),
                request: Arc::new(request.clone()),
                stage: OrderStage::Wanted,
                id: None,
                reason: None,
                issued: false,
                must_find: false,
            });
        }
        self.held = held.to_vec();
        self.held.sort_unstable_by(|one, other| one.line.cmp(&other.line));
        Ok(())
    }

    fn step(
        &mut self,
        fact: &OrderFact,
        key: &Arc<str>,
        from: &[OrderStage],
        change: impl FnOnce(&mut OrderState),
    ) -> Result<()> {
        let idx = self.by_key.get(key).copied();
        let order = idx.and_then(|idx| self.orders.get_mut(idx));
        let Some(order) = order else { return Err(illegal(fact, "there is no such order")) };
        if !from.contains(&order.stage) {
            return Err(illegal(fact, order.stage.as_str()));
        }
        change(order);
        self.stirred.extend(idx);
        Ok(())
    }

    fn deliver(&mut self, fact: &OrderFact, id: &Arc<str>, delivery: DeliveryState) -> Result<()> {
        let place = self.by_id.get(id).copied();
        let order = place.and_then(|(order, _)| self.orders.get_mut(order));
        let order = order.filter(|order| order.stage == OrderStage::Paid);
        match order.zip(place).and_then(|(order, (_, line))| order.lines.get_mut(line)) {
            Some(line) if matches!(line.delivery, DeliveryState::Pending) => {
                line.delivery = delivery;
                Ok(())
            }
            _ => Err(illegal(fact, "only what is paid is delivered, and only once")),
        }
    }

    fn end_refund(&mut self, fact: &OrderFact, line: &Arc<str>, end: RefundState) -> Result<()> {
        match self.refunds.get_mut(line) {
            Some(state @ RefundState::Running(_)) => {
                *state = end;
                self.refunding -= 1;
                Ok(())
            }
            _ => Err(illegal(fact, "only what is being paid back is paid back")),
        }
    }

    /// Returns whether money was paid for a line that is this run's to pay back.
    fn is_paid(&self, id: &Arc<str>) -> bool {
        let bought = self.by_id.get(id).and_then(|(order, _)| self.orders.get(*order));
        let is_held = || self.held.binary_search_by(|held| held.line.cmp(id)).is_ok();
        bought.is_some_and(|order| order.stage == OrderStage::Paid) || is_held()
    }

    /// Notes that another process took the run up: nobody carries a command out, and what was begun has to be looked for.
    pub fn resume(&mut self) {
        self.stirred = (0..self.orders.len()).collect();
        for order in &mut self.orders {
            order.issued = false;
            order.must_find = matches!(order.stage, OrderStage::Placing | OrderStage::Paying | OrderStage::Cancelling);
        }
        let running = self.refunds.values().filter_map(|refund| match refund {
            RefundState::Running(request) => Some(request.clone()),
            _ => None,
        });
        self.begun = running.collect();
    }

    /// Says that nothing more is bought: the run stops, or undoes what it did. What is placed and not paid is taken back.
    pub fn stop(&mut self) {
        if !std::mem::replace(&mut self.is_stopped, true) {
            self.stirred = (0..self.orders.len()).collect();
        }
    }

    /// Says that nothing is made any more, and which lines rows name: all others are to be paid back.
    pub fn close(&mut self, kept: BTreeSet<Arc<str>>) {
        self.stop();
        self.kept = Some(kept);
        self.owed.clear();
        for order in 0..self.orders.len() {
            self.owe(order);
        }
        let held: Vec<_> = self
            .held
            .iter()
            .filter(|held| self.is_owed(&held.line))
            .map(|held| request(&held.line, held.object_id, &held.address, RefundReason::Removed))
            .collect();
        self.owed.extend(held);
    }

    /// Notes what is to be paid back of an order: paid lines that no row names.
    fn owe(&mut self, order: usize) {
        let Some(order) = self.orders.get(order).filter(|order| order.stage == OrderStage::Paid) else { return };
        let mut owed = Vec::new();
        for (state, asked) in order.lines.iter().zip(&order.request.lines) {
            let Some(line) = state.id.as_ref().filter(|line| self.is_owed(line)) else { continue };
            let reason = match state.delivery {
                DeliveryState::Delivered => RefundReason::Unused,
                _ => RefundReason::Undelivered,
            };
            owed.push(request(line, asked.object_id, &asked.address, reason));
        }
        self.owed.extend(owed);
    }

    fn is_owed(&self, line: &Arc<str>) -> bool {
        self.kept.as_ref().is_some_and(|kept| !kept.contains(line)) && !self.refunds.contains_key(line)
    }

    /// Returns whether nothing is made any more.
    pub fn is_closed(&self) -> bool {
        self.kept.is_some()
    }

    /// Returns whether no order is half placed or half paid, and nothing is owed.
    pub fn is_settled(&self) -> bool {
        let is_open = |order: &OrderState| {
            matches!(
                order.stage,
                OrderStage::Placing | OrderStage::Placed | OrderStage::Paying | OrderStage::Cancelling
            )
        };
        self.refunding == 0 && self.owed.is_empty() && !self.orders.iter().any(is_open)
    }

    /// Returns the facts that come before the next calls: what is about to be done, and is not yet said to be.
    ///
    /// Whoever drives appends them, makes them durable, and asks for [`commands`](Self::commands).
    pub fn intents(&mut self) -> Vec<OrderFact> {
        let mut facts = Vec::new();
        let stirred = self.stirred.iter().filter_map(|idx| self.orders.get(*idx));
        for order in stirred.filter(|order| !order.issued) {
            let key = Arc::clone(&order.request.key);
            match order.stage {
                OrderStage::Wanted if !order.request.apart && !self.is_stopped => {
                    facts.push(OrderFact::Placing { key });
                }
                OrderStage::Placed if self.is_stopped => facts.push(OrderFact::Cancelling { key, refusal: None }),
                OrderStage::Placed => match order.request.too_much(&order.due) {
                    None => facts.push(OrderFact::Paying { key }),
                    Some(message) => {
                        let error = Error::new(ErrorKind::Conflict, "pricing.changed", message);
                        facts.push(OrderFact::Cancelling { key, refusal: Some((&error).into()) });
                    }
                },
                _ => {}
            }
        }
        let room = REFUNDS_AT_ONCE.saturating_sub(self.refunding).min(self.owed.len());
        facts.extend(self.owed.drain(..room).map(|refund| OrderFact::Refunding { refund }));
        facts
    }

    /// Returns what is to be done now; each command is handed out once, until it is answered or given up.
    pub fn commands(&mut self) -> Vec<OrderCommand> {
        let mut commands = Vec::new();
        for idx in std::mem::take(&mut self.stirred) {
            let Some(order) = self.orders.get_mut(idx).filter(|order| !order.issued) else { continue };
            let key = || Arc::clone(&order.request.key);
            let command = match order.stage {
                OrderStage::Placing | OrderStage::Paying | OrderStage::Cancelling if order.must_find => {
                    OrderCommand::Find(key())
                }
                OrderStage::Placing => OrderCommand::Place(Arc::clone(&order.request)),
                OrderStage::Paying => OrderCommand::Pay(order.as_known(OrderStatus::Unpaid)),
                OrderStage::Cancelling => OrderCommand::Cancel(order.as_known(OrderStatus::Unpaid)),
                OrderStage::Paid if !self.is_stopped && order.pending() > 0 => {
                    OrderCommand::Watch { key: key(), pending: order.pending() }
                }
                _ => continue,
            };
            order.issued = true;
            commands.push(command);
        }
        commands.extend(self.begun.drain(..).map(OrderCommand::Refund));
        commands
    }

    /// Takes that the command about an order is not carried out any more.
    fn answered(&mut self, key: &str) -> Result<&mut OrderState> {
        let idx = self.by_key.get(key).copied();
        let Some((idx, order)) = idx.and_then(|idx| Some((idx, self.orders.get_mut(idx)?))) else {
            return Err(Error::bug("a seller was asked about an order that is not the run's"));
        };
        order.issued = false;
        self.stirred.insert(idx);
        Ok(order)
    }

    /// Returns what follows from how the seller says that an order stands; `None` where the seller knows no such order.
    ///
    /// The command that asked is answered then.
    ///
    /// # Errors
    /// `order.broken` where what the seller says cannot be.
    pub fn heard(&mut self, key: &Arc<str>, found: Option<&Order>) -> Result<Vec<OrderFact>> {
        let is_stopped = self.is_stopped;
        let order = self.answered(key)?;
        let was_looked_for = std::mem::take(&mut order.must_find);
        let mut facts = Vec::new();
        let Some(found) = found else {
            return match order.stage {
                // It was never placed, and nobody wants it any more.
                OrderStage::Placing if is_stopped => Ok(vec![OrderFact::Cancelled { key: Arc::clone(key) }]),
                OrderStage::Placing if was_looked_for => Ok(facts),
                _ => Err(broken(key, "the seller does not know it any more")),
            };
        };
        if found.key != *key || order.id.as_ref().is_some_and(|id| *id != found.id) {
            return Err(broken(key, "the seller answered with another order"));
        }
        let ids = order.ids(found)?;
        if order.stage == OrderStage::Placing {
            let (id, due) = (Arc::clone(&found.id), found.due.clone());
            let key = Arc::clone(key);
            facts.push(OrderFact::Placed { key, id, due, lines: ids });
            // What it is now, past being placed, is looked at by the next command.
            return Ok(facts);
        }
        match (&order.stage, found.status) {
            (OrderStage::Paying | OrderStage::Cancelling, OrderStatus::Paid) => {
                facts.push(OrderFact::Paid { key: Arc::clone(key) });
                facts.extend(order.delivered(found));
            }
            (OrderStage::Cancelling, OrderStatus::Cancelled) => {
                facts.push(OrderFact::Cancelled { key: Arc::clone(key) });
            }
            // It was taken back by somebody else: nothing was paid.
            (OrderStage::Paying, OrderStatus::Cancelled) => {
                let error = Error::new(ErrorKind::Conflict, "order.refused", "the seller took the order back");
                facts.push(OrderFact::Cancelling { key: Arc::clone(key), refusal: Some((&error).into()) });
                facts.push(OrderFact::Cancelled { key: Arc::clone(key) });
            }
            // It was only looked for, and is to be done now; or not any more.
            (OrderStage::Paying, OrderStatus::Unpaid) if was_looked_for && is_stopped => {
                facts.push(OrderFact::Cancelling { key: Arc::clone(key), refusal: None });
            }
            (OrderStage::Paying | OrderStage::Cancelling, OrderStatus::Unpaid) if was_looked_for => {}
            (OrderStage::Paying, OrderStatus::Unpaid) => return Err(broken(key, "it was paid, and is not paid")),
            (OrderStage::Cancelling, OrderStatus::Unpaid) => {
                return Err(broken(key, "it was taken back, and is still there"));
            }
            (OrderStage::Paid, OrderStatus::Paid) => facts.extend(order.delivered(found)),
            (OrderStage::Paid, _) => return Err(broken(key, "it was paid, and is not paid any more")),
            _ => {}
        }
        Ok(facts)
    }

    /// Returns what follows from a seller's refusal of what was asked about an order.
    ///
    /// # Errors
    /// The refusal, where it refuses what cannot be refused.
    pub fn refused(&mut self, key: &Arc<str>, error: Error) -> Result<Vec<OrderFact>> {
        let order = self.answered(key)?;
        let (key, refusal) = (Arc::clone(key), Refusal::from(&error));
        match order.stage {
            OrderStage::Placing if !order.must_find => Ok(vec![OrderFact::Refused { key, refusal }]),
            OrderStage::Paying if !order.must_find => Ok(vec![OrderFact::Cancelling { key, refusal: Some(refusal) }]),
            _ => Err(error),
        }
    }

    /// Returns what follows when a paid order's lines are not waited for any longer.
    pub fn overdue(&mut self, key: &Arc<str>) -> Vec<OrderFact> {
        let Ok(order) = self.answered(key) else { return Vec::new() };
        if order.stage != OrderStage::Paid {
            return Vec::new();
        }
        let late = order.lines.iter().filter(|line| matches!(line.delivery, DeliveryState::Pending));
        let reason: Arc<str> = "it was not delivered in time".into();
        late.filter_map(|line| Some(OrderFact::Undelivered { line: line.id.clone()?, reason: Arc::clone(&reason) }))
            .collect()
    }

    /// Returns what follows from a seller's answer to a refund.
    pub fn refunded(line: &Arc<str>, answer: Result<Refund>) -> OrderFact {
        let line = Arc::clone(line);
        match answer {
            Ok(refund) => OrderFact::Refunded { line, amount: refund.amount },
            Err(error) => OrderFact::RefundRefused { line, refusal: (&error).into() },
        }
    }

    /// Returns whether a step of an object may start.
    pub fn gate(&self, object_id: Option<ObjectId>, purpose: Option<Purpose>) -> Gate {
        if let Some(order) = self.orders.first().filter(|order| !order.request.apart) {
            match &order.stage {
                OrderStage::Paid => {}
                OrderStage::Refused(refusal) => return Gate::Never(refused(refusal)),
                OrderStage::Cancelled => return Gate::Never(cancelled()),
                _ => return Gate::Shut,
            }
        }
        let place = object_id.zip(purpose).and_then(|key| self.places.get(&key));
        let Some((order, line)) = place.and_then(|(order, line)| {
            let order = self.orders.get(*order)?;
            Some((order, order.lines.get(*line)?))
        }) else {
            return Gate::Open;
        };
        match (&order.stage, &line.delivery) {
            (OrderStage::Wanted, _) => Gate::Order(Arc::clone(&order.request.key)),
            (OrderStage::Refused(refusal), _) => Gate::Never(refused(refusal)),
            (OrderStage::Cancelled, _) => Gate::Never(cancelled()),
            (OrderStage::Paid, DeliveryState::Delivered) => Gate::Open,
            (OrderStage::Paid, DeliveryState::Failed(reason)) => {
                let message = format!("what was ordered and paid is not delivered: {reason}");
                let error = Error::new(ErrorKind::Unavailable, "order.undelivered", message);
                Gate::Never((&error).into())
            }
            _ => Gate::Shut,
        }
    }

    /// Returns the line that pays for what is done to an object, as the seller calls it.
    pub fn line_of(&self, object_id: ObjectId, purpose: Purpose) -> Option<Arc<str>> {
        let (order, line) = self.places.get(&(object_id, purpose))?;
        self.orders.get(*order)?.lines.get(*line)?.id.clone()
    }

    /// Returns where a line of the run stands.
    pub fn address_of(&self, id: &str) -> Option<Arc<str>> {
        if let Some((order, line)) = self.by_id.get(id) {
            return self.orders.get(*order)?.request.lines.get(*line).map(|line| Arc::clone(&line.address));
        }
        let held = self.held.binary_search_by(|held| (*held.line).cmp(id)).ok()?;
        self.held.get(held).map(|held| Arc::clone(&held.address))
    }

    /// Returns whether the run has anything to do with money.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty() && self.held.is_empty()
    }

    /// Returns how the orders of the run stand. Lines that paid for what the run removed are in one without a key.
    pub fn report(&self) -> Vec<OrderReport> {
        let line = |id: Option<&Arc<str>>, object_id, address: &Arc<str>, is_delivered| {
            let refund = id.and_then(|id| self.refunds.get(id));
            LineReport {
                id: id.cloned(),
                object_id,
                address: Arc::clone(address),
                is_delivered,
                refunded: match refund {
                    Some(RefundState::Done(amount)) => Some(amount.clone()),
                    _ => None,
                },
                refund_refused: match refund {
                    Some(RefundState::Refused(refusal)) => Some(refusal.clone()),
                    _ => None,
                },
            }
        };
        let mut reports: Vec<OrderReport> = self
            .orders
            .iter()
            .map(|order| OrderReport {
                key: Arc::clone(&order.request.key),
                id: order.id.clone(),
                stage: order.stage.clone(),
                due: order.due.clone(),
                lines: (order.lines.iter().zip(&order.request.lines))
                    .map(|(state, asked)| {
                        let is_delivered = matches!(state.delivery, DeliveryState::Delivered);
                        line(state.id.as_ref(), asked.object_id, &asked.address, is_delivered)
                    })
                    .collect(),
            })
            .collect();
        if !self.held.is_empty() {
            reports.push(OrderReport {
                key: "".into(),
                id: None,
                stage: OrderStage::Paid,
                due: Vec::new(),
                lines: (self.held.iter())
                    .map(|held| line(Some(&held.line), held.object_id, &held.address, true))
                    .collect(),
            });
        }
        reports
    }
}

impl OrderState {
    fn pending(&self) -> usize {
        self.lines.iter().filter(|line| matches!(line.delivery, DeliveryState::Pending)).count()
    }

    /// Returns the order as the journal knows it, in the seller's words.
    fn as_known(&self, status: OrderStatus) -> Order {
        let lines = self.lines.iter().zip(&self.request.lines).filter_map(|(line, asked)| {
            let status = DeliveryStatus::Pending;
            Some(super::Delivery { key: Arc::clone(&asked.key), id: line.id.clone()?, status })
        });
        Order {
            id: self.id.clone().unwrap_or_default(),
            key: Arc::clone(&self.request.key),
            status,
            due: self.due.clone(),
            lines: lines.collect(),
        }
    }

    /// Returns what the seller calls the lines, and checks that each is there.
    fn ids(&self, found: &Order) -> Result<BTreeMap<Arc<str>, Arc<str>>> {
        let ids: BTreeMap<Arc<str>, Arc<str>> =
            found.lines.iter().map(|line| (Arc::clone(&line.key), Arc::clone(&line.id))).collect();
        let distinct: BTreeSet<&Arc<str>> = ids.values().collect();
        let is_whole = self.request.lines.iter().all(|line| ids.contains_key(&line.key));
        if !is_whole || ids.len() != self.request.lines.len() || distinct.len() != ids.len() {
            return Err(broken(&self.request.key, "its lines are not those that were ordered"));
        }
        let same =
            |line: &LineState, asked: &super::OrderLine| line.id.is_none() || line.id == ids.get(&asked.key).cloned();
        if !self.lines.iter().zip(&self.request.lines).all(|(line, asked)| same(line, asked)) {
            return Err(broken(&self.request.key, "its lines are called otherwise than before"));
        }
        Ok(ids)
    }

    /// Returns what is new about its lines.
    fn delivered(&self, found: &Order) -> Vec<OrderFact> {
        let statuses: HashMap<&str, &DeliveryStatus> =
            found.lines.iter().map(|line| (&*line.key, &line.status)).collect();
        let mut facts = Vec::new();
        for (line, asked) in self.lines.iter().zip(&self.request.lines) {
            let Some(id) = line.id.clone().filter(|_| matches!(line.delivery, DeliveryState::Pending)) else {
                continue;
            };
            match statuses.get(&*asked.key) {
                Some(DeliveryStatus::Delivered) => facts.push(OrderFact::Delivered { line: id }),
                Some(DeliveryStatus::Failed { reason }) => {
                    facts.push(OrderFact::Undelivered { line: id, reason: Arc::clone(reason) });
                }
                Some(DeliveryStatus::Refunded) => {
                    facts.push(OrderFact::Undelivered { line: id, reason: "the seller paid it back".into() });
                }
                Some(DeliveryStatus::Pending) | None => {}
            }
        }
        facts
    }
}

fn request(line: &Arc<str>, object_id: ObjectId, address: &Arc<str>, reason: RefundReason) -> RefundRequest {
    let key = format!("refund/{line}").into();
    RefundRequest { key, line: Arc::clone(line), object_id, address: Arc::clone(address), reason }
}

fn refused(refusal: &Refusal) -> Refusal {
    let message = match refusal.code.as_str() {
        "pricing.changed" => refusal.message.clone(),
        _ => format!("the order was refused: {}", refusal.message),
    };
    Refusal { message, ..refusal.clone() }
}

fn cancelled() -> Refusal {
    (&Error::new(ErrorKind::Cancelled, "run.cancelled", "the order was taken back")).into()
}

fn broken(key: &str, what: &str) -> Error {
    let message = format!("the seller broke its contract about the order `{key}`: {what}");
    Error::new(ErrorKind::Bug, "order.broken", message)
}

fn illegal(fact: &OrderFact, why: &str) -> Error {
    let message = format!("fact `{}` about an order cannot follow: {why}", fact.name());
    Error::new(ErrorKind::Bug, "run.illegal_fact", message)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests index what they made")]
mod tests;

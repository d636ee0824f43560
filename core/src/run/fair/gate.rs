use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::{Ticket, Turns};
use crate::state::StackKey;

/// Lets so many calls run at once over all runs and plans of an engine, and tenants take turns where there are more.
///
/// A call of a resource type that changes, reads or looks up something needs a turn, and holds it until it ends, with whatever
/// layers repeat or wait in it. Awaiting readiness, opening ephemeral resources, asking for prices and ordering need none. A
/// type that works with the same engine inside of a call takes part in the queue while it holds a turn: such hosts need
/// more slots than they have calls of that kind.
///
/// Cheap to clone; all clones share the turns, so that several engines may.
///
/// # Cancellation
/// Who waits ends at once when its run is stopped, before anything began.
///
/// # Examples
/// ```
/// use stackwright::run::Fair;
///
/// let fair = Fair::new(32).weight("paying-customer", 4);
/// assert_eq!(fair.held_count(), 0);
/// ```
#[derive(Clone)]
pub struct Fair {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    turns: Turns,
    waiting: HashMap<u64, oneshot::Sender<Turn>>,
}

/// The right to make one call; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Fair);

/// A place in the queue, given up when it is dropped.
struct Place<'a> {
    fair: &'a Fair,
    ticket: Ticket,
}

impl Fair {
    /// Returns turns for so many calls at once; at least one. All tenants weigh one.
    pub fn new(slots: usize) -> Self {
        let shared = Shared { turns: Turns::new(slots), waiting: HashMap::new() };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// Sets how many calls in a row a tenant makes when it is its turn; at least one.
    pub fn weight(self, tenant: impl Into<Arc<str>>, weight: u32) -> Self {
        self.lock().turns.weight(tenant, weight);
        self
    }

    /// Returns how many calls have a turn.
    pub fn held_count(&self) -> usize {
        self.lock().turns.held()
    }

    /// Returns how many calls wait for one.
    pub fn waiting_count(&self) -> usize {
        self.lock().waiting.len()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn. Dropping the future gives the place in the queue up.
    pub(crate) async fn take(&self, stack: &StackKey) -> Turn {
        loop {
            let (_place, granted) = {
                let mut shared = self.lock();
                let ticket = shared.turns.ask(&stack.tenant, &stack.name);
                // Whoever waits has found no slot free, so that one that is free now is this call's.
                if shared.turns.grant().is_some() {
                    return Turn(self.clone());
                }
                let (give, granted) = oneshot::channel();
                shared.waiting.insert(ticket.number(), give);
                (Place { fair: self, ticket }, granted)
            };
            // What could give a turn is there until it has given one.
            if let Ok(turn) = granted.await {
                return turn;
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut shared = self.fair.lock();
        shared.turns.withdraw(&self.ticket);
        shared.waiting.remove(&self.ticket.number());
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut shared = self.0.lock();
            shared.turns.give_back();
            let next = shared.turns.grant();
            next.and_then(|ticket| shared.waiting.remove(&ticket.number()))
        };
        // Not under the lock: one that is not wanted any more comes back, and goes to the next.
        if let Some(next) = next {
            let _ = next.send(Self(self.0.clone()));
        }
    }
}

impl PartialEq for Fair {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for Fair {}

impl fmt::Debug for Fair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.lock();
        f.debug_struct("Fair").field("held", &shared.turns.held()).field("waiting", &shared.waiting.len()).finish()
    }
}

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Who gets the next turn, as a pure machine: no clock, nothing that waits.
///
/// Never more than `slots` turns are out; none is kept back while somebody waits. A tenant that asks waits for at most as
/// many turns as the other tenants that wait have weight together, whatever they have to do.
///
/// # Complexity
/// O(log t + log s + log c) for each call, t tenants that wait, s stacks of one and c calls of one that wait.
#[derive(Clone, Debug)]
pub struct Turns {
    slots: usize,
    held: usize,
    weights: BTreeMap<Arc<str>, u32>,
    tenants: Ring<Tenant>,
    next: u64,
}

/// A place in the queue, or a turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    number: u64,
    tenant: Arc<str>,
    stack: Arc<str>,
}

/// A tenant that waits.
#[derive(Clone, Debug, Default)]
struct Tenant {
    /// How many turns it got since it came first.
    taken: u32,
    /// The numbers of the calls that wait, by stack.
    stacks: Ring<BTreeSet<u64>>,
}

/// Things by name, in the order in which they come.
#[derive(Clone, Debug)]
struct Ring<V> {
    order: BTreeMap<u64, Arc<str>>,
    members: BTreeMap<Arc<str>, (u64, V)>,
    next: u64,
}

impl<V> Default for Ring<V> {
    fn default() -> Self {
        Self { order: BTreeMap::new(), members: BTreeMap::new(), next: 0 }
    }
}

impl<V: Default> Ring<V> {
    /// Returns a member; a new one comes last.
    fn enter(&mut self, name: &Arc<str>) -> &mut V {
        let (order, next) = (&mut self.order, &mut self.next);
        let member = self.members.entry(Arc::clone(name)).or_insert_with(|| {
            order.insert(*next, Arc::clone(name));
            *next += 1;
            (*next - 1, V::default())
        });
        &mut member.1
    }

    fn get(&mut self, name: &str) -> Option<&mut V> {
        self.members.get_mut(name).map(|(_, value)| value)
    }

    fn first(&self) -> Option<Arc<str>> {
        self.order.first_key_value().map(|(_, name)| Arc::clone(name))
    }

    fn rotate(&mut self, name: &Arc<str>) {
        if let Some((place, _)) = self.members.get_mut(name) {
            self.order.remove(place);
            *place = self.next;
            self.order.insert(self.next, Arc::clone(name));
            self.next += 1;
        }
    }

    fn leave(&mut self, name: &str) {
        if let Some((place, _)) = self.members.remove(name) {
            self.order.remove(&place);
        }
    }

    fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

impl Ticket {
    /// Returns its number: later ones are greater.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the tenant that asked.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Returns the stack that asked.
    pub fn stack(&self) -> &str {
        &self.stack
    }
}

impl Turns {
    /// Returns a machine with this many turns at once; at least one.
    pub fn new(slots: usize) -> Self {
        Self { slots: slots.max(1), held: 0, weights: BTreeMap::new(), tenants: Ring::default(), next: 0 }
    }

    /// Sets how many turns in a row a tenant gets while others wait; at least one, which is what it has otherwise.
    pub fn weight(&mut self, tenant: impl Into<Arc<str>>, weight: u32) {
        self.weights.insert(tenant.into(), weight.max(1));
    }

    /// Returns how many turns are out.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Takes a place in the queue.
    pub fn ask(&mut self, tenant: &Arc<str>, stack: &Arc<str>) -> Ticket {
        let number = self.next;
        self.next += 1;
        self.tenants.enter(tenant).stacks.enter(stack).insert(number);
        Ticket { number, tenant: Arc::clone(tenant), stack: Arc::clone(stack) }
    }

    /// Gives a place in the queue up; returns whether it was one.
    pub fn withdraw(&mut self, ticket: &Ticket) -> bool {
        let Some(tenant) = self.tenants.get(&ticket.tenant) else { return false };
        let Some(calls) = tenant.stacks.get(&ticket.stack) else { return false };
        let was_there = calls.remove(&ticket.number);
        if calls.is_empty() {
            tenant.stacks.leave(&ticket.stack);
        }
        if tenant.stacks.is_empty() {
            self.tenants.leave(&ticket.tenant);
        }
        was_there
    }

    /// Gives the next turn away; `None` where all are out or nobody waits.
    pub fn grant(&mut self) -> Option<Ticket> {
        if self.held >= self.slots {
            return None;
        }
        let tenant = self.tenants.first()?;
        let weight = self.weights.get(&tenant).copied().unwrap_or(1);
        let waiting = self.tenants.get(&tenant)?;
        let stack = waiting.stacks.first()?;
        let calls = waiting.stacks.get(&stack)?;
        let number = calls.pop_first()?;
        if calls.is_empty() {
            waiting.stacks.leave(&stack);
        } else {
            waiting.stacks.rotate(&stack);
        }
        waiting.taken += 1;
        if waiting.stacks.is_empty() {
            self.tenants.leave(&tenant);
        } else if waiting.taken >= weight {
            waiting.taken = 0;
            self.tenants.rotate(&tenant);
        }
        self.held += 1;
        Some(Ticket { number, tenant, stack })
    }

    /// Takes a turn back.
    pub fn give_back(&mut self) {
        self.held = self.held.saturating_sub(1);
    }
}

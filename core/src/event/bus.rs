use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::mpsc;

use super::{Clock, Event, Recorded};

/// How many unread events an observer may have before reports of progress are left out for it.
pub const PROGRESS_BACKLOG: usize = 10_000;

/// Carries one operation's events to whoever listens.
///
/// Cloning gives another sender to the same operation. Sending never blocks and never fails: an observer that
/// went away is dropped, and one that is slow only delays itself. What resource types say of their progress, which may be
/// any amount, is left out for an observer that has [`PROGRESS_BACKLOG`] events before it; everything else it gets, and of
/// that there is only so much in an operation.
#[derive(Clone)]
pub struct Bus {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    listeners: Vec<Listener>,
}

struct Listener {
    sender: mpsc::UnboundedSender<Recorded>,
    /// How many events wait to be read.
    waiting: Arc<AtomicUsize>,
}

impl Listener {
    /// Hands an event over; returns whether anybody listens still.
    fn tell(&self, recorded: Recorded) -> bool {
        let waits = self.waiting.fetch_add(1, Ordering::Relaxed);
        if waits >= PROGRESS_BACKLOG && matches!(recorded.event, Event::StepProgress { .. }) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return !self.sender.is_closed();
        }
        self.sender.send(recorded).is_ok()
    }
}

impl Bus {
    /// Returns a bus without listeners.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::new(Shared { clock, state: Mutex::default() }) }
    }

    /// Sends an event to all listeners. The order in which calls return is the order that all of them see.
    pub fn send(&self, event: Event) {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let recorded = Recorded { seq: state.next, at: self.shared.clock.now(), event };
        state.next += 1;
        match &mut *state.listeners {
            [] => {}
            // Mostly there is one, which gets it without a copy.
            [only] => {
                if !only.tell(recorded) {
                    state.listeners.clear();
                }
            }
            _ => state.listeners.retain(|listener| listener.tell(recorded.clone())),
        }
    }

    /// Returns a stream of the events sent from now on.
    pub fn subscribe(&self) -> Subscription {
        let (sender, receiver) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let listener = Listener { sender, waiting: Arc::clone(&waiting) };
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).listeners.push(listener);
        Subscription { receiver, waiting }
    }

    /// Ends every subscription once what was sent is read.
    pub fn close(&self) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).listeners.clear();
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").finish_non_exhaustive()
    }
}

/// Receives events in order.
#[derive(Debug)]
pub struct Subscription {
    receiver: mpsc::UnboundedReceiver<Recorded>,
    waiting: Arc<AtomicUsize>,
}

impl Subscription {
    /// Returns the next event, or `None` once the operation ended.
    ///
    /// # Cancellation
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Recorded> {
        let recorded = self.receiver.recv().await?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(recorded)
    }

    /// Returns the next event if one is waiting.
    pub fn try_next(&mut self) -> Option<Recorded> {
        let recorded = self.receiver.try_recv().ok()?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(recorded)
    }
}

/// Keeps every event of an operation, for tests and audit.
#[derive(Debug)]
pub struct Recorder {
    subscription: Subscription,
    seen: Vec<Recorded>,
}

impl Recorder {
    /// Starts to record what `bus` sends.
    pub fn new(bus: &Bus) -> Self {
        Self { subscription: bus.subscribe(), seen: Vec::new() }
    }

    /// Returns all events sent so far, in order.
    pub fn events(&mut self) -> &[Recorded] {
        while let Some(recorded) = self.subscription.try_next() {
            self.seen.push(recorded);
        }
        &self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SystemClock;

    #[test]
    fn listeners_see_the_same_order() {
        let bus = Bus::new(Arc::new(SystemClock::default()));
        let mut first = Recorder::new(&bus);
        bus.send(Event::RefreshStarted { address: "a.b".into() });
        let mut late = Recorder::new(&bus);
        bus.send(Event::RefreshFinished { address: "a.b".into(), drifted: false });
        assert_eq!(first.events().iter().map(|r| r.seq).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(late.events().iter().map(|r| r.seq).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_flood_of_progress_is_cut_and_nothing_else() {
        let bus = Bus::new(Arc::new(SystemClock::default()));
        let mut subscription = bus.subscribe();
        let progress = || Event::StepProgress { step: 1, address: "a.b".into(), message: "on and on".into() };
        let ends = |idx| Event::RefreshFinished { address: "a.b".into(), drifted: idx > 0 };
        for idx in 0..2 {
            (0..2 * PROGRESS_BACKLOG).for_each(|_| bus.send(progress()));
            bus.send(ends(idx));
        }
        let seen: Vec<Recorded> = std::iter::from_fn(|| subscription.try_next()).collect();
        assert_eq!(seen.len(), PROGRESS_BACKLOG + 2);
        assert_eq!(seen.last().map(|last| (last.seq, &last.event)), Some((4 * PROGRESS_BACKLOG as u64 + 1, &ends(1))));
        // Who has read gets progress again.
        bus.send(progress());
        assert_eq!(subscription.try_next().map(|next| next.event), Some(progress()));
    }

    #[test]
    fn every_event_survives_json() {
        let event = Event::StepFinished {
            step: 3,
            address: "a.b[0]".into(),
            action: "create".into(),
            outcome: StepOutcome::Failed,
            code: Some("resource.failed".into()),
            message: None,
            elapsed_ms: 12,
        };
        let text = serde_json::to_string(&event).expect("events are plain data");
        assert_eq!(serde_json::from_str::<Event>(&text).expect("own output"), event);
    }

    use crate::event::StepOutcome;
}

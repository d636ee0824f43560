use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::mpsc;

use super::{Clock, Event, Recorded};

/// Carries one operation's events to whoever listens.
///
/// Cloning gives another sender to the same operation. Sending never blocks and never fails: an observer that
/// went away is dropped, and one that is slow only delays itself (its queue is unbounded; an operation ends).
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
    listeners: Vec<mpsc::UnboundedSender<Recorded>>,
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
                if only.send(recorded).is_err() {
                    state.listeners.clear();
                }
            }
            _ => state.listeners.retain(|listener| listener.send(recorded.clone()).is_ok()),
        }
    }

    /// Returns a stream of the events sent from now on.
    pub fn subscribe(&self) -> Subscription {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).listeners.push(sender);
        Subscription { receiver }
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
}

impl Subscription {
    /// Returns the next event, or `None` once the operation ended.
    ///
    /// # Cancellation
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Recorded> {
        self.receiver.recv().await
    }

    /// Returns the next event if one is waiting.
    pub fn try_next(&mut self) -> Option<Recorded> {
        self.receiver.try_recv().ok()
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

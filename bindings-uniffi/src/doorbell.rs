use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What wakes the thread that takes letters, which sleeps here.
#[derive(Debug, Default)]
pub(crate) struct Doorbell {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_rung: bool,
    is_closed: bool,
}

impl Doorbell {
    /// Wakes whoever waits, now or later.
    pub(crate) fn ring(&self) {
        self.state().is_rung = true;
        self.wake.notify_one();
    }

    /// Wakes whoever waits, for the last time.
    pub(crate) fn close(&self) {
        self.state().is_closed = true;
        self.wake.notify_all();
    }

    /// Waits until it rings; returns whether it did, and was not closed.
    pub(crate) fn wait(&self) -> bool {
        let mut state = self.state();
        while !state.is_rung && !state.is_closed {
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_rung = false;
        !state.is_closed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn a_ring_is_heard_before_and_while_somebody_waits() {
        let bell = Arc::new(Doorbell::default());
        bell.ring();
        assert!(bell.wait());
        let listener = thread::spawn({
            let bell = Arc::clone(&bell);
            move || (bell.wait(), bell.wait())
        });
        bell.ring();
        while bell.state().is_rung {
            thread::yield_now();
        }
        bell.close();
        assert_eq!(listener.join().expect("it ends"), (true, false));
    }
}

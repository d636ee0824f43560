use std::sync::{Mutex, MutexGuard, PoisonError};

use stackwright::ffi::CallContext;

/// What the engine has to say to the language.
#[derive(Debug)]
pub enum Letter {
    /// A promise came true.
    Settled {
        /// Its number.
        promise: u64,
        /// What came of it: an envelope.
        text: String,
    },
    /// A call that the host is to perform.
    Call {
        /// Its number, which the reply names.
        number: u64,
        /// What is live about it.
        ctx: CallContext,
        /// A [`stackwright::ffi::Request`] as JSON text.
        request: String,
    },
    /// A call of a store that the language keeps.
    Store {
        /// Its number, which the reply names.
        number: u64,
        /// A [`stackwright::ffi::StoreRequest`] as JSON text. The reply is an envelope.
        request: String,
    },
    /// Nobody waits for the answer of a call any more.
    Dropped {
        /// Its number.
        number: u64,
    },
}

/// Wakes the thread of the language that takes letters. Rung from any thread; it must not block.
pub trait Bell: Send + Sync + 'static {
    /// Has [`Client::take`](crate::Client::take) be called soon.
    fn ring(&self);
}

/// Letters from the engine's threads, and the bell.
pub(crate) struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    bell: Box<dyn Bell>,
}

impl Mailbox {
    pub(crate) fn new(bell: impl Bell) -> Self {
        Self { letters: Mutex::default(), bell: Box::new(bell) }
    }

    /// Adds a letter; rings for the first one only, since whoever wakes takes all.
    pub(crate) fn post(&self, letter: Letter) {
        let is_first = {
            let mut letters = self.letters();
            letters.push(letter);
            letters.len() == 1
        };
        if is_first {
            self.bell.ring();
        }
    }

    /// Returns all letters, in the order in which they came.
    pub(crate) fn take(&self) -> Vec<Letter> {
        std::mem::take(&mut *self.letters())
    }

    fn letters(&self) -> MutexGuard<'_, Vec<Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    struct Count(Arc<AtomicUsize>);

    impl Bell for Count {
        fn ring(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn rings_once_for_what_is_taken_together() {
        let rung = Arc::new(AtomicUsize::new(0));
        let mailbox = Mailbox::new(Count(Arc::clone(&rung)));
        let numbers = |letters: Vec<Letter>| -> Vec<u64> {
            letters.into_iter().map(|letter| if let Letter::Dropped { number } = letter { number } else { 0 }).collect()
        };
        mailbox.post(Letter::Dropped { number: 1 });
        mailbox.post(Letter::Dropped { number: 2 });
        assert_eq!((rung.load(Ordering::SeqCst), numbers(mailbox.take())), (1, vec![1, 2]));
        assert!(mailbox.take().is_empty());
        mailbox.post(Letter::Dropped { number: 3 });
        assert_eq!((rung.load(Ordering::SeqCst), numbers(mailbox.take())), (2, vec![3]));
    }
}

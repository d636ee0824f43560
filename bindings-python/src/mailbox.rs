use std::{
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, RawFd},
        unix::net::UnixStream,
    },
    sync::{Mutex, MutexGuard, PoisonError},
};

use stackwright::ffi;

/// What the engine has to say to the event loop.
pub(crate) enum Letter {
    /// A promise came true: its number and what came of it.
    Settled { promise: u64, text: String },
    /// A call that the host is to perform.
    Call { number: u64, ctx: ffi::CallContext, request: String },
    /// Nobody waits for the answer of a call any more.
    Dropped { number: u64 },
}

/// Letters from the engine's threads to one event loop, and the bell that wakes it.
///
/// The bell is rung when the first letter comes in: whoever wakes takes all.
pub(crate) struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    bell: UnixStream,
    ear: UnixStream,
}

impl Mailbox {
    pub(crate) fn new() -> io::Result<Self> {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        Ok(Self { letters: Mutex::default(), bell, ear })
    }

    /// Returns what becomes readable when there are letters.
    pub(crate) fn fileno(&self) -> RawFd {
        self.ear.as_raw_fd()
    }

    pub(crate) fn post(&self, letter: Letter) {
        let is_first = {
            let mut letters = self.letters();
            letters.push(letter);
            letters.len() == 1
        };
        if is_first {
            // A bell that cannot be rung is being rung: it holds hundreds of bytes that nobody took yet.
            let _ = (&self.bell).write(&[1]);
        }
    }

    /// Returns all letters, in the order in which they came.
    pub(crate) fn take(&self) -> Vec<Letter> {
        // The bell first: a letter that comes in between is taken now, and the bell that it rings finds nothing.
        let mut heard = [0; 64];
        while (&self.ear).read(&mut heard).is_ok_and(|count| count == heard.len()) {}
        std::mem::take(&mut *self.letters())
    }

    fn letters(&self) -> MutexGuard<'_, Vec<Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

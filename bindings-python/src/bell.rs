use std::{
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, RawFd},
        unix::net::UnixStream,
    },
};

use stackwright_bridge::Bell;

/// Makes something readable that an event loop watches.
pub(crate) struct Doorbell(UnixStream);

/// What becomes readable.
pub(crate) struct Ear(UnixStream);

/// Returns a bell, and the ear that hears it.
pub(crate) fn doorbell() -> io::Result<(Doorbell, Ear)> {
    let (bell, ear) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    ear.set_nonblocking(true)?;
    Ok((Doorbell(bell), Ear(ear)))
}

impl Bell for Doorbell {
    fn ring(&self) {
        // A bell that cannot be rung is being rung: it holds hundreds of bytes that nobody took yet.
        let _ = (&self.0).write(&[1]);
    }
}

impl Ear {
    pub(crate) fn fileno(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Takes what was rung so far. Letters are taken after it: one that comes in between is taken now, and the bell that it
    /// rings finds nothing.
    pub(crate) fn hear(&self) {
        let mut heard = [0; 64];
        while (&self.0).read(&mut heard).is_ok_and(|count| count == heard.len()) {}
    }
}

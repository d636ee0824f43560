use std::{fmt, sync::Arc};

pub use stackwright::state::cipher::Place;
use stackwright::{
    Result,
    ffi::host_failed,
    state::cipher::{Cipher, KeyId, Sealed},
};
use zeroize::Zeroizing;

use crate::host::unwrap;

/// Seals and opens with code of the language, on a thread of the engine's that waits for it.
///
/// Neither may wait for the thread that takes letters: that one may wait for them.
pub trait RemoteCipher: Send + Sync + 'static {
    /// Returns the name of the key, and sealed bytes.
    fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Answer<(String, Vec<u8>)>;

    /// Returns what was sealed.
    fn open(&self, place: &Place<'_>, key: &str, sealed: &[u8]) -> Answer<Vec<u8>>;
}

/// What came of a call of a cipher.
#[derive(Debug)]
pub enum Answer<T> {
    /// It is done.
    Done(T),
    /// It failed: an envelope.
    Failed(String),
    /// It raised something that says nothing of itself: the name of its class.
    Raised(String),
}

impl<T> Answer<T> {
    fn read(self) -> Result<T> {
        match self {
            Self::Done(value) => Ok(value),
            Self::Failed(envelope) => Err(match unwrap(&envelope) {
                Ok(_) => host_failed("nothing"),
                Err(error) => error,
            }),
            Self::Raised(class) => Err(host_failed(&class)),
        }
    }
}

pub(crate) struct HostCipher(pub(crate) Arc<dyn RemoteCipher>);

impl Cipher for HostCipher {
    fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Result<Sealed> {
        let (key, bytes) = self.0.seal(place, plain).read()?;
        Ok(Sealed { key: KeyId(key.into()), bytes })
    }

    fn open(&self, place: &Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>> {
        self.0.open(place, &sealed.key.0, &sealed.bytes).read().map(Zeroizing::new)
    }
}

impl fmt::Debug for HostCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostCipher")
    }
}

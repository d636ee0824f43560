use std::fmt;

use zeroize::Zeroizing;

use super::KeyId;
use crate::{error::Result, state::StackKey};

/// Where a sealed value stands; authenticated with it, so that it opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The stack.
    pub stack: &'a StackKey,
    /// The kind of record, such as `row`.
    pub kind: &'a str,
    /// Which record of that kind, such as an object id.
    pub id: &'a str,
    /// The field in the record, such as `attributes`.
    pub field: &'a str,
    /// The path in the field, printed; empty where the whole field is sealed.
    pub path: &'a str,
}

impl Place<'_> {
    /// Returns the bytes to authenticate: every part with its length before it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let parts = [&*self.stack.tenant, &*self.stack.name, self.kind, self.id, self.field, self.path];
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

/// Sealed bytes, and which key opens them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The key.
    pub key: KeyId,
    /// What the cipher made; only it knows the layout.
    pub bytes: Vec<u8>,
}

/// Seals what must not be read in a store, and opens it again.
///
/// Both calls are made for every sensitive value, while a record is encoded or decoded: they do not wait. A host whose
/// keys live in a remote service fetches a data key once and seals with that.
pub trait Cipher: fmt::Debug + Send + Sync + 'static {
    /// Seals `plain` so that it opens at `place` only.
    ///
    /// # Errors
    /// `cipher.key_unavailable` where the key or random bytes are not to be had.
    fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Result<Sealed>;

    /// Opens what [`seal`](Self::seal) made at the same place, with the same key or an older one that is still known.
    ///
    /// # Errors
    /// `cipher.open_failed` for another key, another place, or bytes that were changed.
    fn open(&self, place: &Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>>;
}

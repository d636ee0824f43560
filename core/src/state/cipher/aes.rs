use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

use super::{Cipher, Key, KeyId, Place, Sealed, key::KEY_BYTES};
use crate::{
    error::{Error, ErrorKind, Result},
    state::StackKey,
};

/// First byte of everything sealed here; another layout gets another number.
const LAYOUT: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Derived data keys that are kept at hand; the rest is derived again when needed (about a microsecond).
const CACHED_STACKS: usize = 256;

/// AES-256-GCM with a data key per stack, derived from a host key.
///
/// Layout of [`Sealed::bytes`]: `1`, 12 bytes nonce, ciphertext, 16 bytes tag. About 1 µs per value plus 1 ns a byte.
///
/// # Examples
/// ```
/// use stackwright::state::{StackKey, cipher::{AesGcmCipher, Cipher, Key, Place}};
///
/// let stack = StackKey::new("acme", "shop");
/// let place = Place { stack: &stack, kind: "row", id: "1", field: "attributes", path: ".password" };
/// let old = AesGcmCipher::new(Key::generate()?);
/// let sealed = old.seal(&place, b"hunter2")?;
/// assert_eq!(&**old.open(&place, &sealed)?, b"hunter2");
/// let elsewhere = Place { id: "2", ..place };
/// assert_eq!(old.open(&elsewhere, &sealed).unwrap_err().code(), "cipher.open_failed");
/// # Ok::<(), stackwright::Error>(())
/// ```
pub struct AesGcmCipher {
    /// The newest first.
    keys: Vec<Key>,
    derived: Mutex<HashMap<(KeyId, StackKey), Arc<Aes256Gcm>>>,
}

impl AesGcmCipher {
    /// Returns a cipher that seals and opens with `key`.
    pub fn new(key: Key) -> Self {
        Self::with_older(key, [])
    }

    /// Returns a cipher that seals with `newest` and opens with all: what a host uses while it rotates keys.
    pub fn with_older(newest: Key, older: impl IntoIterator<Item = Key>) -> Self {
        let keys = std::iter::once(newest).chain(older).collect();
        Self { keys, derived: Mutex::new(HashMap::new()) }
    }

    fn data_key(&self, key: &Key, stack: &StackKey) -> Result<Arc<Aes256Gcm>> {
        let slot = (key.id().clone(), stack.clone());
        if let Some(cipher) = self.derived.lock().unwrap_or_else(PoisonError::into_inner).get(&slot) {
            return Ok(Arc::clone(cipher));
        }
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        key.derive(&[b"stack data key", stack.tenant.as_bytes(), stack.name.as_bytes()], bytes.as_mut_slice())?;
        let cipher = Aes256Gcm::new_from_slice(bytes.as_slice())
            .map_err(|_| Error::bug("a derived key does not have the length of a key"))?;
        let cipher = Arc::new(cipher);
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if derived.len() >= CACHED_STACKS {
            derived.clear();
        }
        derived.insert(slot, Arc::clone(&cipher));
        Ok(cipher)
    }
}

impl Cipher for AesGcmCipher {
    fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Result<Sealed> {
        let key = self.keys.first().ok_or_else(|| Error::bug("a cipher without a key"))?;
        let cipher = self.data_key(key, place.stack)?;
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "cipher.key_unavailable", "the system gives no random bytes")
                .because(error)
        })?;
        let text = cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: &place.to_bytes() })
            .map_err(|_| Error::bug("a value is too large to be sealed"))?;
        let mut bytes = Vec::with_capacity(1 + NONCE_BYTES + text.len());
        bytes.push(LAYOUT);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&text);
        Ok(Sealed { key: key.id().clone(), bytes })
    }

    fn open(&self, place: &Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>> {
        let key = self
            .keys
            .iter()
            .find(|key| *key.id() == sealed.key)
            .ok_or_else(|| failed(place, sealed, "it was sealed with a key that this program does not have"))?;
        let layout = sealed.bytes.split_first().filter(|(layout, _)| **layout == LAYOUT);
        let (nonce, text) = layout
            .and_then(|(_, rest)| rest.split_first_chunk::<NONCE_BYTES>())
            .filter(|(_, text)| text.len() >= TAG_BYTES)
            .ok_or_else(|| failed(place, sealed, "it does not look like something that this program sealed"))?;
        self.data_key(key, place.stack)?
            .decrypt(&Nonce::from(*nonce), Payload { msg: text, aad: &place.to_bytes() })
            .map(Zeroizing::new)
            .map_err(|_| failed(place, sealed, "it was changed, or sealed for another place"))
    }
}

impl fmt::Debug for AesGcmCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AesGcmCipher").field("keys", &self.keys).finish_non_exhaustive()
    }
}

fn failed(place: &Place<'_>, sealed: &Sealed, why: &str) -> Error {
    Error::new(ErrorKind::Denied, "cipher.open_failed", format!("a sealed value cannot be opened: {why}"))
        .context("stack", place.stack)
        .context("record", format_args!("{} {}", place.kind, place.id))
        .context("field", format_args!("{}{}", place.field, place.path))
        .context("key", &sealed.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fill: u8) -> Key {
        Key::from_bytes(&[fill; KEY_BYTES]).expect("32 bytes")
    }

    fn place(stack: &StackKey) -> Place<'_> {
        Place { stack, kind: "row", id: "7", field: "attributes", path: ".password" }
    }

    #[test]
    fn opens_only_where_it_was_sealed() {
        let (stack, other) = (StackKey::new("acme", "shop"), StackKey::new("acm", "eshop"));
        let cipher = AesGcmCipher::new(key(1));
        let here = place(&stack);
        let sealed = cipher.seal(&here, b"hunter2").expect("seals");
        assert_eq!(cipher.open(&here, &sealed).expect("opens").as_slice(), b"hunter2");
        assert_eq!(sealed.bytes.len(), 1 + NONCE_BYTES + 7 + TAG_BYTES);
        for elsewhere in [
            Place { stack: &other, ..here },
            Place { kind: "output", ..here },
            Place { id: "8", ..here },
            Place { field: "private", ..here },
            Place { path: ".user", ..here },
            Place { field: "attributes.password", path: "", ..here },
        ] {
            let error = cipher.open(&elsewhere, &sealed).expect_err("another place");
            assert_eq!(error.code(), "cipher.open_failed");
        }
    }

    #[test]
    fn notices_every_changed_byte() {
        let stack = StackKey::new("acme", "shop");
        let cipher = AesGcmCipher::new(key(1));
        let sealed = cipher.seal(&place(&stack), b"hunter2").expect("seals");
        for idx in 0..sealed.bytes.len() {
            let mut bad = sealed.clone();
            bad.bytes[idx] ^= 1;
            assert_eq!(cipher.open(&place(&stack), &bad).expect_err("changed").code(), "cipher.open_failed");
            bad.bytes.truncate(idx);
            assert_eq!(cipher.open(&place(&stack), &bad).expect_err("short").code(), "cipher.open_failed");
        }
    }

    #[test]
    fn rotates_and_refuses_strange_keys() {
        let stack = StackKey::new("acme", "shop");
        let old = AesGcmCipher::new(key(1)).seal(&place(&stack), b"x").expect("seals");
        let both = AesGcmCipher::with_older(key(2), [key(1)]);
        assert_eq!(both.open(&place(&stack), &old).expect("an older key").as_slice(), b"x");
        let new = both.seal(&place(&stack), b"y").expect("seals");
        assert_eq!(new.key, *key(2).id());
        let error = AesGcmCipher::new(key(1)).open(&place(&stack), &new).expect_err("not its key");
        assert_eq!(error.code(), "cipher.open_failed");
        // A forged key id does not help either.
        let forged = Sealed { key: key(1).id().clone(), bytes: new.bytes };
        assert!(AesGcmCipher::new(key(1)).open(&place(&stack), &forged).is_err());
    }

    #[test]
    fn never_seals_the_same_way_twice() {
        let stack = StackKey::new("acme", "shop");
        let cipher = AesGcmCipher::new(key(1));
        let seal = || cipher.seal(&place(&stack), b"same").expect("seals").bytes;
        assert_ne!(seal(), seal());
    }

    /// What was sealed by a released version opens for ever.
    #[test]
    fn opens_what_older_programs_sealed() {
        let stack = StackKey::new("acme", "shop");
        let cipher = AesGcmCipher::new(key(1));
        let text = "0115a4955d0e9db12244c6a4ee708ebdbcc5ae98d54d1255d17ca486feb564d7dd34ca56";
        let digits = |idx| u8::from_str_radix(&text[idx..idx + 2], 16).expect("hexadecimal");
        let bytes = (0..text.len()).step_by(2).map(digits).collect();
        let sealed = Sealed { key: KeyId("456364870c1ec38e".into()), bytes };
        assert_eq!(cipher.open(&place(&stack), &sealed).expect("opens").as_slice(), b"hunter2");
    }
}

use std::{fmt, sync::Arc};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};

/// Number of bytes in a key.
pub(super) const KEY_BYTES: usize = 32;

/// Domain of everything that is derived from a host key by this module.
const SALT: &[u8] = b"stackwright/cipher/v1";

/// Names a key without telling it: 16 hexadecimal digits derived from the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub Arc<str>);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host key: 256 secret bits. Wiped from memory when dropped; never printed.
///
/// # Examples
/// ```
/// use stackwright::state::cipher::Key;
///
/// let key = Key::parse("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")?;
/// let same = Key::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")?;
/// assert_eq!(key.id(), same.id());
/// # Ok::<(), stackwright::Error>(())
/// ```
#[derive(Clone)]
pub struct Key {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    id: KeyId,
}

impl Key {
    /// Returns a new key from the system's random source.
    ///
    /// # Errors
    /// `cipher.key_unavailable` where the system has no random bytes to give.
    pub fn generate() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "cipher.key_unavailable", "the system gives no random bytes")
                .because(error)
        })?;
        Self::from_bytes(bytes.as_slice())
    }

    /// Returns the key with these bytes.
    ///
    /// # Errors
    /// `cipher.key_invalid` unless there are 32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() != KEY_BYTES {
            return Err(invalid("a key is 32 bytes long").context("length", bytes.len()));
        }
        let mut own = Zeroizing::new([0; KEY_BYTES]);
        own.copy_from_slice(bytes);
        let mut id = [0; 8];
        derive(&own, &[b"key id"], &mut id)?;
        let id = KeyId(format!("{:016x}", u64::from_be_bytes(id)).into());
        Ok(Self { bytes: own, id })
    }

    /// Reads a key as people hand it over: 64 hexadecimal digits, or base64 (standard or URL alphabet, padded or
    /// not). White space around it is ignored.
    ///
    /// # Errors
    /// `cipher.key_invalid`; the message does not repeat the text.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let bytes = if text.len() == 2 * KEY_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            unhex(text)
        } else {
            unbase64(text)
        };
        match bytes {
            Some(bytes) if bytes.len() == KEY_BYTES => Self::from_bytes(&bytes),
            _ => Err(invalid("a key is 32 bytes, written as 64 hexadecimal digits or as base64")),
        }
    }

    /// Returns its name, which is safe to show.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// Returns the key as 64 hexadecimal digits, for a person who moves it elsewhere. Secret.
    pub fn expose_hex(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(2 * KEY_BYTES));
        for byte in self.bytes.iter() {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        text
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    /// Fills `out` with the key for `parts`; parts are length-prefixed, so no two lists mean the same.
    pub(super) fn derive(&self, parts: &[&[u8]], out: &mut [u8]) -> Result<()> {
        derive(&self.bytes, parts, out)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

fn derive(key: &[u8; KEY_BYTES], parts: &[&[u8]], out: &mut [u8]) -> Result<()> {
    let mut info = Vec::new();
    for part in parts {
        info.extend_from_slice(&(part.len() as u64).to_be_bytes());
        info.extend_from_slice(part);
    }
    Hkdf::<Sha256>::new(Some(SALT), key)
        .expand(&info, out)
        .map_err(|_| Error::bug("asked for a derived key of a length that HKDF does not have"))
}

fn unhex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digits = text.as_bytes().iter().map(|&byte| char::from(byte).to_digit(16));
    let digits: Option<Zeroizing<Vec<u32>>> = digits.collect::<Option<Vec<_>>>().map(Zeroizing::new);
    digits.map(|digits| {
        Zeroizing::new(
            digits
                .chunks_exact(2)
                .map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | u8::try_from(*digit).unwrap_or(0)))
                .collect(),
        )
    })
}

fn unbase64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [alphabet::STANDARD, alphabet::URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())
        .map(Zeroizing::new)
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "cipher.key_invalid", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "fbfffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1";

    #[test]
    fn reads_every_spelling() {
        let key = Key::parse(HEX).expect("hexadecimal");
        for text in [
            HEX.to_uppercase(),
            format!(" {HEX}\n"),
            "+//+/fz7+vn49/b19PPy8fDv7u3s6+rp6Ofm5eTj4uE=".to_owned(),
            "-__-_fz7-vn49_b19PPy8fDv7u3s6-rp6Ofm5eTj4uE".to_owned(),
        ] {
            assert_eq!(Key::parse(&text).expect("a spelling of the same key").bytes(), key.bytes(), "{text}");
        }
        assert_eq!(*key.expose_hex(), HEX);
        assert_eq!(key.id().0.len(), 16);
    }

    #[test]
    fn refuses_without_repeating_the_text() {
        for text in ["", "hunter2", &HEX[2..], &format!("{HEX}00"), "zz"] {
            let error = Key::parse(text).expect_err("not a key");
            assert_eq!(error.code(), "cipher.key_invalid");
            assert!(text.is_empty() || !error.report().contains(text));
        }
    }

    #[test]
    fn never_prints_itself() {
        let key = Key::parse(HEX).expect("hexadecimal");
        let text = format!("{key:?} {:#?}", [&key]);
        assert!(!text.contains("fbff") && !text.contains("251"), "{text}");
    }

    #[test]
    fn derivation_separates_parts() {
        let key = Key::generate().expect("random bytes");
        let (mut left, mut right) = ([0; 32], [0; 32]);
        key.derive(&[b"a", b"bc"], &mut left).expect("32 bytes");
        key.derive(&[b"ab", b"c"], &mut right).expect("32 bytes");
        assert_ne!(left, right);
        assert_ne!(left, *key.bytes());
    }
}

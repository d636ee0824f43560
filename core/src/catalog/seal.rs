//! Signatures: who says that an archive, or an index, is what it should be.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Version, archive::digest};
use crate::error::{Error, ErrorKind, Result};

/// The most bytes of a signed document.
pub(super) const MAX_DOCUMENT: u64 = 4 << 20;

/// Signs.
#[async_trait]
pub trait Signer: fmt::Debug + Send + Sync {
    /// Returns what the key is called: those who verify look it up by that.
    fn key_id(&self) -> Arc<str>;

    /// Signs a message with ed25519: 64 bytes.
    ///
    /// # Errors
    /// Whatever keeps it from signing.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>>;
}

/// Knows which keys are trusted.
pub trait Trust: fmt::Debug + Send + Sync {
    /// Returns whether a key signed a message; `None` where the key is not trusted.
    fn verify(&self, key_id: &str, message: &[u8], signature: &[u8]) -> Option<bool>;
}

/// What is signed: a text and its signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The text: a JSON document.
    pub payload: String,
    /// Who signed it; one that is trusted is enough.
    pub signatures: Vec<Signature>,
}

/// One signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The key.
    pub key: Arc<str>,
    /// The signature, in Base64.
    pub signature: String,
}

/// What an envelope holds; a signature of one kind is none of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeKind {
    /// A [`Seal`].
    Seal,
    /// The index of a package's releases.
    Index,
}

impl EnvelopeKind {
    fn message(self, payload: &str) -> Vec<u8> {
        let kind = match self {
            Self::Seal => "seal",
            Self::Index => "index",
        };
        format!("stackwright {kind} 1\n{payload}").into_bytes()
    }
}

fn unsigned(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Denied, "catalog.signature", message)
}

impl Envelope {
    /// Writes a document and signs it.
    ///
    /// # Errors
    /// Those of the signer.
    pub async fn sign(kind: EnvelopeKind, document: &impl Serialize, signer: &dyn Signer) -> Result<Self> {
        let payload = serde_json::to_string(document)
            .map_err(|error| Error::bug("a signed document cannot be written").because(error))?;
        let signature = signer.sign(&kind.message(&payload)).await?;
        let signature = Signature { key: signer.key_id(), signature: STANDARD.encode(signature) };
        Ok(Self { payload, signatures: vec![signature] })
    }

    /// Returns the document, once somebody who is trusted has signed it. Nothing in it is looked at before.
    ///
    /// # Errors
    /// `catalog.signature` where nobody has; `catalog.index` where the signed text is no such document.
    pub fn open<T: DeserializeOwned>(&self, kind: EnvelopeKind, trust: &dyn Trust) -> Result<T> {
        let message = kind.message(&self.payload);
        let mut is_known = false;
        for signature in self.signatures.iter().take(16) {
            let bytes = STANDARD.decode(&signature.signature).unwrap_or_default();
            match trust.verify(&signature.key, &message, &bytes) {
                Some(true) => {
                    return serde_json::from_str(&self.payload).map_err(|error| {
                        let message = "a signed document of the catalog cannot be read";
                        Error::new(ErrorKind::InvalidInput, "catalog.index", message).because(error)
                    });
                }
                Some(false) => is_known = true,
                None => {}
            }
        }
        let keys: Vec<String> =
            self.signatures.iter().take(3).map(|one| format!("`{}`", shortened(&one.key))).collect();
        Err(match (is_known, keys.is_empty()) {
            (true, _) => unsigned("the signature is not that of the key: the content was changed"),
            (false, true) => unsigned("nobody signed it"),
            (false, false) => unsigned(format!("none of the keys that signed it is trusted: {}", keys.join(", "))),
        })
    }

    /// Reads an envelope.
    ///
    /// # Errors
    /// `catalog.index`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "catalog.index", "this is no signed document").because(error)
        })
    }

    /// Writes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }
}

fn shortened(key: &str) -> String {
    key.chars().take(80).flat_map(char::escape_debug).collect()
}

/// What a publisher says of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// The version of this shape.
    pub format: u32,
    /// The package.
    pub name: Arc<str>,
    /// Its version.
    pub version: Version,
    /// `sha256:` and the hash of the archive.
    pub digest: Arc<str>,
    /// The bytes of the archive.
    pub bytes: u64,
}

impl Seal {
    /// Returns what is to be said of an archive.
    pub fn of(name: impl Into<Arc<str>>, version: Version, archive: &[u8]) -> Self {
        Self { format: 1, name: name.into(), version, digest: digest(archive), bytes: archive.len() as u64 }
    }

    /// Refuses an archive that is not the one that was sealed.
    ///
    /// # Errors
    /// `catalog.tampered`.
    pub fn check(&self, archive: &[u8]) -> Result<()> {
        if archive.len() as u64 == self.bytes && *digest(archive) == *self.digest {
            return Ok(());
        }
        let message = format!("the archive of `{}` {} is not the one that was signed", self.name, self.version);
        Err(Error::new(ErrorKind::Denied, "catalog.tampered", message))
    }
}

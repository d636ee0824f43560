use std::{collections::BTreeMap, fmt, fs, io::Write as _, path::Path, sync::Arc};

use async_trait::async_trait;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use stackwright::{
    catalog::{Signer, Trust},
    error::{Error, ErrorKind, Result},
};

/// What public keys begin with.
const PREFIX: &str = "ed25519:";

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, "catalog.key", message)
}

/// An ed25519 key that signs. Its `Debug` shows the public half alone.
pub struct KeyPair {
    pair: Ed25519KeyPair,
    public: Arc<str>,
}

impl KeyPair {
    /// Returns the key that a secret of 32 bytes stands for.
    ///
    /// # Errors
    /// `catalog.key`.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| wrong("this is no ed25519 key"))?;
        let public = format!("{PREFIX}{}", to_hex(pair.public_key().as_ref())).into();
        Ok(Self { pair, public })
    }

    /// Makes a key.
    ///
    /// # Errors
    /// `catalog.key` where the system has no randomness.
    pub fn generate() -> Result<Self> {
        Self::from_seed(&random()?)
    }

    /// Reads a key from a file of 64 hexadecimal digits that nobody else may read.
    ///
    /// # Errors
    /// `catalog.key`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let unreadable = |error| wrong(format!("the key file `{}` cannot be read", path.display())).because(error);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
            if mode & 0o077 != 0 {
                let message = format!("others can read the key file `{0}`: `chmod 600 {0}`", path.display());
                return Err(Error::new(ErrorKind::Denied, "catalog.key", message));
            }
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let seed = from_hex(text.trim());
        let seed = seed.ok_or_else(|| wrong(format!("the file `{}` holds no key", path.display())))?;
        Self::from_seed(&seed)
    }

    /// Makes a key and writes it into a file, which must not be there yet.
    ///
    /// # Errors
    /// `catalog.key`.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let seed = random()?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(path).and_then(|mut file| {
            file.write_all(format!("{}\n", to_hex(&seed)).as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| wrong(format!("the key file `{}` cannot be made", path.display())).because(error))?;
        Self::from_seed(&seed)
    }

    /// Returns the public half: `ed25519:` and 64 hexadecimal digits. Also what the key is called.
    pub fn public_key(&self) -> Arc<str> {
        Arc::clone(&self.public)
    }
}

fn random() -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| wrong("the system has no randomness").because(error))?;
    Ok(seed)
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

#[async_trait]
impl Signer for KeyPair {
    fn key_id(&self) -> Arc<str> {
        self.public_key()
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        Ok(self.pair.sign(message).as_ref().to_vec())
    }
}

/// The public keys that are trusted.
#[derive(Clone, Debug, Default)]
pub struct TrustedKeys(BTreeMap<String, [u8; 32]>);

impl TrustedKeys {
    /// Reads public keys: `ed25519:` and 64 hexadecimal digits.
    ///
    /// # Errors
    /// `catalog.key`.
    pub fn new<T: AsRef<str>>(keys: impl IntoIterator<Item = T>) -> Result<Self> {
        let mut trusted = BTreeMap::new();
        for key in keys {
            let key = key.as_ref().trim();
            let bytes = key.strip_prefix(PREFIX).and_then(from_hex);
            let bytes = bytes.ok_or_else(|| {
                let shown: String = key.chars().take(100).flat_map(char::escape_debug).collect();
                wrong(format!("`{shown}` is no public key: `{PREFIX}` and 64 hexadecimal digits"))
            })?;
            trusted.insert(format!("{PREFIX}{}", to_hex(&bytes)), bytes);
        }
        Ok(Self(trusted))
    }
}

impl Trust for TrustedKeys {
    fn verify(&self, key_id: &str, message: &[u8], signature: &[u8]) -> Option<bool> {
        let key = self.0.get(&key_id.to_ascii_lowercase())?;
        Some(UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok())
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (idx, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(idx * 2..idx * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|idx| u8::from_str_radix(&text[idx * 2..idx * 2 + 2], 16).expect("digits")).collect()
    }

    /// The second test of RFC 8032 §7.1.
    #[tokio::test]
    async fn signatures_are_those_of_the_standard() {
        let seed = from_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").expect("a seed");
        let key = KeyPair::from_seed(&seed).expect("a key");
        let public = "ed25519:3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        assert_eq!(&*key.public_key(), public);
        let signature = key.sign(&[0x72]).await.expect("signed");
        let expect = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        assert_eq!(signature, hex(expect));
        let trust = TrustedKeys::new([public]).expect("a key");
        assert_eq!(trust.verify(public, &[0x72], &signature), Some(true));
        assert_eq!(trust.verify(public, &[0x73], &signature), Some(false));
        assert_eq!(trust.verify(public, &[0x72], &signature[1..]), Some(false));
        assert_eq!(trust.verify("ed25519:00", &[0x72], &signature), None);
        assert!(!format!("{key:?}").contains("4ccd"));
    }

    #[test]
    fn key_files_are_private_and_made_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let made = KeyPair::create(&path).expect("a key");
        assert_eq!(KeyPair::open(&path).expect("the key").public_key(), made.public_key());
        assert_eq!(KeyPair::create(&path).expect_err("it is there").code(), "catalog.key");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
            assert!(KeyPair::open(&path).expect_err("others can read it").to_string().contains("chmod 600"));
        }
        for text in ["", "ed25519:", "ed25519:00", "rsa:00", &format!("ed25519:{}", "é".repeat(32))] {
            assert_eq!(TrustedKeys::new([text]).expect_err("no key").code(), "catalog.key", "{text}");
        }
    }
}

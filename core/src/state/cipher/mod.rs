//! What keeps secrets secret in a store.
//!
//! ```text
//! host key (a file, the environment)  ──HKDF-SHA-256, info = tenant and stack──▶  data key of one stack
//! data key + place of the value       ──AES-256-GCM, random nonce──────────────▶  sealed bytes
//! ```
//!
//! The *place* (stack, record, field, path) is authenticated with every ciphertext: moved to another row, run or
//! stack it does not open. Data keys are derived, not stored, so there is nothing to wrap, lose or migrate; a stack that
//! is renamed has to be written again.
//!
//! Keys can be rotated: the newest seals, all open. [`Stack::reseal`](crate::stack::Stack::reseal) writes a stack's rows
//! and outputs again, after which the older keys open nothing but the plans and journals of earlier runs, which are
//! history and never change: whoever needs those read keeps the older keys, and whoever does not drops them.
//!
//! Random 96-bit nonces allow about 2³² seals under one data key before a repeat becomes thinkable (one in 2³²);
//! data keys are per stack, so that is 4 billion sealed values in one stack between two rotations.

mod aes;
mod file;
mod key;
mod place;

pub use aes::AesGcmCipher;
pub use file::{KeyFile, KeyRing};
pub use key::{Key, KeyId};
pub use place::{Cipher, Place, Sealed};

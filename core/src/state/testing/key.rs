use std::sync::Arc;

use crate::state::{
    StackKey,
    cipher::{AesGcmCipher, Cipher, Key},
    codec::Sealer,
};

/// Returns a cipher whose key everybody knows: the same in every test, for tests only.
pub fn fixed_cipher() -> Arc<dyn Cipher> {
    let key = Key::from_bytes(b"a key for tests: 32 known bytes!").expect("the text has 32 bytes");
    Arc::new(AesGcmCipher::new(key))
}

/// Returns the sealer of `stack` with [`fixed_cipher`].
pub fn fixed_sealer(stack: StackKey) -> Sealer {
    Sealer::new(fixed_cipher(), stack)
}

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

const SLOTS: usize = 1024;
const LONGEST: usize = 64;

/// Shares texts that occur again: names, and short strings.
///
/// A direct-mapped cache, not a table: a collision costs an allocation and nothing else, so no input makes it
/// slow or large.
pub(super) struct Names {
    slots: Vec<Option<Arc<str>>>,
    seed: u64,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { slots: vec![None; SLOTS], seed: RandomState::new().hash_one(0_u8) | 1 }
    }

    /// Returns `text`, shared with an earlier call where that is known.
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if text.len() > LONGEST {
            return Arc::from(text);
        }
        let slot = self.slot(text.as_bytes());
        match self.slots.get_mut(slot) {
            Some(Some(known)) if **known == *text => Arc::clone(known),
            Some(slot) => {
                let name: Arc<str> = Arc::from(text);
                *slot = Some(Arc::clone(&name));
                name
            }
            None => Arc::from(text),
        }
    }

    fn slot(&self, bytes: &[u8]) -> usize {
        let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut hash = self.seed ^ bytes.len() as u64;
        let (words, _) = bytes.as_chunks::<8>();
        for word in words {
            hash = mix(hash, u64::from_le_bytes(*word));
        }
        // What is left is read in pieces that may overlap: the length is in the hash.
        hash = match (bytes.last_chunk::<8>(), bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            (Some(last), ..) => mix(hash, u64::from_le_bytes(*last)),
            (None, Some(first), Some(last)) => {
                mix(hash, u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)))
            }
            _ => mix(hash, bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))),
        };
        (hash >> 40) as usize & (SLOTS - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_one() {
        let mut names = Names::new();
        let first = names.share("aws_instance");
        assert!(Arc::ptr_eq(&first, &names.share("aws_instance")));
        assert_eq!(&*names.share("aws_instancf"), "aws_instancf");
        assert_eq!(names.share(&"x".repeat(100)).len(), 100);
        // Of every length, those that differ in one place only are told apart.
        for len in 1..=LONGEST {
            for at in 0..len {
                let mut text = "a".repeat(len);
                text.replace_range(at..=at, "b");
                assert_eq!(*names.share(&text), *text);
                assert!(Arc::ptr_eq(&names.share(&text), &names.share(&text)));
            }
        }
    }
}

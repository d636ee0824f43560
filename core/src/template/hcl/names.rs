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
        let mut hash = self.seed ^ bytes.len() as u64;
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            hash = (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
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
    }
}

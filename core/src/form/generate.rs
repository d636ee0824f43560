use sha2::{Digest as _, Sha256};

use super::Generator;

/// Returns bytes without end that hang on a seed and a path, and on nothing else.
struct Stream {
    key: [u8; 32],
    block: [u8; 32],
    used: usize,
    count: u64,
}

impl Stream {
    fn new(seed: &[u8], path: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"stackwright form\0");
        hash.update((seed.len() as u64).to_be_bytes());
        hash.update(seed);
        hash.update(path);
        Self { key: hash.finalize().into(), block: [0; 32], used: 32, count: 0 }
    }

    fn byte(&mut self) -> u8 {
        if self.used >= self.block.len() {
            let mut hash = Sha256::new();
            hash.update(self.key);
            hash.update(self.count.to_be_bytes());
            self.block = hash.finalize().into();
            self.count += 1;
            self.used = 0;
        }
        let byte = self.block.get(self.used).copied().unwrap_or_default();
        self.used += 1;
        byte
    }

    /// Returns a number below `count` (1 to 256), each as likely as any other.
    fn below(&mut self, count: usize) -> usize {
        let count = count.clamp(1, 256);
        let fair = 256 / count * count;
        loop {
            let byte = usize::from(self.byte());
            if byte < fair {
                return byte % count;
            }
        }
    }

    fn one_of(&mut self, letters: &[u8]) -> char {
        let idx = self.below(letters.len());
        letters.get(idx).copied().map_or('a', char::from)
    }
}

/// Returns what a generator makes of a seed at a path: always the same.
pub(super) fn generate(generator: Generator, seed: &[u8], path: &str) -> String {
    const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
    const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const DIGITS: &[u8] = b"0123456789";
    const SIGNS: &[u8] = b"-_.~";
    let mut stream = Stream::new(seed, path);
    match generator {
        Generator::Password { length } => {
            let all = [LOWER, UPPER, DIGITS].concat();
            let mut letters: Vec<char> = [LOWER, UPPER, DIGITS, SIGNS].map(|class| stream.one_of(class)).to_vec();
            while letters.len() < length as usize {
                letters.push(stream.one_of(&all));
            }
            for idx in (1..letters.len()).rev() {
                letters.swap(idx, stream.below(idx + 1));
            }
            letters.into_iter().collect()
        }
        Generator::Name { length } => {
            let all = [LOWER, DIGITS].concat();
            let first = stream.one_of(LOWER);
            std::iter::once(first).chain((1..length).map(|_| stream.one_of(&all))).collect()
        }
        Generator::Uuid => {
            let bytes = std::array::from_fn(|_| stream.byte());
            uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::Format;

    #[test]
    fn the_same_seed_gives_the_same_and_another_path_another() {
        let make = |seed: &str, path: &str| generate(Generator::Password { length: 20 }, seed.as_bytes(), path);
        assert_eq!(make("s", "a"), make("s", "a"));
        assert_ne!(make("s", "a"), make("s", "b"));
        assert_ne!(make("s", "a"), make("t", "a"));
        // A seed does not run over into the path.
        assert_ne!(make("sa", "b"), make("s", "ab"));
    }

    #[test]
    fn what_is_made_has_the_form_that_is_promised() {
        for idx in 0..200 {
            let path = idx.to_string();
            let password = generate(Generator::Password { length: 8 }, b"s", &path);
            assert_eq!(password.len(), 8);
            for class in [char::is_ascii_lowercase, char::is_ascii_uppercase as fn(&char) -> bool, char::is_ascii_digit]
            {
                assert!(password.chars().any(|letter| class(&letter)), "{password}");
            }
            assert!(password.contains(['-', '_', '.', '~']));
            assert!(Format::DnsLabel.matches(&generate(Generator::Name { length: 63 }, b"s", &path)));
            assert!(Format::Uuid.matches(&generate(Generator::Uuid, b"s", &path)));
        }
    }
}

use std::collections::HashMap;

/// Draws that depend on the seed and on what they are drawn for, never on the order in which requests come in.
#[derive(Debug)]
pub(crate) struct Chance {
    seed: u64,
    /// How often each thing was drawn for.
    drawn: HashMap<String, u64>,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, drawn: HashMap::new() }
    }

    /// Returns the number that belongs to a thing.
    pub(crate) fn fixed(&self, thing: &str) -> u64 {
        mix(thing.bytes().fold(self.seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// Returns another number each time; the nth for one thing is always the same.
    pub(crate) fn next(&mut self, thing: &str) -> u64 {
        let count = self.drawn.entry(thing.to_owned()).or_default();
        *count += 1;
        let count = *count;
        self.fixed(&format!("{thing} {count}"))
    }

    /// Returns a share from 0 to below 1.
    pub(crate) fn share(&mut self, thing: &str) -> f64 {
        (self.next(thing) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Spreads a number over all bits (the finalizer of SplitMix64).
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_do_not_depend_on_the_order() {
        let (mut one, mut other) = (Chance::new(7), Chance::new(7));
        let first = (one.next("a"), one.next("a"), one.next("b"));
        let b = other.next("b");
        assert_eq!(first, (other.next("a"), other.next("a"), b));
        assert_ne!(first.0, first.1);
        assert_ne!(Chance::new(8).next("a"), first.0);
    }

    #[test]
    fn shares_are_spread() {
        let mut chance = Chance::new(1);
        let low = (0..1000).filter(|_| chance.share("x") < 0.25).count();
        assert!((200..300).contains(&low), "{low}");
    }
}

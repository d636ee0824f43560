//! Draws without bias.

use stackwright::error::{Error, Result};

/// Returns random bytes.
pub(super) fn bytes(count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).map_err(|error| Error::bug("no random bytes from the system").because(error))?;
    Ok(bytes)
}

/// Returns a number below `bound` (at least 1), every one as likely as every other.
pub(super) fn below(bound: usize) -> Result<usize> {
    below_from(bound, || Ok(bytes(4)?.try_into().map(u32::from_le_bytes).unwrap_or(u32::MAX)))
}

/// The same with numbers from `draw`: those from the incomplete last round are thrown away.
fn below_from(bound: usize, mut draw: impl FnMut() -> Result<u32>) -> Result<usize> {
    let bound = u32::try_from(bound.max(1)).unwrap_or(u32::MAX);
    let zone = u32::MAX - u32::MAX % bound;
    loop {
        let drawn = draw()?;
        if drawn < zone {
            return Ok((drawn % bound) as usize);
        }
    }
}

/// Returns one of some.
pub(super) fn pick<T: Copy>(from: &[T]) -> Result<T> {
    from.get(below(from.len())?).copied().ok_or_else(|| Error::bug("there is nothing to choose from"))
}

/// Puts a list into any order, every one as likely as every other (Fisher–Yates).
pub(super) fn shuffle<T>(list: &mut [T]) -> Result<()> {
    for idx in (1..list.len()).rev() {
        list.swap(idx, below(idx + 1)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_incomplete_round_is_thrown_away() {
        // 2³² - 1 is 4,294,967,295: with a bound of 10 the last round ends at 4,294,967,290.
        let mut drawn = [4_294_967_295, 4_294_967_290, 4_294_967_289, 7].into_iter();
        let mut draw = || below_from(10, || Ok(drawn.next().expect("another number"))).expect("a number");
        assert_eq!([draw(), draw()], [9, 7]);
    }

    #[test]
    fn every_number_below_a_bound_comes_up() {
        let mut seen = [0_u32; 5];
        for _ in 0..5000 {
            let number = below(5).expect("random bytes");
            if let Some(count) = seen.get_mut(number) {
                *count += 1;
            }
        }
        // 1000 each, with a standard deviation of 28: further off than nine of them is no accident.
        assert!(seen.iter().all(|count| (750..1250).contains(count)), "{seen:?}");
        assert_eq!(below(1).expect("random bytes"), 0);
        assert_eq!(below(0).expect("random bytes"), 0);
    }

    #[test]
    fn every_order_comes_up() {
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..6000 {
            let mut list = [1, 2, 3];
            shuffle(&mut list).expect("random bytes");
            *seen.entry(list).or_insert(0_u32) += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|count| (700..1300).contains(count)), "{seen:?}");
    }
}

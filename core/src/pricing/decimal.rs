use std::{fmt, str::FromStr};

use num_bigint::BigInt;
use num_integer::Integer as _;
use num_traits::{Signed as _, ToPrimitive as _, Zero as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::Error;

/// Digits behind the point.
pub(super) const SCALE: u32 = 9;
/// Billionths in one.
const ONE: i128 = 1_000_000_000;
/// Billionths beyond which nothing is computed with: sums of a million such numbers still fit.
const MOST: i128 = i128::MAX / 1_000_000;

/// An exact decimal number: a whole number of billionths, up to about 10²³.
///
/// There is no float anywhere. Sums and differences are exact; products and quotients are rounded where the caller says
/// how. Serialises as text, such as `"0.31"`.
///
/// # Examples
/// ```
/// use stackwright::pricing::Decimal;
///
/// let sum = "0.1".parse::<Decimal>()?.plus("0.2".parse()?)?;
/// assert_eq!(sum.to_string(), "0.3");
/// # Ok::<(), stackwright::pricing::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(i128);

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(ONE);

    /// Returns a whole number.
    pub const fn whole(number: i64) -> Self {
        Self(number as i128 * ONE)
    }

    /// Returns `units` of 10^-`digits`: `new(31, 2)` is 0.31.
    ///
    /// # Errors
    /// [`Error::Overflow`] where it is too large; [`Error::NotANumber`] for more than nine digits behind the point.
    pub fn new(units: i128, digits: u32) -> Result<Self, Error> {
        let text = || format!("{units}e-{digits}");
        let factor = SCALE.checked_sub(digits).ok_or_else(|| Error::NotANumber { text: text() })?;
        units.checked_mul(10_i128.pow(factor)).ok_or(Error::Overflow).and_then(Self::of)
    }

    fn of(billionths: i128) -> Result<Self, Error> {
        if (-MOST..=MOST).contains(&billionths) { Ok(Self(billionths)) } else { Err(Error::Overflow) }
    }

    /// Returns whether it is less than zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Returns whether it is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Returns the sum, exactly.
    ///
    /// # Errors
    /// [`Error::Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, Error> {
        Self::of(self.0 + other.0)
    }

    /// Returns the difference, exactly.
    ///
    /// # Errors
    /// [`Error::Overflow`].
    pub fn minus(self, other: Self) -> Result<Self, Error> {
        Self::of(self.0 - other.0)
    }

    /// Returns the product, rounded half to even to so many digits behind the point (at most nine).
    ///
    /// # Errors
    /// [`Error::Overflow`].
    pub fn times(self, other: Self, digits: u32) -> Result<Self, Error> {
        self.times_over(other, Self::ONE, digits)
    }

    /// Returns `self · by / over`, rounded half to even to so many digits behind the point (at most nine).
    ///
    /// # Errors
    /// [`Error::Overflow`], also where `over` is zero.
    pub fn times_over(self, by: Self, over: Self, digits: u32) -> Result<Self, Error> {
        if over.is_zero() {
            return Err(Error::Overflow);
        }
        let quantum = BigInt::from(Self::quantum(digits));
        let quotient = half_even(BigInt::from(self.0) * by.0, BigInt::from(over.0) * &quantum);
        (quotient * quantum).to_i128().ok_or(Error::Overflow).and_then(Self::of)
    }

    /// Returns `self · by / over`, rounded half to even to so many digits behind the point (at most nine).
    pub(super) fn ratio(self, by: i128, over: i128, digits: u32) -> Result<Self, Error> {
        if over == 0 {
            return Err(Error::Overflow);
        }
        let quantum = BigInt::from(Self::quantum(digits));
        let quotient = half_even(BigInt::from(self.0) * by, BigInt::from(over) * &quantum);
        (quotient * quantum).to_i128().ok_or(Error::Overflow).and_then(Self::of)
    }

    /// Reads a number of a bill, which may have more digits behind the point: those after the ninth are rounded half to even.
    pub(super) fn rounded(text: &str) -> Result<Self, Error> {
        let Some((head, behind)) = text.split_once('.').filter(|(_, behind)| behind.len() > SCALE as usize) else {
            return text.parse();
        };
        if !behind.bytes().all(|byte| byte.is_ascii_digit()) || behind.len() > 60 {
            return Err(Error::NotANumber { text: text.chars().take(40).collect() });
        }
        let (kept, rest) = behind.split_at(SCALE as usize);
        let cut: Self = format!("{head}.{kept}").parse()?;
        let is_tie = rest.strip_prefix('5').is_some_and(|rest| rest.bytes().all(|byte| byte == b'0'));
        let is_more = rest.bytes().next().is_some_and(|first| first >= b'5');
        let away = if is_tie { cut.0 % 2 != 0 } else { is_more };
        let step = match (away, head.starts_with('-')) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => -1,
        };
        Self::of(cut.0 + step)
    }

    /// Returns how many quanta of so many digits it has, if it is a whole number of them.
    pub(super) fn quanta(self, digits: u32) -> Option<i128> {
        let quantum = Self::quantum(digits);
        (self.0 % quantum == 0).then_some(self.0 / quantum)
    }

    /// Returns so many quanta.
    pub(super) fn of_quanta(count: i128, digits: u32) -> Result<Self, Error> {
        count.checked_mul(Self::quantum(digits)).ok_or(Error::Overflow).and_then(Self::of)
    }

    fn quantum(digits: u32) -> i128 {
        10_i128.pow(SCALE.saturating_sub(digits))
    }

    /// Prints at least so many digits behind the point.
    pub fn with_digits(self, digits: u32) -> String {
        let (whole, rest) = (self.0.unsigned_abs() / ONE.unsigned_abs(), self.0.unsigned_abs() % ONE.unsigned_abs());
        let all = format!("{rest:09}");
        let shown = all.trim_end_matches('0').len().max((digits.min(SCALE)) as usize);
        let sign = if self.is_negative() { "-" } else { "" };
        match all.get(..shown) {
            Some(digits) if shown > 0 => format!("{sign}{whole}.{digits}"),
            _ => format!("{sign}{whole}"),
        }
    }
}

/// Divides, rounding to the nearest whole number, ties to even.
fn half_even(number: BigInt, by: BigInt) -> BigInt {
    let (quotient, rest) = number.div_mod_floor(&by);
    let twice = rest.abs() * 2_u32;
    let is_up = match twice.cmp(&by.abs()) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient.is_odd(),
        std::cmp::Ordering::Greater => true,
    };
    if is_up && !rest.is_zero() { quotient + 1 } else { quotient }
}

/// Splits a count in proportion to weights, exactly: each gets its share rounded down, and what is left goes to the largest
/// remainders; of equal ones, to those that come first. None gets more than its weight where `total` is no more than all.
///
/// `None` where the weights come to nothing, or one is negative.
pub(super) fn split(total: i128, weights: &[i128]) -> Option<Vec<i128>> {
    let all: BigInt = weights.iter().map(|weight| BigInt::from(*weight)).sum();
    if weights.iter().any(|weight| *weight < 0) || total < 0 || !all.is_positive() {
        return None;
    }
    let mut shares = Vec::with_capacity(weights.len());
    let mut rests: Vec<(BigInt, usize)> = Vec::with_capacity(weights.len());
    let mut left = total;
    for (idx, weight) in weights.iter().enumerate() {
        let (share, rest) = (BigInt::from(total) * weight).div_mod_floor(&all);
        let share = share.to_i128()?;
        left -= share;
        shares.push(share);
        rests.push((rest, idx));
    }
    rests.sort_by(|(a, a_idx), (b, b_idx)| b.cmp(a).then(a_idx.cmp(b_idx)));
    for (_, idx) in rests.into_iter().take(usize::try_from(left).ok()?) {
        *shares.get_mut(idx)? += 1;
    }
    Some(shares)
}

impl fmt::Display for Decimal {
    /// Writes the shortest text that says the same: `0.3`, `-12`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_digits(0))
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Decimal {
    type Err = Error;

    /// Reads digits, a sign before them, and up to nine behind a point. No exponent.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::NotANumber { text: text.chars().take(40).collect() };
        let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, behind) = digits.split_once('.').map_or((digits, None), |(whole, behind)| (whole, Some(behind)));
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !behind.is_none_or(|behind| all_digits(behind) && behind.len() <= SCALE as usize) {
            return Err(wrong());
        }
        let number = |text: &str| text.parse::<i128>().map_err(|_| Error::Overflow);
        let behind = number(&format!("{:0<9}", behind.unwrap_or_default()))?;
        let billionths = number(whole)?.checked_mul(ONE).and_then(|whole| whole.checked_add(behind));
        let billionths = billionths.ok_or(Error::Overflow)?;
        Self::of(if is_negative { -billionths } else { billionths })
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self::whole(number)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn texts_become_numbers_and_back() {
        for text in ["0", "1", "-1", "0.31", "-0.000000001", "170141183460469231731.000000001"] {
            assert_eq!(decimal(text).to_string(), text);
        }
        assert_eq!(decimal("01.50").to_string(), "1.5");
        assert_eq!(decimal("-0"), Decimal::ZERO);
        for text in ["", ".", "1.", ".1", "+1", "1e3", "1.0000000001", "--1", "1,2", "NaN", "0x1", " 1", "１"] {
            assert!(matches!(text.parse::<Decimal>(), Err(Error::NotANumber { .. })), "{text}");
        }
        for text in ["1".repeat(30), "9".repeat(60)] {
            assert!(matches!(text.parse::<Decimal>(), Err(Error::Overflow)), "{text}");
        }
    }

    #[test]
    fn products_are_rounded_half_to_even() {
        let check = |a: &str, b: &str, digits: u32, expect: &str| {
            assert_eq!(decimal(a).times(decimal(b), digits).map(|number| number.to_string()).as_deref(), Ok(expect));
        };
        check("0.05", "0.5", 2, "0.02");
        check("0.15", "0.5", 2, "0.08");
        check("-0.05", "0.5", 2, "-0.02");
        check("-0.15", "0.5", 2, "-0.08");
        check("2.5", "1", 0, "2");
        check("3.5", "1", 0, "4");
        check("0.1", "0.1", 9, "0.01");
        check("0.0051", "1", 2, "0.01");
        let most = Decimal(MOST);
        assert_eq!(most.times(Decimal::whole(2), 2), Err(Error::Overflow));
        assert_eq!(most.plus(Decimal::ONE), Err(Error::Overflow));
        assert_eq!(most.times_over(Decimal::whole(7), Decimal::whole(7), 9), Ok(most));
    }

    #[test]
    fn more_digits_than_nine_are_rounded() {
        let check = |text: &str, expect: &str| {
            assert_eq!(Decimal::rounded(text).map(|number| number.to_string()).as_deref(), Ok(expect), "{text}");
        };
        check("1.5", "1.5");
        check("0.0000000015", "0.000000002");
        check("0.0000000025", "0.000000002");
        check("0.00000000250001", "0.000000003");
        check("-0.0000000015", "-0.000000002");
        check("-0.0000000014", "-0.000000001");
        check("0.9999999999", "1");
        for text in ["1.00000000000x", "x.0000000000001", "1.0000000000e3", "1e-10"] {
            assert!(matches!(Decimal::rounded(text), Err(Error::NotANumber { .. })), "{text}");
        }
    }

    #[test]
    fn a_split_gives_everything_away_and_no_more() {
        assert_eq!(split(100, &[1, 1, 1]), Some(vec![34, 33, 33]));
        assert_eq!(split(2, &[1, 2, 1]), Some(vec![1, 1, 0]));
        assert_eq!(split(2, &[1, 5, 6]), Some(vec![0, 1, 1]), "what is left goes to the largest rest");
        assert_eq!(split(5, &[0, 5]), Some(vec![0, 5]));
        assert_eq!(split(0, &[3]), Some(vec![0]));
        assert_eq!(split(1, &[0, 0]), None);
        assert_eq!(split(1, &[-1, 2]), None);
        assert_eq!(split(i128::MAX / 2, &[i128::MAX / 3, i128::MAX / 3]).map(|s| s.iter().sum()), Some(i128::MAX / 2));
    }
}

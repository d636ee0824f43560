use std::{cmp::Ordering, fmt, hash, sync::Arc};

use num_bigint::{BigInt, BigUint, Sign};
use num_traits::{ToPrimitive, Zero};

mod arith;
mod text;

pub use arith::NotANumber;
pub use text::NumberParseError;

/// Bits of mantissa that results are rounded to.
pub(super) const PRECISION: u32 = 512;
/// Bits of mantissa of a number that came from a 64-bit float.
const FLOAT_PRECISION: u32 = 53;
/// The largest binary exponent: numbers beyond 2^131072 (about 10^39456) are infinite, and their inverses zero.
const MAX_EXPONENT: i64 = 1 << 17;

/// A number as templates know it: 512 bits of mantissa, plus two infinities.
///
/// Integers that fit an `i64` take no allocation. Every operation rounds to nearest, ties to even, at 512 bits; results
/// of operations on numbers that all came from `f64` stay at 53 bits, as in Terraform. Magnitudes are bounded
/// (2^±131072, about 10^±39456): beyond that is infinity or zero, so that no template can ask for a gigabyte of digits.
///
/// There is no "not a number": operations that would give one return [`NotANumber`]. `-0` exists, equals `0`, and
/// prints as `-0`.
///
/// `Display` prints the shortest decimal that reads back to the same number, never with an exponent.
///
/// # Examples
/// ```
/// use stackwright::value::Number;
///
/// let sum = Number::parse("0.1")?.add(&Number::parse("0.2")?)?;
/// assert_eq!(sum, Number::parse("0.3")?);
/// assert_eq!(sum.to_string(), "0.3");
/// assert_eq!(Number::from(-10).rem(&Number::from(3))?, Number::from(-1));
/// assert!(Number::parse("0x10").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Number(Repr);

#[derive(Clone)]
enum Repr {
    Small(i64),
    NegativeZero,
    Infinite { negative: bool },
    Big(Arc<Big>),
}

/// `±mantissa · 2^exponent`, never zero, mantissa odd.
struct Big {
    negative: bool,
    mantissa: BigUint,
    exponent: i64,
    /// Bits that the mantissa was rounded to; decides how many digits are printed.
    precision: u32,
}

/// A finite number taken apart; mantissa zero only for zeros.
struct Parts {
    negative: bool,
    mantissa: BigUint,
    exponent: i64,
    precision: u32,
}

impl Number {
    /// Zero.
    pub const ZERO: Self = Self(Repr::Small(0));
    /// One.
    pub const ONE: Self = Self(Repr::Small(1));
    /// Larger than every other number.
    pub const INFINITY: Self = Self(Repr::Infinite { negative: false });
    /// Smaller than every other number.
    pub const NEGATIVE_INFINITY: Self = Self(Repr::Infinite { negative: true });

    /// Returns the number that a float stands for, exactly; `None` for not-a-number.
    ///
    /// It remembers that it has 53 bits, so that it prints as the float does (`0.1`, not 55 digits).
    pub fn from_f64(value: f64) -> Option<Self> {
        if value.is_nan() {
            return None;
        }
        if value.is_infinite() {
            return Some(Self(Repr::Infinite { negative: value < 0.0 }));
        }
        let bits = value.to_bits();
        let negative = bits >> 63 == 1;
        let fraction = bits & ((1 << 52) - 1);
        let exponent = (bits >> 52 & 0x7ff) as i64;
        let (mantissa, exponent) =
            if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
        Some(Self::from_parts(
            Parts { negative, mantissa: mantissa.into(), exponent, precision: FLOAT_PRECISION },
            false,
        ))
    }

    /// Rounds to the precision of `parts` and brings into canonical form. `sticky`: there were further bits below.
    fn from_parts(mut parts: Parts, sticky: bool) -> Self {
        let precision = u64::from(parts.precision);
        let bits = parts.mantissa.bits();
        if bits > precision {
            let drop = bits - precision;
            let half = parts.mantissa.bit(drop - 1);
            let below = sticky || parts.mantissa.trailing_zeros().is_some_and(|zeros| zeros < drop - 1);
            parts.mantissa >>= drop;
            parts.exponent += drop as i64;
            if half && (below || parts.mantissa.bit(0)) {
                parts.mantissa += 1u32;
            }
        }
        let Some(zeros) = parts.mantissa.trailing_zeros() else {
            return if parts.negative { Self(Repr::NegativeZero) } else { Self::ZERO };
        };
        if zeros > 0 {
            parts.mantissa >>= zeros;
            parts.exponent += zeros as i64;
        }
        let Parts { negative, mantissa, exponent, precision } = parts;
        let top = exponent + mantissa.bits() as i64;
        if top > MAX_EXPONENT {
            return Self(Repr::Infinite { negative });
        }
        if top < -MAX_EXPONENT {
            return if negative { Self(Repr::NegativeZero) } else { Self::ZERO };
        }
        if precision == PRECISION
            && let Some(small) = small(negative, &mantissa, exponent)
        {
            return Self(Repr::Small(small));
        }
        Self(Repr::Big(Arc::new(Big { negative, mantissa, exponent, precision })))
    }

    /// Takes a finite number apart; `None` for infinities.
    fn parts(&self) -> Option<Parts> {
        match &self.0 {
            Repr::Small(value) => Some(Parts {
                negative: *value < 0,
                mantissa: value.unsigned_abs().into(),
                exponent: 0,
                precision: PRECISION,
            }),
            Repr::NegativeZero => {
                Some(Parts { negative: true, mantissa: BigUint::zero(), exponent: 0, precision: PRECISION })
            }
            Repr::Infinite { .. } => None,
            Repr::Big(big) => Some(Parts {
                negative: big.negative,
                mantissa: big.mantissa.clone(),
                exponent: big.exponent,
                precision: big.precision,
            }),
        }
    }

    /// Returns whether the sign is minus; true for `-0`.
    pub fn is_negative(&self) -> bool {
        match &self.0 {
            Repr::Small(value) => *value < 0,
            Repr::NegativeZero => true,
            Repr::Infinite { negative } => *negative,
            Repr::Big(big) => big.negative,
        }
    }

    /// Returns whether it is zero, of either sign.
    pub fn is_zero(&self) -> bool {
        matches!(self.0, Repr::Small(0) | Repr::NegativeZero)
    }

    /// Returns whether it is one of the infinities.
    pub fn is_infinite(&self) -> bool {
        matches!(self.0, Repr::Infinite { .. })
    }

    /// Returns whether it is finite and has no fraction.
    pub fn is_integer(&self) -> bool {
        match &self.0 {
            Repr::Small(_) | Repr::NegativeZero => true,
            Repr::Infinite { .. } => false,
            Repr::Big(big) => big.exponent >= 0,
        }
    }

    /// Returns the number as an `i64`, where it is exactly one.
    pub fn to_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Small(value) => Some(*value),
            Repr::NegativeZero => Some(0),
            Repr::Infinite { .. } => None,
            Repr::Big(big) => small(big.negative, &big.mantissa, big.exponent),
        }
    }

    /// Returns the number as a `u64`, where it is exactly one.
    pub fn to_u64(&self) -> Option<u64> {
        match &self.0 {
            Repr::Small(value) => u64::try_from(*value).ok(),
            Repr::NegativeZero => Some(0),
            Repr::Infinite { .. } => None,
            Repr::Big(big) if big.negative || !(0..64).contains(&big.exponent) => None,
            Repr::Big(big) => (&big.mantissa << big.exponent).to_u64(),
        }
    }

    /// Returns the number as a `usize`, where it is exactly one.
    pub fn as_usize(&self) -> Option<usize> {
        self.to_u64().and_then(|value| usize::try_from(value).ok())
    }

    /// Returns the number as an `f64`, where it is exactly one (infinities are).
    pub fn to_f64(&self) -> Option<f64> {
        let nearest = self.to_f64_lossy();
        (Self::from_f64(nearest).as_ref() == Some(self)).then_some(nearest)
    }

    /// Returns the nearest `f64`, ties to even; beyond the range of floats, infinity or zero.
    pub fn to_f64_lossy(&self) -> f64 {
        let (negative, mantissa, exponent) = match &self.0 {
            Repr::Small(value) => return *value as f64,
            Repr::NegativeZero => return -0.0,
            Repr::Infinite { negative } => return if *negative { f64::NEG_INFINITY } else { f64::INFINITY },
            Repr::Big(big) => (big.negative, &big.mantissa, big.exponent),
        };
        let magnitude = nearest_f64(mantissa, exponent);
        if negative { -magnitude } else { magnitude }
    }

    /// Returns the float that the number came from, or that floats were computed to. Zero and infinities have no origin.
    pub(super) fn as_float(&self) -> Option<f64> {
        match &self.0 {
            Repr::Big(big) if big.precision == FLOAT_PRECISION => self.to_f64(),
            _ => None,
        }
    }

    /// Returns the shortest decimal that reads back to exactly this number, also where it came from a float.
    pub(super) fn to_exact_string(&self) -> String {
        match &self.0 {
            Repr::Big(big) if big.precision != PRECISION => match self.parts() {
                Some(parts) => Self::from_parts(Parts { precision: PRECISION, ..parts }, false).to_string(),
                None => self.to_string(),
            },
            _ => self.to_string(),
        }
    }

    /// Returns the integer that is left when the fraction is cut off; `None` for infinities.
    pub fn to_bigint(&self) -> Option<BigInt> {
        let Parts { negative, mantissa, exponent, .. } = self.parts()?;
        let magnitude = if exponent >= 0 { mantissa << exponent } else { mantissa >> -exponent };
        Some(BigInt::from_biguint(if negative { Sign::Minus } else { Sign::Plus }, magnitude))
    }
}

/// `±mantissa · 2^exponent` as an `i64`, where it fits.
fn small(negative: bool, mantissa: &BigUint, exponent: i64) -> Option<i64> {
    if exponent < 0 || exponent + mantissa.bits() as i64 > 64 {
        return None;
    }
    let magnitude = i128::from(mantissa.to_u64()?) << exponent;
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// Rounds to the nearest float, ties to even. `mantissa` is not zero.
fn nearest_f64(mantissa: &BigUint, exponent: i64) -> f64 {
    let bits = mantissa.bits() as i64;
    if exponent + bits > 1024 {
        return f64::INFINITY;
    }
    // Floats below 2^-1022 have fewer bits: the unit is 2^-1074 there.
    let unit = (exponent + bits - 53).max(-1074);
    let drop = unit - exponent;
    let rounded = if drop <= 0 {
        mantissa.to_u64().unwrap_or(0) << -drop
    } else if drop > bits {
        0
    } else {
        let kept = (mantissa >> drop).to_u64().unwrap_or(0);
        let half = mantissa.bit(drop as u64 - 1);
        let below = mantissa.trailing_zeros().is_some_and(|zeros| (zeros as i64) < drop - 1);
        kept + u64::from(half && (below || kept & 1 == 1))
    };
    // `rounded` has at most 54 bits, a power of two if 54; the scaling is exact in two steps.
    let half = unit / 2;
    rounded as f64 * 2f64.powi(half as i32) * 2f64.powi((unit - half) as i32)
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(Repr::Small(value))
    }
}

macro_rules! from_small {
    ($($ty:ty),*) => { $(
        impl From<$ty> for Number {
            fn from(value: $ty) -> Self {
                Self(Repr::Small(i64::from(value)))
            }
        }
    )* };
}
from_small!(i8, i16, i32, u8, u16, u32);

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::from(BigInt::from(value))
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        i64::try_from(value).map_or_else(|_| Self::from(BigInt::from(value)), Self::from)
    }
}

/// Rounds to 512 bits.
impl From<BigInt> for Number {
    fn from(value: BigInt) -> Self {
        let (sign, mantissa) = value.into_parts();
        Self::from_parts(Parts { negative: sign == Sign::Minus, mantissa, exponent: 0, precision: PRECISION }, false)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::Small(a), Repr::Small(b)) => a == b,
            (Repr::Big(a), Repr::Big(b)) => {
                a.negative == b.negative && a.exponent == b.exponent && a.mantissa == b.mantissa
            }
            _ => self.cmp(other) == Ordering::Equal,
        }
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0) {
            return a.cmp(b);
        }
        let order = self.signum().cmp(&other.signum());
        if order != Ordering::Equal || self.is_zero() {
            return order;
        }
        let magnitudes = match (self.parts(), other.parts()) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => compare_magnitudes(&a, &b),
        };
        if self.is_negative() { magnitudes.reverse() } else { magnitudes }
    }
}

fn compare_magnitudes(a: &Parts, b: &Parts) -> Ordering {
    let top = |parts: &Parts| parts.exponent + parts.mantissa.bits() as i64;
    // Equal tops keep the shift below as short as the mantissas.
    top(a).cmp(&top(b)).then_with(|| match a.exponent.cmp(&b.exponent) {
        Ordering::Less => a.mantissa.cmp(&(&b.mantissa << (b.exponent - a.exponent))),
        Ordering::Equal => a.mantissa.cmp(&b.mantissa),
        Ordering::Greater => (&a.mantissa << (a.exponent - b.exponent)).cmp(&b.mantissa),
    })
}

impl hash::Hash for Number {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        // Small and big forms of one number must hash alike.
        match (self.to_i64(), &self.0) {
            (Some(small), _) => small.hash(state),
            (None, Repr::Big(big)) => (big.negative, big.exponent, &big.mantissa).hash(state),
            (None, _) => self.is_negative().hash(state),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;

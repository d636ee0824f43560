use std::cmp::Ordering;

use num_bigint::BigUint;
use num_integer::Integer as _;
use num_traits::Zero;

use super::{MAX_EXPONENT, Number, PRECISION, Parts, Repr};

/// The operation has no number as its result: zero by zero, infinity by infinity, infinity less infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("can't {0}")]
pub struct NotANumber(&'static str);

impl Number {
    /// Returns `self + other`.
    ///
    /// # Errors
    /// Infinities of opposite signs have no sum.
    pub fn add(&self, other: &Self) -> Result<Self, NotANumber> {
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0)
            && let Some(sum) = a.checked_add(*b)
        {
            return Ok(Self(Repr::Small(sum)));
        }
        match (self.parts(), other.parts()) {
            (Some(a), Some(b)) => Ok(add_parts(a, b)),
            (Some(_), None) => Ok(other.clone()),
            (None, Some(_)) => Ok(self.clone()),
            (None, None) if self.is_negative() == other.is_negative() => Ok(self.clone()),
            (None, None) => Err(NotANumber("add infinities of opposite signs")),
        }
    }

    /// Returns `self - other`.
    ///
    /// # Errors
    /// Infinities of the same sign have no difference.
    pub fn sub(&self, other: &Self) -> Result<Self, NotANumber> {
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0)
            && let Some(difference) = a.checked_sub(*b)
        {
            return Ok(Self(Repr::Small(difference)));
        }
        self.add(&other.neg()).map_err(|_| NotANumber("subtract infinity from infinity"))
    }

    /// Returns `self * other`.
    ///
    /// # Errors
    /// Zero times infinity is no number.
    pub fn mul(&self, other: &Self) -> Result<Self, NotANumber> {
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0)
            && let Some(product) = a.checked_mul(*b)
            && (product != 0 || (*a < 0) == (*b < 0))
        {
            return Ok(Self(Repr::Small(product)));
        }
        let negative = self.is_negative() != other.is_negative();
        match (self.parts(), other.parts()) {
            (Some(a), Some(b)) => Ok(Self::from_parts(
                Parts {
                    negative,
                    mantissa: a.mantissa * b.mantissa,
                    exponent: a.exponent + b.exponent,
                    precision: a.precision.max(b.precision),
                },
                false,
            )),
            _ if self.is_zero() || other.is_zero() => Err(NotANumber("multiply zero by infinity")),
            _ => Ok(Self(Repr::Infinite { negative })),
        }
    }

    /// Returns `self / other`; a number divided by zero is infinite.
    ///
    /// # Errors
    /// Zero by zero and infinity by infinity are no numbers.
    pub fn div(&self, other: &Self) -> Result<Self, NotANumber> {
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0)
            && *a != 0
            && a.checked_rem(*b) == Some(0)
            && let Some(quotient) = a.checked_div(*b)
        {
            return Ok(Self(Repr::Small(quotient)));
        }
        let negative = self.is_negative() != other.is_negative();
        let refused = NotANumber("divide zero by zero or infinity by infinity");
        match (self.parts(), other.parts()) {
            (None, None) => Err(refused),
            (None, Some(_)) => Ok(Self(Repr::Infinite { negative })),
            (Some(_), None) => Ok(zero(negative)),
            (Some(a), Some(b)) if b.mantissa.is_zero() => {
                if a.mantissa.is_zero() {
                    Err(refused)
                } else {
                    Ok(Self(Repr::Infinite { negative }))
                }
            }
            (Some(a), Some(b)) => Ok(div_parts(a, b, negative)),
        }
    }

    /// Returns what is left of `self` after dividing by `other`, with the sign of `self`: `-10 % 3` is `-1`.
    ///
    /// The remainder by zero is `self`.
    ///
    /// # Errors
    /// An infinite operand gives an infinite result, and with zero none.
    pub fn rem(&self, other: &Self) -> Result<Self, NotANumber> {
        if self.is_infinite() || other.is_infinite() {
            return self.mul(other);
        }
        if other.is_zero() {
            return Ok(self.clone());
        }
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0) {
            return Ok(Self(Repr::Small(a.wrapping_rem(*b))));
        }
        // Computed as Terraform does, with each step rounded, and not by an exact remainder.
        match self.div(other)?.to_bigint() {
            Some(quotient) => self.sub(&other.mul(&Self::from(quotient))?),
            None => Err(NotANumber("take the remainder of numbers so far apart")),
        }
    }

    /// Returns `-self`; the negative of zero is `-0`.
    pub fn neg(&self) -> Self {
        match &self.0 {
            Repr::Small(0) => Self(Repr::NegativeZero),
            Repr::Small(value) if *value != i64::MIN => Self(Repr::Small(-value)),
            Repr::NegativeZero => Self::ZERO,
            Repr::Infinite { negative } => Self(Repr::Infinite { negative: !negative }),
            Repr::Small(_) | Repr::Big(_) => self.signed(!self.is_negative()),
        }
    }

    /// Returns the magnitude.
    pub fn abs(&self) -> Self {
        if self.is_negative() { self.neg() } else { self.clone() }
    }

    /// Returns -1, 0 or 1.
    pub fn signum(&self) -> i8 {
        match self.is_negative() {
            _ if self.is_zero() => 0,
            true => -1,
            false => 1,
        }
    }

    /// Returns the greatest integer that is not greater; infinities stay.
    pub fn floor(&self) -> Self {
        self.to_integer(Ordering::Less)
    }

    /// Returns the least integer that is not less; infinities stay.
    pub fn ceil(&self) -> Self {
        self.to_integer(Ordering::Greater)
    }

    /// Returns the integer towards zero; infinities stay.
    pub fn trunc(&self) -> Self {
        self.to_integer(Ordering::Equal)
    }

    /// The integer beside `self` in that direction (`Equal`: towards zero).
    fn to_integer(&self, direction: Ordering) -> Self {
        let Some(truncated) = self.to_bigint() else {
            return self.clone();
        };
        let truncated = Self::from(truncated);
        let away = match direction {
            Ordering::Less => self < &truncated,
            Ordering::Equal => false,
            Ordering::Greater => self > &truncated,
        };
        match away {
            false => truncated,
            true if direction == Ordering::Less => add_parts_of(&truncated, &Self::from(-1)),
            true => add_parts_of(&truncated, &Self::ONE),
        }
    }

    fn signed(&self, negative: bool) -> Self {
        match self.parts() {
            Some(parts) => Self::from_parts(Parts { negative, ..parts }, false),
            None => Self(Repr::Infinite { negative }),
        }
    }
}

fn zero(negative: bool) -> Number {
    if negative { Number(Repr::NegativeZero) } else { Number::ZERO }
}

/// The sum of two numbers known to be finite.
fn add_parts_of(a: &Number, b: &Number) -> Number {
    match (a.parts(), b.parts()) {
        (Some(a), Some(b)) => add_parts(a, b),
        _ => a.clone(),
    }
}

fn add_parts(a: Parts, b: Parts) -> Number {
    let precision = a.precision.max(b.precision);
    match (a.mantissa.is_zero(), b.mantissa.is_zero()) {
        (true, true) => return zero(a.negative && b.negative),
        (true, false) => return Number::from_parts(Parts { precision, ..b }, false),
        (false, true) => return Number::from_parts(Parts { precision, ..a }, false),
        (false, false) => {}
    }
    let top = |parts: &Parts| parts.exponent + parts.mantissa.bits() as i64;
    let (mut large, mut little) = if top(&a) >= top(&b) { (a, b) } else { (b, a) };
    // A number far below the last bit that counts only decides which way to round: one bit stands for it.
    let floor = top(&large) - i64::from(precision) - 4;
    if top(&little) < floor.min(large.exponent) {
        little.mantissa = BigUint::from(1u32);
        little.exponent = floor.min(large.exponent) - 1;
    }
    let exponent = large.exponent.min(little.exponent);
    large.mantissa <<= large.exponent - exponent;
    little.mantissa <<= little.exponent - exponent;
    let (negative, mantissa) = if large.negative == little.negative {
        (large.negative, large.mantissa + little.mantissa)
    } else {
        match large.mantissa.cmp(&little.mantissa) {
            Ordering::Equal => return Number::ZERO,
            Ordering::Greater => (large.negative, large.mantissa - little.mantissa),
            Ordering::Less => (little.negative, little.mantissa - large.mantissa),
        }
    };
    Number::from_parts(Parts { negative, mantissa, exponent, precision }, false)
}

/// The quotient of finite numbers; the divisor is not zero.
fn div_parts(a: Parts, b: Parts, negative: bool) -> Number {
    if a.mantissa.is_zero() {
        return zero(negative);
    }
    let precision = a.precision.max(b.precision);
    // Two bits more than the result has, so that rounding sees what it needs; the remainder is the sticky bit.
    let shift = (i64::from(precision) + 2 + b.mantissa.bits() as i64 - a.mantissa.bits() as i64).max(0);
    let (mut quotient, remainder) = (a.mantissa << shift).div_rem(&b.mantissa);
    let mut exponent = a.exponent - b.exponent - shift;
    let sticky = !remainder.is_zero();
    if sticky {
        // Keeps the fact below the bits that rounding looks at.
        quotient = (quotient << 1u32) + 1u32;
        exponent -= 1;
    }
    Number::from_parts(Parts { negative, mantissa: quotient, exponent, precision }, sticky)
}

/// `mantissa · 2^two · 5^five`, rounded as Go's `big.ParseFloat` does: exactly while the power of five fits 576 bits.
pub(super) fn scale_decimal(negative: bool, mantissa: BigUint, two: i64, five: i64) -> Number {
    let mut parts = Parts { negative, mantissa, exponent: two, precision: PRECISION };
    let power = power_of_five(five.unsigned_abs());
    if five < 0 {
        div_parts(parts, power, negative)
    } else {
        parts.mantissa *= power.mantissa;
        parts.exponent += power.exponent;
        Number::from_parts(parts, false)
    }
}

/// 5^exponent to 64 bits more than numbers have.
fn power_of_five(exponent: u64) -> Parts {
    /// The largest power that fits 64 bits, where the repeated squaring starts.
    const START: u64 = 27;
    debug_assert!(exponent <= MAX_EXPONENT as u64);
    let limit = u64::from(PRECISION) + 64;
    let mut result = (BigUint::from(5u32).pow(exponent.min(START) as u32), 0i64);
    let mut factor = (BigUint::from(5u32), 0i64);
    let mut left = exponent.saturating_sub(START);
    while left > 0 {
        if left & 1 == 1 {
            result = cut(&result.0 * &factor.0, result.1 + factor.1, limit);
        }
        factor = cut(&factor.0 * &factor.0, factor.1 * 2, limit + 64);
        left >>= 1;
    }
    Parts { negative: false, mantissa: result.0, exponent: result.1, precision: PRECISION }
}

/// Rounds to `limit` bits, ties to even.
fn cut(mantissa: BigUint, exponent: i64, limit: u64) -> (BigUint, i64) {
    let bits = mantissa.bits();
    if bits <= limit {
        return (mantissa, exponent);
    }
    let drop = bits - limit;
    let half = mantissa.bit(drop - 1);
    let below = mantissa.trailing_zeros().is_some_and(|zeros| zeros < drop - 1);
    let mut kept: BigUint = mantissa >> drop;
    if half && (below || kept.bit(0)) {
        kept += 1u32;
    }
    (kept, exponent + drop as i64)
}

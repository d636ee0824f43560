use std::{fmt, str::FromStr};

use num_bigint::BigUint;
use num_traits::Zero;

use super::{MAX_EXPONENT, Number, Repr, arith::scale_decimal};

/// The text is not a decimal number, or one too large or too small to work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number is required")]
pub struct NumberParseError;

/// Exact decimals up to this many digits are the shortest ones: no two of them are as near as 512 bits can tell.
const EXACT_DIGITS: usize = 150;
/// Digits of a literal that are read; far more than any rounding looks at.
const MAX_DIGITS: usize = 100_000;

impl Number {
    /// Reads a decimal: sign, digits with a point, exponent (`e` of ten, `p` of two); or `Inf`.
    ///
    /// # Errors
    /// [`NumberParseError`] for anything else, such as spaces, underscores or `0x`, and for numbers out of range.
    pub fn parse(text: &str) -> Result<Self, NumberParseError> {
        let (negative, rest) = match text.as_bytes() {
            [b'-', ..] => (true, text.get(1..).unwrap_or("")),
            [b'+', ..] => (false, text.get(1..).unwrap_or("")),
            _ => (false, text),
        };
        if rest == "Inf" || rest == "inf" {
            return Ok(Self(Repr::Infinite { negative }));
        }
        if let ([b'0'..=b'9', ..], 1..=18) = (rest.as_bytes(), rest.len())
            && let Ok(small) = rest.parse::<i64>()
        {
            let value = Self(Repr::Small(small));
            return Ok(if negative { value.neg() } else { value });
        }
        let (mantissa, exponent, base) = match rest.find(['e', 'E', 'p', 'P']) {
            Some(at) => {
                let (mantissa, tail) = rest.split_at(at);
                let base = if tail.starts_with(['e', 'E']) { 10 } else { 2 };
                (mantissa, exponent(tail.get(1..).unwrap_or(""))?, base)
            }
            None => (rest, 0, 10),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
            return Err(NumberParseError);
        }
        if mantissa.len() > MAX_DIGITS {
            return Err(NumberParseError);
        }
        let fraction = fraction.trim_end_matches('0');
        let digits = [whole, fraction].concat();
        let mantissa = BigUint::parse_bytes(digits.as_bytes(), 10).ok_or(NumberParseError)?;
        if mantissa.is_zero() {
            return Ok(if negative { Self(Repr::NegativeZero) } else { Self::ZERO });
        }
        let point = -(fraction.len() as i64);
        let (two, five) = if base == 10 { (point + exponent, point + exponent) } else { (point + exponent, point) };
        // Checked before powers are computed; what is out of range here is far out.
        if two.abs().max(five.abs()) > MAX_EXPONENT {
            return Err(NumberParseError);
        }
        let number = scale_decimal(negative, mantissa, two, five);
        if number.is_infinite() || number.is_zero() { Err(NumberParseError) } else { Ok(number) }
    }

    /// Returns the first `count` significant decimal digits of a finite number, rounded half to even, and the place of
    /// the point: the value is `0.digits · 10^point`. Zero has no digits.
    pub(crate) fn rounded_digits(&self, count: usize) -> Option<(Vec<u8>, i64)> {
        let parts = self.parts()?;
        let mut decimal = Decimal::exact(&parts.mantissa, parts.exponent);
        decimal.round(count);
        Some((decimal.digits, decimal.point))
    }
}

fn exponent(text: &str) -> Result<i64, NumberParseError> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, text.get(1..).unwrap_or("")),
        [b'+', ..] => (false, text.get(1..).unwrap_or("")),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NumberParseError);
    }
    let digits = digits.trim_start_matches('0');
    if digits.len() > 9 {
        return Err(NumberParseError);
    }
    let value = if digits.is_empty() { 0 } else { digits.parse::<i64>().map_err(|_| NumberParseError)? };
    Ok(if negative { -value } else { value })
}

impl FromStr for Number {
    type Err = NumberParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// `0.digits · 10^point`, digits as ASCII without leading or trailing zeros.
struct Decimal {
    digits: Vec<u8>,
    point: i64,
}

impl Decimal {
    /// The exact decimal of `mantissa · 2^exponent`.
    fn exact(mantissa: &BigUint, exponent: i64) -> Self {
        let (integer, places) = if exponent >= 0 {
            (mantissa << exponent, 0)
        } else {
            (mantissa * BigUint::from(5u32).pow(exponent.unsigned_abs() as u32), exponent)
        };
        if integer.is_zero() {
            return Self { digits: Vec::new(), point: 0 };
        }
        let mut digits = integer.to_str_radix(10).into_bytes();
        let point = digits.len() as i64 + places;
        trim(&mut digits);
        Self { digits, point }
    }

    fn at(&self, idx: usize) -> u8 {
        self.digits.get(idx).copied().unwrap_or(b'0')
    }

    /// Rounds to `count` digits, ties to even.
    fn round(&mut self, count: usize) {
        let Some(&next) = self.digits.get(count) else {
            return;
        };
        let tie = next == b'5' && count + 1 == self.digits.len();
        let up = if tie { count > 0 && self.at(count - 1) & 1 == 1 } else { next >= b'5' };
        if up { self.round_up(count) } else { self.round_down(count) }
    }

    fn round_down(&mut self, count: usize) {
        self.digits.truncate(count);
        trim(&mut self.digits);
    }

    fn round_up(&mut self, count: usize) {
        self.digits.truncate(count);
        while let Some(digit) = self.digits.last_mut() {
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            self.digits.pop();
        }
        self.digits.push(b'1');
        self.point += 1;
    }

    /// Cuts the decimal to as few digits as still read back, walking the digits beside those of both neighbours'
    /// midpoints, as Go's `big.Float` does (`precision` bits of mantissa).
    fn shorten(&mut self, mantissa: &BigUint, exponent: i64, precision: u32) {
        if self.digits.len() <= EXACT_DIGITS && precision == super::PRECISION {
            return;
        }
        // One bit more than the mantissa has: the last one is half a unit.
        let shift = i64::from(precision) + 1 - mantissa.bits() as i64;
        let units = mantissa << shift;
        let inclusive = !units.bit(1);
        let lower = Self::exact(&(&units - 1u32), exponent - shift);
        let upper = Self::exact(&(&units + 1u32), exponent - shift);
        for idx in 0..self.digits.len() {
            let (low, digit, high) = (lower.at(idx), self.at(idx), upper.at(idx));
            let can_cut = low != digit || inclusive && idx + 1 == lower.digits.len();
            let can_raise = digit != high && (inclusive || digit + 1 < high || idx + 1 < upper.digits.len());
            match (can_cut, can_raise) {
                (true, true) => return self.round(idx + 1),
                (true, false) => return self.round_down(idx + 1),
                (false, true) => return self.round_up(idx + 1),
                (false, false) => {}
            }
        }
    }
}

fn trim(digits: &mut Vec<u8>) {
    while digits.last() == Some(&b'0') {
        digits.pop();
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let big = match &self.0 {
            Repr::Small(value) => return write!(f, "{value}"),
            Repr::NegativeZero => return f.write_str("-0"),
            Repr::Infinite { negative: false } => return f.write_str("+Inf"),
            Repr::Infinite { negative: true } => return f.write_str("-Inf"),
            Repr::Big(big) => big,
        };
        let mut decimal = Decimal::exact(&big.mantissa, big.exponent);
        decimal.shorten(&big.mantissa, big.exponent, big.precision);
        let Decimal { digits, point } = decimal;
        let mut text = String::with_capacity(digits.len() + point.unsigned_abs() as usize + 3);
        if big.negative {
            text.push('-');
        }
        if point <= 0 {
            text.push_str("0.");
            text.extend(std::iter::repeat_n('0', point.unsigned_abs() as usize));
            text.extend(digits.iter().map(|&digit| char::from(digit)));
        } else {
            let whole = point as usize;
            for idx in 0..digits.len().max(whole) {
                if idx == whole {
                    text.push('.');
                }
                text.push(digits.get(idx).map_or('0', |&digit| char::from(digit)));
            }
        }
        f.write_str(&text)
    }
}

//! Logarithms and powers that come out the same on every platform, and as Terraform computes them.
//!
//! A system's own library differs from the next one in the last bit, and a plan must not hang on that. The logarithm is the
//! classic one by argument reduction and a polynomial; powers square and multiply, keeping the exponent apart.

/// Returns mantissa and exponent: `value = mantissa · 2^exponent`, the mantissa's magnitude in `[0.5, 1)`.
fn split(value: f64) -> (f64, i32) {
    if value == 0.0 || !value.is_finite() {
        return (value, 0);
    }
    // Subnormal numbers are scaled up first.
    let (value, shift) = if value.abs() < f64::MIN_POSITIVE { (value * 2f64.powi(52), -52) } else { (value, 0) };
    let bits = value.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1022;
    let mantissa = f64::from_bits((bits & !(0x7ff << 52)) | (1022 << 52));
    (mantissa, exponent + shift)
}

/// Returns `mantissa · 2^exponent`, rounded once.
fn scale(mantissa: f64, exponent: i32) -> f64 {
    let (mantissa, own) = split(mantissa);
    if mantissa == 0.0 || !mantissa.is_finite() {
        return mantissa;
    }
    let exponent = exponent.saturating_add(own);
    if exponent > 1024 {
        return f64::INFINITY.copysign(mantissa);
    }
    if exponent < -1080 {
        return 0f64.copysign(mantissa);
    }
    // Two exact steps and one that may round, into the subnormal numbers.
    let half = exponent / 2;
    mantissa * 2f64.powi(half) * 2f64.powi(exponent - half)
}

/// Returns the natural logarithm.
pub(super) fn ln(value: f64) -> f64 {
    const LN2_HIGH: f64 = 6.931_471_803_691_238_16e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_70e-10;
    const COEFFICIENTS: [f64; 7] = [
        6.666_666_666_666_735_13e-1,
        3.999_999_999_940_941_908e-1,
        2.857_142_874_366_239_149e-1,
        2.222_219_843_214_978_396e-1,
        1.818_357_216_161_805_012e-1,
        1.531_383_769_920_937_332e-1,
        1.479_819_860_511_658_591e-1,
    ];
    if value.is_nan() || value < 0.0 {
        return f64::NAN;
    }
    if value == 0.0 {
        return f64::NEG_INFINITY;
    }
    if value.is_infinite() {
        return f64::INFINITY;
    }
    let (mut fraction, mut exponent) = split(value);
    if fraction < std::f64::consts::FRAC_1_SQRT_2 {
        fraction *= 2.0;
        exponent -= 1;
    }
    let f = fraction - 1.0;
    let k = f64::from(exponent);
    let [c1, c2, c3, c4, c5, c6, c7] = COEFFICIENTS;
    let s = f / (2.0 + f);
    let s2 = s * s;
    let s4 = s2 * s2;
    let odd = s2 * (c1 + s4 * (c3 + s4 * (c5 + s4 * c7)));
    let even = s4 * (c2 + s4 * (c4 + s4 * c6));
    let rest = odd + even;
    let half_square = 0.5 * f * f;
    k * LN2_HIGH - ((half_square - (s * (half_square + rest) + k * LN2_LOW)) - f)
}

/// Returns `base` raised to `power`; not-a-number for a fractional power of a negative number.
pub(super) fn pow(base: f64, power: f64) -> f64 {
    let magnitude = power.abs();
    if power == 0.0 || base == 1.0 {
        return 1.0;
    }
    if magnitude == 0.5 && base.is_finite() {
        let root = base.sqrt();
        return if power > 0.0 { root } else { 1.0 / root };
    }
    // Infinities, zeros and powers beyond all integers have one answer everywhere.
    if !base.is_finite() || base == 0.0 || !power.is_finite() || magnitude >= 2f64.powi(63) {
        return base.powf(power);
    }
    let (mut whole, mut fraction) = (magnitude.trunc(), magnitude.fract());
    if fraction != 0.0 && base < 0.0 {
        return f64::NAN;
    }
    let mut result = 1.0;
    let mut exponent = 0_i32;
    if fraction != 0.0 {
        if fraction > 0.5 {
            fraction -= 1.0;
            whole += 1.0;
        }
        result = (fraction * ln(base)).exp();
    }
    let (mut square, mut square_exponent) = split(base);
    let mut left = whole as u64;
    while left != 0 {
        if square_exponent.abs() > 1 << 12 {
            // Far out of range, whatever is left to multiply.
            exponent = exponent.saturating_add(square_exponent);
            break;
        }
        if left & 1 == 1 {
            result *= square;
            exponent += square_exponent;
        }
        square *= square;
        square_exponent *= 2;
        if square < 0.5 {
            square += square;
            square_exponent -= 1;
        }
        left >>= 1;
    }
    if power < 0.0 {
        result = 1.0 / result;
        exponent = exponent.saturating_neg();
    }
    scale(result, exponent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_results() {
        assert_eq!(ln(2.0) / ln(3.0), 0.630_929_753_571_457_5);
        assert_eq!(ln(8.0) / ln(2.0), 3.0);
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(ln(0.0), f64::NEG_INFINITY);
        assert!(ln(-1.0).is_nan());
        assert_eq!(pow(1.1, 10.0), 2.593_742_460_100_002);
        assert_eq!(pow(2.0, 100.0), 2f64.powi(100));
        assert_eq!(pow(2.0, -1074.0), f64::from_bits(1));
        assert_eq!(pow(2.0, 2000.0), f64::INFINITY);
        assert_eq!(pow(-2.0, 3.0), -8.0);
        assert_eq!(pow(2.0, 0.5), std::f64::consts::SQRT_2);
        assert!(pow(-8.0, 1.0 / 3.0).is_nan());
        assert_eq!(pow(0.0, 0.0), 1.0);
    }

    proptest! {
        #[test]
        fn close_to_the_platform(base in 1e-3..1e3_f64, power in -60.0..60.0_f64) {
            let (ours, theirs) = (pow(base, power), base.powf(power));
            prop_assert!((ours - theirs).abs() <= theirs.abs() * 1e-13, "{base}^{power}: {ours} {theirs}");
            prop_assert!((ln(base) - base.ln()).abs() <= base.ln().abs() * 1e-14 + 1e-300);
        }

        #[test]
        fn any_float_ends(base in any::<f64>(), power in any::<f64>()) {
            let _ = (ln(base), pow(base, power));
        }
    }
}

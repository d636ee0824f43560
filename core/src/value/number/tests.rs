use num_bigint::{BigInt, BigUint};
use proptest::prelude::*;

use super::Number;

fn n(text: &str) -> Number {
    Number::parse(text).unwrap_or_else(|_| panic!("{text} is a number"))
}

fn check(number: Number, expect: &str) {
    assert_eq!(number.to_string(), expect);
}

const THIRD: &str = "0.33333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333335";

#[test]
fn prints_what_terraform_prints() {
    for (text, expect) in [
        ("1e3", "1000"),
        ("1.50", "1.5"),
        ("1E-3", "0.001"),
        ("+1", "1"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1p3", "8"),
        ("-0", "-0"),
        ("-0.0", "-0"),
        ("1e-7", "0.0000001"),
        ("1e21", "1000000000000000000000"),
        ("9007199254740993", "9007199254740993"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775808", "9223372036854775808"),
        ("Inf", "+Inf"),
        ("-inf", "-Inf"),
        ("000000000000000000000000012", "12"),
    ] {
        check(n(text), expect);
    }
    check(n("1e400"), &format!("1{}", "0".repeat(400)));
    check(n("1e-400"), &format!("0.{}1", "0".repeat(399)));
    check(n("1e3000"), &format!("1{}", "0".repeat(3000)));
}

#[test]
fn refuses_what_is_no_decimal() {
    for text in [
        "",
        " 1",
        "1 ",
        "0x10",
        "1_0",
        "1e",
        "e1",
        ".",
        "-",
        "--1",
        "1e1e1",
        "1e1.5",
        "nan",
        "infinity",
        "1,5",
        "²",
        "1e99999999999999999999",
        "1e50000",
        "1e-50000",
        "1p999999",
    ] {
        assert!(Number::parse(text).is_err(), "{text}");
    }
    assert!(Number::parse(&"9".repeat(60_000)).is_err());
    assert_eq!(n("0e999999"), Number::ZERO);
}

#[test]
fn computes_as_terraform_does() -> Result<(), super::NotANumber> {
    check(n("1").div(&n("3"))?, THIRD);
    check(n("2").div(&n("3"))?.mul(&n("3"))?, "2");
    check(n("0.1").add(&n("0.2"))?, "0.3");
    assert_eq!(n("0.1").add(&n("0.2"))?, n("0.3"));
    check(n("10").rem(&n("3"))?, "1");
    check(n("-10").rem(&n("3"))?, "-1");
    check(n("10").rem(&n("-3"))?, "1");
    check(n("5.5").rem(&n("2"))?, "1.5");
    check(n("5.5").rem(&n("0"))?, "5.5");
    check(n("1").div(&n("0"))?, "+Inf");
    check(n("1").div(&n("-0"))?, "-Inf");
    check(n("0").mul(&n("-1"))?, "-0");
    check(n("1").sub(&n("1.0"))?, "0");
    check(n("-0").add(&n("-0"))?, "-0");
    check(n("-0").add(&n("0"))?, "0");
    check(n("9007199254740993.7").floor(), "9007199254740993");
    check(n("-1.5").floor(), "-2");
    check(n("-1.2").ceil(), "-1");
    check(n("1.0000000000000001").ceil(), "2");
    check(n("-1.9").trunc(), "-1");
    check(n("1e30").ceil(), "1000000000000000000000000000000");
    check(n("-1e30").abs(), "1000000000000000000000000000000");
    check(n("-0").abs(), "0");
    check(Number::from(i64::MIN).neg(), "9223372036854775808");
    check(Number::from(i64::MIN).div(&n("-1"))?, "9223372036854775808");
    check(Number::from(i64::MIN).rem(&n("-1"))?, "0");
    check(n("1e400").add(&n("1e-400"))?, &format!("1{}", "0".repeat(400)));
    check(n("Inf").add(&n("1"))?, "+Inf");
    check(n("1").div(&n("-Inf"))?, "-0");
    for refused in [
        n("0").div(&n("0")),
        n("Inf").div(&n("Inf")),
        n("Inf").sub(&n("Inf")),
        n("Inf").add(&n("-Inf")),
        n("0").mul(&n("Inf")),
        n("0").rem(&n("Inf")),
    ] {
        assert!(refused.is_err());
    }
    Ok(())
}

#[test]
fn floats_keep_their_digits() -> Result<(), super::NotANumber> {
    let f = |value| Number::from_f64(value).expect("a number");
    check(f(2f64.powi(100)), "1267650600228229400000000000000");
    check(f(2f64.powi(60)), "1152921504606847000");
    check(f(1.1f64.powi(2)), "1.2100000000000002");
    check(f(1.1f64.powi(2)).mul(&n("3"))?, "3.6300000000000005595524044110788963735103607177734375");
    // Half-way between two floats, and this one is even.
    check(f(1e23), "100000000000000000000000");
    check(f(8.0), "8");
    check(f(8.0).div(&f(3.0))?, "2.6666666666666665");
    check(f(f64::NEG_INFINITY), "-Inf");
    check(f(-0.0), "-0");
    assert!(Number::from_f64(f64::NAN).is_none());
    assert_eq!(f(8.0), Number::from(8));
    assert_eq!(f(2f64.powi(70)), n("1180591620717411303424"));
    assert_eq!(n("0.5").to_f64(), Some(0.5));
    assert_eq!(n("0.1").to_f64(), None);
    assert_eq!(n("9007199254740993").to_f64(), None);
    Ok(())
}

#[test]
fn ties_go_to_even() {
    let from = |low: u32| Number::from((BigInt::from(1) << 512u32) + low);
    assert_eq!(from(1), from(0));
    assert_eq!(from(3), from(4));
    assert_ne!(from(2), from(4));
    assert_eq!(from(0).add(&Number::from(1)), Ok(from(0)));
}

#[test]
fn converts_exactly_or_not_at_all() {
    assert_eq!(n("18446744073709551615").to_u64(), Some(u64::MAX));
    assert_eq!(n("18446744073709551616").to_u64(), None);
    assert_eq!(n("-1").to_u64(), None);
    assert_eq!(n("-9223372036854775808").to_i64(), Some(i64::MIN));
    assert_eq!(n("9223372036854775808").to_i64(), None);
    assert_eq!(n("1.5").to_i64(), None);
    assert_eq!(n("1e3").as_usize(), Some(1000));
    assert!(n("1e30").is_integer() && !n("1.5").is_integer() && !n("Inf").is_integer());
    assert_eq!(n("-2.5").to_bigint(), Some(BigInt::from(-2)));
}

/// A fraction over a power of two, which numbers hold exactly.
fn dyadic() -> impl Strategy<Value = (BigInt, u32)> {
    (any::<i128>(), 0u32..40).prop_map(|(digits, places)| (BigInt::from(digits), places))
}

fn text(digits: &BigInt, places: u32) -> String {
    format!("{digits}p-{places}")
}

/// A mantissa of any size times a power of two: every number there is.
fn any_number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("not a number", Number::from_f64),
        (proptest::collection::vec(any::<u32>(), 1..20), -700i32..700, any::<bool>()).prop_map(
            |(digits, scale, minus)| {
                let number = Number::from(BigInt::from(BigUint::new(digits)));
                let scaled = number.mul(&n(&format!("1p{scale}"))).expect("finite");
                if minus { scaled.neg() } else { scaled }
            }
        ),
    ]
}

proptest! {
    #[test]
    fn reads_what_it_prints(number in any_number()) {
        // A float prints as many digits as a float has; as a plain number it prints them all.
        let plain = number.mul(&Number::ONE).expect("finite or infinite");
        prop_assert_eq!(Number::parse(&plain.to_string()).expect("own output"), plain.clone());
        prop_assert_eq!(plain.to_string(), n(&plain.to_string()).to_string());
    }

    #[test]
    fn floats_print_as_rust_prints_them(float in any::<f64>().prop_filter("finite", |float| float.is_normal())) {
        let ours = Number::from_f64(float).expect("finite").to_string();
        prop_assert_eq!(ours.parse::<f64>().expect("a float").to_bits(), float.to_bits());
        let theirs = float.to_string();
        prop_assert!(ours.len() <= theirs.len());
        prop_assert_eq!(n(&theirs).to_f64_lossy().to_bits(), float.to_bits());
    }

    #[test]
    fn adds_and_multiplies_exactly_within_512_bits((a, i) in dyadic(), (b, j) in dyadic()) {
        let (x, y) = (n(&text(&a, i)), n(&text(&b, j)));
        let (p, q) = (&a << (40 - i), &b << (40 - j));
        prop_assert_eq!(x.add(&y).expect("finite"), n(&text(&(&p + &q), 40)));
        prop_assert_eq!(x.mul(&y).expect("finite"), n(&text(&(&a * &b), i + j)));
        prop_assert_eq!(x.cmp(&y), p.cmp(&q));
    }

    #[test]
    fn rounds_to_the_nearest_of_512_bits(a in proptest::collection::vec(any::<u32>(), 17..20), b in any::<i64>(), scale in 1u32..600) {
        // The exact sum of a long number and a far smaller one, rounded by the definition.
        let (long, small) = (BigInt::from(BigUint::new(a)) << scale, BigInt::from(b));
        let x = Number::from(long.clone());
        let exact = x.to_bigint().expect("finite") + &small;
        prop_assert_eq!(x.add(&Number::from(b)).expect("finite"), Number::from(exact.clone()));
        let rounded = Number::from(exact.clone()).to_bigint().expect("finite");
        let drop = exact.bits().saturating_sub(512);
        let distance = (&rounded - &exact).magnitude() << 1u32;
        prop_assert!(distance <= BigUint::from(1u32) << drop);
        // A quotient lies within half a unit of the last place too.
        if b != 0 {
            let quotient = x.div(&Number::from(b)).expect("finite");
            let back = quotient.mul(&Number::from(b)).expect("finite");
            let off = back.sub(&x).expect("finite").abs();
            prop_assert!(off.mul(&n("1p510")).expect("finite") <= x.abs());
        }
    }

    #[test]
    fn integers_compute_as_bigint(a in any::<i64>(), b in any::<i64>()) {
        let (x, y) = (Number::from(a), Number::from(b));
        let (p, q) = (BigInt::from(a), BigInt::from(b));
        prop_assert_eq!(x.add(&y).expect("finite"), Number::from(&p + &q));
        prop_assert_eq!(x.sub(&y).expect("finite"), Number::from(&p - &q));
        prop_assert_eq!(x.mul(&y).expect("finite"), Number::from(&p * &q));
        if b != 0 {
            prop_assert_eq!(x.rem(&y).expect("finite"), Number::from(&p % &q));
            prop_assert_eq!(x.div(&y).expect("finite").trunc(), Number::from(&p / &q));
        }
    }

    #[test]
    fn order_agrees_with_subtraction(a in any_number(), b in any_number()) {
        if let Ok(difference) = a.sub(&b) {
            prop_assert_eq!(a.cmp(&b) as i8, difference.signum());
        }
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert!(a.floor() <= a && a <= a.ceil() && a.floor().is_integer() != a.is_infinite());
    }

    #[test]
    fn equal_numbers_hash_alike(value in -(1i64 << 53)..(1i64 << 53)) {
        use std::hash::{BuildHasher as _, RandomState};
        let state = RandomState::new();
        let float = Number::from_f64(value as f64).expect("finite");
        prop_assert_eq!(&float, &Number::from(value));
        prop_assert_eq!(state.hash_one(&float), state.hash_one(Number::from(value)));
    }

    #[test]
    fn never_panics_on_text(text in "[-+0-9.eEpPinf]{0,12}") {
        let _ = Number::parse(&text);
    }
}

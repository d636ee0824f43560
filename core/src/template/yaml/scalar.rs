use std::sync::Arc;

use crate::template::json::Kind;

/// What a plain scalar means: YAML 1.2's core schema.
///
/// # Errors
/// What is wrong with it, and the way out.
pub(super) fn plain(text: &str) -> Result<Option<Kind>, (String, &'static str)> {
    let kind = match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ => return number(text).map(|number| number.map(Kind::Number)),
    };
    Ok(Some(kind))
}

/// Returns a number as JSON writes it; nothing where the text is none.
fn number(text: &str) -> Result<Option<Arc<str>>, (String, &'static str)> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if matches!(rest, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err((format!("`{text}` is no number that a template can hold"), "quote it, if a text is meant"));
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        let digits = rest.strip_prefix(prefix).filter(|digits| !digits.is_empty() && digits.len() < 10_000);
        if let Some(digits) = digits.filter(|digits| digits.chars().all(|char| char.is_digit(radix))) {
            let number = num_bigint::BigInt::parse_bytes(digits.as_bytes(), radix);
            return Ok(number.map(|number| format!("{sign}{number}").into()));
        }
    }
    let Some((whole, fraction, exponent)) = decimal(rest) else { return Ok(None) };
    if whole.len() > 1 && whole.starts_with('0') {
        let message = format!("`{text}` starts with a zero: it may be meant as an octal number, or as a text");
        return Err((
            message,
            "quote it (file modes are texts), write `0o…` for an octal number, or leave the zeros away",
        ));
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    Ok(Some(format!("{sign}{whole}{fraction}{exponent}").into()))
}

/// Takes `12.5e-3` apart: the digits before and behind the dot, and the exponent with its `e`.
fn decimal(text: &str) -> Option<(&str, &str, &str)> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = text.split_at(text.find(['e', 'E']).unwrap_or(text.len()));
    let power = exponent.get(1..).map(|power| power.strip_prefix(['+', '-']).unwrap_or(power));
    if power.is_some_and(|power| power.is_empty() || !digits(power)) {
        return None;
    }
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let any = !whole.is_empty() || !fraction.is_empty();
    (any && digits(whole) && digits(fraction)).then_some((whole, fraction, exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_mean_what_the_core_schema_says() {
        let shown = |text: &str| match plain(text) {
            Err((message, _)) => message,
            Ok(None) => "a string".to_owned(),
            Ok(Some(Kind::Null)) => "null".to_owned(),
            Ok(Some(Kind::Bool(value))) => value.to_string(),
            Ok(Some(Kind::Number(number))) => number.to_string(),
            Ok(Some(_)) => "something else".to_owned(),
        };
        for text in ["", "~", "null", "NULL"] {
            assert_eq!(shown(text), "null", "{text}");
        }
        for text in [
            "yes", "no", "on", "off", "y", "nULL", "-", ".", "e5", "1e", "1e+", "0x", "0xg", "0o8", "1.2.3", "1_000",
            "٣",
        ] {
            assert_eq!(shown(text), "a string", "{text}");
        }
        let numbers = [
            ("0", "0"),
            ("-12", "-12"),
            ("+5", "5"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("5.", "5"),
            ("1.50e-3", "1.50e-3"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("-0x10", "-16"),
            ("0.10", "0.10"),
        ];
        for (text, expect) in numbers {
            assert_eq!(shown(text), expect, "{text}");
        }
        assert_eq!(shown("True"), "true");
        assert!(shown("0644").contains("starts with a zero"));
        assert!(shown("-.INF").contains("no number"));
    }
}

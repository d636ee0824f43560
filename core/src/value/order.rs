use std::{cmp::Ordering, fmt::Write as _};

use super::{Kind, Number, Value};

/// Sorts the elements of a set and drops duplicates. Values that are not wholly known are all kept: each may become
/// anything.
pub(super) fn sort_set(mut values: Vec<Value>) -> Vec<Value> {
    if values.iter().all(|value| matches!(value.kind(), Kind::String(_) | Kind::Number(_) | Kind::Bool(_))) {
        values.sort_by(by_set_order);
    } else {
        let mut keyed: Vec<(SortKey, Value)> = values.into_iter().map(|value| (SortKey::of(&value), value)).collect();
        keyed.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| by_set_order(x, y)));
        values = keyed.into_iter().map(|(_, value)| value).collect();
    }
    // A value that is not wholly known equals nothing, not even itself.
    values.dedup_by(|a, b| a.is_wholly_known() && by_set_order(a, b) == Ordering::Equal);
    values
}

/// What decides between values that are not both plain: computed once for each.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct SortKey {
    rank: u8,
    text: String,
}

impl SortKey {
    fn of(value: &Value) -> Self {
        let rank = rank(value);
        let mut text = String::new();
        if rank == 0 && !matches!(value.kind(), Kind::String(_) | Kind::Number(_) | Kind::Bool(_)) {
            write_key(value, &mut text);
        }
        Self { rank, text }
    }
}

/// Known values before nulls before unknowns.
fn rank(value: &Value) -> u8 {
    match value.kind() {
        Kind::Null(_) => 1,
        Kind::Unknown(_) => 2,
        _ => 0,
    }
}

/// A total order of values: equal only for values that [`Value::equals`], marks aside, and unknowns of one type.
pub(super) fn by_set_order(a: &Value, b: &Value) -> Ordering {
    match (a.kind(), b.kind()) {
        (Kind::String(a), Kind::String(b)) => a.cmp(b),
        (Kind::Number(a), Kind::Number(b)) => a.cmp(b),
        (Kind::Bool(a), Kind::Bool(b)) => a.cmp(b),
        (Kind::Null(_), Kind::Null(_)) => Ordering::Equal,
        (Kind::Unknown(a), Kind::Unknown(b)) => a.ty.cmp(&b.ty),
        _ => rank(a).cmp(&rank(b)).then_with(|| {
            let text = |value: &Value| {
                let mut text = String::new();
                write_key(value, &mut text);
                text
            };
            text(a).cmp(&text(b)).then_with(|| structure(a, b))
        }),
    }
}

/// Decides between compound values with the same key: numbers there have ten digits only.
fn structure(a: &Value, b: &Value) -> Ordering {
    match (a.kind(), b.kind()) {
        (Kind::List(a), Kind::List(b)) | (Kind::Set(a), Kind::Set(b)) | (Kind::Tuple(a), Kind::Tuple(b)) => {
            each(a.iter(), b.iter()).then(a.len().cmp(&b.len()))
        }
        (Kind::Map(a), Kind::Map(b)) | (Kind::Object(a), Kind::Object(b)) => a
            .names()
            .cmp(b.names())
            .then_with(|| each(a.iter().map(|(_, value)| value), b.iter().map(|(_, value)| value))),
        _ => kind_number(a).cmp(&kind_number(b)),
    }
}

fn each<'a>(a: impl Iterator<Item = &'a Value>, b: impl Iterator<Item = &'a Value>) -> Ordering {
    a.zip(b).map(|(a, b)| by_set_order(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn kind_number(value: &Value) -> u8 {
    match value.kind() {
        Kind::Bool(_) => 0,
        Kind::Number(_) => 1,
        Kind::String(_) => 2,
        Kind::List(_) => 3,
        Kind::Set(_) => 4,
        Kind::Map(_) => 5,
        Kind::Tuple(_) => 6,
        Kind::Object(_) => 7,
        Kind::Null(_) => 8,
        Kind::Unknown(_) => 9,
    }
}

/// The text by which Terraform orders compound elements of sets, so that ours come in the same order.
fn write_key(value: &Value, out: &mut String) {
    match value.kind() {
        Kind::Null(_) => out.push('~'),
        Kind::Unknown(_) => out.push('?'),
        Kind::Bool(value) => out.push(if *value { 'T' } else { 'F' }),
        Kind::Number(number) => write_number(number, out),
        Kind::String(text) => super::display::quote_go(text, out),
        Kind::List(items) | Kind::Set(items) => write_items(items, ('[', ']'), out),
        Kind::Tuple(items) => write_items(items, ('<', '>'), out),
        Kind::Map(fields) => {
            out.push('{');
            for (name, value) in fields.iter() {
                super::display::quote_go(name, out);
                out.push(':');
                write_key(value, out);
                out.push(';');
            }
            out.push('}');
        }
        Kind::Object(fields) => {
            out.push('<');
            for (_, value) in fields.iter() {
                write_key(value, out);
                out.push(';');
            }
            out.push('>');
        }
    }
}

fn write_items(items: &[Value], (open, close): (char, char), out: &mut String) {
    out.push(open);
    for item in items {
        write_key(item, out);
        out.push(';');
    }
    out.push(close);
}

/// Ten significant digits, with an exponent where it is below -4 or above 9 (`%.10g`).
fn write_number(number: &Number, out: &mut String) {
    let Some((digits, point)) = number.rounded_digits(10) else {
        let _ = write!(out, "{number}");
        return;
    };
    if number.is_negative() {
        out.push('-');
    }
    if digits.is_empty() {
        out.push('0');
        return;
    }
    let exponent = point - 1;
    let digit = |idx: i64| usize::try_from(idx).ok().and_then(|idx| digits.get(idx)).map_or('0', |&d| char::from(d));
    let count = digits.len() as i64;
    if !(-4..10).contains(&exponent) {
        out.push(digit(0));
        if count > 1 {
            out.push('.');
            out.extend((1..count).map(digit));
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "e{sign}{:02}", exponent.abs());
    } else if point <= 0 {
        out.push_str("0.");
        out.extend((0..-point).map(|_| '0'));
        out.extend((0..count).map(digit));
    } else {
        out.extend((0..point).map(digit));
        if count > point {
            out.push('.');
            out.extend((point..count).map(digit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Type;

    fn key(value: &Value) -> String {
        let mut text = String::new();
        write_key(value, &mut text);
        text
    }

    #[test]
    fn numbers_in_keys_have_ten_digits() {
        for (number, expect) in [
            ("0", "0"),
            ("-1", "-1"),
            ("1234567890", "1234567890"),
            ("12345678901", "1.23456789e+10"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("0.30", "0.3"),
            ("1.23456789012", "1.23456789"),
            ("100", "100"),
            ("1e100", "1e+100"),
            ("Inf", "+Inf"),
        ] {
            assert_eq!(key(&Value::number(Number::parse(number).expect("a number"))), expect);
        }
    }

    #[test]
    fn sets_are_sorted_and_distinct() {
        let strings = |texts: &[&str]| texts.iter().map(|text| Value::string(*text)).collect::<Vec<_>>();
        let set = Value::set(Type::String, strings(&["b", "a", "B", "10", "9", "é", "a"]));
        let got: Vec<_> = set.elements().filter_map(Value::as_str).collect();
        assert_eq!(got, ["10", "9", "B", "a", "b", "é"]);
        let set = Value::set(Type::Number, [10, 9, 2, 9].map(Value::number).to_vec());
        assert_eq!(format!("{set:?}"), "set[2, 9, 10]");
        let set = Value::set(
            Type::Bool,
            vec![Value::bool(true), Value::bool(false), Value::null(Type::Bool), Value::bool(true)],
        );
        assert_eq!(format!("{set:?}"), "set[false, true, null(bool)]");
    }

    #[test]
    fn unknown_elements_all_stay() {
        let unknown = Value::unknown(Type::String);
        let set = Value::set(Type::String, vec![unknown.clone(), Value::string("a"), unknown, Value::string("a")]);
        assert_eq!(format!("{set:?}"), r#"set["a", unknown(string), unknown(string)]"#);
        assert_eq!(set.length_bounds(), Some((1, Some(3))));
    }

    #[test]
    fn near_numbers_in_objects_stay_apart() {
        let object = |text: &str| Value::object([("a", Value::number(Number::parse(text).expect("a number")))]);
        let ty = object("1").ty();
        let set =
            Value::set(ty, vec![object("1.00000000000002"), object("1.00000000000001"), object("1.00000000000002")]);
        assert_eq!(format!("{set:?}"), r#"set[{"a": 1.00000000000001}, {"a": 1.00000000000002}]"#);
    }
}

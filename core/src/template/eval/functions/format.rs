//! `format` and `formatlist`: Go's verbs, for the values of the language.

use std::fmt::Write as _;

use num_bigint::BigInt;

use super::{Call, text};
use crate::{
    template::eval::Problem,
    value::{Kind, Number, Refinement, Type, Value, convert, to_json},
};

/// Widths and precisions beyond it are refused.
const WIDEST: usize = 100_000;

/// One verb with what stands between it and its `%`.
#[derive(Clone, Debug)]
struct Verb<'a> {
    raw: &'a str,
    letter: char,
    /// The argument, counted from 0.
    argument: usize,
    minus: bool,
    plus: bool,
    space: bool,
    zero: bool,
    sharp: bool,
    width: usize,
    precision: Option<usize>,
}

/// Literal text, or a verb.
enum Piece<'a> {
    Text(&'a str),
    Verb(Verb<'a>),
}

pub(super) fn format(call: Call<'_>) -> Result<Value, Problem> {
    let pattern = call.text(0);
    let arguments = call.arguments.get(1..).unwrap_or(&[]);
    if !arguments.iter().all(Value::is_wholly_known) {
        // What stands before the first verb will be there whatever comes.
        let prefix = pattern.split('%').next().unwrap_or("");
        return Ok(Value::unknown_with(Type::String, Refinement::not_null().with_prefix(prefix)));
    }
    call.string(write(&parse(pattern)?, &arguments.iter().collect::<Vec<_>>())?)
}

pub(super) fn format_list(call: Call<'_>) -> Result<Value, Problem> {
    let arguments = call.arguments.get(1..).unwrap_or(&[]);
    let mut length = None;
    let mut is_open = !call.value(0)?.is_known();
    for (idx, argument) in arguments.iter().enumerate() {
        let own = match argument.kind() {
            // How many elements it will have is not known, nor in which order.
            Kind::Set(items) if items.len() > 1 && !argument.is_wholly_known() => {
                is_open = true;
                None
            }
            Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => Some(items.len()),
            Kind::Unknown(known) if known.ty == Type::Any || matches!(known.ty, Type::List(_) | Type::Set(_)) => {
                is_open = true;
                None
            }
            Kind::Unknown(known) => {
                let own = known.ty.as_tuple().map(<[Type]>::len);
                is_open |= own.is_some();
                own
            }
            _ => None,
        };
        let Some(own) = own else { continue };
        match length {
            Some((other, first)) if own != other && call.value(0)?.is_known() => {
                return Err(Problem::argument(
                    idx + 1,
                    format!("it has {own} elements, but argument {} has {other}", first + 2),
                ));
            }
            Some(_) => {}
            None => length = Some((own, idx)),
        }
    }
    if is_open {
        return Ok(Value::unknown(Type::list(Type::String)));
    }
    // A pattern counts from the first element that is known.
    let mut pieces = None;
    let count = length.map_or(1, |(count, _)| count);
    call.room(count)?;
    let mut texts = Vec::with_capacity(count);
    for at in 0..count {
        let row: Vec<&Value> = arguments
            .iter()
            .map(|argument| match argument.kind() {
                Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => items.get(at).unwrap_or(argument),
                _ => argument,
            })
            .collect();
        if !row.iter().all(|value| value.is_wholly_known()) {
            texts.push(Value::unknown_with(Type::String, Refinement::not_null()));
            continue;
        }
        let pieces = match &pieces {
            Some(pieces) => pieces,
            None => pieces.insert(parse(call.text(0))?),
        };
        let text = write(pieces, &row).map_err(|problem| {
            let message = format!("element {at}: {}", problem.message);
            Problem { message, ..problem }
        })?;
        texts.push(call.string(text)?);
    }
    Ok(Value::list(Type::String, texts))
}

fn parse(pattern: &str) -> Result<Vec<Piece<'_>>, Problem> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    let mut next = 0;
    while let Some(at) = rest.find('%') {
        let (text, tail) = rest.split_at(at);
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        if let Some(after) = tail.strip_prefix("%%") {
            pieces.push(Piece::Text("%"));
            rest = after;
            continue;
        }
        let (verb, after) = parse_verb(tail, next).map_err(|why| {
            let offset = pattern.len() - tail.len();
            Problem::argument(0, format!("{why}, in the verb at byte {offset}")).help("write `%%` for a percent sign")
        })?;
        next = verb.argument + 1;
        pieces.push(Piece::Verb(verb));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

/// Reads `%`, flags, width, `.precision`, `[argument]`, letter.
fn parse_verb(text: &str, next: usize) -> Result<(Verb<'_>, &str), String> {
    let mut verb = Verb {
        raw: text,
        letter: ' ',
        argument: next,
        minus: false,
        plus: false,
        space: false,
        zero: false,
        sharp: false,
        width: 0,
        precision: None,
    };
    let mut rest = text.get(1..).unwrap_or("");
    loop {
        match rest.bytes().next() {
            Some(b'-') => verb.minus = true,
            Some(b'+') => verb.plus = true,
            Some(b' ') => verb.space = true,
            Some(b'0') => verb.zero = true,
            Some(b'#') => verb.sharp = true,
            _ => break,
        }
        rest = rest.get(1..).unwrap_or("");
    }
    let (width, tail) = digits(rest);
    verb.width = number(width)?.unwrap_or(0);
    rest = tail;
    if let Some(tail) = rest.strip_prefix('.') {
        let (precision, tail) = digits(tail);
        verb.precision = Some(number(precision)?.unwrap_or(0));
        rest = tail;
    }
    if let Some(tail) = rest.strip_prefix('[') {
        let (argument, tail) = digits(tail);
        let argument = number(argument)?.filter(|argument| *argument > 0);
        let (Some(argument), Some(tail)) = (argument, tail.strip_prefix(']')) else {
            return Err("the number of an argument, counted from 1, stands in brackets".to_owned());
        };
        verb.argument = argument - 1;
        rest = tail;
    }
    let Some(letter) = rest.chars().next() else { return Err("the pattern ends too early".to_owned()) };
    if !letter.is_ascii_alphabetic() {
        return Err(format!("`{letter}` is not expected"));
    }
    if !"vtbdoxXeEfgGsq".contains(letter) {
        return Err(format!("there is no verb `{letter}`"));
    }
    verb.letter = letter;
    let after = rest.get(1..).unwrap_or("");
    verb.raw = text.get(..text.len() - after.len()).unwrap_or("");
    Ok((verb, after))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

fn number(text: &str) -> Result<Option<usize>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse() {
        Ok(number) if number <= WIDEST => Ok(Some(number)),
        _ => Err(format!("a number is greater than {WIDEST}")),
    }
}

fn write(pieces: &[Piece<'_>], arguments: &[&Value]) -> Result<String, Problem> {
    let mut out = String::new();
    let mut used = 0;
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Verb(verb) => {
                used = used.max(verb.argument + 1);
                let Some(value) = arguments.get(verb.argument) else {
                    return Err(Problem::argument(
                        0,
                        format!(
                            "`{}` needs argument {} for the pattern, but there are {}",
                            verb.raw,
                            verb.argument + 1,
                            arguments.len()
                        ),
                    ));
                };
                write_verb(verb, value, &mut out)
                    .map_err(|why| Problem::argument(verb.argument + 1, format!("{why} for `{}`", verb.raw)))?;
            }
        }
    }
    if used < arguments.len() {
        let message = format!("the pattern uses {used} of {} arguments", arguments.len());
        return Err(Problem::argument(used + 1, message).help("remove what is not used, or add a verb for it"));
    }
    Ok(out)
}

fn write_verb(verb: &Verb<'_>, value: &Value, out: &mut String) -> Result<(), String> {
    if verb.letter != 'v' && value.is_null() {
        return Err("it must not be null".to_owned());
    }
    match verb.letter {
        'v' => write_value(verb, value, out),
        't' => {
            let value = convert(value, &Type::Bool).ok().and_then(|value| value.as_bool());
            out.push_str(if value.ok_or("a bool is required")? { "true" } else { "false" });
            Ok(())
        }
        'b' | 'd' | 'o' | 'x' | 'X' => {
            let number = numeric(value)?;
            let integer = number.is_integer().then(|| number.to_bigint()).flatten();
            write_integer(verb, &integer.ok_or("a whole number is required")?, out);
            Ok(())
        }
        'e' | 'E' | 'f' | 'g' | 'G' => {
            write_float(verb, &numeric(value)?, out);
            Ok(())
        }
        's' | 'q' => {
            let value = convert(value, &Type::String).ok();
            let full = value.as_ref().and_then(Value::as_str).ok_or("a string is required")?;
            let length = verb.precision.filter(|most| *most > 0).map_or(-1, |most| most as i64);
            let cut = text::substring(full, 0, length);
            if verb.letter == 'q' {
                pad(verb, &quoted(cut)?, out);
            } else {
                pad(verb, cut, out);
            }
            Ok(())
        }
        _ => Err("there is no such verb".to_owned()),
    }
}

fn numeric(value: &Value) -> Result<Number, String> {
    if matches!(value.kind(), Kind::Bool(_)) {
        return Err("a number is required".to_owned());
    }
    let number = convert(value, &Type::Number).ok();
    number.as_ref().and_then(Value::as_number).cloned().ok_or_else(|| "a number is required".to_owned())
}

fn quoted(text: &str) -> Result<String, String> {
    to_json(&Value::string(text)).map_err(|error| error.to_string())
}

/// `%v`: what suits the type best; `%#v`: JSON.
fn write_value(verb: &Verb<'_>, value: &Value, out: &mut String) -> Result<(), String> {
    let as_json = verb.sharp || !matches!(value.kind(), Kind::String(_) | Kind::Number(_));
    match value.kind() {
        _ if as_json => {
            let text = to_json(value).map_err(|error| error.to_string())?;
            pad(verb, &text, out);
        }
        Kind::Number(number) => {
            let mut digits = String::new();
            let plain = Verb { letter: 'g', precision: None, plus: false, space: false, width: 0, ..verb.clone() };
            write_float(&plain, number, &mut digits);
            pad(verb, &digits, out);
        }
        _ => pad(verb, value.as_str().unwrap_or(""), out),
    }
    Ok(())
}

/// Pads text to the width, counted in grapheme clusters.
fn pad(verb: &Verb<'_>, text: &str, out: &mut String) {
    let missing = verb.width.saturating_sub(text::grapheme_count(text));
    // On either side, as in Terraform.
    let fill = if verb.zero { '0' } else { ' ' };
    if verb.minus {
        out.push_str(text);
    }
    out.extend(std::iter::repeat_n(fill, missing));
    if !verb.minus {
        out.push_str(text);
    }
}

fn sign(verb: &Verb<'_>, negative: bool) -> &'static str {
    match (negative, verb.plus, verb.space) {
        (true, _, _) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        _ => "",
    }
}

fn write_integer(verb: &Verb<'_>, integer: &BigInt, out: &mut String) {
    let radix = match verb.letter {
        'b' => 2,
        'o' => 8,
        'x' | 'X' => 16,
        _ => 10,
    };
    let mut digits = integer.magnitude().to_str_radix(radix);
    if verb.precision == Some(0) && digits == "0" {
        digits.clear();
    }
    let base = match (verb.sharp, verb.letter) {
        (true, 'b') => "0b",
        (true, 'o') => "0",
        (true, 'x' | 'X') => "0x",
        _ => "",
    };
    let precision = verb.precision.unwrap_or(0);
    let mut number = format!("{base}{}{digits}", "0".repeat(precision.saturating_sub(digits.len())));
    if verb.letter == 'X' {
        number.make_ascii_uppercase();
    }
    let negative = integer.sign() == num_bigint::Sign::Minus;
    // A precision says how many digits there are; zeros of the width would contradict it.
    let zeros = verb.zero && !verb.minus && verb.precision.is_none();
    write_number(verb, sign(verb, negative), &number, zeros, out);
}

/// Writes sign and digits to the width; zeros go between them, whatever side was asked for.
fn write_number(verb: &Verb<'_>, sign: &str, digits: &str, zeros: bool, out: &mut String) {
    let missing = verb.width.saturating_sub(sign.len() + digits.len());
    if zeros {
        out.push_str(sign);
        out.extend(std::iter::repeat_n('0', missing));
        out.push_str(digits);
        return;
    }
    if !verb.minus {
        out.extend(std::iter::repeat_n(' ', missing));
    }
    out.push_str(sign);
    out.push_str(digits);
    if verb.minus {
        out.extend(std::iter::repeat_n(' ', missing));
    }
}

fn write_float(verb: &Verb<'_>, number: &Number, out: &mut String) {
    if number.is_infinite() {
        let sign = if number.is_negative() { "-" } else { "+" };
        write_number(verb, sign, "Inf", false, out);
        return;
    }
    let digits = match verb.letter {
        'f' => fixed(number, verb.precision.unwrap_or(6)),
        'e' | 'E' => exponential(&Digits::rounded(number, verb.precision.unwrap_or(6) + 1), verb.precision.or(Some(6))),
        _ => general(number, verb.precision),
    };
    let digits = if verb.letter.is_ascii_uppercase() { digits.to_ascii_uppercase() } else { digits };
    write_number(verb, sign(verb, number.is_negative()), &digits, verb.zero, out);
}

/// The value is `0.digits · 10^point`; zero has no digits.
struct Digits {
    digits: Vec<u8>,
    point: i64,
}

impl Digits {
    fn rounded(number: &Number, count: usize) -> Self {
        let (digits, point) = number.rounded_digits(count).unwrap_or_default();
        Self { digits, point }
    }

    /// The fewest digits that tell the number from its neighbours.
    fn shortest(number: &Number) -> Self {
        let text = number.to_string();
        let text = text.trim_start_matches('-');
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let all = [whole, fraction].concat();
        let significant = all.trim_start_matches('0');
        let point = whole.len() as i64 - (all.len() - significant.len()) as i64;
        let digits = significant.trim_end_matches('0').as_bytes().to_vec();
        Self { point: if digits.is_empty() { 0 } else { point }, digits }
    }

    fn at(&self, idx: i64) -> char {
        usize::try_from(idx).ok().and_then(|idx| self.digits.get(idx)).map_or('0', |&digit| char::from(digit))
    }
}

fn fixed(number: &Number, precision: usize) -> String {
    let point = Digits::shortest(number).point;
    let kept = usize::try_from(point.saturating_add(precision as i64));
    let digits = match kept {
        Ok(kept) => Digits::rounded(number, kept),
        Err(_) => Digits { digits: Vec::new(), point: 0 },
    };
    let mut out = String::new();
    if digits.point > 0 {
        out.extend((0..digits.point).map(|idx| digits.at(idx)));
    } else {
        out.push('0');
    }
    if precision > 0 {
        out.push('.');
        out.extend((0..precision as i64).map(|idx| {
            let at = idx + digits.point;
            if at < 0 { '0' } else { digits.at(at) }
        }));
    }
    out
}

/// `d.ddde±dd`; without a precision as many digits as there are.
fn exponential(digits: &Digits, precision: Option<usize>) -> String {
    let count = precision.unwrap_or_else(|| digits.digits.len().saturating_sub(1));
    let mut out = String::new();
    out.push(digits.at(0));
    if count > 0 {
        out.push('.');
        out.extend((1..=count as i64).map(|idx| digits.at(idx)));
    }
    let exponent = if digits.digits.is_empty() { 0 } else { digits.point - 1 };
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(out, "e{sign}{:02}", exponent.abs());
    out
}

fn general(number: &Number, precision: Option<usize>) -> String {
    let digits = match precision {
        Some(precision) => Digits::rounded(number, precision.max(1)),
        None => Digits::shortest(number),
    };
    if digits.digits.is_empty() {
        return "0".to_owned();
    }
    let count = digits.digits.len() as i64;
    let limit = match precision {
        None => 6,
        Some(precision) => {
            let precision = precision.max(1) as i64;
            if precision > count && count >= digits.point { count } else { precision }
        }
    };
    let exponent = digits.point - 1;
    if exponent < -4 || exponent >= limit {
        return exponential(&digits, None);
    }
    let mut out = String::new();
    if digits.point > 0 {
        out.extend((0..digits.point).map(|idx| digits.at(idx)));
    } else {
        out.push('0');
    }
    if count > digits.point {
        out.push('.');
        out.extend((digits.point..0).map(|_| '0'));
        out.extend((digits.point.max(0)..count).map(|idx| digits.at(idx)));
    }
    out
}

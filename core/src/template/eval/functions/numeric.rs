//! Arithmetic on numbers and lists of numbers.

use num_bigint::BigInt;

use super::{Call, Function, Functions, Parameter, float};
use crate::{
    template::eval::Problem,
    value::{Kind, Number, Type, Value, convert},
};

pub(super) fn register(table: &mut Functions) {
    let unary = |name: &'static str, summary: &'static str| {
        Function::new(name, summary).takes([Parameter::new("num", Type::Number)]).returns(Type::Number)
    };
    table.add(
        Function::new("abs", "Returns a number without its sign.")
            .takes([Parameter::new("num", Type::Number).marked()])
            .returns(Type::Number)
            .computes(|call| Ok(Value::number(call.number(0).abs()).with_marks(call.value(0)?.marks()))),
    );
    table.add(
        unary("ceil", "Returns the nearest whole number that is not less.")
            .computes(|call| Ok(call.number(0).ceil().into())),
    );
    table.add(
        unary("floor", "Returns the nearest whole number that is not greater.")
            .computes(|call| Ok(call.number(0).floor().into())),
    );
    table.add(
        unary("signum", "Returns -1, 0 or 1: the sign of a number.")
            .computes(|call| Ok(Value::number(call.integer(0)?.signum()))),
    );
    table.add(
        Function::new("log", "Returns the logarithm of a number to a base.")
            .takes([Parameter::new("num", Type::Number), Parameter::new("base", Type::Number)])
            .returns(Type::Number)
            .computes(|call| from_float(float::ln(as_float(call, 0)?) / float::ln(as_float(call, 1)?))),
    );
    table.add(
        Function::new("pow", "Returns a number raised to a power.")
            .takes([Parameter::new("num", Type::Number), Parameter::new("power", Type::Number)])
            .returns(Type::Number)
            .computes(|call| from_float(float::pow(as_float(call, 0)?, as_float(call, 1)?))),
    );
    let extreme = |name: &'static str, summary: &'static str| {
        Function::new(name, summary).then_any_number_of(Parameter::new("numbers", Type::Number)).returns(Type::Number)
    };
    table.add(extreme("max", "Returns the greatest of some numbers.").computes(|call| {
        let numbers = call.arguments.iter().filter_map(Value::as_number);
        numbers.max().map(|number| number.clone().into()).ok_or_else(|| Problem::new("it takes at least one number"))
    }));
    table.add(extreme("min", "Returns the smallest of some numbers.").computes(|call| {
        let numbers = call.arguments.iter().filter_map(Value::as_number);
        numbers.min().map(|number| number.clone().into()).ok_or_else(|| Problem::new("it takes at least one number"))
    }));
    table.add(
        Function::new("parseint", "Returns the whole number that a text writes in a base from 2 to 62.")
            .takes([Parameter::new("number", Type::Any), Parameter::new("base", Type::Number)])
            .returns_by(|arguments, _| match arguments.first().map(Value::ty) {
                Some(Type::String) => Ok(Type::Number),
                ty => Err(Problem::argument(
                    0,
                    format!("a string is required, not {}", ty.unwrap_or(Type::Any).friendly_name()),
                )),
            })
            .computes(parse_int),
    );
    table.add(
        Function::new("sum", "Returns the sum of a list, set or tuple of numbers.")
            .takes([Parameter::new("list", Type::Any)])
            .returns(Type::Number)
            .computes(sum),
    );
}

/// Takes an argument as a double-precision number. One that is too large for that is refused, since it is not infinite.
fn as_float(call: Call<'_>, idx: usize) -> Result<f64, Problem> {
    let (number, float) = (call.number(idx), call.number(idx).to_f64_lossy());
    if float.is_infinite() && !number.is_infinite() {
        return Err(Problem::argument(idx, "a number between -1.8e308 and 1.8e308 is required"));
    }
    Ok(float)
}

fn from_float(value: f64) -> Result<Value, Problem> {
    Number::from_f64(value).map(Value::from).ok_or_else(|| Problem::new("there is no such number"))
}

fn parse_int(call: Call<'_>) -> Result<Value, Problem> {
    /// Digits beyond which every number is infinite anyway.
    const MOST: usize = 140_000;
    let text = call.text(0);
    let base = call.number(1).to_i64().filter(|base| (2..=62).contains(base)).ok_or_else(|| {
        Problem::argument(1, format!("a whole number from 2 to 62 is required, not {}", call.number(1)))
    })?;
    let invalid = || Problem::argument(0, format!("`{text}` is not a whole number in base {base}"));
    let (negative, digits) = match text.split_at_checked(1) {
        Some(("-", rest)) => (true, rest),
        Some(("+", rest)) => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > MOST {
        return Err(invalid());
    }
    let values = digits
        .bytes()
        .map(|byte| digit(byte, base as u8).filter(|value| i64::from(*value) < base))
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(invalid)?;
    let magnitude = BigInt::from_radix_be(num_bigint::Sign::Plus, &values, base as u32).ok_or_else(invalid)?;
    Ok(Value::number(Number::from(if negative { -magnitude } else { magnitude })))
}

/// Up to base 36 letters of both cases mean the same; above, capitals come after small letters.
fn digit(byte: u8, base: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'z' => Some(byte - b'a' + 10),
        b'A'..=b'Z' if base <= 36 => Some(byte - b'A' + 10),
        b'A'..=b'Z' => Some(byte - b'A' + 36),
        _ => None,
    }
}

fn sum(call: Call<'_>) -> Result<Value, Problem> {
    let list = call.value(0)?;
    if !matches!(list.kind(), Kind::List(_) | Kind::Set(_) | Kind::Tuple(_)) {
        let ty = list.ty().friendly_name();
        return Err(Problem::argument(0, format!("a list, set or tuple of numbers is required, not {ty}")));
    }
    if list.len() == 0 {
        return Err(Problem::argument(0, "there is nothing to sum: the list is empty"));
    }
    if !list.is_wholly_known() {
        return Ok(Value::unknown(Type::Number));
    }
    let not_numbers = || Problem::argument(0, "every element must be a number that is not null");
    let mut total = Number::ZERO;
    for element in call.items(0) {
        let element = convert(element, &Type::Number).map_err(|_| not_numbers())?;
        match element.kind() {
            Kind::Number(number) => {
                total = total.add(number).map_err(|_| Problem::new("infinities of both signs have no sum"))?;
            }
            _ => return Err(not_numbers()),
        }
    }
    Ok(Value::number(total))
}

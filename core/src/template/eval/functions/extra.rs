//! Functions that Terraform 1.11 does not have: OpenTofu's, and conversions to any type. For edition `stackwright`.

use std::io::Read as _;

use super::{
    Action, Call, Function, Functions, Parameter, Special, cidr::Prefix, encoding::decode_base64, string::string,
};
use crate::{
    template::{Edition, eval::Problem},
    value::{Refinement, Type, Value},
};

pub(super) fn register(table: &mut Functions) {
    let mut add = |function: Function| table.add(function.since(Edition::Stackwright));
    add(Function::new("base64gunzip", "Returns the text whose UTF-8 bytes are given compressed by gzip, in Base64.")
        .takes([string("str")])
        .returns(Type::String)
        .computes(gunzip));
    add(Function::new("urldecode", "Returns the text that was written for the query of a URL.")
        .takes([string("str")])
        .returns(Type::String)
        .computes(|call| call.string(url_decoded(call.text(0))?)));
    add(Function::new("cidrcontains", "Returns whether a network prefix holds an address or another prefix.")
        .takes([string("containing_prefix"), string("contained_ip_or_prefix")])
        .returns(Type::Bool)
        .computes(|call| {
            let outer = Prefix::parse(call.text(0)).map_err(|why| Problem::argument(0, why))?;
            let inner = Prefix::parse_any(call.text(1)).map_err(|why| Problem::argument(1, why))?;
            outer.contains(inner).map(Value::bool).map_err(|why| Problem::argument(1, why))
        }));
    add(Function::new("convert", "Returns a value as one of a type, written as in a `type` argument.")
        .takes([Parameter::new("value", Type::Any), Parameter::new("type", Type::Any)])
        .acts(Action::Special(Special::Convert)));
    register_promises(&mut add);
}

/// Functions that say of a value what only whoever writes the template knows; what is known is held to it.
fn register_promises(add: &mut dyn FnMut(Function)) {
    let value = || Parameter::new("value", Type::Any).null().unknown().any();
    let promise = |name: String, summary: String, second: Option<Parameter>| {
        Function::new(name, summary)
            .takes(std::iter::once(value()).chain(second))
            .returns_by(|arguments, _| Ok(arguments.first().map_or(Type::Any, Value::ty)))
            .may_return_null()
    };
    add(promise("assumenotnull".into(), "Returns a value that is promised not to be null.".into(), None).computes(
        |call| {
            let value = call.value(0)?;
            if value.is_null() {
                return Err(Problem::argument(0, "it is null, which was promised not to be").value_free());
            }
            Ok(value.refine(Refinement::not_null()))
        },
    ));
    let other = Parameter::new("other", Type::Any).null().any();
    add(promise("assumeequal".into(), "Returns a value that is promised to equal another.".into(), Some(other))
        .computes(|call| {
            let (value, other) = (call.value(0)?, call.value(1)?);
            match value.equals(other).as_bool() {
                Some(false) => Err(Problem::argument(0, "it does not equal the other, as was promised").value_free()),
                _ if value.is_known() => Ok(value.clone()),
                _ => Ok(other.clone()),
            }
        }));
    let prefix = string("prefix");
    add(promise(
        "assumestringprefix".into(),
        "Returns a text that is promised to start with another.".into(),
        Some(prefix),
    )
    .returns(Type::String)
    .computes(|call| {
        let value = call.value(0)?;
        match value.as_str() {
            Some(text) if text.starts_with(call.text(1)) => Ok(value.clone()),
            Some(_) => Err(Problem::argument(0, "it does not start with the text that was promised").value_free()),
            None if value.is_known() => Err(Problem::argument(0, "a text is required").value_free()),
            None => Ok(value.refine(Refinement::not_null().with_full_prefix(call.text(1)))),
        }
    }));
    for (kind, fits) in [("list", is_list as fn(&Type) -> bool), ("set", is_set), ("map", is_map)] {
        for (suffix, words, bounds) in [
            ("", "exactly", (|length| (length, Some(length))) as fn(usize) -> (usize, Option<usize>)),
            ("min", "at least", |length| (length, None)),
            ("max", "at most", |length| (0, Some(length))),
        ] {
            let name = format!("assume{kind}length{suffix}");
            let summary = format!("Returns a {kind} that is promised to have {words} so many elements.");
            let length = Parameter::new("length", Type::Number);
            add(promise(name, summary, Some(length)).computes(move |call| {
                let value = call.value(0)?;
                if !fits(&value.ty()) {
                    return Err(Problem::argument(0, format!("a {kind} is required")).value_free());
                }
                let length = usize::try_from(call.integer(1)?)
                    .map_err(|_| Problem::argument(1, "a length must not be negative"))?;
                let (least, most) = bounds(length);
                let found = value.length_bounds().unwrap_or((0, None));
                if found.0 > most.unwrap_or(usize::MAX) || found.1.is_some_and(|found| found < least) {
                    return Err(Problem::argument(0, format!("{words} {length} elements were promised")).value_free());
                }
                Ok(value.refine(Refinement::not_null().with_length(least, most)))
            }));
        }
    }
}

fn is_list(ty: &Type) -> bool {
    matches!(ty, Type::List(_) | Type::Any)
}

fn is_set(ty: &Type) -> bool {
    matches!(ty, Type::Set(_) | Type::Any)
}

fn is_map(ty: &Type) -> bool {
    matches!(ty, Type::Map(_) | Type::Any)
}

fn gunzip(call: Call<'_>) -> Result<Value, Problem> {
    let bytes = decode_base64(call.text(0))?;
    let limit = call.context.options().budget.text_bytes;
    let mut text = String::new();
    let mut reader = flate2::read::GzDecoder::new(&*bytes).take(limit.saturating_add(1));
    reader.read_to_string(&mut text).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData if text.is_empty() => Problem::argument(0, "the bytes are no UTF-8 text"),
        _ => Problem::argument(0, "it is not compressed by gzip"),
    })?;
    call.string(text)
}

fn url_decoded(text: &str) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let hex = rest.split_first_chunk::<2>().filter(|(digits, _)| digits.iter().all(u8::is_ascii_hexdigit));
                let (digits, behind) =
                    hex.ok_or_else(|| Problem::argument(0, "`%` is not followed by two hexadecimal digits"))?;
                rest = behind;
                let digits = std::str::from_utf8(digits).unwrap_or("");
                u8::from_str_radix(digits, 16).unwrap_or(b'%')
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| Problem::argument(0, "the bytes are no UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::eval::{Context, Options};

    fn call(name: &str, arguments: &[Value]) -> Result<Value, String> {
        let table = Functions::standard();
        let context = Context::new(Options::default());
        let function = table.get(name).expect("the function");
        function.call(arguments.to_vec(), &context).map_err(|problem| problem.message)
    }

    #[test]
    fn texts_come_back() {
        let zipped = call("base64gzip", &["grüße".into()]).expect("compressed");
        assert_eq!(call("base64gunzip", &[zipped]), Ok("grüße".into()));
        assert!(call("base64gunzip", &["aGVsbG8=".into()]).is_err());
        let written = call("urlencode", &["a b/ü&%".into()]).expect("written");
        assert_eq!(call("urldecode", &[written]), Ok("a b/ü&%".into()));
        assert!(call("urldecode", &["%4".into()]).is_err());
        assert!(call("urldecode", &["%zz".into()]).is_err());
        assert!(call("urldecode", &["%ff".into()]).is_err());
    }

    #[test]
    fn prefixes_hold_addresses_and_prefixes() {
        let check = |outer: &str, inner: &str, expect: Result<bool, ()>| {
            let found = call("cidrcontains", &[outer.into(), inner.into()]);
            assert_eq!(found.map_err(drop), expect.map(Value::bool), "{outer} {inner}");
        };
        check("10.0.0.0/8", "10.1.2.3", Ok(true));
        check("10.0.0.0/8", "11.1.2.3", Ok(false));
        check("10.0.0.0/8", "10.0.0.0/16", Ok(true));
        check("10.0.0.0/16", "10.0.0.0/8", Ok(false));
        check("fd00::/8", "fd00::1", Ok(true));
        check("fd00::/8", "10.0.0.1", Err(()));
        check("10.0.0.0", "10.0.0.1", Err(()));
        check("10.0.0.0/8", "house", Err(()));
    }

    #[test]
    fn promises_are_held() {
        let open = Value::unknown(Type::String);
        assert!(call("assumenotnull", std::slice::from_ref(&open)).is_ok_and(|value| value.is_definitely_not_null()));
        assert!(call("assumenotnull", &[Value::null(Type::String)]).is_err());
        let text = call("assumestringprefix", &[open.clone(), "ab-".into()]).expect("a text");
        assert_eq!(text.as_unknown().and_then(|unknown| unknown.refinement.prefix.as_deref()), Some("ab-"));
        assert!(call("assumestringprefix", &["xy".into(), "ab-".into()]).is_err());
        assert_eq!(call("assumeequal", &[open, "x".into()]), Ok("x".into()));
        assert!(call("assumeequal", &["y".into(), "x".into()]).is_err());
        let list = Value::unknown(Type::list(Type::String));
        let bounds = |name: &str| call(name, &[list.clone(), Value::number(2)]).ok().and_then(|v| v.length_bounds());
        assert_eq!(bounds("assumelistlength"), Some((2, Some(2))));
        assert_eq!(bounds("assumelistlengthmin"), Some((2, None)));
        assert_eq!(bounds("assumelistlengthmax"), Some((0, Some(2))));
        assert!(call("assumesetlength", &[list, Value::number(2)]).is_err());
        let map = Value::map(Type::String, [("a", Value::string("b"))]);
        assert!(call("assumemaplengthmin", &[map, Value::number(2)]).is_err());
    }
}

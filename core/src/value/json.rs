use std::{fmt::Write as _, sync::Arc};

use serde_json::Value as Json;

use super::{Kind, Number, Path, Step, Type, Value, combines};

/// Why a text or value does not go through JSON. Names places and types, never contents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The text is not JSON.
    #[error("this is not JSON: {reason}")]
    Syntax {
        /// What was expected, with line and column.
        reason: String,
    },
    /// A value is not known yet.
    #[error("a value that is not known yet has no form in JSON{}", at(path))]
    Unknown {
        /// Where in the value.
        path: Path,
    },
    /// A number is infinite.
    #[error("cannot serialize infinity as JSON{}", at(path))]
    Infinite {
        /// Where in the value.
        path: Path,
    },
    /// The JSON does not fit the type.
    #[error("{message}{}", at(path))]
    Type {
        /// Where in the JSON.
        path: Path,
        /// What is required there.
        message: String,
    },
}

fn at(path: &Path) -> String {
    if path.is_empty() { String::new() } else { format!(" at `{path}`") }
}

/// Returns the value as compact JSON, as Terraform's `jsonencode` writes it: keys sorted, numbers exact, `<`, `>`, `&`,
/// U+2028 and U+2029 escaped. Sets become arrays. Marks are not written: the caller carries them on.
///
/// # Errors
/// [`JsonError::Unknown`] and [`JsonError::Infinite`].
///
/// # Examples
/// ```
/// use stackwright::value::{Value, to_json};
///
/// let value = Value::object([("b", Value::string("<&>")), ("a", Value::tuple(vec![Value::number(1)]))]);
/// assert_eq!(to_json(&value)?, r#"{"a":[1],"b":"\u003c\u0026\u003e"}"#);
/// # Ok::<(), stackwright::value::JsonError>(())
/// ```
pub fn to_json(value: &Value) -> Result<String, JsonError> {
    let mut out = String::new();
    write_value(value, &mut Path::root(), &mut out)?;
    Ok(out)
}

fn write_value(value: &Value, path: &mut Path, out: &mut String) -> Result<(), JsonError> {
    match value.kind() {
        Kind::Null(_) => out.push_str("null"),
        Kind::Unknown(_) => return Err(JsonError::Unknown { path: path.clone() }),
        Kind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Kind::Number(number) if number.is_infinite() => return Err(JsonError::Infinite { path: path.clone() }),
        Kind::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Kind::String(text) => write_string(text, out),
        Kind::List(_) | Kind::Set(_) | Kind::Tuple(_) => write_parts(value, path, ('[', ']'), out)?,
        Kind::Map(_) | Kind::Object(_) => write_parts(value, path, ('{', '}'), out)?,
    }
    Ok(())
}

fn write_parts(value: &Value, path: &mut Path, (open, close): (char, char), out: &mut String) -> Result<(), JsonError> {
    out.push(open);
    let mut result = Ok(());
    let mut first = true;
    value.each_part(&mut |step, part| {
        if result.is_err() {
            return;
        }
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        let step = step();
        if let Step::Attr(name) | Step::Key(name) = &step {
            write_string(name, out);
            out.push(':');
        }
        path.push(step);
        result = write_value(part, path, out);
        path.pop();
    });
    out.push(close);
    result
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    // What is written becomes a text in normal form C, where the letter of an escape must stay one.
    let mut behind_escape = false;
    for c in text.chars() {
        if behind_escape && combines(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
            continue;
        }
        let start = out.len();
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
        behind_escape = out.get(start..).is_some_and(|written| written.starts_with('\\'));
    }
    out.push('"');
}

/// Returns the value as a JSON tree; numbers keep all their digits.
///
/// # Errors
/// [`JsonError::Unknown`] and [`JsonError::Infinite`].
pub fn to_json_value(value: &Value) -> Result<Json, JsonError> {
    tree(value, &mut Path::root())
}

fn tree(value: &Value, path: &mut Path) -> Result<Json, JsonError> {
    let mut parts = Vec::with_capacity(value.len());
    match value.kind() {
        Kind::Null(_) => return Ok(Json::Null),
        Kind::Unknown(_) => return Err(JsonError::Unknown { path: path.clone() }),
        Kind::Bool(value) => return Ok(Json::Bool(*value)),
        Kind::Number(number) => {
            return number_tree(number).ok_or_else(|| JsonError::Infinite { path: path.clone() });
        }
        Kind::String(text) => return Ok(Json::from(&**text)),
        Kind::List(_) | Kind::Set(_) | Kind::Tuple(_) | Kind::Map(_) | Kind::Object(_) => {
            let mut result = Ok(());
            value.each_part(&mut |step, part| {
                if result.is_ok() {
                    path.push(step());
                    match tree(part, path) {
                        Ok(part) => parts.push(part),
                        Err(error) => result = Err(error),
                    }
                    path.pop();
                }
            });
            result?;
        }
    }
    Ok(match value.fields() {
        Some(fields) => Json::Object(fields.names().map(|name| name.to_string()).zip(parts).collect()),
        None => Json::Array(parts),
    })
}

fn number_tree(number: &Number) -> Option<Json> {
    if number.is_infinite() {
        return None;
    }
    match number.to_i64() {
        Some(small) if !number.is_negative() || small != 0 => Some(Json::from(small)),
        _ => number.to_string().parse().ok().map(Json::Number),
    }
}

/// Reads JSON as a value of a type.
///
/// Where the type is [`Type::Any`], the JSON decides: arrays become tuples, objects objects, null an untyped null; with
/// `Any` as a whole, this is Terraform's `jsondecode`. Numbers and bools in quotes are accepted where such are wanted,
/// and the other way round; attributes that are left out are null; unknown ones are refused.
///
/// # Errors
/// [`JsonError::Syntax`] and [`JsonError::Type`].
///
/// # Examples
/// ```
/// use stackwright::value::{Type, Value, from_json};
///
/// let ports = from_json("[80, 443]", &Type::set(Type::Number))?;
/// assert_eq!(ports, Value::set(Type::Number, vec![Value::number(443), Value::number(80)]));
/// assert_eq!(from_json("[80]", &Type::Any)?, Value::tuple(vec![Value::number(80)]));
/// # Ok::<(), stackwright::value::JsonError>(())
/// ```
pub fn from_json(text: &str, ty: &Type) -> Result<Value, JsonError> {
    let json: Json = serde_json::from_str(text).map_err(|error| JsonError::Syntax { reason: error.to_string() })?;
    from_json_value(&json, ty)
}

/// Reads a JSON tree as a value of a type, see [`from_json`].
///
/// # Errors
/// [`JsonError::Type`].
pub fn from_json_value(json: &Json, ty: &Type) -> Result<Value, JsonError> {
    read(json, ty, &mut Path::root())
}

/// Returns the type that a JSON text has by itself, as `jsondecode` sees it.
///
/// # Errors
/// [`JsonError::Syntax`], and [`JsonError::Type`] for numbers out of range.
pub fn implied_type(text: &str) -> Result<Type, JsonError> {
    Ok(from_json(text, &Type::Any)?.ty())
}

fn read(json: &Json, ty: &Type, path: &mut Path) -> Result<Value, JsonError> {
    if *ty == Type::Any {
        return read_any(json, path);
    }
    if json.is_null() {
        return Ok(Value::null(ty.without_optional()));
    }
    match (ty, json) {
        (Type::Bool, Json::Bool(value)) => Ok(Value::bool(*value)),
        (Type::Bool, Json::String(text)) if text == "true" || text == "1" => Ok(Value::bool(true)),
        (Type::Bool, Json::String(text)) if text == "false" || text == "0" => Ok(Value::bool(false)),
        (Type::Number, Json::Number(number)) => read_number(number.as_str(), path),
        (Type::Number, Json::String(text)) => read_number(text, path),
        (Type::String, Json::String(text)) => Ok(Value::string(text.as_str())),
        (Type::String, Json::Number(number)) => Ok(Value::string(number.as_str())),
        (Type::String, Json::Bool(value)) => Ok(Value::string(if *value { "true" } else { "false" })),
        (Type::List(element), Json::Array(items)) => {
            let values = read_items(items, |_| Some(element), path)?;
            collection(values, element, path, Value::list)
        }
        (Type::Set(element), Json::Array(items)) => {
            let values = read_items(items, |_| Some(element), path)?;
            collection(values, element, path, Value::set)
        }
        (Type::Tuple(types), Json::Array(items)) => {
            if items.len() != types.len() {
                return Err(fail(path, format!("{} elements are required, not {}", types.len(), items.len())));
            }
            Ok(Value::tuple(read_items(items, |idx| types.get(idx), path)?))
        }
        (Type::Map(element), Json::Object(entries)) => {
            let mut values = Vec::with_capacity(entries.len());
            for (key, json) in entries {
                path.push(Step::Key(Arc::from(key.as_str())));
                values.push(read(json, element, path)?);
                path.pop();
            }
            let keys: Vec<Arc<str>> = entries.keys().map(|key| Arc::from(key.as_str())).collect();
            collection(values, element, path, |ty, values| Value::map(ty, keys.into_iter().zip(values)))
        }
        (Type::Object(object), Json::Object(entries)) => {
            if let Some(extra) = entries.keys().find(|name| !object.attributes.contains_key(name.as_str())) {
                return Err(fail(path, format!("unsupported attribute {extra:?}")));
            }
            let mut attributes = Vec::with_capacity(object.attributes.len());
            for (name, ty) in &object.attributes {
                path.push(Step::Attr(Arc::clone(name)));
                let value = read(entries.get(&**name).unwrap_or(&Json::Null), ty, path)?;
                path.pop();
                attributes.push((Arc::clone(name), value));
            }
            Ok(Value::object(attributes))
        }
        (ty, _) => Err(fail(path, format!("{} required", ty.friendly_constraint()))),
    }
}

fn fail(path: &Path, message: String) -> JsonError {
    JsonError::Type { path: path.clone(), message }
}

/// Makes a collection of values that were read with an element type that may be open.
fn collection(
    values: Vec<Value>,
    element: &Type,
    path: &Path,
    make: impl FnOnce(Type, Vec<Value>) -> Value,
) -> Result<Value, JsonError> {
    if !element.has_any() || values.is_empty() {
        return Ok(make(element.without_optional(), values));
    }
    match super::unify::unify_values(&values) {
        Ok((ty, values)) => Ok(make(ty, values)),
        Err(_) => Err(fail(path, "all elements must have the same type".to_owned())),
    }
}

fn read_items<'a>(
    items: &[Json],
    ty: impl Fn(usize) -> Option<&'a Type>,
    path: &mut Path,
) -> Result<Vec<Value>, JsonError> {
    let mut values = Vec::with_capacity(items.len());
    for (idx, json) in items.iter().enumerate() {
        path.push(Step::Index(idx));
        values.push(read(json, ty(idx).unwrap_or(&Type::Any), path)?);
        path.pop();
    }
    Ok(values)
}

fn read_any(json: &Json, path: &mut Path) -> Result<Value, JsonError> {
    match json {
        Json::Null => Ok(Value::null(Type::Any)),
        Json::Bool(value) => Ok(Value::bool(*value)),
        Json::Number(number) => read_number(number.as_str(), path),
        Json::String(text) => Ok(Value::string(text.as_str())),
        Json::Array(items) => Ok(Value::tuple(read_items(items, |_| None, path)?)),
        Json::Object(entries) => {
            let mut attributes = Vec::with_capacity(entries.len());
            for (name, json) in entries {
                let name: Arc<str> = Arc::from(name.as_str());
                path.push(Step::Attr(Arc::clone(&name)));
                attributes.push((name, read_any(json, path)?));
                path.pop();
            }
            Ok(Value::object(attributes))
        }
    }
}

fn read_number(text: &str, path: &Path) -> Result<Value, JsonError> {
    match Number::parse(text) {
        Ok(number) => Ok(Value::number(number)),
        Err(error) => Err(fail(path, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::testing::{Shape, any_type, any_value, l, m, n, null, o, s, set, t, unknown, value_of};

    fn check(value: &Value, expect: &str) {
        assert_eq!(to_json(value).expect("it has a form"), expect);
        let tree = to_json_value(value).expect("it has a form");
        assert_eq!(tree, serde_json::from_str::<Json>(expect).expect("JSON"));
    }

    fn check_error(text: &str, ty: &Type, expect: &str) {
        assert_eq!(from_json(text, ty).expect_err(text).to_string(), expect);
    }

    #[test]
    fn writes_as_jsonencode_does() {
        check(&s("<a>&\u{2028}"), r#""\u003ca\u003e\u0026\u2028""#);
        check(&s("\u{8}\u{c}\n\r\t\u{1}\u{7f}é\"\\"), "\"\\b\\f\\n\\r\\t\\u0001\u{7f}é\\\"\\\\\"");
        check(
            &s("\n\u{300}x\u{300}\u{1e}\u{327}\u{1d165}\u{301}"),
            "\"\\n\\u0300x\u{300}\\u001e\\u0327\\ud834\\udd65\\u0301\"",
        );
        check(&o([("b", n("1")), ("a", null(Type::String))]), r#"{"a":null,"b":1}"#);
        check(&set(Type::Number, [n("3"), n("1")]), "[1,3]");
        check(&n("1e30"), "1000000000000000000000000000000");
        check(&n("0.1"), "0.1");
        check(&n("-0"), "-0");
        check(&m(Type::Any, []), "{}");
        check(&t([]), "[]");
    }

    #[test]
    fn what_has_no_form_is_refused_with_its_place() {
        let value = o([("a", t([n("1"), unknown(Type::String)]))]);
        let expect = "a value that is not known yet has no form in JSON at `.a[1]`";
        assert_eq!(to_json(&value).expect_err("unknown").to_string(), expect);
        assert_eq!(to_json_value(&value).expect_err("unknown").to_string(), expect);
        assert_eq!(to_json(&n("Inf")).expect_err("infinite").to_string(), "cannot serialize infinity as JSON");
        assert!(to_json_value(&t([n("-Inf")])).is_err());
    }

    #[test]
    fn reads_with_and_without_types() {
        let any = |text| from_json(text, &Type::Any).expect("JSON");
        assert_eq!(any(r#"{"a":[1,"x",null],"b":{}}"#), o([("a", t([n("1"), s("x"), null(Type::Any)])), ("b", o([]))]));
        assert_eq!(any("12345678901234567890123"), n("12345678901234567890123"));
        assert_eq!(implied_type(r#"{"a":[true]}"#).expect("JSON").to_string(), "object({a=tuple([bool])})");
        let ty = Type::object([("a", Type::Number), ("b", Type::list(Type::String)), ("c", Type::Any)]);
        assert_eq!(
            from_json(r#"{"a":"1.5","b":[1,true,null],"c":[0]}"#, &ty).expect("fits"),
            o([("a", n("1.5")), ("b", l(Type::String, [s("1"), s("true"), null(Type::String)])), ("c", t([n("0")]))])
        );
        assert_eq!(
            from_json("{}", &ty).expect("fits"),
            o([("a", null(Type::Number)), ("b", null(Type::list(Type::String))), ("c", null(Type::Any))])
        );
        let open = Type::list(Type::Any);
        assert_eq!(from_json(r#"[1,"a"]"#, &open).expect("fits"), l(Type::String, [s("1"), s("a")]));
        check_error(r#"{"d":1}"#, &ty, "unsupported attribute \"d\"");
        check_error(r#"{"a":{}}"#, &ty, "number required at `.a`");
        check_error(r#"{"b":[[]]}"#, &ty, "string required at `.b[0]`");
        check_error("[1,[]]", &open, "all elements must have the same type");
        check_error("[1]", &Type::tuple([]), "0 elements are required, not 1");
        check_error("1e99999", &Type::Any, "a number is required");
        check_error("{bad", &Type::Any, "this is not JSON: key must be a string at line 1 column 2");
        check_error(&"[".repeat(500), &Type::Any, "this is not JSON: recursion limit exceeded at line 1 column 128");
    }

    proptest! {
        #[test]
        fn goes_through_json_typed(
            (ty, value) in any_type(false).prop_flat_map(|ty| (Just(ty.clone()), value_of(ty, Shape::PLAIN)))
        ) {
            let text = to_json(&value).expect("it has a form");
            prop_assert_eq!(from_json(&text, &ty).expect("its own type"), value.clone());
            let tree = to_json_value(&value).expect("it has a form");
            prop_assert_eq!(from_json_value(&tree, &ty).expect("its own type"), value);
        }

        #[test]
        fn text_is_json_and_survives_reading_untyped(value in any_value(Shape::PLAIN)) {
            let text = to_json(&value).expect("it has a form");
            let again = from_json(&text, &Type::Any).expect("own output");
            prop_assert_eq!(to_json(&again).expect("it has a form"), text);
        }
    }
}

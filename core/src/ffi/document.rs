use std::{collections::BTreeSet, convert::Infallible, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::{
    error::{Error, ErrorKind, Result},
    value::{Kind, Number, Path, Step, Type, Value, from_json_value},
};

/// A value as plain JSON, and which parts of it are not known yet.
///
/// What is unknown is null in the JSON, so that a host that does not care reads what it needs as if nothing were
/// special. A set with an unknown element is unknown as a whole: its elements have no names. Numbers are JSON numbers with
/// all their digits; [`Request::to_json`](super::Request::to_json) writes those that a double cannot hold as text. Marks do
/// not cross: the engine sets them again from the schema.
///
/// `Debug` shows no contents.
///
/// # Examples
/// ```
/// use stackwright::{ffi::Document, value::{Type, Value}};
///
/// let planned = Value::object([("id", Value::unknown(Type::String)), ("name", Value::string("assets"))]);
/// let document = Document::of(&planned);
/// assert_eq!(
///     serde_json::to_string(&document)?,
///     r#"{"value":{"id":null,"name":"assets"},"unknown":[[{"attr":"id"}]]}"#
/// );
/// assert_eq!(document.read(&planned.ty())?, planned);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The value as plain JSON.
    pub value: Json,
    /// The parts that are not known; outermost only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Path>,
}

impl Document {
    /// Returns the form of a value. Marks are dropped.
    pub fn of(value: &Value) -> Self {
        let mut unknown = Vec::new();
        let json = write(value, &mut Path::root(), &mut unknown);
        Self { value: json, unknown }
    }

    /// Reads JSON text.
    ///
    /// # Errors
    /// `host.reply`, with the place in the text and none of its contents.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| misshapen(&error))
    }

    /// Reads it as a value of a type; attributes that are left out are null.
    ///
    /// # Errors
    /// `host.reply` (`Bug`) where it does not fit the type, or names an unknown part that is not there. Names places and
    /// types, never contents.
    pub fn read(&self, ty: &Type) -> Result<Value> {
        let value = read_json(&self.value, ty)?;
        if self.unknown.is_empty() {
            return Ok(value);
        }
        let mut wanted: BTreeSet<&Path> = self.unknown.iter().collect();
        let Ok(value) = value.transform(|path, part| {
            Ok::<_, Infallible>(if wanted.remove(path) { Value::unknown(part.ty()) } else { part })
        });
        match wanted.first() {
            None => Ok(value),
            Some(path) => Err(unreadable(format!("an unknown part `{path}` is not there"))),
        }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("unknown", &self.unknown).finish_non_exhaustive()
    }
}

/// Reads plain JSON that is wholly known.
pub(super) fn read_json(json: &Json, ty: &Type) -> Result<Value> {
    from_json_value(json, ty).map_err(|error| unreadable(error.to_string()))
}

/// Returns the error for an answer of the host's that cannot be read.
pub(super) fn unreadable(reason: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Bug, "host.reply", format!("the host's answer cannot be read: {reason}"))
}

/// Returns the error for text that is not what was expected. A message of serde's may quote what it read.
pub(super) fn misshapen(error: &serde_json::Error) -> Error {
    let what = match error.classify() {
        serde_json::error::Category::Data => "it is JSON of another shape",
        _ => "it is not JSON",
    };
    unreadable(format!("{what}, at line {}, column {}", error.line(), error.column()))
}

fn write(value: &Value, path: &mut Path, unknown: &mut Vec<Path>) -> Json {
    match value.kind() {
        Kind::Null(_) => Json::Null,
        Kind::Unknown(_) => {
            unknown.push(path.clone());
            Json::Null
        }
        Kind::Bool(value) => Json::Bool(*value),
        Kind::Number(number) => write_number(number),
        Kind::String(text) => Json::from(&**text),
        Kind::Set(_) if !value.is_wholly_known() => {
            unknown.push(path.clone());
            Json::Array(Vec::new())
        }
        Kind::Set(items) => Json::Array(items.iter().map(|part| write(part, path, unknown)).collect()),
        Kind::List(items) | Kind::Tuple(items) => {
            let parts = items.iter().enumerate();
            Json::Array(parts.map(|(idx, part)| within(path, Step::Index(idx), part, unknown)).collect())
        }
        Kind::Map(fields) => Json::Object(
            fields
                .iter()
                .map(|(key, part)| (key.to_string(), within(path, Step::Key(Arc::clone(key)), part, unknown)))
                .collect::<Map<_, _>>(),
        ),
        Kind::Object(fields) => Json::Object(
            fields
                .iter()
                .map(|(name, part)| (name.to_string(), within(path, Step::Attr(Arc::clone(name)), part, unknown)))
                .collect::<Map<_, _>>(),
        ),
    }
}

fn within(path: &mut Path, step: Step, part: &Value, unknown: &mut Vec<Path>) -> Json {
    path.push(step);
    let json = write(part, path, unknown);
    path.pop();
    json
}

/// Returns JSON whose numbers are doubles or text, so that a host that reads them as doubles loses no digit.
pub(super) fn plain(json: Json) -> Json {
    match json {
        Json::Number(number) => {
            Number::parse(&number.to_string()).map_or(Json::Number(number), |number| write_double(&number))
        }
        Json::Array(parts) => Json::Array(parts.into_iter().map(plain).collect()),
        Json::Object(fields) => Json::Object(fields.into_iter().map(|(name, part)| (name, plain(part))).collect()),
        other => other,
    }
}

fn write_number(number: &Number) -> Json {
    // What is printed is a number of JSON's.
    serde_json::from_str(&number.to_string()).unwrap_or_else(|_| Json::String(number.to_string()))
}

/// A number that a double holds exactly or prints the same is a number, any other text: many hosts read JSON numbers
/// as doubles.
fn write_double(number: &Number) -> Json {
    if let Some(small) = number.to_i64()
        && small.unsigned_abs() <= 1 << 53
    {
        return Json::from(small);
    }
    let text = number.to_string();
    let double = number.to_f64_lossy();
    let is_same = double.is_finite() && Number::parse(&double.to_string()).is_ok_and(|back| back == *number);
    match serde_json::Number::from_f64(double) {
        Some(number) if is_same => Json::Number(number),
        _ => Json::String(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(value: &Value) {
        let text = serde_json::to_string(&Document::of(value)).expect("a document is JSON");
        let document: Document = serde_json::from_str(&text).expect("JSON is a document");
        assert_eq!(document.read(&value.ty()).as_ref().ok(), Some(value), "{text}");
    }

    #[test]
    fn values_cross_and_come_back() {
        let number = |text: &str| Value::number(Number::parse(text).expect("a number"));
        for text in ["0", "-7", "9007199254740993", "0.1", "1e400", "12345678901234567890.5", "-0.000001"] {
            round_trip(&number(text));
        }
        round_trip(&Value::object([
            ("$u", Value::string("a name that looks like ours")),
            ("tags", Value::map(Type::String, [("a b", Value::unknown(Type::String))])),
            ("ports", Value::list(Type::Number, vec![Value::number(1), Value::unknown(Type::Number)])),
            ("zones", Value::set(Type::String, vec![Value::string("b"), Value::string("a")])),
            ("nothing", Value::null(Type::Bool)),
        ]));
    }

    #[test]
    fn numbers_that_a_double_cannot_hold_are_text() {
        let exact = |text: &str| Document::of(&Value::number(Number::parse(text).expect("a number"))).value;
        let json = |text: &str| plain(exact(text)).to_string();
        assert_eq!(exact("9007199254740993").to_string(), "9007199254740993");
        assert_eq!(exact("0.10000000000000000001").to_string(), "0.10000000000000000001");
        assert_eq!(json("9007199254740992"), "9007199254740992");
        assert_eq!(json("9007199254740993"), r#""9007199254740993""#);
        assert_eq!(json("0.1"), "0.1");
        assert_eq!(json("0.10000000000000000001"), r#""0.10000000000000000001""#);
        let stored = serde_json::from_str(r#"{"a":[9007199254740993,7],"b":"x"}"#).expect("JSON");
        assert_eq!(plain(stored).to_string(), r#"{"a":["9007199254740993",7],"b":"x"}"#);
    }

    #[test]
    fn a_set_with_an_unknown_element_is_unknown_as_a_whole() {
        let set = Value::set(Type::String, vec![Value::string("a"), Value::unknown(Type::String)]);
        let value = Value::object([("zones", set)]);
        let document = Document::of(&value);
        assert_eq!(document.unknown, [Path::root().attr("zones")]);
        let back = document.read(&value.ty()).expect("it fits");
        assert!(back.attribute("zones").is_some_and(|zones| !zones.is_known()));
    }

    #[test]
    fn what_does_not_fit_is_refused_without_being_shown() {
        let ty = Type::object([("name", Type::String), ("size", Type::Number)]);
        let refuse = |json: Json, unknown: Vec<Path>| {
            let error = Document { value: json, unknown }.read(&ty).expect_err("it does not fit");
            assert_eq!(error.code(), "host.reply");
            assert!(!error.report().contains("hunter2"), "{}", error.report());
            error.to_string()
        };
        refuse(serde_json::json!({ "name": "a", "size": "hunter2" }), Vec::new());
        refuse(serde_json::json!({ "nmae": "a" }), Vec::new());
        let message = refuse(serde_json::json!({ "name": "a" }), vec![Path::root().attr("nmae")]);
        assert_eq!(message, "the host's answer cannot be read: an unknown part `.nmae` is not there");
    }

    #[test]
    fn debug_shows_no_contents() {
        let document = Document::of(&Value::object([("password", Value::string("hunter2"))]));
        assert_eq!(format!("{document:?}"), "Document { unknown: [], .. }");
    }
}

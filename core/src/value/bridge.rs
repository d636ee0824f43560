use serde::{
    Serialize,
    de::{self, DeserializeOwned, IntoDeserializer, Unexpected, Visitor},
    forward_to_deserialize_any,
};

use super::{Kind, Number, Path, Step, Type, Value, json::from_json_value};
use crate::error::{Error, ErrorKind, Result};

/// Returns what a Rust value says, as a value of a type: structs become objects, sequences lists, sets or tuples,
/// options null or not.
///
/// Fields that are not attributes of the type are refused; attributes that are no fields are null. Floats become the
/// decimal that they print as; a float that is not finite becomes null.
///
/// # Errors
/// `value.convert` where the Rust value does not serialise or does not fit the type.
///
/// # Examples
/// ```
/// use serde::{Deserialize, Serialize};
/// use stackwright::value::{Type, Value, from_serde, to_serde};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Bucket { name: String, size: u32, zone: Option<String> }
///
/// let ty = Type::object([("name", Type::String), ("size", Type::Number), ("zone", Type::String)]);
/// let bucket = Bucket { name: "assets".into(), size: 3, zone: None };
/// let value = from_serde(&bucket, &ty)?;
/// assert_eq!(value.attribute("zone"), Some(&Value::null(Type::String)));
/// assert_eq!(to_serde::<Bucket>(&value)?, bucket);
/// # Ok::<(), stackwright::Error>(())
/// ```
pub fn from_serde<T: Serialize + ?Sized>(data: &T, ty: &Type) -> Result<Value> {
    let refuse = |message: String| Error::new(ErrorKind::InvalidInput, "value.convert", message);
    let json = serde_json::to_value(data).map_err(|error| refuse(format!("the data cannot be serialised: {error}")))?;
    from_json_value(&json, ty).map_err(|error| refuse(error.to_string()))
}

/// Returns the value as Rust data.
///
/// Objects and maps become structs or maps, lists, sets and tuples sequences, null `None` or `()`. Text is a unit variant
/// of an enum, an object with one attribute a variant with data. Marks are dropped: what the data is used for is the
/// caller's to answer.
///
/// # Errors
/// `value.convert` where a value is not known yet or does not fit. The message names the place and what is required
/// there, never what is there.
pub fn to_serde<T: DeserializeOwned>(value: &Value) -> Result<T> {
    T::deserialize(Reader(value)).map_err(|failure| {
        // A message of the data type's own may quote what it was given.
        let message = match failure.problem {
            Problem::Own(_) if !value.marks_deep().is_empty() => "the value is refused".to_owned(),
            Problem::Own(message) | Problem::Shape(message) => message,
        };
        let path: Path = failure.steps.into_iter().rev().collect();
        let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
        Error::new(ErrorKind::InvalidInput, "value.convert", format!("{place}{message}"))
    })
}

/// Why data could not be read, and the steps to it, innermost first.
#[derive(Debug)]
struct Failure {
    steps: Vec<Step>,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    /// In our words, without contents.
    Shape(String),
    /// In the words of the data type.
    Own(String),
}

impl Failure {
    fn shape(message: impl Into<String>) -> Self {
        Self { steps: Vec::new(), problem: Problem::Shape(message.into()) }
    }

    fn under(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the value does not fit")
    }
}

impl std::error::Error for Failure {}

fn sort_of(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a bool",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) => "text",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "a list",
        Unexpected::Map => "an object",
        _ => "something else",
    }
}

impl de::Error for Failure {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self { steps: Vec::new(), problem: Problem::Own(message.to_string()) }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::shape(format!("{expected} is required, not {}", sort_of(&found)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::shape(format!("{expected} is required"))
    }

    fn invalid_length(length: usize, expected: &dyn de::Expected) -> Self {
        Self::shape(format!("{expected} is required, not {length} elements"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::shape(format!("one of `{}` is required", expected.join("`, `")))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::shape(format!("unsupported attribute {field:?}"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::shape(format!("attribute {field:?} is required"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::shape(format!("attribute {field:?} is given twice"))
    }
}

struct Reader<'v>(&'v Value);

fn read_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, Failure> {
    match (number.to_i64(), number.to_u64()) {
        (Some(small), _) => visitor.visit_i64(small),
        (None, Some(large)) => visitor.visit_u64(large),
        (None, None) => visitor.visit_f64(number.to_f64_lossy()),
    }
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.0.kind() {
            Kind::Unknown(_) => Err(Failure::shape("the value is not known yet")),
            Kind::Null(_) => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Number(number) => read_number(number, visitor),
            Kind::String(text) => visitor.visit_str(text),
            Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => {
                let mut access = Sequence { items: items.iter(), idx: 0 };
                let result = visitor.visit_seq(&mut access)?;
                match access.items.len() {
                    0 => Ok(result),
                    _ => Err(Failure::shape(format!("{} elements are required, not {}", access.idx, items.len()))),
                }
            }
            Kind::Map(fields) | Kind::Object(fields) => {
                let is_map = matches!(self.0.kind(), Kind::Map(_));
                visitor.visit_map(Entries { rest: fields.iter(), current: None, is_map })
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match self.0.kind() {
            Kind::String(text) => visitor.visit_enum(text.as_ref().into_deserializer()),
            Kind::Map(fields) | Kind::Object(fields) => match &**fields {
                [(name, content)] => visitor.visit_enum(Variant { name, content }),
                _ => Err(Failure::shape("an object with one attribute is required")),
            },
            Kind::Unknown(_) => Err(Failure::shape("the value is not known yet")),
            _ => Err(Failure::shape("text or an object with one attribute is required")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier
    }
}

struct Sequence<'v> {
    items: std::slice::Iter<'v, Value>,
    idx: usize,
}

impl<'de> de::SeqAccess<'de> for Sequence<'_> {
    type Error = Failure;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        let Some(item) = self.items.next() else {
            return Ok(None);
        };
        let step = Step::Index(self.idx);
        self.idx += 1;
        seed.deserialize(Reader(item)).map(Some).map_err(|failure| failure.under(step))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries<'v> {
    rest: std::slice::Iter<'v, (std::sync::Arc<str>, Value)>,
    current: Option<&'v (std::sync::Arc<str>, Value)>,
    is_map: bool,
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Failure;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failure> {
        self.current = self.rest.next();
        match self.current {
            Some((name, _)) => seed.deserialize(name.as_ref().into_deserializer()).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        let Some((name, value)) = self.current else {
            return Err(Failure::shape("a value was read before its name"));
        };
        let step = || if self.is_map { Step::Key(name.clone()) } else { Step::Attr(name.clone()) };
        seed.deserialize(Reader(value)).map_err(|failure| failure.under(step()))
    }
}

struct Variant<'v> {
    name: &'v str,
    content: &'v Value,
}

impl<'de, 'v> de::EnumAccess<'de> for Variant<'v> {
    type Error = Failure;
    type Variant = Content<'v>;

    fn variant_seed<V: de::DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'v>), Failure> {
        Ok((seed.deserialize(self.name.into_deserializer())?, Content(self.content)))
    }
}

struct Content<'v>(&'v Value);

impl<'de> de::VariantAccess<'de> for Content<'_> {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        if self.0.is_null() { Ok(()) } else { Err(Failure::shape("null is required")) }
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Failure> {
        seed.deserialize(Reader(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        de::Deserializer::deserialize_any(Reader(self.0), visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Failure> {
        de::Deserializer::deserialize_any(Reader(self.0), visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::value::testing::{l, m, n, null, o, s, secret, set, t, unknown};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Server {
        name: String,
        size: u16,
        load: f64,
        zone: Option<String>,
        tags: BTreeMap<String, String>,
        ports: Vec<u16>,
        kind: Kind,
        pair: (String, bool),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        Sized(u64),
    }

    fn ty() -> Type {
        Type::object([
            ("name", Type::String),
            ("size", Type::Number),
            ("load", Type::Number),
            ("zone", Type::String),
            ("tags", Type::map(Type::String)),
            ("ports", Type::set(Type::Number)),
            ("kind", Type::Any),
            ("pair", Type::tuple([Type::String, Type::Bool])),
            ("id", Type::String),
        ])
    }

    fn server(kind: Kind) -> Server {
        Server {
            name: "web".into(),
            size: 2,
            load: 0.1,
            zone: None,
            tags: BTreeMap::from([("a".into(), "b".into())]),
            ports: vec![443, 80],
            kind,
            pair: ("x".into(), true),
        }
    }

    #[test]
    fn goes_there_and_back() -> Result<()> {
        let value = from_serde(&server(Kind::Plain), &ty())?;
        assert_eq!(
            value,
            o([
                ("name", s("web")),
                ("size", n("2")),
                ("load", n("0.1")),
                ("zone", null(Type::String)),
                ("tags", m(Type::String, [("a", s("b"))])),
                ("ports", set(Type::Number, [n("80"), n("443")])),
                ("kind", s("plain")),
                ("pair", t([s("x"), Value::bool(true)])),
                ("id", null(Type::String)),
            ])
        );
        // The type has one attribute more than the struct, which denies it.
        assert_eq!(to_serde::<Server>(&value).expect_err("id").to_string(), "unsupported attribute \"id\"");
        let kept = value.entries().filter(|(name, _)| &***name != "id");
        let back: Server = to_serde(&Value::object(kept.map(|(name, value)| (name.clone(), value.clone()))))?;
        assert_eq!(back, Server { ports: vec![80, 443], ..server(Kind::Plain) });
        assert_eq!(from_serde(&Kind::Sized(u64::MAX), &Type::Any)?, o([("sized", n("18446744073709551615"))]));
        assert_eq!(to_serde::<Kind>(&o([("sized", n("18446744073709551615"))]))?, Kind::Sized(u64::MAX));
        Ok(())
    }

    fn check_error<T: DeserializeOwned + std::fmt::Debug>(value: &Value, expect: &str) {
        let error = to_serde::<T>(value).expect_err("it does not fit");
        assert_eq!(error.to_string(), expect);
        assert_eq!(error.code(), "value.convert");
    }

    #[test]
    fn errors_name_places_and_no_contents() {
        check_error::<Vec<u16>>(&t([n("1"), s("hunter2")]), "[1]: u16 is required, not text");
        check_error::<Vec<u16>>(&t([n("70000")]), "[0]: u16 is required");
        check_error::<u16>(&n("1.5"), "u16 is required, not a number");
        check_error::<String>(&null(Type::String), "a string is required, not null");
        check_error::<String>(&unknown(Type::String), "the value is not known yet");
        check_error::<Kind>(&s("hunter2"), "one of `plain`, `sized` is required");
        check_error::<Kind>(&o([("sized", s("hunter2"))]), "u64 is required, not text");
        check_error::<BTreeMap<String, Vec<bool>>>(
            &m(Type::list(Type::Bool), [("a", l(Type::Bool, [null(Type::Bool)]))]),
            "[\"a\"][0]: a boolean is required, not null",
        );
        check_error::<(u8, u8)>(&t([n("1")]), "a tuple of size 2 is required, not 1 elements");
        check_error::<(u8, u8)>(&t([n("1"), n("2"), n("3")]), "2 elements are required, not 3");
        check_error::<Server>(&o([("name", s("x"))]), "attribute \"size\" is required");
    }

    #[test]
    fn own_words_are_not_repeated_of_marked_values() {
        #[derive(Debug)]
        struct Picky;
        impl<'de> Deserialize<'de> for Picky {
            fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Err(de::Error::custom(format!("bad: {text}")))
            }
        }
        check_error::<Picky>(&s("x"), "bad: x");
        check_error::<Picky>(&secret(s("hunter2")), "the value is refused");
    }

    #[test]
    fn data_must_fit_the_type() {
        let error = from_serde(&BTreeMap::from([("a", 1)]), &Type::object([("b", Type::Number)])).expect_err("a");
        assert_eq!(error.to_string(), "unsupported attribute \"a\"");
        let error = from_serde(&vec!["x"], &Type::list(Type::Number)).expect_err("text");
        assert_eq!(error.to_string(), "a number is required at `[0]`");
    }
}

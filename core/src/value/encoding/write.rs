use std::{borrow::Cow, cell::Cell};

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::{Map as JsonMap, Value as Json, json};

use super::Encoded;
use crate::value::{Kind, Marks, Number, Refinement, Type, Value};

/// Integers that every JSON reader keeps: up to 2^53.
const SAFE_INTEGER: i64 = 1 << 53;

/// What a reader knows of the type of a part before it reads it.
#[derive(Clone, Copy)]
pub(super) enum Expected<'a> {
    /// Exactly the part's own, as far as that shows: the value's type is written beside it.
    Own,
    /// This.
    Type(&'a Type),
}

/// What stands for sensitive parts; each is taken once, in order.
pub(super) struct Seals<'a> {
    list: &'a [Option<Json>],
    next: Cell<usize>,
}

impl Seals<'_> {
    fn take(&self) -> Option<&Json> {
        let idx = self.next.get();
        self.next.set(idx + 1);
        self.list.get(idx)?.as_ref()
    }
}

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seals = self.seals.as_deref().map(|list| Seals { list, next: Cell::new(0) });
        let mut parts = serializer.serialize_map(Some(2))?;
        parts.serialize_entry("t", &OwnType { value: self.value, hides: seals.is_some() })?;
        parts.serialize_entry("v", &Part { value: self.value, expected: Expected::Own, seals: seals.as_ref() })?;
        parts.end()
    }
}

/// A value or a part of one, with its marks. Names are written in their order, so that the same value gives the same
/// text always.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) value: &'a Value,
    pub(super) expected: Expected<'a>,
    pub(super) seals: Option<&'a Seals<'a>>,
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut part = *self;
        if let Some(seals) = self.seals.filter(|_| self.value.is_sensitive()) {
            if let Some(sealed) = seals.take() {
                return single(serializer, "$s", sealed);
            }
            // What the host wants in the open is in the open with all its parts, and its type with it.
            part.seals = None;
            if let Expected::Own = part.expected {
                part.expected = Expected::Type(&Type::Any);
            }
        }
        match part.value.marks() {
            Marks::NONE => Typed(part).serialize(serializer),
            marks => {
                let mut parts = serializer.serialize_map(Some(2))?;
                parts.serialize_entry("$m", &marks.bits())?;
                parts.serialize_entry("v", &Typed(part))?;
                parts.end()
            }
        }
    }
}

/// A part without its marks.
struct Typed<'a>(Part<'a>);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Part { value, expected, seals } = self.0;
        if fits(value, expected) {
            return Content(self.0).serialize(serializer);
        }
        let mut parts = serializer.serialize_map(Some(2))?;
        parts.serialize_entry("$t", &OwnType { value, hides: seals.is_some() })?;
        parts.serialize_entry("v", &Content(Part { expected: Expected::Own, ..self.0 }))?;
        parts.end()
    }
}

/// Returns whether a part can be read by what is expected of it; parts of it that differ carry their types.
fn fits(value: &Value, expected: Expected<'_>) -> bool {
    let ty = match expected {
        Expected::Own => return true,
        Expected::Type(ty) => ty,
    };
    match (value.kind(), ty) {
        (Kind::Tuple(items), Type::Tuple(types)) => items.len() == types.len(),
        (Kind::Object(fields), Type::Object(object)) => {
            fields.names().len() == object.attributes.len()
                && fields.names().zip(object.attributes.keys()).all(|(name, expected)| name == expected)
        }
        _ => value.has_type(ty),
    }
}

/// A part that fits what is expected, without its marks.
struct Content<'a>(Part<'a>);

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Part { value, expected, seals } = self.0;
        let part = |value, expected| Part { value, expected, seals };
        let known = match expected {
            Expected::Own => None,
            Expected::Type(ty) => Some(ty),
        };
        match value.kind() {
            Kind::Null(_) => serializer.serialize_unit(),
            Kind::Unknown(unknown) => single(serializer, "$u", &refinement(&unknown.refinement)),
            Kind::Bool(value) => serializer.serialize_bool(*value),
            Kind::Number(value) => write_number(value, serializer),
            Kind::String(text) => serializer.serialize_str(text),
            Kind::List(items) | Kind::Set(items) => {
                sequence(serializer, items.iter().map(|item| part(item, Expected::Type(items.element_type()))))
            }
            Kind::Tuple(items) => match known {
                Some(Type::Tuple(types)) => sequence(
                    serializer,
                    items.iter().zip(types.iter()).map(|(item, ty)| part(item, Expected::Type(ty))),
                ),
                _ => sequence(serializer, items.iter().map(|item| part(item, Expected::Own))),
            },
            Kind::Map(fields) => {
                let mut entries = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields.iter() {
                    entries.serialize_entry(&*escape(key), &part(value, Expected::Type(fields.element_type())))?;
                }
                entries.end()
            }
            Kind::Object(fields) => {
                let mut types = known.and_then(Type::as_object).map(|object| object.attributes.values());
                let mut entries = serializer.serialize_map(None)?;
                for (name, value) in fields.iter() {
                    let expected = types.as_mut().and_then(Iterator::next).map_or(Expected::Own, Expected::Type);
                    // What is absent is null: objects of providers have many attributes and few values.
                    if value.is_null() && value.marks().is_empty() && fits(value, expected) {
                        continue;
                    }
                    entries.serialize_entry(&*escape(name), &part(value, expected))?;
                }
                entries.end()
            }
        }
    }
}

/// The type of a value as JSON, without making it first; with `hides`, that of sensitive parts is left open.
struct OwnType<'a> {
    value: &'a Value,
    hides: bool,
}

impl Serialize for OwnType<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, hides } = *self;
        if hides && value.is_sensitive() {
            return Type::Any.serialize(serializer);
        }
        let own = |value| OwnType { value, hides };
        match value.kind() {
            Kind::Tuple(items) => ("tuple", Sequence(items.iter().map(own))).serialize(serializer),
            Kind::Object(fields) => {
                ("object", Names(fields.iter().map(|(name, value)| (&**name, own(value))))).serialize(serializer)
            }
            Kind::List(items) => ("list", items.element_type()).serialize(serializer),
            Kind::Set(items) => ("set", items.element_type()).serialize(serializer),
            Kind::Map(fields) => ("map", fields.element_type()).serialize(serializer),
            Kind::Null(ty) => ty.serialize(serializer),
            Kind::Unknown(unknown) => unknown.ty.serialize(serializer),
            Kind::Bool(_) => Type::Bool.serialize(serializer),
            Kind::Number(_) => Type::Number.serialize(serializer),
            Kind::String(_) => Type::String.serialize(serializer),
        }
    }
}

/// What an iterator that can be cloned gives, as an array.
struct Sequence<I>(I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for Sequence<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// What an iterator that can be cloned gives, as an object.
struct Names<I>(I);

impl<'a, V: Serialize, I: Iterator<Item = (&'a str, V)> + Clone> Serialize for Names<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.clone())
    }
}

fn sequence<'a, S: Serializer>(
    serializer: S,
    parts: impl ExactSizeIterator<Item = Part<'a>>,
) -> Result<S::Ok, S::Error> {
    let mut entries = serializer.serialize_seq(Some(parts.len()))?;
    for part in parts {
        entries.serialize_element(&part)?;
    }
    entries.end()
}

fn single<S: Serializer>(serializer: S, key: &str, value: &Json) -> Result<S::Ok, S::Error> {
    let mut parts = serializer.serialize_map(Some(1))?;
    parts.serialize_entry(key, value)?;
    parts.end()
}

/// Keys with `$` are ours; those of values get one more.
pub(super) fn escape(name: &str) -> Cow<'_, str> {
    if name.starts_with('$') { format!("${name}").into() } else { name.into() }
}

/// Small integers as JSON numbers, all others as text, which no JSON reader rounds; floats end in `f`.
fn write_number<S: Serializer>(number: &Number, serializer: S) -> Result<S::Ok, S::Error> {
    if let Some(float) = number.as_float() {
        return serializer.collect_str(&format_args!("{float}f"));
    }
    match number.to_i64() {
        Some(0) if number.is_negative() => serializer.serialize_str("-0"),
        Some(small) if (-SAFE_INTEGER..=SAFE_INTEGER).contains(&small) => serializer.serialize_i64(small),
        _ => serializer.serialize_str(&number.to_exact_string()),
    }
}

fn number(number: &Number) -> Json {
    write_number(number, serde_json::value::Serializer).unwrap_or(Json::Null)
}

fn refinement(refinement: &Refinement) -> Json {
    let mut parts = JsonMap::new();
    if refinement.not_null {
        parts.insert("n".to_owned(), Json::Bool(true));
    }
    if let Some(prefix) = &refinement.prefix {
        parts.insert("p".to_owned(), Json::from(&**prefix));
    }
    for (key, bound) in [("lo", &refinement.min), ("hi", &refinement.max)] {
        if let Some(bound) = bound {
            parts.insert(key.to_owned(), json!([number(&bound.value), bound.inclusive]));
        }
    }
    if refinement.min_length > 0 || refinement.max_length.is_some() {
        parts.insert("len".to_owned(), json!([refinement.min_length, refinement.max_length]));
    }
    Json::Object(parts)
}

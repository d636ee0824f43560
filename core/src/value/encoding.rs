use serde_json::{Map as JsonMap, Value as Json, json};

use super::{Kind, Marks, Number, Path, Refinement, Step, Type, Value};
use crate::error::Result;

mod decode;

pub use decode::{decode, decode_typed, decode_with};

/// Integers that every JSON reader keeps: up to 2^53.
const SAFE_INTEGER: i64 = 1 << 53;

/// Seals one sensitive value: gets its place and the value with its marks, returns what to store instead, or `None` to
/// store it in the open.
pub type Seal<'a> = dyn FnMut(&Path, &Value) -> Result<Option<Json>> + 'a;

/// Opens what a [`Seal`] made: gets the place and what was stored, returns the value with its marks.
pub type Unseal<'a> = dyn FnMut(&Path, &Json) -> Result<Value> + 'a;

/// Returns the value in the form in which it is stored: complete, with its type, marks, and what is known of unknowns.
///
/// `{"t": type, "v": content}`; the content is plain JSON wherever plain JSON says it all. The same value gives the same
/// JSON always; keep it in a record that has a version.
///
/// # Examples
/// ```
/// use stackwright::value::{Marks, Type, Value, decode, encode};
///
/// let value = Value::object([
///     ("id", Value::unknown(Type::String)),
///     ("name", Value::string("web").with_marks(Marks::SENSITIVE)),
/// ]);
/// assert_eq!(
///     encode(&value).to_string(),
///     r#"{"t":["object",{"id":"string","name":"string"}],"v":{"id":{"$u":{}},"name":{"$m":1,"v":"web"}}}"#
/// );
/// assert_eq!(decode(&encode(&value))?, value);
/// # Ok::<(), stackwright::Error>(())
/// ```
pub fn encode(value: &Value) -> Json {
    let ty = value.ty();
    json!({ "t": ty.to_json(), "v": encode_typed(value, &ty) })
}

/// Returns the value in the form in which it is stored where its type is known from elsewhere: without the type.
///
/// Parts whose types differ from `ty`, as where that is open, carry theirs.
pub fn encode_typed(value: &Value, ty: &Type) -> Json {
    let mut encoder = Encoder { path: Path::root(), seal: None };
    // Only sealing can fail.
    encoder.marked(value, ty).unwrap_or(Json::Null)
}

/// Returns the value in the form in which it is stored, with sensitive parts sealed.
///
/// `seal` is called once for each outermost part that is marked sensitive. The types of such parts do not show either.
///
/// # Errors
/// Those of `seal`.
pub fn encode_with(value: &Value, seal: &mut Seal<'_>) -> Result<Json> {
    let ty = visible_type(value);
    let mut encoder = Encoder { path: Path::root(), seal: Some(seal) };
    let content = encoder.marked(value, &ty)?;
    Ok(json!({ "t": ty.to_json(), "v": content }))
}

/// The type with sensitive parts left open.
fn visible_type(value: &Value) -> Type {
    if value.is_sensitive() {
        return Type::Any;
    }
    match value.kind() {
        _ if !value.marks_deep().contains(Marks::SENSITIVE) => value.ty(),
        Kind::Tuple(items) => Type::tuple(items.iter().map(visible_type)),
        Kind::Object(fields) => Type::object(fields.iter().map(|(name, part)| (name.clone(), visible_type(part)))),
        _ => value.ty(),
    }
}

struct Encoder<'a, 'b> {
    path: Path,
    seal: Option<&'a mut Seal<'b>>,
}

impl Encoder<'_, '_> {
    fn marked(&mut self, value: &Value, ty: &Type) -> Result<Json> {
        if value.is_sensitive()
            && let Some(seal) = &mut self.seal
        {
            if let Some(sealed) = seal(&self.path, value)? {
                return Ok(json!({ "$s": sealed }));
            }
            // What the host wants in the open is in the open with all its parts.
            let plain = Encoder { path: self.path.clone(), seal: None }.mark(value, ty);
            return plain;
        }
        self.mark(value, ty)
    }

    fn mark(&mut self, value: &Value, ty: &Type) -> Result<Json> {
        let content = self.typed(value, ty)?;
        Ok(match value.marks() {
            Marks::NONE => content,
            marks => json!({ "$m": marks.bits(), "v": content }),
        })
    }

    fn typed(&mut self, value: &Value, ty: &Type) -> Result<Json> {
        let fits = match (value.kind(), ty) {
            (Kind::Tuple(items), Type::Tuple(types)) => items.len() == types.len(),
            (Kind::Object(fields), Type::Object(object)) => {
                fields.names().len() == object.attributes.len()
                    && fields.names().zip(object.attributes.keys()).all(|(name, expected)| name == expected)
            }
            _ => value.has_type(ty),
        };
        if fits {
            return self.content(value, ty);
        }
        let own =
            if self.seal.is_some() { visible_type(&value.clone().with_only_marks(Marks::NONE)) } else { value.ty() };
        let content = self.content(value, &own)?;
        Ok(json!({ "$t": own.to_json(), "v": content }))
    }

    fn content(&mut self, value: &Value, ty: &Type) -> Result<Json> {
        Ok(match (value.kind(), ty) {
            (Kind::Null(_), _) => Json::Null,
            (Kind::Unknown(unknown), _) => json!({ "$u": refinement(&unknown.refinement) }),
            (Kind::Bool(value), _) => Json::Bool(*value),
            (Kind::Number(value), _) => number(value),
            (Kind::String(text), _) => Json::from(&**text),
            (Kind::List(items), _) => self.items(items, |_| items.element_type(), Step::Index)?,
            (Kind::Set(items), _) => self.items(items, |_| items.element_type(), Step::Element)?,
            (Kind::Tuple(items), Type::Tuple(types)) => {
                self.items(items, |idx| types.get(idx).unwrap_or(&Type::Any), Step::Index)?
            }
            (Kind::Tuple(items), _) => self.items(items, |_| &Type::Any, Step::Index)?,
            (Kind::Map(fields), _) => {
                let mut entries = JsonMap::new();
                for (key, part) in fields.iter() {
                    self.path.push(Step::Key(key.clone()));
                    entries.insert(escape(key), self.marked(part, fields.element_type())?);
                    self.path.pop();
                }
                Json::Object(entries)
            }
            (Kind::Object(fields), ty) => {
                let mut entries = JsonMap::new();
                for (name, part) in fields.iter() {
                    let ty = ty.as_object().and_then(|object| object.attributes.get(name)).unwrap_or(&Type::Any);
                    // What is absent is null: objects of providers have many attributes and few values.
                    if part.is_null() && part.marks().is_empty() && part.has_type(ty) {
                        continue;
                    }
                    self.path.push(Step::Attr(name.clone()));
                    entries.insert(escape(name), self.marked(part, ty)?);
                    self.path.pop();
                }
                Json::Object(entries)
            }
        })
    }

    fn items<'t>(
        &mut self,
        items: &[Value],
        ty: impl Fn(usize) -> &'t Type,
        step: impl Fn(usize) -> Step,
    ) -> Result<Json> {
        let mut parts = Vec::with_capacity(items.len());
        for (idx, part) in items.iter().enumerate() {
            self.path.push(step(idx));
            parts.push(self.marked(part, ty(idx))?);
            self.path.pop();
        }
        Ok(Json::Array(parts))
    }
}

/// Keys with `$` are ours; those of values get one more.
fn escape(name: &str) -> String {
    if name.starts_with('$') { format!("${name}") } else { name.to_owned() }
}

/// Small integers as JSON numbers, all others as text, which no JSON reader rounds; floats end in `f`.
fn number(number: &Number) -> Json {
    if let Some(float) = number.as_float() {
        return Json::String(format!("{float}f"));
    }
    match number.to_i64() {
        Some(0) if number.is_negative() => Json::from("-0"),
        Some(small) if (-SAFE_INTEGER..=SAFE_INTEGER).contains(&small) => Json::from(small),
        _ => Json::String(number.to_exact_string()),
    }
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

#[cfg(test)]
mod tests;

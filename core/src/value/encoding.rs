use serde::Serialize;
use serde_json::Value as Json;

use self::write::{Expected, Part};
use super::{Marks, Path, Type, Value};
use crate::error::Result;

mod decode;
mod write;

pub use decode::{decode, decode_typed, decode_with};

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
    tree(&Encoded::new(value))
}

/// Returns the value in the form in which it is stored where its type is known from elsewhere: without the type.
///
/// Parts whose types differ from `ty`, as where that is open, carry theirs.
pub fn encode_typed(value: &Value, ty: &Type) -> Json {
    tree(&Part { value, expected: Expected::Type(ty), seals: None })
}

/// Returns the value in the form in which it is stored, with sensitive parts sealed.
///
/// As [`Encoded::sealed`].
///
/// # Errors
/// Those of `seal`.
pub fn encode_with(value: &Value, seal: &mut Seal<'_>) -> Result<Json> {
    Ok(tree(&Encoded::sealed(value, seal)?))
}

/// Nothing that is written here has no JSON form.
fn tree(encoded: &impl Serialize) -> Json {
    serde_json::to_value(encoded).unwrap_or(Json::Null)
}

/// A value in the form in which it is stored, for serde to write: what [`encode`] returns, without the tree.
///
/// # Examples
/// ```
/// use stackwright::value::{Encoded, Value, encode};
///
/// let value = Value::object([("size", Value::number(2))]);
/// let text = serde_json::to_string(&Encoded::new(&value)).unwrap();
/// assert_eq!(text, r#"{"t":["object",{"size":"number"}],"v":{"size":2}}"#);
/// assert_eq!(text, encode(&value).to_string());
/// ```
#[derive(Clone, Debug)]
pub struct Encoded<'a> {
    value: &'a Value,
    /// What stands for the outermost sensitive parts, in their order; `None` for those that are stored in the open.
    seals: Option<Vec<Option<Json>>>,
}

impl<'a> Encoded<'a> {
    /// Returns the value with all its parts in the open.
    pub fn new(value: &'a Value) -> Self {
        Self { value, seals: None }
    }

    /// Returns the value with sensitive parts sealed.
    ///
    /// `seal` is called once for each outermost part that is marked sensitive. The types of such parts do not show
    /// either.
    ///
    /// # Errors
    /// Those of `seal`.
    ///
    /// # Complexity
    /// O(1) where nothing is sensitive, else O(size of the branches that are).
    pub fn sealed(value: &'a Value, seal: &mut Seal<'_>) -> Result<Self> {
        if !value.marks_deep().contains(Marks::SENSITIVE) {
            return Ok(Self::new(value));
        }
        let mut seals = Vec::new();
        seal_parts(value, &mut Path::root(), seal, &mut seals)?;
        Ok(Self { value, seals: Some(seals) })
    }
}

/// Seals the outermost sensitive parts, in the order in which they are written.
fn seal_parts(value: &Value, path: &mut Path, seal: &mut Seal<'_>, seals: &mut Vec<Option<Json>>) -> Result<()> {
    if value.is_sensitive() {
        seals.push(seal(path, value)?);
        return Ok(());
    }
    let mut result = Ok(());
    value.each_part(&mut |step, part| {
        if result.is_ok() && part.marks_deep().contains(Marks::SENSITIVE) {
            path.push(step());
            result = seal_parts(part, path, seal, seals);
            path.pop();
        }
    });
    result
}

#[cfg(test)]
mod tests;

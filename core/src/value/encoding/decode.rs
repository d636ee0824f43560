use serde_json::{Map as JsonMap, Value as Json};

use super::{
    super::{Bound, Marks, Number, ObjectType, Path, Refinement, Step, Type, Value},
    Unseal,
    write::escape,
};
use crate::error::{Error, ErrorKind, Result};

/// Reads what [`encode`](super::encode) wrote.
///
/// # Errors
/// `value.encoding` for anything else, and for sealed parts.
pub fn decode(json: &Json) -> Result<Value> {
    decode_with(json, &mut refuse_sealed)
}

/// Reads what [`encode_typed`](super::encode_typed) wrote for a value of that type.
///
/// # Errors
/// `value.encoding` for anything else, and for sealed parts.
pub fn decode_typed(json: &Json, ty: &Type) -> Result<Value> {
    Decoder { path: Path::root(), unseal: &mut refuse_sealed }.marked(json, ty)
}

/// Reads what [`encode_with`](super::encode_with) wrote; `unseal` is called for each part that was sealed.
///
/// # Errors
/// `value.encoding`, and those of `unseal`.
pub fn decode_with(json: &Json, unseal: &mut Unseal<'_>) -> Result<Value> {
    let mut decoder = Decoder { path: Path::root(), unseal };
    let (ty, content) = match json.as_object() {
        Some(parts) if parts.len() == 2 => (parts.get("t"), parts.get("v")),
        _ => (None, None),
    };
    let (Some(ty), Some(content)) = (ty, content) else {
        return Err(decoder.fail("a stored value is an object with `t` and `v`"));
    };
    let ty = decoder.read_type(ty)?;
    decoder.marked(content, &ty)
}

fn refuse_sealed(path: &Path, _: &Json) -> Result<Value> {
    Err(Error::new(
        ErrorKind::InvalidInput,
        "value.encoding",
        "a stored value is sealed, and there is no key to open it",
    )
    .context("path", path))
}

struct Decoder<'a, 'b> {
    path: Path,
    unseal: &'a mut Unseal<'b>,
}

impl Decoder<'_, '_> {
    fn fail(&self, message: impl Into<String>) -> Error {
        let error = Error::new(ErrorKind::InvalidInput, "value.encoding", message);
        if self.path.is_empty() { error } else { error.context("path", &self.path) }
    }

    fn read_type(&self, json: &Json) -> Result<Type> {
        Type::from_json(json).map_err(|reason| self.fail(format!("a stored type cannot be read: {reason}")))
    }

    fn marked(&mut self, json: &Json, ty: &Type) -> Result<Value> {
        let Some(parts) = json.as_object() else {
            return self.content(json, ty);
        };
        if let Some(sealed) = parts.get("$s") {
            self.only(parts, &["$s"])?;
            return (self.unseal)(&self.path, sealed);
        }
        let Some(bits) = parts.get("$m") else {
            return self.typed(parts, json, ty);
        };
        let content = self.only(parts, &["$m", "v"])?;
        let marks = bits.as_u64().and_then(|bits| u8::try_from(bits).ok()).and_then(Marks::from_bits);
        let marks = marks.ok_or_else(|| self.fail("a stored value has marks that do not exist"))?;
        let value = match content.as_object() {
            Some(parts) => self.typed(parts, content, ty)?,
            None => self.content(content, ty)?,
        };
        Ok(value.with_marks(marks))
    }

    fn typed(&mut self, parts: &JsonMap<String, Json>, json: &Json, ty: &Type) -> Result<Value> {
        if let Some(own) = parts.get("$t") {
            let content = self.only(parts, &["$t", "v"])?;
            let own = self.read_type(own)?;
            return self.content(content, &own);
        }
        self.content(json, ty)
    }

    /// Returns `v`, or null where it is not among the keys; refuses other keys.
    fn only<'j>(&self, parts: &'j JsonMap<String, Json>, keys: &[&str]) -> Result<&'j Json> {
        if parts.len() != keys.len() || !keys.iter().all(|key| parts.contains_key(*key)) {
            return Err(self.fail(format!("a stored value has other parts than {}", keys.join(", "))));
        }
        Ok(parts.get("v").unwrap_or(&Json::Null))
    }

    fn content(&mut self, json: &Json, ty: &Type) -> Result<Value> {
        match (ty, json) {
            (_, Json::Null) => Ok(Value::null(ty.clone())),
            (_, Json::Object(parts)) if parts.contains_key("$u") => {
                self.only(parts, &["$u"])?;
                let refinement = parts.get("$u").and_then(Json::as_object).and_then(read_refinement);
                let refinement =
                    refinement.ok_or_else(|| self.fail("what is known of a stored value cannot be read"))?;
                Ok(Value::unknown_with(ty.clone(), refinement))
            }
            (Type::Bool, Json::Bool(value)) => Ok(Value::bool(*value)),
            (Type::Number, json) => match read_number(json) {
                Some(number) => Ok(Value::number(number)),
                None => Err(self.mismatch(ty, json)),
            },
            (Type::String, Json::String(text)) => Ok(Value::string(text.as_str())),
            (Type::List(element), Json::Array(items)) => {
                let values = self.items(items, |_| Some(element), Step::Index)?;
                Ok(Value::list((**element).clone(), values))
            }
            (Type::Set(element), Json::Array(items)) => {
                let values = self.items(items, |_| Some(element), Step::Element)?;
                Ok(Value::set((**element).clone(), values))
            }
            (Type::Tuple(types), Json::Array(items)) if types.len() == items.len() => {
                Ok(Value::tuple(self.items(items, |idx| types.get(idx), Step::Index)?))
            }
            (Type::Map(element), Json::Object(entries)) => {
                let mut values = Vec::with_capacity(entries.len());
                for (key, json) in entries {
                    let key = self.unescape(key)?;
                    self.path.push(Step::Key(key.into()));
                    values.push((key, self.marked(json, element)?));
                    self.path.pop();
                }
                Ok(Value::map((**element).clone(), values))
            }
            (Type::Object(object), Json::Object(entries)) => self.object(entries, object),
            (ty, json) => Err(self.mismatch(ty, json)),
        }
    }

    fn object(&mut self, entries: &JsonMap<String, Json>, object: &ObjectType) -> Result<Value> {
        for name in entries.keys() {
            let name = self.unescape(name)?;
            if !object.attributes.contains_key(name) {
                return Err(self.fail(format!("a stored object has an attribute {name:?} that its type does not have")));
            }
        }
        let mut attributes = Vec::with_capacity(object.attributes.len());
        for (name, ty) in &object.attributes {
            self.path.push(Step::Attr(name.clone()));
            let value = match entries.get(&*escape(name)) {
                Some(json) => self.marked(json, ty)?,
                None => Value::null(ty.clone()),
            };
            self.path.pop();
            attributes.push((name.clone(), value));
        }
        Ok(Value::object(attributes))
    }

    fn items<'t>(
        &mut self,
        items: &[Json],
        ty: impl Fn(usize) -> Option<&'t Type>,
        step: impl Fn(usize) -> Step,
    ) -> Result<Vec<Value>> {
        let mut values = Vec::with_capacity(items.len());
        for (idx, json) in items.iter().enumerate() {
            self.path.push(step(idx));
            values.push(self.marked(json, ty(idx).unwrap_or(&Type::Any))?);
            self.path.pop();
        }
        Ok(values)
    }

    fn unescape<'k>(&self, key: &'k str) -> Result<&'k str> {
        match key.strip_prefix('$') {
            Some(rest) if rest.starts_with('$') => Ok(rest),
            Some(_) => Err(self.fail("a stored value has a part that this version does not know")),
            None => Ok(key),
        }
    }

    fn mismatch(&self, ty: &Type, json: &Json) -> Error {
        let found = match json {
            Json::Null => "nothing",
            Json::Bool(_) => "a bool",
            Json::Number(_) => "a number",
            Json::String(_) => "text",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        };
        self.fail(format!("a stored value of type `{}` holds {found}", ty.friendly_name()))
    }
}

fn read_number(json: &Json) -> Option<Number> {
    match json {
        Json::Number(number) => number.as_i64().map(Number::from),
        Json::String(text) => match text.strip_suffix('f') {
            // `+Inf` ends in `f`, too.
            Some(float) if !float.ends_with("In") => Number::from_f64(float.parse().ok()?),
            _ => Number::parse(text).ok(),
        },
        _ => None,
    }
}

fn read_refinement(parts: &JsonMap<String, Json>) -> Option<Refinement> {
    let mut refinement = Refinement::none();
    for (key, json) in parts {
        match key.as_str() {
            "n" => refinement.not_null = json.as_bool()?,
            "p" => refinement = refinement.with_full_prefix(json.as_str()?),
            "lo" => refinement.min = Some(read_bound(json)?),
            "hi" => refinement.max = Some(read_bound(json)?),
            "len" => {
                let [min, max] = json.as_array()?.as_slice() else {
                    return None;
                };
                let min = usize::try_from(min.as_u64()?).ok()?;
                let max = if max.is_null() { None } else { Some(usize::try_from(max.as_u64()?).ok()?) };
                refinement = refinement.with_length(min, max);
            }
            _ => return None,
        }
    }
    Some(refinement)
}

fn read_bound(json: &Json) -> Option<Bound> {
    let [value, inclusive] = json.as_array()?.as_slice() else {
        return None;
    };
    Some(Bound { value: read_number(value)?, inclusive: inclusive.as_bool()? })
}

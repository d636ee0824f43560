//! Values as Terraform writes them into a plan: MessagePack that follows a type.

use std::sync::Arc;

use stackwright::value::{Number, Refinement, Type, Value};

/// Why bytes could not be read.
pub type Problem = String;

/// What is left to read.
pub struct Reader<'a> {
    left: &'a [u8],
}

/// The head of one item.
#[derive(Debug)]
enum Item<'a> {
    Nil,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Array(usize),
    Map(usize),
    Extension(i8, &'a [u8]),
}

impl<'a> Reader<'a> {
    /// Returns a reader at the start of some bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Problem> {
        let (taken, left) = self.left.split_at_checked(count).ok_or("the bytes end too early")?;
        self.left = left;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> Result<u64, Problem> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    fn length(&mut self, bytes: usize) -> Result<usize, Problem> {
        usize::try_from(self.number(bytes)?).map_err(|error| error.to_string())
    }

    fn signed(&mut self, bytes: usize) -> Result<i128, Problem> {
        let unsigned = self.number(bytes)?;
        let shift = 64 - 8 * bytes as u32;
        Ok(i128::from((unsigned << shift) as i64 >> shift))
    }

    fn item(&mut self) -> Result<Item<'a>, Problem> {
        let [code] = *self.take(1)? else { return Err("no byte".to_owned()) };
        Ok(match code {
            0x00..=0x7f => Item::Integer(i128::from(code)),
            0x80..=0x8f => Item::Map(usize::from(code & 0xf)),
            0x90..=0x9f => Item::Array(usize::from(code & 0xf)),
            0xa0..=0xbf => Item::Text(self.take(usize::from(code & 0x1f))?),
            0xc0 => Item::Nil,
            0xc2 | 0xc3 => Item::Bool(code == 0xc3),
            0xc4..=0xc6 => {
                let length = self.length(1 << (code - 0xc4))?;
                Item::Bytes(self.take(length)?)
            }
            0xc7..=0xc9 => {
                let length = self.length(1 << (code - 0xc7))?;
                let [kind] = *self.take(1)? else { return Err("no byte".to_owned()) };
                Item::Extension(kind as i8, self.take(length)?)
            }
            0xca => Item::Float(f64::from(f32::from_bits(self.number(4)? as u32))),
            0xcb => Item::Float(f64::from_bits(self.number(8)?)),
            0xcc..=0xcf => Item::Integer(i128::from(self.number(1 << (code - 0xcc))?)),
            0xd0..=0xd3 => Item::Integer(self.signed(1 << (code - 0xd0))?),
            0xd4..=0xd8 => {
                let [kind] = *self.take(1)? else { return Err("no byte".to_owned()) };
                Item::Extension(kind as i8, self.take(1 << (code - 0xd4))?)
            }
            0xd9..=0xdb => {
                let length = self.length(1 << (code - 0xd9))?;
                Item::Text(self.take(length)?)
            }
            0xdc | 0xdd => Item::Array(self.length(if code == 0xdc { 2 } else { 4 })?),
            0xde | 0xdf => Item::Map(self.length(if code == 0xde { 2 } else { 4 })?),
            0xe0..=0xff => Item::Integer(i128::from(code as i8)),
            0xc1 => return Err("a byte that means nothing".to_owned()),
        })
    }

    /// Reads a value of a type.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn value(&mut self, ty: &Type) -> Result<Value, Problem> {
        let item = self.item()?;
        let strange = |item: &Item<'_>| format!("{item:?} is no {}", ty.friendly_name());
        match (ty, item) {
            (_, Item::Nil) => Ok(Value::null(ty.clone())),
            (_, Item::Extension(kind, bytes)) => {
                let known = if kind == 12 { refinement(bytes)? } else { Refinement::none() };
                Ok(Value::unknown_with(ty.clone(), known))
            }
            (Type::Any, Item::Array(2)) => {
                let Item::Bytes(json) = self.item()? else { return Err("a type was expected".to_owned()) };
                let json: serde_json::Value = serde_json::from_slice(json).map_err(|error| error.to_string())?;
                self.value(&Type::from_json(&json)?)
            }
            (Type::Bool, Item::Bool(value)) => Ok(Value::bool(value)),
            (Type::Number, item @ (Item::Integer(_) | Item::Float(_) | Item::Text(_))) => {
                number(&item).map(Value::number).ok_or_else(|| strange(&item))
            }
            (Type::String, Item::Text(text)) => Ok(Value::string(string(text)?)),
            (Type::List(element), Item::Array(count)) => {
                Ok(Value::list((**element).clone(), self.values(count, |_| Some(element))?))
            }
            (Type::Set(element), Item::Array(count)) => {
                Ok(Value::set((**element).clone(), self.values(count, |_| Some(element))?))
            }
            (Type::Tuple(types), Item::Array(count)) => Ok(Value::tuple(self.values(count, |idx| types.get(idx))?)),
            (Type::Map(element), Item::Map(count)) => {
                Ok(Value::map((**element).clone(), self.fields(count, |_| Some(element))?))
            }
            (Type::Object(object), Item::Map(count)) => {
                Ok(Value::object(self.fields(count, |name| object.attributes.get(name))?))
            }
            (_, item) => Err(strange(&item)),
        }
    }

    fn values<'t>(&mut self, count: usize, ty: impl Fn(usize) -> Option<&'t Type>) -> Result<Vec<Value>, Problem> {
        (0..count).map(|idx| self.value(ty(idx).ok_or("too many elements")?)).collect()
    }

    fn fields<'t>(
        &mut self,
        count: usize,
        ty: impl Fn(&str) -> Option<&'t Type>,
    ) -> Result<Vec<(Arc<str>, Value)>, Problem> {
        let mut fields = Vec::with_capacity(count);
        for _ in 0..count {
            let Item::Text(name) = self.item()? else { return Err("a name was expected".to_owned()) };
            let name = string(name)?;
            let value = self.value(ty(name).ok_or_else(|| format!("`{name}` has no type"))?)?;
            fields.push((Arc::from(name), value));
        }
        Ok(fields)
    }
}

fn string(bytes: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(bytes).map_err(|error| error.to_string())
}

fn number(item: &Item<'_>) -> Option<Number> {
    match item {
        Item::Integer(number) => Number::parse(&number.to_string()).ok(),
        // Terraform writes a float where it is exact; so it is read with all of its digits.
        Item::Float(number) if number.is_finite() => Number::parse(&format!("{number:.1080}")).ok(),
        Item::Float(number) => Number::from_f64(*number),
        Item::Text(text) => Number::parse(std::str::from_utf8(text).ok()?).ok(),
        _ => None,
    }
}

/// Reads what is known of a value: a map by numbers.
fn refinement(bytes: &[u8]) -> Result<Refinement, Problem> {
    let mut reader = Reader::new(bytes);
    let Item::Map(count) = reader.item()? else { return Err("a refinement was expected".to_owned()) };
    let mut known = Refinement::none();
    let (mut least, mut most) = (0, None);
    for _ in 0..count {
        let Item::Integer(key) = reader.item()? else { return Err("a key was expected".to_owned()) };
        match (key, reader.item()?) {
            (1, Item::Bool(may_be_null)) => known.not_null = !may_be_null,
            (2, Item::Text(prefix)) => known = known.with_full_prefix(string(prefix)?),
            (3 | 4, Item::Array(2)) => {
                let value = number(&reader.item()?).ok_or("a bound was expected")?;
                let Item::Bool(inclusive) = reader.item()? else { return Err("a truth value was expected".to_owned()) };
                known = if key == 3 { known.with_min(value, inclusive) } else { known.with_max(value, inclusive) };
            }
            (5, Item::Integer(length)) => least = usize::try_from(length).map_err(|error| error.to_string())?,
            (6, Item::Integer(length)) => most = usize::try_from(length).ok(),
            (key, item) => return Err(format!("the refinement {key} cannot be {item:?}")),
        }
    }
    Ok(known.with_length(least, most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canon::canon;

    #[test]
    fn values_are_read_by_their_type() {
        let check = |bytes: &[u8], ty: Type, expect: &str| {
            let value = Reader::new(bytes).value(&ty).expect("a value");
            assert_eq!(canon(&value), expect);
        };
        check(&[0x03], Type::Number, "3");
        check(&[0xd1, 0xff, 0x00], Type::Number, "-256");
        check(&[0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], Type::Number, "1.5");
        check(&[0xa3, b'0', b'.', b'1'], Type::Number, "0.1");
        check(&[0x92, 0xc0, 0xa1, b'x'], Type::list(Type::String), "list(string)[null:string,\"x\"]");
        check(&[0xd4, 0, 0], Type::Any, "?dynamic");
        check(&[0xc7, 3, 12, 0x81, 1, 0xc2], Type::String, "?string");
        check(&[0x92, 0xc4, 6, b'"', b'b', b'o', b'o', b'l', b'"', 0xc3], Type::Any, "true");
        assert!(Reader::new(&[0x92, 0xc0]).value(&Type::list(Type::Bool)).is_err());
        assert!(Reader::new(&[0xa1, b'x']).value(&Type::Bool).is_err());
    }
}

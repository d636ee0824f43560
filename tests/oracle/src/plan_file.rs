//! What the plan file of Terraform says of one resource: a ZIP archive with a protocol buffer in it.

use std::io::Read as _;

use stackwright::value::{Marks, Path, Type, Value};

use crate::msgpack::{Problem, Reader};

/// The planned value of a resource, with its sensitive parts marked.
///
/// # Errors
/// What is wrong with the file, or that the resource is not in it.
pub fn planned(archive: &[u8], address: &str) -> Result<Value, Problem> {
    let plan = entry(archive, "tfplan")?;
    for (number, resource) in fields(&plan)? {
        let (3, Field::Bytes(resource)) = (number, resource) else { continue };
        let resource = fields(resource)?;
        let is_wanted = |(number, field): &(u64, Field<'_>)| *number == 13 && field.bytes() == address.as_bytes();
        if !resource.iter().any(is_wanted) {
            continue;
        }
        let change = resource.iter().find(|(number, _)| *number == 9).ok_or("the resource has no change")?;
        return change_after(change.1.bytes());
    }
    Err(format!("{address} is not in the plan"))
}

fn change_after(change: &[u8]) -> Result<Value, Problem> {
    let change = fields(change)?;
    let after = change.iter().rfind(|(number, _)| *number == 2).ok_or("the change has no value")?;
    let input = dynamic(after.1.bytes(), &data_type())?;
    let mut paths = Vec::new();
    for (_, path) in change.iter().filter(|(number, _)| *number == 4) {
        paths.push((path_of(path.bytes())?, Marks::SENSITIVE));
    }
    let marked = input.mark_with_paths(&paths);
    marked.attribute("input").cloned().ok_or_else(|| "there is no input".to_owned())
}

fn data_type() -> Type {
    Type::object([("id", Type::String), ("input", Type::Any), ("output", Type::Any), ("triggers_replace", Type::Any)])
}

fn dynamic(message: &[u8], ty: &Type) -> Result<Value, Problem> {
    let fields = fields(message)?;
    let bytes = fields.iter().find(|(number, _)| *number == 1).ok_or("a value is empty")?;
    Reader::new(bytes.1.bytes()).value(ty)
}

fn path_of(message: &[u8]) -> Result<Path, Problem> {
    let mut path = Path::root();
    for (_, step) in fields(message)? {
        for (number, field) in fields(step.bytes())? {
            let text = || std::str::from_utf8(field.bytes()).map_err(|error| error.to_string());
            path = match number {
                1 => path.attr(text()?),
                2 => {
                    // A key is written without its type: a text or a number, as its first byte tells.
                    let key =
                        dynamic(field.bytes(), &Type::String).or_else(|_| dynamic(field.bytes(), &Type::Number))?;
                    path.index_by(&key).ok_or("a key that is none")?
                }
                _ => return Err("a step that is none".to_owned()),
            };
        }
    }
    Ok(path)
}

/// One field of a message.
enum Field<'a> {
    Number,
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number => &[],
        }
    }
}

fn fields(mut message: &[u8]) -> Result<Vec<(u64, Field<'_>)>, Problem> {
    let mut list = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let field = match tag & 7 {
            0 => {
                varint(&mut message)?;
                Field::Number
            }
            1 => skip(&mut message, 8)?,
            2 => {
                let length = usize::try_from(varint(&mut message)?).map_err(|error| error.to_string())?;
                let (bytes, rest) = message.split_at_checked(length).ok_or("a field ends too late")?;
                message = rest;
                Field::Bytes(bytes)
            }
            5 => skip(&mut message, 4)?,
            _ => return Err("a field of no known kind".to_owned()),
        };
        list.push((tag >> 3, field));
    }
    Ok(list)
}

fn skip<'a>(message: &mut &'a [u8], count: usize) -> Result<Field<'a>, Problem> {
    *message = message.get(count..).ok_or("a field ends too late")?;
    Ok(Field::Number)
}

fn varint(message: &mut &[u8]) -> Result<u64, Problem> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first().ok_or("a number ends too late")?;
        *message = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err("a number that is too long".to_owned())
}

/// Returns the bytes of one file of a ZIP archive, found by the directory at its end.
fn entry(archive: &[u8], wanted: &str) -> Result<Vec<u8>, Problem> {
    let number = |at: usize, bytes: usize| -> Result<usize, Problem> {
        let field = archive.get(at..at + bytes).ok_or("the archive ends too early")?;
        Ok(field.iter().rev().fold(0, |number, byte| (number << 8) | usize::from(*byte)))
    };
    let end = archive.windows(4).rposition(|window| window == b"PK\x05\x06").ok_or("it is no archive")?;
    let count = number(end + 10, 2)?;
    let mut at = number(end + 16, 4)?;
    for _ in 0..count {
        let (method, packed, name) = (number(at + 10, 2)?, number(at + 20, 4)?, number(at + 28, 2)?);
        let (extra, comment, local) = (number(at + 30, 2)?, number(at + 32, 2)?, number(at + 42, 4)?);
        let found = archive.get(at + 46..at + 46 + name).ok_or("the archive ends too early")?;
        if found == wanted.as_bytes() {
            let start = local + 30 + number(local + 26, 2)? + number(local + 28, 2)?;
            let bytes = archive.get(start..start + packed).ok_or("the archive ends too early")?;
            let mut out = Vec::new();
            match method {
                0 => out.extend(bytes),
                _ => {
                    let mut reader = flate2::read::DeflateDecoder::new(bytes);
                    reader.read_to_end(&mut out).map_err(|error| error.to_string())?;
                }
            }
            return Ok(out);
        }
        at += 46 + name + extra + comment;
    }
    Err(format!("{wanted} is not in the archive"))
}

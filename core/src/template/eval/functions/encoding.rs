//! Texts that stand for other data: Base64, JSON, YAML, CSV, URLs, character sets.

use std::{borrow::Cow, collections::HashSet, fmt::Write as _, io::Write as _, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Call, Function, Functions, Parameter, charset::Charset, string::string, yaml_decode, yaml_encode};
use crate::{
    template::eval::{Context, Problem},
    value::{Kind, Refinement, Type, Value, from_json, to_json},
};

pub(super) fn register(table: &mut Functions) {
    register_base64(table);
    register_documents(table);
    table.add(
        Function::new("urlencode", "Returns a text written so that it can stand in the query of a URL.")
            .takes([string("str")])
            .returns(Type::String)
            .computes(|call| {
                let mut out = String::new();
                for byte in call.text(0).bytes() {
                    match byte {
                        b' ' => out.push('+'),
                        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                            out.push(char::from(byte));
                        }
                        byte => {
                            let _ = write!(out, "%{byte:02X}");
                        }
                    }
                }
                call.string(out)
            }),
    );
}

fn register_base64(table: &mut Functions) {
    table.add(
        Function::new("base64encode", "Returns the UTF-8 bytes of a text in Base64.")
            .takes([string("str")])
            .returns(Type::String)
            .computes(|call| call.string(STANDARD.encode(call.text(0)))),
    );
    table.add(
        Function::new("base64decode", "Returns the text whose UTF-8 bytes are given in Base64.")
            .takes([string("str")])
            .returns(Type::String)
            .computes(|call| {
                let bytes = decode_base64(call.text(0))?;
                let text = String::from_utf8(bytes).map_err(|_| {
                    Problem::argument(0, "the bytes are no UTF-8 text")
                        .help("texts are Unicode; `textdecodebase64` reads other encodings")
                })?;
                call.string(text)
            }),
    );
    table.add(
        Function::new("base64gzip", "Returns the UTF-8 bytes of a text compressed by gzip, in Base64.")
            .takes([string("str")])
            .returns(Type::String)
            .computes(|call| {
                let bytes =
                    gzip(call.text(0).as_bytes()).ok_or_else(|| Problem::new("the text cannot be compressed"))?;
                call.string(STANDARD.encode(bytes))
            }),
    );
    table.add(
        Function::new("textencodebase64", "Returns the bytes of a text in a character encoding, in Base64.")
            .takes([string("string"), string("encoding")])
            .returns(Type::String)
            .computes(|call| {
                let bytes = charset(call)?.encode(call.text(0)).ok_or_else(|| {
                    Problem::argument(0, format!("some characters have no form in `{}`", call.text(1)))
                })?;
                call.string(STANDARD.encode(bytes))
            }),
    );
    table.add(
        Function::new("textdecodebase64", "Returns the text whose bytes in a character encoding are given in Base64.")
            .takes([string("source"), string("encoding")])
            .returns(Type::String)
            .computes(|call| {
                let bytes = decode_base64(call.text(0))?;
                let text = charset(call)?
                    .decode(&bytes)
                    .ok_or_else(|| Problem::argument(0, format!("some bytes mean nothing in `{}`", call.text(1))))?;
                call.string(text)
            }),
    );
}

/// Compresses as Terraform does: no time, an unknown system, all data in front of an empty last block. The blocks
/// themselves may be cut differently; what they unpack to is the same.
fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    const LAST_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];
    let mut out = HEAD.to_vec();
    let mut encoder = flate2::write::DeflateEncoder::new(&mut out, flate2::Compression::default());
    encoder.write_all(bytes).ok()?;
    encoder.flush().ok()?;
    // What it would write when it is dropped is another last block.
    let length = encoder.total_out() as usize;
    drop(encoder);
    out.truncate(HEAD.len() + length);
    out.extend(LAST_BLOCK);
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    out.extend(crc.sum().to_le_bytes());
    out.extend((bytes.len() as u32).to_le_bytes());
    Some(out)
}

fn charset(call: Call<'_>) -> Result<Charset, Problem> {
    Charset::named(call.text(1)).ok_or_else(|| {
        Problem::argument(1, format!("the encoding `{}` is not supported", call.text(1)))
            .help("supported are UTF-8, UTF-16, UTF-16LE, UTF-16BE, US-ASCII, ISO-8859-1 and windows-1252")
    })
}

pub(super) fn decode_base64(text: &str) -> Result<Vec<u8>, Problem> {
    let compact: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    STANDARD.decode(compact).map_err(|error| Problem::argument(0, format!("it is not Base64: {error}")))
}

fn register_documents(table: &mut Functions) {
    table.add(
        Function::new("jsonencode", "Returns a value as JSON.")
            .takes([Parameter::new("val", Type::Any).null().unknown().any()])
            .returns(Type::String)
            .computes(|call| {
                let value = call.value(0)?;
                if !value.is_wholly_known() {
                    return Ok(unknown_text(value));
                }
                let text = to_json(value).map_err(|error| Problem::argument(0, error.to_string()))?;
                call.string(text)
            }),
    );
    table.add(
        Function::new("jsondecode", "Returns the value that a JSON text stands for.")
            .takes([string("str")])
            .returns_by(|arguments, _| json_type(arguments))
            .may_return_null()
            .computes(|call| {
                let text = without_lone_surrogates(call.text(0));
                let value = from_json(&text, &Type::Any).map_err(|error| Problem::argument(0, error.to_string()))?;
                call.room(size(&value))?;
                Ok(value)
            }),
    );
    table.add(
        Function::new("yamlencode", "Returns a value as YAML.")
            .takes([Parameter::new("value", Type::Any).null().any()])
            .returns(Type::String)
            .may_return_null()
            .computes(|call| {
                let value = call.value(0)?;
                if !value.is_wholly_known() {
                    return Ok(Value::unknown(Type::String));
                }
                call.string(yaml_encode::encode(value)?)
            }),
    );
    table.add(
        Function::new("yamldecode", "Returns the value that a YAML text stands for.")
            .takes([string("src")])
            .returns(Type::Any)
            .may_return_null()
            .computes(|call| yaml_decode::decode(call.text(0), call.context)),
    );
    table.add(
        Function::new("csvdecode", "Returns the rows of a CSV text as objects, named by its first row.")
            .takes([string("str")])
            .returns_by(|arguments, context| {
                let Some(text) = arguments.first().and_then(Value::as_str) else { return Ok(Type::Any) };
                let names = csv_header(text, context)?;
                Ok(Type::list(Type::object(names.into_iter().map(|name| (name, Type::String)))))
            })
            .computes(csv_decode),
    );
}

/// What the known start of a JSON text says of the type of its value: a text, a number and a bool can be told by it.
fn json_type(arguments: &[Value]) -> Result<Type, Problem> {
    let Some(unknown) = arguments.first().and_then(Value::as_unknown) else { return Ok(Type::Any) };
    match unknown.refinement.prefix.as_deref().unwrap_or("").trim().chars().next() {
        None | Some('{' | '[' | 'n') => Ok(Type::Any),
        Some('"') => Ok(Type::String),
        Some('t' | 'f') => Ok(Type::Bool),
        Some('-' | '0'..='9') => Ok(Type::Number),
        Some(_) => Err(Problem::argument(0, "it is not JSON: no document starts like that")),
    }
}

/// Half of a pair of surrogates is no character: another stands for it.
fn without_lone_surrogates(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    let unit = |text: &str| {
        let digits =
            text.strip_prefix("\\u")?.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let length = match unit(escape) {
            Some(0xd800..=0xdbff) if matches!(escape.get(6..).and_then(unit), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => {
                out.push_str("\\ufffd");
                rest = escape.get(6..).unwrap_or("");
                continue;
            }
            _ => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        let (escape, behind) = escape.split_at(length);
        out.push_str(escape);
        rest = behind;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// How many values it holds, itself included.
fn size(value: &Value) -> usize {
    let parts = value.elements().map(size).sum::<usize>() + value.entries().map(|(_, part)| size(part)).sum::<usize>();
    parts + 1
}

/// What can be said of the JSON, or of the expression, of a value that is not wholly known.
pub(super) fn unknown_text(value: &Value) -> Value {
    let mut refinement = Refinement::not_null();
    if value.is_definitely_not_null() {
        refinement = match value.ty() {
            Type::Object(_) | Type::Map(_) => refinement.with_full_prefix("{"),
            Type::Tuple(_) | Type::List(_) | Type::Set(_) => refinement.with_full_prefix("["),
            Type::String => refinement.with_full_prefix("\""),
            _ => refinement,
        };
    }
    debug_assert!(!matches!(value.kind(), Kind::Null(_)), "nulls are known");
    Value::unknown_with(Type::String, refinement)
}

fn csv_reader(text: &str) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes())
}

fn csv_problem(line: u64, why: &str) -> Problem {
    Problem::argument(0, format!("it is not CSV: {why} in row {line}"))
}

fn csv_header(text: &str, _: &Context<'_>) -> Result<Vec<Arc<str>>, Problem> {
    let mut record = csv::StringRecord::new();
    let found = csv_reader(text).read_record(&mut record).map_err(|_| csv_problem(1, "a broken row"))?;
    if !found {
        return Err(Problem::argument(0, "the first row, with the names of the columns, is missing"));
    }
    let names: Vec<Arc<str>> = record.iter().map(Arc::from).collect();
    let mut seen = HashSet::new();
    for name in &names {
        if !seen.insert(name) {
            return Err(Problem::argument(0, format!("two columns are called `{name}`")));
        }
    }
    Ok(names)
}

fn csv_decode(call: Call<'_>) -> Result<Value, Problem> {
    let text = call.text(0);
    check_csv_quotes(text)?;
    let names = csv_header(text, call.context)?;
    let mut rows = Vec::new();
    for (idx, record) in csv_reader(text).into_records().enumerate().skip(1) {
        let line = idx as u64 + 1;
        let record = record.map_err(|_| csv_problem(line, "a broken row"))?;
        if record.len() != names.len() {
            return Err(csv_problem(line, &format!("{} fields instead of {}", record.len(), names.len())));
        }
        call.room(names.len() + 1)?;
        rows.push(Value::object(
            names.iter().zip(record.iter()).map(|(name, field)| (Arc::clone(name), csv_field(field))),
        ));
    }
    let element = call.returns.element().cloned().unwrap_or(Type::Any);
    Ok(Value::list(element, rows))
}

/// Line ends inside quotes are plain ones, however the file was written.
fn csv_field(text: &str) -> Value {
    Value::string(text.replace("\r\n", "\n"))
}

/// Refuses quotes where the format has none: the reader would take them for text.
fn check_csv_quotes(text: &str) -> Result<(), Problem> {
    #[derive(PartialEq)]
    enum At {
        FieldStart,
        Bare,
        Quoted,
        AfterQuote,
    }
    let mut at = At::FieldStart;
    let mut row = 1;
    for c in text.chars() {
        row += u64::from(c == '\n' && at != At::Quoted);
        at = match (at, c) {
            (At::Quoted, '"') => At::AfterQuote,
            (At::Quoted, _) => At::Quoted,
            (At::FieldStart, '"') => At::Quoted,
            (At::AfterQuote, '"') => At::Quoted,
            (_, ',' | '\n' | '\r') => At::FieldStart,
            (At::AfterQuote, _) => return Err(csv_problem(row, "text after a closing quote")),
            (At::Bare, '"') => return Err(csv_problem(row, "a quote inside a field that does not start with one")),
            _ => At::Bare,
        };
    }
    if at == At::Quoted {
        return Err(csv_problem(row, "a quote that is never closed"));
    }
    Ok(())
}

//! Digests of texts and files.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{Call, Function, Functions, string::string};
use crate::{
    template::eval::Problem,
    value::{Type, Value},
};

type Hash = fn(&[u8]) -> Vec<u8>;
type Spell = fn(&[u8]) -> String;

pub(super) fn register(table: &mut Functions) {
    let text: [(&str, Hash, Spell, &str); 6] = [
        ("md5", digest::<Md5>, hex, "Returns the MD5 digest of a text in hexadecimal."),
        ("sha1", digest::<Sha1>, hex, "Returns the SHA-1 digest of a text in hexadecimal."),
        ("sha256", digest::<Sha256>, hex, "Returns the SHA-256 digest of a text in hexadecimal."),
        ("sha512", digest::<Sha512>, hex, "Returns the SHA-512 digest of a text in hexadecimal."),
        ("base64sha256", digest::<Sha256>, base64, "Returns the SHA-256 digest of a text in Base64."),
        ("base64sha512", digest::<Sha512>, base64, "Returns the SHA-512 digest of a text in Base64."),
    ];
    for (name, hash, spell, summary) in text {
        table.add(
            Function::new(name, summary)
                .takes([string("str")])
                .returns(Type::String)
                .computes(move |call| Ok(Value::string(spell(&hash(call.text(0).as_bytes()))))),
        );
    }
    let file: [(&str, Hash, Spell, &str); 6] = [
        ("filemd5", digest::<Md5>, hex, "Returns the MD5 digest of a file in hexadecimal."),
        ("filesha1", digest::<Sha1>, hex, "Returns the SHA-1 digest of a file in hexadecimal."),
        ("filesha256", digest::<Sha256>, hex, "Returns the SHA-256 digest of a file in hexadecimal."),
        ("filesha512", digest::<Sha512>, hex, "Returns the SHA-512 digest of a file in hexadecimal."),
        ("filebase64sha256", digest::<Sha256>, base64, "Returns the SHA-256 digest of a file in Base64."),
        ("filebase64sha512", digest::<Sha512>, base64, "Returns the SHA-512 digest of a file in Base64."),
    ];
    for (name, hash, spell, summary) in file {
        table.add(Function::new(name, summary).takes([string("path")]).returns(Type::String).computes(move |call| {
            let bytes = call.context.options().files.read(call.text(0)).map_err(|problem| problem.at_argument(0))?;
            Ok(Value::string(spell(&hash(&bytes))))
        }));
    }
    table.add(
        Function::new("uuidv5", "Returns the UUID of a name in a namespace: always the same for both.")
            .takes([string("namespace"), string("name")])
            .returns(Type::String)
            .computes(uuid_v5),
    );
}

fn digest<D: Digest>(bytes: &[u8]) -> Vec<u8> {
    D::digest(bytes).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn uuid_v5(call: Call<'_>) -> Result<Value, Problem> {
    let namespace = match call.text(0) {
        "dns" => uuid::Uuid::NAMESPACE_DNS,
        "url" => uuid::Uuid::NAMESPACE_URL,
        "oid" => uuid::Uuid::NAMESPACE_OID,
        "x500" => uuid::Uuid::NAMESPACE_X500,
        text => uuid::Uuid::try_parse(text).map_err(|_| {
            Problem::argument(0, format!("`{text}` is not a UUID, nor one of `dns`, `url`, `oid` and `x500`"))
        })?,
    };
    Ok(Value::string(uuid::Uuid::new_v5(&namespace, call.text(1).as_bytes()).to_string()))
}

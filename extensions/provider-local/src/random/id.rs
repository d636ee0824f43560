use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use num_bigint::BigUint;
use stackwright::{
    error::Result,
    resource::{Context, Evidence, Object, Outcome, Recovery, Resource, Traits},
    schema::{Attribute, Schema},
    value::{Type, Value},
};

use super::draw;
use crate::{
    attributes::{number, text, with},
    encoding::hex,
    import::{ImportId, refuse},
};

const MOST_BYTES: u64 = 1024;

/// Random bytes in several spellings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id;

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| Arc::new(build())))
}

fn build() -> Schema {
    Schema::new(1)
        .describe("Random bytes for names and ids; not secret.")
        .attribute("id", Attribute::computed(Type::String).describe("The bytes in Base64 for URLs, without prefix."))
        .attribute(
            "byte_length",
            Attribute::required(Type::Number).between(1, MOST_BYTES).forces_replacement().describe("How many bytes."),
        )
        .attribute(
            "prefix",
            Attribute::optional(Type::String).forces_replacement().describe("Put before each spelling."),
        )
        .attribute("keepers", super::keepers())
        .attribute("hex", Attribute::computed(Type::String).describe("The bytes in hexadecimal."))
        .attribute("dec", Attribute::computed(Type::String).describe("The bytes as one decimal number."))
        .attribute("b64_std", Attribute::computed(Type::String).describe("The bytes in Base64."))
        .attribute(
            "b64_url",
            Attribute::computed(Type::String).describe("The bytes in Base64 for URLs, without padding."),
        )
}

/// Returns the spellings of `bytes`.
fn object(attributes: &Value, bytes: &[u8]) -> Object {
    let prefix = text(attributes, "prefix").unwrap_or("");
    let spell = |spelling: String| Value::string(format!("{prefix}{spelling}"));
    let id = URL_SAFE_NO_PAD.encode(bytes);
    let dec = BigUint::from_bytes_be(bytes);
    let object = with(
        attributes,
        [
            ("id", Value::string(id.as_str())),
            ("hex", spell(hex(bytes))),
            ("dec", spell(dec.to_string())),
            ("b64_std", spell(STANDARD.encode(bytes))),
            ("b64_url", spell(id.clone())),
        ],
    );
    Object::new(id, object)
}

#[async_trait]
impl Resource for Id {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    fn traits(&self) -> Traits {
        Traits { idempotent_create: true, free: true, ..Traits::default() }
    }

    async fn create(&self, _ctx: &Context, planned: Value) -> Outcome {
        let count = number(&planned, "byte_length").unwrap_or(8).min(MOST_BYTES) as usize;
        draw::bytes(count).map(|bytes| object(&planned, &bytes)).into()
    }

    async fn read(&self, _ctx: &Context, object: &Object) -> Result<Option<Object>> {
        Ok(Some(object.clone()))
    }

    async fn update(&self, _ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        Outcome::complete(Object::new(prior.id.clone(), planned))
    }

    async fn delete(&self, _ctx: &Context, _prior: &Object) -> Outcome {
        Outcome::gone()
    }

    /// The id is `b64_url` without prefix, or the prefix, a comma, and that.
    async fn import(&self, _ctx: &Context, id: &str) -> Result<Option<Object>> {
        let id = ImportId::parse(id)?;
        // Base64 for URLs has no comma, a prefix may have.
        let (prefix, encoded) = match id.id.rsplit_once(',') {
            Some((prefix, encoded)) => (Value::string(prefix), encoded),
            None => (Value::null(Type::String), id.id.as_str()),
        };
        let is_of_a_size = |bytes: &Vec<u8>| (1..=MOST_BYTES as usize).contains(&bytes.len());
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok().filter(is_of_a_size).ok_or_else(|| {
            refuse(format!(
                "`{}` is not Base64 for URLs of 1 to {MOST_BYTES} bytes; write `B64_URL` or `PREFIX,B64_URL`",
                id.id
            ))
        })?;
        let start = [("byte_length", Value::number(bytes.len() as u64)), ("prefix", prefix)];
        let start = id.set(&schema(), &with(&schema().block.empty_value(), start), &["keepers"])?;
        Ok(Some(object(&start, &bytes)))
    }

    async fn recover(&self, _ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        Ok(super::recover(evidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_mean_the_same_bytes() {
        let empty = with(&schema().block.empty_value(), [("prefix", Value::string("p-"))]);
        let object = object(&empty, &[1, 2]);
        assert_eq!(text(&object.attributes, "hex"), Some("p-0102"));
        assert_eq!(text(&object.attributes, "dec"), Some("p-258"));
        assert_eq!(text(&object.attributes, "b64_std"), Some("p-AQI="));
        assert_eq!(text(&object.attributes, "b64_url"), Some("p-AQI"));
        assert_eq!(object.id, "AQI");
    }
}

//! `random_id` and `random_password`.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use num_bigint::BigUint;
use stackwright::{
    error::{Error, ErrorKind, Result},
    resource::{Context, Evidence, Object, Outcome, Recovery, Resource, Traits},
    schema::{Attribute, Schema},
    value::{Type, Value},
};

use crate::{
    attributes::{flag, number, text, with},
    encoding::hex,
};

const KEEPERS: &str = "Any values; when one changes a new one is made.";

/// Random bytes in several spellings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id;

/// Random text for secrets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Password;

fn bytes(count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).map_err(|error| Error::bug("no random bytes from the system").because(error))?;
    Ok(bytes)
}

/// Returns a number below `bound`, every one as likely as every other: numbers from the incomplete last round are
/// thrown away.
fn below(bound: usize) -> Result<usize> {
    let bound = u32::try_from(bound.max(1)).unwrap_or(u32::MAX);
    let zone = u32::MAX - u32::MAX % bound;
    loop {
        let drawn = bytes(4)?.try_into().map(u32::from_le_bytes).unwrap_or(u32::MAX);
        if drawn < zone {
            return Ok((drawn % bound) as usize);
        }
    }
}

fn id_schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        Arc::new(
            Schema::new(1)
                .describe("Random bytes for names and ids; not secret.")
                .attribute(
                    "id",
                    Attribute::computed(Type::String).describe("The bytes in Base64 for URLs, without prefix."),
                )
                .attribute(
                    "byte_length",
                    Attribute::required(Type::Number).between(1, 1024).forces_replacement().describe("How many bytes."),
                )
                .attribute(
                    "prefix",
                    Attribute::optional(Type::String).forces_replacement().describe("Put before each spelling."),
                )
                .attribute(
                    "keepers",
                    Attribute::optional(Type::map(Type::String)).forces_replacement().describe(KEEPERS),
                )
                .attribute("hex", Attribute::computed(Type::String).describe("The bytes in hexadecimal."))
                .attribute("dec", Attribute::computed(Type::String).describe("The bytes as one decimal number."))
                .attribute("b64_std", Attribute::computed(Type::String).describe("The bytes in Base64."))
                .attribute(
                    "b64_url",
                    Attribute::computed(Type::String).describe("The bytes in Base64 for URLs, without padding."),
                ),
        )
    }))
}

/// Returns the spellings of `bytes`.
fn id_object(attributes: &Value, bytes: &[u8]) -> Object {
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
        id_schema()
    }

    fn traits(&self) -> Traits {
        Traits { idempotent_create: true, ..Traits::default() }
    }

    async fn create(&self, _ctx: &Context, planned: Value) -> Outcome {
        let count = number(&planned, "byte_length").unwrap_or(8) as usize;
        bytes(count).map(|bytes| id_object(&planned, &bytes)).into()
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

    async fn import(&self, _ctx: &Context, id: &str) -> Result<Option<Object>> {
        let (prefix, encoded) = match id.split_once(',') {
            Some((prefix, encoded)) => (Value::string(prefix), encoded),
            None => (Value::null(Type::String), id),
        };
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok().filter(|bytes| !bytes.is_empty()).ok_or_else(|| {
            let message = format!("`{id}` is not Base64 for URLs; write `<b64_url>` or `<prefix>,<b64_url>`");
            Error::new(ErrorKind::InvalidInput, "resource.import_id", message)
        })?;
        let empty = id_schema().block.empty_value();
        let start = with(&empty, [("byte_length", Value::number(bytes.len() as u64)), ("prefix", prefix)]);
        Ok(Some(id_object(&start, &bytes)))
    }

    async fn recover(&self, _ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        Ok(evidence.prior.clone().map_or(Recovery::Absent, Recovery::Found))
    }
}

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NUMERIC: &str = "0123456789";
const SPECIAL: &str = "!@#$%&*()-_=+[]{}<>:?";
const CLASSES: [(&str, &str, &str); 4] = [
    ("lower", "min_lower", LOWER),
    ("upper", "min_upper", UPPER),
    ("numeric", "min_numeric", NUMERIC),
    ("special", "min_special", SPECIAL),
];

fn password_schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        let mut schema = Schema::new(1)
            .describe("Random text for secrets. The result is sensitive.")
            .attribute(
                "id",
                Attribute::computed(Type::String).describe("Always `none`: nothing else identifies a secret."),
            )
            .attribute(
                "length",
                Attribute::required(Type::Number)
                    .between(1, 4096)
                    .forces_replacement()
                    .describe("How many characters."),
            )
            .attribute(
                "override_special",
                Attribute::optional(Type::String)
                    .forces_replacement()
                    .describe("The special characters to choose from."),
            )
            .attribute("keepers", Attribute::optional(Type::map(Type::String)).forces_replacement().describe(KEEPERS))
            .attribute("result", Attribute::computed(Type::String).sensitive().describe("The text."));
        for (class, least, _) in CLASSES {
            schema = schema
                .attribute(
                    class,
                    Attribute::optional(Type::Bool)
                        .default(true)
                        .forces_replacement()
                        .describe(format!("Whether {class} characters may be in it.")),
                )
                .attribute(
                    least,
                    Attribute::optional(Type::Number)
                        .default(0)
                        .between(0, 4096)
                        .forces_replacement()
                        .describe(format!("How many {class} characters are in it at least.")),
                );
        }
        Arc::new(schema)
    }))
}

/// Returns each class's characters and least count; a class that is off and not needed is left out.
fn classes(config: &Value) -> Vec<(Vec<char>, usize)> {
    let chosen = CLASSES.iter().filter_map(|(class, least, characters)| {
        let least = number(config, least).unwrap_or(0) as usize;
        let characters = match text(config, "override_special") {
            Some(own) if *class == "special" => own,
            _ => characters,
        };
        (flag(config, class) || least > 0).then(|| (characters.chars().collect::<Vec<_>>(), least))
    });
    chosen.filter(|(characters, _)| !characters.is_empty()).collect()
}

fn generate(config: &Value) -> Result<String> {
    let length = number(config, "length").unwrap_or(0) as usize;
    let classes = classes(config);
    let all: Vec<char> = classes.iter().flat_map(|(characters, _)| characters.iter().copied()).collect();
    let pick = |from: &[char]| -> Result<char> { Ok(from.get(below(from.len())?).copied().unwrap_or('x')) };
    let mut text = Vec::with_capacity(length);
    for (characters, least) in &classes {
        for _ in 0..*least {
            text.push(pick(characters)?);
        }
    }
    while text.len() < length {
        text.push(pick(&all)?);
    }
    // Fisher–Yates, so that the needed characters do not stand in front.
    for idx in (1..text.len()).rev() {
        text.swap(idx, below(idx + 1)?);
    }
    Ok(text.into_iter().collect())
}

#[async_trait]
impl Resource for Password {
    fn schema(&self) -> Arc<Schema> {
        password_schema()
    }

    fn traits(&self) -> Traits {
        Traits { idempotent_create: true, ..Traits::default() }
    }

    fn validate(&self, config: &Value) -> Result<()> {
        if !config.is_wholly_known() {
            return Ok(());
        }
        let least: u64 = CLASSES.iter().filter_map(|(_, least, _)| number(config, least)).sum();
        let length = number(config, "length").unwrap_or(0);
        if classes(config).is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "local.conflict",
                "no class of characters is left to choose from",
            ));
        }
        if least > length {
            let message = format!("`min_…` ask for {least} characters, more than `length` ({length})");
            return Err(Error::new(ErrorKind::InvalidInput, "local.conflict", message));
        }
        Ok(())
    }

    async fn create(&self, _ctx: &Context, planned: Value) -> Outcome {
        let made = generate(&planned).map(|text| {
            Object::new("none", with(&planned, [("id", Value::string("none")), ("result", Value::string(text))]))
        });
        made.into()
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

    /// The id is the password itself.
    async fn import(&self, _ctx: &Context, id: &str) -> Result<Option<Object>> {
        let empty = password_schema().block.empty_value();
        let on = Value::bool(true);
        let zero = || Value::number(0_u64);
        let start = with(
            &empty,
            [
                ("id", Value::string("none")),
                ("length", Value::number(id.chars().count() as u64)),
                ("result", Value::string(id)),
                ("lower", on.clone()),
                ("upper", on.clone()),
                ("numeric", on.clone()),
                ("special", on),
                ("min_lower", zero()),
                ("min_upper", zero()),
                ("min_numeric", zero()),
                ("min_special", zero()),
            ],
        );
        Ok(Some(Object::new("none", start)))
    }

    async fn recover(&self, _ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        Ok(evidence.prior.clone().map_or(Recovery::Absent, Recovery::Found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, Value)]) -> Value {
        let schema = password_schema();
        let given = Value::object(entries.iter().map(|(name, value)| (Arc::from(*name), value.clone())));
        schema.coerce(&given).expect("a good configuration")
    }

    #[test]
    fn passwords_hold_what_was_asked_for() {
        let config = config(&[
            ("length", Value::number(12)),
            ("min_numeric", Value::number(4)),
            ("min_special", Value::number(2)),
            ("override_special", Value::string("~")),
            ("upper", Value::bool(false)),
        ]);
        for _ in 0..50 {
            let text = generate(&config).expect("random bytes");
            assert_eq!(text.chars().count(), 12);
            assert!(text.chars().filter(char::is_ascii_digit).count() >= 4);
            assert!(text.chars().filter(|c| *c == '~').count() >= 2);
            assert!(!text.contains(|c: char| c.is_ascii_uppercase() || SPECIAL.contains(c)));
        }
    }

    #[test]
    fn impossible_passwords_are_refused() {
        let config = config(&[("length", Value::number(3)), ("min_lower", Value::number(4))]);
        assert_eq!(
            Password.validate(&config).map_err(|error| error.code().to_owned()),
            Err("local.conflict".to_owned())
        );
    }

    #[test]
    fn ids_have_the_same_bytes_in_every_spelling() {
        let empty = with(&id_schema().block.empty_value(), [("prefix", Value::string("p-"))]);
        let object = id_object(&empty, &[1, 2]);
        assert_eq!(text(&object.attributes, "hex"), Some("p-0102"));
        assert_eq!(text(&object.attributes, "dec"), Some("p-258"));
        assert_eq!(object.id, "AQI");
    }

    #[test]
    fn every_number_below_a_bound_comes_up() {
        let mut seen = [false; 5];
        for _ in 0..500 {
            seen[below(5).expect("random bytes")] = true;
        }
        assert_eq!(seen, [true; 5]);
    }
}

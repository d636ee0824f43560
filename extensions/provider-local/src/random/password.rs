use std::{
    env, fs,
    io::Read as _,
    path::Path,
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use stackwright::{
    error::{Error, ErrorKind, Result},
    resource::{Context, EphemeralResource, Evidence, Object, Opened, Outcome, Recovery, Resource, Traits},
    schema::{Attribute, Schema},
    value::{Type, Value},
};

use super::draw;
use crate::{
    attributes::{blocking, get, io_error, number, text, with},
    import::{ImportId, decode, refuse},
};

const MOST_CHARACTERS: u64 = 4096;
const SPECIAL: &str = "!@#$%&*()-_=+[]{}<>:?";
/// Of each class: the switch, the least count, and the characters.
const CLASSES: [(&str, &str, &str); 4] = [
    ("lower", "min_lower", "abcdefghijklmnopqrstuvwxyz"),
    ("upper", "min_upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("numeric", "min_numeric", "0123456789"),
    ("special", "min_special", SPECIAL),
];
/// What an id to import may set.
const SETTINGS: [&str; 10] = [
    "lower",
    "upper",
    "numeric",
    "special",
    "min_lower",
    "min_upper",
    "min_numeric",
    "min_special",
    "override_special",
    "keepers",
];

/// Random text for secrets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Password;

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| Arc::new(build())))
}

fn build() -> Schema {
    let schema = Schema::new(1)
        .describe("Random text for secrets. The result is sensitive.")
        .attribute("id", Attribute::computed(Type::String).describe("Always `none`: nothing else identifies a secret."))
        .attribute("keepers", super::keepers())
        .attribute("result", Attribute::computed(Type::String).sensitive().describe("The text."));
    with_settings(schema)
}

fn ephemeral_schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        let schema = Schema::new(1)
            .describe("Random text for secrets that is stored nowhere: every plan and every run has another one.")
            .attribute("result", Attribute::computed(Type::String).sensitive().describe("The text."));
        Arc::new(with_settings(schema))
    }))
}

/// Adds what says how a text is made.
fn with_settings(schema: Schema) -> Schema {
    let mut schema = schema
        .attribute(
            "length",
            Attribute::required(Type::Number)
                .between(1, MOST_CHARACTERS)
                .forces_replacement()
                .describe("How many characters."),
        )
        .attribute(
            "override_special",
            Attribute::optional(Type::String)
                .pattern("^[!-~]*$")
                .forces_replacement()
                .describe(format!("The special characters to choose from, of ASCII; `{SPECIAL}` without it.")),
        );
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
                    .between(0, MOST_CHARACTERS)
                    .forces_replacement()
                    .describe(format!("How many {class} characters are in it at least.")),
            );
    }
    schema
}

/// The characters of one class, and how many of them there have to be.
#[derive(Debug)]
struct Class {
    characters: Vec<char>,
    least: usize,
}

/// Returns the classes to choose from, as far as the configuration is known.
///
/// # Errors
/// `local.conflict` for what contradicts itself.
fn classes(config: &Value) -> Result<Vec<Class>> {
    let conflict = |message: String| Err(Error::new(ErrorKind::InvalidInput, "local.conflict", message));
    let mut classes = Vec::new();
    for (class, least_name, characters) in CLASSES {
        let is_on = get(config, class).as_bool();
        let least = number(config, least_name).unwrap_or(0) as usize;
        if is_on == Some(false) && least > 0 {
            return conflict(format!("`{least_name}` asks for {least} characters that `{class} = false` rules out"));
        }
        let characters = match text(config, "override_special") {
            Some(own) if class == "special" => own,
            _ => characters,
        };
        if characters.is_empty() && least > 0 {
            return conflict(format!("`{least_name}` asks for {least} characters, and `override_special` has none"));
        }
        if is_on != Some(false) {
            let mut characters: Vec<char> = characters.chars().collect();
            characters.sort_unstable();
            characters.dedup();
            classes.push(Class { characters, least });
        }
    }
    if classes.iter().all(|class| class.characters.is_empty()) {
        return conflict("no class of characters is left to choose from".to_owned());
    }
    let least: usize = classes.iter().map(|class| class.least).sum();
    match number(config, "length") {
        Some(length) if least as u64 > length => {
            conflict(format!("`min_…` ask for {least} characters, more than `length` ({length})"))
        }
        _ => Ok(classes),
    }
}

/// Returns a text in which each class has its least count, the rest is from all of them, and any order is as likely as
/// any other.
fn generate(config: &Value) -> Result<String> {
    let classes = classes(config)?;
    let length = number(config, "length").unwrap_or(0) as usize;
    // A character that is in two classes must not be twice as likely.
    let mut all: Vec<char> = classes.iter().flat_map(|class| class.characters.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    let mut text = Vec::with_capacity(length);
    for class in &classes {
        for _ in 0..class.least {
            text.push(draw::pick(&class.characters)?);
        }
    }
    while text.len() < length {
        text.push(draw::pick(&all)?);
    }
    draw::shuffle(&mut text)?;
    Ok(text.into_iter().collect())
}

/// Reads the text that an id names. An id is shown and recorded, so it never is the text itself, and what does not name
/// one is not repeated.
fn secret(id: &str) -> Result<Option<String>> {
    let text = match id.split_once(':') {
        Some(("env", name)) => match env::var(name) {
            Ok(text) => text,
            Err(env::VarError::NotPresent) => return Ok(None),
            Err(env::VarError::NotUnicode(_)) => return Err(refuse("the variable holds no text")),
        },
        Some(("file", path)) => {
            let path = decode(path)?;
            let mut text = String::new();
            let file = match fs::File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(io_error("read", Path::new(&path), error)),
            };
            // One more than there may be, of four bytes each, and an end of line.
            let read = file.take(4 * MOST_CHARACTERS + 6).read_to_string(&mut text);
            read.map_err(|error| io_error("read", Path::new(&path), error))?;
            let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
            line.unwrap_or(&text).to_owned()
        }
        _ => {
            return Err(refuse(
                "ids are shown and recorded, so that of a password is not the password: write `file:PATH` or `env:NAME`",
            ));
        }
    };
    let count = Value::string(text.as_str()).as_str().unwrap_or_default().chars().count() as u64;
    if !(1..=MOST_CHARACTERS).contains(&count) {
        return Err(refuse(format!("the text that the id names is not 1 to {MOST_CHARACTERS} characters long")));
    }
    Ok(Some(text))
}

#[async_trait]
impl Resource for Password {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    fn traits(&self) -> Traits {
        Traits { idempotent_create: true, free: true, ..Traits::default() }
    }

    async fn validate(&self, _ctx: &Context, config: &Value) -> Result<()> {
        classes(config).map(drop)
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

    /// The id is `file:PATH` or `env:NAME`: where the text is found.
    async fn import(&self, _ctx: &Context, id: &str) -> Result<Option<Object>> {
        let id = ImportId::parse(id)?;
        let source = id.id.clone();
        let Some(text) = blocking(move || secret(&source)).await? else { return Ok(None) };
        let result = Value::string(text);
        let length = result.as_str().unwrap_or_default().chars().count() as u64;
        let mut start = schema().block.empty_value();
        for (class, least, _) in CLASSES {
            start = with(&start, [(class, Value::bool(true)), (least, Value::number(0_u64))]);
        }
        let set = [("id", Value::string("none")), ("length", Value::number(length)), ("result", result)];
        let object = id.set(&schema(), &with(&start, set), &SETTINGS)?;
        Ok(Some(Object::new("none", object)))
    }

    async fn recover(&self, _ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        Ok(super::recover(evidence))
    }
}

/// Random text that is stored nowhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EphemeralPassword;

#[async_trait]
impl EphemeralResource for EphemeralPassword {
    fn schema(&self) -> Arc<Schema> {
        ephemeral_schema()
    }

    async fn open(&self, _ctx: &Context, config: Value) -> Result<Opened> {
        let text = generate(&config)?;
        Ok(Opened::new(with(&config, [("result", Value::string(text))])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, Value)]) -> Value {
        let given = Value::object(entries.iter().map(|(name, value)| (Arc::from(*name), value.clone())));
        schema().coerce(&given).expect("a good configuration")
    }

    #[test]
    fn holds_what_was_asked_for() {
        let config = config(&[
            ("length", Value::number(12)),
            ("min_numeric", Value::number(4)),
            ("min_special", Value::number(2)),
            ("override_special", Value::string("~~")),
            ("upper", Value::bool(false)),
        ]);
        for _ in 0..200 {
            let text = generate(&config).expect("random bytes");
            assert_eq!(text.chars().count(), 12);
            assert!(text.chars().filter(char::is_ascii_digit).count() >= 4);
            assert!(text.chars().filter(|character| *character == '~').count() >= 2);
            assert!(!text.contains(|character: char| character.is_ascii_uppercase() || SPECIAL.contains(character)));
        }
        let exact = self::config(&[
            ("length", Value::number(2)),
            ("min_lower", Value::number(1)),
            ("min_upper", Value::number(1)),
        ]);
        let text = generate(&exact).expect("random bytes");
        assert_eq!(text.chars().filter(char::is_ascii_lowercase).count(), 1);
    }

    /// Counts the characters of a long text, and returns the rarest and the most frequent one's share of what each
    /// would have if all were as likely.
    fn shares(entries: &[(&str, Value)]) -> (f64, f64) {
        let mut entries = entries.to_vec();
        entries.push(("length", Value::number(MOST_CHARACTERS)));
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..20 {
            for character in generate(&config(&entries)).expect("random bytes").chars() {
                *counts.entry(character).or_insert(0.0) += 1.0;
            }
        }
        let expect = 20.0 * MOST_CHARACTERS as f64 / counts.len() as f64;
        let (least, most) =
            counts.values().fold((f64::MAX, 0_f64), |(least, most), count| (least.min(*count), most.max(*count)));
        (least / expect, most / expect)
    }

    #[test]
    fn every_character_is_as_likely_as_every_other() {
        let (least, most) = shares(&[]);
        assert!(least > 0.8 && most < 1.2, "{least} {most}");
        // Those that are named twice, or are in two classes, no more than others.
        let off = || Value::bool(false);
        let twice = [("override_special", Value::string("aaab5")), ("upper", off())];
        let (least, most) = shares(&twice);
        assert!(least > 0.8 && most < 1.2, "{least} {most}");
    }

    #[test]
    fn what_must_be_in_it_stands_anywhere() {
        let config = config(&[
            ("length", Value::number(4)),
            ("min_numeric", Value::number(1)),
            ("numeric", Value::bool(true)),
            ("lower", Value::bool(false)),
            ("special", Value::bool(false)),
        ]);
        let mut places = [0; 4];
        for _ in 0..400 {
            let text = generate(&config).expect("random bytes");
            for (place, character) in places.iter_mut().zip(text.chars()) {
                *place += u32::from(character.is_ascii_digit());
            }
        }
        let (least, most) = (places.iter().min().copied(), places.iter().max().copied());
        assert!(least > Some(100) && most < Some(250), "{places:?}");
    }

    #[test]
    fn what_is_impossible_is_refused_before_and_after_it_is_known() {
        let all_off = [("lower", Value::bool(false)), ("upper", Value::bool(false)), ("numeric", Value::bool(false))];
        let with_all_off = |more: (&'static str, Value)| [all_off.as_slice(), &[more]].concat();
        for entries in [
            vec![("min_lower", Value::number(4))],
            vec![("min_lower", Value::number(2)), ("min_special", Value::number(2))],
            vec![("upper", Value::bool(false)), ("min_upper", Value::number(1))],
            vec![("override_special", Value::string("")), ("min_special", Value::number(1))],
            with_all_off(("special", Value::bool(false))),
            with_all_off(("override_special", Value::string(""))),
        ] {
            let entries = [vec![("length", Value::number(3))], entries].concat();
            let code = |result: Result<()>| result.map_err(|error| error.code().to_owned());
            assert_eq!(code(classes(&config(&entries)).map(drop)), Err("local.conflict".to_owned()), "{entries:?}");
            assert_eq!(code(generate(&config(&entries)).map(drop)), Err("local.conflict".to_owned()), "{entries:?}");
            // What is not known yet does not hide what is.
            let unknown = [entries.clone(), vec![("keepers", Value::unknown(Type::map(Type::String)))]].concat();
            assert_eq!(code(classes(&config(&unknown)).map(drop)), Err("local.conflict".to_owned()), "{entries:?}");
        }
        let unknown = config(&[("length", Value::unknown(Type::Number)), ("min_lower", Value::number(4))]);
        assert!(classes(&unknown).map(drop).is_ok());
        let unknown = config(&[
            ("length", Value::number(3)),
            ("upper", Value::unknown(Type::Bool)),
            ("min_upper", Value::number(1)),
        ]);
        assert!(classes(&unknown).map(drop).is_ok());
    }

    #[tokio::test]
    async fn what_is_lent_is_another_one_every_time() {
        let given = Value::object([("length", Value::number(24)), ("special", Value::bool(false))]);
        let config = ephemeral_schema().coerce(&given).expect("a good configuration");
        let ctx = Context::new(
            stackwright::resource::CallInfo::default(),
            Arc::new(stackwright::event::SystemClock::default()),
            tokio_util::sync::CancellationToken::new(),
        );
        let mut texts = std::collections::BTreeSet::new();
        for _ in 0..3 {
            let opened = EphemeralPassword.open(&ctx, config.clone()).await.expect("random bytes");
            assert!(ephemeral_schema().conform(&opened.value).is_ok_and(|value| value.is_wholly_known()));
            assert_eq!((opened.renew_at, &opened.private), (None, &None));
            texts.insert(get(&opened.value, "result").as_str().expect("a text").to_owned());
            EphemeralPassword.close(&ctx, None).await.expect("nothing to do");
        }
        assert!(texts.len() == 3 && texts.iter().all(|text| text.len() == 24), "{texts:?}");
    }
}

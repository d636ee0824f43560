use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, value::RawValue};
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    state::{
        StackKey,
        cipher::{Cipher, KeyId, Place, Sealed},
        failure,
    },
    value::{self, Encoded, Marks, Path, Value},
};

/// The JSON form of something sealed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    key: KeyId,
    /// Base64 of what the cipher made.
    sealed: String,
}

/// Seals and opens for one stack. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sealer {
    cipher: Arc<dyn Cipher>,
    stack: StackKey,
}

impl Sealer {
    /// Returns the sealer of `stack`.
    pub fn new(cipher: Arc<dyn Cipher>, stack: StackKey) -> Self {
        Self { cipher, stack }
    }

    /// Returns the stack.
    pub fn stack(&self) -> &StackKey {
        &self.stack
    }

    /// Returns the sealer of one record: its kind, such as `journal`, and what names it, such as `<run>/17`.
    ///
    /// The same kind and id are needed to open again.
    pub fn record(&self, kind: &'static str, id: impl fmt::Display) -> RecordSealer {
        RecordSealer { sealer: self.clone(), kind, id: id.to_string() }
    }
}

/// Seals and opens in one record.
///
/// `field` names the place in the record, such as `attributes` or `inputs.files["main.tf"]`; two secrets of a record
/// should not share it, or somebody who can write the store could swap them unnoticed.
#[derive(Clone, Debug)]
pub struct RecordSealer {
    sealer: Sealer,
    kind: &'static str,
    id: String,
}

impl RecordSealer {
    /// Returns a value, ready to be written as JSON, in which every topmost sensitive part is sealed and the rest is
    /// readable.
    ///
    /// Types, unknowns and marks survive. O(1) where nothing is sensitive; writing it is O(value).
    ///
    /// # Errors
    /// `engine.bug` where an ephemeral part is left in the value: those are never stored. Else what the cipher says.
    pub fn stored<'v>(&self, field: &str, value: &'v Value) -> Result<Encoded<'v>> {
        if value.marks_deep().contains(Marks::EPHEMERAL) {
            return Err(self.locate(Error::bug("an ephemeral value was about to be stored"), field));
        }
        Encoded::sealed(value, &mut |path, part| {
            let plain = Zeroizing::new(serde_json::to_vec(&Encoded::new(part)).map_err(|_| no_json())?);
            self.seal(field, &path.to_string(), &plain).map(Some)
        })
    }

    /// Returns what [`stored`](Self::stored) does, as JSON.
    ///
    /// # Errors
    /// As there.
    pub fn encode_value(&self, field: &str, value: &Value) -> Result<Json> {
        serde_json::to_value(self.stored(field, value)?).map_err(|_| no_json())
    }

    /// Returns what [`stored`](Self::stored) does, as the text of JSON.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn encode_text(&self, field: &str, value: &Value) -> Result<Box<RawValue>> {
        serde_json::value::to_raw_value(&self.stored(field, value)?).map_err(|_| no_json())
    }

    /// Returns the value that [`encode_value`](Self::encode_value) encoded in the same field, marks included.
    ///
    /// # Errors
    /// `cipher.open_failed`; `store.corrupt` where it is not the form of a value.
    pub fn decode_value(&self, field: &str, json: &Json) -> Result<Value> {
        let decoded = value::decode_with(json, &mut |path: &Path, part: &Json| {
            let plain = self.open(field, &path.to_string(), part)?;
            let inner: Json = serde_json::from_slice(&plain).map_err(|_| self.strange(field))?;
            let value = value::decode(&inner).map_err(|_| self.strange(field))?;
            if value.is_sensitive() { Ok(value) } else { Err(self.strange(field)) }
        });
        decoded.map_err(|error| match error.code() {
            // What the JSON says is not repeated: it may have been a secret before somebody broke it.
            "value.encoding" => self.strange(field),
            _ => error,
        })
    }

    /// Returns the JSON form of bytes that are sealed as a whole, such as a file that the template reads.
    ///
    /// # Errors
    /// What the cipher says.
    pub fn seal_bytes(&self, field: &str, plain: &[u8]) -> Result<Json> {
        self.seal(field, "", plain)
    }

    /// Returns the bytes that [`seal_bytes`](Self::seal_bytes) sealed in the same field.
    ///
    /// # Errors
    /// `cipher.open_failed`; `store.corrupt` where it is not the form of sealed bytes.
    pub fn open_bytes(&self, field: &str, json: &Json) -> Result<Zeroizing<Vec<u8>>> {
        self.open(field, "", json)
    }

    fn seal(&self, field: &str, path: &str, plain: &[u8]) -> Result<Json> {
        let Sealed { key, bytes } = self.sealer.cipher.seal(&self.place(field, path), plain)?;
        serde_json::to_value(Envelope { key, sealed: STANDARD.encode(bytes) }).map_err(|_| no_json())
    }

    fn open(&self, field: &str, path: &str, json: &Json) -> Result<Zeroizing<Vec<u8>>> {
        let Envelope { key, sealed } = Envelope::deserialize(json).map_err(|_| self.strange(field))?;
        let bytes = STANDARD.decode(sealed).map_err(|_| self.strange(field))?;
        self.sealer.cipher.open(&self.place(field, path), &Sealed { key, bytes })
    }

    fn place<'a>(&'a self, field: &'a str, path: &'a str) -> Place<'a> {
        Place { stack: &self.sealer.stack, kind: self.kind, id: &self.id, field, path }
    }

    fn strange(&self, field: &str) -> Error {
        self.locate(failure::corrupt("a stored value says something impossible"), field)
    }

    fn locate(&self, error: Error, field: &str) -> Error {
        error
            .context("stack", &self.sealer.stack)
            .context("record", format_args!("{} {}", self.kind, self.id))
            .context("field", field)
    }
}

fn no_json() -> Error {
    Error::bug("a value has no JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{state::testing::fixed_sealer, value::Type};

    const SECRET: &str = "hunter2-äöü";

    fn record(kind: &'static str, id: u32) -> RecordSealer {
        fixed_sealer(StackKey::new("acme", "shop")).record(kind, id)
    }

    fn secret() -> Value {
        Value::string(SECRET).with_marks(Marks::SENSITIVE)
    }

    fn sample() -> Value {
        Value::object([
            ("name", Value::string("db")),
            ("password", secret()),
            ("later", Value::unknown(Type::String).with_marks(Marks::SENSITIVE)),
            ("users", Value::map(Type::String, [("$a", Value::string("x")), ("b\"]", secret())])),
            ("keys", Value::set(Type::String, vec![Value::string(SECRET)]).with_marks(Marks::SENSITIVE)),
            ("gone", Value::null(Type::Number).with_marks(Marks::SENSITIVE)),
        ])
    }

    #[test]
    fn seals_what_is_sensitive_and_nothing_else() {
        let json = record("row", 1).encode_value("attributes", &sample()).expect("seals");
        let text = json.to_string();
        assert!(!text.contains("hunter2") && !text.contains(&STANDARD.encode(SECRET)), "{text}");
        assert_eq!(text.matches("sealed").count(), 5, "{text}");
        assert!(text.contains(r#""name":"db""#), "{text}");
        assert_eq!(record("row", 1).decode_value("attributes", &json).expect("opens"), sample());
    }

    #[test]
    fn opens_in_its_own_place_only() {
        let json = record("row", 1).encode_value("attributes", &sample()).expect("seals");
        let check = |seal: RecordSealer, field| {
            let error = seal.decode_value(field, &json).expect_err("another place");
            assert_eq!(error.code(), "cipher.open_failed", "{error:?}");
        };
        check(record("row", 2), "attributes");
        check(record("journal", 1), "attributes");
        check(record("row", 1), "planned");
        check(fixed_sealer(StackKey::new("acme", "blog")).record("row", 1), "attributes");
        // Nor may two secrets of one record change places.
        let mut swapped = json.clone();
        let content = &mut swapped["v"];
        let password = content["password"].clone();
        content["users"]["b\"]"] = password;
        let error = record("row", 1).decode_value("attributes", &swapped).expect_err("swapped");
        assert_eq!(error.code(), "cipher.open_failed");
    }

    #[test]
    fn bytes_are_sealed_as_a_whole() {
        let json = record("plan", 1).seal_bytes("files[\"a\"]", SECRET.as_bytes()).expect("seals");
        assert!(!json.to_string().contains(&STANDARD.encode(SECRET)));
        assert_eq!(record("plan", 1).open_bytes("files[\"a\"]", &json).expect("opens").as_slice(), SECRET.as_bytes());
        let error = record("plan", 1).open_bytes("files[\"b\"]", &json).expect_err("another file");
        assert_eq!(error.code(), "cipher.open_failed");
    }

    #[test]
    fn refuses_ephemeral_values_at_any_depth() {
        let token = Value::string(SECRET).with_marks(Marks::EPHEMERAL | Marks::SENSITIVE);
        for value in [token.clone(), Value::object([("a", Value::tuple(vec![token]))])] {
            let error = record("row", 1).encode_value("attributes", &value).expect_err("ephemeral");
            assert_eq!(error.code(), "engine.bug");
            assert!(!error.report().contains(SECRET));
        }
    }

    #[test]
    fn refuses_strange_forms_without_quoting_them() {
        let good = record("row", 1).encode_value("a", &secret()).expect("seals");
        let mut extra = good.clone();
        extra["v"]["$s"]["more"] = Json::from(SECRET);
        let mut number = good.clone();
        number["v"]["$s"] = Json::from(1);
        for bad in [Json::Null, Json::from(SECRET), serde_json::json!({"t": "number", "v": SECRET}), extra, number] {
            let error = record("row", 1).decode_value("a", &bad).expect_err("strange");
            assert_eq!(error.code(), "store.corrupt", "{bad}: {error:?}");
            assert!(!error.report().contains(SECRET), "{error:?}");
        }
    }
}

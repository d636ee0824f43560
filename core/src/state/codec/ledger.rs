use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Value as Json, value::RawValue};
use sha2::{Digest as _, Sha256};

use super::{Format, Sealer};
use crate::{
    error::{Error, ErrorKind, Result},
    event::Timestamp,
    state::{Head, LedgerDraft, LedgerEntry, LedgerKey, LedgerRecord, failure},
    value::Value,
};

const FORMAT: Format = Format::new("stackwright.ledger", 1);
const KIND: &str = "ledger";

/// The hash of an entry of a ledger: SHA-256 over the entry and the hash of the one before.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainHash([u8; 32]);

impl fmt::Display for ChainHash {
    /// Writes 64 lower-case digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainHash({self})")
    }
}

impl Serialize for ChainHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChainHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || D::Error::custom("64 lower-case digits are needed");
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(wrong());
        }
        for (byte, idx) in bytes.iter_mut().zip((0..64).step_by(2)) {
            let digits = text.get(idx..idx + 2).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    at: Timestamp,
    /// The hash of the entry before.
    previous: ChainHash,
    fact: Box<RawValue>,
    /// By name; sensitive parts are sealed.
    values: Box<RawValue>,
    /// The entry's own hash, sealed: whoever has no key cannot make an entry.
    proof: Json,
}

impl Payload {
    /// Returns the hash of the entry, over the texts as they are stored.
    fn hash(&self, subject: &str) -> ChainHash {
        let mut hash = Sha256::new();
        let parts = [
            subject.as_bytes(),
            &self.at.0.to_be_bytes(),
            &self.previous.0,
            self.fact.get().as_bytes(),
            self.values.get().as_bytes(),
        ];
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        ChainHash(hash.finalize().into())
    }
}

/// Names a record so that no other ledger's has the same name.
fn subject(key: &LedgerKey, seq: u64) -> String {
    format!("{:?}", (&*key.tenant, &*key.kind, &*key.name, seq))
}

fn id(key: &LedgerKey, seq: u64) -> String {
    format!("{}/{seq}", key.kind)
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value).map_err(|_| Error::bug("an entry of a ledger has no JSON form"))
}

/// Returns the record of what is to be appended behind `head`, and its hash.
///
/// # Errors
/// `engine.bug` for values that are unknown or ephemeral; what the cipher says.
pub(in crate::state) fn encode_ledger_entry(
    key: &LedgerKey,
    head: &Head,
    at: Timestamp,
    draft: &LedgerDraft,
    sealer: &Sealer,
) -> Result<(LedgerRecord, ChainHash)> {
    let seq = head.next;
    let subject = subject(key, seq);
    let record = sealer.record(KIND, id(key, seq));
    let mut values = BTreeMap::new();
    for (name, value) in &draft.values {
        if !value.is_wholly_known() {
            return Err(Error::bug("an unknown value was about to be stored in a ledger").context("value", name));
        }
        values.insert(name, record.encode_value(&format!("values.{name}"), value)?);
    }
    let (fact, values) = (raw(&draft.fact)?, raw(&values)?);
    let mut payload = Payload { at, previous: head.hash, fact, values, proof: Json::Null };
    let hash = payload.hash(&subject);
    payload.proof = record.seal_bytes("proof", &hash.0)?;
    Ok((LedgerRecord { seq, body: FORMAT.write(&subject, &payload)? }, hash))
}

/// Returns the entry in a record that has to stand behind `head`.
///
/// # Errors
/// `store.corrupt` where it is not as it was written, or not there; `ledger.broken` where it does not carry on from the entry
/// before, or nobody with a key made it; `store.version`, `cipher.open_failed`.
pub(in crate::state) fn decode_ledger_entry(
    key: &LedgerKey,
    stored: &LedgerRecord,
    head: &Head,
    sealer: &Sealer,
) -> Result<LedgerEntry> {
    let seq = stored.seq;
    let located = |error: Error| error.context("ledger", key).context("entry", seq);
    if seq != head.next {
        return Err(located(broken(format!("entry {} is not there", head.next))));
    }
    let subject = subject(key, seq);
    let payload: Payload = FORMAT.read(&subject, &stored.body).and_then(|body| body.payload()).map_err(located)?;
    if payload.previous != head.hash {
        return Err(located(broken(format!("entry {seq} does not carry on from the one before"))));
    }
    let record = sealer.record(KIND, id(key, seq));
    let hash = payload.hash(&subject);
    let proof = record.open_bytes("proof", &payload.proof).map_err(located)?;
    if proof.as_slice() != hash.0 {
        return Err(located(broken(format!("entry {seq} is not the one that was written"))));
    }
    let strange = || located(failure::corrupt("an entry of a ledger says something impossible"));
    let fact = serde_json::from_str(payload.fact.get()).map_err(|_| strange())?;
    let encoded: BTreeMap<String, Json> = serde_json::from_str(payload.values.get()).map_err(|_| strange())?;
    let mut values: BTreeMap<String, Value> = BTreeMap::new();
    for (name, json) in encoded {
        let value = record.decode_value(&format!("values.{name}"), &json).map_err(located)?;
        values.insert(name, value);
    }
    Ok(LedgerEntry { seq, at: payload.at, hash, fact, values })
}

fn broken(what: String) -> Error {
    Error::new(ErrorKind::Unsupported, "ledger.broken", format!("the ledger was tampered with: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{StackKey, testing::fixed_sealer};

    fn key() -> LedgerKey {
        LedgerKey::new("acme", "note", "shop")
    }

    fn sealer() -> Sealer {
        fixed_sealer(StackKey::new("acme", "shop"))
    }

    fn first() -> LedgerRecord {
        let draft = LedgerDraft::new(&"opened").expect("a fact").with("size", Value::number(3));
        encode_ledger_entry(&key(), &Head::default(), Timestamp(7), &draft, &sealer()).expect("encodes").0
    }

    #[test]
    fn looks_as_documented() {
        let text = String::from_utf8(first().body.to_vec()).expect("UTF-8");
        let (line, json) = text.split_once('\n').expect("two lines");
        assert!(line.starts_with("stackwright.ledger 1 "), "{line}");
        let (start, rest) = json.split_once(r#""sealed":""#).expect("a proof");
        let end = rest.split_once('"').expect("its end").1;
        insta::assert_snapshot!(format!(r#"{start}"sealed":"…"{end}"#).replace(",\"", ",\n\""));
    }

    /// Somebody who can write the store and count checksums, but has no key.
    #[test]
    fn an_edited_entry_with_a_new_checksum_is_noticed() {
        let record = first();
        let subject = subject(&key(), 0);
        let payload: Payload = FORMAT.read(&subject, &record.body).and_then(|body| body.payload()).expect("reads");
        let edits: [fn(&mut Payload); 4] = [
            |payload| payload.fact = raw(&"closed").expect("a text"),
            |payload| payload.at = Timestamp(8),
            |payload| payload.values = raw(&serde_json::json!({})).expect("an object"),
            |payload| payload.previous = ChainHash([1; 32]),
        ];
        for edit in edits {
            let mut payload: Payload =
                serde_json::from_slice(&serde_json::to_vec(&payload).expect("writes")).expect("reads");
            edit(&mut payload);
            let body = FORMAT.write(&subject, &payload).expect("writes");
            let error = decode_ledger_entry(&key(), &LedgerRecord { seq: 0, body }, &Head::default(), &sealer());
            assert_eq!(error.expect_err("edited").code(), "ledger.broken");
        }
        let mut payload = payload;
        payload.proof = sealer().record(KIND, "note/1").seal_bytes("proof", b"x").expect("seals");
        let body = FORMAT.write(&subject, &payload).expect("writes");
        let error = decode_ledger_entry(&key(), &LedgerRecord { seq: 0, body }, &Head::default(), &sealer());
        assert_eq!(error.expect_err("another place's proof").code(), "cipher.open_failed");
    }

    #[test]
    fn refuses_what_cannot_be_stored() {
        use crate::value::Type;
        let draft = LedgerDraft::new(&"x").expect("a fact").with("later", Value::unknown(Type::String));
        let error =
            encode_ledger_entry(&key(), &Head::default(), Timestamp(7), &draft, &sealer()).expect_err("unknown");
        assert_eq!(error.code(), "engine.bug");
    }

    #[test]
    fn hashes_have_one_text() {
        let hash = ChainHash([0xab; 32]);
        let json = serde_json::to_value(hash).expect("a text");
        assert_eq!(serde_json::from_value::<ChainHash>(json).expect("a hash"), hash);
        for bad in ["", "ab", &"AB".repeat(32), &"g".repeat(64), &"é".repeat(32)] {
            assert!(serde_json::from_value::<ChainHash>(bad.into()).is_err(), "{bad}");
        }
    }
}

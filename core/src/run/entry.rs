use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Fact, Input};
use crate::{
    error::Result,
    event::Timestamp,
    state::{
        EntryRecord, RunId, RunRecord,
        codec::{Format, Sealer},
    },
    value::Value,
};

const FACT: Format = Format::new("stackwright.fact", 1);
const SUMMARY: Format = Format::new("stackwright.run", 1);

/// A fact at its place in a journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number in the run, from 0.
    pub seq: u64,
    /// When it was recorded, by the recording process's clock.
    pub at: Timestamp,
    /// What happened.
    pub fact: Fact,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    at: Timestamp,
    fact: Fact<Json>,
    /// Private bytes of the fact's input, sealed; they are left out of `fact`.
    private: Option<Json>,
}

/// Returns an entry as a store keeps it: sensitive values sealed, the rest readable.
///
/// # Errors
/// `engine.bug` where a value is ephemeral; what the cipher says.
pub fn encode_entry(run: RunId, mut entry: Entry, sealer: &Sealer) -> Result<EntryRecord> {
    let subject = format!("{run}/{}", entry.seq);
    let record = sealer.record("fact", &subject);
    let private = private_of(&mut entry.fact).and_then(Option::take);
    let private = private.map(|bytes| record.seal_bytes("private", &bytes)).transpose()?;
    let mut field = fields();
    let fact = entry.fact.try_map(|value| record.encode_value(field(), &value))?;
    let body = FACT.write(&subject, &Payload { at: entry.at, fact, private })?;
    Ok(EntryRecord { run, seq: entry.seq, body })
}

/// Returns the entry that a store keeps.
///
/// # Errors
/// `store.corrupt`, `store.version`, `cipher.open_failed`.
pub fn decode_entry(record: &EntryRecord, sealer: &Sealer) -> Result<Entry> {
    let subject = format!("{}/{}", record.run, record.seq);
    let payload: Payload = FACT.read(&subject, &record.body)?.payload()?;
    let seal = sealer.record("fact", &subject);
    let mut field = fields();
    let mut fact = payload.fact.try_map(|json: Json| -> Result<Value> { seal.decode_value(field(), &json) })?;
    if let Some(private) = payload.private
        && let Some(place) = private_of(&mut fact)
    {
        *place = Some(seal.open_bytes("private", &private)?.as_slice().into());
    }
    Ok(Entry { seq: record.seq, at: payload.at, fact })
}

/// Returns where a fact keeps private bytes.
fn private_of<V>(fact: &mut Fact<V>) -> Option<&mut Option<Arc<[u8]>>> {
    match fact {
        Fact::Started { input: Input::Finalised { private, .. }, .. } => Some(private),
        _ => None,
    }
}

/// A fact holds at most two values; each has a field of its own, so that they cannot be swapped.
fn fields() -> impl FnMut() -> &'static str {
    let mut names = ["first", "second"].into_iter();
    move || names.next().unwrap_or("more")
}

/// Plain facts about a run, for lists. No secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Who started it: a person, a token's name; empty where the host did not say.
    pub who: String,
    /// Why: a commit, a ticket; empty where the host did not say.
    pub why: String,
    /// How many steps its plan has.
    pub step_count: u32,
    /// Steps that ended well, so far as the record was last written: 0 while it runs.
    pub done_count: u32,
    /// Steps that failed or are uncertain.
    pub failed_count: u32,
    /// Steps that did not start.
    pub skipped_count: u32,
}

/// Returns the body of a [`RunRecord`].
///
/// # Errors
/// `engine.bug` only.
pub fn encode_summary(run: RunId, summary: &Summary) -> Result<Arc<[u8]>> {
    SUMMARY.write(&run.to_string(), summary)
}

/// Returns what the body of a [`RunRecord`] says.
///
/// # Errors
/// `store.corrupt`, `store.version`.
pub fn decode_summary(record: &RunRecord) -> Result<Summary> {
    SUMMARY.read(&record.id.to_string(), &record.body)?.payload()
}

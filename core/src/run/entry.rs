use std::{cell::LazyCell, sync::Arc};

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
struct Payload<V> {
    at: Timestamp,
    fact: Fact<V>,
    /// Private bytes of the fact's input, sealed; they are left out of `fact`.
    private: Option<Json>,
}

/// Returns an entry as a store keeps it: sensitive values sealed, the rest readable.
///
/// # Errors
/// `engine.bug` where a value is ephemeral; what the cipher says.
pub fn encode_entry(run: RunId, mut entry: Entry, sealer: &Sealer) -> Result<EntryRecord> {
    let subject = format!("{run}/{}", entry.seq);
    // Most facts hold nothing to seal.
    let record = LazyCell::new(|| sealer.record("fact", &subject));
    let private = private_of(&mut entry.fact).and_then(Option::take);
    let private = private.map(|bytes| record.seal_bytes("private", &bytes)).transpose()?;
    let mut field = fields();
    let fact = entry.fact.try_map(|value| record.encode_text(field(), &value))?;
    let body = FACT.write(&subject, &Payload { at: entry.at, fact, private })?;
    Ok(EntryRecord { run, seq: entry.seq, body })
}

/// Returns the entry that a store keeps.
///
/// # Errors
/// `store.corrupt`, `store.version`, `cipher.open_failed`.
pub fn decode_entry(record: &EntryRecord, sealer: &Sealer) -> Result<Entry> {
    let subject = format!("{}/{}", record.run, record.seq);
    let payload: Payload<Json> = FACT.read(&subject, &record.body)?.payload()?;
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
        Fact::Remembered { before, .. } => Some(&mut before.private),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::{Effect, Error, ErrorKind},
        plan::StepId,
        run::{Before, Conclusion, OnFailure, RowFate, RowRef},
        state::{ObjectId, RowStatus, RunStatus, StackKey, testing::fixed_sealer},
        value::{Marks, Type},
    };

    fn sealer() -> Sealer {
        fixed_sealer(StackKey::new("acme", "shop"))
    }

    fn secret() -> Value {
        Value::object([
            ("id", Value::unknown(Type::String)),
            ("password", Value::string("hunter2").with_marks(Marks::SENSITIVE)),
        ])
    }

    fn before(object_id: ObjectId) -> Before {
        Before {
            object_id,
            address: "t.a".parse().expect("an address"),
            status: RowStatus::Current,
            type_name: "t".into(),
            provider: "".into(),
            schema_version: 1,
            remote_id: Some("i-1".to_owned()),
            attributes: Value::object([("password", Value::string("hunter2").with_marks(Marks::SENSITIVE))]),
            private: Some(b"hunter2"[..].into()),
            dependencies: Vec::new(),
            wholes: Vec::new(),
            order_lines: vec!["L-1".into()],
            create_before_destroy: false,
            prevent_destroy: false,
            ready: true,
        }
    }

    /// One fact of every sort.
    fn facts() -> Vec<Fact> {
        let (step, object_id) = (StepId(3), ObjectId::from_u128(9));
        let row = Some(RowRef { object_id, version: 2 });
        let error = Error::new(ErrorKind::Unavailable, "resource.failed", "no answer").effect(Effect::Unknown);
        let error = crate::run::StepError::from(&error.context("bucket", "a"));
        let input = Input::Finalised {
            config: Some(secret()),
            planned: Some(secret()),
            private: Some(b"hunter2"[..].into()),
            ephemeral: false,
        };
        vec![
            Fact::RunStarted { step_count: 4, on_failure: OnFailure::Continue },
            Fact::Started { step, object_id: Some(object_id), attempt: 1, input },
            Fact::Started { step, object_id: None, attempt: 2, input: Input::AsPlanned },
            Fact::Remembered { step, before: before(object_id) },
            Fact::Checkpointed { step, id: "i-1".into(), partial: Some(secret()) },
            Fact::Interrupted { step, error: error.clone() },
            Fact::Recovered { step, conclusion: Conclusion::Found, row: None },
            Fact::Recovered { step, conclusion: Conclusion::CannotTell { reason: "no id".into() }, row },
            Fact::Applied { step, row },
            Fact::Ready { step },
            Fact::Observed { step, value: secret() },
            Fact::Drawn { key: "timestamp".into(), value: Value::string("2026-11-21T00:00:00Z") },
            Fact::Failed { step, errors: vec![error], row: RowFate::Saved(RowRef { object_id, version: 1 }) },
            Fact::Skipped { step },
            Fact::RollbackStarted { step_count: 3 },
            Fact::CancelRequested,
            Fact::Resumed,
            Fact::Finished { status: RunStatus::Stuck },
        ]
    }

    #[test]
    fn every_fact_survives_and_no_secret_is_readable() {
        let run = RunId::from_u128(1);
        for (seq, fact) in (0..).zip(facts()) {
            let entry = Entry { seq, at: Timestamp(5), fact };
            let record = encode_entry(run, entry.clone(), &sealer()).expect("encodes");
            assert!(!String::from_utf8_lossy(&record.body).contains("hunter2"), "{}", entry.fact.name());
            assert_eq!(decode_entry(&record, &sealer()).expect("decodes"), entry);
        }
    }

    #[test]
    fn facts_look_as_documented() {
        let run = RunId::from_u128(1);
        let body = |fact: Fact| {
            let record = encode_entry(run, Entry { seq: 0, at: Timestamp(5), fact }, &sealer()).expect("encodes");
            let text = String::from_utf8_lossy(&record.body).into_owned();
            text.split_once('\n').expect("a first line").1.to_owned()
        };
        let plain = facts().into_iter().filter(|fact| {
            // Sealing draws random numbers.
            !matches!(
                fact,
                Fact::Started { attempt: 1, .. }
                    | Fact::Remembered { .. }
                    | Fact::Checkpointed { .. }
                    | Fact::Observed { .. }
            )
        });
        insta::assert_snapshot!(plain.map(body).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn an_entry_belongs_to_its_place() {
        let entry = Entry { seq: 4, at: Timestamp(5), fact: Fact::Resumed };
        let record = encode_entry(RunId::from_u128(1), entry, &sealer()).expect("encodes");
        let moved =
            [EntryRecord { seq: 5, ..record.clone() }, EntryRecord { run: RunId::from_u128(2), ..record.clone() }];
        for record in moved {
            assert_eq!(decode_entry(&record, &sealer()).expect_err("moved").code(), "store.corrupt");
        }
    }

    #[test]
    fn ephemeral_values_are_refused() {
        let value = Value::string("hunter2").with_marks(Marks::EPHEMERAL);
        let entry = Entry { seq: 0, at: Timestamp(5), fact: Fact::Observed { step: StepId(0), value } };
        let error = encode_entry(RunId::from_u128(1), entry, &sealer()).expect_err("never stored");
        assert_eq!(error.code(), "engine.bug");
    }

    #[test]
    fn summaries_survive() {
        let run = RunId::from_u128(1);
        let summary = Summary { who: "ann".into(), step_count: 3, ..Summary::default() };
        let record = RunRecord {
            id: run,
            stack: StackKey::new("acme", "shop"),
            status: RunStatus::Running,
            started: Timestamp(0),
            finished: None,
            body: encode_summary(run, &summary).expect("encodes"),
        };
        assert_eq!(decode_summary(&record).expect("decodes"), summary);
    }
}

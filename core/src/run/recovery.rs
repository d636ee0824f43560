use std::sync::Arc;

use super::{Entry, Fact, decode_entry};
use crate::{
    error::{Error, ErrorKind, Result},
    plan::Plan,
    state::{EntryRecord, RunId, RunRecord, Store, codec::Sealer},
};

/// A run as an earlier process left it: what [`Driver::resume`](super::Driver::resume) takes up.
#[derive(Clone, Debug, PartialEq)]
pub struct Resume {
    pub(super) record: RunRecord,
    pub(super) plan: Arc<Plan>,
    /// The plan that undoes it, once that was begun.
    pub(super) undo: Option<Arc<Plan>>,
    pub(super) entries: Vec<Entry>,
}

impl Resume {
    /// Returns the run's record.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// Returns its plan: what it was begun with.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan)
    }

    /// Returns its journal, in order, without gaps.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Loads a run. `decode` reads a stored plan.
    ///
    /// # Errors
    /// `run.unknown` (`NotFound`); `store.corrupt` where a segment or a fact is missing or unreadable; what `decode`
    /// and the store say.
    ///
    /// # Complexity
    /// O(plan and journal).
    pub async fn load(
        store: &dyn Store,
        run: RunId,
        sealer: &Sealer,
        decode: impl Fn(&[u8]) -> Result<Plan>,
    ) -> Result<Self> {
        let record = store
            .load_run(run)
            .await?
            // A run of another stack is as unknown as one that never was.
            .filter(|record| record.stack == *sealer.stack())
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "run.unknown", format!("there is no run {run}")))?;
        let segments = store.load_segments(run).await?;
        let numbered = (0..).zip(&segments).all(|(number, segment): (u32, _)| segment.number == number);
        let mut plans = segments.iter().filter(|_| numbered).map(|segment| decode(&segment.body).map(Arc::new));
        let plan = plans.next().ok_or_else(|| corrupt(run, "lacks a plan segment"))??;
        let undo = plans.next().transpose()?;
        let entries = decode_journal(run, &store.load_journal(run).await?, sealer)?;
        let begun = entries.iter().filter(|entry| matches!(entry.fact, Fact::RollbackStarted { .. })).count();
        if begun != usize::from(undo.is_some()) {
            return Err(corrupt(run, "has another number of plan segments than its journal says"));
        }
        Ok(Self { record, plan, undo, entries })
    }
}

fn decode_journal(run: RunId, records: &[EntryRecord], sealer: &Sealer) -> Result<Vec<Entry>> {
    let gapless = (0..).zip(records).all(|(seq, record): (u64, _)| record.seq == seq && record.run == run);
    if !gapless {
        return Err(corrupt(run, "has a gap in its journal"));
    }
    records.iter().map(|record| decode_entry(record, sealer)).collect()
}

fn corrupt(run: RunId, what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "store.corrupt", format!("run {run} {what}"))
}

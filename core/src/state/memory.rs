use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::{
    Commit, EntryRecord, Lease, LeaseToken, LedgerKey, LedgerRecord, ObjectId, RowRecord, RowWrite, RunId, RunRecord,
    SegmentRecord, StackKey, StackRecord, StackWrite, Store, failure,
};
use crate::{error::Result, event::Timestamp};

/// A [`Store`] that lives as long as the process: for tests, previews and simulators.
///
/// Complete: fencing, leases, idempotent and atomic commits. A commit costs O((rows + entries) log n).
#[derive(Default)]
pub struct MemoryStore {
    data: Mutex<Data>,
}

#[derive(Default)]
struct Data {
    stacks: BTreeMap<StackKey, Stack>,
    runs: BTreeMap<RunId, Run>,
    /// The bodies of each ledger, in order.
    ledgers: BTreeMap<LedgerKey, Vec<Arc<[u8]>>>,
    /// The newest token that was handed out, over all stacks.
    last_token: u64,
    /// Runs added so far; their order.
    run_count: u64,
}

#[derive(Default)]
struct Stack {
    record: Option<StackRecord>,
    rows: BTreeMap<ObjectId, RowRecord>,
    lease: Option<Lease>,
}

struct Run {
    record: RunRecord,
    order: u64,
    segments: Vec<SegmentRecord>,
    journal: Vec<EntryRecord>,
}

impl MemoryStore {
    /// Returns an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        // A panic elsewhere cannot leave half a commit: those are applied only after all checks, without panics.
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = self.data();
        f.debug_struct("MemoryStore").field("stacks", &data.stacks.len()).field("runs", &data.runs.len()).finish()
    }
}

impl Data {
    fn check_lease(&self, lease: &Lease) -> Result<()> {
        let held = self.stacks.get(&lease.stack).and_then(|stack| stack.lease.as_ref());
        match held {
            Some(held) if held.token == lease.token => Ok(()),
            _ => Err(failure::lease_lost(&lease.stack, lease.token)),
        }
    }

    /// Works out what `commit` changes, without changing anything.
    fn prepare(&self, lease: &Lease, commit: Commit) -> Result<Changes> {
        self.check_lease(lease)?;
        let key = &lease.stack;
        let mut changes = Changes { run: commit.run, ..Changes::default() };
        if let Some(run) = &changes.run {
            let known = self.runs.get(&run.id);
            if run.stack != *key || known.is_some_and(|known| known.record.stack != *key) {
                return Err(failure::conflict(key, "a run belongs to another stack").context("run", run.id));
            }
        }
        for segment in commit.segments {
            self.run_of(key, segment.run, &changes)?;
            let stored = self.runs.get(&segment.run).map_or(&[][..], |run| &run.segments);
            let added = &changes.segments;
            let same_run = added.iter().filter(|other| other.run == segment.run).count();
            let there = stored
                .get(segment.number as usize)
                .or_else(|| added.iter().find(|other| other.run == segment.run && other.number == segment.number));
            match there {
                Some(there) if there.body == segment.body => {}
                Some(_) => return Err(failure::segment_differs(key, segment.run, segment.number)),
                None if segment.number as usize == stored.len() + same_run => changes.segments.push(segment),
                None => return Err(failure::segment_gap(key, segment.run, segment.number)),
            }
        }
        let mut tails: BTreeMap<RunId, Vec<EntryRecord>> = BTreeMap::new();
        for entry in commit.entries {
            self.run_of(key, entry.run, &changes)?;
            let stored = self.runs.get(&entry.run).map_or(&[][..], |run| &run.journal);
            let tail = tails.entry(entry.run).or_default();
            let end = (stored.len() + tail.len()) as u64;
            if entry.seq > end {
                return Err(failure::journal_gap(key, entry.run, entry.seq, end));
            }
            let idx = entry.seq as usize;
            match stored.get(idx).or_else(|| tail.get(idx.saturating_sub(stored.len()))) {
                Some(there) if there.body == entry.body => {}
                Some(_) => return Err(failure::entry_differs(key, entry.run, entry.seq)),
                None => tail.push(entry),
            }
        }
        changes.entries = tails;
        let stack = self.stacks.get(key);
        let record = stack.and_then(|stack| stack.record.as_ref());
        if let Some(write) = commit.stack {
            match record {
                Some(record) if record.lineage != write.lineage => return Err(failure::lineage_differs(key)),
                Some(record) if record.body == write.body => {}
                _ => changes.stack = Some(write),
            }
        }
        if record.is_none() && changes.stack.is_none() && !commit.rows.is_empty() {
            return Err(failure::no_stack(key));
        }
        for write in commit.rows {
            let id = match &write {
                RowWrite::Put(row) => row.object_id,
                RowWrite::Delete(id) => *id,
            };
            let stored = stack.and_then(|stack| stack.rows.get(&id));
            let there = changes.rows.get(&id).map_or(stored, Option::as_ref);
            match (write, there) {
                (RowWrite::Put(row), Some(there)) if row.version < there.version => {
                    return Err(failure::stale(key, id, there.version, row.version));
                }
                (RowWrite::Put(row), Some(there)) if row == *there => {}
                (RowWrite::Put(row), Some(there)) if row.version == there.version => {
                    return Err(failure::row_differs(key, id, row.version));
                }
                (RowWrite::Put(row), _) => {
                    changes.rows.insert(id, Some(row));
                }
                (RowWrite::Delete(_), Some(_)) => {
                    changes.rows.insert(id, None);
                }
                (RowWrite::Delete(_), None) => {}
            }
        }
        Ok(changes)
    }

    /// Checks that a run is of this stack: stored, or added by the same commit.
    fn run_of(&self, stack: &StackKey, run: RunId, changes: &Changes) -> Result<()> {
        let stored = self.runs.get(&run).map(|run| &run.record);
        let added = changes.run.as_ref().filter(|added| added.id == run);
        match stored.or(added) {
            Some(record) if record.stack == *stack => Ok(()),
            _ => Err(failure::unknown_run(stack, run)),
        }
    }

    /// Works out what `records` add to a ledger, without changing anything.
    fn prepare_append(&self, ledger: &LedgerKey, records: Vec<LedgerRecord>) -> Result<Vec<Arc<[u8]>>> {
        let stored = self.ledgers.get(ledger).map_or(&[][..], Vec::as_slice);
        let mut tail: Vec<Arc<[u8]>> = Vec::new();
        for LedgerRecord { seq, body } in records {
            let end = (stored.len() + tail.len()) as u64;
            if seq > end {
                return Err(failure::ledger_gap(ledger, seq, end));
            }
            let idx = seq as usize;
            match stored.get(idx).or_else(|| tail.get(idx.saturating_sub(stored.len()))) {
                Some(there) if *there == body => {}
                Some(_) => return Err(failure::record_differs(ledger, seq)),
                None => tail.push(body),
            }
        }
        Ok(tail)
    }

    fn apply(&mut self, key: &StackKey, changes: Changes) {
        if let Some(record) = changes.run {
            match self.runs.get_mut(&record.id) {
                Some(run) => run.record = record,
                None => {
                    self.run_count += 1;
                    let run = Run { record, order: self.run_count, segments: Vec::new(), journal: Vec::new() };
                    self.runs.insert(run.record.id, run);
                }
            }
        }
        for segment in changes.segments {
            if let Some(run) = self.runs.get_mut(&segment.run) {
                run.segments.push(segment);
            }
        }
        for (id, entries) in changes.entries {
            if let Some(run) = self.runs.get_mut(&id) {
                run.journal.extend(entries);
            }
        }
        let counts = changes.stack.is_some() || !changes.rows.is_empty();
        let stack = self.stacks.entry(key.clone()).or_default();
        if let Some(write) = changes.stack {
            let serial = stack.record.as_ref().map_or(0, |record| record.serial);
            stack.record = Some(StackRecord { key: key.clone(), lineage: write.lineage, serial, body: write.body });
        }
        for (id, row) in changes.rows {
            match row {
                Some(row) => stack.rows.insert(id, row),
                None => stack.rows.remove(&id),
            };
        }
        if let Some(record) = stack.record.as_mut().filter(|_| counts) {
            record.serial += 1;
        }
    }
}

/// What a commit changes, after everything that was there already is taken out.
#[derive(Default)]
struct Changes {
    run: Option<RunRecord>,
    segments: Vec<SegmentRecord>,
    entries: BTreeMap<RunId, Vec<EntryRecord>>,
    /// The row afterwards; `None` where it goes.
    rows: BTreeMap<ObjectId, Option<RowRecord>>,
    stack: Option<StackWrite>,
}

#[async_trait]
impl Store for MemoryStore {
    async fn load_stack(&self, stack: &StackKey) -> Result<Option<StackRecord>> {
        Ok(self.data().stacks.get(stack).and_then(|stack| stack.record.clone()))
    }

    async fn list_stacks(&self, tenant: Option<&str>) -> Result<Vec<StackRecord>> {
        let data = self.data();
        let records = data.stacks.values().filter_map(|stack| stack.record.as_ref());
        Ok(records.filter(|record| tenant.is_none_or(|tenant| *record.key.tenant == *tenant)).cloned().collect())
    }

    async fn load_rows(&self, stack: &StackKey) -> Result<Vec<RowRecord>> {
        Ok(self.data().stacks.get(stack).map(|stack| stack.rows.values().cloned().collect()).unwrap_or_default())
    }

    async fn acquire(&self, stack: &StackKey, holder: &str, now: Timestamp, ttl: Duration) -> Result<Lease> {
        let mut data = self.data();
        if let Some(held) = data.stacks.get(stack).and_then(|stack| stack.lease.as_ref())
            && held.expires > now
        {
            return Err(failure::lease_held(stack, &held.holder, held.expires));
        }
        data.last_token += 1;
        let lease = Lease {
            stack: stack.clone(),
            token: LeaseToken(data.last_token),
            holder: holder.into(),
            expires: now.plus(ttl),
        };
        data.stacks.entry(stack.clone()).or_default().lease = Some(lease.clone());
        Ok(lease)
    }

    async fn renew(&self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<Lease> {
        let mut data = self.data();
        data.check_lease(lease)?;
        let renewed = Lease { expires: now.plus(ttl), ..lease.clone() };
        if let Some(stack) = data.stacks.get_mut(&lease.stack) {
            stack.lease = Some(renewed.clone());
        }
        Ok(renewed)
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        let mut data = self.data();
        if data.check_lease(lease).is_ok()
            && let Some(stack) = data.stacks.get_mut(&lease.stack)
        {
            stack.lease = None;
        }
        Ok(())
    }

    async fn break_lease(&self, stack: &StackKey) -> Result<()> {
        if let Some(stack) = self.data().stacks.get_mut(stack) {
            stack.lease = None;
        }
        Ok(())
    }

    async fn lease_of(&self, stack: &StackKey) -> Result<Option<Lease>> {
        Ok(self.data().stacks.get(stack).and_then(|stack| stack.lease.clone()))
    }

    async fn commit(&self, lease: &Lease, commit: Commit) -> Result<()> {
        let mut data = self.data();
        let changes = data.prepare(lease, commit)?;
        data.apply(&lease.stack, changes);
        Ok(())
    }

    async fn load_run(&self, run: RunId) -> Result<Option<RunRecord>> {
        Ok(self.data().runs.get(&run).map(|run| run.record.clone()))
    }

    async fn list_runs(&self, stack: &StackKey, limit: u32) -> Result<Vec<RunRecord>> {
        let data = self.data();
        let mut runs: Vec<_> = data.runs.values().filter(|run| run.record.stack == *stack).collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.order));
        Ok(runs.into_iter().take(limit as usize).map(|run| run.record.clone()).collect())
    }

    async fn load_segments(&self, run: RunId) -> Result<Vec<SegmentRecord>> {
        Ok(self.data().runs.get(&run).map(|run| run.segments.clone()).unwrap_or_default())
    }

    async fn load_journal(&self, run: RunId) -> Result<Vec<EntryRecord>> {
        Ok(self.data().runs.get(&run).map(|run| run.journal.clone()).unwrap_or_default())
    }

    async fn append(&self, ledger: &LedgerKey, records: Vec<LedgerRecord>) -> Result<()> {
        let mut data = self.data();
        let tail = data.prepare_append(ledger, records)?;
        if !tail.is_empty() {
            data.ledgers.entry(ledger.clone()).or_default().extend(tail);
        }
        Ok(())
    }

    async fn load_ledger(&self, ledger: &LedgerKey, from: u64) -> Result<Vec<LedgerRecord>> {
        let data = self.data();
        let bodies = data.ledgers.get(ledger).map_or(&[][..], Vec::as_slice);
        let skipped = usize::try_from(from).unwrap_or(usize::MAX);
        Ok((from..)
            .zip(bodies.iter().skip(skipped))
            .map(|(seq, body)| LedgerRecord { seq, body: body.clone() })
            .collect())
    }

    async fn list_ledgers(&self, tenant: Option<&str>, kind: &str) -> Result<Vec<LedgerKey>> {
        let data = self.data();
        let is_wanted = |key: &&LedgerKey| *key.kind == *kind && tenant.is_none_or(|tenant| *key.tenant == *tenant);
        Ok(data.ledgers.keys().filter(is_wanted).cloned().collect())
    }

    async fn forget_stack(&self, lease: &Lease) -> Result<()> {
        let mut data = self.data();
        data.check_lease(lease)?;
        if let Some(stack) = data.stacks.get_mut(&lease.stack) {
            if !stack.rows.is_empty() {
                return Err(failure::rows_left(&lease.stack, stack.rows.len()));
            }
            stack.record = None;
        }
        data.runs.retain(|_, run| run.record.stack != lease.stack);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{
        conformance::{self, Harness},
        testing::{Faults, FaultyStore},
    };

    struct InMemory;

    #[async_trait]
    impl Harness for InMemory {
        async fn open(&self) -> Result<Arc<dyn Store>> {
            Ok(Arc::new(MemoryStore::new()))
        }

        async fn share(&self, store: &Arc<dyn Store>) -> Result<Option<Arc<dyn Store>>> {
            Ok(Some(Arc::clone(store)))
        }
    }

    #[tokio::test]
    async fn conforms() {
        conformance::assert_conforms(&InMemory).await;
    }

    /// A wrapper that takes nothing away keeps the contract too.
    struct Wrapped;

    #[async_trait]
    impl Harness for Wrapped {
        async fn open(&self) -> Result<Arc<dyn Store>> {
            Ok(Arc::new(FaultyStore::new(Arc::new(MemoryStore::new()), Faults::none())))
        }
    }

    #[tokio::test]
    async fn conforms_when_wrapped() {
        conformance::assert_conforms(&Wrapped).await;
    }
}

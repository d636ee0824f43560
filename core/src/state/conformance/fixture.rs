use std::{sync::Arc, time::Duration};

use super::harness::Harness;
use crate::{
    error::Result,
    event::Timestamp,
    state::{
        Commit, EntryRecord, Lease, Lineage, ObjectId, RowRecord, RowWrite, RunId, RunRecord, RunStatus, SegmentRecord,
        StackKey, StackWrite, Store,
    },
};

pub(super) const NOW: Timestamp = Timestamp(1_800_000_000_000);
pub(super) const TTL: Duration = Duration::from_secs(30);
pub(super) const LINEAGE: Lineage = Lineage::from_u128(7);
pub(super) const RUN: RunId = RunId::from_u128(11);

pub(super) fn key(name: &str) -> StackKey {
    StackKey::new("acme", name)
}

/// A store with one stack, whose lease is held and which has a record and a run.
pub(super) struct Fixture {
    pub(super) store: Arc<dyn Store>,
    pub(super) lease: Lease,
}

impl Fixture {
    pub(super) async fn new(harness: &dyn Harness) -> Result<Self> {
        Self::of(harness.open().await?, "shop").await
    }

    pub(super) async fn of(store: Arc<dyn Store>, name: &str) -> Result<Self> {
        let lease = store.acquire(&key(name), "first", NOW, TTL).await?;
        let commit = Commit { run: Some(run(RUN, name)), stack: Some(outputs("{}")), ..Commit::default() };
        store.commit(&lease, commit).await?;
        Ok(Self { store, lease })
    }

    pub(super) async fn commit(&self, commit: Commit) -> Result<()> {
        self.store.commit(&self.lease, commit).await
    }

    pub(super) async fn rows(&self) -> Result<Vec<RowRecord>> {
        self.store.load_rows(&self.lease.stack).await
    }

    pub(super) async fn serial(&self) -> Result<u64> {
        Ok(self.store.load_stack(&self.lease.stack).await?.map_or(0, |record| record.serial))
    }
}

pub(super) fn run(id: RunId, stack: &str) -> RunRecord {
    RunRecord { id, stack: key(stack), status: RunStatus::Running, started: NOW, finished: None, body: body("run") }
}

pub(super) fn outputs(text: &str) -> StackWrite {
    StackWrite { lineage: LINEAGE, body: body(text) }
}

pub(super) fn body(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

pub(super) fn row(number: u128, version: u64, text: &str) -> RowRecord {
    let address = format!("acme_thing.a[{number}]").into();
    RowRecord { object_id: ObjectId::from_u128(number), address, version, body: body(text) }
}

pub(super) fn put(row: RowRecord) -> Commit {
    Commit { rows: vec![RowWrite::Put(row)], ..Commit::default() }
}

pub(super) fn delete(number: u128) -> Commit {
    Commit { rows: vec![RowWrite::Delete(ObjectId::from_u128(number))], ..Commit::default() }
}

pub(super) fn entry(seq: u64, text: &str) -> EntryRecord {
    EntryRecord { run: RUN, seq, body: body(text) }
}

pub(super) fn append(entries: impl IntoIterator<Item = EntryRecord>) -> Commit {
    Commit { entries: entries.into_iter().collect(), ..Commit::default() }
}

pub(super) fn segment(number: u32, text: &str) -> SegmentRecord {
    SegmentRecord { run: RUN, number, body: body(text) }
}

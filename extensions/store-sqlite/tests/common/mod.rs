//! What the tests of files share.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::time::Duration;

use stackwright::{
    event::Timestamp,
    state::{
        Commit, EntryRecord, Lease, Lineage, ObjectId, RowRecord, RowWrite, RunId, RunRecord, RunStatus, StackKey,
        StackWrite, Store,
    },
};

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);
pub(crate) const TTL: Duration = Duration::from_secs(30);
pub(crate) const RUN: RunId = RunId::from_u128(11);

pub(crate) fn key() -> StackKey {
    StackKey::new("acme", "shop")
}

/// Takes the lease and commits a stack and a run.
pub(crate) async fn begin(store: &dyn Store) -> Lease {
    let lease = store.acquire(&key(), "test", NOW, TTL).await.expect("the lease is free");
    let run = RunRecord {
        id: RUN,
        stack: key(),
        status: RunStatus::Running,
        started: NOW,
        finished: None,
        body: b"{}"[..].into(),
    };
    let stack = StackWrite { lineage: Lineage::from_u128(1), body: b"{}"[..].into() };
    let commit = Commit { run: Some(run), stack: Some(stack), ..Commit::default() };
    store.commit(&lease, commit).await.expect("a first commit");
    lease
}

pub(crate) fn row(number: u64, size: usize) -> RowRecord {
    let address = format!("acme_thing.a[{number}]").into();
    let body = number.to_be_bytes().into_iter().cycle().take(size.max(8)).collect::<Vec<u8>>().into();
    RowRecord { object_id: ObjectId::from_u128(number.into()), address, version: 1, body }
}

/// What a step commits: its row and the fact.
pub(crate) fn step(number: u64, size: usize) -> Commit {
    let entry = EntryRecord { run: RUN, seq: number, body: number.to_string().into_bytes().into() };
    Commit { entries: vec![entry], rows: vec![RowWrite::Put(row(number, size))], ..Commit::default() }
}

pub(crate) fn put(number: u64, size: usize) -> Commit {
    Commit { rows: vec![RowWrite::Put(row(number, size))], ..Commit::default() }
}

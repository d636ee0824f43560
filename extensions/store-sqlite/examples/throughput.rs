//! Measures durable commits on this machine's disk: `cargo run --release -p stackwright-store-sqlite --example throughput`.
//!
//! Takes a directory as its argument; otherwise the system's temporary one, which may not be a real disk.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use stackwright::{
    Result,
    event::Timestamp,
    state::{
        Commit, EntryRecord, Lineage, ObjectId, RowRecord, RowWrite, RunId, RunRecord, RunStatus, StackKey, StackWrite,
        Store,
    },
};
use stackwright_store_sqlite::SqliteStore;

const RUN: RunId = RunId::from_u128(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let parent = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(parent).map_err(|error| stackwright::Error::bug(error.to_string()))?;
    let store = SqliteStore::open(directory.path().join("state.db")).await?;
    let key = StackKey::new("acme", "shop");
    let lease = store.acquire(&key, "throughput", Timestamp(0), Duration::from_mins(1)).await?;
    let stack = StackWrite { lineage: Lineage::from_u128(1), body: b"{}"[..].into() };
    let run = RunRecord {
        id: RUN,
        stack: key.clone(),
        status: RunStatus::Running,
        started: Timestamp(0),
        finished: None,
        body: b"{}"[..].into(),
    };
    store.commit(&lease, Commit { run: Some(run), stack: Some(stack), ..Commit::default() }).await?;

    let begin = Instant::now();
    for _ in 0..2_000 {
        store.commit(&lease, Commit { rows: vec![put()], ..Commit::default() }).await?;
    }
    report("commits of one row, one after the other", 2_000, begin);

    let begin = Instant::now();
    try_join_all((0..10_000).map(|_| store.commit(&lease, Commit { rows: vec![put()], ..Commit::default() }))).await?;
    report("commits of one row, 10,000 at the same time", 10_000, begin);

    let begin = Instant::now();
    try_join_all((0..10_000).map(|seq| {
        let body = vec![b'x'; 300].into();
        let entries = vec![EntryRecord { run: RUN, seq, body }];
        store.commit(&lease, Commit { rows: vec![put()], entries, ..Commit::default() })
    }))
    .await?;
    report("commits of a row and a fact, 10,000 at the same time", 10_000, begin);

    let begin = Instant::now();
    store.commit(&lease, Commit { rows: (0..10_000).map(|_| put()).collect(), ..Commit::default() }).await?;
    report("rows in one commit", 10_000, begin);

    let begin = Instant::now();
    let count = store.load_rows(&key).await?.len();
    report("rows loaded", count, begin);

    let begin = Instant::now();
    let count = store.load_journal(RUN).await?.len();
    report("facts loaded", count, begin);
    store.close().await
}

/// A row of a usual size with an id at random.
fn put() -> RowWrite {
    let body = vec![b'x'; 600].into();
    RowWrite::Put(RowRecord { object_id: ObjectId::mint(), address: "acme_thing.a[17]".into(), version: 1, body })
}

fn report(what: &str, count: usize, begin: Instant) {
    let seconds = begin.elapsed().as_secs_f64();
    println!("{count:>6} {what:<52} {:>8.1} ms {:>9.0} per second", seconds * 1e3, count as f64 / seconds);
}

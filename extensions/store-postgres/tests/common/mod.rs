//! What the tests of this store share.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use stackwright::{
    event::Timestamp,
    state::{
        Commit, EntryRecord, Lease, Lineage, ObjectId, RowRecord, RowWrite, RunId, RunRecord, RunStatus, StackKey,
        StackWrite, Store,
    },
};
use stackwright_store_postgres::{PostgresOptions, PostgresStore};
use tokio_postgres::{Client, NoTls};

pub(crate) const TTL: Duration = Duration::from_secs(30);

/// Now, by this machine's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp(u64::try_from(since.as_millis()).expect("fits"))
}

pub(crate) fn options(url: &str) -> PostgresOptions {
    PostgresOptions::parse(url).expect("a connection string")
}

pub(crate) async fn open(url: &str) -> PostgresStore {
    PostgresStore::open(url).await.expect("opens")
}

/// Returns a connection of the test's own to look behind the store.
pub(crate) async fn client(url: &str) -> Client {
    let plain: String = url.split('?').next().expect("a head").to_owned();
    let (client, connection) = tokio_postgres::connect(&plain, NoTls).await.expect("connects");
    tokio::spawn(connection);
    client
}

pub(crate) fn key(name: &str) -> StackKey {
    StackKey::new("acme", name)
}

/// Returns the run of a stack in these tests.
pub(crate) fn run_of(name: &str) -> RunId {
    let bits = name.bytes().fold(1_u128, |bits, byte| bits * 257 + u128::from(byte));
    RunId::from_u128(bits)
}

/// What a run begins with: the stack's record and its own.
pub(crate) fn first(name: &str) -> Commit {
    let run = RunRecord {
        id: run_of(name),
        stack: key(name),
        status: RunStatus::Running,
        started: Timestamp(0),
        finished: None,
        body: b"{}"[..].into(),
    };
    let stack = StackWrite { lineage: Lineage::from_u128(1), body: b"{}"[..].into() };
    Commit { run: Some(run), stack: Some(stack), ..Commit::default() }
}

/// Takes the lease and commits a stack and a run.
pub(crate) async fn begin(store: &dyn Store, name: &str) -> Lease {
    let lease = store.acquire(&key(name), "test", now(), TTL).await.expect("the lease is free");
    store.commit(&lease, first(name)).await.expect("a first commit");
    lease
}

pub(crate) fn row(number: u64, version: u64) -> RowRecord {
    let address = format!("acme_thing.a[{number}]").into();
    let body = format!("row {number} in version {version}").into_bytes().into();
    RowRecord { object_id: ObjectId::from_u128(number.into()), address, version, body }
}

pub(crate) fn entry(name: &str, seq: u64, text: &str) -> EntryRecord {
    EntryRecord { run: run_of(name), seq, body: text.as_bytes().into() }
}

pub(crate) fn put(number: u64, version: u64) -> Commit {
    Commit { rows: vec![RowWrite::Put(row(number, version))], ..Commit::default() }
}

pub(crate) fn delete(number: u64) -> Commit {
    Commit { rows: vec![RowWrite::Delete(ObjectId::from_u128(number.into()))], ..Commit::default() }
}

/// What a step commits: its row and the fact.
pub(crate) fn step(name: &str, number: u64) -> Commit {
    Commit { entries: vec![entry(name, number, &number.to_string())], ..put(number, 1) }
}

pub(crate) async fn serial(store: &dyn Store, name: &str) -> u64 {
    store.load_stack(&key(name)).await.expect("reads").map_or(0, |record| record.serial)
}

pub(crate) fn shared(store: &PostgresStore) -> Arc<dyn Store> {
    Arc::new(store.clone())
}

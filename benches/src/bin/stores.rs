//! What a durable commit costs in SQLite and in PostgreSQL, side by side:
//! `cargo run --release -p stackwright-benches --bin stores`.
//!
//! PostgreSQL is a server of its own on this machine, with all its promises of durability (`fsync` and the rest as they
//! come). Both are on the disk that holds temporary files, which may not be a real disk. Each figure is the best of three.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use stackwright::{
    event::Timestamp,
    state::{
        Commit, EntryRecord, Lease, Lineage, ObjectId, RowRecord, RowWrite, RunId, RunRecord, RunStatus, StackKey,
        StackWrite, Store,
    },
};
use stackwright_benches::{Host, Shape, read};
use stackwright_store_postgres::{PostgresOptions, PostgresStore};
use stackwright_store_sqlite::SqliteStore;
use stackwright_tests::postgres::{Server, fresh_schema};
use tokio::task::JoinSet;

const TTL: Duration = Duration::from_hours(1);

/// A store to be measured, new each time.
enum Storage {
    Sqlite,
    Postgres(Server),
}

impl Storage {
    async fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite => {
                // Kept until the process ends: it is measured, not tidied.
                let path = tempfile::tempdir().expect("a folder").keep().join("state.db");
                Arc::new(SqliteStore::open(path).await.expect("a database"))
            }
            Self::Postgres(server) => {
                let options = PostgresOptions::parse(&server.url(&fresh_schema())).expect("a connection string");
                let store = PostgresStore::open_with(options.connections(16)).await;
                Arc::new(store.expect("a database"))
            }
        }
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let Some(server) = Server::start_with("", &[]) else { return };
    println!("{:<58} {:>14} {:>14}", "", "SQLite", "PostgreSQL");
    let storages = [Storage::Sqlite, Storage::Postgres(server)];
    let row = |what: &str, show: &dyn Fn(&Storage) -> String| {
        println!("{what:<58} {:>14} {:>14}", show(&storages[0]), show(&storages[1]));
    };
    let rate = |count: u64, took: Duration| format!("{:.0} /s", count as f64 / took.as_secs_f64());
    let best = |measure: &dyn Fn() -> Duration| (0..3).map(|_| measure()).min().unwrap_or_default();
    row("commits of one row, one after the other", &|storage| {
        rate(1_000, best(&|| runtime.block_on(one_after_the_other(storage, 1_000))))
    });
    row("commits of a row and a fact, 10,000 at the same time", &|storage| {
        rate(10_000, best(&|| runtime.block_on(at_the_same_time(storage, 10_000))))
    });
    row("10,000 rows in one commit", &|storage| {
        format!("{:.0} ms", best(&|| runtime.block_on(at_once(storage, 10_000))).as_secs_f64() * 1e3)
    });
    for stacks in [1, 8, 64, 1_000] {
        row(&format!("commits of {stacks} stacks side by side, each one after the other"), &|storage| {
            let each = (2_000 / stacks).max(4);
            rate(stacks * each, best(&|| runtime.block_on(side_by_side(storage, stacks, each))))
        });
    }
    for size in [1_000, 10_000] {
        let template = read(&Shape::Flat.template(size));
        row(&format!("durable apply of {size} instances, 64 calls at once"), &|storage| {
            let apply = || {
                runtime.block_on(async {
                    let host = Host::on(storage.open().await);
                    let plan = host.plan(&template).await;
                    let begun = Instant::now();
                    host.apply_with(plan, stackwright::stack::ApplyOptions { parallelism: 64, ..Default::default() })
                        .await;
                    begun.elapsed()
                })
            };
            format!("{:.2} s", best(&apply).as_secs_f64())
        });
    }
}

fn key(number: u64) -> StackKey {
    StackKey::new("acme", format!("stack {number}"))
}

fn run(number: u64) -> RunId {
    RunId::from_u128(u128::from(number) + 1)
}

async fn begin(store: &dyn Store, number: u64) -> Lease {
    let lease = store.acquire(&key(number), "bench", Timestamp(0), TTL).await.expect("free");
    let record = RunRecord {
        id: run(number),
        stack: key(number),
        status: RunStatus::Running,
        started: Timestamp(0),
        finished: None,
        body: b"{}"[..].into(),
    };
    let stack = StackWrite { lineage: Lineage::from_u128(1), body: b"{}"[..].into() };
    let commit = Commit { run: Some(record), stack: Some(stack), ..Commit::default() };
    store.commit(&lease, commit).await.expect("begins");
    lease
}

/// A row of a usual size with an id at random.
fn put() -> RowWrite {
    let body = vec![b'x'; 600].into();
    RowWrite::Put(RowRecord { object_id: ObjectId::mint(), address: "acme_thing.a[17]".into(), version: 1, body })
}

async fn one_after_the_other(storage: &Storage, count: u64) -> Duration {
    let store = storage.open().await;
    let lease = begin(&*store, 0).await;
    let begun = Instant::now();
    for _ in 0..count {
        store.commit(&lease, Commit { rows: vec![put()], ..Commit::default() }).await.expect("commits");
    }
    begun.elapsed()
}

async fn at_the_same_time(storage: &Storage, count: u64) -> Duration {
    let store = storage.open().await;
    let lease = begin(&*store, 0).await;
    let begun = Instant::now();
    // In the order of the journal: each is asked for before the next.
    let commits = (0..count).map(|seq| {
        let entries = vec![EntryRecord { run: run(0), seq, body: vec![b'x'; 300].into() }];
        store.commit(&lease, Commit { rows: vec![put()], entries, ..Commit::default() })
    });
    try_join_all(commits).await.expect("commits");
    begun.elapsed()
}

async fn at_once(storage: &Storage, count: u64) -> Duration {
    let store = storage.open().await;
    let lease = begin(&*store, 0).await;
    let rows = (0..count).map(|_| put()).collect();
    let begun = Instant::now();
    store.commit(&lease, Commit { rows, ..Commit::default() }).await.expect("commits");
    begun.elapsed()
}

async fn side_by_side(storage: &Storage, stacks: u64, each: u64) -> Duration {
    let store = storage.open().await;
    let mut leases = Vec::new();
    for number in 0..stacks {
        leases.push(begin(&*store, number).await);
    }
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for lease in leases {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for _ in 0..each {
                store.commit(&lease, Commit { rows: vec![put()], ..Commit::default() }).await.expect("commits");
            }
        });
    }
    tasks.join_all().await;
    begun.elapsed()
}

//! What was acknowledged survives `kill -9`; what was not is there whole or not at all.
#![cfg(unix)]

mod common;

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use common::{RUN, begin, key, row, step};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use stackwright::state::Store;
use stackwright_store_sqlite::SqliteStore;

/// Set for the process that is killed: where its database is.
const PATH: &str = "STORE_SQLITE_CRASH_PATH";
const SIZE: usize = 700;

/// Commits steps until it is killed, a few at a time, and says which ones it was told are durable.
#[tokio::test]
async fn writes_until_it_is_killed() {
    let Some(path) = env::var_os(PATH) else { return };
    let store = SqliteStore::open(&path).await.expect("opens");
    let lease = begin(&store).await;
    let mut running = FuturesUnordered::new();
    let mut out = std::io::stdout();
    for number in 0..1_000_000 {
        let (store, lease) = (&store, &lease);
        running.push(async move {
            store.commit(lease, step(number, SIZE)).await.expect("commits");
            number
        });
        if running.len() >= 8 || number % 5 == 0 {
            let done = running.next().await.expect("one is running");
            writeln!(out, "durable {done}").and_then(|()| out.flush()).expect("the parent reads");
        }
    }
}

#[tokio::test]
async fn keeps_what_it_acknowledged() {
    for round in 0..6 {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("state.db");
        let acknowledged = kill_after(&path, 40 + 150 * round);
        let store = SqliteStore::open(&path).await.expect("opens after a crash");
        let rows = store.load_rows(&key()).await.expect("rows");
        let journal = store.load_journal(RUN).await.expect("a journal");
        for number in &acknowledged {
            assert!(rows.contains(&row(*number, SIZE)), "round {round}: row {number} was lost");
        }
        // Each step's row and fact came together.
        assert_eq!(rows.len(), journal.len(), "round {round}: half a commit");
        assert!(rows.len() >= acknowledged.len());
        assert!(journal.iter().zip(0..).all(|(entry, seq)| entry.seq == seq), "round {round}: a gap");
        // The lease is as it was, and whoever comes next goes on.
        let lease = store.lease_of(&key()).await.expect("a lease").expect("nobody released it");
        store.commit(&lease, step(journal.len() as u64, SIZE)).await.expect("goes on");
        store.close().await.expect("closes");
    }
}

/// Runs the writer until it acknowledged `count` steps, kills it, and returns all that it acknowledged.
fn kill_after(path: &Path, count: usize) -> Vec<u64> {
    let mut child = Command::new(env::current_exe().expect("this test"))
        .args(["writes_until_it_is_killed", "--exact", "--nocapture"])
        .env(PATH, path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    // The test harness writes on the same line before the first one.
    let number = |line: String| line.rsplit_once("durable ")?.1.parse::<u64>().ok();
    let mut numbers: Vec<u64> = lines.by_ref().filter_map(number).take(count).collect();
    child.kill().expect("kills");
    // What it said before it died counts too; a last line may be cut.
    let rest: Vec<String> = lines.collect();
    let whole = rest.len().saturating_sub(1);
    numbers.extend(rest.into_iter().take(whole).filter_map(number));
    child.wait().expect("is dead");
    assert!(numbers.len() >= count);
    numbers
}

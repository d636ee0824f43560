//! Files that are missing, damaged, somebody else's, or taken away.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use common::{NOW, TTL, begin, key, put, row, step};
use futures_util::future::join_all;
use rusqlite::Connection;
use stackwright::{
    Error,
    error::Retry,
    state::{LedgerKey, LedgerRecord, StackKey, Store},
};
use stackwright_store_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

async fn refused(path: &Path) -> Error {
    SqliteStore::open(path).await.expect_err("refused")
}

fn names(directory: &TempDir) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory.path())
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn makes_one_private_file() {
    let directory = directory();
    let path = directory.path().join("state.db");
    let store = SqliteStore::open(&path).await.expect("a new file");
    begin(&store).await;
    #[cfg(unix)]
    for name in names(&directory) {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(directory.path().join(&name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }
    store.close().await.expect("closes");
    assert_eq!(names(&directory), ["state.db"], "the log is folded in, no drafts are left");
    assert!(format!("{store:?}").contains("state.db"));
}

#[tokio::test]
async fn a_name_means_nothing_special() {
    let directory = directory();
    for name in [":memory:", "file:x?mode=memory", "ä b.db"] {
        let path = directory.path().join(name);
        let store = SqliteStore::open(&path).await.expect("a file");
        begin(&store).await;
        store.close().await.expect("closes");
        assert!(fs::metadata(&path).expect("a file").len() > 0, "{name}");
    }
}

#[tokio::test]
async fn leaves_alone_what_is_not_its_own() {
    let directory = directory();
    let other = {
        let path = directory.path().join("other.db");
        let connection = Connection::open(&path).expect("a database");
        connection.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").expect("a table");
        drop(connection);
        fs::read(path).expect("a file")
    };
    for (name, bytes) in [
        ("text", b"# notes\n".repeat(1000)),
        ("short", b"hello".to_vec()),
        ("one byte", b"x".to_vec()),
        ("zeros", vec![0; 8192]),
        ("another program's", other),
    ] {
        let path = directory.path().join(name);
        fs::write(&path, &bytes).expect("writes");
        let error = refused(&path).await;
        assert_eq!(error.code(), "store.corrupt", "{name}: {error:?}");
        assert!(error.report().contains(name), "the path is named: {error:?}");
        assert_eq!(fs::read(&path).expect("a file"), bytes, "{name} is as it was");
    }
}

#[tokio::test]
async fn an_empty_file_is_a_new_one() {
    let directory = directory();
    let path = directory.path().join("state.db");
    fs::write(&path, b"").expect("writes");
    begin(&SqliteStore::open(&path).await.expect("a new file")).await;
}

#[tokio::test]
async fn refuses_a_newer_schema() {
    let directory = directory();
    let path = directory.path().join("state.db");
    let store = SqliteStore::open(&path).await.expect("a new file");
    store.close().await.expect("closes");
    Connection::open(&path).expect("opens").pragma_update(None, "user_version", 1000).expect("a pragma");
    let before = fs::read(&path).expect("a file");
    let error = refused(&path).await;
    assert_eq!(error.code(), "store.version", "{error:?}");
    assert!(error.report().contains("found=1000"), "{error:?}");
    assert_eq!(fs::read(&path).expect("a file"), before);
}

/// A file that an older program made gets what is new, and keeps what it has.
#[tokio::test]
async fn an_old_file_is_brought_up_to_date() {
    let directory = directory();
    let path = directory.path().join("state.db");
    let old = Connection::open(&path).expect("opens");
    old.execute_batch(include_str!("../src/schema/0001.sql")).expect("the first tables");
    old.execute_batch(
        "INSERT INTO stacks (tenant, name, lineage, body)
         VALUES ('acme', 'old', x'00000000000000000000000000000007', x'7b7d')",
    )
    .expect("a stack");
    old.pragma_update(None, "application_id", 0x5357_7374).expect("a pragma");
    old.pragma_update(None, "user_version", 1).expect("a pragma");
    drop(old);
    let key = LedgerKey::new("acme", "note", "shop");
    for _ in 0..2 {
        let store = SqliteStore::open(&path).await.expect("an old file");
        assert!(store.load_stack(&StackKey::new("acme", "old")).await.expect("reads").is_some());
        store.append(&key, vec![LedgerRecord { seq: 0, body: b"x"[..].into() }]).await.expect("appends");
        assert_eq!(store.load_ledger(&key, 0).await.expect("reads").len(), 1);
        store.close().await.expect("closes");
    }
    let version: i32 =
        Connection::open(&path).expect("opens").query_row("PRAGMA user_version", [], |row| row.get(0)).expect("asks");
    assert_eq!(version, 2);
}

/// Damage is noticed when the file is opened or when the damaged part is read, and never answered with other data.
#[tokio::test]
async fn notices_damage() {
    let directory = directory();
    let path = directory.path().join("state.db");
    let store = SqliteStore::open(&path).await.expect("a new file");
    let lease = begin(&store).await;
    join_all((0..500).map(|number| store.commit(&lease, step(number, 300)))).await;
    store.close().await.expect("closes");
    let good = fs::read(&path).expect("a file");
    let mut cases: Vec<Vec<u8>> = Vec::new();
    // Whole pages overwritten, and the end cut off.
    for page in 1..good.len() / 4096 {
        let mut bad = good.clone();
        bad[page * 4096..page * 4096 + 64].fill(0xff);
        cases.push(bad);
    }
    cases.push(good[..good.len() / 2].to_vec());
    cases.push(good[..good.len() - 4096].to_vec());
    for (idx, bad) in cases.into_iter().enumerate() {
        fs::write(&path, &bad).expect("writes");
        let error = refused(&path).await;
        assert_eq!(error.code(), "store.corrupt", "case {idx}: {error:?}");
        assert_eq!(fs::read(&path).expect("a file"), bad, "case {idx} is as it was");
    }
    fs::write(&path, &good).expect("writes");
    let store = SqliteStore::open(&path).await.expect("the good one opens");
    assert_eq!(store.load_rows(&key()).await.expect("rows").len(), 500);
}

/// Whatever bit flips and wherever the file is cut off: it is refused, or what is read is what was written. Never are rows
/// missing, which would have the world made anew.
#[tokio::test]
async fn one_bit_never_hides_anything() {
    let directory = directory();
    let path = directory.path().join("state.db");
    let store = SqliteStore::open(&path).await.expect("a new file");
    let lease = begin(&store).await;
    join_all((0..5).map(|number| store.commit(&lease, step(number, 40)))).await;
    store.close().await.expect("closes");
    let good = fs::read(&path).expect("a file");
    let ids = |rows: Vec<stackwright::state::RowRecord>| rows.into_iter().map(|row| row.object_id).collect::<Vec<_>>();
    let mut noticed = 0;
    // Places all over what holds something; the first page, which names the tables, more densely.
    let full: Vec<usize> = (0..good.len()).filter(|at| good[*at] != 0).collect();
    let dense = full.iter().filter(|at| **at < 4096).step_by(7);
    let places: Vec<usize> = dense.chain(full.iter().filter(|at| **at >= 4096).step_by(13)).copied().collect();
    for (number, at) in places.iter().enumerate() {
        let mut bad = good.clone();
        match number % 9 {
            8 if *at > 0 => bad.truncate(*at),
            bit => bad[*at] ^= 1 << (bit % 8),
        }
        fs::write(&path, &bad).expect("writes");
        let _ = (fs::remove_file(path.with_extension("db-wal")), fs::remove_file(path.with_extension("db-shm")));
        let read = async {
            let store = SqliteStore::open(&path).await?;
            let rows = store.load_rows(&key()).await;
            let stack = store.load_stack(&key()).await;
            store.close().await?;
            Ok::<_, Error>((ids(rows?), stack?.is_some()))
        };
        match read.await {
            Ok((rows, is_known)) => assert!(rows.len() == 5 && is_known, "byte {at}: {rows:?}, {is_known}"),
            Err(error) => {
                noticed += 1;
                assert!(
                    ["store.corrupt", "store.version", "store.unavailable"].contains(&error.code()),
                    "{at}: {error:?}"
                );
            }
        }
    }
    assert!(noticed * 2 > places.len(), "{noticed} of {}", places.len());
}

/// SQLite takes some of what is left of a short file for an empty one.
#[tokio::test]
async fn a_file_cut_off_within_its_first_page_is_never_a_new_one() {
    let directory = directory();
    let path = directory.path().join("state.db");
    let store = SqliteStore::open(&path).await.expect("a new file");
    begin(&store).await;
    store.close().await.expect("closes");
    let good = fs::read(&path).expect("a file");
    for length in (1..130).chain((130..4096).step_by(97)).chain([511, 512, 513, 4095]) {
        fs::write(&path, &good[..length]).expect("writes");
        let error = refused(&path).await;
        assert_eq!(error.code(), "store.corrupt", "{length} bytes: {error:?}");
        assert_eq!(fs::read(&path).expect("a file"), good[..length], "{length} bytes are as they were");
    }
}

/// A damaged number of a stack would hide its rows and its runs.
#[tokio::test]
async fn what_refers_to_nothing_is_damage() {
    let directory = directory();
    let path = directory.path().join("state.db");
    let store = SqliteStore::open(&path).await.expect("a new file");
    let lease = begin(&store).await;
    store.commit(&lease, step(0, 8)).await.expect("a row and a fact");
    store.close().await.expect("closes");
    let good = fs::read(&path).expect("a file");
    for change in ["UPDATE objects SET stack = 77", "UPDATE runs SET stack = 77", "UPDATE entries SET run = 77"] {
        fs::write(&path, &good).expect("writes");
        let connection = Connection::open(&path).expect("opens");
        connection.pragma_update(None, "foreign_keys", false).expect("a pragma");
        connection.execute_batch(change).expect(change);
        connection.close().expect("closes");
        let error = refused(&path).await;
        assert_eq!(error.code(), "store.corrupt", "{change}: {error:?}");
        assert!(error.report().contains("refers to nothing"), "{change}: {error:?}");
    }
}

/// Without the check of the whole file, damage is noticed where it is read.
#[tokio::test]
async fn notices_damage_while_reading() {
    let directory = directory();
    let path = directory.path().join("state.db");
    let store = SqliteStore::open(&path).await.expect("a new file");
    let lease = begin(&store).await;
    join_all((0..500).map(|number| store.commit(&lease, put(number, 300)))).await;
    store.close().await.expect("closes");
    let mut bytes = fs::read(&path).expect("a file");
    let end = bytes.len();
    bytes[end - 8 * 4096..].fill(0xff);
    fs::write(&path, bytes).expect("writes");
    let store = SqliteStore::open_with(SqliteOptions::new(&path).check_up_to(0)).await.expect("opens unchecked");
    let error = store.load_rows(&key()).await.expect_err("damaged");
    assert_eq!(error.code(), "store.corrupt", "{error:?}");
}

#[tokio::test]
async fn says_what_is_wrong_with_the_place() {
    let directory = directory();
    let missing = directory.path().join("a").join("b").join("state.db");
    let error = refused(&missing).await;
    assert_eq!(error.code(), "store.unavailable");
    assert!(error.report().contains("create_directory") && error.report().contains("state.db"), "{error:?}");
    assert!(!directory.path().join("a").exists(), "nothing was made");

    let store = SqliteStore::open_with(SqliteOptions::new(&missing).create_directory()).await.expect("makes them");
    begin(&store).await;

    let error = refused(directory.path()).await;
    assert_eq!(error.code(), "store.unavailable", "a directory is no file: {error:?}");
    let error = refused(&missing.join("below")).await;
    assert_eq!(error.code(), "store.unavailable", "a file is no directory: {error:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn read_only_places_are_named() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = directory();
    let path = directory.path().join("state.db");
    SqliteStore::open(&path).await.expect("a new file").close().await.expect("closes");
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
    mode(&path, 0o400);
    mode(directory.path(), 0o500);
    // The superuser may write everything; then there is nothing to see here.
    if fs::write(directory.path().join("probe"), b"").is_err() {
        assert_eq!(refused(&path).await.code(), "store.unavailable");
        assert_eq!(refused(&directory.path().join("new.db")).await.code(), "store.unavailable");
    }
    mode(directory.path(), 0o700);
}

#[tokio::test]
async fn waits_for_another_writer_then_gives_up() {
    let directory = directory();
    let path = directory.path().join("state.db");
    let options = SqliteOptions::new(&path).busy_timeout(Duration::from_millis(20));
    let store = SqliteStore::open_with(options.clone()).await.expect("a new file");
    let lease = begin(&store).await;
    let other = Connection::open(&path).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locks");
    let error = store.commit(&lease, put(1, 8)).await.expect_err("locked");
    assert_eq!((error.code(), error.retry_advice()), ("store.unavailable", Retry::WithBackoff), "{error:?}");
    assert_eq!(store.load_rows(&key()).await.expect("reads do not wait"), []);
    other.execute_batch("COMMIT").expect("unlocks");
    store.commit(&lease, put(1, 8)).await.expect("the repeat gets through");
    assert_eq!(store.load_rows(&key()).await.expect("rows"), [row(1, 8)]);
}

#[cfg(unix)]
#[tokio::test]
async fn does_not_write_to_a_file_that_nobody_finds() {
    let directory = directory();
    let path = directory.path().join("state.db");
    let store = SqliteStore::open(&path).await.expect("a new file");
    let lease = begin(&store).await;
    let away = directory.path().join("away.db");
    fs::rename(&path, &away).expect("renames");
    let error = store.commit(&lease, put(1, 8)).await.expect_err("moved");
    assert_eq!(error.code(), "store.unavailable", "{error:?}");
    fs::write(&path, b"something else").expect("writes");
    store.commit(&lease, put(1, 8)).await.expect_err("replaced");
    fs::rename(&away, &path).expect("renames");
    store.commit(&lease, put(1, 8)).await.expect("it is back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_a_new_file_at_once() {
    for _ in 0..5 {
        let directory = directory();
        let path: PathBuf = directory.path().join("state.db");
        let stores = join_all((0..8).map(|_| tokio::spawn(SqliteStore::open(path.clone())))).await;
        let stores: Vec<_> = stores.into_iter().map(|store| store.expect("no panic").expect("all get in")).collect();
        let leases = join_all(stores.iter().zip(0..).map(|(store, number)| async move {
            let stack = StackKey::new("acme", format!("s{number}"));
            store.acquire(&stack, "test", NOW, TTL).await.expect("its own stack")
        }))
        .await;
        let mut tokens: Vec<_> = leases.iter().map(|lease| lease.token).collect();
        tokens.sort();
        tokens.dedup();
        assert_eq!(tokens.len(), 8, "tokens are never handed out twice: {leases:?}");
        for store in &stores {
            store.close().await.expect("closes");
        }
        assert_eq!(names(&directory), ["state.db"]);
    }
}

#[tokio::test]
async fn closing_drains_and_then_refuses() {
    let directory = directory();
    let path = directory.path().join("state.db");
    let store = SqliteStore::open(&path).await.expect("a new file");
    let lease = begin(&store).await;
    let mut pending: Vec<_> = (0..200).map(|number| Box::pin(store.commit(&lease, put(number, 8)))).collect();
    for commit in &mut pending {
        // Asked for; not waited for.
        let _ = futures_util::poll!(commit.as_mut());
    }
    store.close().await.expect("closes");
    store.close().await.expect("twice");
    for result in join_all(pending).await {
        result.expect("what was asked for before closing is done");
    }
    assert_eq!(store.load_rows(&key()).await.expect_err("closed").code(), "store.unavailable");
    assert_eq!(store.commit(&lease, put(1, 8)).await.expect_err("closed").code(), "store.unavailable");
    let again = SqliteStore::open(&path).await.expect("opens");
    assert_eq!(again.load_rows(&key()).await.expect("rows").len(), 200);
}

#[tokio::test]
async fn dropping_a_call_or_the_store_loses_nothing_that_was_asked_for() {
    let directory = directory();
    let path = directory.path().join("state.db");
    let store = SqliteStore::open(&path).await.expect("a new file");
    let lease = begin(&store).await;
    for number in 0..50 {
        let mut commit = Box::pin(store.commit(&lease, put(number, 8)));
        // Asked for, then dropped before the answer.
        let _ = futures_util::poll!(commit.as_mut());
    }
    // Everything goes through one queue: when this is done, so is what came before.
    store.renew(&lease, NOW, TTL).await.expect("still held");
    assert_eq!(store.load_rows(&key()).await.expect("rows").len(), 50);
}

use std::sync::Arc;

use futures_util::future::join_all;

use super::{
    fixture::{Fixture, body, key},
    harness::{CaseResult, Harness, ensure, refused, same},
};
use crate::{
    error::Result,
    state::{LedgerKey, LedgerRecord, Store},
};

fn ledger(name: &str) -> LedgerKey {
    LedgerKey::new("acme", "note", name)
}

fn record(seq: u64, text: &str) -> LedgerRecord {
    LedgerRecord { seq, body: body(text) }
}

fn records(texts: &[&str]) -> Vec<LedgerRecord> {
    (0..).zip(texts).map(|(seq, text)| record(seq, text)).collect()
}

/// Returns the names in a list of ledgers.
fn names(keys: &[LedgerKey]) -> Vec<String> {
    keys.iter().map(|key| format!("{}/{}", key.tenant, key.name)).collect()
}

async fn all(store: &dyn Store, name: &str) -> Result<Vec<LedgerRecord>> {
    store.load_ledger(&ledger(name), 0).await
}

pub(super) async fn append(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    same("a ledger that nobody wrote", &all(&*store, "a").await?, &vec![])?;
    store.append(&ledger("a"), records(&["x", "y"])).await?;
    store.append(&ledger("a"), vec![record(2, ""), record(3, "z")]).await?;
    same("the ledger", &all(&*store, "a").await?, &records(&["x", "y", "", "z"]))?;
    for (from, count) in [(0, 4), (1, 3), (3, 1), (4, 0), (5, 0), (u64::MAX, 0)] {
        let found = store.load_ledger(&ledger("a"), from).await?;
        let expected: Vec<_> = records(&["x", "y", "", "z"]).split_off(4 - count);
        same("the ledger from a number on", &found, &expected)?;
    }
    Ok(())
}

pub(super) async fn repeat(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    store.append(&ledger("a"), records(&["x", "y"])).await?;
    store.append(&ledger("a"), records(&["x", "y"])).await?;
    store.append(&ledger("a"), vec![record(1, "y"), record(2, "z")]).await?;
    // Twice in one call is like twice.
    store.append(&ledger("a"), vec![record(3, "w"), record(3, "w")]).await?;
    same("the ledger after repeats", &all(&*store, "a").await?, &records(&["x", "y", "z", "w"]))
}

pub(super) async fn differs(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    store.append(&ledger("a"), records(&["x", "y"])).await?;
    for (seq, text) in [(0, "y"), (1, "x"), (1, ""), (1, "y ")] {
        let result = store.append(&ledger("a"), vec![record(seq, text)]).await;
        refused("another body under a number that is there", result, "store.conflict")?;
    }
    let twice = vec![record(2, "a"), record(2, "b")];
    refused("two bodies under one number", store.append(&ledger("a"), twice).await, "store.conflict")?;
    same("the ledger", &all(&*store, "a").await?, &records(&["x", "y"]))
}

pub(super) async fn gap(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    refused("a ledger that begins at 1", store.append(&ledger("a"), vec![record(1, "x")]).await, "store.conflict")?;
    store.append(&ledger("a"), records(&["x"])).await?;
    for list in [vec![record(2, "z")], vec![record(1, "y"), record(3, "w")], vec![record(1 << 60, "far")]] {
        refused("a gap", store.append(&ledger("a"), list).await, "store.conflict")?;
    }
    same("the ledger", &all(&*store, "a").await?, &records(&["x"]))
}

pub(super) async fn all_or_nothing(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    store.append(&ledger("a"), records(&["x"])).await?;
    let bad = vec![record(1, "y"), record(2, "z"), record(0, "other")];
    refused("records with a bad one last", store.append(&ledger("a"), bad).await, "store.conflict")?;
    let bad = vec![record(0, "other"), record(1, "y")];
    refused("records with a bad one first", store.append(&ledger("a"), bad).await, "store.conflict")?;
    same("the ledger", &all(&*store, "a").await?, &records(&["x"]))?;
    refused("a new ledger with a gap", store.append(&ledger("b"), vec![record(1, "y")]).await, "store.conflict")?;
    store.append(&ledger("c"), vec![]).await?;
    same("ledgers with records", &names(&store.list_ledgers(None, "note").await?), &vec!["acme/a".to_owned()])
}

pub(super) async fn list(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    for (tenant, kind, name) in [
        ("b", "note", "y"),
        ("a", "note", "z"),
        ("b", "note", "B"),
        ("b", "other", "x"),
        ("ä", "note", "a"),
        ("a%", "note", "x"),
        ("b", "note%", "w"),
    ] {
        store.append(&LedgerKey::new(tenant, kind, name), records(&["x"])).await?;
    }
    let expect = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let everybody = names(&store.list_ledgers(None, "note").await?);
    same("all of a kind, ordered", &everybody, &expect(&["a/z", "a%/x", "b/B", "b/y", "ä/a"]))?;
    same("one tenant's", &names(&store.list_ledgers(Some("b"), "note").await?), &expect(&["b/B", "b/y"]))?;
    same("another kind's", &store.list_ledgers(None, "other").await?, &vec![LedgerKey::new("b", "other", "x")])?;
    same("a kind like a pattern", &names(&store.list_ledgers(None, "%").await?), &vec![])?;
    same("nobody's", &names(&store.list_ledgers(Some("c"), "note").await?), &vec![])
}

pub(super) async fn isolation(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    // The same letters, cut elsewhere; names that look alike, or that one might take for a pattern.
    let keys = [
        ("acme", "note", "shop"),
        ("acmen", "ote", "shop"),
        ("acme", "notes", "hop"),
        ("acme", "note", "Shop"),
        ("acme", "note", "shop "),
        ("acme", "Note", "shop"),
        ("ACME", "note", "shop"),
        ("acm_", "note", "shop"),
        ("acm%", "note", "%"),
        ("acmé", "note", "shop"),
        ("acme\u{301}", "note", "shop"),
        ("", "note", "acme/shop"),
        ("acme", "", ""),
        ("acme", "note/shop", ""),
    ]
    .map(|(tenant, kind, name)| LedgerKey::new(tenant, kind, name));
    for (idx, key) in keys.iter().enumerate() {
        same("a ledger that nobody wrote", &store.load_ledger(key, 0).await?, &vec![])?;
        store.append(key, records(&[&idx.to_string()])).await?;
    }
    for (idx, key) in keys.iter().enumerate() {
        same("a ledger beside others", &store.load_ledger(key, 0).await?, &records(&[&idx.to_string()]))?;
        let listed = store.list_ledgers(Some(&key.tenant), &key.kind).await?;
        ensure(listed.contains(key), || format!("`{key}` is not listed"))?;
        let alien = listed.iter().find(|other| other.tenant != key.tenant || other.kind != key.kind);
        ensure(alien.is_none(), || format!("{alien:?} is listed for `{key}`"))?;
    }
    Ok(())
}

pub(super) async fn outlives_stacks(harness: &dyn Harness) -> CaseResult {
    let Fixture { store, lease } = Fixture::new(harness).await?;
    let key = LedgerKey::new("acme", "stack", "shop");
    // Whoever holds the stack of the same name.
    store.append(&key, records(&["x"])).await?;
    store.forget_stack(&lease).await?;
    store.release(&lease).await?;
    same("the ledger after its stack was forgotten", &store.load_ledger(&key, 0).await?, &records(&["x"]))?;
    store.append(&key, vec![record(1, "y")]).await?;
    same("stacks", &store.list_stacks(None).await?, &vec![])?;
    same("runs", &store.list_runs(&super::fixture::key("shop"), 9).await?, &vec![])
}

/// Of those that append the same number at once, exactly one succeeds, and what it appended is there.
pub(super) async fn race(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    contend(&[Arc::clone(&store), Arc::clone(&store)]).await
}

pub(super) async fn across_processes(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    let Some(other) = harness.share(&store).await? else { return Ok(()) };
    contend(&[Arc::clone(&store), Arc::clone(&other)]).await?;
    store.append(&ledger("seen"), records(&["x"])).await?;
    same("what another process appended", &all(&*other, "seen").await?, &records(&["x"]))?;
    refused("what it has already", other.append(&ledger("seen"), records(&["y"])).await, "store.conflict")?;
    other.append(&ledger("seen"), vec![record(1, "y")]).await?;
    same("what the other appended", &all(&*store, "seen").await?, &records(&["x", "y"]))
}

async fn contend(stores: &[Arc<dyn Store>]) -> CaseResult {
    for round in 0..20_u64 {
        let texts: Vec<String> = (0..16).map(|writer| format!("{round} by {writer}")).collect();
        let key = ledger("raced");
        let results = join_all(texts.iter().zip(stores.iter().cycle()).map(|(text, store)| {
            let list = vec![record(2 * round, text), record(2 * round + 1, text)];
            store.append(&key, list)
        }))
        .await;
        let mut winners = Vec::new();
        for (text, result) in texts.iter().zip(results) {
            match result {
                Ok(()) => winners.push(text),
                error => refused("one that was too late", error, "store.conflict")?,
            }
        }
        ensure(winners.len() == 1, || format!("{} of 16 appended the same number", winners.len()))?;
        for store in stores {
            let found = store.load_ledger(&key, 2 * round).await?;
            let expected: Vec<_> =
                winners.iter().flat_map(|text| [record(2 * round, text), record(2 * round + 1, text)]).collect();
            same("what the winner appended", &found, &expected)?;
        }
    }
    Ok(())
}

/// Many ledgers at once, each in its own order; big bodies too.
pub(super) async fn many(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    let results = join_all((0..200).map(|number| {
        let store = Arc::clone(&store);
        async move {
            let key = ledger(&format!("{number:03}"));
            for seq in 0..5 {
                store.append(&key, vec![record(seq, &format!("{number}-{seq}"))]).await?;
            }
            Ok::<_, crate::error::Error>(())
        }
    }))
    .await;
    results.into_iter().collect::<Result<Vec<()>>>()?;
    let listed = store.list_ledgers(Some("acme"), "note").await?;
    same("ledgers", &listed.len(), &200)?;
    ensure(listed.is_sorted(), || "ledgers are listed out of order".to_owned())?;
    for number in [0, 77, 199] {
        let texts: Vec<String> = (0..5).map(|seq| format!("{number}-{seq}")).collect();
        let expected = records(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        same("one of many", &all(&*store, &format!("{number:03}")).await?, &expected)?;
    }
    let big = "b".repeat(3 << 20);
    store.append(&ledger("big"), records(&[&big, "small"])).await?;
    ensure(all(&*store, "big").await? == records(&[&big, "small"]), || "a big record came back changed".to_owned())
}

pub(super) async fn reopen(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    store.append(&ledger("a"), records(&["x", "y"])).await?;
    let lease = store.acquire(&key("shop"), "first", super::fixture::NOW, super::fixture::TTL).await?;
    let Some(store) = harness.reopen(store).await? else { return Ok(()) };
    same("the ledger after reopening", &all(&*store, "a").await?, &records(&["x", "y"]))?;
    store.append(&ledger("a"), vec![record(1, "y"), record(2, "z")]).await?;
    refused("another body after reopening", store.append(&ledger("a"), records(&["y"])).await, "store.conflict")?;
    same("ledgers", &store.list_ledgers(None, "note").await?, &vec![ledger("a")])?;
    store.release(&lease).await?;
    Ok(())
}

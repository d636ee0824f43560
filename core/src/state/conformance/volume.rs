use std::sync::Arc;

use futures_util::future::{join_all, try_join_all};

use super::{
    fixture::{Fixture, RUN, append, entry, key, outputs, put, row, run, segment},
    harness::{CaseResult, Harness, ensure, refused, same},
};
use crate::state::{Commit, EntryRecord, RowRecord, RowWrite, RunId};

pub(super) async fn big_bodies(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    // Bytes that do not compress and of which no two parts are the same.
    let mut state = 1_u64;
    let noise: Arc<[u8]> = (0..5_000_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect();
    let big = RowRecord { body: Arc::clone(&noise), ..row(1, 1, "") };
    let mut plan = segment(0, "");
    plan.body = Arc::clone(&noise);
    let fact = EntryRecord { body: Arc::clone(&noise), ..entry(0, "") };
    let commit = Commit {
        segments: vec![plan.clone()],
        entries: vec![fact.clone()],
        rows: vec![RowWrite::Put(big.clone())],
        ..Commit::default()
    };
    fixture.commit(commit.clone()).await?;
    fixture.commit(commit).await?;
    ensure(fixture.rows().await? == [big], || "a row of 5 MB came back changed".to_owned())?;
    ensure(fixture.store.load_segments(RUN).await? == [plan], || "a segment of 5 MB came back changed".to_owned())?;
    ensure(fixture.store.load_journal(RUN).await? == [fact], || "an entry of 5 MB came back changed".to_owned())
}

pub(super) async fn many_rows(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    let rows: Vec<_> = (0..10_000).map(|number| row(number, 1, &format!("row {number}"))).collect();
    let write = rows.iter().rev().cloned().map(RowWrite::Put).collect();
    fixture.commit(Commit { rows: write, ..Commit::default() }).await?;
    ensure(fixture.rows().await? == rows, || "10,000 rows came back changed or in another order".to_owned())?;
    let clear = rows.iter().map(|row| RowWrite::Delete(row.object_id)).collect();
    fixture.commit(Commit { rows: clear, ..Commit::default() }).await?;
    same("rows after deleting all", &fixture.rows().await?.len(), &0)
}

pub(super) async fn concurrent_commits(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    let before = fixture.serial().await?;
    // Odd ones are stale from the start: they have to fail alone.
    fixture.commit(put(row(u128::MAX, 2, "guard"))).await?;
    let results = join_all((0..2_000_u128).map(|number| {
        let commit = if number % 10 == 9 {
            Commit {
                rows: vec![RowWrite::Put(row(number, 1, "bad")), RowWrite::Put(row(u128::MAX, 1, "old"))],
                ..Commit::default()
            }
        } else {
            put(row(number, 1, &number.to_string()))
        };
        fixture.commit(commit)
    }))
    .await;
    let mut expected = Vec::new();
    for (number, result) in (0_u128..).zip(results) {
        if number % 10 == 9 {
            refused("a stale row among many commits", result, "store.stale")?;
        } else {
            result?;
            expected.push(row(number, 1, &number.to_string()));
        }
    }
    expected.push(row(u128::MAX, 2, "guard"));
    ensure(fixture.rows().await? == expected, || "concurrent commits were lost or mixed".to_owned())?;
    same("serial", &fixture.serial().await?, &(before + 1 + 1_800))
}

/// Appends to one journal that are sent in order, without waiting, arrive in order.
pub(super) async fn concurrent_journal(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    try_join_all((0..1_000).map(|seq| fixture.commit(append([entry(seq, &seq.to_string())])))).await?;
    let expected: Vec<_> = (0..1_000).map(|seq| entry(seq, &seq.to_string())).collect();
    ensure(fixture.store.load_journal(RUN).await? == expected, || "journal entries were lost or mixed".to_owned())
}

pub(super) async fn reopen(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    let second = RunId::from_u128(12);
    let commit = Commit {
        segments: vec![segment(0, "plan")],
        entries: vec![entry(0, "a"), entry(1, "b")],
        stack: Some(outputs("kept")),
        ..put(row(1, 1, "x"))
    };
    fixture.commit(commit.clone()).await?;
    fixture.commit(Commit { run: Some(run(second, "shop")), ..Commit::default() }).await?;
    let Fixture { store, lease } = fixture;
    let stack = store.load_stack(&key("shop")).await?;
    let Some(store) = harness.reopen(store).await? else { return Ok(()) };
    same("stack", &store.load_stack(&key("shop")).await?, &stack)?;
    same("rows", &store.load_rows(&key("shop")).await?, &vec![row(1, 1, "x")])?;
    same("segments", &store.load_segments(RUN).await?, &vec![segment(0, "plan")])?;
    same("journal", &store.load_journal(RUN).await?, &vec![entry(0, "a"), entry(1, "b")])?;
    let runs = store.list_runs(&key("shop"), 9).await?;
    same("runs, newest first", &runs, &vec![run(second, "shop"), run(RUN, "shop")])?;
    same("lease", &store.lease_of(&key("shop")).await?, &Some(lease.clone()))?;
    // A process that comes back within its lease goes on, and its repeats are recognised.
    let fixture = Fixture { store, lease };
    fixture.commit(commit).await?;
    fixture.commit(append([entry(2, "c")])).await?;
    same("stack after a repeat", &fixture.store.load_stack(&key("shop")).await?, &stack)?;
    fixture.store.break_lease(&key("shop")).await?;
    let Some(store) = harness.reopen(fixture.store).await? else { return Ok(()) };
    let next = store.acquire(&key("shop"), "second", fixture.lease.expires, super::fixture::TTL).await?;
    ensure(next.token > fixture.lease.token, || "tokens started again after reopening".to_owned())
}

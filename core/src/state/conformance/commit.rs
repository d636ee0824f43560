use futures_util::future::join;

use super::{
    fixture::{Fixture, LINEAGE, NOW, RUN, TTL, append, body, delete, entry, key, outputs, put, row, run, segment},
    harness::{CaseResult, Harness, refused, same},
};
use crate::state::{
    Commit, EntryRecord, Lease, LeaseToken, Lineage, ObjectId, RowWrite, RunId, RunRecord, RunStatus, StackWrite,
};

pub(super) async fn needs_lease(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    let lease = Lease { stack: key("shop"), token: LeaseToken(1), holder: "nobody".into(), expires: NOW.plus(TTL) };
    let commit = Commit { run: Some(run(RUN, "shop")), stack: Some(outputs("{}")), ..Commit::default() };
    refused("a commit without a lease", store.commit(&lease, commit).await, "lease.lost")?;
    same("stack", &store.load_stack(&key("shop")).await?, &None)?;
    same("run", &store.load_run(RUN).await?, &None)
}

pub(super) async fn round_trip(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    // Bodies are bytes, not text; addresses are any text.
    let mut odd = row(2, 1, "");
    odd.body = (0..=255).collect::<Vec<u8>>().into();
    odd.address = "module.näme[\"a'b\\u0000;--\"].acme_thing.a".into();
    let done =
        RunRecord { status: RunStatus::Failed, finished: Some(NOW.plus(TTL)), body: body("done"), ..run(RUN, "shop") };
    let commit = Commit {
        run: Some(done.clone()),
        segments: vec![segment(0, "plan"), segment(1, "rest")],
        entries: vec![entry(0, "started"), entry(1, "applied")],
        rows: vec![RowWrite::Put(odd.clone()), RowWrite::Put(row(1, 1, ""))],
        stack: Some(outputs("{\"url\":1}")),
    };
    fixture.commit(commit).await?;
    let store = &fixture.store;
    same("run", &store.load_run(RUN).await?, &Some(done))?;
    same("segments", &store.load_segments(RUN).await?, &vec![segment(0, "plan"), segment(1, "rest")])?;
    same("journal", &store.load_journal(RUN).await?, &vec![entry(0, "started"), entry(1, "applied")])?;
    same("rows, ordered by object id", &fixture.rows().await?, &vec![row(1, 1, ""), odd])?;
    let record = store.load_stack(&key("shop")).await?;
    same("outputs", &record.map(|record| (record.lineage, record.body)), &Some((LINEAGE, body("{\"url\":1}"))))
}

pub(super) async fn all_or_nothing(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    let setup = Commit {
        segments: vec![segment(0, "plan")],
        entries: vec![entry(0, "a")],
        rows: vec![RowWrite::Put(row(1, 2, "kept"))],
        ..Commit::default()
    };
    fixture.commit(setup).await?;
    let serial = fixture.serial().await?;
    let good = || Commit {
        run: Some(RunRecord { status: RunStatus::Stuck, ..run(RUN, "shop") }),
        segments: vec![segment(1, "new")],
        entries: vec![entry(1, "new")],
        rows: vec![RowWrite::Put(row(2, 1, "new")), RowWrite::Delete(ObjectId::from_u128(1))],
        stack: Some(outputs("new")),
    };
    let with = |change: fn(&mut Commit)| {
        let mut commit = good();
        change(&mut commit);
        commit
    };
    for (what, commit, code) in [
        ("a gap in the journal", with(|c| c.entries.push(entry(9, "x"))), "store.conflict"),
        ("another entry", with(|c| c.entries.push(entry(0, "x"))), "store.conflict"),
        ("another segment", with(|c| c.segments.push(segment(0, "x"))), "store.conflict"),
        ("a gap in the segments", with(|c| c.segments.push(segment(3, "x"))), "store.conflict"),
        ("a stale row", with(|c| c.rows.insert(1, RowWrite::Put(row(1, 1, "x")))), "store.stale"),
        ("another row", with(|c| c.rows.insert(1, RowWrite::Put(row(1, 2, "x")))), "store.conflict"),
        (
            "another history",
            with(|c| c.stack = Some(StackWrite { lineage: Lineage::from_u128(8), body: body("x") })),
            "store.conflict",
        ),
        ("another stack's run", with(|c| c.run = Some(run(RunId::from_u128(12), "blog"))), "store.conflict"),
    ] {
        refused(what, fixture.commit(commit).await, code)?;
        let store = &fixture.store;
        same(what, &store.load_run(RUN).await?, &Some(run(RUN, "shop")))?;
        same(what, &store.load_segments(RUN).await?, &vec![segment(0, "plan")])?;
        same(what, &store.load_journal(RUN).await?, &vec![entry(0, "a")])?;
        same(what, &fixture.rows().await?, &vec![row(1, 2, "kept")])?;
        same(what, &fixture.serial().await?, &serial)?;
    }
    fixture.commit(good()).await?;
    same("rows after the good commit", &fixture.rows().await?, &vec![row(2, 1, "new")])
}

pub(super) async fn repeat(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    fixture.commit(put(row(3, 1, "goes"))).await?;
    let commit = Commit {
        run: Some(run(RUN, "shop")),
        segments: vec![segment(0, "plan")],
        entries: vec![entry(0, "a"), entry(1, "b")],
        rows: vec![RowWrite::Put(row(1, 1, "x")), RowWrite::Delete(ObjectId::from_u128(3))],
        stack: Some(outputs("{\"a\":1}")),
    };
    fixture.commit(commit.clone()).await?;
    let before = fixture.store.load_stack(&key("shop")).await?;
    fixture.commit(commit.clone()).await?;
    same("stack after a repeat", &fixture.store.load_stack(&key("shop")).await?, &before)?;
    // Half of it may be new: what a caller sends that lost count of its acknowledgements.
    fixture.commit(append([entry(0, "a"), entry(1, "b"), entry(2, "c")])).await?;
    fixture.commit(commit).await?;
    same("journal", &fixture.store.load_journal(RUN).await?, &vec![entry(0, "a"), entry(1, "b"), entry(2, "c")])?;
    same("rows", &fixture.rows().await?, &vec![row(1, 1, "x")])
}

/// Commits that are made durable together must not share their failures.
pub(super) async fn bad_neighbour(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    fixture.commit(put(row(u128::MAX, 2, "guard"))).await?;
    for round in 0..50_u64 {
        let number = u128::from(round);
        // Begins well, with the very number that the next one wants, and fails at its end.
        let stale = Commit { entries: vec![entry(round, "bad")], ..put(row(u128::MAX, 1, "stale")) };
        let gap = Commit { entries: vec![entry(round + 1000, "gap")], ..put(row(number + 500, 1, "bad")) };
        let ((first, second), (third, fourth)) = join(
            join(fixture.commit(stale), fixture.commit(append([entry(round, "good")]))),
            join(fixture.commit(gap), fixture.commit(put(row(number, 1, "good")))),
        )
        .await;
        refused("the stale one", first, "store.stale")?;
        second?;
        refused("the one with a gap", third, "store.conflict")?;
        fourth?;
    }
    let mut rows: Vec<_> = (0..50).map(|number| row(number, 1, "good")).collect();
    rows.push(row(u128::MAX, 2, "guard"));
    same("rows", &fixture.rows().await?, &rows)?;
    same("journal", &fixture.store.load_journal(RUN).await?, &(0..50).map(|seq| entry(seq, "good")).collect())
}

pub(super) async fn journal_gap(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    refused("a journal that starts at 1", fixture.commit(append([entry(1, "b")])).await, "store.conflict")?;
    fixture.commit(append([entry(0, "a")])).await?;
    refused("a gap", fixture.commit(append([entry(2, "c")])).await, "store.conflict")?;
    refused("a gap inside a commit", fixture.commit(append([entry(1, "b"), entry(3, "d")])).await, "store.conflict")?;
    fixture.commit(append([entry(1, "b"), entry(2, "c")])).await?;
    same("journal", &fixture.store.load_journal(RUN).await?, &vec![entry(0, "a"), entry(1, "b"), entry(2, "c")])
}

pub(super) async fn journal_differs(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    fixture.commit(append([entry(0, "a"), entry(1, "b")])).await?;
    for (seq, text) in [(0, "x"), (1, ""), (1, "bb")] {
        let result = fixture.commit(append([entry(seq, text)])).await;
        refused("an entry with another body", result, "store.conflict")?;
    }
    let twice = append([entry(2, "c"), entry(2, "d")]);
    refused("two bodies for one number in a commit", fixture.commit(twice).await, "store.conflict")?;
    fixture.commit(append([entry(2, "c"), entry(2, "c")])).await?;
    same("journal", &fixture.store.load_journal(RUN).await?, &vec![entry(0, "a"), entry(1, "b"), entry(2, "c")])
}

pub(super) async fn segments(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    let write = |segments| Commit { segments, ..Commit::default() };
    refused("segments that start at 1", fixture.commit(write(vec![segment(1, "b")])).await, "store.conflict")?;
    fixture.commit(write(vec![segment(0, "a")])).await?;
    fixture.commit(write(vec![segment(0, "a"), segment(1, "b")])).await?;
    refused("a segment with another body", fixture.commit(write(vec![segment(0, "x")])).await, "store.conflict")?;
    refused("a gap", fixture.commit(write(vec![segment(3, "d")])).await, "store.conflict")?;
    same("segments", &fixture.store.load_segments(RUN).await?, &vec![segment(0, "a"), segment(1, "b")])?;
    same("segments of no run", &fixture.store.load_segments(RunId::from_u128(99)).await?, &vec![])
}

/// A run is written under its own stack's lease only, or fencing would have a hole.
pub(super) async fn foreign_run(harness: &dyn Harness) -> CaseResult {
    let shop = Fixture::new(harness).await?;
    let lease = shop.store.acquire(&key("blog"), "other", NOW, TTL).await?;
    for commit in [
        append([entry(0, "foreign")]),
        Commit { segments: vec![segment(0, "foreign")], ..Commit::default() },
        Commit { run: Some(run(RUN, "blog")), ..Commit::default() },
        Commit { run: Some(run(RUN, "shop")), ..Commit::default() },
    ] {
        refused("a write to another stack's run", shop.store.commit(&lease, commit).await, "store.conflict")?;
    }
    let nowhere = Commit { run: None, ..append([EntryRecord { run: RunId::from_u128(99), ..entry(0, "x") }]) };
    refused("a write to a run that does not exist", shop.commit(nowhere).await, "store.conflict")?;
    same("run", &shop.store.load_run(RUN).await?, &Some(run(RUN, "shop")))?;
    same("journal", &shop.store.load_journal(RUN).await?, &vec![])?;
    // The run and its first entries may come in one commit.
    let own = RunId::from_u128(12);
    let commit = Commit { run: Some(run(own, "blog")), ..append([EntryRecord { run: own, ..entry(0, "first") }]) };
    shop.store.commit(&lease, commit).await?;
    same("journal of the new run", &shop.store.load_journal(own).await?.len(), &1)
}

pub(super) async fn row_versions(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    fixture.commit(put(row(1, 3, "three"))).await?;
    refused("an older version", fixture.commit(put(row(1, 2, "two"))).await, "store.stale")?;
    refused("an older version with the same body", fixture.commit(put(row(1, 2, "three"))).await, "store.stale")?;
    refused("the same version with another body", fixture.commit(put(row(1, 3, "drei"))).await, "store.conflict")?;
    let mut moved = row(1, 3, "three");
    moved.address = "acme_thing.b".into();
    refused("the same version at another address", fixture.commit(put(moved.clone())).await, "store.conflict")?;
    fixture.commit(put(row(1, 3, "three"))).await?;
    moved.version = 5;
    fixture.commit(put(moved.clone())).await?;
    same("rows", &fixture.rows().await?, &vec![moved])?;
    fixture.commit(delete(1)).await?;
    fixture.commit(delete(1)).await?;
    same("rows after delete", &fixture.rows().await?, &vec![])
}

pub(super) async fn row_order(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    let rows = |rows: Vec<RowWrite>| Commit { rows, ..Commit::default() };
    let id = ObjectId::from_u128;
    fixture.commit(rows(vec![RowWrite::Put(row(1, 1, "a")), RowWrite::Put(row(1, 2, "b"))])).await?;
    same("put, put", &fixture.rows().await?, &vec![row(1, 2, "b")])?;
    fixture.commit(rows(vec![RowWrite::Delete(id(1)), RowWrite::Put(row(1, 1, "again"))])).await?;
    same("delete, put", &fixture.rows().await?, &vec![row(1, 1, "again")])?;
    fixture.commit(rows(vec![RowWrite::Put(row(2, 1, "x")), RowWrite::Delete(id(2))])).await?;
    same("put, delete", &fixture.rows().await?, &vec![row(1, 1, "again")])?;
    let backwards = rows(vec![RowWrite::Put(row(3, 2, "b")), RowWrite::Put(row(3, 1, "a"))]);
    refused("a newer, then an older version", fixture.commit(backwards).await, "store.stale")
}

pub(super) async fn large_numbers(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    // Ids are unsigned; what is largest has to come last.
    let numbers = [0, 1, u128::MAX >> 1, (u128::MAX >> 1) + 1, u128::MAX];
    let write = numbers.iter().rev().map(|number| RowWrite::Put(row(*number, i64::MAX as u64, "x"))).collect();
    fixture.commit(Commit { rows: write, ..Commit::default() }).await?;
    let expected = numbers.iter().map(|number| row(*number, i64::MAX as u64, "x")).collect();
    same("rows, ordered by object id", &fixture.rows().await?, &expected)
}

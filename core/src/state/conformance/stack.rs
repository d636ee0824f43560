use std::sync::Arc;

use super::{
    fixture::{Fixture, LINEAGE, NOW, RUN, TTL, append, body, delete, entry, key, outputs, put, row, run, segment},
    harness::{CaseResult, Harness, refused, same},
};
use crate::state::{Commit, RunId, RunStatus, StackKey, StackRecord};

pub(super) async fn record(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    let lease = store.acquire(&key("shop"), "first", NOW, TTL).await?;
    same("a stack with nothing but a lease", &store.load_stack(&key("shop")).await?, &None)?;
    same("list of stacks with nothing but a lease", &store.list_stacks(None).await?, &vec![])?;
    refused("rows before the stack's record", store.commit(&lease, put(row(1, 1, "x"))).await, "store.conflict")?;
    store.commit(&lease, Commit { stack: Some(outputs("{}")), ..put(row(1, 1, "x")) }).await?;
    let expected = StackRecord { key: key("shop"), lineage: LINEAGE, serial: 1, body: body("{}") };
    same("stack", &store.load_stack(&key("shop")).await?, &Some(expected))
}

pub(super) async fn serial(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    same("serial of a new stack", &fixture.serial().await?, &1)?;
    fixture.commit(append([entry(0, "a")])).await?;
    same("serial after a journal entry", &fixture.serial().await?, &1)?;
    fixture.commit(put(row(1, 1, "x"))).await?;
    same("serial after a row", &fixture.serial().await?, &2)?;
    fixture.commit(put(row(1, 1, "x"))).await?;
    same("serial after the same row again", &fixture.serial().await?, &2)?;
    fixture.commit(Commit { stack: Some(outputs("new")), ..put(row(2, 1, "x")) }).await?;
    same("serial after a row and outputs", &fixture.serial().await?, &3)?;
    fixture.commit(delete(9)).await?;
    same("serial after deleting nothing", &fixture.serial().await?, &3)?;
    fixture.commit(delete(1)).await?;
    same("serial after a delete", &fixture.serial().await?, &4)
}

pub(super) async fn list(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    for (tenant, name) in [("b", "y"), ("a", "z"), ("b", "B"), ("b", "x"), ("ä", "a"), ("a%", "x")] {
        let lease = store.acquire(&StackKey::new(tenant, name), "first", NOW, TTL).await?;
        store.commit(&lease, Commit { stack: Some(outputs("{}")), ..Commit::default() }).await?;
    }
    let names = |records: Vec<StackRecord>| records.iter().map(|record| record.key.to_string()).collect::<Vec<_>>();
    let all: Vec<String> = ["a/z", "a%/x", "b/B", "b/x", "b/y", "ä/a"].map(String::from).to_vec();
    same("all stacks, ordered by key", &names(store.list_stacks(None).await?), &all)?;
    same("one tenant's", &names(store.list_stacks(Some("b")).await?), &all.get(2..5).unwrap_or_default().to_vec())?;
    same("nobody's", &names(store.list_stacks(Some("c")).await?), &vec![])
}

pub(super) async fn runs(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    let ids = [RUN, RunId::from_u128(3), RunId::from_u128(900), RunId::from_u128(2)];
    for id in &ids[1..] {
        fixture.commit(Commit { run: Some(run(*id, "shop")), ..Commit::default() }).await?;
    }
    // A change does not make a run newer.
    let mut first = run(RUN, "shop");
    first.status = RunStatus::Succeeded;
    fixture.commit(Commit { run: Some(first.clone()), ..Commit::default() }).await?;
    let store = &fixture.store;
    let listed = store.list_runs(&key("shop"), 10).await?;
    let newest: Vec<RunId> = ids.iter().rev().copied().collect();
    same("runs, newest first", &listed.iter().map(|run| run.id).collect(), &newest)?;
    same("the changed run", &listed.last().cloned(), &Some(first))?;
    let two = store.list_runs(&key("shop"), 2).await?;
    same("at most two", &two.iter().map(|run| run.id).collect(), &newest.get(..2).unwrap_or_default().to_vec())?;
    same("at most none", &store.list_runs(&key("shop"), 0).await?, &vec![])?;
    same("as many as there are", &store.list_runs(&key("shop"), u32::MAX).await?.len(), &4)?;
    same("another stack's", &store.list_runs(&key("blog"), 10).await?, &vec![])?;
    same("a run that does not exist", &store.load_run(RunId::from_u128(77)).await?, &None)
}

pub(super) async fn forget(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    let Fixture { store, lease } = &fixture;
    let full = Commit { segments: vec![segment(0, "plan")], entries: vec![entry(0, "a")], ..put(row(1, 1, "x")) };
    fixture.commit(full).await?;
    refused("forget while rows are left", store.forget_stack(lease).await, "store.conflict")?;
    same("rows", &fixture.rows().await?, &vec![row(1, 1, "x")])?;
    same("journal", &store.load_journal(RUN).await?, &vec![entry(0, "a")])?;
    fixture.commit(delete(1)).await?;
    store.forget_stack(lease).await?;
    same("stack", &store.load_stack(&key("shop")).await?, &None)?;
    same("list of stacks", &store.list_stacks(None).await?, &vec![])?;
    same("run", &store.load_run(RUN).await?, &None)?;
    same("runs", &store.list_runs(&key("shop"), 9).await?, &vec![])?;
    same("segments", &store.load_segments(RUN).await?, &vec![])?;
    same("journal", &store.load_journal(RUN).await?, &vec![])?;
    // Forgetting again changes nothing, and the lease is still held: a new history may begin under it.
    store.forget_stack(lease).await?;
    let lineage = crate::state::Lineage::from_u128(8);
    let begin = Commit { stack: Some(crate::state::StackWrite { lineage, body: body("") }), ..Commit::default() };
    fixture.commit(begin).await?;
    let found = store.load_stack(&key("shop")).await?.map(|record| (record.lineage, record.serial));
    same("the new history", &found, &Some((lineage, 1)))?;
    store.release(lease).await?;
    refused("forget without the lease", store.forget_stack(lease).await, "lease.lost")
}

pub(super) async fn isolation(harness: &dyn Harness) -> CaseResult {
    let shop = Fixture::new(harness).await?;
    // The same names, cut elsewhere.
    let other = StackKey::new("acmes", "hop");
    let lease = shop.store.acquire(&other, "first", NOW, TTL).await?;
    let store = Arc::clone(&shop.store);
    store.commit(&lease, Commit { stack: Some(outputs("other")), ..put(row(1, 1, "other")) }).await?;
    shop.commit(put(row(1, 4, "shop"))).await?;
    same("rows of one stack", &shop.rows().await?, &vec![row(1, 4, "shop")])?;
    same("rows of the other", &store.load_rows(&other).await?, &vec![row(1, 1, "other")])?;
    shop.commit(delete(1)).await?;
    store.forget_stack(&shop.lease).await?;
    same("rows of the other", &store.load_rows(&other).await?, &vec![row(1, 1, "other")])?;
    same("stacks", &store.list_stacks(None).await?.len(), &1)?;
    // Tenants that look alike, or that one might take for a pattern.
    for tenant in ["ACMES", "acmes ", "acme_", "acme%", "acmés", "acme\u{301}s", "*", ""] {
        let key = StackKey::new(tenant, "hop");
        same("rows that nobody wrote", &store.load_rows(&key).await?, &vec![])?;
        same("stacks of a tenant without any", &store.list_stacks(Some(tenant)).await?.len(), &0)?;
        let lease = store.acquire(&key, "first", NOW, TTL).await?;
        store.commit(&lease, Commit { stack: Some(outputs(tenant)), ..put(row(1, 1, tenant)) }).await?;
        same("rows of the other", &store.load_rows(&other).await?, &vec![row(1, 1, "other")])?;
        same("stacks of the tenant", &store.list_stacks(Some(tenant)).await?.len(), &1)?;
    }
    Ok(())
}

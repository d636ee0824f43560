use std::sync::Arc;

use futures_util::future::join_all;

use super::{
    fixture::{Fixture, NOW, TTL, append, entry, key, put, row},
    harness::{CaseResult, Harness, ensure, refused, same},
};
use crate::state::{Lease, LeaseToken, Store};

pub(super) async fn one_holder(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    same("lease of a new stack", &store.lease_of(&key("shop")).await?, &None)?;
    let lease = store.acquire(&key("shop"), "first", NOW, TTL).await?;
    same("stack", &lease.stack, &key("shop"))?;
    same("holder", &&*lease.holder, &"first")?;
    same("expiry", &lease.expires, &NOW.plus(TTL))?;
    same("lease_of", &store.lease_of(&key("shop")).await?, &Some(lease.clone()))?;
    for holder in ["second", "first"] {
        let result = store.acquire(&key("shop"), holder, NOW, TTL).await;
        let text = result.as_ref().err().map(|error| error.report()).unwrap_or_default();
        refused("a second acquire", result, "lease.held")?;
        ensure(text.contains("first") && text.contains(&lease.expires.to_string()), || {
            format!("lease.held does not name holder and expiry: {text}")
        })?;
    }
    same("lease_of after a refused acquire", &store.lease_of(&key("shop")).await?, &Some(lease))
}

pub(super) async fn expires(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    let first = store.acquire(&key("shop"), "first", NOW, TTL).await?;
    let last = crate::event::Timestamp(first.expires.0 - 1);
    harness.set_time(&store, last).await?;
    refused(
        "acquire a millisecond before expiry",
        store.acquire(&key("shop"), "second", last, TTL).await,
        "lease.held",
    )?;
    same("an expired lease is still shown", &store.lease_of(&key("shop")).await?, &Some(first.clone()))?;
    harness.set_time(&store, first.expires).await?;
    let second = store.acquire(&key("shop"), "second", first.expires, TTL).await?;
    ensure(second.token > first.token, || format!("token {:?} is not after {:?}", second.token, first.token))?;
    refused("renew after a takeover", store.renew(&first, NOW, TTL).await, "lease.lost")?;
    store.release(&first).await?;
    same("release of a lost lease frees nothing", &store.lease_of(&key("shop")).await?, &Some(second))
}

pub(super) async fn renew(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    let first = store.acquire(&key("shop"), "first", NOW, TTL).await?;
    // Late, but nobody took it: the holder may go on.
    let later = first.expires.plus(TTL);
    harness.set_time(&store, later).await?;
    let renewed = store.renew(&first, later, TTL).await?;
    same("renewed lease", &renewed, &Lease { expires: later.plus(TTL), ..first.clone() })?;
    same("lease_of", &store.lease_of(&key("shop")).await?, &Some(renewed.clone()))?;
    refused("acquire after renew", store.acquire(&key("shop"), "second", later, TTL).await, "lease.held")?;
    harness.set_time(&store, renewed.expires).await?;
    let second = store.acquire(&key("shop"), "second", renewed.expires, TTL).await?;
    refused("renew of the old lease", store.renew(&renewed, renewed.expires, TTL).await, "lease.lost")?;
    store.release(&second).await?;
    refused("renew of a released lease", store.renew(&second, NOW, TTL).await, "lease.lost")?;
    let forged = Lease { token: LeaseToken(second.token.0 + 1000), ..second };
    refused("renew with a token from nowhere", store.renew(&forged, NOW, TTL).await, "lease.lost")
}

pub(super) async fn release(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    let Fixture { store, lease } = &fixture;
    store.release(lease).await?;
    store.release(lease).await?;
    same("lease_of after release", &store.lease_of(&lease.stack).await?, &None)?;
    refused("commit after release", fixture.commit(append([entry(0, "late")])).await, "lease.lost")?;
    let next = store.acquire(&lease.stack, "second", NOW, TTL).await?;
    ensure(next.token > lease.token, || format!("token {:?} is not after {:?}", next.token, lease.token))
}

pub(super) async fn broken(harness: &dyn Harness) -> CaseResult {
    let fixture = Fixture::new(harness).await?;
    let Fixture { store, lease } = &fixture;
    store.break_lease(&key("nowhere")).await?;
    store.break_lease(&lease.stack).await?;
    same("lease_of after break_lease", &store.lease_of(&lease.stack).await?, &None)?;
    refused("commit after break_lease", fixture.commit(append([entry(0, "late")])).await, "lease.lost")?;
    refused("renew after break_lease", store.renew(lease, NOW, TTL).await, "lease.lost")?;
    let next = store.acquire(&lease.stack, "second", NOW, TTL).await?;
    ensure(next.token > lease.token, || format!("token {:?} is not after {:?}", next.token, lease.token))?;
    refused("commit of the old holder", fixture.commit(append([entry(0, "late")])).await, "lease.lost")?;
    same("journal", &store.load_journal(super::fixture::RUN).await?, &vec![])
}

pub(super) async fn tokens_grow(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    let mut last = LeaseToken(0);
    for round in 0..12 {
        let fixture = Fixture::of(Arc::clone(&store), "shop").await?;
        let token = fixture.lease.token;
        ensure(token > last, || format!("round {round}: token {token:?} is not after {last:?}"))?;
        last = token;
        match round % 3 {
            0 => store.release(&fixture.lease).await?,
            1 => store.break_lease(&fixture.lease.stack).await?,
            _ => {
                store.forget_stack(&fixture.lease).await?;
                store.release(&fixture.lease).await?;
            }
        }
    }
    Ok(())
}

pub(super) async fn per_stack(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    let shop = Fixture::of(Arc::clone(&store), "shop").await?;
    let blog = store.acquire(&key("blog"), "first", NOW, TTL).await?;
    // A lease of one stack opens no other, whatever its token.
    let forged = Lease { stack: shop.lease.stack.clone(), ..blog.clone() };
    refused("a commit with another stack's token", store.commit(&forged, put(row(1, 1, "x"))).await, "lease.lost")?;
    store.break_lease(&key("blog")).await?;
    same("the other stack's lease", &store.lease_of(&shop.lease.stack).await?, &Some(shop.lease.clone()))?;
    shop.commit(put(row(1, 1, "x"))).await?;
    Ok(())
}

pub(super) async fn race(harness: &dyn Harness) -> CaseResult {
    let store = harness.open().await?;
    let second = harness.share(&store).await?.unwrap_or_else(|| Arc::clone(&store));
    let stores = [store, second];
    for round in 0..10_u64 {
        let now = NOW.plus(TTL * 2 * u32::try_from(round).unwrap_or(0));
        harness.set_time(&stores[0], now).await?;
        let stack = key("shop");
        let tries = (0..16).map(|idx| {
            let store: &Arc<dyn Store> = if idx % 2 == 0 { &stores[0] } else { &stores[1] };
            store.acquire(&stack, "racer", now, TTL)
        });
        let results = join_all(tries).await;
        let won = results.iter().filter(|result| result.is_ok()).count();
        for result in results {
            match result {
                Ok(_) => {}
                other => refused("a lost race", other, "lease.held")?,
            }
        }
        same("holders of one lease", &won, &1)?;
    }
    Ok(())
}

pub(super) async fn fences_commits(harness: &dyn Harness) -> CaseResult {
    let old = Fixture::new(harness).await?;
    old.commit(put(row(1, 1, "old"))).await?;
    harness.set_time(&old.store, old.lease.expires).await?;
    let lease = old.store.acquire(&old.lease.stack, "second", old.lease.expires, TTL).await?;
    let new = Fixture { store: Arc::clone(&old.store), lease };
    // Each part of a commit by itself.
    for commit in [
        put(row(1, 2, "stale")),
        super::fixture::delete(1),
        append([entry(0, "stale")]),
        crate::state::Commit { segments: vec![super::fixture::segment(0, "stale")], ..Default::default() },
        crate::state::Commit { run: Some(super::fixture::run(super::fixture::RUN, "shop")), ..Default::default() },
        crate::state::Commit { stack: Some(super::fixture::outputs("stale")), ..Default::default() },
        crate::state::Commit::default(),
    ] {
        refused("a commit with a stale token", old.commit(commit).await, "lease.lost")?;
    }
    refused("forget with a stale token", old.store.forget_stack(&old.lease).await, "lease.lost")?;
    same("rows", &new.rows().await?, &vec![row(1, 1, "old")])?;
    new.commit(put(row(1, 2, "new"))).await?;
    same("rows", &new.rows().await?, &vec![row(1, 2, "new")])
}

pub(super) async fn fences_across_processes(harness: &dyn Harness) -> CaseResult {
    let old = Fixture::new(harness).await?;
    let Some(other) = harness.share(&old.store).await? else { return Ok(()) };
    refused("acquire in another process", other.acquire(&old.lease.stack, "b", NOW, TTL).await, "lease.held")?;
    old.commit(put(row(1, 1, "old"))).await?;
    harness.set_time(&old.store, old.lease.expires).await?;
    let lease = other.acquire(&old.lease.stack, "second", old.lease.expires, TTL).await?;
    let new = Fixture { store: other, lease };
    same("rows seen by another process", &new.rows().await?, &vec![row(1, 1, "old")])?;
    refused("a commit of the process that lost it", old.commit(put(row(1, 2, "stale"))).await, "lease.lost")?;
    new.commit(put(row(1, 2, "new"))).await?;
    same("rows seen by the first process", &old.rows().await?, &vec![row(1, 2, "new")])
}

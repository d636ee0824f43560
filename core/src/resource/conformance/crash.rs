use std::{pin::pin, sync::PoisonError};

use futures_util::future::{Either, select};
use tokio_util::sync::CancellationToken;

use super::{
    fixture::{Bench, kind, lost},
    harness::{CaseResult, Fault, Stop, ensure},
};
use crate::resource::{Evidence, ObjectState, Recovery, layer::Verb};

pub(super) async fn same_key(bench: &Bench<'_>) -> CaseResult {
    let before = bench.count().await;
    let thing = bench.thing();
    let first = bench.create(&thing).await?;
    let second = bench.create(&thing.again(bench)).await?;
    bench.counts(before, 1).await?;
    let one = first.id == second.id && first.attributes.same(&second.attributes);
    bench.clear(&thing, &second).await?;
    ensure(one, || "the same key made two objects".to_owned())
}

pub(super) async fn other_key(bench: &Bench<'_>) -> CaseResult {
    let before = bench.count().await;
    let (first, second) = (bench.thing(), bench.thing());
    let (one, other) = (bench.create(&first).await?, bench.create(&second).await?);
    bench.counts(before, 2).await?;
    ensure(one.id != other.id, || "two keys made one object".to_owned())?;
    bench.clear(&first, &one).await?;
    bench.reads_as(&second, &other).await?;
    bench.clear(&second, &other).await
}

pub(super) async fn before_the_effect(bench: &Bench<'_>) -> CaseResult {
    if bench.harness.is_value() {
        return Err(Stop::Skip("nothing in the world says that it is not there"));
    }
    let before = bench.count().await;
    let thing = bench.thing();
    let planned = bench.plan(&thing, None, &thing.config).await?;
    if let Recovery::Found(_) = bench.recover(&thing, lost(&planned)).await? {
        return Err(Stop::Wrong("`recover` finds what was never made".to_owned()));
    }
    bench.counts(before, 0).await?;
    let object = bench.create(&thing.again(bench)).await?;
    bench.counts(before, 1).await?;
    bench.clear(&thing, &object).await
}

pub(super) async fn create_answer_lost(bench: &Bench<'_>) -> CaseResult {
    let before = bench.count().await;
    let thing = bench.thing();
    let object = bench.create(&thing).await?;
    let planned = bench.plan(&thing, None, &thing.config).await?;
    let after = thing.again(bench);
    match bench.recover(&after, lost(&planned)).await? {
        Recovery::Found(found) => {
            ensure(found.id == object.id, || "`recover` found another object".to_owned())?;
            bench.fits("recover", &planned, &found)?;
            bench.clear(&after, &found).await?;
        }
        Recovery::Absent if bench.resource.traits().idempotent_create => {
            // Then it is made again, which makes no second one.
            let again = bench.create(&after).await?;
            bench.counts(before, 1).await?;
            ensure(again.id == object.id, || "what was said to be absent was made twice".to_owned())?;
            bench.clear(&after, &again).await?;
        }
        Recovery::Absent => {
            return Err(Stop::Wrong("`recover` says that what was made is absent".to_owned()));
        }
        Recovery::CannotTell { .. } => {
            bench.clear(&after, &object).await?;
            return Err(Stop::Skip("it cannot tell what became of a lost create"));
        }
    }
    bench.counts(before, 0).await
}

pub(super) async fn update_answer_lost(bench: &Bench<'_>) -> CaseResult {
    let thing = bench.thing();
    let changed = bench.harness.changed(thing.number).ok_or(Stop::Skip("nothing is changed in place"))?;
    let prior = bench.create(&thing).await?;
    let planned = bench.plan(&thing, Some(&prior), &changed).await?;
    let evidence = Evidence {
        id: Some(prior.id.clone()),
        partial: None,
        prior: Some(prior.clone()),
        planned: Some(planned.clone()),
    };
    // Before the update, the object is as it was; after it, as it was to be.
    let after = thing.again(bench);
    let Recovery::Found(found) = bench.recover(&after, evidence.clone()).await? else {
        return Err(Stop::Wrong("`recover` does not find what was not updated yet".to_owned()));
    };
    let unchanged = bench.attributes("recover", &found)?.same(&bench.attributes("create", &prior)?);
    ensure(unchanged, || "`recover` shows an update that was not made".to_owned())?;
    let outcome = bench.within("update", bench.resource.update(&thing.ctx, &prior, planned.clone())).await?;
    let mut object = bench.complete("update", outcome)?;
    object.id.clone_from(&prior.id);
    bench.ready(&thing, object).await?;
    let Recovery::Found(found) = bench.recover(&after, evidence).await? else {
        return Err(Stop::Wrong("`recover` does not find what was updated".to_owned()));
    };
    ensure(found.id == prior.id, || "`recover` found another object".to_owned())?;
    // A type that does not see what it was told repeats what was known; so does its `read`.
    let read = bench.read(&after, &prior).await?;
    let is_blind = read.is_some_and(|read| read.attributes.same(&found.attributes));
    if !is_blind {
        bench.fits("recover", &planned, &found)?;
    }
    bench.delete(&thing, &found).await
}

pub(super) async fn delete_answer_lost(bench: &Bench<'_>) -> CaseResult {
    let thing = bench.thing();
    let prior = bench.create(&thing).await?;
    let evidence = Evidence { id: Some(prior.id.clone()), partial: None, prior: Some(prior.clone()), planned: None };
    let after = thing.again(bench);
    let Recovery::Found(_) = bench.recover(&after, evidence.clone()).await? else {
        return Err(Stop::Wrong("`recover` does not find what was not deleted yet".to_owned()));
    };
    bench.delete(&thing, &prior).await?;
    if bench.harness.is_value() {
        return Err(Stop::Skip("nothing in the world says that it is gone"));
    }
    match bench.recover(&after, evidence).await? {
        Recovery::Absent => Ok(()),
        Recovery::Found(_) => Err(Stop::Wrong("`recover` finds what was deleted".to_owned())),
        Recovery::CannotTell { .. } => Err(Stop::Wrong("`recover` cannot tell that what it reads is gone".to_owned())),
    }
}

/// The process dies while the fact that a checkpoint states becomes durable: with the fact, or without.
pub(super) async fn at_a_checkpoint(bench: &Bench<'_>) -> CaseResult {
    for survives in [true, false] {
        let number = bench.number();
        let config = bench.harness.faulty(number, Fault::Checkpoint, Verb::Create);
        let thing = bench.described(number, config.ok_or(Stop::Skip("it makes no checkpoint"))?);
        let before = bench.count().await;
        let planned = bench.plan(&thing, None, &thing.config).await?;
        let dead = CancellationToken::new();
        *thing.sink.dead.lock().unwrap_or_else(PoisonError::into_inner) = Some(dead.clone());
        let mut call = pin!(bench.resource.create(&thing.ctx, planned.clone()));
        let spoke = bench.within("checkpoint", thing.sink.spoke.cancelled());
        match select(&mut call, pin!(spoke)).await {
            Either::Left((outcome, _)) => {
                return Err(Stop::Wrong(format!("`create` made no checkpoint, and left {}", kind(&outcome.object))));
            }
            Either::Right((spoke, _)) => spoke?,
        }
        // The old process hears that it lost the stack, which it does not survive; what it answers counts for nothing.
        dead.cancel();
        let outcome = bench.within("create", call).await?;
        ensure(!matches!(outcome.object, ObjectState::Complete(_)), || {
            "`create` went well after its checkpoint had failed".to_owned()
        })?;

        let after = thing.again(bench);
        let said = thing.sink.checkpoints.lock().unwrap_or_else(PoisonError::into_inner).first().cloned();
        let (id, partial) = said.ok_or_else(|| Stop::Wrong("`create` made no checkpoint".to_owned()))?;
        let evidence = if survives {
            Evidence { id: Some(id.clone()), partial, prior: None, planned: Some(planned.clone()) }
        } else {
            lost(&planned)
        };
        let Recovery::Found(found) = bench.recover(&after, evidence).await? else {
            return Err(Stop::Wrong("`recover` does not find what a checkpoint named".to_owned()));
        };
        ensure(found.id == id, || "`recover` found another object than a checkpoint named".to_owned())?;
        bench.counts(before, 1).await?;
        let again = bench.create(&thing.again(bench)).await?;
        ensure(again.id == id, || "the same key made two objects".to_owned())?;
        bench.clear(&after, &found).await?;
        bench.counts(before, 0).await?;
    }
    Ok(())
}

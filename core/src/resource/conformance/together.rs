use futures_util::future::join_all;

use super::{
    fixture::{Bench, Thing, lost},
    harness::{CaseResult, Stop, ensure},
};
use crate::{
    error::Effect,
    resource::{ObjectState, Recovery},
};

/// How many calls are under way at once.
const AT_ONCE: usize = 16;

pub(super) async fn different_things(bench: &Bench<'_>) -> CaseResult {
    let before = bench.count().await;
    let things: Vec<Thing> = (0..AT_ONCE).map(|_| bench.thing()).collect();
    let objects = join_all(things.iter().map(|thing| bench.create(thing))).await;
    let objects: Vec<_> = objects.into_iter().collect::<CaseResult<_>>()?;
    bench.counts(before, AT_ONCE).await?;
    let ids: std::collections::BTreeSet<&str> = objects.iter().map(|object| &*object.id).collect();
    ensure(ids.len() == AT_ONCE, || format!("{AT_ONCE} keys made {} objects", ids.len()))?;
    let pairs = || things.iter().zip(&objects);
    for done in join_all(pairs().map(|(thing, object)| bench.reads_as(thing, object))).await {
        done?;
    }
    for done in join_all(pairs().map(|(thing, object)| bench.delete(thing, object))).await {
        done?;
    }
    bench.counts(before, 0).await
}

pub(super) async fn one_thing(bench: &Bench<'_>) -> CaseResult {
    let thing = bench.thing();
    let object = bench.create(&thing).await?;
    for done in join_all((0..AT_ONCE).map(|_| bench.reads_as(&thing, &object))).await {
        done?;
    }
    bench.clear(&thing, &object).await
}

/// A call that is asked to end before it began still says what is so.
pub(super) async fn cancelled_before(bench: &Bench<'_>) -> CaseResult {
    let before = bench.count().await;
    let thing = bench.thing();
    let planned = bench.plan(&thing, None, &thing.config).await?;
    thing.stop.cancel();
    let outcome = bench.within("create", bench.resource.create(&thing.ctx, planned.clone())).await?;
    let after = thing.again(bench);
    let is_known = outcome.problems.iter().all(|problem| problem.effect_on_world() == Effect::None);
    match outcome.object {
        ObjectState::Complete(object) | ObjectState::Partial(object) => {
            let found = bench.read(&after, &object).await?;
            ensure(found.is_some(), || "a cancelled `create` left an object that is not there".to_owned())?;
            bench.clear(&after, &object).await?;
        }
        ObjectState::Unchanged | ObjectState::Gone if is_known => {
            if let Recovery::Found(_) = bench.recover(&after, lost(&planned)).await? {
                return Err(Stop::Wrong(
                    "a cancelled `create` says that it made nothing, and made something".to_owned(),
                ));
            }
        }
        ObjectState::Unchanged | ObjectState::Gone => {
            if let Recovery::Found(object) = bench.recover(&after, lost(&planned)).await? {
                bench.clear(&after, &object).await?;
            }
        }
    }
    bench.counts(before, 0).await
}

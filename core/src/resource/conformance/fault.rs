use std::{pin::pin, time::Duration};

use futures_util::future::{Either, select};

use super::{
    fixture::{Bench, Thing, kind, lost},
    harness::{CaseResult, Fault, Stop, ensure},
};
use crate::{
    error::{Effect, Error, ErrorKind},
    resource::{
        Object, ObjectState, Outcome, Recovery,
        layer::{Timeout, Verb},
    },
    value::Value,
};

const NO_FAULTS: Stop = Stop::Skip("it cannot be made to misbehave like this");

/// What came of a verb that misbehaves.
struct Provoked {
    thing: Thing,
    /// What was there before, if anything.
    prior: Option<Object>,
    /// What a verb that changes things says of the object.
    state: Option<ObjectState>,
    error: Option<Error>,
}

impl Provoked {
    fn error(&self, verb: Verb) -> CaseResult<&Error> {
        self.error.as_ref().ok_or_else(|| Stop::Wrong(format!("`{}` went well", verb.as_str())))
    }

    /// Removes what is there.
    async fn clear(&self, bench: &Bench<'_>) -> CaseResult {
        if let Some(object) = &self.prior {
            return bench.delete(&self.thing, object).await;
        }
        let clean = bench.plan(&self.thing, None, &bench.harness.config(self.thing.number)).await?;
        match bench.recover(&self.thing.again(bench), lost(&clean)).await? {
            Recovery::Found(object) => bench.clear(&self.thing, &object).await,
            _ => Ok(()),
        }
    }
}

pub(super) async fn raised(bench: &Bench<'_>, verb: Verb) -> CaseResult {
    let before = bench.count().await;
    let provoked = provoke(bench, Fault::Raise, verb).await?;
    let error = provoked.error(verb)?;
    is(error, ErrorKind::Bug, "host.failed", unknown_where_changing(verb))?;
    let said = format!("{} {error:?}", error.report());
    ensure(!said.contains(Fault::SECRET), || "what an exception says came out".to_owned())?;
    left_alone(&provoked)?;
    provoked.clear(bench).await?;
    bench.counts(before, 0).await
}

pub(super) async fn refused(bench: &Bench<'_>, verb: Verb) -> CaseResult {
    let before = bench.count().await;
    let provoked = provoke(bench, Fault::Refuse, verb).await?;
    is(provoked.error(verb)?, ErrorKind::Denied, Fault::CODE, Effect::None)?;
    left_alone(&provoked)?;
    provoked.clear(bench).await?;
    bench.counts(before, 0).await
}

pub(super) async fn misshapen(bench: &Bench<'_>, verb: Verb) -> CaseResult {
    let before = bench.count().await;
    let provoked = provoke(bench, Fault::Misshape, verb).await?;
    is(provoked.error(verb)?, ErrorKind::Bug, "host.reply", unknown_where_changing(verb))?;
    left_alone(&provoked)?;
    provoked.clear(bench).await?;
    bench.counts(before, 0).await
}

pub(super) async fn half_made(bench: &Bench<'_>) -> CaseResult {
    let before = bench.count().await;
    let provoked = provoke(bench, Fault::Half, Verb::Create).await?;
    is(provoked.error(Verb::Create)?, ErrorKind::Denied, Fault::CODE, Effect::None)?;
    let object = half(&provoked)?;
    bench.attributes("create", object)?;
    bench.counts(before, 1).await?;
    let found = bench.read(&provoked.thing, object).await?;
    ensure(found.is_some(), || "`read` does not find what was half made".to_owned())?;
    bench.delete(&provoked.thing, object).await?;
    bench.counts(before, 0).await
}

pub(super) async fn half_changed(bench: &Bench<'_>) -> CaseResult {
    let before = bench.count().await;
    let provoked = provoke(bench, Fault::Half, Verb::Update).await?;
    is(provoked.error(Verb::Update)?, ErrorKind::Denied, Fault::CODE, Effect::None)?;
    bench.attributes("update", half(&provoked)?)?;
    bench.counts(before, 1).await?;
    provoked.clear(bench).await?;
    bench.counts(before, 0).await
}

/// A call that is asked to end while it runs, and takes the time that it needs.
pub(super) async fn lingering(bench: &Bench<'_>, verb: Verb) -> CaseResult {
    let before = bench.count().await;
    let (thing, config) = faulty(bench, Fault::Linger, verb)?;
    let prior = match verb {
        Verb::Create => None,
        _ => Some(bench.create(&clean(bench, &thing)).await?),
    };
    let outcome = {
        let mut call = pin!(change(bench, &thing, verb, prior.as_ref(), &config));
        let spoke = bench.within("progress", thing.sink.spoke.cancelled());
        match select(&mut call, pin!(spoke)).await {
            Either::Left(_) => return Err(Stop::Wrong(format!("`{}` said nothing of its progress", verb.as_str()))),
            Either::Right((spoke, _)) => spoke?,
        }
        thing.stop.cancel();
        bench.within(verb.as_str(), call).await??
    };
    ensure(outcome.is_ok(), || format!("`{}` failed though it did its work", verb.as_str()))?;
    let after = thing.again(bench);
    match outcome.object {
        ObjectState::Complete(mut object) if verb != Verb::Delete => {
            if let Some(prior) = &prior {
                object.id.clone_from(&prior.id);
            }
            bench.counts(before, 1).await?;
            bench.delete(&after, &object).await?;
        }
        ObjectState::Gone if verb == Verb::Delete => {}
        other => return Err(Stop::Wrong(format!("`{}` went well, and left {}", verb.as_str(), kind(&other)))),
    }
    bench.counts(before, 0).await
}

/// A call that never ends is given up, and what is said of its effect is the truth.
pub(super) async fn hanging(bench: &Bench<'_>, verb: Verb) -> CaseResult {
    let before = bench.count().await;
    let (thing, config) = faulty(bench, Fault::Hang, verb)?;
    let prior = match verb {
        Verb::Create => None,
        _ => Some(bench.create(&clean(bench, &thing)).await?),
    };
    let limit = Timeout::after(Duration::from_millis(50)).grace(Duration::from_millis(20));
    let bounded = bench.layered(&limit);
    let error = match (verb, &prior) {
        (Verb::Read, Some(prior)) => {
            let object = told(bench, prior, &config)?;
            bench.within("read", bounded.resource.read(&thing.ctx, &object)).await?.err()
        }
        _ => {
            let outcome = change(&bounded, &thing, verb, prior.as_ref(), &config).await?;
            ensure(outcome.object == ObjectState::Unchanged, || {
                format!("`{}` was given up, and left {}", verb.as_str(), kind(&outcome.object))
            })?;
            outcome.problems.into_iter().next()
        }
    };
    let error = error.ok_or_else(|| Stop::Wrong(format!("`{}` ended", verb.as_str())))?;
    is(&error, ErrorKind::Unavailable, "resource.timeout", unknown_where_changing(verb))?;
    // Others are called meanwhile, and the same verb again.
    let after = clean(bench, &thing);
    if let Some(prior) = &prior {
        bench.reads_as(&after, prior).await?;
    }
    let object = bench.create(&after).await?;
    bench.counts(before, 1).await?;
    bench.clear(&after, &object).await?;
    bench.counts(before, 0).await
}

async fn provoke(bench: &Bench<'_>, fault: Fault, verb: Verb) -> CaseResult<Provoked> {
    if verb == Verb::Import {
        let id = bench.harness.faulty_id(fault).ok_or(NO_FAULTS)?;
        let thing = bench.thing();
        let error = bench.within("import", bench.resource.import(&thing.ctx, &id)).await?.err();
        return Ok(Provoked { thing, prior: None, state: None, error });
    }
    let (thing, config) = faulty(bench, fault, verb)?;
    let asked = Provoked { thing, prior: None, state: None, error: None };
    if matches!(verb, Verb::Validate | Verb::Plan) {
        let error = bench.try_plan(&asked.thing, None, &config).await?.err();
        return Ok(Provoked { error, ..asked });
    }
    if verb == Verb::Recover {
        let planned = bench.plan(&asked.thing, None, &config).await?;
        let evidence = lost(&planned);
        let answer = bench.resource.recover(&asked.thing.ctx, &evidence);
        let error = bench.within("recover", answer).await?.err();
        return Ok(Provoked { error, ..asked });
    }
    let prior = match verb {
        Verb::Create => None,
        _ => Some(bench.create(&clean(bench, &asked.thing)).await?),
    };
    match (verb, &prior) {
        (Verb::Read, Some(object)) => {
            let object = told(bench, object, &config)?;
            let error = bench.within("read", bench.resource.read(&asked.thing.ctx, &object)).await?.err();
            Ok(Provoked { prior, error, ..asked })
        }
        (Verb::Ready, Some(object)) => {
            let object = told(bench, object, &config)?;
            let error = bench.within("ready", bench.resource.ready(&asked.thing.ctx, &object)).await?.err();
            Ok(Provoked { prior, error, ..asked })
        }
        _ => {
            let outcome = change(bench, &asked.thing, verb, prior.as_ref(), &config).await?;
            let error = outcome.problems.into_iter().next();
            Ok(Provoked { prior, state: Some(outcome.object), error, ..asked })
        }
    }
}

/// Calls a verb that changes things, which the configuration makes misbehave.
async fn change(
    bench: &Bench<'_>,
    thing: &Thing,
    verb: Verb,
    prior: Option<&Object>,
    config: &Value,
) -> CaseResult<Outcome> {
    let (resource, ctx) = (&bench.resource, &thing.ctx);
    match (verb, prior) {
        (Verb::Update, Some(prior)) => {
            let planned = bench.plan(thing, Some(prior), config).await?;
            bench.within("update", resource.update(ctx, prior, planned)).await
        }
        (Verb::Delete, Some(prior)) => {
            let object = told(bench, prior, config)?;
            bench.within("delete", resource.delete(ctx, &object)).await
        }
        _ => {
            let planned = bench.plan(thing, None, config).await?;
            bench.within("create", resource.create(ctx, planned)).await
        }
    }
}

fn faulty(bench: &Bench<'_>, fault: Fault, verb: Verb) -> CaseResult<(Thing, Value)> {
    let number = bench.number();
    let config = bench.harness.faulty(number, fault, verb).ok_or(NO_FAULTS)?;
    Ok((bench.described(number, config.clone()), config))
}

/// Returns the same thing, which behaves.
fn clean(bench: &Bench<'_>, thing: &Thing) -> Thing {
    Thing { config: bench.harness.config(thing.number), ..thing.again(bench) }
}

/// Returns an object whose attributes say what its configuration says.
fn told(bench: &Bench<'_>, object: &Object, config: &Value) -> CaseResult<Object> {
    let config =
        bench.schema.coerce(config).map_err(|problems| Stop::Wrong(format!("it does not fit: {problems:?}")))?;
    let attributes = object.attributes.entries().map(|(name, value)| {
        let wanted = config.attribute(name).filter(|wanted| !wanted.is_null());
        (name.clone(), wanted.unwrap_or(value).clone())
    });
    Ok(Object { attributes: Value::object(attributes), ..object.clone() })
}

fn half(provoked: &Provoked) -> CaseResult<&Object> {
    match &provoked.state {
        Some(ObjectState::Partial(object)) => Ok(object),
        other => Err(Stop::Wrong(format!("what is half made left {}", other.as_ref().map_or("nothing", kind)))),
    }
}

fn left_alone(provoked: &Provoked) -> CaseResult {
    let is_as_it_was = matches!(provoked.state, None | Some(ObjectState::Unchanged));
    ensure(is_as_it_was, || "what failed says that it left an object".to_owned())
}

fn unknown_where_changing(verb: Verb) -> Effect {
    if verb.changes() { Effect::Unknown } else { Effect::None }
}

fn is(error: &Error, kind: ErrorKind, code: &str, effect: Effect) -> CaseResult {
    let found = (error.kind(), error.code(), error.effect_on_world());
    ensure(found == (kind, code, effect), || {
        format!("expected ({kind:?}, `{code}`, {effect:?}), found {found:?}: {}", error.message())
    })
}

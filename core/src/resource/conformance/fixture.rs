use std::{
    fmt,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::future::{Either, select};
use tokio_util::sync::CancellationToken;

use super::harness::{CaseResult, Harness, Stop, ensure};
use crate::{
    error::{Error, ErrorKind, Result},
    event::{Clock, SystemClock},
    resource::{
        CallInfo, Checkpoint, Context, Evidence, Layer, Object, ObjectState, Outcome, PlanRequest, Progress, Readiness,
        Recovery, Resource, checked_plan,
    },
    schema::Schema,
    state::ObjectId,
    value::Value,
};

/// One case's workbench: the type, and numbers for things.
pub(super) struct Bench<'a> {
    pub(super) harness: &'a dyn Harness,
    pub(super) resource: Arc<dyn Resource>,
    pub(super) schema: Arc<Schema>,
    clock: Arc<dyn Clock>,
    things: AtomicU64,
}

/// One thing that is to be: its key and what the template says of it.
pub(super) struct Thing {
    pub(super) key: ObjectId,
    pub(super) number: u64,
    pub(super) config: Value,
    pub(super) ctx: Context,
    pub(super) sink: Arc<Sink>,
    pub(super) stop: CancellationToken,
}

/// Keeps what calls say while they run.
#[derive(Default)]
pub(super) struct Sink {
    pub(super) checkpoints: Mutex<Vec<(String, Option<Value>)>>,
    /// Cancelled when a call says something.
    pub(super) spoke: CancellationToken,
    /// While there is one, checkpoints wait for it and then say that the stack was taken over.
    pub(super) dead: Mutex<Option<CancellationToken>>,
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

#[async_trait]
impl Checkpoint for Sink {
    async fn checkpoint(&self, id: &str, partial: Option<&Value>) -> Result<()> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner).push((id.to_owned(), partial.cloned()));
        let dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.spoke.cancel();
        let Some(dead) = dead else { return Ok(()) };
        dead.cancelled().await;
        Err(Error::new(ErrorKind::Conflict, "lease.lost", "somebody else has the stack now"))
    }
}

impl Progress for Sink {
    fn say(&self, _message: &str) {
        self.spoke.cancel();
    }
}

impl<'a> Bench<'a> {
    pub(super) fn new(harness: &'a dyn Harness) -> Self {
        let resource = harness.resource();
        let schema = resource.schema();
        let clock = Arc::new(SystemClock::default());
        // Numbers of different cases differ, so that what one left behind is not in the way of the next.
        static CASES: AtomicU64 = AtomicU64::new(0);
        let first = CASES.fetch_add(1, Ordering::Relaxed) * 1000;
        Self { harness, resource, schema, clock, things: AtomicU64::new(first) }
    }

    /// Returns the same with a layer around the type.
    pub(super) fn layered(&self, layer: &dyn Layer) -> Self {
        let name = self.harness.type_name();
        let resource = layer.resource(name, name, Arc::clone(&self.resource));
        Self { resource, ..Self::new(self.harness) }
    }

    /// Returns a new thing with a key of its own.
    pub(super) fn thing(&self) -> Thing {
        let number = self.things.fetch_add(1, Ordering::Relaxed) + 1;
        self.described(number, self.harness.config(number))
    }

    /// Returns the next number.
    pub(super) fn number(&self) -> u64 {
        self.things.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Returns a thing that is described like this.
    pub(super) fn described(&self, number: u64, config: Value) -> Thing {
        let key = ObjectId::mint();
        let (sink, stop) = (Arc::new(Sink::default()), CancellationToken::new());
        let ctx = self.context(key, &sink, &stop);
        Thing { key, number, config, ctx, sink, stop }
    }

    fn context(&self, key: ObjectId, sink: &Arc<Sink>, stop: &CancellationToken) -> Context {
        let type_name: Arc<str> = self.harness.type_name().into();
        let info = CallInfo {
            object_id: Some(key),
            address: format!("{type_name}.conformance").into(),
            type_name,
            stack: "conformance/suite".into(),
            tenant: "conformance".into(),
            attempt: 1,
            deadline: Some(self.clock.now().plus(self.harness.patience())),
            provider_config: self.harness.provider_config(),
            ..CallInfo::default()
        };
        Context::new(info, Arc::clone(&self.clock), stop.clone())
            .with_checkpoint(Arc::clone(sink) as _)
            .with_progress(Arc::clone(sink) as _)
    }

    /// Waits for an answer, as long as a case has patience.
    pub(super) async fn within<T>(&self, what: &str, answer: impl Future<Output = T>) -> CaseResult<T> {
        let answer = pin!(answer);
        match select(answer, self.clock.sleep(self.harness.patience())).await {
            Either::Left((answer, _)) => Ok(answer),
            Either::Right(_) => Err(Stop::Wrong(format!("`{what}` did not end"))),
        }
    }

    /// Returns what is to be done about a thing, as an engine asks for it.
    pub(super) async fn plan(&self, thing: &Thing, prior: Option<&Object>, config: &Value) -> CaseResult<Value> {
        self.try_plan(thing, prior, config).await?.map_err(|error| wrong("plan", &error))
    }

    /// As [`plan`](Self::plan), with the type's own error.
    pub(super) async fn try_plan(
        &self,
        thing: &Thing,
        prior: Option<&Object>,
        config: &Value,
    ) -> CaseResult<Result<Value>> {
        let config = self
            .schema
            .coerce(config)
            .map_err(|problems| Stop::Wrong(format!("the configuration does not fit the schema: {problems:?}")))?;
        let proposed = self.schema.planned_new(prior.map(|prior| &prior.attributes), &config);
        let request = PlanRequest { prior: prior.cloned(), config: config.clone(), proposed };
        let answer = self.within("plan", checked_plan(&*self.resource, &thing.ctx, request)).await?;
        let planned = match answer {
            Ok(response) => response.planned,
            Err(error) => return Ok(Err(error)),
        };
        for (name, wanted) in config.entries().filter(|(_, wanted)| !wanted.is_null()) {
            let kept = planned.attribute(name).is_some_and(|kept| kept.same(wanted));
            ensure(kept, || format!("`plan` changed `{name}`, which the template sets"))?;
        }
        Ok(Ok(planned))
    }

    /// Makes a thing and waits until it works.
    pub(super) async fn create(&self, thing: &Thing) -> CaseResult<Object> {
        let planned = self.plan(thing, None, &thing.config).await?;
        let outcome = self.within("create", self.resource.create(&thing.ctx, planned.clone())).await?;
        let object = self.complete("create", outcome)?;
        ensure(!object.id.is_empty(), || "`create` answered with an empty id".to_owned())?;
        self.fits("create", &planned, &object)?;
        self.ready(thing, object).await
    }

    /// Waits until an object works.
    pub(super) async fn ready(&self, thing: &Thing, object: Object) -> CaseResult<Object> {
        let traits = self.resource.traits();
        if traits.ready_at_once {
            return Ok(object);
        }
        let poll = async {
            loop {
                match self.resource.ready(&thing.ctx, &object).await {
                    Ok(Readiness::Ready(ready)) => return Ok(named(ready, &object)),
                    Ok(Readiness::NotYet { .. }) => self.clock.sleep(traits.ready_interval).await,
                    Ok(Readiness::Failed { reason }) => {
                        return Err(Stop::Wrong(format!("what was made never works: {reason}")));
                    }
                    Err(error) => return Err(wrong("ready", &error)),
                }
            }
        };
        self.within("ready", poll).await?
    }

    /// Returns the object of a change that went well.
    pub(super) fn complete(&self, verb: &str, outcome: Outcome) -> CaseResult<Object> {
        if let Some(problem) = outcome.problems.first() {
            return Err(wrong(verb, problem));
        }
        match outcome.object {
            ObjectState::Complete(object) => Ok(object),
            other => Err(Stop::Wrong(format!("`{verb}` went well, and left {}", kind(&other)))),
        }
    }

    /// Checks that what was made is what was planned.
    pub(super) fn fits(&self, verb: &str, planned: &Value, object: &Object) -> CaseResult {
        let attributes = self.attributes(verb, object)?;
        let planned = self.schema.strip_write_only(planned);
        for (name, wanted) in planned.entries() {
            let is = attributes.attribute(name).is_some_and(|made| !wanted.is_wholly_known() || made.same(wanted));
            ensure(is, || format!("`{verb}` made another `{name}` than was planned"))?;
        }
        Ok(())
    }

    /// Returns an object's attributes as they are stored, once they fit the schema.
    pub(super) fn attributes(&self, verb: &str, object: &Object) -> CaseResult<Value> {
        let conformed = self.schema.conform(&object.attributes).map_err(|problems| {
            Stop::Wrong(format!("the attributes of `{verb}` do not fit the schema: {problems:?}"))
        })?;
        ensure(conformed.is_wholly_known(), || format!("`{verb}` left attributes unknown"))?;
        Ok(self.schema.strip_write_only(&conformed))
    }

    /// Reads an object.
    pub(super) async fn read(&self, thing: &Thing, object: &Object) -> CaseResult<Option<Object>> {
        let found = self.within("read", self.resource.read(&thing.ctx, object)).await?;
        Ok(found.map_err(|error| wrong("read", &error))?.map(|found| named(found, object)))
    }

    /// Checks that an object is read as it was made.
    pub(super) async fn reads_as(&self, thing: &Thing, object: &Object) -> CaseResult {
        let Some(found) = self.read(thing, object).await? else {
            return Err(Stop::Wrong("`read` does not find what was made".to_owned()));
        };
        ensure(found.id == object.id, || "`read` answered with another id".to_owned())?;
        let (made, found) = (self.attributes("create", object)?, self.attributes("read", &found)?);
        ensure(made.same(&found), || "`read` shows other attributes than were made".to_owned())
    }

    /// Removes an object.
    pub(super) async fn delete(&self, thing: &Thing, object: &Object) -> CaseResult {
        let outcome = self.within("delete", self.resource.delete(&thing.ctx, object)).await?;
        if let Some(problem) = outcome.problems.first() {
            return Err(wrong("delete", problem));
        }
        ensure(outcome.object == ObjectState::Gone, || {
            format!("`delete` went well, and left {}", kind(&outcome.object))
        })
    }

    /// Removes an object, and checks that nothing is left under its key.
    pub(super) async fn clear(&self, thing: &Thing, object: &Object) -> CaseResult {
        self.delete(thing, object).await?;
        if self.harness.is_value() {
            return Ok(());
        }
        let planned = self.plan(thing, None, &thing.config).await?;
        match self.recover(thing, lost(&planned)).await? {
            Recovery::Found(twice) if twice.id == object.id => {
                Err(Stop::Wrong("`recover` finds what was deleted".to_owned()))
            }
            Recovery::Found(_) => Err(Stop::Wrong("there was a second object under the same key".to_owned())),
            Recovery::Absent | Recovery::CannotTell { .. } => Ok(()),
        }
    }

    /// Asks what became of a lost call, once the world had time to settle.
    pub(super) async fn recover(&self, thing: &Thing, evidence: Evidence) -> CaseResult<Recovery> {
        self.clock.sleep(self.resource.traits().settle).await;
        let ctx = thing.ctx.with_cancellation(CancellationToken::new());
        let found = self.within("recover", self.resource.recover(&ctx, &evidence)).await?;
        found.map_err(|error| wrong("recover", &error))
    }

    /// Returns how many things there are, where the world can be asked.
    pub(super) async fn count(&self) -> Option<usize> {
        self.harness.count().await
    }

    /// Checks how many things there are, where the world can be asked.
    pub(super) async fn counts(&self, before: Option<usize>, more: usize) -> CaseResult {
        match (before, self.count().await) {
            (Some(before), Some(now)) => {
                ensure(now == before + more, || format!("there are {now} things, and should be {}", before + more))
            }
            _ => Ok(()),
        }
    }
}

impl Thing {
    /// Returns the same thing in another process: the same key, nothing else left of the first.
    pub(super) fn again(&self, bench: &Bench<'_>) -> Self {
        let (sink, stop) = (Arc::new(Sink::default()), CancellationToken::new());
        let ctx = bench.context(self.key, &sink, &stop);
        let ctx = ctx.with_info(|info| info.attempt = 2);
        Self { key: self.key, number: self.number, config: self.config.clone(), ctx, sink, stop }
    }
}

/// Returns what is known of a create of which nothing was heard.
pub(super) fn lost(planned: &Value) -> Evidence {
    Evidence { id: None, partial: None, prior: None, planned: Some(planned.clone()) }
}

/// An object without an id is the one that was asked about.
fn named(found: Object, asked: &Object) -> Object {
    if found.id.is_empty() { Object { id: asked.id.clone(), ..found } } else { found }
}

pub(super) fn wrong(verb: &str, error: &Error) -> Stop {
    Stop::Wrong(format!("`{verb}` failed: {}", error.report()))
}

pub(super) fn kind(state: &ObjectState) -> &'static str {
    match state {
        ObjectState::Unchanged => "what was there",
        ObjectState::Partial(_) => "half an object",
        ObjectState::Complete(_) => "a whole object",
        ObjectState::Gone => "nothing",
    }
}

//! The suite itself: a type that keeps the contract passes, and whoever breaks one rule is found out by the case for it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::{Fault, Harness, Verdict, assert_conforms, cases, suite};
use crate::{
    error::{Effect, Error, ErrorKind, Result},
    resource::{
        Context, Evidence, Object, Outcome, PlanRequest, PlanResponse, Readiness, Recovery, Resource, Traits,
        layer::Verb,
    },
    schema::{Attribute, Schema},
    value::{Type, Value},
};

/// A rule of the contract that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breach {
    Nothing,
    KeysForgotten,
    IdsShared,
    GhostsRead,
    DeletedTwice,
    UpdateLost,
    UpdateUnseen,
    AnythingImported,
    NothingRecovered,
    AnythingRecovered,
    NeverDone,
    OtherThanPlanned,
    UnknownLeft,
    EmptyId,
    CheckpointIgnored,
    CancelLies,
    RefusalUnsure,
    HalfUnread,
    SchemaChanges,
}

const BREACHES: &[(Breach, &str)] = &[
    (Breach::KeysForgotten, "crash/same-key"),
    (Breach::IdsShared, "crash/other-key"),
    (Breach::IdsShared, "together/different-things"),
    (Breach::GhostsRead, "life/delete"),
    (Breach::GhostsRead, "crash/delete-answer-lost"),
    (Breach::DeletedTwice, "life/delete"),
    (Breach::UpdateLost, "life/update"),
    (Breach::UpdateUnseen, "crash/update-answer-lost"),
    (Breach::AnythingImported, "life/import-missing"),
    (Breach::NothingRecovered, "crash/create-answer-lost"),
    (Breach::NothingRecovered, "crash/at-a-checkpoint"),
    (Breach::AnythingRecovered, "crash/before-the-effect"),
    (Breach::NeverDone, "life/nothing-to-do"),
    (Breach::OtherThanPlanned, "life/create"),
    (Breach::UnknownLeft, "life/create"),
    (Breach::EmptyId, "life/create"),
    (Breach::CheckpointIgnored, "crash/at-a-checkpoint"),
    (Breach::CancelLies, "together/cancelled-before"),
    (Breach::RefusalUnsure, "fault/refuse-create"),
    (Breach::HalfUnread, "fault/half-create"),
    (Breach::SchemaChanges, "life/schema"),
];

#[derive(Clone, Debug)]
struct Made {
    key: String,
    attributes: Value,
}

/// Things in memory.
#[derive(Clone, Debug)]
struct Thing {
    breach: Breach,
    world: Arc<Mutex<BTreeMap<String, Made>>>,
    calls: Arc<Mutex<u64>>,
}

impl Thing {
    fn new(breach: Breach) -> Self {
        Self { breach, world: Arc::default(), calls: Arc::default() }
    }

    fn world(&self) -> MutexGuard<'_, BTreeMap<String, Made>> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn breaks(&self, breach: Breach) -> bool {
        self.breach == breach
    }

    fn call_count(&self) -> u64 {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls += 1;
        *calls
    }

    fn make(&self, key: &str, planned: &Value) -> Object {
        let count = self.call_count();
        let mut world = self.world();
        let known = world.iter().find(|(_, made)| made.key == key).map(|(id, _)| id.clone());
        let id = match known {
            _ if self.breaks(Breach::IdsShared) => "t-1".to_owned(),
            Some(id) if !self.breaks(Breach::KeysForgotten) => id,
            _ => format!("t-{count}"),
        };
        let mut attributes = with(planned, "id", Value::string(id.as_str()));
        if self.breaks(Breach::OtherThanPlanned) {
            attributes = with(&attributes, "size", Value::number(99_u64));
        }
        if self.breaks(Breach::UnknownLeft) {
            attributes = with(&attributes, "size", Value::unknown(Type::Number));
        }
        let made = world.entry(id.clone()).or_insert(Made { key: key.to_owned(), attributes });
        Object::new(id, made.attributes.clone())
    }

    fn found(&self, id: &str, fault: Option<&Value>) -> Option<Object> {
        let attributes = self.world().get(id)?.attributes.clone();
        let attributes = fault.map_or(attributes.clone(), |fault| with(&attributes, "fault", fault.clone()));
        Some(Object::new(id, attributes))
    }

    /// Misbehaves as told.
    async fn misbehave(&self, ctx: &Context, attributes: &Value, verb: Verb) -> Result<()> {
        let told = attributes.attribute("fault").and_then(Value::as_str).unwrap_or_default();
        if told == Fault::Refuse.of(verb) {
            let is_unsure = self.breaks(Breach::RefusalUnsure) && verb == Verb::Create;
            let effect = if is_unsure { Effect::Unknown } else { Effect::None };
            return Err(refusal().effect(effect));
        }
        if told == Fault::Hang.of(verb) {
            std::future::pending::<()>().await;
        }
        if told == Fault::Linger.of(verb) {
            ctx.progress("waiting");
            ctx.cancellation().cancelled().await;
        }
        Ok(())
    }
}

fn refusal() -> Error {
    Error::new(ErrorKind::Denied, Fault::CODE, "this thing refuses")
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let others = object.entries().filter(|(other, _)| &***other != name);
    Value::object(others.map(|(name, value)| (Arc::clone(name), value.clone())).chain([(Arc::from(name), value)]))
}

fn is_told(attributes: &Value, fault: Fault, verb: Verb) -> bool {
    attributes.attribute("fault").and_then(Value::as_str) == Some(&fault.of(verb))
}

#[async_trait]
impl Resource for Thing {
    fn schema(&self) -> Arc<Schema> {
        let version = if self.breaks(Breach::SchemaChanges) { self.call_count() } else { 1 };
        let schema = Schema::new(version)
            .attribute("id", Attribute::computed(Type::String))
            .attribute("name", Attribute::required(Type::String).forces_replacement())
            .attribute("size", Attribute::optional(Type::Number))
            .attribute("fault", Attribute::optional(Type::String))
            .attribute("seen", Attribute::computed(Type::String));
        Arc::new(schema)
    }

    fn traits(&self) -> Traits {
        Traits { ready_interval: Duration::from_millis(1), ..Traits::default() }
    }

    async fn validate(&self, ctx: &Context, config: &Value) -> Result<()> {
        self.misbehave(ctx, config, Verb::Validate).await
    }

    async fn plan(&self, ctx: &Context, request: PlanRequest) -> Result<PlanResponse> {
        self.misbehave(ctx, &request.config, Verb::Plan).await?;
        let seen = if self.breaks(Breach::NeverDone) { self.call_count().to_string() } else { "yes".to_owned() };
        let planned = with(&request.proposed, "seen", Value::string(seen));
        Ok(PlanResponse { planned, requires_replace: Vec::new(), private: None })
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        if let Err(error) = self.misbehave(ctx, &planned, Verb::Create).await {
            return Outcome::failed(error);
        }
        let mut object = self.make(&ctx.idempotency_key(), &planned);
        if self.breaks(Breach::CancelLies) && ctx.is_cancelled() {
            return Outcome::failed(Error::new(ErrorKind::Cancelled, "run.cancelled", "nothing was made"));
        }
        if is_told(&planned, Fault::Checkpoint, Verb::Create)
            && let Err(error) = ctx.checkpoint(&object.id, Some(&object.attributes)).await
            && !self.breaks(Breach::CheckpointIgnored)
        {
            return Outcome::failed(error);
        }
        if is_told(&planned, Fault::Half, Verb::Create) {
            if self.breaks(Breach::HalfUnread) {
                self.world().clear();
            }
            return Outcome::partial(object, refusal());
        }
        if self.breaks(Breach::EmptyId) {
            object.id.clear();
        }
        Outcome::complete(object)
    }

    async fn read(&self, ctx: &Context, object: &Object) -> Result<Option<Object>> {
        self.misbehave(ctx, &object.attributes, Verb::Read).await?;
        Ok(self.found(&object.id, object.attributes.attribute("fault")))
    }

    async fn update(&self, ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        if let Err(error) = self.misbehave(ctx, &planned, Verb::Update).await {
            return Outcome::failed(error);
        }
        if let Some(made) = self.world().get_mut(&prior.id)
            && !self.breaks(Breach::UpdateLost)
        {
            made.attributes = planned.clone();
        }
        let object = Object::new(prior.id.clone(), planned.clone());
        if is_told(&planned, Fault::Half, Verb::Update) {
            return Outcome::partial(object, refusal());
        }
        Outcome::complete(object)
    }

    async fn delete(&self, ctx: &Context, prior: &Object) -> Outcome {
        if let Err(error) = self.misbehave(ctx, &prior.attributes, Verb::Delete).await {
            return Outcome::failed(error);
        }
        if self.breaks(Breach::GhostsRead) {
            return Outcome::gone();
        }
        if self.world().remove(&prior.id).is_none() && self.breaks(Breach::DeletedTwice) {
            return Outcome::failed(Error::new(ErrorKind::NotFound, "thing.gone", "it is gone already"));
        }
        Outcome::gone()
    }

    async fn import(&self, ctx: &Context, id: &str) -> Result<Option<Object>> {
        let told = Value::object([("fault", Value::string(id))]);
        self.misbehave(ctx, &told, Verb::Import).await?;
        if self.breaks(Breach::AnythingImported) {
            return Ok(Some(Object::new(id, self.schema().block.empty_value())));
        }
        Ok(self.found(id, None))
    }

    async fn ready(&self, ctx: &Context, object: &Object) -> Result<Readiness> {
        self.misbehave(ctx, &object.attributes, Verb::Ready).await?;
        Ok(Readiness::Ready(object.clone()))
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        let told = evidence.planned.as_ref().and_then(|planned| planned.attribute("fault"));
        if let Some(planned) = &evidence.planned {
            self.misbehave(ctx, planned, Verb::Recover).await?;
        }
        if self.breaks(Breach::NothingRecovered) && evidence.prior.is_none() {
            return Ok(Recovery::Absent);
        }
        if self.breaks(Breach::AnythingRecovered) && evidence.prior.is_none() {
            return Ok(Recovery::Found(self.make(&ctx.idempotency_key(), &self.schema().block.empty_value())));
        }
        if self.breaks(Breach::UpdateUnseen)
            && let Some(prior) = &evidence.prior
        {
            return Ok(Recovery::Found(prior.clone()));
        }
        let key = ctx.idempotency_key();
        let by_key = self.world().iter().find(|(_, made)| made.key == key).map(|(id, _)| id.clone());
        let id = evidence.prior.as_ref().map(|prior| prior.id.clone()).or(by_key);
        Ok(id.and_then(|id| self.found(&id, told)).map_or(Recovery::Absent, Recovery::Found))
    }
}

#[async_trait]
impl Harness for Thing {
    fn resource(&self) -> Arc<dyn Resource> {
        Arc::new(self.clone())
    }

    fn type_name(&self) -> &'static str {
        "thing"
    }

    fn config(&self, number: u64) -> Value {
        Value::object([("name", Value::string(format!("thing-{number}")))])
    }

    fn changed(&self, number: u64) -> Option<Value> {
        Some(with(&self.config(number), "size", Value::number(2_u64)))
    }

    fn missing_id(&self) -> Option<String> {
        Some("t-none".to_owned())
    }

    fn faulty(&self, number: u64, fault: Fault, verb: Verb) -> Option<Value> {
        let is_possible = !matches!(fault, Fault::Raise | Fault::Misshape);
        is_possible.then(|| with(&self.config(number), "fault", Value::string(fault.of(verb))))
    }

    fn faulty_id(&self, fault: Fault) -> Option<String> {
        (fault == Fault::Refuse).then(|| fault.of(Verb::Import))
    }

    async fn count(&self) -> Option<usize> {
        Some(self.world().len())
    }
}

#[tokio::test]
async fn a_type_that_keeps_the_contract_passes() {
    let thing = Thing::new(Breach::Nothing);
    let skipped = assert_conforms(&thing).await;
    assert!(thing.world().is_empty());
    let is_foreign = |case: &&&str| !case.starts_with("fault/raise") && !case.starts_with("fault/misshape");
    assert_eq!(skipped.iter().filter(is_foreign).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[tokio::test]
async fn whoever_breaks_a_rule_is_found_out() {
    for (breach, case) in BREACHES {
        let case = cases().into_iter().find(|each| each.name == *case).expect("there is such a case");
        let finding = case.run(&Thing::new(*breach)).await;
        assert!(matches!(finding.verdict, Verdict::Failed(_)), "{breach:?} passes {finding}");
    }
}

#[tokio::test]
async fn nothing_that_is_wrong_stops_the_suite() {
    for (breach, _) in BREACHES {
        assert_eq!(suite(&Thing::new(*breach)).await.len(), cases().len());
    }
}

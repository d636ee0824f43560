//! The thing that every language has a type for: a world in memory, and verbs that misbehave as its `fault` says.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use stackwright::{
    error::{Effect, Error, ErrorKind, Result},
    resource::{
        Context, Evidence, Object, Outcome, PlanRequest, PlanResponse, Readiness, Recovery, Resource, Traits,
        conformance::{Fault, Harness},
        layer::Verb,
    },
    schema::{Attribute, Schema},
    state::Amount,
    value::{Number, Type, Value},
};

/// A thing that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The key that it was made with.
    pub key: String,
    /// What it is called.
    pub name: String,
    /// How large it is.
    pub size: i64,
}

/// Things by id. The same key twice makes one thing.
#[derive(Debug, Default)]
pub struct World {
    things: Mutex<(BTreeMap<String, Made>, u64)>,
    /// The most things, and the most size, that there ever were at once.
    peak: Mutex<(u64, u64)>,
}

impl World {
    fn lock(&self) -> MutexGuard<'_, (BTreeMap<String, Made>, u64)> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is there, by id.
    pub fn things(&self) -> BTreeMap<String, Made> {
        self.lock().0.clone()
    }

    /// Returns how many things there are, and how large they are together.
    pub fn extent(&self) -> (u64, u64) {
        let things = self.things();
        (things.len() as u64, things.values().filter_map(|made| u64::try_from(made.size).ok()).sum())
    }

    /// Returns the most things, and the most size, that there ever were at once.
    pub fn peak(&self) -> (u64, u64) {
        *self.peak.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_peak(&self) {
        let (count, size) = self.extent();
        let mut peak = self.peak.lock().unwrap_or_else(PoisonError::into_inner);
        *peak = (peak.0.max(count), peak.1.max(size));
    }

    fn by_key(&self, key: &str) -> Option<String> {
        self.lock().0.iter().find(|(_, made)| made.key == key).map(|(id, _)| id.clone())
    }

    fn make(&self, key: String, planned: &Value) -> String {
        if let Some(id) = self.by_key(&key) {
            return id;
        }
        let mut world = self.lock();
        world.1 += 1;
        let id = format!("t-{}", world.1);
        world.0.insert(id.clone(), Made { key, name: text(planned, "name"), size: size(planned) });
        drop(world);
        self.note_peak();
        id
    }
}

/// The type `thing`.
#[derive(Clone, Debug, Default)]
pub struct Thing {
    /// Where its things are.
    pub world: Arc<World>,
}

fn text(object: &Value, name: &str) -> String {
    object.attribute(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn size(object: &Value) -> i64 {
    object.attribute("size").and_then(Value::as_number).and_then(Number::to_i64).unwrap_or_default()
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let others = object.entries().filter(|(other, _)| &***other != name);
    Value::object(others.map(|(name, value)| (Arc::clone(name), value.clone())).chain([(Arc::from(name), value)]))
}

fn is_told(object: &Value, fault: Fault, verb: Verb) -> bool {
    text(object, "fault") == fault.of(verb)
}

fn refusal() -> Error {
    Error::new(ErrorKind::Denied, Fault::CODE, "this thing refuses")
}

/// What a bridge makes of an answer of another shape, which Rust's types do not let through.
fn misshapen(verb: Verb) -> Error {
    let effect = if verb.changes() { Effect::Unknown } else { Effect::None };
    Error::new(ErrorKind::Bug, "host.reply", "the host's answer cannot be read").effect(effect)
}

async fn misbehave(ctx: &Context, object: &Value, verb: Verb) -> Result<()> {
    // In Rust, what says nothing of its effect is a panic.
    assert!(!is_told(object, Fault::Raise, verb), "what a panic says may be secret: {}", Fault::SECRET);
    if is_told(object, Fault::Refuse, verb) {
        return Err(refusal());
    }
    if is_told(object, Fault::Hang, verb) {
        std::future::pending::<()>().await;
    }
    if is_told(object, Fault::Linger, verb) {
        ctx.progress("waiting");
        ctx.cancellation().cancelled().await;
    }
    Ok(())
}

impl Thing {
    fn object(&self, id: &str, attributes: &Value) -> Option<Object> {
        let made = self.world.things().get(id)?.clone();
        let set = [
            ("id", Value::string(id)),
            ("name", Value::string(made.name.as_str())),
            ("size", Value::number(made.size)),
            ("url", Value::string(format!("thing://{}", made.name))),
        ];
        let attributes = set.into_iter().fold(attributes.clone(), |object, (name, value)| with(&object, name, value));
        Some(Object::new(id, attributes))
    }

    fn made(&self, id: &str, planned: &Value, verb: Verb) -> Outcome {
        match self.object(id, planned) {
            Some(object) if is_told(planned, Fault::Half, verb) => Outcome::partial(object, refusal()),
            Some(_) if is_told(planned, Fault::Misshape, verb) => Outcome::failed(misshapen(verb)),
            Some(object) => Outcome::complete(object),
            None => Outcome::failed(Error::new(ErrorKind::NotFound, "thing.gone", "the thing is gone")),
        }
    }
}

#[async_trait]
impl Resource for Thing {
    fn schema(&self) -> Arc<Schema> {
        let schema = Schema::new(0)
            .attribute("id", Attribute::computed(Type::String))
            .attribute("name", Attribute::required(Type::String).forces_replacement())
            .attribute("size", Attribute::optional(Type::Number).default(1))
            .attribute("fault", Attribute::optional(Type::String))
            .attribute("url", Attribute::computed(Type::String));
        Arc::new(schema)
    }

    fn traits(&self) -> Traits {
        Traits { ready_interval: Duration::from_millis(1), ..Traits::default() }
    }

    async fn validate(&self, ctx: &Context, config: &Value) -> Result<()> {
        misbehave(ctx, config, Verb::Validate).await
    }

    async fn plan(&self, ctx: &Context, request: PlanRequest) -> Result<PlanResponse> {
        misbehave(ctx, &request.config, Verb::Plan).await?;
        if is_told(&request.config, Fault::Misshape, Verb::Plan) {
            return Err(misshapen(Verb::Plan));
        }
        let name = request.proposed.attribute("name").filter(|name| name.is_known()).and_then(Value::as_str);
        let planned = match name {
            Some(name) => with(&request.proposed, "url", Value::string(format!("thing://{name}"))),
            None => request.proposed.clone(),
        };
        Ok(PlanResponse { planned, requires_replace: Vec::new(), private: None })
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        // What is raised is raised after the work is done: the worst case.
        if is_told(&planned, Fault::Raise, Verb::Create) {
            self.world.make(ctx.idempotency_key(), &planned);
        }
        if let Err(error) = misbehave(ctx, &planned, Verb::Create).await {
            return Outcome::failed(error);
        }
        let id = self.world.make(ctx.idempotency_key(), &planned);
        if is_told(&planned, Fault::Checkpoint, Verb::Create)
            && let Err(error) = ctx.checkpoint(&id, None).await
        {
            return Outcome::failed(error);
        }
        self.made(&id, &planned, Verb::Create)
    }

    async fn read(&self, ctx: &Context, object: &Object) -> Result<Option<Object>> {
        misbehave(ctx, &object.attributes, Verb::Read).await?;
        if is_told(&object.attributes, Fault::Misshape, Verb::Read) {
            return Err(misshapen(Verb::Read));
        }
        Ok(self.object(&object.id, &object.attributes))
    }

    async fn update(&self, ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        if let Err(error) = misbehave(ctx, &planned, Verb::Update).await {
            return Outcome::failed(error);
        }
        if let Some(made) = self.world.lock().0.get_mut(&prior.id) {
            made.size = size(&planned);
        }
        self.world.note_peak();
        self.made(&prior.id, &planned, Verb::Update)
    }

    async fn delete(&self, ctx: &Context, prior: &Object) -> Outcome {
        if let Err(error) = misbehave(ctx, &prior.attributes, Verb::Delete).await {
            return Outcome::failed(error);
        }
        self.world.lock().0.remove(&prior.id);
        Outcome::gone()
    }

    async fn import(&self, ctx: &Context, id: &str) -> Result<Option<Object>> {
        let told = Value::object([("fault", Value::string(id))]);
        misbehave(ctx, &told, Verb::Import).await?;
        if is_told(&told, Fault::Misshape, Verb::Import) {
            return Err(misshapen(Verb::Import));
        }
        Ok(self.object(id, &self.schema().block.empty_value()))
    }

    async fn ready(&self, ctx: &Context, object: &Object) -> Result<Readiness> {
        misbehave(ctx, &object.attributes, Verb::Ready).await?;
        if is_told(&object.attributes, Fault::Misshape, Verb::Ready) {
            return Err(misshapen(Verb::Ready));
        }
        Ok(Readiness::Ready(object.clone()))
    }

    fn consumes(&self, attributes: &Value) -> Vec<(Arc<str>, Amount)> {
        attributes.attribute("size").map(|size| ("size".into(), Amount::of(size))).into_iter().collect()
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        let told = evidence.planned.clone().or_else(|| evidence.prior.clone().map(|prior| prior.attributes));
        let told = told.unwrap_or_else(Value::empty_object);
        misbehave(ctx, &told, Verb::Recover).await?;
        if is_told(&told, Fault::Misshape, Verb::Recover) {
            return Err(misshapen(Verb::Recover));
        }
        let known = evidence.prior.as_ref().map(|prior| prior.id.clone()).or_else(|| evidence.id.clone());
        let id = known.or_else(|| self.world.by_key(&ctx.idempotency_key()));
        Ok(id.and_then(|id| self.object(&id, &told)).map_or(Recovery::Absent, Recovery::Found))
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
        Some(with(&self.config(number), "size", Value::number(2)))
    }

    fn missing_id(&self) -> Option<String> {
        Some("t-none".to_owned())
    }

    fn faulty(&self, number: u64, fault: Fault, verb: Verb) -> Option<Value> {
        // A panic is caught by whoever runs a type, not by the type.
        let is_possible = fault != Fault::Raise;
        is_possible.then(|| with(&self.config(number), "fault", Value::string(fault.of(verb))))
    }

    fn faulty_id(&self, fault: Fault) -> Option<String> {
        (fault != Fault::Raise).then(|| fault.of(Verb::Import))
    }

    async fn count(&self) -> Option<usize> {
        Some(self.world.things().len())
    }
}

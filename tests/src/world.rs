//! A cloud in memory that counts what is made, takes its time, and fails on purpose.
//!
//! It is as unhelpful as the contract of a resource type allows: creating twice makes two objects, whatever the key.
//! Only `recover` looks a key up. It outlives processes: drop a runtime in the middle of a call and the object that
//! the call made is still here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::pending,
    hash::{DefaultHasher, Hash, Hasher},
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use stackwright::{
    error::{Effect, Error, ErrorKind, Result},
    event::Timestamp,
    resource::{
        Context, DataSource, Evidence, Object, ObjectState, Outcome, Provider, Readiness, Recovery, Resource, Traits,
    },
    run::{Fact, decode_entry},
    schema::{Attribute, Schema},
    state::{MemoryStore, RunId, Store, codec::Sealer, testing::FaultyStore},
    value::{Type, Value},
};

use crate::shop::ShopState;

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It says no and did nothing.
    Refuse,
    /// The connection breaks before anything happened.
    LostBefore,
    /// The connection breaks after it happened.
    LostAfter,
    /// It panics before anything happened.
    PanicBefore,
    /// It panics after it happened.
    PanicAfter,
    /// It never answers, and did nothing.
    HangBefore,
    /// It never answers, and did it.
    HangAfter,
    /// It stops half-way and says so.
    Partial,
    /// It returns something else than was planned.
    Inconsistent,
    /// The object never works.
    NeverReady,
}

/// All faults that there are.
pub const FAULTS: [Fault; 10] = [
    Fault::Refuse,
    Fault::LostBefore,
    Fault::LostAfter,
    Fault::PanicBefore,
    Fault::PanicAfter,
    Fault::HangBefore,
    Fault::HangAfter,
    Fault::Partial,
    Fault::Inconsistent,
    Fault::NeverReady,
];

/// Something that happened in the world, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A call of a verb for an address began.
    Begin(String, &'static str),
    /// A call returned that it did what was asked.
    Done(String, &'static str),
    /// The world was asked and has what was asked for.
    Recovered(String),
    /// An object was said to be ready.
    Ready(String),
}

/// A moment that differs between equal worlds, so that it counts for nothing when they are compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment(pub Timestamp);

impl PartialEq for Moment {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// An object in the world.
#[derive(Clone, Debug, PartialEq)]
pub struct Thing {
    /// The idempotency key that it was made with.
    pub key: String,
    /// When it was made.
    pub made_at: Moment,
    /// Its attributes.
    pub attributes: Value,
}

/// When the first process begins.
const BEGINNING: Timestamp = Timestamp(1_800_000_000_000);

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) things: BTreeMap<String, Thing>,
    created: BTreeMap<String, u32>,
    reads: u32,
    fickle: bool,
    picky: bool,
    now: Timestamp,
    calls: BTreeMap<(String, &'static str), u32>,
    effect_count: u64,
    die_after_effect: Option<u64>,
    faults: BTreeMap<(String, &'static str), Fault>,
    second_faults: BTreeMap<(String, &'static str), Fault>,
    log: Vec<Happening>,
    process: Option<Arc<FaultyStore>>,
    witness: Option<(Arc<MemoryStore>, RunId, Sealer)>,
    complaints: Vec<String>,
    pub(crate) shop: ShopState,
}

/// The cloud.
pub struct World {
    seed: u64,
    inner: Mutex<Inner>,
}

impl World {
    /// Returns an empty world; `seed` decides how long calls take.
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { seed, inner: Mutex::default() })
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets types refuse every input that is known.
    pub fn be_picky(&self) {
        self.inner().picky = true;
    }

    /// Puts an object there, as if it had been made long ago.
    pub fn put(&self, remote_id: &str, key: &str, attributes: Value) {
        self.inner()
            .things
            .insert(remote_id.to_owned(), Thing { key: key.to_owned(), made_at: Moment::default(), attributes });
    }

    /// Lets the first call of a verb for an address go wrong.
    pub fn fail(&self, address: &str, verb: &'static str, fault: Fault) {
        self.inner().faults.insert((address.to_owned(), verb), fault);
    }

    /// Lets the second call of a verb for an address go wrong.
    pub fn fail_again(&self, address: &str, verb: &'static str, fault: Fault) {
        self.inner().second_faults.insert((address.to_owned(), verb), fault);
    }

    /// Returns the moment of the last thing that happened; time goes on from there in the next process.
    pub fn now(&self) -> Timestamp {
        self.inner().now.max(BEGINNING)
    }

    /// Lets data sources never give the same answer twice.
    pub fn set_fickle(&self) {
        self.inner().fickle = true;
    }

    /// Kills the process right after the world was changed for the `number`th time, from 0.
    pub fn die_after_effect(&self, number: u64) {
        self.inner().die_after_effect = Some(number);
    }

    /// Names the store whose death is the process's death.
    pub fn set_process(&self, store: Arc<FaultyStore>) {
        self.inner().process = Some(store);
    }

    /// Lets every call that changes something check that its `started` is durable.
    pub fn set_witness(&self, disk: Arc<MemoryStore>, run: RunId, sealer: Sealer) {
        self.inner().witness = Some((disk, run, sealer));
    }

    /// Returns all objects by remote id.
    pub fn things(&self) -> BTreeMap<String, Thing> {
        self.inner().things.clone()
    }

    /// Returns how often an object was made, by key.
    pub fn created(&self) -> BTreeMap<String, u32> {
        self.inner().created.clone()
    }

    /// Returns how often the world was changed.
    pub fn effect_count(&self) -> u64 {
        self.inner().effect_count
    }

    /// Returns what happened, in order.
    pub fn log(&self) -> Vec<Happening> {
        self.inner().log.clone()
    }

    /// Returns what calls found wrong with their caller.
    pub fn complaints(&self) -> Vec<String> {
        self.inner().complaints.clone()
    }

    /// Returns the addresses of which a call of a verb began, by how often.
    pub fn call_count(&self, address: &str, verb: &'static str) -> u32 {
        self.inner().calls.get(&(address.to_owned(), verb)).copied().unwrap_or(0)
    }

    /// Returns the provider whose types live in this world.
    ///
    /// `toy_thing` can look keys up; `toy_idem` says that repeating a create is harmless (and it is); `toy_late` shows
    /// what it made only after a while; `toy_blind` cannot look anything up.
    pub fn provider(self: &Arc<Self>) -> Provider {
        let toy = |kind| Toy { world: Arc::clone(self), kind };
        Provider::new("toy")
            .resource("toy_thing", toy(ToyKind::Thing))
            .resource("toy_idem", toy(ToyKind::Idempotent))
            .resource("toy_late", toy(ToyKind::Late))
            .resource("toy_blind", toy(ToyKind::Blind))
            .resource("toy_prompt", toy(ToyKind::Prompt))
            .data_source("toy_data", ToyData { world: Arc::clone(self) })
    }

    fn note(&self, happening: Happening) {
        self.inner().log.push(happening);
    }

    pub(crate) fn complain(&self, what: String) {
        self.inner().complaints.push(what);
    }

    /// Counts a call and returns which fault it has, if any; only the first two calls of a verb have one.
    pub(crate) fn begin(&self, ctx: &Context, verb: &'static str) -> Option<Fault> {
        let mut inner = self.inner();
        inner.now = ctx.clock().now();
        let address = ctx.info().address.to_string();
        inner.log.push(Happening::Begin(address.clone(), verb));
        let count = inner.calls.entry((address.clone(), verb)).or_default();
        *count += 1;
        match *count {
            1 => inner.faults.get(&(address, verb)).copied(),
            2 => inner.second_faults.get(&(address, verb)).copied(),
            _ => None,
        }
    }

    /// Changes the world and dies right after it, if it is time to.
    async fn effect<T>(
        &self,
        ctx: &Context,
        change: impl FnOnce(&mut BTreeMap<String, Thing>, &mut BTreeMap<String, u32>) -> T,
    ) -> T {
        let (result, process) = {
            let mut inner = self.inner();
            let Inner { things, created, .. } = &mut *inner;
            let result = change(things, created);
            inner.now = ctx.clock().now();
            let number = inner.effect_count;
            inner.effect_count += 1;
            let dies = inner.die_after_effect == Some(number);
            if dies {
                inner.die_after_effect = None;
            }
            (result, inner.process.clone().filter(|_| dies))
        };
        if let Some(process) = process {
            process.die();
            pending::<()>().await;
        }
        result
    }

    /// Takes a time that depends on the seed, the address, the verb and how often it was called.
    pub(crate) async fn linger(&self, ctx: &Context, verb: &'static str, part: u8) {
        let count = self.call_count(&ctx.info().address, verb);
        let mut hash = DefaultHasher::new();
        (self.seed, &ctx.info().address, verb, count, part).hash(&mut hash);
        ctx.clock().sleep(Duration::from_millis(hash.finish() % 40)).await;
    }

    /// Counts a change of the world that was made elsewhere, and dies right after it, if it is time to.
    pub(crate) async fn touch(&self, ctx: &Context) {
        self.effect(ctx, |_, _| ()).await;
    }

    /// Returns what the journal on disk says.
    pub(crate) async fn journal(&self) -> Vec<Fact> {
        let Some((disk, run, sealer)) = self.inner().witness.clone() else { return Vec::new() };
        let journal = disk.load_journal(run).await.unwrap_or_default();
        journal.iter().filter_map(|record| decode_entry(record, &sealer).ok()).map(|entry| entry.fact).collect()
    }

    /// Complains unless the journal on disk says that this very step was started.
    async fn check_witness(&self, ctx: &Context, verb: &'static str) {
        let Some((disk, run, sealer)) = self.inner().witness.clone() else { return };
        let journal = disk.load_journal(run).await.unwrap_or_default();
        let entries = journal.iter().filter_map(|record| decode_entry(record, &sealer).ok());
        let wanted = ctx.info().object_id;
        let is_started = entries.into_iter().any(|entry| match entry.fact {
            Fact::Started { object_id, attempt, .. } => object_id == wanted && attempt == ctx.info().attempt,
            _ => false,
        });
        if !is_started {
            self.complain(format!("{verb} of {} began before its `started` was durable", ctx.info().address));
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("seed", &self.seed).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ToyKind {
    Thing,
    Idempotent,
    Late,
    Blind,
    Prompt,
}

/// A resource type of the world.
#[derive(Debug)]
struct Toy {
    world: Arc<World>,
    kind: ToyKind,
}

/// Returns the attributes of a toy; `None` is null.
pub fn attributes(name: &str, input: Option<&str>, id: &str) -> Value {
    let text = |text: Option<&str>| text.map_or_else(|| Value::null(Type::String), Value::string);
    Value::object([
        ("id", Value::string(id)),
        ("input", text(input)),
        ("name", Value::string(name)),
        ("secret", Value::string(format!("hunter2-{name}"))),
    ])
}

/// How long the objects of `toy_late` cannot be seen by `recover`.
const SETTLE: Duration = Duration::from_secs(30);

impl Toy {
    fn complete(planned: &Value, id: &str) -> Object {
        let entries = planned.entries().map(|(name, value)| {
            let value = if &**name == "id" { Value::string(id) } else { value.clone() };
            (Arc::clone(name), value)
        });
        Object::new(id, Value::object(entries))
    }

    /// Notes what happened to an object that is there afterwards; a prompt one works at once.
    fn note(&self, ctx: &Context, happening: Happening) {
        self.world.note(happening);
        if self.kind == ToyKind::Prompt {
            self.world.note(Happening::Ready(ctx.info().address.to_string()));
        }
    }

    fn check_planned(&self, ctx: &Context, planned: &Value) {
        let unknown: BTreeSet<&str> =
            planned.entries().filter(|(_, value)| !value.is_wholly_known()).map(|(name, _)| &**name).collect();
        if unknown.iter().any(|name| *name != "id") || !planned.marks_deep().is_empty() {
            self.world.complain(format!("{} was handed unknowns {unknown:?} or marks", ctx.info().address));
        }
        if ctx.is_cancelled() {
            self.world.complain(format!("{} was called with a cancelled context", ctx.info().address));
        }
    }
}

fn failed(effect: Effect) -> Error {
    Error::new(ErrorKind::Unavailable, "resource.failed", "the cloud failed on purpose").effect(effect)
}

/// Ends a call the way its fault says: before its effect (`true`) or after it.
pub(crate) async fn strike(fault: Option<Fault>, before: bool) -> Option<Error> {
    match (fault?, before) {
        (Fault::Refuse, true) => Some(failed(Effect::None)),
        (Fault::LostBefore, true) | (Fault::LostAfter, false) => Some(failed(Effect::Unknown)),
        (Fault::PanicBefore, true) | (Fault::PanicAfter, false) => resume_unwind(Box::new("on purpose")),
        (Fault::HangBefore, true) | (Fault::HangAfter, false) => pending().await,
        _ => None,
    }
}

#[async_trait]
impl Resource for Toy {
    fn schema(&self) -> Arc<Schema> {
        Arc::new(
            Schema::new(1)
                .attribute("id", Attribute::computed(Type::String))
                .attribute("input", Attribute::optional(Type::String))
                .attribute("name", Attribute::required(Type::String))
                .attribute("secret", Attribute::optional(Type::String).sensitive()),
        )
    }

    fn traits(&self) -> Traits {
        Traits {
            idempotent_create: self.kind == ToyKind::Idempotent,
            settle: if self.kind == ToyKind::Late { SETTLE } else { Duration::ZERO },
            ready_at_once: self.kind == ToyKind::Prompt,
            ready_timeout: Duration::from_secs(5),
            ready_interval: Duration::from_millis(10),
            call_timeout: Duration::from_secs(3),
            ..Traits::default()
        }
    }

    async fn validate(&self, _ctx: &Context, config: &Value) -> Result<()> {
        let input = config.attribute("input").and_then(Value::as_str);
        if self.world.inner().picky && input.is_some() {
            return Err(Error::new(ErrorKind::InvalidInput, "toy.input", "it takes no input"));
        }
        Ok(())
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        let fault = self.world.begin(ctx, "create");
        self.check_planned(ctx, &planned);
        self.world.check_paid(ctx);
        self.world.check_witness(ctx, "create").await;
        self.world.linger(ctx, "create", 0).await;
        if let Some(error) = strike(fault, true).await {
            return Outcome::failed(error);
        }
        let key = ctx.idempotency_key();
        let idempotent = self.kind == ToyKind::Idempotent;
        let made_at = Moment(ctx.clock().now());
        let id = self
            .world
            .effect(ctx, |things, created| {
                let known = things.iter().find(|(_, thing)| idempotent && thing.key == key).map(|(id, _)| id.clone());
                known.unwrap_or_else(|| {
                    let count = created.entry(key.clone()).or_default();
                    *count += 1;
                    let id = if *count == 1 { format!("r-{key}") } else { format!("r-{key}-{count}") };
                    let attributes = Toy::complete(&planned, &id).attributes;
                    things.insert(id.clone(), Thing { key: key.clone(), made_at, attributes });
                    id
                })
            })
            .await;
        if self.kind == ToyKind::Blind && ctx.checkpoint(&id, None).await.is_err() {
            return Outcome::failed(failed(Effect::Unknown));
        }
        self.world.linger(ctx, "create", 1).await;
        if let Some(error) = strike(fault, false).await {
            return Outcome::failed(error);
        }
        let mut object = Toy::complete(&planned, &id);
        match fault {
            Some(Fault::Partial) => return Outcome::partial(object, failed(Effect::None)),
            Some(Fault::Inconsistent) => {
                object.attributes = attributes("somebody else", None, &id);
                let changed = object.attributes.clone();
                self.world
                    .effect(ctx, |things, _| {
                        things.entry(id).and_modify(|thing| thing.attributes = changed);
                    })
                    .await;
            }
            _ => self.note(ctx, Happening::Done(ctx.info().address.to_string(), "create")),
        }
        Outcome::complete(object)
    }

    async fn read(&self, ctx: &Context, object: &Object) -> Result<Option<Object>> {
        let found = self.world.things().get(&object.id).map(|thing| Object::new(&object.id, thing.attributes.clone()));
        if found.is_some() {
            self.note(ctx, Happening::Recovered(ctx.info().address.to_string()));
        }
        Ok(found)
    }

    async fn update(&self, ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        let fault = self.world.begin(ctx, "update");
        self.check_planned(ctx, &planned);
        self.world.check_witness(ctx, "update").await;
        self.world.linger(ctx, "update", 0).await;
        if let Some(error) = strike(fault, true).await {
            return Outcome::failed(error);
        }
        let object = match fault {
            Some(Fault::Partial | Fault::Inconsistent) => Object::new(&prior.id, attributes("half", None, &prior.id)),
            _ => Toy::complete(&planned, &prior.id),
        };
        let changed = object.attributes.clone();
        let found = self
            .world
            .effect(ctx, |things, _| things.get_mut(&prior.id).map(|thing| thing.attributes = changed).is_some())
            .await;
        self.world.linger(ctx, "update", 1).await;
        if let Some(error) = strike(fault, false).await {
            return Outcome::failed(error);
        }
        match fault {
            _ if !found => Outcome { object: ObjectState::Gone, problems: vec![failed(Effect::None)] },
            Some(Fault::Partial) => Outcome::partial(object, failed(Effect::None)),
            Some(Fault::Inconsistent) => Outcome::complete(object),
            _ => {
                self.note(ctx, Happening::Done(ctx.info().address.to_string(), "update"));
                Outcome::complete(object)
            }
        }
    }

    async fn delete(&self, ctx: &Context, prior: &Object) -> Outcome {
        let fault = self.world.begin(ctx, "delete");
        self.world.check_witness(ctx, "delete").await;
        self.world.linger(ctx, "delete", 0).await;
        if let Some(error) = strike(fault, true).await {
            return Outcome::failed(error);
        }
        if matches!(fault, Some(Fault::Partial | Fault::Inconsistent)) {
            return Outcome::partial(prior.clone(), failed(Effect::None));
        }
        self.world.effect(ctx, |things, _| things.remove(&prior.id)).await;
        self.world.linger(ctx, "delete", 1).await;
        if let Some(error) = strike(fault, false).await {
            return Outcome::failed(error);
        }
        self.world.note(Happening::Done(ctx.info().address.to_string(), "delete"));
        Outcome::gone()
    }

    async fn ready(&self, ctx: &Context, object: &Object) -> Result<Readiness> {
        let fault = self.world.begin(ctx, "ready");
        if self.kind == ToyKind::Prompt {
            self.world.complain(format!("{} was asked whether it is ready", ctx.info().address));
        }
        let never = fault == Some(Fault::NeverReady)
            || self.world.inner().faults.get(&(ctx.info().address.to_string(), "ready")) == Some(&Fault::NeverReady);
        let mut hash = DefaultHasher::new();
        (self.world.seed, &ctx.info().address).hash(&mut hash);
        let polls = u32::try_from(hash.finish() % 4).unwrap_or(0);
        if never || self.world.call_count(&ctx.info().address, "ready") <= polls {
            return Ok(Readiness::NotYet { reason: "it is warming up".to_owned() });
        }
        self.world.note(Happening::Ready(ctx.info().address.to_string()));
        Ok(Readiness::Ready(object.clone()))
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        let address = ctx.info().address.to_string();
        self.world.begin(ctx, "recover");
        if let Some(id) = evidence.prior.as_ref().map(|prior| prior.id.clone()) {
            let found = self.world.things().get(&id).map(|thing| Object::new(&id, thing.attributes.clone()));
            self.note(ctx, Happening::Recovered(address));
            return Ok(found.map_or(Recovery::Absent, Recovery::Found));
        }
        if self.kind == ToyKind::Blind && evidence.id.is_none() {
            return Ok(Recovery::CannotTell { reason: "this cloud has no index".to_owned() });
        }
        let key = ctx.idempotency_key();
        let found = self.world.things().into_iter().find(|(_, thing)| thing.key == key);
        let now = ctx.clock().now();
        let is_visible = |thing: &Thing| now.since(thing.made_at.0) >= self.traits().settle;
        Ok(match found.filter(|(_, thing)| is_visible(thing)) {
            Some((id, thing)) => {
                self.note(ctx, Happening::Recovered(address));
                Recovery::Found(Object::new(id, thing.attributes))
            }
            None => Recovery::Absent,
        })
    }
}

/// A data source.
#[derive(Debug)]
struct ToyData {
    world: Arc<World>,
}

#[async_trait]
impl DataSource for ToyData {
    fn schema(&self) -> Arc<Schema> {
        Arc::new(
            Schema::new(1)
                .attribute("name", Attribute::required(Type::String))
                .attribute("id", Attribute::computed(Type::String)),
        )
    }

    async fn read(&self, ctx: &Context, config: Value) -> Result<Value> {
        let fault = self.world.begin(ctx, "read");
        self.world.linger(ctx, "read", 0).await;
        if let Some(error) = strike(fault, true).await {
            return Err(error);
        }
        let number = {
            let mut inner = self.world.inner();
            inner.reads += u32::from(inner.fickle);
            inner.reads
        };
        self.world.note(Happening::Done(ctx.info().address.to_string(), "read"));
        let name = config.attribute("name").cloned().unwrap_or_else(|| Value::null(Type::String));
        Ok(Value::object([("name", name), ("id", Value::string(format!("answer {number}")))]))
    }
}

//! Resource types that break their contract in every verb: each breach ends in a coded error, no object is lost or made
//! twice, and once the type behaves again the stack heals.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use stackwright::{
    Error, ErrorKind, Result,
    event::{Clock, Timestamp},
    plan::Plan,
    resource::{
        Context, DataSource, Evidence, Object, Outcome, PlanRequest, PlanResponse, Readiness, Recovery, Resource,
    },
    schema::{Attribute, Schema},
    stack::{ApplyOptions, Engine, Import, PlanOptions, Settlement, Stack},
    state::{
        MemoryStore,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Options, Template},
    value::{Marks, Type, Value},
};
use stackwright_tests::process::TestClock;

/// A verb that breaks its contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Validate,
    Plan,
    PlanAgain,
    Create,
    Read,
    Update,
    Delete,
    Ready,
    Recover,
    Import,
    Data,
}

/// How it breaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mischief {
    /// It panics; the message quotes a secret.
    Panics,
    /// It never comes back.
    Hangs,
    /// It returns an unknown value.
    Unknown,
    /// It returns something that is no object of its schema.
    Nonsense,
    /// It returns an attribute that the schema does not have.
    Surplus,
    /// It returns a known attribute with another value than was asked for.
    Changed,
    /// It returns an object without an id.
    Nameless,
    /// It says that all went well and that there is nothing.
    Gone,
    /// It says that nothing happened, after it did.
    Denial,
    /// It floods observers before it does its work.
    Flood,
    /// It returns a text of a megabyte.
    Huge,
}

const SECRET: &str = "hunter2-of-mischief";

#[derive(Debug, Default)]
struct Inner {
    /// What exists: id to key and attributes.
    things: BTreeMap<String, (String, Value)>,
    made_count: u32,
    mischief: Vec<(Verb, Mischief)>,
    /// How often `plan` was called for an address; the second call of a change is right before it.
    plan_counts: BTreeMap<String, u32>,
}

/// A small cloud that outlives its types.
#[derive(Clone, Debug, Default)]
struct Cloud(Arc<Mutex<Inner>>);

impl Cloud {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mischief(&self, verb: Verb) -> Option<Mischief> {
        self.inner().mischief.iter().find(|(here, _)| *here == verb).map(|(_, mischief)| *mischief)
    }

    /// Does what any verb can do wrong before it answers.
    async fn act(&self, ctx: &Context, verb: Verb) -> Option<Mischief> {
        let mischief = self.mischief(verb);
        match mischief {
            Some(Mischief::Panics) => panic!("{SECRET}"),
            Some(Mischief::Hangs) => std::future::pending().await,
            Some(Mischief::Flood) => {
                for idx in 0..20_000 {
                    ctx.progress(&format!("{idx} of very many"));
                }
            }
            _ => {}
        }
        mischief
    }
}

/// Returns an answer as the mischief makes it.
fn twisted(mischief: Option<Mischief>, object: Object) -> Object {
    let with = |name: &str, value: Value| {
        let mut entries: BTreeMap<_, _> =
            object.attributes.entries().map(|(key, old)| (key.clone(), old.clone())).collect();
        entries.insert(name.into(), value);
        Object::new(object.id.clone(), Value::object(entries))
    };
    match mischief {
        Some(Mischief::Unknown) => with("note", Value::unknown(Type::String)),
        Some(Mischief::Nonsense) => Object::new(object.id.clone(), Value::tuple(vec![Value::string(SECRET)])),
        Some(Mischief::Surplus) => with("surplus", Value::string("here I am")),
        Some(Mischief::Changed) => with("name", Value::string("another name")),
        Some(Mischief::Nameless) => Object::new("", object.attributes),
        Some(Mischief::Huge) => with("note", Value::string("x".repeat(1_000_000))),
        _ => object,
    }
}

#[derive(Debug)]
struct Thing(Cloud);

fn schema() -> Arc<Schema> {
    Arc::new(
        Schema::new(0)
            .attribute("name", Attribute::required(Type::String))
            .attribute("size", Attribute::optional(Type::Number))
            .attribute("secret", Attribute::optional(Type::String).sensitive())
            .attribute("id", Attribute::computed(Type::String))
            .attribute("note", Attribute::computed(Type::String)),
    )
}

fn filled(planned: &Value, id: &str) -> Value {
    Value::object(planned.entries().map(|(name, value)| {
        let value = match &**name {
            "id" => Value::string(id),
            "note" => Value::string("made"),
            _ => value.clone(),
        };
        (name.clone(), value)
    }))
}

#[async_trait]
impl Resource for Thing {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    async fn validate(&self, ctx: &Context, _: &Value) -> Result<()> {
        match self.0.act(ctx, Verb::Validate).await {
            Some(Mischief::Denial) => Err(Error::new(ErrorKind::InvalidInput, "Not a code!", "it is not to my liking")),
            _ => Ok(()),
        }
    }

    async fn plan(&self, ctx: &Context, request: PlanRequest) -> Result<PlanResponse> {
        let again = {
            let mut inner = self.0.inner();
            let count = inner.plan_counts.entry(ctx.info().address.to_string()).or_default();
            *count += 1;
            *count > 1
        };
        let verb = if again { Verb::PlanAgain } else { Verb::Plan };
        let mischief = self.0.act(ctx, verb).await;
        let planned = match mischief {
            Some(Mischief::Gone) => Value::null(Type::Any),
            mischief => twisted(mischief, Object::new("", request.proposed)).attributes,
        };
        Ok(PlanResponse { planned, requires_replace: Vec::new(), private: None })
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        let (id, object) = {
            let mut inner = self.0.inner();
            let key = ctx.idempotency_key();
            let known = inner.things.iter().find(|(_, thing)| thing.0 == key).map(|(id, _)| id.clone());
            let id = known.unwrap_or_else(|| {
                inner.made_count += 1;
                format!("thing-{}", inner.made_count)
            });
            let attributes = filled(&planned, &id);
            inner.things.insert(id.clone(), (key, attributes.clone()));
            (id.clone(), Object::new(id, attributes))
        };
        match self.0.act(ctx, Verb::Create).await {
            Some(Mischief::Gone) => Outcome::gone(),
            Some(Mischief::Denial) => {
                let lie = Error::new(ErrorKind::Unavailable, "thing.failed", "nothing happened, I swear");
                Outcome::failed(lie.effect(stackwright::error::Effect::Unknown))
            }
            mischief => {
                debug_assert_eq!(id, object.id);
                Outcome::complete(twisted(mischief, object))
            }
        }
    }

    async fn read(&self, ctx: &Context, object: &Object) -> Result<Option<Object>> {
        let found = self.0.inner().things.get(&object.id).map(|(_, attributes)| attributes.clone());
        let found = found.map(|attributes| Object::new(object.id.clone(), attributes));
        let mischief = self.0.act(ctx, Verb::Read).await;
        Ok(found.map(|found| twisted(mischief, found)))
    }

    async fn update(&self, ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        let attributes = filled(&planned, &prior.id);
        if let Some(thing) = self.0.inner().things.get_mut(&prior.id) {
            thing.1 = attributes.clone();
        }
        match self.0.act(ctx, Verb::Update).await {
            Some(Mischief::Gone) => Outcome::gone(),
            Some(Mischief::Denial) => {
                Outcome { object: stackwright::resource::ObjectState::Unchanged, problems: Vec::new() }
            }
            mischief => Outcome::complete(twisted(mischief, Object::new(prior.id.clone(), attributes))),
        }
    }

    async fn delete(&self, ctx: &Context, prior: &Object) -> Outcome {
        self.0.inner().things.remove(&prior.id);
        match self.0.act(ctx, Verb::Delete).await {
            Some(Mischief::Denial) => {
                Outcome { object: stackwright::resource::ObjectState::Unchanged, problems: Vec::new() }
            }
            None | Some(Mischief::Flood | Mischief::Gone) => Outcome::gone(),
            mischief => Outcome::complete(twisted(mischief, prior.clone())),
        }
    }

    async fn import(&self, ctx: &Context, id: &str) -> Result<Option<Object>> {
        let found = self.0.inner().things.get(id).map(|(_, attributes)| Object::new(id, attributes.clone()));
        let mischief = self.0.act(ctx, Verb::Import).await;
        Ok(found.map(|found| twisted(mischief, found)))
    }

    async fn ready(&self, ctx: &Context, object: &Object) -> Result<Readiness> {
        let mischief = self.0.act(ctx, Verb::Ready).await;
        Ok(Readiness::Ready(twisted(mischief, object.clone())))
    }

    async fn recover(&self, ctx: &Context, _: &Evidence) -> Result<Recovery> {
        let key = ctx.idempotency_key();
        let found = self
            .0
            .inner()
            .things
            .iter()
            .find(|(_, thing)| thing.0 == key)
            .map(|(id, thing)| Object::new(id, thing.1.clone()));
        let mischief = self.0.act(ctx, Verb::Recover).await;
        Ok(found.map_or(Recovery::Absent, |found| Recovery::Found(twisted(mischief, found))))
    }
}

#[derive(Debug)]
struct Fact(Cloud);

#[async_trait]
impl DataSource for Fact {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    async fn read(&self, ctx: &Context, config: Value) -> Result<Value> {
        let mischief = self.0.act(ctx, Verb::Data).await;
        Ok(twisted(mischief, Object::new("", filled(&config, "fact"))).attributes)
    }
}

const BEFORE: &str = "resource \"test_thing\" \"a\" {\n  name = \"a\"\n  secret = \"hunter2-of-mischief\"\n}\n";
const AFTER: &str =
    "resource \"test_thing\" \"a\" {\n  name = \"a\"\n  size = 2\n  secret = \"hunter2-of-mischief\"\n}\n";
/// What `b` is made of is not known before `a` is there.
const LATE: &str = "resource \"test_thing\" \"a\" {\n  name = \"a\"\n}\nresource \"test_thing\" \"b\" {\n  name = test_thing.a.id\n}\n";
const DATA: &str = "data \"test_fact\" \"f\" {\n  name = \"f\"\n}\noutput \"id\" {\n  value = data.test_fact.f.id\n}\n";

struct Stage {
    cloud: Cloud,
    stack: Stack,
    /// All that anybody was told.
    told: String,
}

impl Stage {
    fn new() -> Self {
        let cloud = Cloud::default();
        let engine = Engine::builder()
            .store(MemoryStore::new())
            .cipher(AesGcmCipher::new(Key::generate().expect("random bytes")))
            .clock(Arc::new(TestClock::beginning(Timestamp(1_000_000))) as Arc<dyn Clock>)
            .resource("test_thing", Thing(cloud.clone()))
            .data_source("test_fact", Fact(cloud.clone()))
            .build()
            .expect("an engine");
        Self { cloud, stack: engine.stack("acme", "shop"), told: String::new() }
    }

    fn note(&mut self, error: &Error) -> String {
        let _ = writeln!(self.told, "{} {error:?}", error.report());
        let inner: Vec<_> = error.diagnostics().iter().map(|found| found.code.to_string()).collect();
        for found in error.diagnostics() {
            let _ = writeln!(self.told, "{found:?}");
        }
        if inner.is_empty() { error.code().to_owned() } else { format!("{} ({})", error.code(), inner.join(", ")) }
    }

    async fn plan(&mut self, text: &str, options: PlanOptions) -> Result<Plan, String> {
        let (template, problems) = Template::parse(&Files::from_texts([("main.tf", text)]), &Options::default());
        assert_eq!(problems, []);
        self.cloud.inner().plan_counts.clear();
        match self.stack.plan(&template, options).await {
            Ok(plan) => Ok(plan),
            Err(error) => Err(self.note(&error)),
        }
    }

    /// Plans and applies; returns how far that came.
    async fn go(&mut self, text: &str, options: PlanOptions) -> String {
        let plan = match self.plan(text, options).await {
            Ok(plan) => plan,
            Err(code) => return format!("plan refused: {code}"),
        };
        let run = match self.stack.apply(plan, ApplyOptions::default()).await {
            Ok(run) => run,
            Err(error) => return format!("apply refused: {}", self.note(&error)),
        };
        let report = run.finish().await.expect("a report");
        let mut line = report.status.as_str().to_owned();
        for problem in &report.problems {
            let _ = write!(line, " {}", problem.error.code);
            let _ = writeln!(self.told, "{problem:?}");
        }
        line
    }

    async fn rows(&self) -> String {
        let state = self.stack.state().await.expect("state can be read");
        let rows = state.rows.iter().map(|row| format!("{:?} {}", row.status, row.remote_id.as_deref().unwrap_or("-")));
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable_by_key(|row| row.rsplit(' ').next().map(str::to_owned));
        rows.join(", ")
    }

    fn things(&self) -> String {
        self.cloud.inner().things.keys().cloned().collect::<Vec<_>>().join(", ")
    }
}

/// Tells the story of one breach, from which the expected text is made.
async fn story(verb: Verb, mischief: Mischief) -> String {
    let mut stage = Stage::new();
    let normal = PlanOptions::default;
    let destroy = || PlanOptions::default().mode(stackwright::plan::Mode::Destroy);
    let (text, options) = match verb {
        Verb::Update | Verb::Read | Verb::Delete => {
            assert_eq!(stage.go(BEFORE, normal()).await, "succeeded");
            (AFTER, if verb == Verb::Delete { destroy() } else { normal() })
        }
        Verb::Import => {
            let attributes = filled(
                &Value::object([
                    ("name", Value::string("a")),
                    ("size", Value::null(Type::Number)),
                    ("secret", Value::string(SECRET)),
                    ("id", Value::null(Type::String)),
                    ("note", Value::null(Type::String)),
                ]),
                "thing-0",
            );
            stage.cloud.inner().things.insert("thing-0".to_owned(), (String::new(), attributes));
            let import = Import { address: "test_thing.a".parse().expect("an address"), id: "thing-0".to_owned() };
            (BEFORE, PlanOptions { imports: vec![import], ..normal() })
        }
        Verb::Data => (DATA, normal()),
        Verb::PlanAgain => (LATE, normal()),
        _ => (BEFORE, normal()),
    };
    stage.cloud.inner().mischief = match verb {
        // The first call is lost, so that somebody has to ask what became of it.
        Verb::Recover => vec![(Verb::Create, Mischief::Denial), (verb, mischief)],
        _ => vec![(verb, mischief)],
    };
    let told = stage.go(text, options).await;
    let rows = stage.rows().await;
    let mut line = format!("{verb:?} {mischief:?}: {told}; rows [{rows}]; there [{}]", stage.things());
    assert!(!stage.told.contains(SECRET), "{line}: a secret is told: {}", stage.told);
    // The type is mended: two applies later nothing is left to do, and there is exactly what state knows.
    stage.cloud.inner().mischief.clear();
    let goal = match verb {
        Verb::Data => DATA,
        Verb::PlanAgain => LATE,
        _ => AFTER,
    };
    if stage.stack.unfinished_run().await.expect("a store").is_some() {
        line.push_str("; unfinished");
    }
    let again = stage.go(goal, normal()).await;
    if again.contains("plan.uncertain") {
        let address = "test_thing.a".parse().expect("an address");
        // It cannot be replaced, since nobody could delete it; a person finds it, and it is taken in.
        let refused = stage.stack.settle(&address, Settlement::Tainted).await.expect_err("its id is not known");
        assert_eq!(refused.code(), "state.unknown_id");
        stage.stack.settle(&address, Settlement::Absent).await.expect("it can be settled");
        let import = Import { address, id: "thing-1".to_owned() };
        let imported = stage.go(BEFORE, PlanOptions { imports: vec![import], ..normal() }).await;
        let _ = write!(line, "; settled and imported: {imported}");
    }
    let again = if again == "succeeded" { again } else { format!("{again}, then {}", stage.go(goal, normal()).await) };
    let rest = stage.plan(goal, normal()).await.map(|plan| plan.is_empty());
    let _ = write!(line, "; mended: {again}, rows [{}], there [{}]", stage.rows().await, stage.things());
    assert_eq!(rest, Ok(true), "{line}: something is left to do");
    let known: Vec<String> =
        stage.stack.state().await.expect("state").rows.into_iter().filter_map(|row| row.remote_id).collect();
    let mut unknown = stage.cloud.inner().things.keys().filter(|id| !known.contains(id)).cloned().collect::<Vec<_>>();
    // What was there before the stack and could not be imported is not the stack's.
    unknown.retain(|id| id != "thing-0");
    assert_eq!(unknown, Vec::<String>::new(), "{line}: an object is lost");
    line
}

#[tokio::test(start_paused = true)]
async fn every_breach_of_contract_ends_in_a_coded_error() {
    use Mischief as M;
    use Verb as V;

    // What is expected of a panic is not to be seen in the test's output.
    std::panic::set_hook(Box::new(|_| {}));
    let answers = [M::Unknown, M::Nonsense, M::Surplus, M::Changed, M::Nameless, M::Gone, M::Denial, M::Huge];
    let mut found = String::new();
    for verb in [
        V::Validate,
        V::Plan,
        V::PlanAgain,
        V::Create,
        V::Read,
        V::Update,
        V::Delete,
        V::Ready,
        V::Recover,
        V::Import,
        V::Data,
    ] {
        let mut kinds = vec![M::Panics, M::Hangs, M::Flood];
        match verb {
            V::Validate => kinds.push(M::Denial),
            V::Create | V::Update => kinds.extend(answers),
            V::Plan | V::PlanAgain => kinds.extend([M::Unknown, M::Nonsense, M::Surplus, M::Changed, M::Gone]),
            V::Delete => kinds.extend([M::Unknown, M::Nonsense, M::Surplus, M::Nameless, M::Denial]),
            V::Read | V::Ready | V::Recover | V::Import => {
                kinds.extend([M::Unknown, M::Nonsense, M::Surplus, M::Changed, M::Nameless, M::Huge]);
            }
            V::Data => kinds.extend([M::Unknown, M::Nonsense, M::Surplus, M::Changed, M::Huge]),
        }
        for mischief in kinds {
            let story = tokio::time::timeout(Duration::from_secs(100_000), story(verb, mischief)).await;
            found.push_str(&story.unwrap_or_else(|_| format!("{verb:?} {mischief:?}: NEVER ENDS")));
            found.push('\n');
        }
    }
    let _ = std::panic::take_hook();
    let expected = include_str!("hostile.txt");
    assert!(found == expected, "the stories are others now:\n{found}");
}

/// What is shown of sensitive values stays hidden, whatever a type returned.
#[tokio::test(start_paused = true)]
async fn what_a_type_returns_is_marked_by_its_schema() {
    let mut stage = Stage::new();
    assert_eq!(stage.go(BEFORE, PlanOptions::default()).await, "succeeded");
    let state = stage.stack.state().await.expect("state");
    let secret = state.rows[0].attributes.attribute("secret").expect("an attribute");
    assert!(secret.marks().contains(Marks::SENSITIVE));
}

//! Locked tags from the engine to the objects: across processes, crashes, rollbacks and installations.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde_json::json;
use stackwright::{
    Error, ErrorKind, Result,
    application::{
        Actor, CarryOptions, Decision, Installation, OperationReport, Parcel, Permission, Platform, Policy, Proposal,
        ProposeOptions, Standing,
    },
    catalog::PackageFiles,
    event::{Clock, SystemClock, Timestamp},
    form::{Inputs, Widgets},
    plan::{Action, Mode, Plan},
    resource::{Context, Evidence, Object, Outcome, Recovery, Resource},
    run::OnFailure,
    schema::{Attribute, Schema},
    stack::{ApplyOptions, Engine, EngineBuilder, PlanOptions, Stack},
    state::{
        MemoryStore, RunStatus, Store,
        cipher::{AesGcmCipher, Key},
        testing::{Faults, FaultyStore},
    },
    template::{Files, Template},
    value::{Type, Value},
};

type Tags = BTreeMap<String, String>;

/// What there is, by key: the labels that it bears, and the tags of the last call that changed it.
#[derive(Clone, Debug, Default)]
struct World(Arc<Mutex<BTreeMap<String, (Tags, Tags)>>>);

impl World {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (Tags, Tags)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the labels of everything that there is.
    fn labels(&self) -> Vec<Tags> {
        self.lock().values().map(|(labels, _)| labels.clone()).collect()
    }
}

/// A type that takes tags as `labels`, at most four of them.
#[derive(Clone, Debug)]
struct Box_(World);

fn labels(object: &Value) -> Tags {
    let all = object.attribute("labels").expect("the schema has it").entries();
    all.map(|(key, value)| (key.to_string(), value.as_str().expect("known").to_owned())).collect()
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let others = object.entries().filter(|(other, _)| &***other != name);
    Value::object(others.map(|(name, value)| (Arc::clone(name), value.clone())).chain([(Arc::from(name), value)]))
}

fn map(tags: &Tags) -> Value {
    Value::map(Type::String, tags.iter().map(|(key, value)| (key.as_str(), Value::string(value.as_str()))))
}

impl Box_ {
    fn put(&self, ctx: &Context, id: &str, planned: &Value) -> Outcome {
        if planned.attribute("name").and_then(Value::as_str) == Some("cursed") {
            return Outcome::failed(Error::new(ErrorKind::Denied, "box.cursed", "it cannot be"));
        }
        let tags = ctx.info().tags.clone();
        self.0.lock().insert(id.to_owned(), (labels(planned), tags));
        Outcome::complete(Object::new(id, with(planned, "id", Value::string(id))))
    }

    fn found(&self, id: &str, attributes: &Value) -> Option<Object> {
        let (labels, _) = self.0.lock().get(id)?.clone();
        let attributes = with(&with(attributes, "id", Value::string(id)), "labels", map(&labels));
        Some(Object::new(id, attributes))
    }
}

#[async_trait]
impl Resource for Box_ {
    fn schema(&self) -> Arc<Schema> {
        let schema = Schema::new(0)
            .attribute("id", Attribute::computed(Type::String))
            .attribute("name", Attribute::required(Type::String))
            .attribute("labels", Attribute::optional(Type::map(Type::String)).length(0, Some(6)).takes_tags());
        Arc::new(schema)
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        self.put(ctx, &ctx.idempotency_key(), &planned)
    }

    async fn read(&self, _: &Context, object: &Object) -> Result<Option<Object>> {
        Ok(self.found(&object.id, &object.attributes))
    }

    async fn update(&self, ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        self.put(ctx, &prior.id, &planned)
    }

    async fn delete(&self, _: &Context, prior: &Object) -> Outcome {
        self.0.lock().remove(&prior.id);
        Outcome::gone()
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        let planned = evidence.planned.clone().or_else(|| Some(evidence.prior.as_ref()?.attributes.clone()));
        let id = evidence.id.clone().unwrap_or_else(|| ctx.idempotency_key());
        Ok(match planned.and_then(|planned| self.found(&id, &planned)) {
            Some(found) => Recovery::Found(found),
            None => Recovery::Absent,
        })
    }
}

/// Time as the machine has it, and later by as much as a test says.
#[derive(Clone, Debug, Default)]
struct Later(SystemClock, Arc<AtomicU64>);

#[async_trait]
impl Clock for Later {
    fn now(&self) -> Timestamp {
        self.0.now().plus(Duration::from_secs(self.1.load(Ordering::SeqCst)))
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    async fn sleep(&self, span: Duration) {
        self.0.sleep(span).await;
    }
}

/// A world and a disk, which outlive hosts.
#[derive(Clone, Default)]
struct Stage {
    world: World,
    disk: Arc<MemoryStore>,
    clock: Later,
}

impl Stage {
    fn builder(&self, store: Arc<dyn Store>) -> EngineBuilder {
        let key = Key::from_bytes(b"a key for tests: 32 known bytes!").expect("the text has 32 bytes");
        Engine::builder()
            .shared_store(store)
            .cipher(AesGcmCipher::new(key))
            .clock(Arc::new(self.clock.clone()))
            .resource("box", Box_(self.world.clone()))
    }

    /// Returns a stack of a host that locks one colour.
    fn stack(&self, colour: &str) -> Stack {
        self.builder(self.disk.clone()).tag("colour", colour).build().expect("an engine").stack("acme", "shop")
    }
}

fn template(text: &str) -> Template {
    let (template, problems) = Template::parse(&Files::from_texts([("main.tf", text)]), &Default::default());
    assert!(problems.is_empty(), "{problems:?}");
    template
}

/// Two boxes, the second with what the first comes to.
const TWO: &str = r#"
resource "box" "first" {
  name = "one"
}
resource "box" "second" {
  name   = "two"
  labels = { of = box.first.id == "" ? "nobody" : "first" }
}
"#;

fn locked(colour: &str) -> Tags {
    [("colour", colour), ("stackwright-stack", "shop"), ("stackwright-tenant", "acme")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Checks that everything bears the tags, and its own, and that whoever tags by itself was told the same.
fn assert_borne(world: &World, colour: &str, count: usize, what: &str) {
    let all = world.lock();
    assert_eq!(all.len(), count, "{what}");
    for (labels, told) in all.values() {
        let mut rest = labels.clone();
        rest.remove("of");
        assert_eq!((&rest, told), (&locked(colour), &locked(colour)), "{what}");
    }
}

async fn apply(stack: &Stack, plan: Plan) -> RunStatus {
    stack.apply(plan, ApplyOptions::default()).await.expect("begins").finish().await.expect("ends").status
}

async fn plan(stack: &Stack, text: &str) -> Plan {
    stack.plan(&template(text), PlanOptions::default()).await.expect("a plan")
}

fn actions(plan: &Plan) -> Vec<Action> {
    plan.changes.iter().map(|change| change.action).collect()
}

#[tokio::test]
async fn a_plan_takes_its_tags_along() {
    let stage = Stage::default();
    let (red, blue) = (stage.stack("red"), stage.stack("blue"));
    let made = plan(&red, TWO).await;
    assert!(made.to_string().contains("colour") && made.to_string().contains("stackwright-tenant"), "{made}");
    // Another process, configured otherwise, carries out what was approved.
    let carried = blue.open_plan(&red.seal_plan(&made).expect("sealed")).expect("opened");
    assert_eq!(apply(&blue, carried).await, RunStatus::Succeeded);
    assert_borne(&stage.world, "red", 2, "applied elsewhere");
    assert!(plan(&red, TWO).await.is_empty());
    // Its own plans say what it wants.
    let change = plan(&blue, TWO).await;
    assert_eq!(actions(&change), [Action::Update, Action::Update]);
    assert_eq!(apply(&blue, change).await, RunStatus::Succeeded);
    assert_borne(&stage.world, "blue", 2, "changed");
    assert!(plan(&blue, TWO).await.is_empty());
    // Somebody takes them away.
    stage.world.lock().values_mut().for_each(|(labels, _)| labels.clear());
    let mended = plan(&blue, TWO).await;
    assert_eq!((actions(&mended), mended.drift.len()), (vec![Action::Update, Action::Update], 2));
    assert_eq!(apply(&blue, mended).await, RunStatus::Succeeded);
    assert_borne(&stage.world, "blue", 2, "mended");
    // What is removed needs none.
    let options = PlanOptions::default().mode(Mode::Destroy);
    let gone = blue.plan(&template(TWO), options).await.expect("a plan");
    assert_eq!(apply(&blue, gone).await, RunStatus::Succeeded);
    assert!(stage.world.lock().is_empty());
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test]
fn a_crash_at_any_point_ends_with_the_tags_of_the_plan() {
    let (mut number, mut resumed) = (0, 0);
    loop {
        number += 1;
        let stage = Stage::default();
        let store = Arc::new(FaultyStore::new(stage.disk.clone(), Faults::die_after(number)).hang_when_dead());
        let runtime_of_the_dead = runtime();
        let is_done = runtime_of_the_dead.block_on(async {
            let engine = stage.builder(store.clone()).tag("colour", "red").build().expect("an engine");
            let stack = engine.stack("acme", "shop");
            let work = async { apply(&stack, plan(&stack, TWO).await).await };
            tokio::select! {
                biased;
                () = store.died() => false,
                status = work => status == RunStatus::Succeeded,
            }
        });
        // Dropped with everything that still runs: so a process ends.
        drop(runtime_of_the_dead);
        stage.clock.1.fetch_add(120, Ordering::SeqCst);
        runtime().block_on(async {
            let stack = stage.stack("blue");
            match stack.unfinished_run().await.expect("a list") {
                Some(run) => {
                    resumed += 1;
                    let run = stack.resume(run.id, ApplyOptions::default()).await.expect("resumes");
                    assert_eq!(run.finish().await.expect("ends").status, RunStatus::Succeeded, "write {number}");
                    assert_borne(&stage.world, "red", 2, &format!("write {number}"));
                    assert!(plan(&stage.stack("red"), TWO).await.is_empty(), "write {number}");
                }
                None => assert!(stage.world.lock().is_empty() || stage.world.lock().len() == 2, "write {number}"),
            }
        });
        if is_done {
            break;
        }
    }
    assert!(number > 6 && resumed > 4, "{resumed} of {number} crashes left a run");
}

#[tokio::test]
async fn a_rollback_puts_back_what_was_borne() {
    let stage = Stage::default();
    let (red, blue) = (stage.stack("red"), stage.stack("blue"));
    let first = plan(&red, TWO).await;
    assert_eq!(apply(&red, first).await, RunStatus::Succeeded);
    let worse =
        format!("{TWO}resource \"box\" \"third\" {{\n  name = box.second.id == \"\" ? \"x\" : \"cursed\"\n}}\n");
    let change = plan(&blue, &worse).await;
    let options = ApplyOptions { on_failure: OnFailure::Rollback, ..ApplyOptions::default() };
    // A third process is told to go back by what the plan says, not by what it locks itself.
    let report = stage.stack("green").apply(change, options).await.expect("begins").finish().await.expect("ends");
    assert!(report.status == RunStatus::Failed && report.undone_count.is_some(), "{report:?}");
    for (labels, told) in stage.world.lock().values() {
        assert_eq!(labels.get("colour").map(String::as_str), Some("red"));
        assert_eq!(told, &locked("blue"));
    }
}

#[tokio::test]
async fn what_a_template_says_against_them_is_told_with_its_place() {
    let stage = Stage::default();
    let stack = stage.stack("red");
    let text = "resource \"box\" \"a\" {\n  name = \"a\"\n  labels = {\n    colour = \"blue\"\n    \"stackwright-stack\" = \"mine\"\n  }\n}\n";
    let bad = template(text);
    let planned = stack.plan(&bad, PlanOptions::default()).await.expect_err("refused");
    assert_eq!(planned.code(), "plan.failed");
    for problems in [stack.validate(&bad), planned.diagnostics().to_vec()] {
        let told: Vec<_> = problems
            .iter()
            .map(|problem| {
                let span = problem.span().expect("a place");
                (&*problem.code, &text[span.start as usize..span.end as usize])
            })
            .collect();
        assert_eq!(
            told,
            [("plan.tag_locked", "colour = \"blue\""), ("plan.tag_locked", "\"stackwright-stack\" = \"mine\"")]
        );
        assert!(
            problems.iter().all(|problem| problem.help.as_ref().is_some_and(|help| help.contains("leave the tag out")))
        );
    }
    // As they are locked, they may be said; a host may lock more for one plan.
    let same = template("resource \"box\" \"a\" {\n name = \"a\"\n labels = { colour = \"red\" }\n}\n");
    assert!(stack.validate(&same).is_empty());
    let more = stack.plan(&same, PlanOptions::default().tag("colour", "pink").tag("of", "host")).await;
    assert_eq!(more.expect_err("it says red").diagnostics()[0].code, "plan.tag_locked");
    let full = template("resource \"box\" \"a\" {\n name = \"a\"\n labels = { a = 1, b = 1, c = 1, d = 1 }\n}\n");
    let error = stack.plan(&full, PlanOptions::default()).await.expect_err("too many");
    assert_eq!(error.diagnostics()[0].message, "with the locked tags, `labels` must have 0 to 6 elements");
    let error = stage.builder(stage.disk.clone()).tag("stackwright-x", "y").build().expect_err("it is reserved");
    assert_eq!(error.code(), "engine.tag_invalid");
}

#[derive(Debug)]
struct Everybody;

#[async_trait]
impl Policy for Everybody {
    async fn decide(&self, _: &Permission<'_>) -> Result<Decision> {
        Ok(Decision::Allow)
    }
}

const PACKAGED: &str = r#"
variable "name" { type = string }
variable "stackwright_app_tags" { type = map(string) }
resource "box" "plain" {
  name = "plain"
}
resource "box" "given" {
  name   = var.name
  labels = var.stackwright_app_tags
}
"#;

fn parcel(version: &str) -> Parcel {
    let manifest = format!("format: 1\nname: boxes\nversion: {version}\nform: form.yaml\n");
    let files: PackageFiles = [
        ("package.yaml", manifest.as_str()),
        ("form.yaml", "fields:\n- { name: name, widget: input }\n"),
        ("template/main.tf", PACKAGED),
    ]
    .map(|(path, text)| (Arc::from(path), Arc::from(text.as_bytes())))
    .into();
    Parcel::new(files, &Widgets::standard()).expect("a package")
}

fn installation(stage: &Stage, team: &str) -> Installation {
    let engine = stage.builder(stage.disk.clone()).tag("colour", "red").build().expect("an engine");
    let platform = Platform::builder(engine, Everybody).tag("team", team).build();
    platform.applications(Actor::new("acme", "alice")).installation("shop")
}

async fn carry(one: &Installation, proposal: Proposal) -> OperationReport {
    one.carry_out(proposal, &CarryOptions::default()).await.expect("begins").finish().await.expect("ends")
}

fn named(name: &str) -> Inputs {
    Inputs::of([("name", json!(name))])
}

#[tokio::test]
async fn what_is_installed_bears_whose_it_is() {
    let stage = Stage::default();
    let options = ProposeOptions::default();
    let shop = installation(&stage, "north");
    let proposal = shop.propose_install(&parcel("1.0.0"), &named("one"), &options).await.expect("a proposal");
    let app_id = proposal.app_id.to_string();
    assert!(carry(&shop, proposal).await.is_success());
    let expect = |team: &str| {
        let mut all = locked("red");
        let own = [("team", team), ("stackwright-app", &app_id), ("stackwright-package", "boxes")];
        all.extend(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
        all
    };
    assert_eq!(stage.world.labels(), [expect("north"), expect("north")]);
    // Another version alone touches nothing: it is in no tag.
    let next = shop.propose_upgrade(&parcel("1.1.0"), &Inputs::default(), &options).await.expect("a proposal");
    assert!(next.is_empty(), "{}", next.plan);
    assert!(carry(&shop, next).await.is_success());

    // The platform changes its mind; an upgrade then fails, is tried again, and is undone, by what it wants today.
    let shop = installation(&stage, "south");
    let worse = shop.propose_upgrade(&parcel("1.2.0"), &named("cursed"), &options).await.expect("a proposal");
    assert!(!carry(&shop, worse).await.is_success());
    let shop = installation(&stage, "west");
    let again = shop.propose_retry(&options).await.expect("what was remembered says nothing against today's tags");
    assert_eq!(again.plan.inputs.tags, expect("west"));
    let undone = shop.propose_undo(&options).await.expect("a proposal");
    assert!(carry(&shop, undone).await.is_success());
    assert_eq!(stage.world.labels(), [expect("west"), expect("west")]);
    let gone = shop.propose_uninstall(&options).await.expect("a proposal");
    assert_eq!(gone.plan.inputs.tags, expect("west"));
    assert!(carry(&shop, gone).await.is_success());
    assert_eq!(shop.view().await.expect("a view").standing, Standing::Removed);
    assert!(stage.world.lock().is_empty());
    // A platform locks no tag that is the engine's.
    let engine = stage.builder(stage.disk.clone()).build().expect("an engine");
    let platform = Platform::builder(engine, Everybody).tag("stackwright-app", "mine").build();
    let other = platform.applications(Actor::new("acme", "alice")).installation("other");
    let error = other.propose_install(&parcel("1.0.0"), &named("one"), &options).await.expect_err("refused");
    assert_eq!(error.code(), "engine.tag_invalid");
}

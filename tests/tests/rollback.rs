//! What is done before, while and after a failed run is undone, as whoever holds the engine sees it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use stackwright::{
    Error, ErrorKind, Result,
    event::Event,
    plan::{Plan, StepAction},
    resource::{
        Context, EphemeralResource, Object, Opened, Outcome, PlanRequest, PlanResponse, Provider, Renewed, Resource,
    },
    run::{OnFailure, RunReport},
    schema::{Attribute, Schema},
    stack::{ApplyOptions, Engine, OpenCall, PlanOptions, Stack},
    state::{
        MemoryStore, RunStatus,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Options, Template},
    value::{Type, Value},
};
use tokio::sync::Semaphore;

/// What happened, in order, and what holds deletes up.
#[derive(Debug)]
struct Log {
    lines: Mutex<Vec<String>>,
    gate: Semaphore,
}

impl Log {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, line: impl Into<String>) {
        self.lines().push(line.into());
    }

    /// Returns once a line is there; panics when other tasks had many turns and it is not.
    async fn until(&self, line: &str) {
        for _ in 0..100_000 {
            if self.lines().iter().any(|found| found == line) {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("no `{line}`: {:?}", self.lines());
    }
}

fn text(value: &Value, name: &str) -> String {
    value.attribute(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn with(value: &Value, name: &str, text: &str) -> Value {
    let parts = value.entries().map(|(key, part)| {
        let part = if &**key == name { Value::string(text) } else { part.clone() };
        (Arc::clone(key), part)
    });
    Value::object(parts.collect::<Vec<_>>())
}

/// A thing whose label follows from its name, which only planning works out. One that is called `bad` cannot be made,
/// one that is called `slow` waits at the gate before it goes.
#[derive(Debug)]
struct Thing(Arc<Log>);

#[async_trait]
impl Resource for Thing {
    fn schema(&self) -> Arc<Schema> {
        let schema = Schema::new(0)
            .attribute("name", Attribute::required(Type::String))
            .attribute("after", Attribute::optional(Type::String))
            .attribute("token", Attribute::optional(Type::String).write_only())
            .attribute("label", Attribute::computed(Type::String))
            .attribute("id", Attribute::computed(Type::String));
        Arc::new(schema)
    }

    async fn plan(&self, _: &Context, request: PlanRequest) -> Result<PlanResponse> {
        let label = format!("label of {}", text(&request.proposed, "name"));
        let planned = with(&request.proposed, "label", &label);
        Ok(PlanResponse { planned, requires_replace: Vec::new(), private: None })
    }

    async fn create(&self, _: &Context, planned: Value) -> Outcome {
        let name = text(&planned, "name");
        if name == "bad" {
            self.0.say("refuse bad");
            return Outcome::failed(Error::new(ErrorKind::Unavailable, "test.failed", "it does not want to be"));
        }
        self.0.say(format!("create {name}, {}", text(&planned, "label")));
        Outcome::complete(Object::new(name.clone(), with(&planned, "id", &name)))
    }

    async fn read(&self, _: &Context, object: &Object) -> Result<Option<Object>> {
        Ok(Some(object.clone()))
    }

    async fn update(&self, _: &Context, prior: &Object, planned: Value) -> Outcome {
        self.0.say(format!("update {}, {}", text(&planned, "name"), text(&planned, "label")));
        Outcome::complete(Object::new(prior.id.clone(), planned))
    }

    async fn delete(&self, _: &Context, object: &Object) -> Outcome {
        let name = text(&object.attributes, "name");
        self.0.say(format!("delete {name}"));
        if name == "slow" {
            self.0.gate.acquire().await.expect("open").forget();
        }
        Outcome::gone()
    }
}

/// A value on loan.
#[derive(Debug)]
struct Loan(Arc<Log>);

#[async_trait]
impl EphemeralResource for Loan {
    fn schema(&self) -> Arc<Schema> {
        Arc::new(Schema::new(0).attribute("value", Attribute::computed(Type::String)))
    }

    async fn open(&self, _: &Context, config: Value) -> Result<Opened> {
        self.0.say("open");
        Ok(Opened::new(with(&config, "value", "hunter2")))
    }

    async fn renew(&self, _: &Context, private: Option<Arc<[u8]>>) -> Result<Renewed> {
        Ok(Renewed { renew_at: None, private })
    }

    async fn close(&self, _: &Context, _: Option<Arc<[u8]>>) -> Result<()> {
        self.0.say("close");
        Ok(())
    }
}

struct Setting {
    log: Arc<Log>,
    stack: Stack,
}

impl Setting {
    fn new() -> Self {
        let log = Arc::new(Log { lines: Mutex::default(), gate: Semaphore::new(0) });
        let provider = Provider::new("test")
            .resource("test_thing", Thing(Arc::clone(&log)))
            .ephemeral("test_loan", Loan(Arc::clone(&log)));
        let engine = Engine::builder()
            .store(MemoryStore::new())
            .cipher(AesGcmCipher::new(Key::generate().expect("random bytes")))
            .provider(provider)
            .build()
            .expect("an engine");
        Self { stack: engine.stack("acme", "shop"), log }
    }

    async fn plan(&self, text: &str) -> Plan {
        let (template, problems) = Template::parse(&Files::from_texts([("main.tf", text)]), &Options::default());
        assert_eq!(problems, []);
        self.stack.plan(&template, PlanOptions::default()).await.expect("a plan")
    }

    /// Applies a template; a run that fails is undone. `amid` looks at it while it undoes.
    async fn apply<F: Future>(&self, text: &str, amid: impl FnOnce() -> F) -> (RunReport, Option<F::Output>) {
        let plan = self.plan(text).await;
        self.log.lines().clear();
        let options = ApplyOptions { on_failure: OnFailure::Rollback, ..ApplyOptions::default() };
        let mut run = self.stack.apply(plan, options).await.expect("a run");
        let (mut amid, mut seen) = (Some(amid), None);
        while let Some(recorded) = run.next_event().await {
            let begins = matches!(recorded.event, Event::RollbackStarted { .. });
            if let Some(amid) = amid.take_if(|_| begins) {
                seen = Some(amid().await);
            }
        }
        (run.finish().await.expect("a report"), seen)
    }
}

const SLOW: &str = "resource \"test_thing\" \"first\" {\n name = \"slow\"\n}\n\
                    resource \"test_thing\" \"last\" {\n name = \"bad\"\n after = test_thing.first.id\n}\n";

#[tokio::test]
async fn the_open_calls_of_a_rollback_are_those_that_undo() {
    let setting = Setting::new();
    let amid = async || -> Vec<OpenCall> {
        setting.log.until("delete slow").await;
        let run = setting.stack.unfinished_run().await.expect("the store works").expect("a run");
        let calls = setting.stack.open_calls(run.id).await.expect("the store works");
        setting.log.gate.add_permits(1);
        calls
    };
    let (report, calls) = setting.apply(SLOW, amid).await;
    assert_eq!((report.status, report.undone_count), (RunStatus::Failed, Some(1)), "{:?}", report.problems);
    let calls: Vec<_> =
        calls.iter().flatten().map(|call| (call.address.to_string(), call.action, call.attempt)).collect();
    assert_eq!(calls, [("test_thing.first".to_owned(), StepAction::Delete, 1)]);
    let run = setting.stack.runs(1).await.expect("the store works").remove(0).id;
    assert_eq!(setting.stack.open_calls(run).await.expect("the store works").len(), 0);
}

/// Whatever was lent for the steps of a run goes back before they are undone, not after.
#[tokio::test]
async fn what_was_lent_goes_back_when_a_rollback_begins() {
    let setting = Setting::new();
    let amid = async || {
        setting.log.until("delete slow").await;
        // The delete holds on until then.
        setting.log.until("close").await;
        setting.log.gate.add_permits(1);
    };
    let lent = "ephemeral \"test_loan\" \"a\" {\n}\n\
                resource \"test_thing\" \"late\" {\n name = \"late\"\n after = test_thing.last.id\n \
                token = ephemeral.test_loan.a.value\n}\n";
    let first = SLOW.replace("\"slow\"\n", "\"slow\"\n token = ephemeral.test_loan.a.value\n");
    let (report, _) = setting.apply(&(lent.to_owned() + &first), amid).await;
    assert_eq!(report.undone_count, Some(1), "{:?}", report.problems);
    let lines = setting.log.lines().clone();
    assert_eq!(lines.iter().filter(|line| *line == "open").count(), 1, "{lines:?}");
    assert_eq!(lines.iter().filter(|line| *line == "close").count(), 1, "{lines:?}");
}

/// What only planning works out is worked out for what is restored, too.
#[tokio::test]
async fn types_plan_what_is_restored_and_made_anew() {
    let setting = Setting::new();
    let both =
        "resource \"test_thing\" \"a\" {\n name = \"one\"\n}\nresource \"test_thing\" \"b\" {\n name = \"two\"\n}\n";
    let (report, _) = setting.apply(both, async || ()).await;
    assert_eq!(report.status, RunStatus::Succeeded);
    let then = "resource \"test_thing\" \"a\" {\n name = \"new\"\n}\n\
                resource \"test_thing\" \"last\" {\n name = \"bad\"\n after = test_thing.a.label\n}\n";
    let (report, seen) = setting.apply(then, async || ()).await;
    assert_eq!((report.status, seen), (RunStatus::Failed, Some(())), "{:?}", report.problems);
    let lines = setting.log.lines().clone();
    assert!(lines.contains(&"update new, label of new".to_owned()), "{lines:?}");
    assert!(lines.contains(&"update one, label of one".to_owned()), "{lines:?}");
    let is_anew = |line: &String| line == "create two, label of two";
    let has_gone = lines.contains(&"delete two".to_owned());
    assert_eq!(lines.iter().any(is_anew), has_gone, "{lines:?}");
    assert!(setting.plan(both).await.is_empty());
}

//! Ephemeral resources while a run is under way: opened when they are needed, renewed in time, closed whatever happens.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use stackwright::{
    Error, ErrorKind, Result,
    event::{Event, Timestamp},
    plan::Plan,
    resource::{Context, EphemeralResource, Evidence, Object, Opened, Outcome, Provider, Recovery, Renewed, Resource},
    run::{OnFailure, RunReport},
    schema::{Attribute, Schema},
    stack::{ApplyOptions, Engine, PlanOptions, Run, Stack},
    state::{
        MemoryStore, RunStatus, Store,
        cipher::{AesGcmCipher, Key},
        testing::{Faults, FaultyStore},
    },
    template::{Files, Options, RawVariables, Template},
    value::{Type, Value},
};
use stackwright_tests::process::TestClock;
use tokio::sync::Semaphore;

/// What happened, in order: `open a`, `use a`, `close a`.
#[derive(Debug)]
struct Log {
    lines: Mutex<Vec<String>>,
    /// How often each was opened.
    opened: Mutex<BTreeMap<String, u32>>,
    /// Lets steps that hold on go on.
    gate: Semaphore,
    /// Lets openings that hold on go on.
    vault: Semaphore,
}

impl Log {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            lines: Mutex::default(),
            opened: Mutex::default(),
            gate: Semaphore::new(0),
            vault: Semaphore::new(0),
        })
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, verb: &str, name: &str) {
        self.lines().push(format!("{verb} {name}"));
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines())
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

/// A loan: `fails` says which verb fails, `lasts` for how many seconds it is good.
#[derive(Debug)]
struct Loan(Arc<Log>);

#[async_trait]
impl EphemeralResource for Loan {
    fn schema(&self) -> Arc<Schema> {
        let schema = Schema::new(0)
            .attribute("name", Attribute::required(Type::String))
            .attribute("fails", Attribute::optional(Type::String))
            .attribute("lasts", Attribute::optional(Type::Number))
            .attribute("value", Attribute::computed(Type::String));
        Arc::new(schema)
    }

    async fn open(&self, ctx: &Context, config: Value) -> Result<Opened> {
        let name = text(&config, "name");
        self.0.say("open", &name);
        if text(&config, "fails") == "open" {
            return Err(Error::new(ErrorKind::Unavailable, "test.open", "nobody lends"));
        }
        if text(&config, "fails") == "holds" {
            self.0.vault.acquire().await.expect("open").forget();
        }
        let count = {
            let mut opened = self.0.opened.lock().unwrap_or_else(PoisonError::into_inner);
            let count = opened.entry(name.clone()).or_default();
            *count += 1;
            *count
        };
        let parts = config.entries().map(|(key, value)| {
            let value =
                if &**key == "value" { Value::string(format!("hunter2-{name}-{count}")) } else { value.clone() };
            (Arc::clone(key), value)
        });
        let opened = Opened::new(Value::object(parts.collect::<Vec<_>>()));
        let fails = text(&config, "fails");
        let opened = opened.private(format!("{name} {fails}").into_bytes());
        let lasts = config.attribute("lasts").and_then(Value::as_number).and_then(|lasts| lasts.to_u64());
        Ok(match lasts {
            Some(lasts) => opened.renew_at(ctx.clock().now().plus(Duration::from_secs(lasts))),
            None => opened,
        })
    }

    async fn renew(&self, ctx: &Context, private: Option<Arc<[u8]>>) -> Result<Renewed> {
        let known = String::from_utf8_lossy(&private.expect("what opening left")).into_owned();
        let (name, fails) = known.split_once(' ').expect("two words");
        self.0.say("renew", name);
        if fails == "renew" {
            return Err(Error::new(ErrorKind::Unavailable, "test.renew", "no longer"));
        }
        let renew_at = Some(ctx.clock().now().plus(Duration::from_secs(100)));
        Ok(Renewed { renew_at, private: Some(format!("{name}+ {fails}").into_bytes().into()) })
    }

    async fn close(&self, _: &Context, private: Option<Arc<[u8]>>) -> Result<()> {
        let known = String::from_utf8_lossy(&private.expect("what opening left")).into_owned();
        let (name, fails) = known.split_once(' ').expect("two words");
        self.0.say("close", name);
        match fails {
            "close" => Err(Error::new(ErrorKind::Unavailable, "test.close", "nobody takes it back")),
            _ => Ok(()),
        }
    }
}

/// A thing that is made with a write-only token: `does` says how that goes.
#[derive(Debug)]
struct Thing(Arc<Log>);

#[async_trait]
impl Resource for Thing {
    fn schema(&self) -> Arc<Schema> {
        let schema = Schema::new(0)
            .attribute("name", Attribute::required(Type::String))
            .attribute("does", Attribute::optional(Type::String))
            .attribute("after", Attribute::optional(Type::String))
            .attribute("token", Attribute::optional(Type::String).write_only())
            .attribute("id", Attribute::computed(Type::String));
        Arc::new(schema)
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        let (name, token) = (text(&planned, "name"), text(&planned, "token"));
        self.0.say("use", &format!("{name} {}", token.trim_start_matches("hunter2-")));
        match &*text(&planned, "does") {
            "fails" => {
                return Outcome::failed(Error::new(ErrorKind::Unavailable, "test.failed", "it does not want to be"));
            }
            "waits" => {
                self.0.gate.acquire().await.expect("open").forget();
            }
            "takes its time" => {
                ctx.sleep(Duration::from_secs(250)).await;
            }
            _ => {}
        }
        let parts = planned.entries().map(|(key, value)| {
            let value = if &**key == "id" { Value::string(name.as_str()) } else { value.clone() };
            (Arc::clone(key), value)
        });
        self.0.say("made", &name);
        Outcome::complete(Object::new(name.clone(), Value::object(parts.collect::<Vec<_>>())))
    }

    /// Nobody makes half a thing.
    async fn recover(&self, _: &Context, _: &Evidence) -> Result<Recovery> {
        Ok(Recovery::Absent)
    }

    async fn read(&self, _: &Context, object: &Object) -> Result<Option<Object>> {
        Ok(Some(object.clone()))
    }

    async fn update(&self, _: &Context, prior: &Object, _: Value) -> Outcome {
        Outcome::complete(prior.clone())
    }

    async fn delete(&self, _: &Context, _: &Object) -> Outcome {
        Outcome::gone()
    }
}

fn engine(log: &Arc<Log>, store: Arc<dyn Store>, key: &Key, beginning: Timestamp) -> Engine {
    let provider = Provider::new("test")
        .resource("test_thing", Thing(Arc::clone(log)))
        .ephemeral("test_loan", Loan(Arc::clone(log)));
    Engine::builder()
        .shared_store(store)
        .cipher(AesGcmCipher::new(key.clone()))
        .clock(Arc::new(TestClock::beginning(beginning)))
        .provider(provider)
        .build()
        .expect("an engine")
}

fn stack(log: &Arc<Log>) -> Stack {
    engine(log, Arc::new(MemoryStore::new()), &Key::generate().expect("random bytes"), Timestamp(0))
        .stack("acme", "shop")
}

async fn plan(stack: &Stack, text: &str) -> Result<Plan> {
    let (template, problems) = Template::parse(&Files::from_texts([("main.tf", text)]), &Options::default());
    assert_eq!(problems, []);
    stack.plan(&template, PlanOptions::default()).await
}

async fn apply(stack: &Stack, text: &str) -> (RunReport, Vec<Event>) {
    let plan = plan(stack, text).await.expect("a plan");
    watch(stack.apply(plan, ApplyOptions::default()).await.expect("a run")).await
}

async fn watch(mut run: Run) -> (RunReport, Vec<Event>) {
    let mut events = Vec::new();
    while let Some(recorded) = run.next_event().await {
        events.push(recorded.event);
    }
    (run.finish().await.expect("a report"), events)
}

const TWO: &str = "ephemeral \"test_loan\" \"a\" {\n name = \"a\"\n}\n\
                   ephemeral \"test_loan\" \"b\" {\n name = \"b\"\n fails = ephemeral.test_loan.a.value == \"\" ? \"x\" : null\n}\n";

#[tokio::test(start_paused = true)]
async fn they_are_open_for_as_long_as_somebody_needs_them() {
    let log = Log::new();
    let stack = stack(&log);
    let text = format!(
        "{TWO}resource \"test_thing\" \"x\" {{\n name = \"x\"\n token = ephemeral.test_loan.b.value\n}}\n\
         resource \"test_thing\" \"y\" {{\n name = \"y\"\n token = ephemeral.test_loan.b.value\n after = test_thing.x.id\n}}\n\
         resource \"test_thing\" \"z\" {{\n name = \"z\"\n after = test_thing.y.id\n}}\n"
    );
    let made = plan(&stack, &text).await.expect("a plan");
    assert_eq!(log.take(), ["open a", "open b", "close b", "close a"]);
    let (report, events) = watch(stack.apply(made, ApplyOptions::default()).await.expect("a run")).await;
    assert_eq!((report.status, report.warnings), (RunStatus::Succeeded, vec![]));
    // Opened once for both, closed before what does not need them is made.
    let lines = log.take();
    let at = |line: &str| lines.iter().position(|found| found == line).unwrap_or_else(|| panic!("{line}: {lines:?}"));
    assert_eq!(lines.len(), 10, "{lines:?}");
    assert_eq!(lines[..6], ["open a", "open b", "use x b-2", "made x", "use y b-2", "made y"]);
    assert!(at("close b") < at("close a"), "{lines:?}");
    let said: Vec<String> = events
        .iter()
        .filter_map(|event| match event {
            Event::EphemeralStarted { address, action } => Some(format!("{action} {address}...")),
            Event::EphemeralFinished { address, action, code: None, .. } => Some(format!("{action} {address}")),
            _ => None,
        })
        .collect();
    let both = |action: &str, name: &str| {
        [format!("{action} ephemeral.test_loan.{name}..."), format!("{action} ephemeral.test_loan.{name}")]
    };
    let expect = [both("open", "a"), both("open", "b"), both("close", "b"), both("close", "a")].concat();
    assert_eq!(said, expect);
    assert!(!format!("{events:?}").contains("hunter2"));
    assert_nothing_is_kept(&stack).await;
    // Nothing is left to do, and to find that out they are opened once more.
    assert!(plan(&stack, &text).await.expect("a plan").is_empty());
    assert_eq!(log.take(), ["open a", "open b", "close b", "close a"]);
}

#[tokio::test(start_paused = true)]
async fn they_are_closed_after_a_failure() {
    let log = Log::new();
    let stack = stack(&log);
    let text = format!(
        "{TWO}resource \"test_thing\" \"x\" {{\n name = \"x\"\n does = \"fails\"\n token = ephemeral.test_loan.b.value\n}}\n\
         resource \"test_thing\" \"y\" {{\n name = \"y\"\n token = ephemeral.test_loan.b.value\n after = test_thing.x.id\n}}\n"
    );
    let (report, _) = apply(&stack, &text).await;
    assert_eq!((report.status, report.failed_count, report.skipped_count), (RunStatus::Failed, 1, 1));
    assert_eq!(log.take()[4..], ["open a", "open b", "use x b-2", "close b", "close a"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_opened_fails_the_steps_that_need_it() {
    let log = Log::new();
    let stack = stack(&log);
    // While planning nobody knows yet that it cannot be opened.
    let text = "resource \"test_thing\" \"x\" {\n name = \"x\"\n}\n\
                ephemeral \"test_loan\" \"a\" {\n name = test_thing.x.id\n fails = \"open\"\n}\n\
                ephemeral \"test_loan\" \"b\" {\n name = \"b${test_thing.x.id}\"\n}\n\
                resource \"test_thing\" \"y\" {\n name = \"y\"\n token = ephemeral.test_loan.a.value\n}\n\
                resource \"test_thing\" \"z\" {\n name = \"z\"\n token = ephemeral.test_loan.a.value\n}\n\
                resource \"test_thing\" \"w\" {\n name = \"w\"\n token = ephemeral.test_loan.b.value\n}\n\
                resource \"test_thing\" \"v\" {\n name = \"v${test_thing.w.id}\"\n token = ephemeral.test_loan.a.value\n}\n";
    let made = plan(&stack, text).await.expect("a plan");
    let options = ApplyOptions { on_failure: OnFailure::Continue, ..ApplyOptions::default() };
    let (report, events) = watch(stack.apply(made, options).await.expect("a run")).await;
    let mut problems: Vec<_> =
        report.problems.iter().map(|problem| (problem.address.as_str(), problem.error.code.as_str())).collect();
    problems.sort_unstable();
    // What needs it later learns of it, too, without a second try.
    let failed = ["v", "y", "z"].map(|name| format!("test_thing.{name}"));
    assert_eq!(problems, [0, 1, 2].map(|idx| (failed[idx].as_str(), "test.open")));
    assert_eq!(report.problems[0].error.message, "`ephemeral.test_loan.a` could not be opened: nobody lends");
    assert_eq!((report.status, report.done_count), (RunStatus::Failed, 2));
    let lines = log.take();
    assert_eq!(lines.iter().filter(|line| *line == "open x").count(), 1, "{lines:?}");
    assert!(lines.contains(&"use w bx-1".to_owned()) && lines.contains(&"close bx".to_owned()), "{lines:?}");
    let failed =
        |event: &Event| matches!(event, Event::EphemeralFinished { code: Some(code), .. } if code == "test.open");
    assert_eq!(events.iter().filter(|event| failed(event)).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn they_are_closed_after_a_cancellation() {
    let log = Log::new();
    let stack = stack(&log);
    let text = format!(
        "{TWO}resource \"test_thing\" \"x\" {{\n name = \"x\"\n does = \"waits\"\n token = ephemeral.test_loan.b.value\n}}\n\
         resource \"test_thing\" \"y\" {{\n name = \"y\"\n token = ephemeral.test_loan.b.value\n after = test_thing.x.id\n}}\n"
    );
    let made = plan(&stack, &text).await.expect("a plan");
    log.take();
    let mut run = stack.apply(made, ApplyOptions::default()).await.expect("a run");
    while let Some(recorded) = run.next_event().await {
        match recorded.event {
            Event::StepStarted { .. } => run.canceller().cancel(),
            Event::CancelRequested { .. } => log.gate.add_permits(1),
            _ => {}
        }
    }
    let report = run.finish().await.expect("a report");
    assert_eq!((report.status, report.done_count, report.skipped_count), (RunStatus::Cancelled, 1, 1));
    assert_eq!(log.take(), ["open a", "open b", "use x b-2", "made x", "close b", "close a"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_waits_for_closes_them_too() {
    let log = Log::new();
    let stack = stack(&log);
    let text = "ephemeral \"test_loan\" \"a\" {\n name = \"a\"\n}\n\
                resource \"test_thing\" \"x\" {\n name = \"x\"\n does = \"waits\"\n token = ephemeral.test_loan.a.value\n}\n";
    let made = plan(&stack, text).await.expect("a plan");
    log.take();
    let mut run = stack.apply(made, ApplyOptions::default()).await.expect("a run");
    while let Some(recorded) = run.next_event().await {
        if let Event::StepStarted { .. } = recorded.event {
            run.canceller().cancel_now();
        }
    }
    let report = run.finish().await.expect("a report");
    assert_eq!(report.status, RunStatus::Running, "the call never answered");
    assert_eq!(log.take(), ["open a", "use x a-2", "close a"]);
}

#[tokio::test(start_paused = true)]
async fn planning_that_is_given_up_closes_them() {
    let log = Log::new();
    let stack = stack(&log);
    let error = plan(&stack, &format!("{TWO}output \"o\" {{\n value = ephemeral.test_loan.b.value\n}}\n")).await;
    assert_eq!(error.expect_err("it would be stored").code(), "template.invalid");
    assert_eq!(log.take(), Vec::<String>::new());
    let failing = "ephemeral \"test_loan\" \"a\" {\n name = \"a\"\n}\nephemeral \"test_loan\" \"b\" {\n \
                   name = ephemeral.test_loan.a.value\n fails = \"open\"\n}\n";
    let error = plan(&stack, failing).await.expect_err("one cannot be opened");
    assert_eq!(error.diagnostics()[0].code, "test.open");
    assert_eq!(log.take(), ["open a", "open hunter2-a-1", "close a"]);
}

/// Whoever drops the future of a plan gives up what it opened, while it opens more.
#[tokio::test(start_paused = true)]
async fn planning_that_is_dropped_closes_them() {
    let log = Log::new();
    let stack = stack(&log);
    let text = "ephemeral \"test_loan\" \"a\" {\n name = \"a\"\n}\nephemeral \"test_loan\" \"b\" {\n \
                name = ephemeral.test_loan.a.value\n fails = \"holds\"\n}\n";
    tokio::select! {
        biased;
        made = plan(&stack, text) => panic!("one of them is not open: {made:?}"),
        () = log.until("open hunter2-a-1") => {}
    }
    log.vault.add_permits(1);
    log.until("close a").await;
    assert_eq!(log.take(), ["open a", "open hunter2-a-1", "close hunter2-a-1", "close a"]);
}

/// The step that it was opened for was given up meanwhile, so nobody ever gives it back.
#[tokio::test(start_paused = true)]
async fn what_nobody_needs_when_it_is_open_is_closed_at_once() {
    let log = Log::new();
    let stack = stack(&log);
    let text = "resource \"test_thing\" \"x\" {\n name = \"x\"\n}\n\
                ephemeral \"test_loan\" \"a\" {\n name = \"a${test_thing.x.id}\"\n fails = \"holds\"\n}\n\
                resource \"test_thing\" \"y\" {\n name = \"y\"\n token = ephemeral.test_loan.a.value\n}\n\
                resource \"test_thing\" \"f\" {\n name = \"f\"\n does = \"fails\"\n after = test_thing.x.id\n}\n\
                resource \"test_thing\" \"long\" {\n name = \"long\"\n does = \"waits\"\n}\n";
    let made = plan(&stack, text).await.expect("a plan");
    let mut run = stack.apply(made, ApplyOptions::default()).await.expect("a run");
    while let Some(recorded) = run.next_event().await {
        match recorded.event {
            Event::StepFinished { code: Some(_), .. } => log.vault.add_permits(1),
            Event::EphemeralFinished { action, .. } if action == "close" => log.gate.add_permits(1),
            _ => {}
        }
    }
    let report = run.finish().await.expect("a report");
    assert_eq!((report.done_count, report.failed_count, report.skipped_count), (2, 1, 1));
    let lines = log.take();
    assert_eq!(lines[lines.len() - 2..], ["close ax", "made long"], "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn they_are_renewed_in_time() {
    let log = Log::new();
    let stack = stack(&log);
    let text = "ephemeral \"test_loan\" \"a\" {\n name = \"a\"\n lasts = 60\n}\n\
                resource \"test_thing\" \"x\" {\n name = \"x\"\n does = \"takes its time\"\n token = ephemeral.test_loan.a.value\n}\n";
    let (report, _) = apply(&stack, text).await;
    assert_eq!((report.status, report.warnings), (RunStatus::Succeeded, vec![]));
    // 250 s: after 54 s, and after 90 s more twice; each renewal and the end know what the one before left.
    assert_eq!(log.take()[2..], ["open a", "use x a-2", "renew a", "renew a+", "renew a++", "made x", "close a+++"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_renewed_is_opened_anew() {
    let log = Log::new();
    let stack = stack(&log);
    let text = "ephemeral \"test_loan\" \"a\" {\n name = \"a\"\n lasts = 60\n fails = \"renew\"\n}\n\
                resource \"test_thing\" \"x\" {\n name = \"x\"\n does = \"takes its time\"\n token = ephemeral.test_loan.a.value\n}\n\
                resource \"test_thing\" \"y\" {\n name = \"y\"\n after = test_thing.x.id\n token = ephemeral.test_loan.a.value\n}\n";
    let (report, _) = apply(&stack, text).await;
    assert_eq!(report.status, RunStatus::Succeeded);
    let codes: Vec<_> = report.warnings.iter().map(|warning| warning.code.as_ref()).collect();
    assert_eq!(codes, ["ephemeral.renew_failed"]);
    assert_eq!(
        log.take()[2..],
        ["open a", "use x a-2", "renew a", "close a", "made x", "open a", "use y a-3", "made y", "close a"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_closed_is_a_warning_and_loses_nothing() {
    let log = Log::new();
    let stack = stack(&log);
    let text = "ephemeral \"test_loan\" \"a\" {\n name = \"a\"\n fails = \"close\"\n}\n\
                resource \"test_thing\" \"x\" {\n name = \"x\"\n token = ephemeral.test_loan.a.value\n}\noutput \"id\" {\n value = test_thing.x.id\n}\n";
    let made = plan(&stack, text).await.expect("a plan");
    let told = |warnings: &[stackwright::error::Diagnostic]| {
        warnings.iter().map(|warning| format!("{} {}", warning.code, warning.message)).collect::<Vec<_>>()
    };
    let expect = ["ephemeral.close_failed `ephemeral.test_loan.a` could not be closed: nobody takes it back"];
    assert_eq!(told(&made.warnings), expect);
    let (report, _) = watch(stack.apply(made, ApplyOptions::default()).await.expect("a run")).await;
    assert_eq!((report.status, told(&report.warnings)), (RunStatus::Succeeded, expect.map(str::to_owned).to_vec()));
    assert_eq!(report.outputs["id"], Value::string("x"));
    assert_eq!(stack.state().await.expect("a state").rows.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn outputs_and_conditions_may_need_them_at_the_end() {
    let log = Log::new();
    let stack = stack(&log);
    let text = "resource \"test_thing\" \"x\" {\n name = \"x\"\n lifecycle {\n postcondition {\n \
                condition = ephemeral.test_loan.b.value != self.id\n error_message = \"No.\"\n }\n }\n}\n\
                ephemeral \"test_loan\" \"b\" {\n name = \"b\"\n}\n\
                ephemeral \"test_loan\" \"a\" {\n name = test_thing.x.id\n}\n\
                output \"o\" {\n value = ephemeralasnull(ephemeral.test_loan.a.name) == null ? test_thing.x.id : \"\"\n}\n";
    let (report, _) = apply(&stack, text).await;
    assert_eq!((report.status, &report.problems), (RunStatus::Succeeded, &vec![]));
    assert_eq!(report.outputs["o"], Value::string("x"));
    assert_eq!(log.take()[2..], ["open b", "use x ", "made x", "close b", "open x", "close x"].map(str::to_owned));
}

/// Whatever write is the last one of a process: its successor opens them anew, and closes them.
#[test]
fn a_crash_at_any_point_opens_them_again() {
    let text = format!(
        "{TWO}resource \"test_thing\" \"x\" {{\n name = \"x\"\n token = ephemeral.test_loan.b.value\n}}\n\
         resource \"test_thing\" \"y\" {{\n name = \"y\"\n token = ephemeral.test_loan.b.value\n after = test_thing.x.id\n}}\n"
    );
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().expect("a runtime")
    };
    let mut died_count = 0;
    for number in 1..40 {
        let (log, disk) = (Log::new(), Arc::new(MemoryStore::new()));
        let key = Key::generate().expect("random bytes");
        let faulty = Arc::new(FaultyStore::new(Arc::clone(&disk) as _, Faults::die_after(number)).hang_when_dead());
        let died = runtime().block_on(async {
            let stack = engine(&log, Arc::clone(&faulty) as _, &key, Timestamp(0)).stack("acme", "shop");
            let work = async {
                let made = plan(&stack, &text).await.expect("a plan");
                watch(stack.apply(made, ApplyOptions::default()).await.expect("a run")).await
            };
            tokio::select! {
                () = faulty.died() => true,
                (report, _) = work => {
                    assert_eq!(report.status, RunStatus::Succeeded);
                    false
                }
            }
        });
        if !died {
            break;
        }
        died_count += 1;
        log.take();
        runtime().block_on(async {
            let stack = engine(&log, disk, &key, Timestamp(60_000)).stack("acme", "shop");
            let unfinished = stack.unfinished_run().await.expect("a history");
            if let Some(run) = unfinished {
                let run = stack.resume(run.id, ApplyOptions::default()).await.expect("a run");
                let (report, _) = watch(run).await;
                assert_eq!(report.status, RunStatus::Succeeded, "{number}: {report:?}");
                assert_nothing_is_kept(&stack).await;
            }
            let lines = log.take();
            let count = |verb: &str| lines.iter().filter(|line| line.starts_with(verb)).count();
            assert_eq!(count("open"), count("close"), "{number}: {lines:?}");
            let needs = lines.iter().any(|line| line.starts_with("use"));
            assert!(!needs || lines[0] == "open a", "{number}: {lines:?}");
        });
    }
    assert!(died_count >= 4, "{died_count}");
}

/// What was lent is in no row, no output and no fact of any run. None of it is sensitive, so it would be seen.
async fn assert_nothing_is_kept(stack: &Stack) {
    let state = stack.state().await.expect("a state");
    let mut kept = format!("{:?} {:?}", state.rows, state.outputs);
    for run in stack.runs(10).await.expect("a history") {
        kept.push_str(&format!("{:?}", stack.journal(run.id).await.expect("a journal")));
    }
    assert!(kept.contains("test_thing") && !kept.contains("hunter2"), "{kept}");
}

#[tokio::test(start_paused = true)]
async fn a_stored_plan_is_given_its_ephemeral_variables_again() {
    let log = Log::new();
    let stack = stack(&log);
    let text = "variable \"token\" {\n ephemeral = true\n}\nvariable \"scope\" {\n ephemeral = true\n default = \"s\"\n}\n\
                resource \"test_thing\" \"x\" {\n name = \"x\"\n token = \"${var.token} ${var.scope}\"\n}\n";
    let (template, problems) = Template::parse(&Files::from_texts([("main.tf", text)]), &Options::default());
    assert_eq!(problems, []);
    let stored = async |variables: &[(&'static str, &str)]| {
        let mut options = PlanOptions::default();
        for (name, value) in variables {
            options = options.variable(*name, Value::string(*value));
        }
        let plan = stack.plan(&template, options).await.expect("a plan");
        stack.open_plan(&stack.seal_plan(&plan).expect("bytes")).expect("a plan")
    };
    let given = |variables: &[(&'static str, &str)]| ApplyOptions {
        variables: RawVariables::from_values(variables.iter().map(|(name, value)| (*name, Value::string(*value)))),
        ..ApplyOptions::default()
    };
    let refused = async |plan: Plan, options: ApplyOptions| {
        let error = stack.apply(plan, options).await.expect_err("a variable is missing");
        error.diagnostics().iter().map(|problem| format!("{} {}", problem.code, problem.message)).collect::<Vec<_>>()
    };
    let again = |name: &str| {
        format!(
            "variable.missing the ephemeral variable `{name}` was set when the plan was made, and has to be set again"
        )
    };
    let both = stored(&[("token", "t1"), ("scope", "s1")]).await;
    assert_eq!(both.inputs.ephemeral.len(), 0);
    assert_eq!(refused(both.clone(), ApplyOptions::default()).await, [again("scope"), again("token")]);
    assert_eq!(refused(both, given(&[("token", "t2")])).await, [again("scope")]);
    let one = stored(&[("token", "t1")]).await;
    assert_eq!(
        refused(one.clone(), given(&[("token", "t2"), ("scope", "s2")])).await,
        ["variable.ephemeral the variable `scope` was not set when the plan was made"]
    );
    let (report, _) = watch(stack.apply(one, given(&[("token", "t2"), ("other", "x")])).await.expect("a run")).await;
    assert_eq!(report.status, RunStatus::Succeeded);
    assert_eq!(log.take(), ["use x t2 s", "made x"]);
}

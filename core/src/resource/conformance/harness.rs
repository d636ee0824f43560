use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{crash, fault, fixture::Bench, life, together};
use crate::{
    error::Error,
    resource::{Object, Resource, layer::Verb},
    value::Value,
};

/// How a verb misbehaves, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fault {
    /// It raises something of its language's own, which says nothing about its effect. What it says holds
    /// [`Fault::SECRET`], which must not come out.
    Raise,
    /// It refuses with an error of the kind `denied` whose code is [`Fault::CODE`].
    Refuse,
    /// It does its work, and answers with something of another shape.
    Misshape,
    /// It makes half of the thing and says so, with an error whose code is [`Fault::CODE`].
    Half,
    /// It does its work, checkpoints the id, and then answers.
    Checkpoint,
    /// It reports progress, waits until the caller wants it to end, and then does its work.
    Linger,
    /// It never ends.
    Hang,
}

impl Fault {
    /// The code of what refuses, and of why something is half made.
    pub const CODE: &'static str = "thing.refused";
    /// What an exception says that nobody should read.
    pub const SECRET: &'static str = "hunter2";

    /// Returns its name, such as `raise`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raise => "raise",
            Self::Refuse => "refuse",
            Self::Misshape => "misshape",
            Self::Half => "half",
            Self::Checkpoint => "checkpoint",
            Self::Linger => "linger",
            Self::Hang => "hang",
        }
    }

    /// Returns how a verb is told to misbehave: `raise create`.
    pub fn of(self, verb: Verb) -> String {
        format!("{} {}", self.as_str(), verb.as_str())
    }
}

/// Says how things of a type are described.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Returns the type, as an engine would call it.
    fn resource(&self) -> Arc<dyn Resource>;

    /// Returns the name that it is registered under.
    fn type_name(&self) -> &str;

    /// Returns what a template says of one thing. Things with different numbers are different, and exist side by side.
    fn config(&self, number: u64) -> Value;

    /// Returns what the template says after a change that is made in place; `None` where there is no such change.
    fn changed(&self, number: u64) -> Option<Value> {
        let _ = number;
        None
    }

    /// Returns the id that people import an object by; `None` where it cannot be imported.
    fn import_id(&self, object: &Object) -> Option<String> {
        Some(object.id.clone())
    }

    /// Whether it is a value that only state holds, such as a random one: nothing in the world says whether it exists.
    fn is_value(&self) -> bool {
        false
    }

    /// Returns an id that nothing has, written as one; `None` where there is none.
    fn missing_id(&self) -> Option<String> {
        None
    }

    /// Returns a thing whose verb misbehaves; `None` where the type cannot be made to.
    fn faulty(&self, number: u64, fault: Fault, verb: Verb) -> Option<Value> {
        let _ = (number, fault, verb);
        None
    }

    /// Returns an id whose import misbehaves.
    fn faulty_id(&self, fault: Fault) -> Option<String> {
        let _ = fault;
        None
    }

    /// Returns the configuration of the type's provider.
    fn provider_config(&self) -> Option<Value> {
        None
    }

    /// Returns how many things there are, where the world can be asked.
    async fn count(&self) -> Option<usize> {
        None
    }

    /// How long a call may take before a case gives it up.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }
}

/// Why a case did not pass.
pub(super) enum Stop {
    /// It found something wrong.
    Wrong(String),
    /// The type cannot be asked for it.
    Skip(&'static str),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Wrong(format!("unexpected error: {}", error.report()))
    }
}

pub(super) type CaseResult<T = ()> = Result<T, Stop>;
type Running<'a> = Pin<Box<dyn Future<Output = CaseResult> + Send + 'a>>;

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is as it should be.
    Passed,
    /// The type cannot be asked for it; says why.
    Skipped(&'static str),
    /// Says what the type did wrong.
    Failed(String),
}

/// A case, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The case.
    pub case: &'static str,
    /// What became of it.
    pub verdict: Verdict,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Passed => write!(f, "{}: passed", self.case),
            Verdict::Skipped(reason) => write!(f, "{}: skipped, {reason}", self.case),
            Verdict::Failed(message) => write!(f, "{}: {message}", self.case),
        }
    }
}

/// One case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it checks, such as `life/create`.
    pub name: &'static str,
    run: for<'a> fn(&'a Bench<'a>) -> Running<'a>,
}

impl Case {
    /// Runs it.
    pub async fn run(&self, harness: &dyn Harness) -> Finding {
        let bench = Bench::new(harness);
        let verdict = match (self.run)(&bench).await {
            Ok(()) => Verdict::Passed,
            Err(Stop::Skip(reason)) => Verdict::Skipped(reason),
            Err(Stop::Wrong(message)) => Verdict::Failed(message),
        };
        Finding { case: self.name, verdict }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({})", self.name)
    }
}

/// Returns all cases, in the order in which [`suite`] runs them.
pub fn cases() -> Vec<Case> {
    macro_rules! list {
        ($($name:literal => |$bench:ident| $case:expr),* $(,)?) => {
            vec![$(Case { name: $name, run: |$bench| Box::pin($case) }),*]
        };
    }
    list![
        "life/schema" => |bench| life::schema(bench),
        "life/create" => |bench| life::create(bench),
        "life/nothing-to-do" => |bench| life::nothing_to_do(bench),
        "life/update" => |bench| life::update(bench),
        "life/delete" => |bench| life::delete(bench),
        "life/import" => |bench| life::import(bench),
        "life/import-missing" => |bench| life::import_missing(bench),
        "crash/same-key" => |bench| crash::same_key(bench),
        "crash/other-key" => |bench| crash::other_key(bench),
        "crash/before-the-effect" => |bench| crash::before_the_effect(bench),
        "crash/create-answer-lost" => |bench| crash::create_answer_lost(bench),
        "crash/update-answer-lost" => |bench| crash::update_answer_lost(bench),
        "crash/delete-answer-lost" => |bench| crash::delete_answer_lost(bench),
        "crash/at-a-checkpoint" => |bench| crash::at_a_checkpoint(bench),
        "together/different-things" => |bench| together::different_things(bench),
        "together/one-thing" => |bench| together::one_thing(bench),
        "together/cancelled-before" => |bench| together::cancelled_before(bench),
        "fault/raise-validate" => |bench| fault::raised(bench, Verb::Validate),
        "fault/raise-plan" => |bench| fault::raised(bench, Verb::Plan),
        "fault/raise-create" => |bench| fault::raised(bench, Verb::Create),
        "fault/raise-read" => |bench| fault::raised(bench, Verb::Read),
        "fault/raise-update" => |bench| fault::raised(bench, Verb::Update),
        "fault/raise-delete" => |bench| fault::raised(bench, Verb::Delete),
        "fault/raise-import" => |bench| fault::raised(bench, Verb::Import),
        "fault/raise-ready" => |bench| fault::raised(bench, Verb::Ready),
        "fault/raise-recover" => |bench| fault::raised(bench, Verb::Recover),
        "fault/refuse-validate" => |bench| fault::refused(bench, Verb::Validate),
        "fault/refuse-plan" => |bench| fault::refused(bench, Verb::Plan),
        "fault/refuse-create" => |bench| fault::refused(bench, Verb::Create),
        "fault/refuse-read" => |bench| fault::refused(bench, Verb::Read),
        "fault/refuse-update" => |bench| fault::refused(bench, Verb::Update),
        "fault/refuse-delete" => |bench| fault::refused(bench, Verb::Delete),
        "fault/refuse-import" => |bench| fault::refused(bench, Verb::Import),
        "fault/refuse-ready" => |bench| fault::refused(bench, Verb::Ready),
        "fault/refuse-recover" => |bench| fault::refused(bench, Verb::Recover),
        "fault/misshape-plan" => |bench| fault::misshapen(bench, Verb::Plan),
        "fault/misshape-create" => |bench| fault::misshapen(bench, Verb::Create),
        "fault/misshape-read" => |bench| fault::misshapen(bench, Verb::Read),
        "fault/misshape-update" => |bench| fault::misshapen(bench, Verb::Update),
        "fault/misshape-import" => |bench| fault::misshapen(bench, Verb::Import),
        "fault/misshape-ready" => |bench| fault::misshapen(bench, Verb::Ready),
        "fault/misshape-recover" => |bench| fault::misshapen(bench, Verb::Recover),
        "fault/half-create" => |bench| fault::half_made(bench),
        "fault/half-update" => |bench| fault::half_changed(bench),
        "fault/linger-create" => |bench| fault::lingering(bench, Verb::Create),
        "fault/linger-update" => |bench| fault::lingering(bench, Verb::Update),
        "fault/linger-delete" => |bench| fault::lingering(bench, Verb::Delete),
        "fault/hang-create" => |bench| fault::hanging(bench, Verb::Create),
        "fault/hang-read" => |bench| fault::hanging(bench, Verb::Read),
        "fault/hang-delete" => |bench| fault::hanging(bench, Verb::Delete),
    ]
}

/// Runs all cases, one after the other.
pub async fn suite(harness: &dyn Harness) -> Vec<Finding> {
    let mut findings = Vec::new();
    for case in cases() {
        findings.push(case.run(harness).await);
    }
    findings
}

/// Runs all cases, and returns the names of those that were skipped.
///
/// # Panics
/// With all failures, where there are any: this is a test's last line.
pub async fn assert_conforms(harness: &dyn Harness) -> Vec<&'static str> {
    let findings = suite(harness).await;
    let failed = findings.iter().filter(|finding| matches!(finding.verdict, Verdict::Failed(_)));
    let text: Vec<_> = failed.map(|finding| format!("  {finding}\n")).collect();
    assert!(text.is_empty(), "`{}` does not keep its contract:\n{}", harness.type_name(), text.concat());
    let skipped = findings.iter().filter(|finding| matches!(finding.verdict, Verdict::Skipped(_)));
    skipped.map(|finding| finding.case).collect()
}

/// Fails the case with `message` unless `holds`.
pub(super) fn ensure(holds: bool, message: impl FnOnce() -> String) -> CaseResult {
    if holds { Ok(()) } else { Err(Stop::Wrong(message())) }
}

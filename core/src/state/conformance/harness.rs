use std::{fmt, pin::Pin, sync::Arc};

use async_trait::async_trait;

use super::{commit, lease, ledger, stack, volume};
use crate::{
    error::{Error, Result},
    event::Timestamp,
    state::Store,
};

/// Makes the stores that the cases run against.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Returns a new, empty store.
    async fn open(&self) -> Result<Arc<dyn Store>>;

    /// Closes the store as if the process ended and opens its data again; `None` where nothing outlives the process.
    async fn reopen(&self, store: Arc<dyn Store>) -> Result<Option<Arc<dyn Store>>> {
        drop(store);
        Ok(None)
    }

    /// Lets it be `now` for a store that judges leases by a clock of its own; others go by the moments that they are told.
    ///
    /// A store begins at or before the first moment that it is told.
    async fn set_time(&self, _store: &Arc<dyn Store>, _now: Timestamp) -> Result<()> {
        Ok(())
    }

    /// Opens the same data a second time, as another process would; `None` where only one process can.
    async fn share(&self, _store: &Arc<dyn Store>) -> Result<Option<Arc<dyn Store>>> {
        Ok(None)
    }
}

/// What a case found wrong.
pub(super) struct Mismatch(String);

impl From<Error> for Mismatch {
    fn from(error: Error) -> Self {
        Self(format!("unexpected error: {error:?}"))
    }
}

pub(super) type CaseResult = Result<(), Mismatch>;
type Running<'a> = Pin<Box<dyn Future<Output = CaseResult> + Send + 'a>>;

/// One case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it checks, such as `lease/expires`.
    pub name: &'static str,
    run: for<'a> fn(&'a dyn Harness) -> Running<'a>,
}

impl Case {
    /// Runs it against a new store.
    ///
    /// # Errors
    /// What the store did wrong.
    pub async fn run(&self, harness: &dyn Harness) -> Result<(), Failure> {
        (self.run)(harness).await.map_err(|Mismatch(message)| Failure { case: self.name, message })
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({})", self.name)
    }
}

/// A case that a store did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The case.
    pub case: &'static str,
    /// What the store did wrong.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.case, self.message)
    }
}

/// Returns all cases, in the order in which [`suite`] runs them.
pub fn cases() -> Vec<Case> {
    macro_rules! list {
        ($($name:literal => $case:path),* $(,)?) => {
            vec![$(Case { name: $name, run: |harness| Box::pin($case(harness)) }),*]
        };
    }
    list![
        "lease/one-holder" => lease::one_holder,
        "lease/expires" => lease::expires,
        "lease/renew" => lease::renew,
        "lease/release" => lease::release,
        "lease/break" => lease::broken,
        "lease/tokens-grow" => lease::tokens_grow,
        "lease/per-stack" => lease::per_stack,
        "lease/race" => lease::race,
        "lease/fences-commits" => lease::fences_commits,
        "lease/fences-across-processes" => lease::fences_across_processes,
        "commit/needs-lease" => commit::needs_lease,
        "commit/round-trip" => commit::round_trip,
        "commit/all-or-nothing" => commit::all_or_nothing,
        "commit/repeat" => commit::repeat,
        "commit/bad-neighbour" => commit::bad_neighbour,
        "commit/journal-gap" => commit::journal_gap,
        "commit/journal-differs" => commit::journal_differs,
        "commit/segments" => commit::segments,
        "commit/foreign-run" => commit::foreign_run,
        "commit/row-versions" => commit::row_versions,
        "commit/row-order" => commit::row_order,
        "commit/large-numbers" => commit::large_numbers,
        "stack/record" => stack::record,
        "stack/serial" => stack::serial,
        "stack/list" => stack::list,
        "stack/runs" => stack::runs,
        "stack/forget" => stack::forget,
        "stack/isolation" => stack::isolation,
        "ledger/append" => ledger::append,
        "ledger/repeat" => ledger::repeat,
        "ledger/differs" => ledger::differs,
        "ledger/gap" => ledger::gap,
        "ledger/all-or-nothing" => ledger::all_or_nothing,
        "ledger/list" => ledger::list,
        "ledger/isolation" => ledger::isolation,
        "ledger/outlives-stacks" => ledger::outlives_stacks,
        "ledger/race" => ledger::race,
        "ledger/across-processes" => ledger::across_processes,
        "ledger/many" => ledger::many,
        "ledger/reopen" => ledger::reopen,
        "volume/big-bodies" => volume::big_bodies,
        "volume/many-rows" => volume::many_rows,
        "volume/concurrent-commits" => volume::concurrent_commits,
        "volume/concurrent-journal" => volume::concurrent_journal,
        "volume/reopen" => volume::reopen,
    ]
}

/// Runs all cases, one after the other, and returns those that failed.
pub async fn suite(harness: &dyn Harness) -> Vec<Failure> {
    let mut failures = Vec::new();
    for case in cases() {
        failures.extend(case.run(harness).await.err());
    }
    failures
}

/// Runs all cases.
///
/// # Panics
/// With all failures, where there are any: this is a test's last line.
pub async fn assert_conforms(harness: &dyn Harness) {
    let failures = suite(harness).await;
    let text: Vec<_> = failures.iter().map(|failure| format!("  {failure}\n")).collect();
    assert!(failures.is_empty(), "the store does not keep its contract:\n{}", text.concat());
}

/// Fails the case with `message` unless `holds`.
pub(super) fn ensure(holds: bool, message: impl FnOnce() -> String) -> CaseResult {
    if holds { Ok(()) } else { Err(Mismatch(message())) }
}

/// Fails the case unless both are equal.
pub(super) fn same<T: PartialEq + fmt::Debug>(what: &str, found: &T, expected: &T) -> CaseResult {
    ensure(found == expected, || format!("{what}: expected {}, found {}", short(expected), short(found)))
}

/// Fails the case unless `result` is an error with this code.
pub(super) fn refused<T: fmt::Debug>(what: &str, result: Result<T>, code: &str) -> CaseResult {
    match result {
        Err(error) if error.code() == code => Ok(()),
        Err(error) => Err(Mismatch(format!("{what}: expected `{code}`, got {error:?}"))),
        Ok(value) => Err(Mismatch(format!("{what}: expected `{code}`, but it succeeded with {}", short(&value)))),
    }
}

/// Bodies may have megabytes; a message should not.
fn short(value: &impl fmt::Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(400) {
        Some((end, _)) => format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => text,
    }
}

use std::collections::BTreeMap;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    error::{Diagnostic, Error, Result},
    event::{Recorded, Subscription},
    order::OrderReport,
    plan::StepId,
    run::StepError,
    state::{CheckResult, RunId, RunStatus},
    value::Value,
};

/// A problem of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepProblem {
    /// The step; `None` for what belongs to the run, such as an output.
    pub step: Option<StepId>,
    /// The address of the instance, or the name of the output.
    pub address: String,
    /// What went wrong.
    pub error: StepError,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// Which run.
    pub run: RunId,
    /// How it stands. `Running` after [`Canceller::cancel_now`] where calls were still under way: resuming settles them.
    pub status: RunStatus,
    /// What went wrong, in the order in which it happened.
    pub problems: Vec<StepProblem>,
    /// The root outputs by name; marked. Empty unless the run succeeded.
    pub outputs: BTreeMap<String, Value>,
    /// What became of all conditions of the template.
    pub checks: Vec<CheckResult>,
    /// What `check` blocks warn of, with places in the plan's own texts.
    pub warnings: Vec<Diagnostic>,
    /// What became of its orders; empty where it had none.
    pub orders: Vec<OrderReport>,
    /// Steps that ended well.
    pub done_count: usize,
    /// Steps that failed or are uncertain.
    pub failed_count: usize,
    /// Steps that did not start.
    pub skipped_count: usize,
    /// How many changes were undone; `None` where the run was not rolled back.
    pub undone_count: Option<usize>,
}

/// Asks a run to stop; cheap to clone, works from any task.
#[derive(Clone, Debug)]
pub struct Canceller {
    pub(super) stop: CancellationToken,
    pub(super) hurry: CancellationToken,
}

impl Canceller {
    /// Asks the run to start nothing new, finish what runs, and end as cancelled.
    pub fn cancel(&self) {
        self.stop.cancel();
    }

    /// Asks the run not to wait for what runs either: calls are told to end, get the grace of the options, and are
    /// then dropped. Resuming the run finds out what became of them.
    pub fn cancel_now(&self) {
        self.stop.cancel();
        self.hurry.cancel();
    }
}

/// A run that is under way on its own task.
///
/// Dropping the handle does not stop the run.
#[derive(Debug)]
pub struct RunHandle {
    pub(super) run: RunId,
    pub(super) events: Subscription,
    pub(super) canceller: Canceller,
    pub(super) task: JoinHandle<Result<RunReport>>,
}

impl RunHandle {
    /// Returns which run it is.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Returns the next event, or `None` once the run ended.
    ///
    /// # Cancellation
    /// Dropping the future loses no event.
    pub async fn next_event(&mut self) -> Option<Recorded> {
        self.events.next().await
    }

    /// Asks the run to stop; see [`Canceller::cancel`].
    pub fn cancel(&self) {
        self.canceller.cancel();
    }

    /// Asks the run to stop at once; see [`Canceller::cancel_now`].
    pub fn cancel_now(&self) {
        self.canceller.cancel_now();
    }

    /// Returns what asks the run to stop, for use elsewhere.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Returns whether the run's task ended.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits for the end. Failed steps are in the report, not in the error.
    ///
    /// # Errors
    /// The run paused; it stays `Running` and can be resumed: `store.unavailable` and whatever else the store says;
    /// `lease.lost` when somebody else took the stack over; `run.illegal_fact` and `engine.bug` for mistakes of ours.
    ///
    /// # Cancellation
    /// Dropping the future leaves the run going.
    pub async fn finish(self) -> Result<RunReport> {
        let Self { events, task, .. } = self;
        // Nobody reads them any more; what is sent from now on need not be kept.
        drop(events);
        match task.await {
            Ok(result) => result,
            Err(error) => Err(Error::bug("the task of a run ended early; resume the run").because(error)),
        }
    }
}

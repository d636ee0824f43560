use serde::{Deserialize, Serialize};

use super::Timestamp;
use crate::error::Diagnostic;

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepOutcome {
    /// Applied and ready.
    Done,
    /// It failed; the error says why.
    Failed,
    /// It did not start, because something that it needs failed or the run was stopped.
    Skipped,
    /// Nobody knows what it did to the world; a person has to settle it.
    Uncertain,
}

/// Something that happened while the engine worked.
///
/// Addresses are text (`module.net["a"].acme_vpc.main[0]`), actions are `create`, `read`, `update`, `delete`,
/// `forget`; durations are milliseconds. No field ever holds a resource's values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Event {
    /// An instance's real object is being read.
    RefreshStarted {
        /// Its address.
        address: String,
    },
    /// The read ended.
    RefreshFinished {
        /// Its address.
        address: String,
        /// Whether the object differs from what state says.
        drifted: bool,
    },
    /// An ephemeral resource is being opened, renewed or closed.
    EphemeralStarted {
        /// Its address.
        address: String,
        /// `open`, `renew` or `close`.
        action: String,
    },
    /// That ended.
    EphemeralFinished {
        /// Its address.
        address: String,
        /// `open`, `renew` or `close`.
        action: String,
        /// The error's code, where there is one.
        code: Option<String>,
        /// The error's message, where there is one.
        message: Option<String>,
        /// How long it took, in milliseconds.
        elapsed_ms: u64,
    },
    /// An instance was planned.
    Planned {
        /// Its address.
        address: String,
        /// What is to be done: `create`, `update`, `replace`, `delete`, `read`, `import`, `forget`, `no-op`.
        action: String,
    },
    /// A run began, or was resumed.
    RunStarted {
        /// The run's id.
        run: String,
        /// How many steps are left to do.
        step_count: u64,
        /// Whether an earlier process began it.
        resumed: bool,
    },
    /// A step's intent is durable and its call is about to be made.
    StepStarted {
        /// The step's number in its segment.
        step: u32,
        /// The address of its instance.
        address: String,
        /// What it does.
        action: String,
        /// Which attempt it is, from 1.
        attempt: u32,
    },
    /// A resource type said how far it is.
    StepProgress {
        /// The step's number.
        step: u32,
        /// The address of its instance.
        address: String,
        /// What it said.
        message: String,
    },
    /// The object exists (or is changed, or gone); the engine now waits until it really works.
    StepApplied {
        /// The step's number.
        step: u32,
        /// The address of its instance.
        address: String,
    },
    /// A call failed and will be made again.
    StepRetrying {
        /// The step's number.
        step: u32,
        /// The address of its instance.
        address: String,
        /// The error's code.
        code: String,
        /// The error's message.
        message: String,
        /// How long the engine waits first, in milliseconds.
        delay_ms: u64,
    },
    /// A step ended.
    StepFinished {
        /// The step's number.
        step: u32,
        /// The address of its instance.
        address: String,
        /// What it did.
        action: String,
        /// How it ended.
        outcome: StepOutcome,
        /// The error's code, where there is one.
        code: Option<String>,
        /// The error's message, where there is one.
        message: Option<String>,
        /// How long it took, in milliseconds.
        elapsed_ms: u64,
    },
    /// What was accepted was ordered, and is not paid yet.
    OrderPlaced {
        /// The key of the order.
        order: String,
        /// What the seller calls it.
        id: String,
        /// How many lines it has.
        line_count: u64,
        /// What is to be paid now, as text with its currency, once for each currency.
        due: Vec<String>,
    },
    /// An order was paid.
    OrderPaid {
        /// The key of the order.
        order: String,
    },
    /// An order that was not paid was taken back.
    OrderCancelled {
        /// The key of the order.
        order: String,
    },
    /// What a line of an order pays for may be made.
    OrderDelivered {
        /// The address of its instance.
        address: String,
        /// What the seller calls the line.
        line: String,
    },
    /// A line of an order was paid back.
    OrderRefunded {
        /// The address of its instance.
        address: String,
        /// What the seller calls the line.
        line: String,
        /// How much, as text with its currency, once for each currency.
        amount: Vec<String>,
    },
    /// Somebody asked the run to stop; running steps are finished, none is started.
    CancelRequested {
        /// How many steps are still running.
        running: u64,
    },
    /// The run failed and undoes what it did. Steps that are told of from here on are those of the rollback.
    RollbackStarted {
        /// The run's id.
        run: String,
        /// How many changes are to be undone.
        step_count: u64,
    },
    /// A problem that does not belong to one step.
    Problem {
        /// The problem.
        diagnostic: Diagnostic,
    },
    /// The run ended.
    RunFinished {
        /// The run's id.
        run: String,
        /// `succeeded`, `failed`, `cancelled` or `stuck`.
        status: String,
        /// Steps that ended well.
        done: u64,
        /// Steps that failed or are uncertain.
        failed: u64,
        /// Steps that did not start.
        skipped: u64,
    },
}

/// An event with its place in the order and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Counts from 0 in each operation. An observer that did not keep up sees gaps where progress was left out for it.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

//! The driver: tokio tasks that do what the machine says.
//!
//! ```text
//! dispatcher (one task: machine, finalizer, rows) ──writes──▶ writer (one task: encode, commit, acknowledge)
//!      ▲        │ spawns, at most `parallelism` calls                     │ durable: lets the step's call begin
//!      │        ▼                                                         ▼
//!      └─words─ step tasks: plan again · call · recover · await readiness ◀┘        keeper (renews the lease)
//! ```
//!
//! The dispatcher is the only owner of truth. It decides a fact, hands it to the writer and goes on: what is queued
//! while the last commit runs goes into the next, so the disk is asked once for many steps. Only a step's call (and
//! the end of the run) waits until its facts are durable.

mod dispatcher;
mod ephemeral;
mod handle;
mod judge;
mod keeper;
mod ledger;
mod orders;
mod outcome;
mod parts;
mod rollback;
mod start;
mod task;
mod writer;

pub use handle::{Canceller, RunHandle, RunReport, StepProblem};
pub use parts::{DriverParts, Options};
pub use start::Driver;

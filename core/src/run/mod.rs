//! Carrying out a plan so that nothing is lost or doubled, whatever dies in between.
//!
//! ```text
//!            ┌────────────── Machine (pure) ──────────────┐
//!   facts ──▶│ fold; a table of what may follow what      │──▶ commands: Start, Recover, AwaitReady, Finish
//!            └────────────────────────────────────────────┘            │
//!      ▲                                                               ▼
//!   journal ◀── writer (group commit) ◀── facts ◀── Driver (tokio): finalise, call, judge, write rows
//! ```
//!
//! A run is a stored plan and a journal of [`Fact`]s; its state is their fold. Commands are never stored: they follow
//! from the facts. That is why a run can be taken up anywhere: replay, append [`Fact::Resumed`], go on.
//!
//! What holds, crash or not:
//! * A call that changes the world is made only after its `Started` is durable, and only while the lease is held.
//! * The row of an object and the fact that it exists become durable together.
//! * A call whose outcome was lost is not repeated blindly: the world is asked first ([`Conclusion`]).
//! * What was approved is what is done: a step whose residue comes out otherwise fails before any effect.
//! * An unknown never reaches a type's verb except where the type computes it; what a verb returns is checked.
//! * Facts are appended in the order in which they were decided, so a durable fact implies all before it. Only the
//!   call itself waits for the disk.
//!
//! A create that never becomes ready leaves a current row with `ready` false: the object is there, nothing is
//! tainted, and the next run waits for it again.
//!
//! Ephemeral resources are no steps and leave no facts: the dispatcher has them opened when a step (or the outputs) needs
//! what they hold, and closed after the last step that may; a resumed run opens them anew.
//!
//! A run that may be rolled back remembers rows before it touches them. When it fails it goes on with another segment that
//! undoes what was done, last things first; steps of that segment are like any others, so that a crash amid a rollback is
//! taken up like any other.
//!
//! What was accepted is ordered and paid before anything that needs it starts, and what nobody uses is paid back before the run
//! ends ([`order`](crate::order)).
//!
//! It is deliberately not a workflow engine: no loops, no waiting for people.

mod before;
mod bounds;
mod calls;
mod driver;
mod entry;
mod fact;
mod fair;
mod finalize;
mod holder;
mod machine;
mod phase;
mod recovery;
mod refine;
mod rollback;
mod uses;

pub use before::Before;
pub(crate) use bounds::guarded;
pub use calls::Calls;
pub use driver::{Canceller, Driver, DriverParts, Options, RunHandle, RunReport, StepProblem};
pub use entry::{Entry, Summary, decode_entry, decode_summary, encode_entry, encode_summary};
pub use fact::{Conclusion, Fact, Input, OnFailure, RowFate, RowRef, StepError};
pub(crate) use fair::Turn;
pub use fair::{Fair, Ticket, Turns};
pub use finalize::{Drawing, Finalized, Finalizer, KnownFinalizer};
pub(crate) use holder::{Holder, HolderParts, call_info};
pub use machine::Machine;
pub use phase::{Command, IllegalFact, Phase};
pub use recovery::Resume;
pub use refine::refines;
pub(crate) use uses::uses_of;

//! `local_process`.
//!
//! A process is started in a session of its own, so that it outlives the engine, with two marks in its environment:
//! the object id and a digest of what it was started with. The marks are how it is found again when the engine died
//! between starting it and writing that down.
//!
//! ```text
//! resource   the verbs
//!  ├─ launch    starts a program                      launch::Launch
//!  ├─ identity  which process is meant                identity::Identity
//!  ├─ crew      who belongs to it; ends them          crew::stop
//!  ├─ probe     whether it answers                    probe::Probe
//!  └─ table     the system's table of processes       table::look, table::list
//! ```
//!
//! Invariants:
//! * A number is not an identity: numbers are given out again. A process is meant only if its start time (and the boot
//!   that this time counts from) agrees too, and if it carries no other object's mark.
//! * Nobody is signalled who was not identified right before, through a handle that cannot come to mean another.
//! * Where the system does not let one look, the answer is an error, never "gone": what counts as gone is started anew.
//! * A process that died stays dead until a plan says otherwise.

mod crew;
mod identity;
mod launch;
mod probe;
mod resource;
mod schema;
mod table;
mod watch;

pub(crate) use launch::{DIGEST, MARK};
pub(crate) use resource::Process;

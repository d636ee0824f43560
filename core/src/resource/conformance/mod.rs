//! What every [`Resource`](super::Resource) has to do, as cases that run against any of them.
//!
//! A type's own tests implement [`Harness`], which says how its things are described, and call [`assert_conforms`]. A case says
//! in one sentence what it found. Cases go by the contract alone: what a verb answers is held against what another one says
//! later, under the same key or another. What was made is removed again, so that a world that is not empty afterwards holds
//! something that was made twice.
//!
//! ```text
//! life      create, read, update, delete, import; what is gone, what was never there
//! crash     the same key again; a lost answer, a lost update, a lost delete; a death at a checkpoint
//! together  many at once; cancelled before the call
//! fault     verbs that raise, refuse, answer in another shape, hang, or end half-way (only of types that can be made to)
//! ```
//!
//! A case that a type cannot be asked for is skipped, and says why: a type without `update` is not updated. The fault cases
//! are about what is between the engine and a type: a bridge to another language has a type in that language that misbehaves
//! as told ([`Harness::faulty`]).
//!
//! Nothing here sleeps for luck; what takes time is a type's own settling, becoming ready, and a call that never ends, whose
//! limit is what the case is about.

mod crash;
mod fault;
mod fixture;
mod harness;
mod life;
mod together;

pub use harness::{Case, Fault, Finding, Harness, Verdict, assert_conforms, cases, suite};

#[cfg(test)]
mod tests;

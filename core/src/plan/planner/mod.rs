//! The planner: a pure machine that is asked what it wants to know and told the answers, until it has a plan.
//!
//! ```text
//! PlanInput ─▶ Planner::new ─▶ requests ─▶ (whoever talks to the world) ─▶ answer ─▶ … ─▶ finish ─▶ Plan
//! ```
//!
//! Many requests are open at a time, and answers may come in any order: the plan is the same. An instance goes through
//! *look* (its row is read), *configure* (its block is evaluated), *plan* (its type is asked) and *decide*; it waits for
//! other nodes and for answers in between. When nothing is left to do, rows that nobody claimed are deletes, and the
//! steps are put into order.

mod assemble;
mod checks;
mod condition;
mod cycle;
mod data;
mod decide;
mod depend;
mod entry;
mod ephemeral;
mod ignore;
mod input;
mod instance;
mod items;
mod machine;
mod managed;
mod moves;
mod orphan;
mod outcome;
mod output;
mod record;
mod removed;
mod request;
mod rows;
mod surroundings;
mod target;
mod trigger;
mod unused;
mod update;
mod uses;

pub(crate) use decide::held_against;
pub(super) use ephemeral::admitted;
pub(super) use ignore::keep;
pub use input::{ObjectIds, PlanInput, PlanOptions};
pub use machine::Planner;
pub(super) use machine::seconds;
pub use request::{Answer, Ask, Request, RequestId};

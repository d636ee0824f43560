//! Desired and actual, compared: a plan is a value.
//!
//! ```text
//! template + variables ─┐
//! state rows            ├─▶ Planner (pure machine: requests out, answers in) ─▶ Plan
//! answers of resources ─┘
//! ```
//!
//! A [`Plan`] holds *changes* (what a person sees, one per instance, each with typed [`Reason`]s) and *steps* (what
//! runs; a replacement is one change and two steps). It carries everything that its execution needs, a snapshot of
//! the template and variables included, so that it can be stored, shown, approved and resumed somewhere else.

pub mod codec;
mod console;
mod data;
mod node;
mod order;
mod planner;
mod residue;
mod source;
mod tag;
mod terraform_json;
mod text;

#[cfg(test)]
mod adopting;
#[cfg(test)]
mod behavior;
#[cfg(test)]
mod checking;
#[cfg(test)]
mod ephemeral_tests;
#[cfg(test)]
mod growth;
#[cfg(test)]
mod infinite_tests;
#[cfg(test)]
mod moves;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod provider_tests;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod testing;

pub use console::{Console, ConsoleInput};
pub use data::{
    Action, Change, ChangeIdx, Drift, DriftKind, Inputs, Join, JoinId, Level, Mode, Need, OutputChange, Plan,
    PlannedReadOf, Reason, RowBase, RowUpdate, Step, StepAction, StepConfig, StepId,
};
pub(crate) use node::{FilesSeen, Replay};
pub(crate) use planner::held_against;
pub use planner::{Answer, Ask, ObjectIds, PlanInput, PlanOptions, Planner, Request, RequestId};
pub use residue::{Drawing, Finalized, Residue};
pub use source::{ResourceInfo, TypeSource};
pub use tag::RESERVED_TAG_PREFIX;
pub(crate) use tag::{Tags, check_keys, check_template};
pub use terraform_json::{checks_json, plan_json, state_json};
pub use text::{Counts, TextOptions};

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

mod data;
#[cfg_attr(not(test), expect(dead_code, reason = "the planner that uses it comes next"))]
mod order;
mod text;

pub use data::{
    Action, Change, ChangeIdx, Drift, DriftKind, Inputs, Level, Mode, Need, OutputChange, Plan, PlannedReadOf, Reason,
    RowBase, RowUpdate, Step, StepAction, StepConfig, StepId,
};
pub use text::{Counts, TextOptions};

//! A make-believe world for tests of planning: types, objects, and a run that goes step by step.

mod types;
mod world;

pub(super) use types::{Types, complete};
pub(super) use world::{World, changes, template};

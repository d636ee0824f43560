//! State files of Terraform and OpenTofu (format 4), read and written.
//!
//! What carries over: managed objects with their keys, deposed and tainted ones, sensitive paths, private bytes, direct
//! dependencies, outputs. What does not: data sources (they are read again), check results (they are checked again).
//!
//! Differences that matter. Terraform's file holds secrets in the open; here they are marked and sealed when they are
//! stored. It names dependencies by block and includes indirect ones; here they are objects, direct ones only. It knows
//! no `uncertain`: such rows are left out of an export, and named.

mod document;
mod export;
mod import;
mod provider;

pub use export::{Exported, export};
pub use import::{Imported, import};

//! The façade: what a host calls.
//!
//! ```text
//! Engine (types, layers, store, cipher, clock) ── Tenant
//!   └── Stack (tenant, name) ── validate · plan · apply · refresh · import · destroy · outputs · state · runs
//!         └── Run (events, cancel, finish)
//! ```
//!
//! Everything here is thin: it loads rows, drives the planner's requests against the registry, takes a lease and hands a
//! plan to the driver. A run lives on a task of the engine's own: dropping a [`Run`] or cancelling the future that waits
//! for it never drops an apply.

mod console;
mod edit;
mod engine;
mod handle;
mod handover;
mod history;
mod planning;
mod purchase;
mod quota;
mod quoting;
mod run;
mod tag;
mod tenant;
mod variables;
mod view;

pub use console::Console;
pub use edit::Settlement;
pub use engine::{Engine, EngineBuilder};
pub use handle::Stack;
pub(crate) use handover::Handover;
pub use planning::{Import, PlanOptions};
pub use purchase::Purchase;
pub use quoting::QuoteOptions;
pub use run::{ApplyOptions, Run};
pub use tenant::Tenant;
pub use view::{OpenCall, RunView, StateView};

//! The bridge between the engine and Node; the package in `lib/` stands on it.
//!
//! ```text
//! lib/bridge.js ─ ask, tell, reply ─▶ Engine (this addon) ─▶ stackwright_bridge::Client, on the engine's threads
//!       ▲ take()                                    │ Bell: one wake of the JavaScript thread for many letters
//!       └───────────────────────────────────────────┘
//! ```
//!
//! What crosses is JSON text and two classes with nothing but methods. No error crosses: every answer is an envelope,
//! `{"ok": …}` or `{"error": …}`, from which the package throws errors of its own.

mod engine;

pub use engine::{CallContext, Engine, Letter, current_thread};

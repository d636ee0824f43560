//! The bridge between the engine and Python: a spike, to prove that the contracts carry over.
//!
//! ```text
//! stackwright_spike (this module) ─▶ stackwright::ffi ─▶ the engine, on tokio's threads
//!        ▲ awaitables, JSON text                           │ Host::call
//!        └──── `dispatch(context, request)` on the event loop ◀┘
//! ```
//!
//! What crosses is JSON text and five classes with nothing but methods. No exception crosses: every answer is an
//! envelope, `{"ok": …}` or `{"error": …}`, from which the package on top raises exceptions of its own.
//! `docs/design/bindings-spike.md` says what it taught.

mod context;
mod engine;
mod host;

/// The native module.
#[pyo3::pymodule]
mod stackwright_spike {
    #[pymodule_export]
    use crate::{
        context::CallContext,
        engine::{Engine, Plan, Run, open},
    };
}

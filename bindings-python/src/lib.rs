//! The bridge between the engine and Python: a spike, to prove that the contracts carry over.
//!
//! ```text
//! stackwright_spike (this module) ─▶ stackwright::ffi ─▶ the engine, on tokio's threads
//!        ▲ awaitables, JSON text                                   │ Host::call
//!        └──── `dispatch(context, request, answer)` on the event loop ◀┘
//! ```
//!
//! What crosses is JSON text and six classes with nothing but methods. No exception crosses: every answer is an
//! envelope, `{"ok": …}` or `{"error": …}`, from which the package on top raises exceptions of its own.
//! `docs/design/bindings-spike.md` says what it taught.

mod asyncio;
mod context;
mod door;
mod engine;
mod host;

/// The native module.
#[pyo3::pymodule]
mod stackwright_spike {
    #[pymodule_export]
    use crate::{
        context::CallContext,
        engine::{Engine, Plan, Run, open},
        host::Answer,
    };
    use pyo3::{
        Bound, PyResult,
        types::{PyAnyMethods as _, PyModule},
        wrap_pyfunction,
    };

    /// Shuts the door before the interpreter ends.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        py.import("atexit")?.call_method1("register", (wrap_pyfunction!(crate::door::shut, py)?,))?;
        Ok(())
    }
}

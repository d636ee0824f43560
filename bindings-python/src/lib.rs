//! The bridge between the engine and Python; `python/stackwright` stands on it.
//!
//! ```text
//! stackwright (package) ─▶ _native.Engine: ask, tell, reply ─▶ stackwright_bridge::Client, on the engine's threads
//!        ▲ take()                                                        │ Host::call, answers
//!        └────────────────────────── mailbox ◀────────────────────────────┘
//! ```
//!
//! What crosses is JSON text. No thread of the engine's goes into Python to deliver anything: it puts a letter into the
//! mailbox and, where the box was empty, writes a byte that the event loop waits for. The loop takes all letters at
//! once. So a busy engine wakes the loop once per turn and not once per call, never waits for the interpreter's lock,
//! and cannot be caught in the interpreter when that ends. Functions of templates and ciphers are the exceptions
//! (`door`), since somebody waits for them.
//!
//! No exception crosses: every answer is an envelope, `{"ok": …}` or `{"error": …}`, from which the package raises
//! exceptions of its own.

#[cfg(not(unix))]
compile_error!("the mailbox wakes event loops through a socket pair, which is written for Unix only");

mod bell;
mod cipher;
mod context;
mod door;
mod engine;

/// The native module.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::{context::CallContext, engine::Engine};
    use pyo3::{
        Bound, PyResult,
        types::{PyAnyMethods as _, PyModule, PyModuleMethods as _},
        wrap_pyfunction,
    };

    /// Says which engine it is, and shuts the door before the interpreter ends.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
        py.import("atexit")?.call_method1("register", (wrap_pyfunction!(crate::door::shut, py)?,))?;
        Ok(())
    }
}

//! The bridge between the engine and Node: a spike, to prove that the contracts carry over.
//!
//! ```text
//! stackwright.node (this addon) ─▶ stackwright::ffi ─▶ the engine, on tokio's threads
//!        ▲ promises, JSON text                      │ Host::call
//!        └──── `dispatch(context, request)` on the main thread ◀┘
//! ```
//!
//! What crosses is JSON text and four classes with nothing but methods. No error crosses, since a rejected promise
//! keeps its message only: every answer is an envelope, `{"ok": …}` or `{"error": …}`, from which the package on top
//! throws errors of its own. `docs/design/bindings-spike.md` says what it taught.

/// What a call is handed.
pub mod context;
/// Engines, plans and runs.
pub mod engine;
mod host;

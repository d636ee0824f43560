//! The bridge between the engine and the JVM; the package in `kotlin/` stands on it.
//!
//! ```text
//! stackwright (package) ─▶ EngineHandle: ask, tell, reply ─▶ stackwright_bridge::Client, on the engine's threads
//!        ▲ listen(), on one thread of the package's                   │ Host::call, answers
//!        └───────────────────────── mailbox ◀─────────────────────────┘
//! ```
//!
//! What crosses is JSON text. No thread of the engine's goes into the JVM to deliver anything, which would attach it there
//! and detach it again for every call: a thread of the package's waits in [`EngineHandle::listen`] and takes all letters at
//! once. Functions of templates are the one exception, since an evaluation waits for them.
//!
//! What is live about a call stays here, under the call's number: no object is made for it that a collector of garbage would
//! have to look after.

mod doorbell;
mod handle;

pub use handle::{Compute, EngineHandle, Letter, NoThreads};

uniffi::setup_scaffolding!();

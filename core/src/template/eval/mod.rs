//! What expressions are worth.
//!
//! ```text
//!             ┌───────── Evaluator ─────────┐   Request    ┌─────── host ────────┐
//! Expr ──────▶│ operators, templates, loops │ ───────────▶ │ Scope: planner,     │
//! Body ──────▶│ functions ── Context        │ ◀─────────── │ applier, checker,   │
//!             └─────────────┬───────────────┘  Resolution  │ console             │
//!                           ▼                              └─────────────────────┘
//!              Value, diagnostics, pending?
//! ```
//!
//! Evaluation is demand-driven. A reference becomes one [`Request`] to the [`Scope`], for exactly what is used: the key of
//! `a.b[count.index].id` is evaluated first, and then one instance is asked for. A host that does not have it yet
//! answers [`Pending`](Resolution::Pending); evaluation goes on with a stand-in, so one pass over an expression asks for
//! all that it needs.
//!
//! What is known not to be wanted is not asked for: of the arm of a conditional that is not taken only the type counts,
//! which most scopes know without the value ([`Scope::resolve_type`]). What *may* be wanted once more is known is asked
//! for, so that it is there then: both arms of an open condition, the body of a `for` over something unknown, every
//! argument of a `try` that cannot decide. Behind what the host does not have yet nothing is asked for.
//!
//! Unknown values and marks go through every operation as they do in Terraform 1.11. A problem makes the part of the
//! expression that has it unknown, and no second problem comes of that: whoever evaluates gets all problems at once.
//! [`Budget`] bounds what an evaluation may use up. Nothing here does I/O but through [`FileAccess`] and [`World`], which
//! the host provides.
//!
//! It deliberately knows no instances, no state and no order: what a name stands for is the host's affair.
//!
//! Invariants: no message holds a value that is marked; the same expression with the same answers gives the same value
//! and the same problems; no input panics.

mod access;
mod body;
mod call;
mod comprehension;
mod console;
mod context;
mod evaluator;
mod files;
mod frame;
mod functions;
mod operation;
mod options;
mod problem;
mod scope;
mod text;

#[cfg(test)]
mod tests;

pub use console::console_print;
pub use context::Context;
pub use evaluator::{Evaluator, Findings};
pub use files::{DirectoryFiles, FileAccess, MemoryFiles, NoFiles};
pub(crate) use functions::compile_pattern;
pub use functions::{Body, Call, Function, Functions, Parameter, TypeOf, builtin_functions};
pub use options::{Budget, NotYet, Observation, ObservationKind, Options, SystemWorld, World};
pub use problem::Problem;
pub use scope::{EmptyScope, Recall, Request, Resolution, Scope};

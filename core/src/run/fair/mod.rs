//! Turns: many runs of many tenants share one process and one set of quotas of a cloud, and nobody waits for long because
//! somebody else has much to do.
//!
//! ```text
//! tenants take turns (as many calls in a row as their weight)
//!   └── stacks of a tenant take turns
//!         └── calls of a stack: first come, first served
//! ```
//!
//! [`Turns`] decides, purely; [`Fair`] lets callers wait. Who waits for a turn has begun nothing: no fact says so, and the time
//! that a call may take does not run.

mod gate;
mod turns;

#[cfg(test)]
mod tests;

pub use gate::Fair;
pub(crate) use gate::Turn;
pub use turns::{Ticket, Turns};

//! Layers: what surrounds every call of a resource type, composed as values.
//!
//! A [`Layer`] wraps a type into another one. [`Retry`] repeats what is safe to repeat, [`Timeout`] bounds a call,
//! [`Limit`] bounds how many run at once and how often they start, [`Trace`] makes spans. They are added to the
//! registry in order; a later one is outside. A sensible stack is `Timeout`, `Limit`, `Retry`, `Trace`: a waiting
//! retry then holds no slot.
//!
//! All four share one shape, [`Layered`]: a policy that runs around a verb, whatever the verb returns.

mod layered;
mod limit;
mod retry;
mod timeout;
mod trace;

pub use layered::{Answer, Layer, Layered, LayeredData, LayeredEphemeral, Policy, Verb};
pub use limit::{Limit, Scope};
pub use retry::Retry;
pub use timeout::Timeout;
pub use trace::Trace;

#[cfg(test)]
mod tests;

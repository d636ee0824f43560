//! What observers see, and the time that everything is stamped with.
//!
//! One [`Event`] enum is the only thing that leaves the engine while it works: a progress bar, a console's
//! server-sent events and an audit log read the same values. Events are ordered (each [`Recorded`] carries a
//! sequence number), serialisable and hold no secrets: an event names addresses, actions, codes and counts,
//! never a resource's values.
//!
//! [`Clock`] is how everything below the driver waits and reads the time; a host or a test brings its own.

mod bus;
mod kind;
mod time;

pub use bus::{Bus, PROGRESS_BACKLOG, Recorder, Subscription};
pub use kind::{Event, Recorded, StepOutcome};
pub use time::{Clock, SystemClock, Timestamp};

//! `random_id`, `random_password` and `random_port`.
//!
//! What they choose lives in state alone: reading finds nothing new, deleting forgets, and a choice that nobody learnt
//! of never happened. All of it comes from the system's generator, and every outcome is as likely as every other.

mod draw;
mod id;
mod password;
mod port;

pub(crate) use id::Id;
pub(crate) use password::{EphemeralPassword, Password};
pub(crate) use port::Port;

use stackwright::{
    resource::{Evidence, Recovery},
    schema::Attribute,
    value::Type,
};

/// Returns the attribute that asks for a new choice.
fn keepers() -> Attribute {
    Attribute::optional(Type::map(Type::String))
        .forces_replacement()
        .describe("Any values; when one changes another choice is made.")
}

/// Returns what became of a lost call: what was chosen before still is.
fn recover(evidence: &Evidence) -> Recovery {
    evidence.prior.clone().map_or(Recovery::Absent, Recovery::Found)
}

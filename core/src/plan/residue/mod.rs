//! What a plan left open, evaluated while it runs.
//!
//! ```text
//! finalize(step) ─▶ evaluate the snapshot on demand ─▶ configuration, proposal
//! applied(value) ─▶ what was computed with older values is forgotten
//! ```
//!
//! What ephemeral resources hold is asked for ([`Residue::missing`]) and handed in ([`Residue::opened`]).
//!
//! It sees the plan, what applied steps came to, and nothing else: no state, no world but for what it draws, which it
//! notes so that another process draws the same.

mod check;
mod condition;
mod drawing;
mod ephemeral;
mod evaluate;
mod output;
mod step;

pub(super) use check::config_address;
pub use drawing::Drawing;
pub use evaluate::Residue;
pub use step::Finalized;

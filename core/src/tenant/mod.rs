//! What tenants may use, and what they do use: quotas.
//!
//! ```text
//! plan + rows ──▶ Claim (base, growth)          Quotas (the host's): limits
//!                       │                               │
//!                       └──────────▶ check ◀────────────┘
//!                                      ▲
//! ledger of the tenant ──▶ Book (fold) ┘    Reserved ─▶ … the run … ─▶ Settled
//! ```
//!
//! Everything here is pure; [`stack`](crate::stack) reads and writes. The truth is a ledger of the tenant's: before a run
//! begins what it may add is *reserved* there, and once it has ended what the stack really uses is *settled* from its rows.
//! Meanwhile the stack counts as what it used before and all that it may add: never less than what exists.
//!
//! Who appends has seen every entry before, so of two runs that want the last place exactly one gets it.
//!
//! It deliberately knows nobody's prices or contracts: what the limits are, the host says.

mod book;
mod check;
mod claim;
mod limit;

pub use book::{Book, Holding, Mark, OpenClaim, QuotaFact};
pub use check::{QuotaCheck, QuotaLine, QuotaUse, Standing};
pub use claim::{Ask, Claim, Want, uses_of_rows};
pub use limit::{FixedQuotas, Limit, Quotas};

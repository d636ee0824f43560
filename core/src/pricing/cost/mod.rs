//! Costs: what installations cost in a period, estimated from what was there, and told by a provider's bill.
//!
//! ```text
//! postings (what was priced, from when until when) ──estimate──▶ rows ─┐
//! rows of a bill ──attribute (id, tag, shared costs)───────────▶ rows ─┴─▶ CostReport: groups, totals, reconciled
//! ```
//!
//! Rows carry the columns of FOCUS, the FinOps Open Cost and Usage Specification, version 1.2 ([`CostRow::COLUMNS`]); columns of
//! our own begin with `x_`. Everything here is pure: who has ledgers and state makes [`Posting`]s and [`Holding`]s.
//!
//! What is charged by period is spread evenly over each hour, day, month or year of the calendar (UTC). What a part of it costs is the
//! difference of two sums, each from the beginning of the posting and rounded once. So the parts of a period always add up
//! to the whole, to the smallest unit. A row of a bill that several share is split by largest remainders, as discounts are.
//!
//! It deliberately converts no currencies, asks no provider, and guesses nothing: what nobody knows is unknown, and what
//! nobody owns is unallocated.
//!
//! Invariants: rows sum to the totals, per currency; parts of a period sum to the whole; what is allocated and what is not
//! sum to the bill; the order of postings, holdings and rows changes nothing.

mod attribute;
mod bill;
mod calendar;
mod estimate;
mod report;
mod row;
mod text;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use attribute::{Holding, Select as CostSelect, SharedCost, Split};
pub use bill::BillRow;
pub use calendar::Window;
pub use estimate::{Posting, Priced, When};
pub use report::{CostBy, CostGroup, CostInput, CostKey, CostReport, CostTotal, Reconciled};
pub use row::{Attribution, ChargeCategory, ChargeFrequency, CostConfidence, CostRow, CostSource, Costs, Owner};

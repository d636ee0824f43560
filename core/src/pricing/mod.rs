//! Prices: what an installation costs, before it is made.
//!
//! ```text
//! resource types ──quote──▶ Prices of each instance ─┐
//! bundle rules ──────────────────────────────────────┼─▶ Quote { lines, totals, unpriced, hash, expiry }
//! what was accepted before ──────────────────────────┘
//! ```
//!
//! [`Quote::of`] is a pure function: no clock, no network, no float. [`Money`] is an exact decimal with a currency;
//! amounts in different currencies, or paid in different ways, are never added ([`Bucket`]). A price is firm, an estimate, or
//! unknown; what is unknown stands in [`Quote::unpriced`] and in no total, since it is not zero.
//!
//! Bundle rules take a part off several lines together. What comes off is given back to the lines exactly, to the smallest
//! unit, since refunds and the attribution of cost go by line.
//!
//! It deliberately knows no plan and no resource type: who has them makes a [`Basket`]. It places no orders either.
//!
//! Invariants: the sums of lines are the totals; what came off lines is what the rules took off; no line is below zero; the
//! order of items and rules changes nothing; a rule that is skipped changes nothing.

mod accept;
mod apply;
mod bundle;
mod charge;
pub mod cost;
mod decimal;
mod error;
mod line;
mod money;
mod quote;
mod text;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use accept::Tolerance;
pub use apply::Verdict;
pub use bundle::{Bundle, Buyer, Effect, Requirement, Select};
pub use charge::{Bucket, Charge, Period, Tier, Tiering, Usage};
pub use decimal::Decimal;
pub use error::Error;
pub use line::{Confidence, Discount, Line, LineChange, Price, Prices};
pub use money::{Currency, Money};
pub use quote::{Basket, Entry, Item, Quote, Total, Unpriced};

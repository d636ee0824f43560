//! In which order steps run, and what each waits for.
//!
//! ```text
//! items: made, deleted, or neither ─▶ graph of halves and relays ─▶ topological order ─▶ steps and joins
//! ```
//!
//! An item that nothing is done to (an unchanged instance, a block as a whole) has no step, but what is behind it still
//! matters to what is before it: it becomes a *relay* that passes waits on. Relays that lead nowhere vanish, those that
//! have one side only are replaced by direct needs, and the rest become the plan's joins. So the order costs no more
//! words than the items' own references, however many users of a block there are.

mod item;
mod join;
mod steps;

#[cfg(test)]
mod tests;

pub(super) use item::{Half, Item, Ordered, Sequence};
pub(super) use steps::order;

//! A directed graph of work: what needs what, why a loop is one, and what may start now.
//!
//! ```text
//! add_node, add_edge(from, needs)        cycles() ─▶ why it cannot be ordered
//!          │                                 ▲
//!          ▼                                 │
//!     Graph<N, E> ──▶ topological_order() ───┤
//!          │                                 │
//!          └────────▶ Frontier::new() ───────┘ ──▶ pop_ready() … reached(node, level) … skip(node)
//! ```
//!
//! Edges read "`from` needs `needs`". An order lists what is needed first.
//!
//! It knows nothing of resources: nodes and edges carry what the caller likes. It deliberately offers no removal
//! of nodes, so that a [`NodeIdx`] is an index into side tables for as long as the graph lives.
//!
//! Invariants: at most one edge joins two nodes in one direction; every answer depends only on the calls that built
//! the graph, never on hashing or addresses; nothing here recurses, so that a chain of a million nodes is fine; every
//! operation is linear in nodes and edges, up to a logarithm, unless its page says otherwise.

mod cycle;
mod draw;
mod frontier;
mod order;
mod store;

pub use cycle::Cycle;
pub use frontier::Frontier;
pub use store::{Graph, NodeIdx};

//! What every [`Store`](super::Store) has to do, as cases that run against any of them.
//!
//! A store's own tests implement [`Harness`] and call [`assert_conforms`]; each case gets an empty store. A case says
//! in one sentence what it found. Nothing here sleeps or reads a clock: leases are judged by the moments that a store
//! is told, or by a clock of its own that the harness sets.
//!
//! ```
//! # use std::sync::Arc;
//! # use async_trait::async_trait;
//! use stackwright::state::{MemoryStore, Store, conformance::{Harness, assert_conforms}};
//!
//! struct InMemory;
//!
//! #[async_trait]
//! impl Harness for InMemory {
//!     async fn open(&self) -> stackwright::Result<Arc<dyn Store>> {
//!         Ok(Arc::new(MemoryStore::new()))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! assert_conforms(&InMemory).await;
//! # }
//! ```

mod commit;
mod fixture;
mod harness;
mod lease;
mod ledger;
mod stack;
mod volume;

pub use harness::{Case, Failure, Harness, assert_conforms, cases, suite};

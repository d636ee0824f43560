//! A [`Store`](stackwright::state::Store) of the `stackwright` engine for many processes on many machines: one schema of
//! a PostgreSQL database.
//!
//! ```text
//! commit ─▶ queue of its stack ─▶ one call of a function in the database ─▶ replies
//!                                 (locks the stack's row · has this been done? · is the token the newest? · writes)
//! lease, load ──────────────────▶ one statement each, on any free connection
//! ```
//!
//! *One statement is one transaction.* Everything that changes something is one call of a function that migrations made.
//! The server has the whole message or nothing of it, so a connection that breaks leaves no half transaction and no
//! lock. Commits of one stack that wait at the same time share a call; what the call refuses is tried again one by one,
//! so a bad one fails alone.
//!
//! *Nothing is done twice.* Each call bears the store's name and a number; the database remembers the last one under each
//! lease. When an answer is lost the call is sent again, and does nothing if it was done. That holds even if the first one
//! arrives late, after others.
//!
//! *Fencing.* Whoever writes anything of a stack locks its row first and compares tokens under that lock. Leases expire
//! by the database's clock.
//!
//! *Nothing is taken over.* A schema that is not one of ours, or was made by a newer program, is refused and left as it is.
//! Bodies are opaque here: secrets were sealed before they came.
//!
//! How to run it in production: `docs/stores/postgres.md`.
//!
//! # Examples
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> stackwright::Result<()> {
//! use stackwright::state::Store;
//! use stackwright_store_postgres::{PostgresOptions, PostgresStore};
//!
//! let options = PostgresOptions::parse("postgres://deployer@db.example.com/platform")?.password("correct horse");
//! let store = PostgresStore::open_with(options).await?;
//! assert!(store.list_stacks(None).await?.is_empty());
//! store.close().await;
//! # Ok(()) }
//! ```

mod batch;
mod convert;
mod error;
mod link;
mod options;
mod passfile;
mod queue;
mod read;
mod schema;
mod store;
mod tls;
mod url;
mod write;

pub use options::{Migrations, PostgresOptions};
pub use store::PostgresStore;

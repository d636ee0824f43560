//! The embedded default [`Store`](stackwright::state::Store) of the `stackwright` engine: one SQLite file.
//!
//! ```text
//! tasks ──commit──▶ queue ──▶ writer thread: BEGIN · commit · commit · commit · COMMIT (one flush) ──▶ replies
//!       ──load────▶ queue ──▶ reader threads, each with its own connection (WAL: they never wait for the writer)
//! ```
//!
//! *Group commit.* Everything that waits when the writer becomes free goes into one transaction; each commit has a
//! savepoint, so a bad one fails alone; replies are sent after the one flush. `synchronous=FULL`: a reply means that
//! the facts survive a power cut (as far as the disk tells the truth).
//!
//! *Many processes* may open the file: a group runs under SQLite's write lock, so leases and fencing hold between them
//! too. Not on network file systems, where SQLite's locks do not work.
//!
//! *Nothing is taken over.* A file that is not one of ours, is damaged, or was written by a newer program is refused
//! and left as it is. Bodies are opaque here: secrets were sealed before they came.
//!
//! # Examples
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> stackwright::Result<()> {
//! # let directory = tempfile::tempdir().unwrap();
//! # let path = directory.path().join("state.db");
//! use stackwright::state::Store;
//! use stackwright_store_sqlite::SqliteStore;
//!
//! let store = SqliteStore::open(&path).await?;
//! assert!(store.list_stacks(None).await?.is_empty());
//! store.close().await?;
//! # Ok(()) }
//! ```

mod append;
mod error;
mod open;
mod options;
mod read;
mod reader;
mod schema;
mod store;
mod write;
mod writer;

pub use options::SqliteOptions;
pub use store::SqliteStore;

//! What exists, and how it is remembered.
//!
//! ```text
//! Row, outputs, plan segments, facts      typed, may hold secrets
//!        │  codec: sensitive leaves sealed by a Cipher, a checksum on every record
//!        ▼
//! RowRecord, SegmentRecord, EntryRecord   opaque bodies with a few keys
//!        │  Store: one trait, one conformance suite
//!        ▼
//! MemoryStore · SQLite · PostgreSQL
//! ```
//!
//! A store never sees a secret and never looks into a body. Everything of a stack that changes goes through one call,
//! [`Store::commit`]: atomic, fenced by a [`Lease`], idempotent.
//!
//! Beside stacks a tenant has *ledgers*: append-only lists outside any run, for what belongs to no single stack or outlives
//! it (who installed what, who may do what). [`Ledger`] seals and chains their entries; [`Store::append`] lets exactly one
//! of several writers have each number.

mod check;
pub mod cipher;
pub mod codec;
pub mod conformance;
mod dependency;
pub mod failure;
mod id;
mod ledger;
mod memory;
mod row;
mod store;
pub mod terraform_v4;
pub mod testing;
mod uses;
mod whole;

pub use check::{CheckInstance, CheckKind, CheckResult, CheckStatus};
pub use codec::ChainHash;
pub use dependency::{Dependencies, splice};
pub(crate) use id::uuid_id;
pub use id::{LeaseToken, LedgerKey, Lineage, ObjectId, RunId, StackKey};
pub use ledger::{Head, Ledger, LedgerDraft, LedgerEntry, LedgerHistory};
pub use memory::MemoryStore;
pub use row::{Row, RowStatus};
pub use store::{
    Commit, EntryRecord, Lease, LedgerRecord, RowRecord, RowWrite, RunRecord, RunStatus, SegmentRecord, StackRecord,
    StackWrite, Store,
};
pub use uses::{Amount, Uses};
pub use whole::{Whole, Wholes};

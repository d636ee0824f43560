//! Typed data to records and back.
//!
//! Every record is a *document*: one line with the format's name, its version and a checksum, then JSON.
//!
//! ```text
//! stackwright.row 1 5f0c…                                   (name, version, 128 bits of SHA-256)
//! {"object_id":"…","attributes":{"t":…,"v":{"name":"db","password":{"$s":{"key":…,"sealed":…}}}}}
//! ```
//!
//! The checksum covers the record's own name (its *subject*) too, so that two records cannot be mistaken for one
//! another. Sensitive leaves are sealed one by one by a [`Sealer`], bound to their place; the rest stays readable for
//! people with a database shell. [`Format`] and [`RecordSealer`] are what `plan` and `run` encode their own documents
//! with.

mod document;
mod ledger;
mod output;
mod row;
mod sealer;

pub use document::{Document, Format};
pub use ledger::ChainHash;
pub(in crate::state) use ledger::{decode_ledger_entry, encode_ledger_entry};
pub use output::{Output, decode_checks, decode_outputs, encode_outputs, encode_stack};
pub use row::{decode_row, encode_row};
pub use sealer::{RecordSealer, Sealer};

//! Plans as bytes, and as a hash.
//!
//! A plan is a document of the state's codec: a format, a version, a checksum, then JSON in which sensitive values, the
//! template's files, the files that were read, variables and private bytes are sealed. The seals of one document are bound
//! to its own random id, so that no part of another plan can be put in its place.
//!
//! The hash covers what a person approves (changes, reasons, order, values, inputs) and none of what differs between two
//! plans of the same thing.

mod doc;
mod hash;
mod pack;
mod unpack;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value as Json;
use uuid::Uuid;

use super::Plan;
use crate::{
    error::Result,
    state::codec::{Format, Sealer},
};

pub use hash::{PlanHash, hash};

/// Version 2 has `joins` and `wholes`.
const FORMAT: Format = Format::new("stackwright.plan", 2);

/// Returns a plan as bytes: what a store keeps and `plan -out` writes.
///
/// # Errors
/// `engine.bug` where a value is ephemeral; what the cipher says.
///
/// # Complexity
/// O(plan): it is written once, without a tree in between.
pub fn encode(plan: &Plan, sealer: &Sealer) -> Result<Arc<[u8]>> {
    let id = Uuid::new_v4().to_string();
    let record = sealer.record("plan", &id);
    let doc = pack::pack(plan, id, &pack::Sealed { sealer, record })?;
    FORMAT.write(&sealer.stack().to_string(), &doc)
}

/// Returns the plan that [`encode`] wrote.
///
/// # Errors
/// `store.corrupt`, `store.version`, `cipher.open_failed`.
pub fn decode(bytes: &[u8], sealer: &Sealer) -> Result<Plan> {
    let doc: doc::PlanDoc<Json> = FORMAT.read(&sealer.stack().to_string(), bytes)?.payload()?;
    unpack::Unpack { sealer, record: sealer.record("plan", &doc.id) }.plan(doc)
}

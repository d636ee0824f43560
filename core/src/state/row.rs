use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ObjectId, Uses};
use crate::{
    address::{Address, Target},
    value::Value,
};

/// What is known of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RowStatus {
    /// It is the object of its address.
    Current,
    /// A newer object took its address; it waits to be deleted.
    Deposed,
    /// It exists but may be half made; the next plan replaces it.
    Tainted,
    /// Nobody knows whether it exists or how it looks; a person has to settle it.
    Uncertain,
}

/// One object that exists (or may exist), as state remembers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The identity of the object.
    pub object_id: ObjectId,
    /// Where it stands in the template. A move changes this and nothing else.
    pub address: Address,
    /// What is known of it.
    pub status: RowStatus,
    /// The resource type's registered name, such as `local_file`.
    pub type_name: Arc<str>,
    /// The configured provider that owns it, such as `local` or `module.a.provider.local.east`; empty for the
    /// provider that its type name implies.
    pub provider: Arc<str>,
    /// The version of the schema that `attributes` follow.
    pub schema_version: u64,
    /// The id that the remote system uses; `None` only while uncertain.
    pub remote_id: Option<String>,
    /// All attributes: an object of the schema's implied type, wholly known, sensitive leaves marked.
    pub attributes: Value,
    /// Bytes that belong to the resource type and that nobody else reads.
    pub private: Option<Arc<[u8]>>,
    /// The objects that it refers to directly, sorted.
    pub dependencies: Vec<ObjectId>,
    /// The blocks and modules that it refers to as a whole, sorted: it depends on every object that stands there, now and
    /// later. One word for a block of any size; see [`Wholes`](super::Wholes).
    pub wholes: Vec<Target>,
    /// The order lines that paid for it, as their seller calls them: first the one that it was made with, then those of
    /// changes. What goes is paid back by them.
    pub order_lines: Vec<Arc<str>>,
    /// What it uses, as its type said when the row was written; empty where the type said nothing.
    pub uses: Uses,
    /// Whether a replacement is created before this one is deleted.
    pub create_before_destroy: bool,
    /// Whether the template forbids to delete it; kept here so that removing the block does not lift it.
    pub prevent_destroy: bool,
    /// Whether it was seen to work after its last change.
    pub ready: bool,
    /// Counts the writes of this row, from 1; plans remember the version that they saw.
    pub version: u64,
}

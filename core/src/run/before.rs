use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    address::{Address, Target},
    state::{ObjectId, Row, RowStatus},
    value::Value,
};

/// A row as it was before a run touched it, as the journal of a run that may be rolled back keeps it.
///
/// `V` is how attributes are held, as in [`Fact`](super::Fact).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before<V = Value> {
    /// The object.
    pub object_id: ObjectId,
    /// Where it stood.
    pub address: Address,
    /// What was known of it.
    pub status: RowStatus,
    /// Its resource type.
    pub type_name: Arc<str>,
    /// The configured provider that owned it.
    pub provider: Arc<str>,
    /// The version of the schema that `attributes` follow.
    pub schema_version: u64,
    /// The id that the remote system uses.
    pub remote_id: Option<String>,
    /// All attributes, marked.
    pub attributes: V,
    /// Bytes that belong to the resource type; sealed apart from the rest.
    pub private: Option<Arc<[u8]>>,
    /// The objects that it referred to.
    pub dependencies: Vec<ObjectId>,
    /// What it referred to as a whole.
    pub wholes: Vec<Target>,
    /// The order lines that paid for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order_lines: Vec<Arc<str>>,
    /// Whether a replacement is created first.
    pub create_before_destroy: bool,
    /// Whether the template forbade to delete it.
    pub prevent_destroy: bool,
    /// Whether it was seen to work.
    pub ready: bool,
}

impl From<&Row> for Before {
    fn from(row: &Row) -> Self {
        let row = row.clone();
        Self {
            object_id: row.object_id,
            address: row.address,
            status: row.status,
            type_name: row.type_name,
            provider: row.provider,
            schema_version: row.schema_version,
            remote_id: row.remote_id,
            attributes: row.attributes,
            private: row.private,
            dependencies: row.dependencies,
            wholes: row.wholes,
            order_lines: row.order_lines,
            create_before_destroy: row.create_before_destroy,
            prevent_destroy: row.prevent_destroy,
            ready: row.ready,
        }
    }
}

impl Before {
    /// Returns it as a row that is to be written anew; its version is counted by whoever writes it.
    pub(super) fn to_row(&self) -> Row {
        let before = self.clone();
        Row {
            object_id: before.object_id,
            address: before.address,
            status: before.status,
            type_name: before.type_name,
            provider: before.provider,
            schema_version: before.schema_version,
            remote_id: before.remote_id,
            attributes: before.attributes,
            private: before.private,
            dependencies: before.dependencies,
            wholes: before.wholes,
            order_lines: before.order_lines,
            // Told anew by whoever writes it: attributes are what it goes by.
            uses: crate::state::Uses::default(),
            create_before_destroy: before.create_before_destroy,
            prevent_destroy: before.prevent_destroy,
            ready: before.ready,
            version: 0,
        }
    }
}

impl<V> Before<V> {
    /// Rebuilds it with its attributes held another way.
    pub(super) fn try_map<W, E>(self, convert: impl FnOnce(V) -> Result<W, E>) -> Result<Before<W>, E> {
        Ok(Before {
            attributes: convert(self.attributes)?,
            object_id: self.object_id,
            address: self.address,
            status: self.status,
            type_name: self.type_name,
            provider: self.provider,
            schema_version: self.schema_version,
            remote_id: self.remote_id,
            private: self.private,
            dependencies: self.dependencies,
            wholes: self.wholes,
            order_lines: self.order_lines,
            create_before_destroy: self.create_before_destroy,
            prevent_destroy: self.prevent_destroy,
            ready: self.ready,
        })
    }
}

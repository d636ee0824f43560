use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use super::document::unreadable;
use crate::{
    error::Result,
    resource::{Traits, layer::Verb},
    schema::Schema,
};

/// What a resource type of a host is, said once: schema, promises, and which of the optional verbs it has.
///
/// Optional verbs that it does not name are never asked: the engine does what [`Resource`](crate::resource::Resource)
/// does by default, without a round trip.
///
/// # Examples
/// ```
/// use stackwright::{ffi::TypeDescriptor, resource::layer::Verb};
///
/// let bucket = TypeDescriptor::from_json(
///     r#"{
///         "schema": {"version": 1, "block": {"attributes": {"name": {"type": "string", "required": true}}}},
///         "traits": {"settle_ms": 2000},
///         "verbs": ["recover"]
///     }"#,
/// )?;
/// assert!(bucket.verbs.contains(&Verb::Recover) && !bucket.verbs.contains(&Verb::Plan));
/// # Ok::<(), stackwright::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeDescriptor {
    /// The schema.
    pub schema: Schema,
    /// What the type promises.
    #[serde(default)]
    pub traits: TraitsData,
    /// Which of `validate`, `plan`, `import`, `ready`, `recover` and `upgrade` it implements.
    #[serde(default)]
    pub verbs: BTreeSet<Verb>,
}

impl TypeDescriptor {
    /// Reads JSON text.
    ///
    /// # Errors
    /// `host.reply` with what is wrong; a description holds no secrets.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(unreadable)
    }
}

/// What a data source of a host is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataDescriptor {
    /// The schema of configuration and result together.
    pub schema: Schema,
}

/// [`Traits`] with units in the names; what is left out is as there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TraitsData {
    /// See [`Traits::idempotent_create`].
    pub idempotent_create: bool,
    /// See [`Traits::ready_at_once`].
    pub ready_at_once: bool,
    /// See [`Traits::settle`]; milliseconds.
    pub settle_ms: u64,
    /// See [`Traits::ready_timeout`]; milliseconds.
    pub ready_timeout_ms: u64,
    /// See [`Traits::ready_interval`]; milliseconds.
    pub ready_interval_ms: u64,
    /// See [`Traits::call_timeout`]; milliseconds.
    pub call_timeout_ms: u64,
    /// See [`Traits::cost`].
    pub cost: u64,
    /// See [`Traits::free`].
    pub free: bool,
    /// See [`Traits::ordered_apart`].
    pub ordered_apart: bool,
}

impl Default for TraitsData {
    fn default() -> Self {
        Traits::default().into()
    }
}

impl From<Traits> for TraitsData {
    fn from(traits: Traits) -> Self {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            idempotent_create: traits.idempotent_create,
            ready_at_once: traits.ready_at_once,
            settle_ms: ms(traits.settle),
            ready_timeout_ms: ms(traits.ready_timeout),
            ready_interval_ms: ms(traits.ready_interval),
            call_timeout_ms: ms(traits.call_timeout),
            cost: traits.cost,
            free: traits.free,
            ordered_apart: traits.ordered_apart,
        }
    }
}

impl From<TraitsData> for Traits {
    fn from(data: TraitsData) -> Self {
        Self {
            idempotent_create: data.idempotent_create,
            ready_at_once: data.ready_at_once,
            settle: Duration::from_millis(data.settle_ms),
            ready_timeout: Duration::from_millis(data.ready_timeout_ms),
            ready_interval: Duration::from_millis(data.ready_interval_ms),
            call_timeout: Duration::from_millis(data.call_timeout_ms),
            cost: data.cost,
            free: data.free,
            ordered_apart: data.ordered_apart,
        }
    }
}

//! Resource types: what a host registers so that the engine can create, read, update and delete real things.
//!
//! ```text
//! Registry: kind / name / revision ──▶ Arc<dyn Resource> ──▶ layers (trace, limit, retry, timeout) ──▶ your type
//! ```
//!
//! [`Resource`] is the contract. It has five verbs (create, read, update, delete, import) and some with defaults
//! (plan, ready, recover, quote, upgrade). [`DataSource`] and [`EphemeralResource`] are its smaller siblings: looked up,
//! and opened for a while. It is called with a [`Context`] first and [`Value`](crate::value::Value)s
//! that follow the type's [`Schema`](crate::schema::Schema); the [typed layer](typed) on top of it trades values for
//! structs.
//!
//! Three rules carry crash safety:
//! * **Same key, same object.** `create` called again with the same [`Context::idempotency_key`] returns the object
//!   that the first call made.
//! * **Half an object is not a lost object.** Verbs that change return an [`Outcome`], which may hold an object *and*
//!   problems.
//! * **Say what you know.** Errors say whether the world may have changed ([`Effect`](crate::error::Effect)); after
//!   "unknown" the engine asks [`Resource::recover`] before it does anything else.

pub mod conformance;
mod context;
mod contract;
mod ephemeral;
pub mod layer;
mod outcome;
mod quote;
mod registry;
mod terraform_data;
pub mod typed;

pub use context::{CallInfo, Checkpoint, Context, Progress};
pub(crate) use contract::checked_plan;
pub use contract::{
    DataSource, Provider, Resource, Traits, import_unsupported, recover_by_reading, unquoted, upgrade_unsupported,
};
pub use ephemeral::{EphemeralResource, Opened, Renewed};
pub use layer::Layer;
pub use outcome::{Evidence, Object, ObjectState, Outcome, PlanRequest, PlanResponse, Readiness, Recovery};
pub use quote::{QuoteAsk, QuoteItem};
pub use registry::{FIRST_REVISION, Kind, Registry};
pub use terraform_data::TerraformData;

//! What crosses a language boundary: plain data, and one trait.
//!
//! ```text
//! engine ──▶ HostResource: Resource ──▶ Host::call(CallContext, Request) ─▶ bridge (pyo3, napi) ─▶ Python, JavaScript
//!                    ▲                          Reply ◀──────────────────────────┘
//!             TypeDescriptor (schema, traits, verbs: said once, as data)
//! ```
//!
//! A resource type that is written in another language is a [`TypeDescriptor`] and a [`Host`]. Everything that goes
//! over is a value of serde's, by value: no borrowed object, and no callback into the engine but those of
//! [`CallContext`] (checkpoint, progress, cancellation), which the bridge wraps into an object of the language. Errors are data ([`Failure`]) both ways, since no language lets an exception keep its code, its retry
//! advice and its effect on the way through another one's runtime.
//!
//! A store that a host keeps is a [`HostStore`], over the same trait.
//!
//! The names are those of [`resource`](crate::resource). It knows no language and no transport: a bridge may pass the
//! values as JSON text, as a bridge in another process would have to, or build its language's objects from them.
//!
//! What holds:
//! * A call that ends without a reply that can be read has an unknown effect if it may have changed the world.
//! * Attributes are plain JSON ([`Document`]): what is not known is null and named beside it; no number loses a digit.
//! * `Debug` of what carries attributes shows none of them.

mod call;
mod conform;
mod context;
mod data;
mod describe;
mod document;
mod failure;
mod function;
mod host;
mod query;
mod report;
mod session;
mod store;
mod view;

pub use call::{Bytes, Call, Facts, Object, ObjectState, Outcome, PlanResponse, Readiness, Recovery, Reply, Request};
pub use conform::{ConformQuery, FindingData};
pub use context::CallContext;
pub use data::HostDataSource;
pub use describe::{DataDescriptor, TraitsData, TypeDescriptor};
pub use document::Document;
pub use failure::{Failure, Place, Problem, RetryAdvice, envelope};
pub use function::{FunctionCall, FunctionDescriptor, ParameterDescriptor};
pub use host::{Host, HostResource, host_failed};
pub use query::{ApplyQuery, EngineQuery, ImportQuery, PlanQuery};
pub use report::{PlanData, ReportData, RowData, StepProblemData};
pub use session::{Ask, EventBatch, Session, Tell};
pub use store::{
    CommitData, EntryData, HostStore, LeaseData, LedgerRecordData, RowRecordData, RowWriteData, RunRecordData,
    SegmentData, StackRecordData, StackWriteData, StoreCall, StoreRequest,
};
pub use view::{ChangeView, CountsView, GraphView, OutputView, PlanView, RowView, RunData, Shown, StateData, StepView};

//! Stores that a host keeps: the methods of [`Store`](crate::state::Store) as data.
//!
//! Bodies are opaque bytes, Base64 in JSON. A host answers each [`StoreCall`] with plain JSON of the shape that its
//! documentation names, or with an error whose code is one of those of [`Store`](crate::state::Store).

mod call;
mod conform;
mod kept;

pub use call::{
    CommitData, EntryData, LeaseData, LedgerRecordData, RowRecordData, RowWriteData, RunRecordData, SegmentData,
    StackRecordData, StackWriteData, StoreCall, StoreRequest,
};
pub(super) use conform::conform;
pub use kept::HostStore;

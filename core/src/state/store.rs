use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{LeaseToken, LedgerKey, Lineage, ObjectId, RunId, StackKey};
use crate::{error::Result, event::Timestamp};

/// What a store keeps of a stack beside its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackRecord {
    /// Which stack.
    pub key: StackKey,
    /// Which history.
    pub lineage: Lineage,
    /// Counts the commits that changed rows or outputs, from 1.
    pub serial: u64,
    /// The encoded outputs; the codec of this module reads them.
    pub body: Arc<[u8]>,
}

/// One row, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRecord {
    /// The object.
    pub object_id: ObjectId,
    /// Its address as text; an index for people and for look-ups, not unique (deposed objects share it).
    pub address: Arc<str>,
    /// The version of the row, from 1.
    pub version: u64,
    /// The encoded row, checksum included.
    pub body: Arc<[u8]>,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// A process works on it, or died while it did.
    Running,
    /// All steps ended well.
    Succeeded,
    /// At least one step failed.
    Failed,
    /// Somebody asked it to stop, and it did.
    Cancelled,
    /// It cannot go on without a person: a rollback failed or an outcome is uncertain.
    Stuck,
    /// Somebody gave it up; its rows stay as they are.
    Abandoned,
}

impl RunStatus {
    /// Returns the name used in events and by stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Stuck => "stuck",
            Self::Abandoned => "abandoned",
        }
    }

    /// Returns the status with this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled, Self::Stuck, Self::Abandoned]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

/// What a store keeps of a run beside its segments and journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// Which run.
    pub id: RunId,
    /// Of which stack.
    pub stack: StackKey,
    /// How it stands.
    pub status: RunStatus,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Plain facts for lists (who, why, counts), encoded; never secrets.
    pub body: Arc<[u8]>,
}

/// One stored plan segment of a run; never changes once written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRecord {
    /// Which run.
    pub run: RunId,
    /// Its number, from 0.
    pub number: u32,
    /// The encoded plan.
    pub body: Arc<[u8]>,
}

/// One fact in a run's journal; never changes once written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRecord {
    /// Which run.
    pub run: RunId,
    /// Its number in the run, from 0, without gaps.
    pub seq: u64,
    /// The encoded fact.
    pub body: Arc<[u8]>,
}

/// One record of a ledger; never changes once written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRecord {
    /// Its number in the ledger, from 0, without gaps.
    pub seq: u64,
    /// The encoded record.
    pub body: Arc<[u8]>,
}

/// The right to write a stack until a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which stack.
    pub stack: StackKey,
    /// Which holder, in the order in which they held it; every commit carries it.
    pub token: LeaseToken,
    /// Who holds it, for people: a host, a process, an operation.
    pub holder: Arc<str>,
    /// Until when, by the clock that was given to [`Store::acquire`].
    pub expires: Timestamp,
}

/// A change to one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowWrite {
    /// Adds the row, or replaces the one with the same object id.
    Put(RowRecord),
    /// Removes the row; removing what is not there succeeds.
    Delete(ObjectId),
}

/// A change to a stack's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackWrite {
    /// The history; written when the stack is first committed.
    pub lineage: Lineage,
    /// The encoded outputs.
    pub body: Arc<[u8]>,
}

/// Facts that become durable together, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Adds or replaces the run's record.
    pub run: Option<RunRecord>,
    /// Adds segments. One that is there already with the same body is left alone.
    pub segments: Vec<SegmentRecord>,
    /// Appends to the journal. One that is there already with the same body is left alone.
    pub entries: Vec<EntryRecord>,
    /// Changes rows, in order.
    pub rows: Vec<RowWrite>,
    /// Creates or changes the stack's record.
    pub stack: Option<StackWrite>,
}

/// Where state, journals, leases and plans live.
///
/// Every store passes one conformance suite (`state::conformance`). Bodies are opaque: they are encoded, sealed and
/// check-summed above this trait.
///
/// # Errors
/// All methods: `store.unavailable` (with `Retry::WithBackoff` when a repeat may help), `store.corrupt` (what is
/// stored cannot be what was written; nothing is overwritten), `store.version` (written by a newer program).
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Returns a stack's record; `None` where nothing was ever committed.
    async fn load_stack(&self, stack: &StackKey) -> Result<Option<StackRecord>>;

    /// Returns the stacks of a tenant (or of all), ordered by key.
    async fn list_stacks(&self, tenant: Option<&str>) -> Result<Vec<StackRecord>>;

    /// Returns all rows of a stack, ordered by object id.
    async fn load_rows(&self, stack: &StackKey) -> Result<Vec<RowRecord>>;

    /// Takes the lease of a stack for `ttl` from `now`; the token is larger than any handed out before.
    ///
    /// A store that many machines share may judge by a clock of its own what has expired. The lease that it returns
    /// still says until when by the clock that `now` is from, and never later than the store means.
    ///
    /// # Errors
    /// `lease.held` (`Conflict`) while another holder's lease has not expired; the error names holder and expiry.
    async fn acquire(&self, stack: &StackKey, holder: &str, now: Timestamp, ttl: Duration) -> Result<Lease>;

    /// Extends a lease.
    ///
    /// # Errors
    /// `lease.lost` (`Conflict`) when somebody else took it or it was released.
    async fn renew(&self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<Lease>;

    /// Gives a lease back; giving back what is not held succeeds.
    async fn release(&self, lease: &Lease) -> Result<()>;

    /// Takes the lease away from whoever holds it. The old holder's commits are refused from now on.
    async fn break_lease(&self, stack: &StackKey) -> Result<()>;

    /// Returns who holds the stack's lease, expired or not.
    async fn lease_of(&self, stack: &StackKey) -> Result<Option<Lease>>;

    /// Makes all of `commit` durable, or nothing of it. Returns only when it is durable.
    ///
    /// # Idempotency
    /// The same commit again changes nothing and succeeds (rows are compared by version: an older version than the
    /// stored one is `store.stale`).
    ///
    /// # Errors
    /// `lease.lost` (`Conflict`) when the token is not the newest; `store.conflict` when an entry or segment is there
    /// with another body, or a journal number leaves a gap.
    async fn commit(&self, lease: &Lease, commit: Commit) -> Result<()>;

    /// Returns a run's record.
    async fn load_run(&self, run: RunId) -> Result<Option<RunRecord>>;

    /// Returns the runs of a stack, newest first, at most `limit`.
    async fn list_runs(&self, stack: &StackKey, limit: u32) -> Result<Vec<RunRecord>>;

    /// Returns a run's segments in order.
    async fn load_segments(&self, run: RunId) -> Result<Vec<SegmentRecord>>;

    /// Returns a run's journal in order.
    async fn load_journal(&self, run: RunId) -> Result<Vec<EntryRecord>>;

    /// Appends to a ledger: all of `records`, or nothing of them. Returns only when they are durable.
    ///
    /// A ledger belongs to a tenant, not to a stack: no lease guards it. What guards it is the number of each record: of
    /// several that append the same number at once, exactly one succeeds.
    ///
    /// # Idempotency
    /// A record that is there already with the same body is left alone.
    ///
    /// # Errors
    /// `store.conflict` when a record is there with another body, or a number leaves a gap.
    async fn append(&self, ledger: &LedgerKey, records: Vec<LedgerRecord>) -> Result<()>;

    /// Returns the records of a ledger from number `from` on, in order; none where nothing was appended.
    async fn load_ledger(&self, ledger: &LedgerKey, from: u64) -> Result<Vec<LedgerRecord>>;

    /// Returns the ledgers about `kind` of a tenant (or of all), ordered by tenant and name. One that nothing was appended
    /// to is none.
    async fn list_ledgers(&self, tenant: Option<&str>, kind: &str) -> Result<Vec<LedgerKey>>;

    /// Removes a stack's record, rows, runs and journals. Ledgers stay. The lease must be held; its token stays remembered.
    ///
    /// # Errors
    /// `lease.lost`; `store.conflict` while rows are left.
    async fn forget_stack(&self, lease: &Lease) -> Result<()>;
}

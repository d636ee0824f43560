use serde::{Deserialize, Serialize};

use super::super::Bytes;
use crate::{
    event::Timestamp,
    state::{
        Commit, EntryRecord, Lease, LeaseToken, LedgerKey, LedgerRecord, Lineage, ObjectId, RowRecord, RowWrite, RunId,
        RunRecord, RunStatus, SegmentRecord, StackKey, StackRecord, StackWrite,
    },
};

/// A call with the number of the store that it is for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoreRequest {
    /// Which store of the host's: 0 is the engine's own; others are opened by [`StoreCall::Open`].
    pub store: u64,
    /// What is asked.
    pub call: StoreCall,
}

/// What the engine asks of a store; see [`Store`](crate::state::Store). The answer's shape is said with each.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreCall {
    /// A [`StackRecordData`] or null.
    LoadStack {
        /// Which stack.
        stack: StackKey,
    },
    /// A list of [`StackRecordData`], ordered by key.
    ListStacks {
        /// Of one tenant, or of all.
        tenant: Option<String>,
    },
    /// A list of [`RowRecordData`], ordered by object id.
    LoadRows {
        /// Of which stack.
        stack: StackKey,
    },
    /// A [`LeaseData`], or `lease.held`.
    Acquire {
        /// Which stack.
        stack: StackKey,
        /// Who takes it.
        holder: String,
        /// Milliseconds since the Unix epoch.
        now_ms: u64,
        /// For how long, in milliseconds.
        ttl_ms: u64,
    },
    /// A [`LeaseData`], or `lease.lost`.
    Renew {
        /// As it was taken.
        lease: LeaseData,
        /// Milliseconds since the Unix epoch.
        now_ms: u64,
        /// For how long, in milliseconds.
        ttl_ms: u64,
    },
    /// Null.
    Release {
        /// As it was taken.
        lease: LeaseData,
    },
    /// Null.
    BreakLease {
        /// Of which stack.
        stack: StackKey,
    },
    /// A [`LeaseData`] or null.
    LeaseOf {
        /// Of which stack.
        stack: StackKey,
    },
    /// Null, once all of it is durable.
    Commit {
        /// What gives the right to.
        lease: LeaseData,
        /// What becomes durable together.
        commit: CommitData,
    },
    /// A [`RunRecordData`] or null.
    LoadRun {
        /// Which run.
        run: RunId,
    },
    /// A list of [`RunRecordData`], newest first.
    ListRuns {
        /// Of which stack.
        stack: StackKey,
        /// How many at most.
        limit: u32,
    },
    /// A list of [`SegmentData`], in order.
    LoadSegments {
        /// Of which run.
        run: RunId,
    },
    /// A list of [`EntryData`], in order.
    LoadJournal {
        /// Of which run.
        run: RunId,
    },
    /// Null, once all of them are durable.
    Append {
        /// To which ledger.
        ledger: LedgerKey,
        /// In order.
        records: Vec<LedgerRecordData>,
    },
    /// A list of [`LedgerRecordData`], in order.
    LoadLedger {
        /// Which ledger.
        ledger: LedgerKey,
        /// The number of the first.
        from: u64,
    },
    /// A list of [`LedgerKey`], ordered by tenant and name.
    ListLedgers {
        /// Of one tenant, or of all.
        tenant: Option<String>,
        /// What they are about.
        kind: String,
    },
    /// Null.
    ForgetStack {
        /// What gives the right to.
        lease: LeaseData,
    },
    /// Tests only: makes an empty store, which has the request's number from now on. Null.
    Open {},
    /// Tests only: gives the request's number to what another store keeps, opened as by another process. Whether there is
    /// such a thing.
    Reopen {
        /// The number of the other, which is not asked any more where `closes`.
        from: u64,
        /// Whether the other is closed first.
        closes: bool,
    },
}

impl StoreCall {
    /// Returns the name of the method.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LoadStack { .. } => "load_stack",
            Self::ListStacks { .. } => "list_stacks",
            Self::LoadRows { .. } => "load_rows",
            Self::Acquire { .. } => "acquire",
            Self::Renew { .. } => "renew",
            Self::Release { .. } => "release",
            Self::BreakLease { .. } => "break_lease",
            Self::LeaseOf { .. } => "lease_of",
            Self::Commit { .. } => "commit",
            Self::LoadRun { .. } => "load_run",
            Self::ListRuns { .. } => "list_runs",
            Self::LoadSegments { .. } => "load_segments",
            Self::LoadJournal { .. } => "load_journal",
            Self::Append { .. } => "append",
            Self::LoadLedger { .. } => "load_ledger",
            Self::ListLedgers { .. } => "list_ledgers",
            Self::ForgetStack { .. } => "forget_stack",
            Self::Open {} => "open",
            Self::Reopen { .. } => "reopen",
        }
    }
}

/// Makes plain data of a record and a record of it; the fields have the same names.
macro_rules! record {
    ($data:ident is $record:ident { $($same:ident),* } { $($bytes:ident),* }) => {
        impl From<$record> for $data {
            fn from(record: $record) -> Self {
                Self { $($same: record.$same,)* $($bytes: Bytes(record.$bytes)),* }
            }
        }

        impl From<$data> for $record {
            fn from(data: $data) -> Self {
                Self { $($same: data.$same,)* $($bytes: data.$bytes.0),* }
            }
        }
    };
}

/// See [`StackRecord`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackRecordData {
    /// Which stack.
    pub key: StackKey,
    /// Which history.
    pub lineage: Lineage,
    /// Counts the commits that changed rows or outputs, from 1.
    pub serial: u64,
    /// The encoded outputs.
    pub body: Bytes,
}

record!(StackRecordData is StackRecord { key, lineage, serial } { body });

/// See [`StackWrite`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackWriteData {
    /// The history.
    pub lineage: Lineage,
    /// The encoded outputs.
    pub body: Bytes,
}

record!(StackWriteData is StackWrite { lineage } { body });

/// See [`SegmentRecord`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentData {
    /// Which run.
    pub run: RunId,
    /// Its number, from 0.
    pub number: u32,
    /// The encoded plan.
    pub body: Bytes,
}

record!(SegmentData is SegmentRecord { run, number } { body });

/// See [`EntryRecord`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryData {
    /// Which run.
    pub run: RunId,
    /// Its number in the run, from 0.
    pub seq: u64,
    /// The encoded fact.
    pub body: Bytes,
}

record!(EntryData is EntryRecord { run, seq } { body });

/// See [`LedgerRecord`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerRecordData {
    /// Its number in the ledger, from 0.
    pub seq: u64,
    /// The encoded record.
    pub body: Bytes,
}

record!(LedgerRecordData is LedgerRecord { seq } { body });

/// See [`RowRecord`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowRecordData {
    /// The object.
    pub object_id: ObjectId,
    /// Its address; not unique.
    pub address: String,
    /// The version of the row, from 1.
    pub version: u64,
    /// The encoded row.
    pub body: Bytes,
}

impl From<RowRecord> for RowRecordData {
    fn from(record: RowRecord) -> Self {
        let RowRecord { object_id, address, version, body } = record;
        Self { object_id, address: address.to_string(), version, body: Bytes(body) }
    }
}

impl From<RowRecordData> for RowRecord {
    fn from(data: RowRecordData) -> Self {
        let RowRecordData { object_id, address, version, body } = data;
        Self { object_id, address: address.into(), version, body: body.0 }
    }
}

/// See [`RunRecord`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecordData {
    /// Which run.
    pub id: RunId,
    /// Of which stack.
    pub stack: StackKey,
    /// How it stands.
    pub status: RunStatus,
    /// When it began, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// When it ended.
    pub finished_ms: Option<u64>,
    /// Facts for lists.
    pub body: Bytes,
}

impl From<RunRecord> for RunRecordData {
    fn from(record: RunRecord) -> Self {
        let RunRecord { id, stack, status, started, finished, body } = record;
        let finished_ms = finished.map(|moment| moment.0);
        Self { id, stack, status, started_ms: started.0, finished_ms, body: Bytes(body) }
    }
}

impl From<RunRecordData> for RunRecord {
    fn from(data: RunRecordData) -> Self {
        let RunRecordData { id, stack, status, started_ms, finished_ms, body } = data;
        let finished = finished_ms.map(Timestamp);
        Self { id, stack, status, started: Timestamp(started_ms), finished, body: body.0 }
    }
}

/// See [`Lease`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseData {
    /// Which stack.
    pub stack: StackKey,
    /// Which holder.
    pub token: u64,
    /// Who holds it, for people.
    pub holder: String,
    /// Until when, in milliseconds since the Unix epoch.
    pub expires_ms: u64,
}

impl From<&Lease> for LeaseData {
    fn from(lease: &Lease) -> Self {
        Self {
            stack: lease.stack.clone(),
            token: lease.token.0,
            holder: lease.holder.to_string(),
            expires_ms: lease.expires.0,
        }
    }
}

impl From<LeaseData> for Lease {
    fn from(data: LeaseData) -> Self {
        let LeaseData { stack, token, holder, expires_ms } = data;
        Self { stack, token: LeaseToken(token), holder: holder.into(), expires: Timestamp(expires_ms) }
    }
}

/// See [`RowWrite`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowWriteData {
    /// Adds the row, or replaces the one with the same object id.
    Put(RowRecordData),
    /// Removes the row.
    Delete(ObjectId),
}

/// See [`Commit`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CommitData {
    /// Adds or replaces the run's record.
    pub run: Option<RunRecordData>,
    /// Adds segments.
    pub segments: Vec<SegmentData>,
    /// Appends to the journal.
    pub entries: Vec<EntryData>,
    /// Changes rows, in order.
    pub rows: Vec<RowWriteData>,
    /// Creates or changes the stack's record.
    pub stack: Option<StackWriteData>,
}

impl From<Commit> for CommitData {
    fn from(commit: Commit) -> Self {
        let row = |write| match write {
            RowWrite::Put(row) => RowWriteData::Put(row.into()),
            RowWrite::Delete(id) => RowWriteData::Delete(id),
        };
        Self {
            run: commit.run.map(Into::into),
            segments: commit.segments.into_iter().map(Into::into).collect(),
            entries: commit.entries.into_iter().map(Into::into).collect(),
            rows: commit.rows.into_iter().map(row).collect(),
            stack: commit.stack.map(Into::into),
        }
    }
}

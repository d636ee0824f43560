use stackwright::{
    Result,
    state::{
        EntryRecord, Lease, LeaseToken, LedgerKey, LedgerRecord, Lineage, ObjectId, RowRecord, RunId, RunRecord,
        RunStatus, SegmentRecord, StackKey, StackRecord, failure,
    },
};
use tokio_postgres::Row;

use crate::convert::{bytes, column, id, moment, number, string};

/// The statements that read, for one schema.
#[derive(Debug)]
pub(crate) struct Reads {
    pub(crate) stack: String,
    pub(crate) stacks: String,
    pub(crate) rows: String,
    pub(crate) lease: String,
    pub(crate) run: String,
    pub(crate) runs: String,
    pub(crate) segments: String,
    pub(crate) journal: String,
    pub(crate) ledger: String,
    pub(crate) ledgers: String,
}

impl Reads {
    pub(crate) fn new(schema: &str) -> Self {
        let s = format!("\"{schema}\"");
        let run = format!(
            "SELECT r.run, s.tenant, s.name, r.status, r.started, r.finished, r.body
             FROM {s}.runs AS r JOIN {s}.stacks AS s ON s.id = r.stack"
        );
        let stack = format!("SELECT tenant, name, lineage, serial, body FROM {s}.stacks WHERE lineage IS NOT NULL");
        Self {
            stacks: format!("{stack} AND ($1::text IS NULL OR tenant = $1) ORDER BY tenant, name"),
            stack: format!("{stack} AND tenant = $1 AND name = $2"),
            rows: format!(
                "SELECT o.object, o.address, o.version, o.body FROM {s}.objects AS o
                 WHERE o.stack = (SELECT id FROM {s}.stacks WHERE tenant = $1 AND name = $2) ORDER BY o.object"
            ),
            lease: format!(
                "SELECT token, holder, expires FROM {s}.stacks WHERE tenant = $1 AND name = $2 AND token IS NOT NULL"
            ),
            runs: format!("{run} WHERE s.tenant = $1 AND s.name = $2 ORDER BY r.id DESC LIMIT $3"),
            run: format!("{run} WHERE r.run = $1"),
            segments: format!(
                "SELECT number, body FROM {s}.segments WHERE run = (SELECT id FROM {s}.runs WHERE run = $1) ORDER BY number"
            ),
            journal: format!(
                "SELECT seq, body FROM {s}.entries WHERE run = (SELECT id FROM {s}.runs WHERE run = $1) ORDER BY seq"
            ),
            ledger: format!(
                "SELECT seq, body FROM {s}.ledger_records
                 WHERE ledger = (SELECT id FROM {s}.ledgers WHERE kind = $1 AND tenant = $2 AND name = $3) AND seq >= $4
                 ORDER BY seq"
            ),
            ledgers: format!(
                "SELECT tenant, kind, name FROM {s}.ledgers
                 WHERE kind = $1 AND ($2::text IS NULL OR tenant = $2) ORDER BY tenant, name"
            ),
        }
    }
}

pub(crate) fn stack_record(row: &Row) -> Result<StackRecord> {
    Ok(StackRecord {
        key: StackKey::new(string(row, 0)?, string(row, 1)?),
        lineage: Lineage::from_u128(id(row, 2)?),
        serial: number(row, 3)?,
        body: bytes(row, 4)?,
    })
}

pub(crate) fn row_record(row: &Row) -> Result<RowRecord> {
    Ok(RowRecord {
        object_id: ObjectId::from_u128(id(row, 0)?),
        address: string(row, 1)?,
        version: number(row, 2)?,
        body: bytes(row, 3)?,
    })
}

pub(crate) fn lease(key: &StackKey, row: &Row) -> Result<Lease> {
    Ok(Lease {
        stack: key.clone(),
        token: LeaseToken(number(row, 0)?),
        holder: string(row, 1)?,
        expires: moment(row, 2)?,
    })
}

pub(crate) fn run_record(row: &Row) -> Result<RunRecord> {
    let status = RunStatus::parse(column(row, 3)?)
        .ok_or_else(|| failure::corrupt("a run in the database has a status that nobody knows"))?;
    let finished: Option<i64> = column(row, 5)?;
    Ok(RunRecord {
        id: RunId::from_u128(id(row, 0)?),
        stack: StackKey::new(string(row, 1)?, string(row, 2)?),
        status,
        started: moment(row, 4)?,
        finished: finished.map(|_| moment(row, 5)).transpose()?,
        body: bytes(row, 6)?,
    })
}

pub(crate) fn segment_record(run: RunId, row: &Row) -> Result<SegmentRecord> {
    let number = u32::try_from(number(row, 0)?)
        .map_err(|_| failure::corrupt("a plan segment in the database has a number beyond all others"))?;
    Ok(SegmentRecord { run, number, body: bytes(row, 1)? })
}

pub(crate) fn entry_record(run: RunId, row: &Row) -> Result<EntryRecord> {
    Ok(EntryRecord { run, seq: number(row, 0)?, body: bytes(row, 1)? })
}

pub(crate) fn ledger_record(row: &Row) -> Result<LedgerRecord> {
    Ok(LedgerRecord { seq: number(row, 0)?, body: bytes(row, 1)? })
}

pub(crate) fn ledger_key(row: &Row) -> Result<LedgerKey> {
    Ok(LedgerKey::new(string(row, 0)?, string(row, 1)?, string(row, 2)?))
}

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row, types::Type};
use stackwright::{
    event::Timestamp,
    state::{
        EntryRecord, Lease, LeaseToken, LedgerKey, LedgerRecord, Lineage, ObjectId, RowRecord, RunId, RunRecord,
        RunStatus, SegmentRecord, StackKey, StackRecord,
    },
};

type Read<T> = rusqlite::Result<T>;

pub(crate) fn stack(connection: &Connection, key: &StackKey) -> Read<Option<StackRecord>> {
    connection
        .prepare_cached(
            "SELECT tenant, name, lineage, serial, body FROM stacks
             WHERE tenant = ?1 AND name = ?2 AND lineage IS NOT NULL",
        )?
        .query_row([&*key.tenant, &*key.name], stack_record)
        .optional()
}

pub(crate) fn stacks(connection: &Connection, tenant: Option<&str>) -> Read<Vec<StackRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT tenant, name, lineage, serial, body FROM stacks
         WHERE (?1 IS NULL OR tenant = ?1) AND lineage IS NOT NULL ORDER BY tenant, name",
    )?;
    statement.query_map([tenant], stack_record)?.collect()
}

pub(crate) fn rows(connection: &Connection, key: &StackKey) -> Read<Vec<RowRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT o.object, o.address, o.version, o.body FROM objects AS o JOIN stacks AS s ON s.id = o.stack
         WHERE s.tenant = ?1 AND s.name = ?2 ORDER BY o.object",
    )?;
    let read = |row: &Row<'_>| {
        Ok(RowRecord {
            object_id: ObjectId::from_u128(id(row, 0)?),
            address: text(row, 1)?,
            version: number(row, 2)?,
            body: bytes(row, 3)?,
        })
    };
    statement.query_map([&*key.tenant, &*key.name], read)?.collect()
}

pub(crate) fn lease(connection: &Connection, key: &StackKey) -> Read<Option<Lease>> {
    connection
        .prepare_cached(
            "SELECT token, holder, expires FROM stacks WHERE tenant = ?1 AND name = ?2 AND token IS NOT NULL",
        )?
        .query_row([&*key.tenant, &*key.name], |row| {
            Ok(Lease {
                stack: key.clone(),
                token: LeaseToken(number(row, 0)?),
                holder: text(row, 1)?,
                expires: Timestamp(number(row, 2)?),
            })
        })
        .optional()
}

const RUN: &str = "SELECT r.run, s.tenant, s.name, r.status, r.started, r.finished, r.body
                   FROM runs AS r JOIN stacks AS s ON s.id = r.stack";

pub(crate) fn run(connection: &Connection, run: RunId) -> Read<Option<RunRecord>> {
    connection
        .prepare_cached(&format!("{RUN} WHERE r.run = ?1"))?
        .query_row([run.as_u128().to_be_bytes()], run_record)
        .optional()
}

pub(crate) fn runs(connection: &Connection, key: &StackKey, limit: u32) -> Read<Vec<RunRecord>> {
    let mut statement =
        connection.prepare_cached(&format!("{RUN} WHERE s.tenant = ?1 AND s.name = ?2 ORDER BY r.id DESC LIMIT ?3"))?;
    statement.query_map((&*key.tenant, &*key.name, limit), run_record)?.collect()
}

pub(crate) fn segments(connection: &Connection, run: RunId) -> Read<Vec<SegmentRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT number, body FROM segments WHERE run = (SELECT id FROM runs WHERE run = ?1) ORDER BY number",
    )?;
    let read = |row: &Row<'_>| Ok(SegmentRecord { run, number: row.get(0)?, body: bytes(row, 1)? });
    statement.query_map([run.as_u128().to_be_bytes()], read)?.collect()
}

pub(crate) fn journal(connection: &Connection, run: RunId) -> Read<Vec<EntryRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, body FROM entries WHERE run = (SELECT id FROM runs WHERE run = ?1) ORDER BY seq",
    )?;
    let read = |row: &Row<'_>| Ok(EntryRecord { run, seq: number(row, 0)?, body: bytes(row, 1)? });
    statement.query_map([run.as_u128().to_be_bytes()], read)?.collect()
}

pub(crate) fn ledger(connection: &Connection, key: &LedgerKey, from: u64) -> Read<Vec<LedgerRecord>> {
    // Beyond what a number of the database can be, there is nothing.
    let Ok(from) = i64::try_from(from) else { return Ok(Vec::new()) };
    let mut statement = connection.prepare_cached(
        "SELECT seq, body FROM ledger_records
         WHERE ledger = (SELECT id FROM ledgers WHERE kind = ?1 AND tenant = ?2 AND name = ?3) AND seq >= ?4
         ORDER BY seq",
    )?;
    let read = |row: &Row<'_>| Ok(LedgerRecord { seq: number(row, 0)?, body: bytes(row, 1)? });
    statement.query_map((&*key.kind, &*key.tenant, &*key.name, from), read)?.collect()
}

pub(crate) fn ledgers(connection: &Connection, tenant: Option<&str>, kind: &str) -> Read<Vec<LedgerKey>> {
    let mut statement = connection.prepare_cached(
        "SELECT tenant, kind, name FROM ledgers WHERE kind = ?1 AND (?2 IS NULL OR tenant = ?2) ORDER BY tenant, name",
    )?;
    let read = |row: &Row<'_>| Ok(LedgerKey::new(text(row, 0)?, text(row, 1)?, text(row, 2)?));
    statement.query_map((kind, tenant), read)?.collect()
}

fn stack_record(row: &Row<'_>) -> Read<StackRecord> {
    Ok(StackRecord {
        key: StackKey::new(text(row, 0)?, text(row, 1)?),
        lineage: Lineage::from_u128(id(row, 2)?),
        serial: number(row, 3)?,
        body: bytes(row, 4)?,
    })
}

fn run_record(row: &Row<'_>) -> Read<RunRecord> {
    let status = row.get_ref(3)?.as_str()?;
    let status = RunStatus::parse(status).ok_or(rusqlite::Error::InvalidColumnType(3, "status".into(), Type::Text))?;
    let finished: Option<i64> = row.get(5)?;
    Ok(RunRecord {
        id: RunId::from_u128(id(row, 0)?),
        stack: StackKey::new(text(row, 1)?, text(row, 2)?),
        status,
        started: Timestamp(number(row, 4)?),
        finished: finished.map(|_| number(row, 5)).transpose()?.map(Timestamp),
        body: bytes(row, 6)?,
    })
}

fn id(row: &Row<'_>, column: usize) -> Read<u128> {
    Ok(u128::from_be_bytes(row.get(column)?))
}

fn number(row: &Row<'_>, column: usize) -> Read<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

fn text(row: &Row<'_>, column: usize) -> Read<Arc<str>> {
    Ok(row.get_ref(column)?.as_str()?.into())
}

fn bytes(row: &Row<'_>, column: usize) -> Read<Arc<[u8]>> {
    Ok(row.get_ref(column)?.as_blob()?.into())
}

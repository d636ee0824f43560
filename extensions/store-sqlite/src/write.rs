use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension as _};
use stackwright::{
    Error, Result,
    event::Timestamp,
    state::{
        Commit, EntryRecord, Lease, LeaseToken, ObjectId, RowRecord, RowWrite, RunId, RunRecord, SegmentRecord,
        StackKey, StackWrite, failure,
    },
};

use crate::error::storage;

/// How many entries of a journal one statement writes, where there are so many.
const MANY: usize = 24;

/// Parameters: the run, the number of the first entry, their bodies.
static INSERT_MANY: LazyLock<String> = LazyLock::new(|| {
    let rows: Vec<String> = (0..MANY).map(|idx| format!("(?1, ?2 + {idx}, ?{})", idx + 3)).collect();
    format!("INSERT INTO entries (run, seq, body) VALUES {}", rows.join(", "))
});

/// One write transaction, and what was looked up in it.
///
/// The notes hold as long as the write lock: nobody else can change what they say. When a savepoint is rolled back they
/// are thrown away.
pub(crate) struct Work<'a> {
    connection: &'a Connection,
    path: &'a Path,
    stacks: HashMap<StackKey, StackNote>,
    runs: HashMap<RunId, RunNote>,
}

#[derive(Clone, Copy)]
struct StackNote {
    id: i64,
    token: Option<i64>,
    has_record: bool,
}

#[derive(Clone, Copy)]
struct RunNote {
    id: i64,
    stack: i64,
    /// The number of the next journal entry.
    end: i64,
}

impl<'a> Work<'a> {
    pub(crate) fn new(connection: &'a Connection, path: &'a Path) -> Self {
        Self { connection, path, stacks: HashMap::new(), runs: HashMap::new() }
    }

    /// Runs `call` so that it changes everything or nothing.
    pub(crate) fn attempt<T>(&mut self, call: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.execute("SAVEPOINT attempt", [])?;
        let result = call(self);
        if result.is_err() {
            self.stacks.clear();
            self.runs.clear();
            // A full disk may have ended the whole transaction; then there is nothing to go back to.
            if self.connection.is_autocommit() {
                return result;
            }
            self.execute("ROLLBACK TO attempt", [])?;
        }
        self.execute("RELEASE attempt", [])?;
        result
    }

    pub(crate) fn acquire(&mut self, key: &StackKey, holder: &str, now: Timestamp, ttl: Duration) -> Result<Lease> {
        let held = self.sql(|connection| crate::read::lease(connection, key))?;
        if let Some(held) = held.filter(|held| held.expires > now) {
            return Err(failure::lease_held(key, &held.holder, held.expires));
        }
        let token = self.sql(|connection| {
            connection
                .prepare_cached("UPDATE counters SET value = value + 1 WHERE name = 'token' RETURNING value")?
                .query_row([], |row| row.get::<_, i64>(0))
        })?;
        let expires = expiry(now, ttl);
        self.execute(
            "INSERT INTO stacks (tenant, name, token, holder, expires) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (tenant, name) DO UPDATE
             SET token = excluded.token, holder = excluded.holder, expires = excluded.expires",
            (&*key.tenant, &*key.name, token, holder, signed(expires.0)?),
        )?;
        self.stacks.remove(key);
        let token = LeaseToken(u64::try_from(token).map_err(|_| failure::corrupt("a fencing token is negative"))?);
        Ok(Lease { stack: key.clone(), token, holder: holder.into(), expires })
    }

    pub(crate) fn renew(&mut self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<Lease> {
        let stack = self.fenced(lease)?;
        let expires = expiry(now, ttl);
        self.execute("UPDATE stacks SET expires = ?2 WHERE id = ?1", (stack.id, signed(expires.0)?))?;
        Ok(Lease { expires, ..lease.clone() })
    }

    pub(crate) fn release(&mut self, lease: &Lease) -> Result<()> {
        match self.stack(&lease.stack)? {
            Some(stack) if holds(stack, lease) => self.free(&lease.stack, stack.id),
            _ => Ok(()),
        }
    }

    pub(crate) fn break_lease(&mut self, key: &StackKey) -> Result<()> {
        match self.stack(key)? {
            Some(stack) => self.free(key, stack.id),
            None => Ok(()),
        }
    }

    /// Takes the lease from a stack; of a stack without anything else, nothing stays.
    fn free(&mut self, key: &StackKey, id: i64) -> Result<()> {
        self.stacks.remove(key);
        self.execute("UPDATE stacks SET token = NULL, holder = NULL, expires = NULL WHERE id = ?1", [id])?;
        self.execute(
            "DELETE FROM stacks WHERE id = ?1 AND lineage IS NULL AND NOT EXISTS (SELECT 1 FROM runs WHERE stack = ?1)",
            [id],
        )?;
        Ok(())
    }

    pub(crate) fn commit(&mut self, lease: &Lease, commit: &Commit) -> Result<()> {
        let stack = self.fenced(lease)?;
        let key = &lease.stack;
        if let Some(run) = &commit.run {
            self.put_run(key, stack.id, run)?;
        }
        for segment in &commit.segments {
            self.put_segment(key, stack.id, segment)?;
        }
        self.append_all(key, stack.id, &commit.entries)?;
        let mut changed = false;
        if let Some(write) = &commit.stack {
            changed |= self.put_stack(key, stack.id, write)?;
        } else if !stack.has_record && !commit.rows.is_empty() {
            return Err(failure::no_stack(key));
        }
        for write in &commit.rows {
            changed |= match write {
                RowWrite::Put(row) => self.put_row(key, stack.id, row)?,
                RowWrite::Delete(object) => self.delete_row(stack.id, *object)?,
            };
        }
        if changed {
            self.execute("UPDATE stacks SET serial = serial + 1 WHERE id = ?1", [stack.id])?;
        }
        Ok(())
    }

    pub(crate) fn forget(&mut self, lease: &Lease) -> Result<()> {
        let StackNote { id, .. } = self.fenced(lease)?;
        let rows: i64 = self.sql(|connection| {
            connection
                .prepare_cached("SELECT count(*) FROM objects WHERE stack = ?1")?
                .query_row([id], |row| row.get(0))
        })?;
        if rows > 0 {
            return Err(failure::rows_left(&lease.stack, usize::try_from(rows).unwrap_or(usize::MAX)));
        }
        self.stacks.clear();
        self.runs.clear();
        for statement in [
            "DELETE FROM entries WHERE run IN (SELECT id FROM runs WHERE stack = ?1)",
            "DELETE FROM segments WHERE run IN (SELECT id FROM runs WHERE stack = ?1)",
            "DELETE FROM runs WHERE stack = ?1",
            "UPDATE stacks SET lineage = NULL, serial = 0, body = NULL WHERE id = ?1",
        ] {
            self.execute(statement, [id])?;
        }
        Ok(())
    }

    fn put_run(&mut self, key: &StackKey, stack: i64, run: &RunRecord) -> Result<()> {
        let known = self.run(run.id)?;
        if run.stack != *key || known.is_some_and(|known| known.stack != stack) {
            return Err(failure::conflict(key, "a run belongs to another stack").context("run", run.id));
        }
        let finished = run.finished.map(|finished| signed(finished.0)).transpose()?;
        self.execute(
            "INSERT INTO runs (run, stack, status, started, finished, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (run) DO UPDATE SET status = excluded.status, started = excluded.started,
             finished = excluded.finished, body = excluded.body",
            (run.id.as_u128().to_be_bytes(), stack, run.status.as_str(), signed(run.started.0)?, finished, &*run.body),
        )?;
        Ok(())
    }

    fn put_segment(&mut self, key: &StackKey, stack: i64, segment: &SegmentRecord) -> Result<()> {
        let run = self.run_of(key, stack, segment.run)?;
        let there: Option<Arc<[u8]>> = self.sql(|connection| {
            connection
                .prepare_cached("SELECT body FROM segments WHERE run = ?1 AND number = ?2")?
                .query_row((run.id, segment.number), |row| Ok(row.get_ref(0)?.as_blob()?.into()))
                .optional()
        })?;
        match there {
            Some(body) if body == segment.body => return Ok(()),
            Some(_) => return Err(failure::segment_differs(key, segment.run, segment.number)),
            None => {}
        }
        let count: u32 = self.sql(|connection| {
            connection
                .prepare_cached("SELECT count(*) FROM segments WHERE run = ?1")?
                .query_row([run.id], |row| row.get(0))
        })?;
        if segment.number != count {
            return Err(failure::segment_gap(key, segment.run, segment.number));
        }
        let insert = "INSERT INTO segments (run, number, body) VALUES (?1, ?2, ?3)";
        self.execute(insert, (run.id, segment.number, &*segment.body)).map(drop)
    }

    /// Appends entries; those that follow on what is there go many at a time.
    fn append_all(&mut self, key: &StackKey, stack: i64, mut entries: &[EntryRecord]) -> Result<()> {
        while let Some((first, rest)) = entries.split_first() {
            let run = self.run_of(key, stack, first.run)?;
            let follows =
                |(entry, seq): (&EntryRecord, i64)| entry.run == first.run && i64::try_from(entry.seq) == Ok(seq);
            entries = match entries.split_first_chunk::<MANY>() {
                Some((many, rest)) if many.iter().zip(run.end..).all(follows) => {
                    self.append_many(run, many)?;
                    self.runs.insert(first.run, RunNote { end: run.end + MANY as i64, ..run });
                    rest
                }
                _ => {
                    self.append(key, stack, first)?;
                    rest
                }
            };
        }
        Ok(())
    }

    /// Appends entries that follow on what is there, in one statement.
    fn append_many(&self, run: RunNote, entries: &[EntryRecord; MANY]) -> Result<()> {
        self.sql(|connection| {
            let mut insert = connection.prepare_cached(&INSERT_MANY)?;
            insert.raw_bind_parameter(1, run.id)?;
            insert.raw_bind_parameter(2, run.end)?;
            for (place, entry) in (3..).zip(entries) {
                insert.raw_bind_parameter(place, &*entry.body)?;
            }
            insert.raw_execute()
        })?;
        Ok(())
    }

    fn append(&mut self, key: &StackKey, stack: i64, entry: &EntryRecord) -> Result<()> {
        let run = self.run_of(key, stack, entry.run)?;
        let seq = signed(entry.seq)?;
        if seq > run.end {
            return Err(failure::journal_gap(key, entry.run, entry.seq, u64::try_from(run.end).unwrap_or_default()));
        }
        if seq < run.end {
            let same = self.sql(|connection| {
                connection
                    .prepare_cached("SELECT body FROM entries WHERE run = ?1 AND seq = ?2")?
                    .query_row((run.id, seq), |row| Ok(row.get_ref(0)?.as_blob()? == &*entry.body))
            })?;
            return if same { Ok(()) } else { Err(failure::entry_differs(key, entry.run, entry.seq)) };
        }
        let insert = "INSERT INTO entries (run, seq, body) VALUES (?1, ?2, ?3)";
        self.execute(insert, (run.id, seq, &*entry.body))?;
        self.runs.insert(entry.run, RunNote { end: seq + 1, ..run });
        Ok(())
    }

    /// Returns whether anything changed.
    fn put_stack(&mut self, key: &StackKey, id: i64, write: &StackWrite) -> Result<bool> {
        let lineage = write.lineage.as_u128().to_be_bytes();
        let there: Option<(bool, bool)> = self.sql(|connection| {
            connection
                .prepare_cached("SELECT lineage, body FROM stacks WHERE id = ?1 AND lineage IS NOT NULL")?
                .query_row([id], |row| {
                    Ok((row.get_ref(0)?.as_blob()? == lineage, row.get_ref(1)?.as_blob()? == &*write.body))
                })
                .optional()
        })?;
        match there {
            Some((false, _)) => return Err(failure::lineage_differs(key)),
            Some((true, true)) => return Ok(false),
            Some((true, false)) | None => {}
        }
        self.execute("UPDATE stacks SET lineage = ?2, body = ?3 WHERE id = ?1", (id, lineage, &*write.body))?;
        self.stacks.remove(key);
        Ok(true)
    }

    /// Returns whether anything changed.
    fn put_row(&mut self, key: &StackKey, stack: i64, row: &RowRecord) -> Result<bool> {
        let object = row.object_id.as_u128().to_be_bytes();
        let version = signed(row.version)?;
        let written = self.execute(
            "INSERT INTO objects (stack, object, address, version, body) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (stack, object) DO UPDATE
             SET address = excluded.address, version = excluded.version, body = excluded.body
             WHERE excluded.version > version",
            (stack, object, &*row.address, version, &*row.body),
        )?;
        if written > 0 {
            return Ok(true);
        }
        let (stored, same) = self.sql(|connection| {
            connection
                .prepare_cached("SELECT version, address, body FROM objects WHERE stack = ?1 AND object = ?2")?
                .query_row((stack, object), |found| {
                    let same =
                        found.get_ref(1)?.as_str()? == &*row.address && found.get_ref(2)?.as_blob()? == &*row.body;
                    Ok((found.get::<_, i64>(0)?, same))
                })
        })?;
        if stored > version {
            return Err(failure::stale(key, row.object_id, u64::try_from(stored).unwrap_or_default(), row.version));
        }
        if same { Ok(false) } else { Err(failure::row_differs(key, row.object_id, row.version)) }
    }

    /// Returns whether anything changed.
    fn delete_row(&mut self, stack: i64, object: ObjectId) -> Result<bool> {
        let delete = "DELETE FROM objects WHERE stack = ?1 AND object = ?2";
        Ok(self.execute(delete, (stack, object.as_u128().to_be_bytes()))? > 0)
    }

    fn fenced(&mut self, lease: &Lease) -> Result<StackNote> {
        match self.stack(&lease.stack)? {
            Some(stack) if holds(stack, lease) => Ok(stack),
            _ => Err(failure::lease_lost(&lease.stack, lease.token)),
        }
    }

    fn stack(&mut self, key: &StackKey) -> Result<Option<StackNote>> {
        if let Some(note) = self.stacks.get(key) {
            return Ok(Some(*note));
        }
        let note = self.sql(|connection| {
            connection
                .prepare_cached("SELECT id, token, lineage IS NOT NULL FROM stacks WHERE tenant = ?1 AND name = ?2")?
                .query_row([&*key.tenant, &*key.name], |row| {
                    Ok(StackNote { id: row.get(0)?, token: row.get(1)?, has_record: row.get(2)? })
                })
                .optional()
        })?;
        if let Some(note) = note {
            self.stacks.insert(key.clone(), note);
        }
        Ok(note)
    }

    fn run_of(&mut self, key: &StackKey, stack: i64, run: RunId) -> Result<RunNote> {
        self.run(run)?.filter(|note| note.stack == stack).ok_or_else(|| failure::unknown_run(key, run))
    }

    fn run(&mut self, run: RunId) -> Result<Option<RunNote>> {
        if let Some(note) = self.runs.get(&run) {
            return Ok(Some(*note));
        }
        let note = self.sql(|connection| {
            connection
                .prepare_cached(
                    "SELECT id, stack, (SELECT coalesce(max(seq) + 1, 0) FROM entries WHERE run = runs.id)
                     FROM runs WHERE run = ?1",
                )?
                .query_row([run.as_u128().to_be_bytes()], |row| {
                    Ok(RunNote { id: row.get(0)?, stack: row.get(1)?, end: row.get(2)? })
                })
                .optional()
        })?;
        if let Some(note) = note {
            self.runs.insert(run, note);
        }
        Ok(note)
    }

    /// Lets the database have no more than `pages` pages, as a full disk would.
    #[cfg(test)]
    pub(crate) fn limit_pages(&self, pages: u32) -> Result<u32> {
        self.sql(|connection| connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get(0)))
    }

    pub(crate) fn execute(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<usize> {
        self.sql(|connection| connection.prepare_cached(sql)?.execute(parameters))
    }

    pub(crate) fn sql<T>(&self, call: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        call(self.connection).map_err(|error| storage(self.path, &error))
    }
}

fn holds(stack: StackNote, lease: &Lease) -> bool {
    stack.token.is_some_and(|token| u64::try_from(token) == Ok(lease.token.0))
}

/// Moments beyond what SQLite can hold, 292 million years away, are cut.
fn expiry(now: Timestamp, ttl: Duration) -> Timestamp {
    Timestamp(now.plus(ttl).0.min(i64::MAX.unsigned_abs()))
}

pub(crate) fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| Error::bug("a number is too large to be stored").context("number", number))
}

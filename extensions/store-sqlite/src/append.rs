use rusqlite::OptionalExtension as _;
use stackwright::{
    Result,
    state::{LedgerKey, LedgerRecord, failure},
};

use crate::write::{Work, signed};

impl Work<'_> {
    /// Appends to a ledger; a new one begins with its first record.
    pub(crate) fn append_records(&mut self, key: &LedgerKey, records: &[LedgerRecord]) -> Result<()> {
        let Some(first) = records.first() else { return Ok(()) };
        let (ledger, mut end) = match self.ledger(key)? {
            Some(found) => found,
            None if first.seq > 0 => return Err(failure::ledger_gap(key, first.seq, 0)),
            None => (self.begin_ledger(key)?, 0),
        };
        for record in records {
            let seq = signed(record.seq)?;
            if seq > end {
                return Err(failure::ledger_gap(key, record.seq, u64::try_from(end).unwrap_or_default()));
            }
            if seq < end {
                let is_same = self.sql(|connection| {
                    connection
                        .prepare_cached("SELECT body FROM ledger_records WHERE ledger = ?1 AND seq = ?2")?
                        .query_row((ledger, seq), |row| Ok(row.get_ref(0)?.as_blob()? == &*record.body))
                })?;
                if !is_same {
                    return Err(failure::record_differs(key, record.seq));
                }
                continue;
            }
            let insert = "INSERT INTO ledger_records (ledger, seq, body) VALUES (?1, ?2, ?3)";
            self.execute(insert, (ledger, seq, &*record.body))?;
            end += 1;
        }
        Ok(())
    }

    /// Returns which ledger it is, and the number of its next record.
    fn ledger(&self, key: &LedgerKey) -> Result<Option<(i64, i64)>> {
        self.sql(|connection| {
            connection
                .prepare_cached(
                    "SELECT id, (SELECT coalesce(max(seq) + 1, 0) FROM ledger_records WHERE ledger = ledgers.id)
                     FROM ledgers WHERE kind = ?1 AND tenant = ?2 AND name = ?3",
                )?
                .query_row([&*key.kind, &*key.tenant, &*key.name], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
    }

    fn begin_ledger(&self, key: &LedgerKey) -> Result<i64> {
        self.sql(|connection| {
            connection
                .prepare_cached("INSERT INTO ledgers (kind, tenant, name) VALUES (?1, ?2, ?3) RETURNING id")?
                .query_row([&*key.kind, &*key.tenant, &*key.name], |row| row.get(0))
        })
    }
}

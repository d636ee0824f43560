use rusqlite::{Connection, TransactionBehavior};

/// Marks a database as ours: `SWst`.
pub(crate) const APPLICATION_ID: i32 = 0x5357_7374;

/// What brings a database from version `idx` to `idx + 1`. Never changed once released, only added to.
const MIGRATIONS: &[&str] = &[include_str!("schema/0001.sql"), include_str!("schema/0002.sql")];

/// The version that this program reads and writes.
pub(crate) const VERSION: i32 = MIGRATIONS.len() as i32;

/// What the file says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No table, no name: a new file.
    Empty,
    /// One of ours, at this version.
    Ours(i32),
    /// Somebody else's.
    Foreign,
}

/// Looks at a database without changing it, at one moment: another process may be making it.
pub(crate) fn look(connection: &Connection) -> rusqlite::Result<Found> {
    let transaction = connection.unchecked_transaction()?;
    look_inside(&transaction)
}

fn look_inside(connection: &Connection) -> rusqlite::Result<Found> {
    let application: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (application, version, tables) {
        (0, 0, 0) => Found::Empty,
        (APPLICATION_ID, 1.., _) => Found::Ours(version),
        _ => Found::Foreign,
    })
}

/// Returns whether the tables are exactly those of a version: a damaged name would make a table look empty.
pub(crate) fn is_whole(connection: &Connection, version: i32) -> rusqlite::Result<bool> {
    let fresh = Connection::open_in_memory()?;
    for step in MIGRATIONS.iter().take(usize::try_from(version).unwrap_or_default()) {
        fresh.execute_batch(step)?;
    }
    Ok(tables(connection)? == tables(&fresh)?)
}

type Table = (String, String, String, Option<String>);

fn tables(connection: &Connection) -> rusqlite::Result<Vec<Table>> {
    let mut statement = connection.prepare(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name",
    )?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    statement.query_map([], read)?.collect()
}

/// Brings a database that is empty or ours to [`VERSION`], in one transaction. A newer one is left alone.
pub(crate) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let from = match look_inside(&transaction)? {
        Found::Empty => 0,
        Found::Ours(version) if version < VERSION => version,
        Found::Ours(_) | Found::Foreign => return Ok(()),
    };
    for step in MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(usize::MAX)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

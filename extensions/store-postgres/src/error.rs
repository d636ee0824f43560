use std::str::FromStr;

use stackwright::{
    Error,
    error::{Effect, ErrorKind, Retry},
    state::{Lease, LedgerKey, StackKey, failure},
};
use tokio_postgres::{
    Error as PgError,
    error::{DbError, SqlState},
};

use crate::options::PostgresOptions;

/// What became of one attempt to ask the database something.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// One of our own functions refused; nothing was changed. The caller knows what its code means.
    Refused(Box<DbError>),
    /// It did not happen, and would not the next time.
    Final(Error),
    /// It did not happen; the next time it may.
    Again(Error),
    /// Nobody knows whether it happened: the connection broke before the answer.
    Lost(Error),
}

/// The class of the codes that our own functions raise.
const OURS: &str = "SW0";

/// Returns what an error says of a statement that may have been sent.
pub(crate) fn classify(error: &PgError) -> Attempt {
    let Some(database) = error.as_db_error() else {
        return match error.is_closed() || is_broken(error) {
            true => Attempt::Lost(storage(error)),
            false => Attempt::Final(storage(error)),
        };
    };
    let code = database.code();
    if code.code().starts_with(OURS) {
        return Attempt::Refused(Box::new(database.clone()));
    }
    let mapped = storage(error);
    // A connection that the server ends may have had its transaction made durable right before.
    if is_goodbye(database) {
        return Attempt::Lost(mapped);
    }
    match mapped.retry_advice() {
        Retry::No => Attempt::Final(mapped),
        _ => Attempt::Again(mapped),
    }
}

/// Returns whether the server ended the connection with this.
fn is_goodbye(error: &DbError) -> bool {
    use tokio_postgres::error::Severity;
    matches!(error.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
}

fn is_broken(error: &PgError) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    false
}

/// Returns what an error of the database means to callers of a store: the only table of these.
pub(crate) fn storage(error: &PgError) -> Error {
    let Some(database) = error.as_db_error() else {
        let mapped = match error.is_closed() || is_broken(error) {
            true => failure::unavailable_for_now("the connection to the database broke, or cannot be made"),
            // It has no code of its own.
            false if chain(error).contains("password missing") => failure::unavailable(
                "the database asks for a password, and none was given; check user name and password",
            ),
            false => failure::unavailable("the database cannot be asked"),
        };
        return mapped.because(chain(error));
    };
    let mapped = match database.code() {
        &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED | &SqlState::LOCK_NOT_AVAILABLE => {
            failure::unavailable_for_now("others write to the same rows of the database")
        }
        &SqlState::QUERY_CANCELED => failure::unavailable_for_now("the database took too long, or was told to stop"),
        &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN | &SqlState::CANNOT_CONNECT_NOW => {
            failure::unavailable_for_now("the database ended the connection, or takes none yet")
        }
        &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => {
            failure::unavailable_for_now("the database ended a connection that stood still")
        }
        &SqlState::TOO_MANY_CONNECTIONS => {
            failure::unavailable_for_now("the database has no connection left; allow more, or use fewer")
        }
        &SqlState::DISK_FULL => failure::unavailable_for_now("the disk of the database is full; make room on it"),
        &SqlState::OUT_OF_MEMORY | &SqlState::INSUFFICIENT_RESOURCES | &SqlState::CONFIGURATION_LIMIT_EXCEEDED => {
            failure::unavailable_for_now("the database is short of memory or of something else")
        }
        &SqlState::IO_ERROR => failure::unavailable_for_now("the database cannot read or write its files"),
        &SqlState::READ_ONLY_SQL_TRANSACTION => {
            failure::unavailable_for_now("the database only reads now; it may be a replica, or about to be replaced")
        }
        &SqlState::PROGRAM_LIMIT_EXCEEDED => failure::unavailable("a commit is larger than the database takes (1 GB)"),
        &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            failure::unavailable("the database does not let this user in; check user name and password")
        }
        &SqlState::INVALID_CATALOG_NAME => failure::unavailable("the server has no database of this name"),
        &SqlState::INSUFFICIENT_PRIVILEGE => failure::unavailable(
            "the user of the database lacks a privilege; the notes on privileges in the store's documentation say which",
        ),
        &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED => {
            failure::corrupt("the database is damaged; restore a backup of it")
        }
        // With statements that never change, these mean tables or functions that are not ours.
        &SqlState::UNDEFINED_TABLE
        | &SqlState::UNDEFINED_FUNCTION
        | &SqlState::UNDEFINED_COLUMN
        | &SqlState::INVALID_SCHEMA_NAME => {
            failure::corrupt("the tables of the schema are not as this program made them")
        }
        // A pooler between us and the server, or tables that were replaced under our feet.
        &SqlState::INVALID_SQL_STATEMENT_NAME | &SqlState::FEATURE_NOT_SUPPORTED => failure::unavailable_for_now(
            "the database forgot a prepared statement; a pooler in between must keep sessions",
        ),
        code if code.code().starts_with("08") => {
            failure::unavailable_for_now("the connection to the database broke, or cannot be made")
        }
        _ => failure::unavailable("the database refuses a statement of the store"),
    };
    // The detail of some errors shows parameters; bodies are sealed, but not everything in them.
    mapped.because(format!("{} ({})", database.message(), database.code().code()))
}

/// Returns the texts of an error and of its causes, none of which shows a parameter or a password.
fn chain(error: &PgError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}

/// Adds where the database is.
pub(crate) fn while_connected(options: &PostgresOptions, error: Error) -> Error {
    error.context("database", options.place()).context("schema", &options.schema)
}

/// Returns the error for calls on a store that is closed.
pub(crate) fn closed() -> Error {
    failure::unavailable("the store was closed; open it again")
}

/// Returns the error for a call that took longer than it may.
pub(crate) fn timed_out() -> Error {
    failure::unavailable_for_now("the database did not answer in time")
}

/// Returns `store.options`: the store cannot be opened or used as asked.
pub(crate) fn unusable(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, "store.options", message)
}

/// Returns what a refusal of one of our own functions means.
pub(crate) fn refused(lease: &Lease, error: &DbError) -> Error {
    let key: &StackKey = &lease.stack;
    let words: Vec<&str> = error.detail().unwrap_or_default().split(' ').collect();
    let word = |idx: usize| words.get(idx).copied().unwrap_or_default();
    let mapped = match error.code().code() {
        "SW001" => Some(failure::lease_lost(key, lease.token)),
        "SW002" => read(word(0)).map(|run| failure::unknown_run(key, run)),
        "SW003" => pair(&words).map(|(run, number)| failure::segment_differs(key, run, number)),
        "SW004" => pair(&words).map(|(run, number)| failure::segment_gap(key, run, number)),
        "SW005" => pair(&words).map(|(run, seq)| failure::entry_differs(key, run, seq)),
        "SW006" => triple(&words).map(|(run, seq, end)| failure::journal_gap(key, run, seq, end)),
        "SW007" => pair(&words).map(|(object, version)| failure::row_differs(key, object, version)),
        "SW008" => triple(&words).map(|(object, stored, offered)| failure::stale(key, object, stored, offered)),
        "SW009" => Some(failure::lineage_differs(key)),
        "SW010" => Some(failure::no_stack(key)),
        "SW011" => read(word(0)).map(|rows| failure::rows_left(key, rows)),
        "SW012" => Some(foreign_run(key, word(0))),
        _ => None,
    };
    mapped.unwrap_or_else(|| unread(error)).effect(Effect::None)
}

/// Returns what a refusal to append to a ledger means.
pub(crate) fn refused_record(key: &LedgerKey, error: &DbError) -> Error {
    let words: Vec<&str> = error.detail().unwrap_or_default().split(' ').collect();
    let mapped = match error.code().code() {
        "SW013" => words.first().and_then(|word| read(word)).map(|seq| failure::record_differs(key, seq)),
        "SW014" => pair(&words).map(|(seq, end)| failure::ledger_gap(key, seq, end)),
        _ => None,
    };
    mapped.unwrap_or_else(|| unread(error)).effect(Effect::None)
}

fn unread(error: &DbError) -> Error {
    let unread = Error::bug("a function of the PostgreSQL store refused in words that nobody knows");
    unread.because(error.message().to_owned())
}

/// Returns `store.conflict` for a run of another stack.
pub(crate) fn foreign_run(key: &StackKey, run: impl std::fmt::Display) -> Error {
    failure::conflict(key, "a run belongs to another stack").context("run", run)
}

fn read<T: FromStr>(word: &str) -> Option<T> {
    word.parse().ok()
}

fn pair<A: FromStr, B: FromStr>(words: &[&str]) -> Option<(A, B)> {
    match words {
        [a, b] => read(a).zip(read(b)),
        _ => None,
    }
}

fn triple<A: FromStr, B: FromStr, C: FromStr>(words: &[&str]) -> Option<(A, B, C)> {
    match words {
        [a, b, c] => Some((read(a)?, read(b)?, read(c)?)),
        _ => None,
    }
}

use std::path::Path;

use rusqlite::{Error as SqlError, ErrorCode};
use stackwright::{Error, state::failure};

/// Returns what an error of SQLite means to callers of a store: the only table of these.
pub(crate) fn storage(path: &Path, error: &SqlError) -> Error {
    let mapped = match error {
        SqlError::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DatabaseCorrupt => failure::corrupt("the database is damaged; restore a backup of it"),
            ErrorCode::NotADatabase => failure::corrupt("the file is not a SQLite database; it is left as it is"),
            ErrorCode::DiskFull => failure::unavailable_for_now("the disk is full; make room on it"),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                failure::unavailable_for_now("another process keeps the database locked")
            }
            ErrorCode::ReadOnly => failure::unavailable(
                "the database is read-only; make the file and its directory writable for this user",
            ),
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied => failure::unavailable(
                "the database cannot be opened; check that it is a file which this user may read and write",
            ),
            ErrorCode::FileLockingProtocolFailed => {
                failure::unavailable("the database cannot be locked; network file systems are not supported")
            }
            ErrorCode::OutOfMemory | ErrorCode::SystemIoFailure | ErrorCode::OperationInterrupted => {
                failure::unavailable_for_now("the database cannot be read or written")
            }
            ErrorCode::TooBig => failure::unavailable("a record is larger than the database allows (1 GB)"),
            // With statements that never change, SQL that SQLite refuses means tables that are not ours.
            _ => failure::corrupt("the tables of the database are not as this program made them"),
        },
        SqlError::InvalidColumnType(..)
        | SqlError::FromSqlConversionFailure(..)
        | SqlError::Utf8Error(..)
        | SqlError::IntegralValueOutOfRange(..)
        | SqlError::QueryReturnedNoRows => failure::corrupt("a row of the database is not as this program wrote it"),
        _ => Error::bug("the SQLite store used its database in a wrong way"),
    };
    // The text of the error, not the error: several callers may share one failed flush.
    mapped.context("path", path.display()).because(error.to_string())
}

/// Returns the error for calls on a store that is closed, or whose thread died.
pub(crate) fn closed(path: &Path) -> Error {
    failure::unavailable("the store was closed; open it again").context("path", path.display())
}

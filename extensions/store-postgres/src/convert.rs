use std::{sync::Arc, time::Duration};

use stackwright::{Error, Result, event::Timestamp, state::failure};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::unusable;

/// Returns a number as the database holds it.
pub(crate) fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| Error::bug("a number is too large to be stored").context("number", number))
}

/// Refuses what the database cannot hold as text.
pub(crate) fn text(what: &str, text: &str) -> Result<()> {
    match text.contains('\0') {
        true => Err(unusable(format!("{what} has a zero character in it, which PostgreSQL cannot hold"))),
        false => Ok(()),
    }
}

/// Returns milliseconds, cut where a sum with a moment would not fit any more (73 million years).
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 4)
}

/// Returns a column, whose type our own tables and functions decide.
pub(crate) fn column<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, idx: usize) -> Result<T> {
    row.try_get(idx).map_err(|error| {
        failure::corrupt("a row of the database is not as this program wrote it").because(error.to_string())
    })
}

pub(crate) fn number(row: &Row, idx: usize) -> Result<u64> {
    unsigned(column(row, idx)?)
}

pub(crate) fn unsigned(number: i64) -> Result<u64> {
    u64::try_from(number)
        .map_err(|_| failure::corrupt("a number in the database is negative that cannot be").context("number", number))
}

pub(crate) fn moment(row: &Row, idx: usize) -> Result<Timestamp> {
    number(row, idx).map(Timestamp)
}

pub(crate) fn id(row: &Row, idx: usize) -> Result<u128> {
    column::<Uuid>(row, idx).map(|id| id.as_u128())
}

pub(crate) fn string(row: &Row, idx: usize) -> Result<Arc<str>> {
    column::<&str>(row, idx).map(Arc::from)
}

pub(crate) fn bytes(row: &Row, idx: usize) -> Result<Arc<[u8]>> {
    column::<&[u8]>(row, idx).map(Arc::from)
}

//! The errors of this module's contracts, said once so that every store and cipher says the same.

use std::fmt;

use super::{LeaseToken, LedgerKey, ObjectId, RunId, StackKey};
use crate::{
    error::{Error, ErrorKind, Retry},
    event::Timestamp,
};

/// Returns `lease.held`: somebody else may write the stack until `expires`.
pub fn lease_held(stack: &StackKey, holder: &str, expires: Timestamp) -> Error {
    Error::new(ErrorKind::Conflict, "lease.held", format!("`{stack}` is being worked on by {holder} until {expires}"))
        .context("stack", stack)
        .context("holder", holder)
        .context("expires", expires)
}

/// Returns `lease.lost`: the token is not the one that may write the stack.
pub fn lease_lost(stack: &StackKey, token: LeaseToken) -> Error {
    Error::new(ErrorKind::Conflict, "lease.lost", format!("the lease on `{stack}` was lost or given back"))
        .context("stack", stack)
        .context("token", token.0)
}

/// Returns `store.conflict`: what is to be written contradicts what is there.
pub fn conflict(stack: &StackKey, what: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Conflict, "store.conflict", what.to_string()).context("stack", stack)
}

/// Returns `store.stale`: a newer version of the row is stored.
pub fn stale(stack: &StackKey, object: ObjectId, stored: u64, offered: u64) -> Error {
    Error::new(ErrorKind::Conflict, "store.stale", "a newer version of the row is stored")
        .context("stack", stack)
        .context("object", object)
        .context("stored_version", stored)
        .context("offered_version", offered)
}

/// Returns `store.corrupt`: what is stored cannot be what was written.
pub fn corrupt(what: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Unsupported, "store.corrupt", what.to_string())
}

/// Returns `store.version`: a newer program wrote it.
pub fn too_new(what: impl fmt::Display, found: u64, known: u64) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "store.version",
        format!("{what} was written by a newer version of stackwright; upgrade this program to read it"),
    )
    .context("found", found)
    .context("known", known)
}

/// Returns `store.unavailable` without a promise that repeating helps; add [`Retry`] where it does.
pub fn unavailable(what: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, "store.unavailable", what.to_string())
}

/// Returns `store.unavailable` for something that may pass by itself.
pub fn unavailable_for_now(what: impl fmt::Display) -> Error {
    unavailable(what).retry(Retry::WithBackoff)
}

/// Returns `store.conflict` for a commit that touches a run which this stack does not have.
pub fn unknown_run(stack: &StackKey, run: RunId) -> Error {
    conflict(stack, "a commit writes to a run that this stack does not have").context("run", run)
}

/// Returns `store.conflict` for a segment that is there with another body.
pub fn segment_differs(stack: &StackKey, run: RunId, number: u32) -> Error {
    conflict(stack, "a plan segment is stored already, and differs").context("run", run).context("segment", number)
}

/// Returns `store.conflict` for a segment whose predecessor is missing.
pub fn segment_gap(stack: &StackKey, run: RunId, number: u32) -> Error {
    conflict(stack, "a plan segment leaves a gap before it").context("run", run).context("segment", number)
}

/// Returns `store.conflict` for a journal entry that is there with another body.
pub fn entry_differs(stack: &StackKey, run: RunId, seq: u64) -> Error {
    conflict(stack, "a journal entry is stored already, and differs").context("run", run).context("entry", seq)
}

/// Returns `store.conflict` for a journal entry whose predecessor is missing; `end` is the number that is next.
pub fn journal_gap(stack: &StackKey, run: RunId, seq: u64, end: u64) -> Error {
    conflict(stack, "a journal entry leaves a gap before it")
        .context("run", run)
        .context("entry", seq)
        .context("expected", end)
}

/// Returns `store.conflict` for a record of a ledger that is there with another body.
pub fn record_differs(ledger: &LedgerKey, seq: u64) -> Error {
    let message = "somebody else appended to the ledger first: a record is stored already, and differs";
    Error::new(ErrorKind::Conflict, "store.conflict", message).context("ledger", ledger).context("record", seq)
}

/// Returns `store.conflict` for a record of a ledger whose predecessor is missing; `end` is the number that is next.
pub fn ledger_gap(ledger: &LedgerKey, seq: u64, end: u64) -> Error {
    Error::new(ErrorKind::Conflict, "store.conflict", "a record leaves a gap before it in the ledger")
        .context("ledger", ledger)
        .context("record", seq)
        .context("expected", end)
}

/// Returns `store.conflict` for a row that is there in the same version with other contents.
pub fn row_differs(stack: &StackKey, object: ObjectId, version: u64) -> Error {
    conflict(stack, "a row is stored already in this version, and differs")
        .context("object", object)
        .context("version", version)
}

/// Returns `store.conflict` for a stack whose stored history is another one.
pub fn lineage_differs(stack: &StackKey) -> Error {
    conflict(stack, "the stack was forgotten and made anew by somebody else: its history is another one")
}

/// Returns `store.conflict` for rows of a stack that has no record yet.
pub fn no_stack(stack: &StackKey) -> Error {
    conflict(stack, "rows were committed before the stack's own record")
}

/// Returns `store.conflict` for a stack that cannot be forgotten because it still owns objects.
pub fn rows_left(stack: &StackKey, rows: usize) -> Error {
    conflict(stack, "the stack still has rows; destroy it or remove them first").context("rows", rows)
}

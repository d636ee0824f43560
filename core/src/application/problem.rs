//! The errors of this module, each said once.

use std::fmt;

use super::{InstallationView, OperationId};
use crate::{
    error::{Error, ErrorKind},
    form::FormState,
    state::StackKey,
};

pub(super) fn denied(reason: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Denied, "installation.denied", format!("this is not allowed: {reason}"))
}

pub(super) fn unknown(key: &StackKey) -> Error {
    Error::new(ErrorKind::NotFound, "installation.unknown", format!("nothing is installed as `{key}`"))
}

pub(super) fn busy(key: &StackKey, operation: OperationId) -> Error {
    let message = format!("something is being done with `{key}`; wait for it to end");
    Error::new(ErrorKind::Conflict, "installation.busy", message).context("operation", operation)
}

pub(super) fn interrupted(key: &StackKey, operation: OperationId) -> Error {
    let message = format!("what was being done with `{key}` was interrupted; resume it, or give it up");
    Error::new(ErrorKind::Conflict, "installation.interrupted", message).context("operation", operation)
}

pub(super) fn standing(view: &InstallationView, what: &str) -> Error {
    let message = format!("`{}` is {}; it cannot be {what}", view.key, view.standing.as_str());
    Error::new(ErrorKind::Conflict, "installation.standing", message)
}

pub(super) fn occupied(key: &StackKey) -> Error {
    let message = format!("`{key}` has objects that no package installed; choose another name");
    Error::new(ErrorKind::AlreadyExists, "installation.occupied", message)
}

pub(super) fn changed(key: &StackKey) -> Error {
    let message = format!("something was done with `{key}` since this was proposed; propose it anew");
    Error::new(ErrorKind::Conflict, "installation.changed", message)
}

pub(super) fn package(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, "installation.package", message)
}

/// Everything that keeps a form from being ready, in one error.
pub(super) fn form(state: &FormState) -> Error {
    let mut lines: Vec<String> =
        state.errors.iter().map(|problem| format!("`{}`: {}", problem.path, problem.message)).collect();
    lines.extend(state.missing.iter().map(|path| format!("`{path}`: it must be filled in")));
    lines.extend(state.pending.iter().map(|request| format!("nobody answered what there is of `{}`", request.source)));
    if lines.is_empty() {
        lines.push("something in it is not settled yet".to_owned());
    }
    let message = format!("the form is not ready: {}", lines.join("; "));
    Error::new(ErrorKind::InvalidInput, "installation.form", message)
}

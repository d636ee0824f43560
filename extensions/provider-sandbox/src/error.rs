//! What the cloud says, as the engine's errors.

use std::time::Duration;

use serde_json::Value;
use stackwright::error::{Effect, Error, ErrorKind, Retry};

/// Whether a request changes something, and so what a lost reply means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Look,
    Change,
}

impl Purpose {
    fn effect_if_lost(self) -> Effect {
        match self {
            Self::Look => Effect::None,
            Self::Change => Effect::Unknown,
        }
    }
}

/// Returns the error of a reply that is no success. The cloud never repeats secrets in its messages.
pub(crate) fn refused(status: u16, body: &Value) -> Error {
    let error = &body["error"];
    let said = error["message"].as_str().unwrap_or("no reason was given");
    let refused = |kind, code| Error::new(kind, code, format!("the sandbox says: {said}"));
    match (status, error["code"].as_str().unwrap_or_default()) {
        (400, _) => refused(ErrorKind::InvalidInput, "sandbox.invalid"),
        (402, _) => refused(ErrorKind::Denied, "sandbox.unpaid"),
        (401 | 403, _) => refused(ErrorKind::Denied, "sandbox.denied"),
        (404 | 422, _) => refused(ErrorKind::NotFound, "sandbox.missing"),
        (409, "duplicate") => refused(ErrorKind::AlreadyExists, "sandbox.exists"),
        (409, _) => refused(ErrorKind::Conflict, "sandbox.in_use"),
        (429, _) => {
            let wait = Duration::from_millis(error["retry_after_ms"].as_u64().unwrap_or(1000));
            refused(ErrorKind::RateLimited, "sandbox.rate_limited").retry(Retry::After(wait))
        }
        (503, _) => refused(ErrorKind::Unavailable, "sandbox.unavailable").retry(Retry::WithBackoff),
        _ => refused(ErrorKind::Unavailable, "sandbox.failed"),
    }
}

/// Returns the error of a request that nobody took.
pub(crate) fn unreached(endpoint: &str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Unavailable, "sandbox.unavailable", format!("nobody listens at `{endpoint}`"))
        .retry(Retry::WithBackoff)
        .because(source)
}

/// Returns the error of a request whose reply never came.
pub(crate) fn unanswered(endpoint: &str, purpose: Purpose) -> Error {
    Error::new(ErrorKind::Unavailable, "sandbox.unavailable", format!("`{endpoint}` took a request and did not answer"))
        .retry(Retry::WithBackoff)
        .effect(purpose.effect_if_lost())
}

/// Returns the error of a success whose content nobody understands.
pub(crate) fn garbled(what: &str, purpose: Purpose) -> Error {
    let message = format!("the sandbox answered, but {what}");
    Error::new(ErrorKind::Unavailable, "sandbox.failed", message).effect(purpose.effect_if_lost())
}

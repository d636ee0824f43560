use serde_json::{Value, json};

/// Why a request was not done, as the cloud says it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// How long to wait before the next try.
    pub(crate) retry_after_ms: Option<u64>,
}

impl Problem {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after_ms: None }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid", message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "unauthorized", "the request bears no token, or a wrong one")
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "not_found", message)
    }

    pub(crate) fn duplicate(message: impl Into<String>) -> Self {
        Self::new(409, "duplicate", message)
    }

    pub(crate) fn in_use(message: impl Into<String>) -> Self {
        Self::new(409, "in_use", message)
    }

    pub(crate) fn token_reused(message: impl Into<String>) -> Self {
        Self::new(409, "token_reused", message)
    }

    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::new(422, "missing", message)
    }

    pub(crate) fn unpaid(message: impl Into<String>) -> Self {
        Self::new(402, "unpaid", message)
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(500, "failed", message)
    }

    pub(crate) fn rate_limited(retry_after_ms: u64) -> Self {
        let retry_after_ms = Some(retry_after_ms);
        Self { retry_after_ms, ..Self::new(429, "rate_limited", "too many requests") }
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(503, "unavailable", "the cloud refuses all requests for a while")
    }

    pub(crate) fn body(&self) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(retry_after_ms) = self.retry_after_ms {
            error["retry_after_ms"] = json!(retry_after_ms);
        }
        json!({ "error": error })
    }
}

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::kind::Kind;

/// One thing in the cloud, with all that is known of it; never forgotten, not even when it is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Object {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// The idempotency token that it was made with.
    pub(crate) token: Option<String>,
    /// What is asked for and what the cloud chose, without secrets.
    pub(crate) properties: Map<String, Value>,
    /// SHA-256 of secret properties.
    pub(crate) secrets: Map<String, Value>,
    /// SHA-256 of what it was asked to be when it was made.
    pub(crate) asked_digest: String,
    /// Milliseconds since the Unix epoch, as all times.
    pub(crate) made_at_ms: u64,
    pub(crate) visible_at_ms: u64,
    pub(crate) ready_at_ms: u64,
    /// Set on what will never work.
    pub(crate) is_broken: bool,
    /// When its deletion began.
    pub(crate) deleted_at_ms: Option<u64>,
    /// When it is gone.
    pub(crate) gone_at_ms: Option<u64>,
    /// How often it was changed.
    pub(crate) change_count: u64,
}

impl Object {
    /// Returns an object that is there, seen and working at once.
    pub(crate) fn new(id: String, kind: Kind, token: Option<String>, properties: Map<String, Value>, now: u64) -> Self {
        Self {
            id,
            kind,
            token,
            properties,
            secrets: Map::new(),
            asked_digest: String::new(),
            made_at_ms: now,
            visible_at_ms: now,
            ready_at_ms: now,
            is_broken: false,
            deleted_at_ms: None,
            gone_at_ms: None,
            change_count: 0,
        }
    }

    pub(crate) fn is_gone(&self, now: u64) -> bool {
        self.gone_at_ms.is_some_and(|at| at <= now)
    }

    /// Returns whether reads find it. What is being deleted was there long enough to be seen.
    pub(crate) fn is_readable(&self, now: u64) -> bool {
        !self.is_gone(now) && (self.visible_at_ms <= now || self.deleted_at_ms.is_some())
    }

    pub(crate) fn state(&self, now: u64) -> &'static str {
        let spec = self.kind.spec();
        match () {
            () if self.is_gone(now) => "gone",
            () if self.deleted_at_ms.is_some() => "deleting",
            () if self.ready_at_ms > now => spec.beginning,
            () if self.is_broken => "failed",
            () => spec.working,
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.properties.get(name).and_then(Value::as_str)
    }

    /// Returns the id of the operation that makes it, where it is made by one.
    pub(crate) fn operation(&self) -> Option<String> {
        self.kind.spec().is_asynchronous.then(|| format!("op-{}", self.id))
    }

    /// Returns it as clients see it.
    pub(crate) fn view(&self, now: u64) -> Value {
        let mut view = json!({
            "id": self.id,
            "kind": self.kind,
            "state": self.state(now),
            "properties": self.properties,
        });
        if let Some(operation) = self.operation() {
            view["operation"] = json!(operation);
        }
        view
    }

    /// Returns it as the admin endpoint shows it: how it was made and what became of it.
    pub(crate) fn history(&self, now: u64) -> Value {
        let mut view = self.view(now);
        view["token"] = json!(self.token);
        view["made_at_ms"] = json!(self.made_at_ms);
        view["deleted_at_ms"] = json!(self.deleted_at_ms);
        view["change_count"] = json!(self.change_count);
        view["secrets"] = json!(self.secrets);
        view
    }
}

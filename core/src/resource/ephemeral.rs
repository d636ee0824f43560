use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::Context;
use crate::{
    error::{Error, ErrorKind, Result},
    event::Timestamp,
    schema::Schema,
    value::Value,
};

/// Something that is opened for as long as a plan or a run needs it, and closed afterwards: a token, a tunnel, a secret
/// that is only lent.
///
/// What it holds is used and never stored: not in plans, state, journals, events or errors. While planning it is opened
/// as soon as its configuration is known; a run opens it again, when the first step needs it.
///
/// # Cancellation
/// As with a [`Resource`](super::Resource): a call is never dropped, and should end soon once
/// [`Context::is_cancelled`] turns true. What was opened is closed also after failure and cancellation.
#[async_trait]
pub trait EphemeralResource: fmt::Debug + Send + Sync + 'static {
    /// Returns the schema of configuration and result together. Cheap, always the same.
    fn schema(&self) -> Arc<Schema>;

    /// Opens it; `config` is wholly known, and the result conforms to the schema.
    ///
    /// What a run that died had opened is opened anew when the run is resumed, and never closed: what is lent out should
    /// end by itself some day.
    async fn open(&self, ctx: &Context, config: Value) -> Result<Opened>;

    /// Makes it last longer. Called before [`Opened::renew_at`], with what opening or the last renewal left in `private`.
    ///
    /// After an error it is not renewed any more; who needs it from then on has it opened anew.
    ///
    /// # Errors
    /// `resource.renew_unsupported` unless the type overrides it.
    async fn renew(&self, ctx: &Context, private: Option<Arc<[u8]>>) -> Result<Renewed> {
        let _ = private;
        let message = format!("`{}` asks to be renewed and cannot be", ctx.info().type_name);
        Err(Error::new(ErrorKind::Bug, "resource.renew_unsupported", message))
    }

    /// Gives it back. An error is a warning of the plan or the run; nothing else depends on it.
    async fn close(&self, ctx: &Context, private: Option<Arc<[u8]>>) -> Result<()> {
        let (_, _) = (ctx, private);
        Ok(())
    }
}

/// What opening an [`EphemeralResource`] came to. `Debug` shows nothing of it.
#[derive(Clone, PartialEq)]
pub struct Opened {
    /// All attributes: an object that conforms to the schema, wholly known.
    pub value: Value,
    /// When it has to be renewed at the latest; `None`: it lasts as long as it is open.
    pub renew_at: Option<Timestamp>,
    /// What renewing and closing need to know. Kept in memory only.
    pub private: Option<Arc<[u8]>>,
}

impl Opened {
    /// Returns what is open until it is closed, and needs to know nothing for that.
    pub fn new(value: Value) -> Self {
        Self { value, renew_at: None, private: None }
    }

    /// Sets when it has to be renewed at the latest.
    pub fn renew_at(mut self, at: Timestamp) -> Self {
        self.renew_at = Some(at);
        self
    }

    /// Sets what renewing and closing need to know.
    pub fn private(mut self, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.private = Some(bytes.into());
        self
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("renew_at", &self.renew_at).finish_non_exhaustive()
    }
}

/// What renewing an [`EphemeralResource`] came to. `Debug` shows nothing of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Renewed {
    /// When it has to be renewed again at the latest; `None`: never.
    pub renew_at: Option<Timestamp>,
    /// What the next renewal and closing need to know, in place of what they knew before.
    pub private: Option<Arc<[u8]>>,
}

impl fmt::Debug for Renewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed").field("renew_at", &self.renew_at).finish_non_exhaustive()
    }
}

use std::{collections::BTreeMap, fmt, pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::{Either, select};
use tokio_util::sync::CancellationToken;

use crate::{
    error::Result,
    event::{Clock, Timestamp},
    state::ObjectId,
    value::Value,
};

/// Makes a fact about an unfinished call durable.
#[async_trait]
pub trait Checkpoint: fmt::Debug + Send + Sync {
    /// Records the remote id, and what else is known, of the object that is being made.
    async fn checkpoint(&self, id: &str, partial: Option<&Value>) -> Result<()>;
}

/// Takes words about how far a call is.
pub trait Progress: fmt::Debug + Send + Sync {
    /// Passes a short line on to observers. No secrets.
    fn say(&self, message: &str);
}

/// The facts of one call.
#[derive(Clone, Debug, Default)]
pub struct CallInfo {
    /// The object; its text is the idempotency key. `None` for data sources and while planning a create.
    pub object_id: Option<ObjectId>,
    /// The address of the instance, as text.
    pub address: Arc<str>,
    /// The registered name of the resource type.
    pub type_name: Arc<str>,
    /// The stack, as `tenant/name`.
    pub stack: Arc<str>,
    /// The tenant.
    pub tenant: Arc<str>,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// When the call has to end; lies within the lease.
    pub deadline: Option<Timestamp>,
    /// The locked tags: what the host wants on every object, such as an owner or a cost centre. Where the type's schema
    /// says where tags go, they are among the attributes already.
    pub tags: BTreeMap<String, String>,
    /// The order line that pays for the object, where the host sells what it installs.
    pub order_line: Option<String>,
    /// The bytes that the type's `plan` handed out for this change.
    pub planned_private: Option<Arc<[u8]>>,
    /// The configuration of the provider that owns the type; `None` where it has none.
    pub provider_config: Option<Value>,
    /// What the host calls the plan or the run that the call belongs to; for the host alone.
    pub operation: Option<Arc<str>>,
}

/// What surrounds a call of a resource type: identity, time, cancellation, progress.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct Context {
    info: Arc<CallInfo>,
    clock: Arc<dyn Clock>,
    cancellation: CancellationToken,
    checkpoint: Option<Arc<dyn Checkpoint>>,
    progress: Option<Arc<dyn Progress>>,
}

impl Context {
    /// Returns a context without checkpoint and progress sinks.
    pub fn new(info: CallInfo, clock: Arc<dyn Clock>, cancellation: CancellationToken) -> Self {
        Self { info: Arc::new(info), clock, cancellation, checkpoint: None, progress: None }
    }

    /// Sets where checkpoints go.
    pub fn with_checkpoint(mut self, checkpoint: Arc<dyn Checkpoint>) -> Self {
        self.checkpoint = Some(checkpoint);
        self
    }

    /// Sets where progress goes.
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Returns the same context with other facts; layers use it for attempts and deadlines.
    pub fn with_info(&self, change: impl FnOnce(&mut CallInfo)) -> Self {
        let mut info = (*self.info).clone();
        change(&mut info);
        Self { info: Arc::new(info), ..self.clone() }
    }

    /// Returns the same context with another cancellation token; layers use it to bound a call.
    pub fn with_cancellation(&self, cancellation: CancellationToken) -> Self {
        Self { cancellation, ..self.clone() }
    }

    /// Returns the facts of the call.
    pub fn info(&self) -> &CallInfo {
        &self.info
    }

    /// Returns the key that is the same for every attempt to make the same object, across crashes too.
    ///
    /// Empty for calls that make nothing.
    pub fn idempotency_key(&self) -> String {
        self.info.object_id.map(|id| id.to_string()).unwrap_or_default()
    }

    /// Makes the remote id durable as soon as it is known, before the object is finished.
    ///
    /// Returns only when the fact survives a crash; then [`Resource::recover`](super::Resource::recover) gets it.
    ///
    /// # Errors
    /// `lease.lost` when the stack was taken over: stop at once. `store.unavailable` when it could not be written.
    pub async fn checkpoint(&self, id: &str, partial: Option<&Value>) -> Result<()> {
        match &self.checkpoint {
            Some(sink) => sink.checkpoint(id, partial).await,
            None => Ok(()),
        }
    }

    /// Tells observers how far the call is. Never put a secret into it. Passed on are 4 KiB of a message, and as many messages
    /// as observers keep up with.
    pub fn progress(&self, message: &str) {
        if let Some(sink) = &self.progress {
            sink.say(message);
        }
    }

    /// Returns the host's clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Waits, or returns early once the call is cancelled; returns whether the whole time passed.
    pub async fn sleep(&self, duration: Duration) -> bool {
        let cancelled = pin!(self.cancellation.cancelled());
        match select(cancelled, self.clock.sleep(duration)).await {
            Either::Left(_) => false,
            Either::Right(_) => true,
        }
    }

    /// Returns the token that says that the caller wants the call to end soon.
    pub fn cancellation(&self) -> &CancellationToken {
        &self.cancellation
    }

    /// Returns whether the caller wants the call to end soon.
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("address", &self.info.address)
            .field("attempt", &self.info.attempt)
            .finish_non_exhaustive()
    }
}

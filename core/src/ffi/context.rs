use std::{fmt, pin::pin};

use futures_util::future::{Either, select};
use tokio_util::sync::CancellationToken;

use super::Document;
use crate::{error::Result, resource::Context, value::Type};

/// What is live about a call, for the host: it can make facts durable, say how far it is, and see that it should stop.
///
/// Cheap to clone; works from any thread, and after the call too (then to no effect).
#[derive(Clone)]
pub struct CallContext {
    ctx: Context,
    ty: Type,
    ended: CancellationToken,
}

impl CallContext {
    /// `ended` is cancelled when nobody waits for the call any more.
    pub(super) fn new(ctx: Context, ty: Type, ended: CancellationToken) -> Self {
        Self { ctx, ty, ended }
    }

    /// Makes the remote id durable as soon as it is known; see [`Context::checkpoint`].
    ///
    /// # Errors
    /// `lease.lost`: stop at once. `store.unavailable`. `host.reply` where `partial` does not fit the type's schema.
    pub async fn checkpoint(&self, id: &str, partial: Option<&Document>) -> Result<()> {
        let partial = partial.map(|document| document.read(&self.ty)).transpose()?;
        self.ctx.checkpoint(id, partial.as_ref()).await
    }

    /// Tells observers how far the call is; see [`Context::progress`].
    pub fn progress(&self, message: &str) {
        self.ctx.progress(message);
    }

    /// Returns whether the caller wants the call to end soon.
    pub fn is_cancelled(&self) -> bool {
        self.ctx.is_cancelled()
    }

    /// Waits until the caller wants the call to end soon, and returns true; or until the call ended, and returns false.
    ///
    /// It always comes to an end, so that a host may wait for it beside its work: in some languages a wait without an
    /// end keeps the whole process alive.
    pub async fn cancelled(&self) -> bool {
        let cancelled = pin!(self.ctx.cancellation().cancelled());
        let ended = pin!(self.ended.cancelled());
        matches!(select(cancelled, ended).await, Either::Left(_))
    }
}

impl fmt::Debug for CallContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ctx.fmt(f)
    }
}

use napi_derive::napi;
use stackwright::{
    Result,
    ffi::{self, Document, envelope},
};

/// What is live about a call: the host can make facts durable, say how far it is, see that it should stop.
#[napi]
pub struct CallContext {
    ctx: ffi::CallContext,
}

impl CallContext {
    pub(crate) fn new(ctx: ffi::CallContext) -> Self {
        Self { ctx }
    }
}

async fn checkpoint(ctx: &ffi::CallContext, id: &str, partial: Option<&str>) -> Result<()> {
    let partial = partial.map(Document::from_json).transpose()?;
    ctx.checkpoint(id, partial.as_ref()).await
}

#[napi]
impl CallContext {
    /// Makes the remote id durable. Resolves to an envelope.
    #[napi]
    pub async fn checkpoint(&self, id: String, partial: Option<String>) -> String {
        envelope(checkpoint(&self.ctx, &id, partial.as_deref()).await)
    }

    /// Tells observers how far the call is.
    #[napi]
    pub fn progress(&self, message: String) {
        self.ctx.progress(&message);
    }

    /// Whether the caller wants the call to end soon.
    #[napi(getter)]
    pub fn is_cancelled(&self) -> bool {
        self.ctx.is_cancelled()
    }

    /// Resolves to true once the caller wants the call to end soon, or to false once the call ended.
    #[napi]
    pub async fn cancelled(&self) -> bool {
        self.ctx.cancelled().await
    }
}

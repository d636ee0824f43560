use std::sync::Arc;

use pyo3::{Python, pyclass, pymethods};
use stackwright::{
    Result,
    ffi::{self, Document, envelope},
};
use tokio::runtime::Handle;

use crate::mailbox::{Letter, Mailbox};

/// What is live about a call: the host can make facts durable, say how far it is, see that it should stop.
#[pyclass(frozen)]
pub(crate) struct CallContext {
    ctx: ffi::CallContext,
    mailbox: Arc<Mailbox>,
    runtime: Handle,
}

impl CallContext {
    pub(crate) fn new(ctx: ffi::CallContext, mailbox: Arc<Mailbox>, runtime: Handle) -> Self {
        Self { ctx, mailbox, runtime }
    }

    fn settle(&self, promise: u64, answer: impl Future<Output = String> + Send + 'static) {
        let mailbox = Arc::clone(&self.mailbox);
        drop(self.runtime.spawn(async move { mailbox.post(Letter::Settled { promise, text: answer.await }) }));
    }
}

async fn checkpoint(ctx: ffi::CallContext, id: String, partial: Option<String>) -> Result<()> {
    let partial = partial.as_deref().map(Document::from_json).transpose()?;
    ctx.checkpoint(&id, partial.as_ref()).await
}

#[pymethods]
impl CallContext {
    /// Makes the remote id durable. The promise is settled with an envelope.
    #[pyo3(signature = (promise, id, partial = None))]
    fn checkpoint(&self, promise: u64, id: String, partial: Option<String>) {
        let ctx = self.ctx.clone();
        self.settle(promise, async move { envelope(checkpoint(ctx, id, partial).await) });
    }

    /// Makes the remote id durable, and blocks until it is. Returns an envelope.
    #[pyo3(signature = (id, partial = None))]
    fn checkpoint_blocking(&self, py: Python<'_>, id: String, partial: Option<String>) -> String {
        let ctx = self.ctx.clone();
        py.detach(|| envelope(self.runtime.block_on(checkpoint(ctx, id, partial))))
    }

    /// Tells observers how far the call is.
    fn progress(&self, message: &str) {
        self.ctx.progress(message);
    }

    /// Whether the caller wants the call to end soon.
    #[getter]
    fn is_cancelled(&self) -> bool {
        self.ctx.is_cancelled()
    }

    /// Settles the promise with the envelope of whether the caller wants the call to end soon, once that or its end is so.
    fn cancelled(&self, promise: u64) {
        let ctx = self.ctx.clone();
        self.settle(promise, async move { envelope(Ok(ctx.cancelled().await)) });
    }

    fn __repr__(&self) -> String {
        format!("<{:?}>", self.ctx)
    }
}

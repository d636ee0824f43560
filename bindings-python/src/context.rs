use pyo3::{Bound, PyAny, PyResult, Python, pyclass, pymethods};
use stackwright::{
    Result,
    ffi::{self, Document, envelope},
};

use crate::asyncio::{awaitable, runtime};

/// What is live about a call: the host can make facts durable, say how far it is, see that it should stop.
#[pyclass(frozen)]
pub(crate) struct CallContext(ffi::CallContext);

impl CallContext {
    pub(crate) fn new(ctx: ffi::CallContext) -> Self {
        Self(ctx)
    }
}

async fn checkpoint(ctx: ffi::CallContext, id: String, partial: Option<String>) -> Result<()> {
    let partial = partial.as_deref().map(Document::from_json).transpose()?;
    ctx.checkpoint(&id, partial.as_ref()).await
}

#[pymethods]
impl CallContext {
    /// Makes the remote id durable; for coroutines. Resolves to an envelope.
    #[pyo3(signature = (id, partial = None))]
    fn checkpoint<'py>(&self, py: Python<'py>, id: String, partial: Option<String>) -> PyResult<Bound<'py, PyAny>> {
        let ctx = self.0.clone();
        awaitable(py, async move { envelope(checkpoint(ctx, id, partial).await) })
    }

    /// Makes the remote id durable; for plain functions, which run on a thread of their own. Returns an envelope.
    #[pyo3(signature = (id, partial = None))]
    fn checkpoint_blocking(&self, py: Python<'_>, id: String, partial: Option<String>) -> PyResult<String> {
        let (ctx, runtime) = (self.0.clone(), runtime()?);
        Ok(py.detach(|| envelope(runtime.block_on(checkpoint(ctx, id, partial)))))
    }

    /// Tells observers how far the call is.
    fn progress(&self, message: &str) {
        self.0.progress(message);
    }

    /// Whether the caller wants the call to end soon.
    #[getter]
    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Resolves to true once the caller wants the call to end soon, or to false once the call ended.
    fn cancelled<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let ctx = self.0.clone();
        awaitable(py, async move { ctx.cancelled().await })
    }

    fn __repr__(&self) -> String {
        format!("<{:?}>", self.0)
    }
}

use pyo3::{Python, pyclass, pymethods};
use stackwright_bridge::LiveCall;

/// What is live about a call: the host can make facts durable, say how far it is, see that it should stop.
#[pyclass(frozen)]
pub(crate) struct CallContext {
    live: LiveCall,
}

impl CallContext {
    pub(crate) fn new(live: LiveCall) -> Self {
        Self { live }
    }
}

#[pymethods]
impl CallContext {
    /// Makes the remote id durable. The promise is settled with an envelope.
    #[pyo3(signature = (promise, id, partial = None))]
    fn checkpoint(&self, promise: u64, id: String, partial: Option<String>) {
        self.live.checkpoint(promise, id, partial);
    }

    /// Makes the remote id durable, and blocks until it is. Returns an envelope.
    #[pyo3(signature = (id, partial = None))]
    fn checkpoint_blocking(&self, py: Python<'_>, id: String, partial: Option<String>) -> String {
        py.detach(|| self.live.checkpoint_blocking(id, partial))
    }

    /// Tells observers how far the call is.
    fn progress(&self, message: &str) {
        self.live.progress(message);
    }

    /// Whether the caller wants the call to end soon.
    #[getter]
    fn is_cancelled(&self) -> bool {
        self.live.is_cancelled()
    }

    /// Settles the promise with the envelope of whether the caller wants the call to end soon, once that or its end is so.
    fn cancelled(&self, promise: u64) {
        self.live.cancelled(promise);
    }

    fn __repr__(&self) -> String {
        format!("<{:?}>", self.live)
    }
}

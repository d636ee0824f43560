use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use pyo3::{Py, PyAny, PyErr, PyResult, Python, pyclass, pymethods, types::PyTypeMethods as _};
use stackwright::{
    Error, Result,
    ffi::{self, Host, Reply, Request, host_failed},
};
use tokio::sync::oneshot;

use crate::{asyncio::EventLoop, context::CallContext, door::attach};

/// The function that performs calls, and the event loop that it belongs to: the engine calls from threads of its own.
pub(crate) struct PythonHost {
    dispatch: Py<PyAny>,
    home: EventLoop,
}

/// What takes the answer of one call, once. Dropped without one, the call failed.
#[pyclass(frozen)]
pub(crate) struct Answer(Mutex<Option<oneshot::Sender<Result<String>>>>);

impl PythonHost {
    pub(crate) fn running(py: Python<'_>, dispatch: Py<PyAny>) -> PyResult<Self> {
        Ok(Self { dispatch, home: EventLoop::running(py)? })
    }
}

impl Answer {
    fn give(&self, answer: Result<String>) {
        if let Some(sender) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Where nobody waits any more, nobody is interested.
            drop(sender.send(answer));
        }
    }
}

#[pymethods]
impl Answer {
    /// Takes the reply, as JSON text.
    fn reply(&self, text: String) {
        self.give(Ok(text));
    }

    /// Takes the name of the class of an exception that says nothing of itself.
    fn raised(&self, class: &str) {
        self.give(Err(host_failed(class)));
    }
}

#[async_trait]
impl Host for PythonHost {
    async fn call(&self, ctx: ffi::CallContext, request: Request) -> Result<Reply> {
        let request = request.to_json()?;
        let (sender, receiver) = oneshot::channel();
        let answer = Answer(Mutex::new(Some(sender)));
        attach(|py| self.home.soon(py, (&self.dispatch, CallContext::new(ctx), request, answer)).map_err(raised))
            .unwrap_or_else(|| Err(host_failed("SystemExit")))?;
        let text = receiver.await.map_err(|_| host_failed("an exception"))??;
        Reply::from_json(&text)
    }
}

fn raised(error: PyErr) -> Error {
    let class = attach(|py| error.get_type(py).name().map(|name| name.to_string()));
    host_failed(class.and_then(PyResult::ok).as_deref().unwrap_or("an exception"))
}

impl fmt::Debug for PythonHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PythonHost")
    }
}

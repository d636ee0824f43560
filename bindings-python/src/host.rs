use std::fmt;

use async_trait::async_trait;
use pyo3::{Py, PyAny, PyErr, Python, types::PyAnyMethods as _, types::PyTypeMethods as _};
use pyo3_async_runtimes::{TaskLocals, into_future_with_locals};
use stackwright::{
    Error, Result,
    ffi::{Host, Reply, Request, host_failed},
};

use crate::context::CallContext;

/// The coroutine function that performs calls, and the event loop that it belongs to.
pub(crate) struct PythonHost {
    dispatch: Py<PyAny>,
    // The engine calls from tasks of its own, which know no event loop.
    locals: TaskLocals,
}

impl PythonHost {
    pub(crate) fn new(dispatch: Py<PyAny>, locals: TaskLocals) -> Self {
        Self { dispatch, locals }
    }
}

#[async_trait]
impl Host for PythonHost {
    async fn call(&self, ctx: stackwright::ffi::CallContext, request: Request) -> Result<Reply> {
        let request = request.to_json()?;
        let coroutine = Python::attach(|py| {
            let coroutine = self.dispatch.bind(py).call1((CallContext::new(ctx), request))?;
            into_future_with_locals(&self.locals, coroutine)
        });
        let answer = coroutine.map_err(raised)?.await.map_err(raised)?;
        let text: String = Python::attach(|py| answer.extract(py)).map_err(raised)?;
        Reply::from_json(&text)
    }
}

fn raised(error: PyErr) -> Error {
    Python::attach(|py| match error.get_type(py).name() {
        Ok(name) => host_failed(&name.to_string()),
        Err(_) => host_failed("an exception"),
    })
}

impl fmt::Debug for PythonHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PythonHost")
    }
}

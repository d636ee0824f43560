use std::{io, sync::LazyLock};

use pyo3::{
    Bound, IntoPyObject, IntoPyObjectExt as _, Py, PyAny, PyResult, Python,
    call::PyCallArgs,
    exceptions::PyRuntimeError,
    pyfunction,
    types::{PyAnyMethods as _, PyDict, PyDictMethods as _},
    wrap_pyfunction,
};
use tokio::runtime::{Builder, Runtime};

use crate::door::attach;

/// The engine's threads. One set for the process: none of them belongs to an event loop.
static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| Builder::new_multi_thread().enable_all().build());

/// Returns the engine's threads.
pub(crate) fn runtime() -> PyResult<&'static Runtime> {
    RUNTIME.as_ref().map_err(|error| PyRuntimeError::new_err(format!("the engine's threads did not start: {error}")))
}

/// An event loop and the context variables of the task that was found on it.
pub(crate) struct EventLoop {
    event_loop: Py<PyAny>,
    context: Py<PyAny>,
}

impl EventLoop {
    /// Returns the loop that runs on this thread.
    pub(crate) fn running(py: Python<'_>) -> PyResult<Self> {
        Ok(Self {
            event_loop: py.import("asyncio")?.call_method0("get_running_loop")?.unbind(),
            context: py.import("contextvars")?.call_method0("copy_context")?.unbind(),
        })
    }

    /// Lets the loop call a function soon: `call` is the function and its arguments. Works from any thread.
    ///
    /// It is an error when the loop is closed.
    pub(crate) fn soon<'py>(&self, py: Python<'py>, call: impl PyCallArgs<'py>) -> PyResult<()> {
        let keywords = PyDict::new(py);
        keywords.set_item("context", &self.context)?;
        self.event_loop.bind(py).call_method("call_soon_threadsafe", call, Some(&keywords))?;
        Ok(())
    }
}

/// Returns an awaitable for what comes of a future, which runs to its end on the engine's threads, awaited or not.
pub(crate) fn awaitable<'py, T>(
    py: Python<'py>,
    future: impl Future<Output = T> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>>
where
    T: for<'a> IntoPyObject<'a> + Send + 'static,
{
    let home = EventLoop::running(py)?;
    let promise = home.event_loop.bind(py).call_method0("create_future")?;
    let kept = promise.clone().unbind();
    let runtime = runtime()?;
    runtime.spawn(async move {
        let result = runtime.spawn(future).await;
        let settled = attach(|py| -> PyResult<()> {
            let (method, value) = match result {
                Ok(value) => ("set_result", value.into_py_any(py)?),
                Err(_) => ("set_exception", PyRuntimeError::new_err("the engine panicked").into_value(py).into_any()),
            };
            home.soon(py, (wrap_pyfunction!(settle, py)?, kept, method, value))
        });
        // Where the loop is closed, or the interpreter about to end, nobody waits any more.
        drop(settled);
    });
    Ok(promise)
}

/// Settles a future of asyncio's, unless whoever awaited it cancelled it.
#[pyfunction]
fn settle(promise: &Bound<'_, PyAny>, method: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if !promise.call_method0("done")?.extract::<bool>()? {
        promise.call_method1(method, (value,))?;
    }
    Ok(())
}

use std::{os::fd::RawFd, sync::Arc};

use pyo3::{
    Py, PyAny, PyErr, PyResult, Python,
    exceptions::{PyOSError, PyRuntimeError, PySystemExit},
    pyclass, pymethods,
    types::PyTypeMethods as _,
};
use stackwright_bridge::{Client, Letter};

use crate::{
    bell::{Ear, doorbell},
    cipher::PythonCipher,
    context::CallContext,
    door::attach,
};

/// What a letter is, as Python sees it.
const SETTLED: u8 = 0;
const CALL: u8 = 1;
const DROPPED: u8 = 2;
const STORE: u8 = 3;

/// An engine with its threads and its mailbox.
///
/// Threads do not survive a fork: in the child nothing of it may be used, and nothing of it is dropped.
#[pyclass(frozen)]
pub(crate) struct Engine {
    process: u32,
    client: Arc<Client>,
    ear: Ear,
}

#[pymethods]
impl Engine {
    /// Starts the threads. `compute` computes functions: it takes a name and arguments as JSON text, and returns an
    /// envelope. `seal` and `unseal` are a cipher's: they take where a value stands (six texts), that as bytes, and bytes;
    /// `unseal` takes the name of a key before the last. They return what they made, or the envelope of what went wrong.
    #[new]
    #[pyo3(signature = (compute, seal = None, unseal = None))]
    fn new(compute: Py<PyAny>, seal: Option<Py<PyAny>>, unseal: Option<Py<PyAny>>) -> PyResult<Self> {
        let (bell, ear) = doorbell().map_err(|error| PyOSError::new_err(error.to_string()))?;
        let compute = move |name: &str, arguments: &str| {
            attach(|py| -> PyResult<String> { compute.call1(py, (name, arguments))?.extract(py) })
                .unwrap_or_else(|| Err(PyErr::new::<PySystemExit, _>(())))
                .map_err(|error| class(&error))
        };
        let client = Client::new(bell, compute).map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        let client = match (seal, unseal) {
            (Some(seal), Some(unseal)) => client.with_cipher(PythonCipher::new(seal, unseal)),
            _ => client,
        };
        Ok(Self { process: std::process::id(), client: Arc::new(client), ear })
    }

    /// What becomes readable when there is something to take.
    fn fileno(&self) -> RawFd {
        self.ear.fileno()
    }

    /// Everything that came in: kind (0 settled, 1 call, 2 dropped, 3 a store's call), number, text, context.
    fn take(&self) -> Vec<(u8, u64, Option<String>, Option<CallContext>)> {
        let letter = |letter| match letter {
            Letter::Settled { promise, text } => (SETTLED, promise, Some(text), None),
            Letter::Call { number, ctx, request } => {
                (CALL, number, Some(request), Some(CallContext::new(self.client.live(ctx))))
            }
            Letter::Store { number, request } => (STORE, number, Some(request), None),
            Letter::Dropped { number } => (DROPPED, number, None, None),
        };
        self.ear.hear();
        self.client.take().into_iter().map(letter).collect()
    }

    /// Opens the store and builds the engine. The promise is settled with the envelope of null.
    fn open(&self, promise: u64, query: String) {
        self.client.open(promise, query);
    }

    /// Answers a `stackwright::ffi::Ask`. The promise is settled with an envelope.
    fn ask(&self, promise: u64, text: String) {
        self.client.ask(promise, text);
    }

    /// Answers a `stackwright::ffi::Tell` with an envelope.
    fn tell(&self, py: Python<'_>, text: &str) -> String {
        py.detach(|| self.client.tell(text))
    }

    /// Takes the replies of calls: number and JSON text. Works from any thread.
    fn reply(&self, number: u64, text: String) {
        self.client.reply(number, text);
    }

    /// Takes the name of the class of an exception that ended a call. Works from any thread.
    fn raised(&self, number: u64, class: &str) {
        self.client.raised(number, class);
    }

    /// Ends the threads. What still runs is dropped, as if the process had died.
    fn close(&self, py: Python<'_>) {
        if std::process::id() == self.process {
            py.detach(|| self.client.close());
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if std::process::id() != self.process {
            // Kept for ever: a store that is dropped waits for threads that are not there.
            std::mem::forget(Arc::clone(&self.client));
        }
    }
}

/// Returns the name of the class of an exception.
pub(crate) fn class(error: &PyErr) -> String {
    let name = attach(|py: Python<'_>| error.get_type(py).name().map(|name| name.to_string()));
    name.and_then(PyResult::ok).unwrap_or_else(|| "an exception".to_owned())
}

use pyo3::{
    FromPyObject, Py, PyAny, PyErr, PyResult, Python, exceptions::PySystemExit, pybacked::PyBackedBytes, types::PyBytes,
};
use stackwright_bridge::{Answer, Place, RemoteCipher};

use crate::{door::attach, engine::class};

/// A cipher of a program in Python, called on the engine's threads.
pub(crate) struct PythonCipher {
    seal: Py<PyAny>,
    unseal: Py<PyAny>,
}

/// What a cipher made, or the envelope of what went wrong.
#[derive(FromPyObject)]
enum Made<T> {
    Done(T),
    Failed(String),
}

impl PythonCipher {
    pub(crate) fn new(seal: Py<PyAny>, unseal: Py<PyAny>) -> Self {
        Self { seal, unseal }
    }
}

impl RemoteCipher for PythonCipher {
    fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Answer<(String, Vec<u8>)> {
        let made = within(|py| {
            let arguments = (texts(place), PyBytes::new(py, &place.to_bytes()), PyBytes::new(py, plain));
            self.seal.call1(py, arguments)?.extract::<Made<(String, PyBackedBytes)>>(py)
        });
        answer(made, |(key, bytes)| (key, bytes.to_vec()))
    }

    fn open(&self, place: &Place<'_>, key: &str, sealed: &[u8]) -> Answer<Vec<u8>> {
        let made = within(|py| {
            let arguments = (texts(place), PyBytes::new(py, &place.to_bytes()), key, PyBytes::new(py, sealed));
            self.unseal.call1(py, arguments)?.extract::<Made<PyBackedBytes>>(py)
        });
        answer(made, |bytes| bytes.to_vec())
    }
}

fn texts<'a>(place: &Place<'a>) -> (&'a str, &'a str, &'a str, &'a str, &'a str, &'a str) {
    (&place.stack.tenant, &place.stack.name, place.kind, place.id, place.field, place.path)
}

fn within<T>(code: impl FnOnce(Python<'_>) -> PyResult<T>) -> PyResult<T> {
    attach(code).unwrap_or_else(|| Err(PyErr::new::<PySystemExit, _>(())))
}

fn answer<T, U>(made: PyResult<Made<T>>, done: impl FnOnce(T) -> U) -> Answer<U> {
    match made {
        Ok(Made::Done(value)) => Answer::Done(done(value)),
        Ok(Made::Failed(envelope)) => Answer::Failed(envelope),
        Err(error) => Answer::Raised(class(&error)),
    }
}

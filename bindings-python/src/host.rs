use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use pyo3::{Py, PyAny, PyErr, PyResult, Python, types::PyTypeMethods as _};
use serde::Deserialize;
use serde_json::Value as Json;
use stackwright::{
    Error, Result,
    ffi::{self, Failure, FunctionCall, Host, Reply, Request, host_failed},
};
use tokio::sync::oneshot;

use crate::{
    door::attach,
    mailbox::{Letter, Mailbox},
};

/// The types of a program in Python: calls become letters, answers come back by number.
pub(crate) struct PythonHost {
    mailbox: Arc<Mailbox>,
    calls: Mutex<Calls>,
    compute: Py<PyAny>,
}

#[derive(Default)]
struct Calls {
    last: u64,
    waiting: HashMap<u64, oneshot::Sender<Result<String>>>,
}

impl PythonHost {
    /// `compute` takes the name of a function and its arguments as JSON text, and returns an envelope as JSON text.
    pub(crate) fn new(mailbox: Arc<Mailbox>, compute: Py<PyAny>) -> Self {
        Self { mailbox, calls: Mutex::default(), compute }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the reply of a call, as JSON text.
    pub(crate) fn reply(&self, number: u64, text: String) {
        self.give(number, Ok(text));
    }

    /// Takes the name of the class of an exception that says nothing of itself.
    pub(crate) fn raised(&self, number: u64, class: &str) {
        self.give(number, Err(host_failed(class)));
    }

    fn give(&self, number: u64, answer: Result<String>) {
        let waiting = self.calls().waiting.remove(&number);
        if let Some(sender) = waiting {
            // Where nobody waits any more, nobody is interested.
            drop(sender.send(answer));
        }
    }
}

/// Tells the other side when the engine stops waiting.
struct Waiting<'a> {
    host: &'a PythonHost,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.host.calls().waiting.remove(&self.number).is_some() {
            self.host.mailbox.post(Letter::Dropped { number: self.number });
        }
    }
}

#[async_trait]
impl Host for PythonHost {
    async fn call(&self, ctx: ffi::CallContext, request: Request) -> Result<Reply> {
        let request = request.to_exact_json()?;
        let (sender, receiver) = oneshot::channel();
        let number = {
            let mut calls = self.calls();
            calls.last += 1;
            let number = calls.last;
            calls.waiting.insert(number, sender);
            number
        };
        let _waiting = Waiting { host: self, number };
        self.mailbox.post(Letter::Call { number, ctx, request });
        let text = receiver.await.map_err(|_| host_failed("an exception"))??;
        Reply::from_json(&text)
    }

    fn compute(&self, call: &FunctionCall) -> Result<Json> {
        let name = format!("{}::{}", call.provider, call.name);
        let arguments = Json::from(call.arguments.clone()).to_string();
        let text = attach(|py| -> PyResult<String> { self.compute.call1(py, (name, arguments))?.extract(py) })
            .unwrap_or_else(|| Err(PyErr::new::<pyo3::exceptions::PySystemExit, _>(())));
        unwrap(&text.map_err(|error| host_failed(&class(&error)))?)
    }
}

/// Reads an envelope.
fn unwrap(text: &str) -> Result<Json> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Envelope {
        Ok(Json),
        Error(Failure),
    }
    match serde_json::from_str(text) {
        Ok(Envelope::Ok(value)) => Ok(value),
        Ok(Envelope::Error(failure)) => Err(failure.into()),
        Err(_) => Err(Error::bug("an envelope has another shape")),
    }
}

fn class(error: &PyErr) -> String {
    let name = attach(|py: Python<'_>| error.get_type(py).name().map(|name| name.to_string()));
    name.and_then(PyResult::ok).unwrap_or_else(|| "an exception".to_owned())
}

impl fmt::Debug for PythonHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PythonHost")
    }
}

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value as Json;
use stackwright::{
    Error, Result,
    ffi::{CallContext, Failure, FunctionCall, Host, Reply, Request, host_failed},
};
use tokio::sync::oneshot;

use crate::mailbox::{Letter, Mailbox};

/// Computes a function of templates: the name and the arguments as JSON text come in, an envelope goes out. The error is the
/// name of the class of what was raised.
pub(crate) type Compute = Box<dyn Fn(&str, &str) -> Result<String, String> + Send + Sync>;

/// The types of a program in another language: calls become letters, answers come back by number.
pub(crate) struct RemoteHost {
    mailbox: Arc<Mailbox>,
    calls: Mutex<Calls>,
    compute: Compute,
}

#[derive(Default)]
struct Calls {
    last: u64,
    waiting: HashMap<u64, oneshot::Sender<Result<String>>>,
}

impl RemoteHost {
    pub(crate) fn new(mailbox: Arc<Mailbox>, compute: Compute) -> Self {
        Self { mailbox, calls: Mutex::default(), compute }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the answer of a call. Where nobody waits any more, nobody is interested.
    pub(crate) fn give(&self, number: u64, answer: Result<String>) {
        let waiting = self.calls().waiting.remove(&number);
        if let Some(sender) = waiting {
            drop(sender.send(answer));
        }
    }
}

/// Tells the other side when the engine stops waiting.
struct Waiting<'a> {
    host: &'a RemoteHost,
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
impl Host for RemoteHost {
    async fn call(&self, ctx: CallContext, request: Request) -> Result<Reply> {
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
        unwrap(&(self.compute)(&name, &arguments).map_err(|class| host_failed(&class))?)
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

impl fmt::Debug for RemoteHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemoteHost")
    }
}

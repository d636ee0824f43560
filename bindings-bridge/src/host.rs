use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value as Json;
use stackwright::{
    Error, Result,
    ffi::{CallContext, Failure, FunctionCall, Host, Reply, Request, StoreRequest, host_failed},
    state::failure::unavailable,
};
use tokio::{sync::oneshot, time::timeout};

use crate::mailbox::{Letter, Mailbox};

/// Computes a function of templates: the name and the arguments as JSON text come in, an envelope goes out. The error is the
/// name of the class of what was raised.
pub(crate) type Compute = Box<dyn Fn(&str, &str) -> Result<String, String> + Send + Sync>;

/// The types of a program in another language: calls become letters, answers come back by number.
pub(crate) struct RemoteHost {
    mailbox: Arc<Mailbox>,
    calls: Mutex<Calls>,
    compute: Compute,
    /// How long a store may take for one call.
    pub(crate) patience: OnceLock<Duration>,
}

/// Where nobody says how long a store may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Calls {
    last: u64,
    waiting: HashMap<u64, oneshot::Sender<Result<String>>>,
}

impl RemoteHost {
    pub(crate) fn new(mailbox: Arc<Mailbox>, compute: Compute) -> Self {
        Self { mailbox, calls: Mutex::default(), compute, patience: OnceLock::new() }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a number, and what receives the answer that is given under it.
    fn wait(&self) -> (Waiting<'_>, oneshot::Receiver<Result<String>>) {
        let (sender, receiver) = oneshot::channel();
        let mut calls = self.calls();
        calls.last += 1;
        let number = calls.last;
        calls.waiting.insert(number, sender);
        (Waiting { host: self, number }, receiver)
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
        let (waiting, receiver) = self.wait();
        self.mailbox.post(Letter::Call { number: waiting.number, ctx, request });
        let text = receiver.await.map_err(|_| host_failed("an exception"))??;
        Reply::from_json(&text)
    }

    fn compute(&self, call: &FunctionCall) -> Result<Json> {
        let name = format!("{}::{}", call.provider, call.name);
        let arguments = Json::from(call.arguments.clone()).to_string();
        unwrap(&(self.compute)(&name, &arguments).map_err(|class| host_failed(&class))?)
    }

    async fn store(&self, request: StoreRequest) -> Result<Json> {
        let name = request.call.name();
        let text = serde_json::to_string(&request)
            .map_err(|error| Error::bug("a call of a store has no form in JSON").because(error))?;
        let (waiting, receiver) = self.wait();
        self.mailbox.post(Letter::Store { number: waiting.number, request: text });
        let patience = *self.patience.get().unwrap_or(&PATIENCE);
        let answer = timeout(patience, receiver)
            .await
            .map_err(|_| unavailable(format!("the store did not answer `{name}` within {patience:?}")))?;
        unwrap(&answer.map_err(|_| host_failed("an exception"))??)
    }
}

/// Reads an envelope.
pub(crate) fn unwrap(text: &str) -> Result<Json> {
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

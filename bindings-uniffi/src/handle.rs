use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use stackwright_bridge::{Bell, Client, LiveCall};

use crate::doorbell::Doorbell;

/// Computes functions of templates on a thread of the engine's, which waits.
#[uniffi::export(with_foreign)]
pub trait Compute: Send + Sync {
    /// Takes the name of a function and its arguments as JSON text, and returns an envelope. It must not throw.
    fn compute(&self, name: String, arguments: String) -> String;
}

/// The system gave no threads.
#[derive(Debug, uniffi::Error)]
pub enum NoThreads {
    /// Says why.
    Refused {
        /// What the system said.
        reason: String,
    },
}

impl fmt::Display for NoThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Refused { reason } = self;
        write!(f, "the engine's threads did not start: {reason}")
    }
}

impl std::error::Error for NoThreads {}

/// Something that came in.
#[derive(Debug, uniffi::Enum)]
pub enum Letter {
    /// A promise came true.
    Settled {
        /// Its number.
        promise: u64,
        /// What came of it: an envelope.
        text: String,
    },
    /// A call that is to be performed.
    Call {
        /// Its number, which the reply names.
        number: u64,
        /// A request as JSON text.
        request: String,
    },
    /// Nobody waits for the answer of a call any more.
    Dropped {
        /// Its number.
        number: u64,
    },
}

struct Rope(Arc<Doorbell>);

impl Bell for Rope {
    fn ring(&self) {
        self.0.ring();
    }
}

/// An engine with threads of its own.
#[derive(uniffi::Object)]
pub struct EngineHandle {
    client: Client,
    bell: Arc<Doorbell>,
    /// What is live about the calls that are under way, by number.
    live: Mutex<HashMap<u64, Arc<LiveCall>>>,
}

#[uniffi::export]
impl EngineHandle {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system gives none.
    #[uniffi::constructor]
    pub fn new(compute: Arc<dyn Compute>) -> Result<Arc<Self>, NoThreads> {
        let bell = Arc::new(Doorbell::default());
        let compute = move |name: &str, arguments: &str| Ok(compute.compute(name.to_owned(), arguments.to_owned()));
        let client = Client::new(Rope(Arc::clone(&bell)), compute)
            .map_err(|error| NoThreads::Refused { reason: error.to_string() })?;
        Ok(Arc::new(Self { client, bell, live: Mutex::default() }))
    }

    /// Waits until something comes in, and returns all of it in order; nothing once the engine is closed.
    pub fn listen(&self) -> Vec<Letter> {
        while self.bell.wait() {
            let letters = self.client.take();
            if !letters.is_empty() {
                return letters.into_iter().map(|letter| self.opened(letter)).collect();
            }
        }
        Vec::new()
    }

    /// Opens the store and builds the engine. The promise is settled with the envelope of null.
    pub fn open(&self, promise: u64, query: String) {
        self.client.open(promise, query);
    }

    /// Answers a `stackwright::ffi::Ask`. The promise is settled with an envelope.
    pub fn ask(&self, promise: u64, text: String) {
        self.client.ask(promise, text);
    }

    /// Answers a `stackwright::ffi::Tell` with an envelope.
    pub fn tell(&self, text: String) -> String {
        self.client.tell(&text)
    }

    /// Takes the reply of a call, as JSON text.
    pub fn reply(&self, number: u64, text: String) {
        self.live().remove(&number);
        self.client.reply(number, text);
    }

    /// Takes the name of the class of what was thrown and says nothing of itself.
    pub fn raised(&self, number: u64, class: String) {
        self.live().remove(&number);
        self.client.raised(number, &class);
    }

    /// Makes the remote id of a call durable. The promise is settled with an envelope.
    ///
    /// Returns whether the call is under way; otherwise the promise is not settled.
    pub fn checkpoint(&self, number: u64, promise: u64, id: String, partial: Option<String>) -> bool {
        let call = self.call(number);
        call.inspect(|call| call.checkpoint(promise, id, partial)).is_some()
    }

    /// Tells observers how far a call is.
    pub fn progress(&self, number: u64, message: String) {
        if let Some(call) = self.call(number) {
            call.progress(&message);
        }
    }

    /// Whether the caller wants a call to end soon.
    pub fn is_cancelled(&self, number: u64) -> bool {
        self.call(number).is_some_and(|call| call.is_cancelled())
    }

    /// Settles the promise with the envelope of whether the caller wants a call to end soon, once that or its end is so.
    ///
    /// Returns whether the call is under way; otherwise the promise is not settled.
    pub fn cancelled(&self, number: u64, promise: u64) -> bool {
        self.call(number).inspect(|call| call.cancelled(promise)).is_some()
    }

    /// Settles the promise with the envelope of the name of one of the engine's threads.
    pub fn thread(&self, promise: u64) {
        self.client.thread(promise);
    }

    /// Ends the threads. What still runs is dropped, as if the process had died.
    pub fn shut(&self) {
        self.client.close();
        self.bell.close();
    }
}

impl EngineHandle {
    fn opened(&self, letter: stackwright_bridge::Letter) -> Letter {
        match letter {
            stackwright_bridge::Letter::Settled { promise, text } => Letter::Settled { promise, text },
            stackwright_bridge::Letter::Call { number, ctx, request } => {
                self.live().insert(number, Arc::new(self.client.live(ctx)));
                Letter::Call { number, request }
            }
            stackwright_bridge::Letter::Store { number, .. } => {
                // No engine is opened with one.
                self.client.raised(number, "NoStores");
                Letter::Dropped { number }
            }
            stackwright_bridge::Letter::Dropped { number } => {
                self.live().remove(&number);
                Letter::Dropped { number }
            }
        }
    }

    fn call(&self, number: u64) -> Option<Arc<LiveCall>> {
        self.live().get(&number).cloned()
    }

    fn live(&self) -> MutexGuard<'_, HashMap<u64, Arc<LiveCall>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for EngineHandle {
    fn drop(&mut self) {
        self.shut();
    }
}

impl fmt::Debug for EngineHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineHandle").field("client", &self.client).finish_non_exhaustive()
    }
}

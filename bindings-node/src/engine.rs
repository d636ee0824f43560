use std::sync::mpsc;

use napi::{
    Status,
    bindgen_prelude::FnArgs,
    threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode},
};
use napi_derive::napi;
use stackwright_bridge::{Bell, Client, LiveCall};

/// What wakes the JavaScript thread. It does not keep Node alive by itself: the package does, while it awaits something.
type Wake = ThreadsafeFunction<(), (), (), Status, false, true>;
/// Computes a function of templates on the JavaScript thread, while a thread of the engine waits.
type Compute = ThreadsafeFunction<FnArgs<(String, String)>, String, FnArgs<(String, String)>, Status, false, true>;

const SETTLED: u32 = 0;
const CALL: u32 = 1;
const DROPPED: u32 = 2;

struct Waker(Wake);

impl Bell for Waker {
    fn ring(&self) {
        // Refused only while Node ends, when nobody takes letters any more.
        self.0.call((), ThreadsafeFunctionCallMode::NonBlocking);
    }
}

/// Something that came in.
#[napi(object, object_from_js = false)]
pub struct Letter {
    /// 0: a promise was settled. 1: a call. 2: nobody waits for a call any more.
    pub kind: u32,
    /// The number of the promise or the call.
    pub number: f64,
    /// The envelope or the request.
    pub text: Option<String>,
    /// What is live about a call.
    pub context: Option<CallContext>,
}

/// An engine with threads of its own.
#[napi]
pub struct Engine {
    client: Client,
}

#[napi]
impl Engine {
    /// Starts the threads. `wake` has `take` be called; `compute` takes a function's name and arguments and returns an
    /// envelope.
    #[napi(constructor)]
    pub fn new(wake: Wake, compute: Compute) -> napi::Result<Self> {
        let compute = move |name: &str, arguments: &str| {
            let (sender, receiver) = mpsc::channel();
            let given = FnArgs::from((name.to_owned(), arguments.to_owned()));
            let status =
                compute.call_with_return_value(given, ThreadsafeFunctionCallMode::NonBlocking, move |answer, _| {
                    // The thread that asked waits; where it is gone, nobody is interested.
                    let _ = sender.send(answer);
                    Ok(())
                });
            if status != Status::Ok {
                return Err(status.as_ref().to_owned());
            }
            match receiver.recv() {
                Ok(Ok(text)) => Ok(text),
                Ok(Err(error)) => Err(error.status.as_ref().to_owned()),
                Err(_) => Err(Status::Closing.as_ref().to_owned()),
            }
        };
        let client = Client::new(Waker(wake), compute).map_err(|error| napi::Error::from_reason(error.to_string()))?;
        Ok(Self { client })
    }

    /// Everything that came in, in order.
    #[napi]
    pub fn take(&self) -> Vec<Letter> {
        let letter = |letter| match letter {
            stackwright_bridge::Letter::Settled { promise, text } => {
                Letter { kind: SETTLED, number: promise as f64, text: Some(text), context: None }
            }
            stackwright_bridge::Letter::Call { number, ctx, request } => Letter {
                kind: CALL,
                number: number as f64,
                text: Some(request),
                context: Some(CallContext { live: self.client.live(ctx) }),
            },
            stackwright_bridge::Letter::Store { number, .. } => {
                // No engine is opened with one.
                self.client.raised(number, "NoStores");
                Letter { kind: DROPPED, number: number as f64, text: None, context: None }
            }
            stackwright_bridge::Letter::Dropped { number } => {
                Letter { kind: DROPPED, number: number as f64, text: None, context: None }
            }
        };
        self.client.take().into_iter().map(letter).collect()
    }

    /// Opens the store and builds the engine. The promise is settled with the envelope of null.
    #[napi]
    pub fn open(&self, promise: f64, query: String) {
        self.client.open(promise as u64, query);
    }

    /// Answers a `stackwright::ffi::Ask`. The promise is settled with an envelope.
    #[napi]
    pub fn ask(&self, promise: f64, text: String) {
        self.client.ask(promise as u64, text);
    }

    /// Answers a `stackwright::ffi::Tell` with an envelope.
    #[napi]
    pub fn tell(&self, text: String) -> String {
        self.client.tell(&text)
    }

    /// Takes the reply of a call, as JSON text.
    #[napi]
    pub fn reply(&self, number: f64, text: String) {
        self.client.reply(number as u64, text);
    }

    /// Takes the name of the class of what was thrown and says nothing of itself.
    #[napi]
    pub fn raised(&self, number: f64, class: String) {
        self.client.raised(number as u64, &class);
    }

    /// Settles the promise with the envelope of the name of one of the engine's threads.
    #[napi]
    pub fn thread(&self, promise: f64) {
        self.client.thread(promise as u64);
    }

    /// Ends the threads. What still runs is dropped, as if the process had died.
    #[napi]
    pub fn close(&self) {
        self.client.close();
    }
}

/// Returns the name of the thread that calls.
#[napi]
pub fn current_thread() -> String {
    let thread = std::thread::current();
    format!("{} {:?}", thread.name().unwrap_or_default(), thread.id())
}

/// What is live about a call: the host can make facts durable, say how far it is, see that it should stop.
#[napi]
pub struct CallContext {
    live: LiveCall,
}

#[napi]
impl CallContext {
    /// Makes the remote id durable. The promise is settled with an envelope.
    #[napi]
    pub fn checkpoint(&self, promise: f64, id: String, partial: Option<String>) {
        self.live.checkpoint(promise as u64, id, partial);
    }

    /// Tells observers how far the call is.
    #[napi]
    pub fn progress(&self, message: String) {
        self.live.progress(&message);
    }

    /// Whether the caller wants the call to end soon.
    #[napi(getter)]
    pub fn is_cancelled(&self) -> bool {
        self.live.is_cancelled()
    }

    /// Settles the promise with the envelope of whether the caller wants the call to end soon, once that or its end is so.
    #[napi]
    pub fn cancelled(&self, promise: f64) {
        self.live.cancelled(promise as u64);
    }
}

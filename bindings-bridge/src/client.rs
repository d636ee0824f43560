use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use stackwright::{
    Error, ErrorKind, Result,
    ffi::{self, Document, Session, envelope, host_failed},
};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{
    cipher::RemoteCipher,
    host::RemoteHost,
    mailbox::{Bell, Letter, Mailbox},
    open::OpenQuery,
};

/// How many threads an engine has for itself. Its work is waiting; a store has threads of its own.
const THREAD_COUNT: usize = 2;

/// An engine with its threads and its mailbox.
///
/// Dropping it ends the threads without waiting for them: what runs is as if the process had died.
pub struct Client {
    runtime: Mutex<Option<Runtime>>,
    handle: Handle,
    mailbox: Arc<Mailbox>,
    host: Arc<RemoteHost>,
    session: Arc<OnceLock<Session>>,
    cipher: Option<Arc<dyn RemoteCipher>>,
}

impl Client {
    /// Starts the threads.
    ///
    /// `compute` computes functions of templates, on a thread of the engine's: a name and arguments as JSON text come in, an
    /// envelope goes out, or the name of the class of what was raised.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn new(
        bell: impl Bell,
        compute: impl Fn(&str, &str) -> Result<String, String> + Send + Sync + 'static,
    ) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREAD_COUNT)
            .thread_name("stackwright")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Unavailable, "host.failed", "the engine's threads did not start").because(error)
            })?;
        let mailbox = Arc::new(Mailbox::new(bell));
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            host: Arc::new(RemoteHost::new(Arc::clone(&mailbox), Box::new(compute))),
            mailbox,
            session: Arc::default(),
            cipher: None,
        })
    }

    /// Adds what seals where an engine is opened with a cipher of the host's.
    #[must_use]
    pub fn with_cipher(self, cipher: impl RemoteCipher) -> Self {
        let mut client = self;
        client.cipher = Some(Arc::new(cipher));
        client
    }

    /// Returns everything that came in, in order.
    pub fn take(&self) -> Vec<Letter> {
        self.mailbox.take()
    }

    /// Opens the store and builds the engine. The promise is settled with the envelope of null.
    pub fn open(&self, promise: u64, query: String) {
        let (session, host, cipher) = (Arc::clone(&self.session), Arc::clone(&self.host), self.cipher.clone());
        self.settle(promise, async move {
            let opened = async { OpenQuery::from_json(&query)?.open(&host, cipher).await };
            envelope(opened.await.map(|opened| {
                // Opened once only, by the package.
                let _ = session.set(opened);
            }))
        });
    }

    /// Answers a [`ffi::Ask`]. The promise is settled with an envelope.
    pub fn ask(&self, promise: u64, text: String) {
        let session = Arc::clone(&self.session);
        self.settle(promise, async move {
            match session.get() {
                Some(session) => session.ask(&text).await,
                None => envelope::<()>(Err(closed())),
            }
        });
    }

    /// Answers a [`ffi::Tell`] with an envelope, at once.
    pub fn tell(&self, text: &str) -> String {
        match self.session.get() {
            Some(session) => session.tell(text),
            None => envelope::<()>(Err(closed())),
        }
    }

    /// Takes the reply of a call: a [`ffi::Reply`] as JSON text, or an envelope where a store was asked.
    pub fn reply(&self, number: u64, text: String) {
        self.host.give(number, Ok(text));
    }

    /// Takes the name of the class of what ended a call without saying anything of its effect.
    pub fn raised(&self, number: u64, class: &str) {
        self.host.give(number, Err(host_failed(class)));
    }

    /// Returns what a bridge hands to the language for a call.
    pub fn live(&self, ctx: ffi::CallContext) -> LiveCall {
        LiveCall { ctx, mailbox: Arc::clone(&self.mailbox), handle: self.handle.clone() }
    }

    /// Settles a promise with the name of the engine's thread that does so; for tests of who runs where.
    pub fn thread(&self, promise: u64) {
        self.settle(promise, async {
            let thread = std::thread::current();
            envelope(Ok(format!("{} {:?}", thread.name().unwrap_or_default(), thread.id())))
        });
    }

    /// Ends the threads. What still runs is dropped, as if the process had died.
    pub fn close(&self) {
        if let Some(runtime) = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take() {
            runtime.shutdown_background();
        }
    }

    fn settle(&self, promise: u64, answer: impl Future<Output = String> + Send + 'static) {
        settle(&self.handle, &self.mailbox, promise, answer);
    }
}

fn settle(
    handle: &Handle,
    mailbox: &Arc<Mailbox>,
    promise: u64,
    answer: impl Future<Output = String> + Send + 'static,
) {
    let (mailbox, inner) = (Arc::clone(mailbox), handle.clone());
    drop(handle.spawn(async move {
        // On a task of its own, so that a panic settles the promise too.
        let text = inner
            .spawn(answer)
            .await
            .unwrap_or_else(|error| envelope::<()>(Err(Error::bug("the engine panicked").because(error))));
        mailbox.post(Letter::Settled { promise, text });
    }));
}

fn closed() -> Error {
    Error::new(ErrorKind::Unsupported, "host.closed", "the engine is not open")
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("is_open", &self.session.get().is_some()).finish_non_exhaustive()
    }
}

/// What is live about a call: the host can make facts durable, say how far it is, see that it should stop.
pub struct LiveCall {
    ctx: ffi::CallContext,
    mailbox: Arc<Mailbox>,
    handle: Handle,
}

impl fmt::Debug for LiveCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ctx.fmt(f)
    }
}

impl LiveCall {
    /// Makes the remote id durable. The promise is settled with an envelope. `partial` is a [`Document`] as JSON text.
    pub fn checkpoint(&self, promise: u64, id: String, partial: Option<String>) {
        let ctx = self.ctx.clone();
        settle(&self.handle, &self.mailbox, promise, async move { envelope(checkpoint(ctx, id, partial).await) });
    }

    /// Makes the remote id durable, and blocks until it is. Returns an envelope. Not for the engine's threads.
    pub fn checkpoint_blocking(&self, id: String, partial: Option<String>) -> String {
        envelope(self.handle.block_on(checkpoint(self.ctx.clone(), id, partial)))
    }

    /// Tells observers how far the call is.
    pub fn progress(&self, message: &str) {
        self.ctx.progress(message);
    }

    /// Returns whether the caller wants the call to end soon.
    pub fn is_cancelled(&self) -> bool {
        self.ctx.is_cancelled()
    }

    /// Settles the promise with the envelope of whether the caller wants the call to end soon, once that or its end is so.
    pub fn cancelled(&self, promise: u64) {
        let ctx = self.ctx.clone();
        settle(&self.handle, &self.mailbox, promise, async move { envelope(Ok(ctx.cancelled().await)) });
    }
}

async fn checkpoint(ctx: ffi::CallContext, id: String, partial: Option<String>) -> Result<()> {
    let partial = partial.as_deref().map(Document::from_json).transpose()?;
    ctx.checkpoint(&id, partial.as_ref()).await
}

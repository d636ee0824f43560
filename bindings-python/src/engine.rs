use std::{
    os::fd::RawFd,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use pyo3::{
    Py, PyAny, PyResult, Python,
    exceptions::{PyOSError, PyRuntimeError},
    pyclass, pymethods,
};
use stackwright::{
    Error,
    ffi::{Host, Session, envelope},
};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{
    context::CallContext,
    host::PythonHost,
    mailbox::{Letter, Mailbox},
    store::OpenQuery,
};

/// How many threads an engine has for itself. Its work is waiting; a store has threads of its own.
const THREAD_COUNT: usize = 2;

/// What a letter is, as Python sees it.
const SETTLED: u8 = 0;
const CALL: u8 = 1;
const DROPPED: u8 = 2;

/// An engine with its threads and its mailbox.
///
/// Threads do not survive a fork: in the child nothing of it may be used, and nothing of it is dropped.
#[pyclass(frozen)]
pub(crate) struct Engine {
    process: u32,
    parts: Arc<Parts>,
}

struct Parts {
    runtime: Mutex<Option<Runtime>>,
    handle: Handle,
    mailbox: Arc<Mailbox>,
    host: Arc<PythonHost>,
    session: Arc<OnceLock<Session>>,
}

impl Engine {
    fn session(&self) -> stackwright::Result<&Session> {
        self.parts.session.get().ok_or_else(|| Error::bug("the engine is not open"))
    }

    /// Settles a promise with an envelope, from the engine's threads.
    fn settle(&self, promise: u64, answer: impl Future<Output = String> + Send + 'static) {
        let mailbox = Arc::clone(&self.parts.mailbox);
        let handle = self.parts.handle.clone();
        drop(self.parts.handle.spawn(async move {
            // On a task of its own, so that a panic settles the promise too.
            let text = handle
                .spawn(answer)
                .await
                .unwrap_or_else(|error| envelope::<()>(Err(Error::bug("the engine panicked").because(error))));
            mailbox.post(Letter::Settled { promise, text });
        }));
    }
}

#[pymethods]
impl Engine {
    /// Starts the threads. `compute` computes functions: it takes a name and arguments as JSON text, and returns an
    /// envelope.
    #[new]
    fn new(compute: Py<PyAny>) -> PyResult<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREAD_COUNT)
            .thread_name("stackwright")
            .enable_all()
            .build()
            .map_err(|error| PyRuntimeError::new_err(format!("the engine's threads did not start: {error}")))?;
        let mailbox = Arc::new(Mailbox::new().map_err(|error| PyOSError::new_err(error.to_string()))?);
        let parts = Parts {
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            host: Arc::new(PythonHost::new(Arc::clone(&mailbox), compute)),
            mailbox,
            session: Arc::default(),
        };
        Ok(Self { process: std::process::id(), parts: Arc::new(parts) })
    }

    /// What becomes readable when there is something to take.
    fn fileno(&self) -> RawFd {
        self.parts.mailbox.fileno()
    }

    /// Everything that came in: kind (0 settled, 1 call, 2 dropped), number, text, context.
    fn take(&self) -> Vec<(u8, u64, Option<String>, Option<CallContext>)> {
        let letter = |letter| match letter {
            Letter::Settled { promise, text } => (SETTLED, promise, Some(text), None),
            Letter::Call { number, ctx, request } => {
                let ctx = CallContext::new(ctx, Arc::clone(&self.parts.mailbox), self.parts.handle.clone());
                (CALL, number, Some(request), Some(ctx))
            }
            Letter::Dropped { number } => (DROPPED, number, None, None),
        };
        self.parts.mailbox.take().into_iter().map(letter).collect()
    }

    /// Opens the store and builds the engine. The promise is settled with the envelope of null.
    fn open(&self, promise: u64, query: String) {
        let (session, host) = (Arc::clone(&self.parts.session), Arc::clone(&self.parts.host) as Arc<dyn Host>);
        self.settle(promise, async move {
            let opened = async { OpenQuery::from_json(&query)?.open(&host).await };
            envelope(opened.await.map(|opened| {
                // Opened once only, by the package.
                let _ = session.set(opened);
            }))
        });
    }

    /// Answers a `stackwright::ffi::Ask`. The promise is settled with an envelope.
    fn ask(&self, promise: u64, text: String) {
        let session = Arc::clone(&self.parts.session);
        self.settle(promise, async move {
            match session.get() {
                Some(session) => session.ask(&text).await,
                None => envelope::<()>(Err(Error::bug("the engine is not open"))),
            }
        });
    }

    /// Answers a `stackwright::ffi::Tell` with an envelope.
    fn tell(&self, py: Python<'_>, text: &str) -> String {
        py.detach(|| match self.session() {
            Ok(session) => session.tell(text),
            Err(error) => envelope::<()>(Err(error)),
        })
    }

    /// Takes the replies of calls: number and JSON text. Works from any thread.
    fn reply(&self, number: u64, text: String) {
        self.parts.host.reply(number, text);
    }

    /// Takes the name of the class of an exception that ended a call. Works from any thread.
    fn raised(&self, number: u64, class: &str) {
        self.parts.host.raised(number, class);
    }

    /// Ends the threads. What still runs is dropped, as if the process had died.
    fn close(&self, py: Python<'_>) {
        if std::process::id() == self.process {
            let runtime = self.parts.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
            py.detach(|| runtime.map(Runtime::shutdown_background));
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if std::process::id() != self.process {
            // Kept for ever: a store that is dropped waits for threads that are not there.
            std::mem::forget(Arc::clone(&self.parts));
            return;
        }
        if let Some(runtime) = self.parts.runtime.lock().unwrap_or_else(PoisonError::into_inner).take() {
            runtime.shutdown_background();
        }
    }
}

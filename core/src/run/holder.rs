use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{runtime::Handle, sync::RwLock, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{Calls, bounds::Bounds};
use crate::{
    address::Address,
    error::{Diagnostic, Error, ErrorKind, Result},
    event::{Bus, Clock, Event, Timestamp},
    plan::{Ask, Request},
    resource::{CallInfo, Context, EphemeralResource, Traits},
    value::Value,
};

/// How long giving something back may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(120);

/// What a [`Holder`] works with.
pub(crate) struct HolderParts {
    /// Finds ephemeral resource types.
    pub(crate) calls: Arc<dyn Calls>,
    /// Where time comes from.
    pub(crate) clock: Arc<dyn Clock>,
    /// Where events go.
    pub(crate) bus: Option<Bus>,
    /// What all calls have in common: stack, tenant, tags, order line.
    pub(crate) info: CallInfo,
    /// How long a call that was told to end may go on before it is dropped.
    pub(crate) grace: Duration,
    /// Tells opening and renewing to end soon.
    pub(crate) stop: CancellationToken,
    /// Cancelled when nothing is waited for.
    pub(crate) hurry: CancellationToken,
    /// Told what could not be renewed.
    pub(crate) lapsed: Box<dyn Fn(&Address) + Send + Sync>,
}

/// Keeps ephemeral resources open: opens them, renews them in time, and closes them, the last one first.
///
/// What it opened is closed whatever happens to who asked: dropping the future of [`Holder::open`] or the holder itself
/// closes it, too.
#[derive(Debug)]
pub(crate) struct Holder {
    inner: Arc<Inner>,
}

struct Inner {
    parts: HolderParts,
    /// In the order in which they were opened.
    held: Mutex<Vec<Held>>,
    /// Held for reading while something is opened.
    opening: Arc<RwLock<()>>,
    /// Closes one after the other, in the order in which that was asked for.
    closing: Mutex<Option<JoinHandle<()>>>,
    warnings: Mutex<Vec<Diagnostic>>,
    ended: CancellationToken,
}

/// One that is open.
struct Held {
    address: Address,
    call: Call,
    private: Arc<Mutex<Private>>,
    /// Ends renewing, which then is waited for.
    renewing: Option<(CancellationToken, JoinHandle<()>)>,
}

type Private = Option<Arc<[u8]>>;

/// What it takes to call a type about one resource.
#[derive(Clone)]
struct Call {
    resource: Arc<dyn EphemeralResource>,
    info: CallInfo,
}

impl Holder {
    pub(crate) fn new(parts: HolderParts) -> Self {
        Self {
            inner: Arc::new(Inner {
                parts,
                held: Mutex::default(),
                opening: Arc::default(),
                closing: Mutex::default(),
                warnings: Mutex::default(),
                ended: CancellationToken::new(),
            }),
        }
    }

    /// Opens an ephemeral resource, on a task of its own; returns what it holds.
    ///
    /// # Errors
    /// What the type says; `registry.unknown_type`; `resource.timeout`.
    pub(crate) fn open(&self, request: Request) -> impl Future<Output = Result<Value>> + Send + use<> {
        let inner = Arc::clone(&self.inner);
        let task = tokio::spawn(async move {
            let _opening = Arc::clone(&inner.opening).read_owned().await;
            inner.open(request).await
        });
        async move { task.await.unwrap_or_else(|error| Err(Error::bug("an opening ended early").because(error))) }
    }

    /// Closes some of those that are open, after all that were to be closed before.
    pub(crate) fn close(&self, addresses: Vec<Address>) {
        let inner = Arc::clone(&self.inner);
        let mut closing = lock(&self.inner.closing);
        let before = closing.take();
        *closing = Some(tokio::spawn(async move {
            if let Some(before) = before {
                // A panic there is no reason to keep these open.
                let _ = before.await;
            }
            inner.close(inner.take(|held| addresses.contains(&held.address))).await;
        }));
    }

    /// Closes everything, and opens nothing more; returns what went wrong since it was last asked.
    pub(crate) async fn close_all(&self) -> Vec<Diagnostic> {
        self.inner.close_all().await;
        std::mem::take(&mut *lock(&self.inner.warnings))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if !self.inner.ended.is_cancelled()
            && let Ok(runtime) = Handle::try_current()
        {
            let inner = Arc::clone(&self.inner);
            runtime.spawn(async move { inner.close_all().await });
        }
    }
}

impl Inner {
    async fn open(self: &Arc<Self>, request: Request) -> Result<Value> {
        let Ask::Open(config) = request.ask else { return Err(Error::bug("this is nothing to open")) };
        if self.ended.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "run.cancelled", "nothing is opened any more"));
        }
        let info = CallInfo {
            address: request.address.to_string().into(),
            type_name: Arc::clone(&request.type_name),
            provider_config: request.provider_config,
            attempt: 1,
            ..self.parts.info.clone()
        };
        let call = Call { resource: self.parts.calls.ephemeral(&request.type_name, &request.provider)?, info };
        let opened = self
            .call(
                &call,
                "open",
                Traits::default().call_timeout,
                self.parts.stop.child_token(),
                |resource, ctx| async move { resource.open(&ctx, config).await },
            )
            .await?;
        let private = Arc::new(Mutex::new(opened.private));
        let renewing = opened.renew_at.map(|at| {
            let end = CancellationToken::new();
            let task =
                Arc::clone(self).renew(request.address.clone(), call.clone(), Arc::clone(&private), at, end.clone());
            (end, tokio::spawn(task))
        });
        lock(&self.held).push(Held { address: request.address, call, private, renewing });
        Ok(opened.value)
    }

    /// Renews until it is told to end, or that fails.
    async fn renew(
        self: Arc<Self>,
        address: Address,
        call: Call,
        private: Arc<Mutex<Private>>,
        mut at: Timestamp,
        end: CancellationToken,
    ) {
        loop {
            tokio::select! {
                biased;
                () = end.cancelled() => return,
                () = self.parts.clock.sleep(pause(at.since(self.parts.clock.now()))) => {}
            }
            let known = lock(&private).clone();
            let renewed = self
                .call(
                    &call,
                    "renew",
                    Traits::default().call_timeout,
                    self.parts.stop.child_token(),
                    |resource, ctx| async move { resource.renew(&ctx, known).await },
                )
                .await;
            match renewed {
                Ok(renewed) => {
                    *lock(&private) = renewed.private;
                    let Some(next) = renewed.renew_at else { return };
                    at = next;
                }
                Err(error) => {
                    self.warn("ephemeral.renew_failed", &format!("`{address}` could not be renewed"), &address, &error);
                    (self.parts.lapsed)(&address);
                    return;
                }
            }
        }
    }

    async fn close(&self, list: Vec<Held>) {
        for held in list.into_iter().rev() {
            if let Some((end, renewing)) = held.renewing {
                end.cancel();
                // What it came to is in `private`.
                let _ = renewing.await;
            }
            let private = lock(&held.private).take();
            let closed = self
                .call(&held.call, "close", CLOSE_LIMIT, CancellationToken::new(), |resource, ctx| async move {
                    resource.close(&ctx, private).await
                })
                .await;
            if let Err(error) = closed {
                let address = &held.address;
                self.warn("ephemeral.close_failed", &format!("`{address}` could not be closed"), address, &error);
            }
        }
    }

    async fn close_all(&self) {
        self.ended.cancel();
        let _opening = self.opening.write().await;
        let before = lock(&self.closing).take();
        if let Some(before) = before {
            let _ = before.await;
        }
        self.close(self.take(|_| true)).await;
    }

    /// Takes those that fit out of what is open, in the order in which they were opened.
    fn take(&self, fits: impl Fn(&Held) -> bool) -> Vec<Held> {
        let mut held = lock(&self.held);
        let (taken, kept) = std::mem::take(&mut *held).into_iter().partition(fits);
        *held = kept;
        taken
    }

    /// Makes one call and tells observers of it.
    async fn call<T: Send + 'static, F: Future<Output = Result<T>> + Send + 'static>(
        &self,
        call: &Call,
        action: &str,
        limit: Duration,
        token: CancellationToken,
        make: impl FnOnce(Arc<dyn EphemeralResource>, Context) -> F,
    ) -> Result<T> {
        let clock = &self.parts.clock;
        let begun = clock.monotonic();
        let (address, action) = (call.info.address.to_string(), action.to_owned());
        self.tell(Event::EphemeralStarted { address: address.clone(), action: action.clone() });
        let bounds = Bounds {
            clock: Arc::clone(clock),
            limit,
            grace: self.parts.grace,
            token: token.clone(),
            hurry: self.parts.hurry.clone(),
        };
        let info = CallInfo { deadline: Some(clock.now().plus(limit)), ..call.info.clone() };
        let context = Context::new(info, Arc::clone(clock), token);
        let answer = bounds.run(make(Arc::clone(&call.resource), context)).await.and_then(|answer| answer);
        let error = answer.as_ref().err();
        self.tell(Event::EphemeralFinished {
            address,
            action,
            code: error.map(|error| error.code().to_owned()),
            message: error.map(|error| error.message().to_owned()),
            elapsed_ms: clock.monotonic().saturating_sub(begun).as_millis() as u64,
        });
        answer
    }

    fn warn(&self, code: &'static str, what: &str, address: &Address, error: &Error) {
        let diagnostic = Diagnostic::warning(code, format!("{what}: {}", error.message()))
            .address(address.to_string())
            .help("nothing else depends on it; look whether it ends by itself");
        self.tell(Event::Problem { diagnostic: diagnostic.clone() });
        lock(&self.warnings).push(diagnostic);
    }

    fn tell(&self, event: Event) {
        if let Some(bus) = &self.parts.bus {
            bus.send(event);
        }
    }
}

/// Returns how long to wait before something is renewed that has so long left: a tenth earlier, a minute at most.
fn pause(left: Duration) -> Duration {
    /// Whoever asks to be renewed at once again and again is not asked without end.
    const LEAST: Duration = Duration::from_millis(100);
    left.saturating_sub((left / 10).min(Duration::from_mins(1))).max(LEAST)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("held", &lock(&self.held).len()).finish_non_exhaustive()
    }
}

/// Returns what all calls of a stack have in common.
pub(crate) fn call_info(
    stack: &crate::state::StackKey,
    tags: &BTreeMap<String, String>,
    operation: Option<&Arc<str>>,
) -> CallInfo {
    CallInfo {
        stack: stack.to_string().into(),
        tenant: Arc::clone(&stack.tenant),
        tags: tags.clone(),
        operation: operation.cloned(),
        ..CallInfo::default()
    }
}

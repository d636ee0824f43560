use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_lock::Semaphore;
use async_trait::async_trait;
use futures_util::future::BoxFuture;

use super::{Answer, Layer, Layered, LayeredData, LayeredEphemeral, Policy, Verb};
use crate::{
    error::{Error, ErrorKind},
    resource::{Context, DataSource, EphemeralResource, Resource, Traits},
};

/// What a limit is counted for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Scope {
    /// One type by name.
    Type(String),
    /// All types of one provider together.
    Provider(String),
    /// Every tenant for itself, all types together.
    Tenant,
    /// Everything together.
    All,
}

/// Bounds how many calls run at once and how often they start.
///
/// Polling for readiness is not counted: a slow object gives its place back while the engine waits for it.
///
/// # Cancellation
/// A call that is cancelled while it waits for its turn ends with `run.cancelled`; nothing was called.
#[derive(Clone, Debug)]
pub struct Limit {
    scope: Scope,
    concurrency: Option<usize>,
    rate: Option<Rate>,
    gates: Arc<Mutex<BTreeMap<Arc<str>, Arc<Gate>>>>,
}

#[derive(Clone, Copy, Debug)]
struct Rate {
    every: Duration,
    burst: u32,
}

#[derive(Debug)]
struct Gate {
    slots: Option<Arc<Semaphore>>,
    /// When the next call may start at the earliest, on the monotonic clock (the "virtual schedule" form of a token
    /// bucket: GCRA, ATM Forum Traffic Management 4.0, §4.4.2).
    due: Mutex<Duration>,
}

impl Limit {
    /// Returns a layer that lets `concurrency` calls of one type run at once; at least one.
    pub fn per_type(name: impl Into<String>, concurrency: usize) -> Self {
        Self::new(Scope::Type(name.into())).concurrency(concurrency)
    }

    /// Returns a layer that lets `concurrency` calls of one provider's types run at once; at least one.
    pub fn per_provider(name: impl Into<String>, concurrency: usize) -> Self {
        Self::new(Scope::Provider(name.into())).concurrency(concurrency)
    }

    /// Returns a layer without limits; set them with the methods below.
    pub fn new(scope: Scope) -> Self {
        Self { scope, concurrency: None, rate: None, gates: Arc::default() }
    }

    /// Sets how many calls run at once; at least one.
    pub fn concurrency(mut self, count: usize) -> Self {
        self.concurrency = Some(count.max(1));
        self
    }

    /// Sets how many calls start per second on average, and how many may start at once after a pause.
    pub fn rate(mut self, per_second: f64, burst: u32) -> Self {
        let every = if per_second > 0.0 { Duration::from_secs_f64(1.0 / per_second) } else { Duration::MAX };
        self.rate = Some(Rate { every, burst: burst.max(1) });
        self
    }

    fn covers(&self, name: &str, provider: &str) -> bool {
        match &self.scope {
            Scope::Type(wanted) => wanted == name,
            Scope::Provider(wanted) => wanted == provider,
            Scope::Tenant | Scope::All => true,
        }
    }

    fn gate(&self, ctx: &Context) -> Arc<Gate> {
        let key = match &self.scope {
            Scope::Tenant => Arc::clone(&ctx.info().tenant),
            Scope::Type(_) | Scope::Provider(_) | Scope::All => Arc::from(""),
        };
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.entry(key).or_insert_with(|| {
            let slots = self.concurrency.map(|count| Arc::new(Semaphore::new(count)));
            Arc::new(Gate { slots, due: Mutex::new(Duration::ZERO) })
        });
        Arc::clone(gate)
    }

    /// Takes the next start in the schedule and returns how long to wait for it.
    fn reserve(rate: Rate, gate: &Gate, now: Duration) -> Duration {
        let mut due = gate.due.lock().unwrap_or_else(PoisonError::into_inner);
        let tolerance = rate.every.saturating_mul(rate.burst - 1);
        let start = (*due).max(now);
        *due = start.saturating_add(rate.every);
        start.saturating_sub(now).saturating_sub(tolerance)
    }
}

#[async_trait]
impl Policy for Limit {
    async fn around<'a, T: Answer + 'a>(
        &self,
        ctx: &Context,
        verb: Verb,
        _traits: Traits,
        call: &(dyn Fn(Context) -> BoxFuture<'a, T> + Send + Sync),
    ) -> T {
        // The engine waits between these, or they ask nothing of the other side.
        if matches!(verb, Verb::Ready | Verb::Validate | Verb::Upgrade) {
            return call(ctx.clone()).await;
        }
        let gate = self.gate(ctx);
        let _slot = match &gate.slots {
            Some(slots) => Some(slots.acquire_arc().await),
            None => None,
        };
        if let Some(rate) = self.rate {
            let pause = Self::reserve(rate, &gate, ctx.clock().monotonic());
            if !pause.is_zero() && !ctx.sleep(pause).await {
                return T::from_error(Error::new(
                    ErrorKind::Cancelled,
                    "run.cancelled",
                    "the call was cancelled while it waited for its turn",
                ));
            }
        }
        call(ctx.clone()).await
    }
}

impl Layer for Limit {
    fn resource(&self, name: &str, provider: &str, inner: Arc<dyn Resource>) -> Arc<dyn Resource> {
        if self.covers(name, provider) { Arc::new(Layered::new(inner, self.clone())) } else { inner }
    }

    fn data_source(&self, name: &str, provider: &str, inner: Arc<dyn DataSource>) -> Arc<dyn DataSource> {
        if self.covers(name, provider) { Arc::new(LayeredData::new(inner, self.clone())) } else { inner }
    }

    fn ephemeral(&self, name: &str, provider: &str, inner: Arc<dyn EphemeralResource>) -> Arc<dyn EphemeralResource> {
        if self.covers(name, provider) { Arc::new(LayeredEphemeral::new(inner, self.clone())) } else { inner }
    }
}

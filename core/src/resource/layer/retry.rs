use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use super::{Answer, Layer, Layered, LayeredData, LayeredEphemeral, Policy, Verb};
use crate::{
    error::{Effect, Error, Retry as Advice},
    resource::{Context, DataSource, EphemeralResource, Resource, Traits},
};

/// Repeats calls that failed, where repeating is safe and may help.
///
/// Safe: verbs that change nothing; others after an error whose effect is `None`, or creates of a type that declares
/// idempotent creates. May help: errors whose retry advice is not `No`. Pauses grow by a factor of two from `first`
/// up to `longest`, each shortened by up to half (jitter, derived from the call, so that equal runs wait equally and
/// neighbours do not wake together); `Retry::After` sets the least pause.
///
/// # Cancellation
/// A cancelled call is not repeated.
///
/// # What was lost stays unknown
/// When a call that may have had an effect is repeated and the repeat is refused, the refusal says nothing of the call
/// before: the error that is returned says that the effect is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    attempt_count: u32,
    first: Duration,
    longest: Duration,
}

impl Retry {
    /// Returns a layer that makes a call at most `attempt_count` times, with pauses from 0.2 s to 30 s.
    pub const fn up_to(attempt_count: u32) -> Self {
        Self { attempt_count, first: Duration::from_millis(200), longest: Duration::from_secs(30) }
    }

    /// Sets the first and the longest pause.
    pub const fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.first = first;
        self.longest = longest;
        self
    }

    /// Returns how long to wait after `attempt` (from 1) of this call failed.
    fn pause(&self, ctx: &Context, attempt: u32, error: &Error) -> Duration {
        let doubled = self.first.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
        let bounded = doubled.min(self.longest);
        let mut hasher = DefaultHasher::new();
        (&ctx.info().address, ctx.idempotency_key(), attempt).hash(&mut hasher);
        let share = f64::from((hasher.finish() >> 32) as u32) / f64::from(u32::MAX);
        let jittered = bounded.mul_f64(1.0 - share / 2.0);
        match error.retry_advice() {
            Advice::After(least) => jittered.max(least),
            Advice::No | Advice::WithBackoff => jittered,
        }
    }
}

fn may_repeat(error: &Error, verb: Verb, traits: Traits) -> bool {
    let safe = !verb.changes()
        || error.effect_on_world() == Effect::None
        || (verb == Verb::Create && traits.idempotent_create);
    safe && error.retry_advice() != Advice::No
}

#[async_trait]
impl Policy for Retry {
    async fn around<'a, T: Answer + 'a>(
        &self,
        ctx: &Context,
        verb: Verb,
        traits: Traits,
        call: &(dyn Fn(Context) -> BoxFuture<'a, T> + Send + Sync),
    ) -> T {
        let mut attempt = 1;
        let mut current = ctx.clone();
        // Whether a call before the present one may have done something.
        let mut was_lost = false;
        loop {
            let mut answer = call(current.clone()).await;
            let failed = answer.error().map(Error::effect_on_world);
            if failed.is_some() && was_lost && verb.changes() {
                answer = answer.with_unknown_effect();
            }
            was_lost |= failed == Some(Effect::Unknown);
            let pause = match answer.error() {
                Some(error) if attempt < self.attempt_count && may_repeat(error, verb, traits) => {
                    let pause = self.pause(ctx, attempt, error);
                    ctx.progress(&format!(
                        "{} ({}); trying again in {:.1} s",
                        error.message(),
                        error.code(),
                        pause.as_secs_f64()
                    ));
                    pause
                }
                _ => return answer,
            };
            if !ctx.sleep(pause).await {
                return answer;
            }
            attempt += 1;
            current = ctx.with_info(|info| info.attempt = info.attempt.max(1) + attempt - 1);
        }
    }
}

impl Layer for Retry {
    fn resource(&self, _name: &str, _provider: &str, inner: Arc<dyn Resource>) -> Arc<dyn Resource> {
        Arc::new(Layered::new(inner, *self))
    }

    fn data_source(&self, _name: &str, _provider: &str, inner: Arc<dyn DataSource>) -> Arc<dyn DataSource> {
        Arc::new(LayeredData::new(inner, *self))
    }

    fn ephemeral(&self, _name: &str, _provider: &str, inner: Arc<dyn EphemeralResource>) -> Arc<dyn EphemeralResource> {
        Arc::new(LayeredEphemeral::new(inner, *self))
    }
}

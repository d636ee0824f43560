use std::{pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::{BoxFuture, Either, select};

use super::{Answer, Layer, Layered, LayeredData, LayeredEphemeral, Policy, Verb};
use crate::{
    error::{Effect, Error, ErrorKind, Retry},
    resource::{Context, DataSource, EphemeralResource, Resource, Traits},
};

/// Bounds how long one call may take.
///
/// When the time is over the call is asked to end (its token is cancelled) and gets `grace` to do so. What it then
/// answers counts. If it does not answer at all it is dropped, and the error `resource.timeout` says that the effect
/// on the world is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    limit: Duration,
    grace: Duration,
}

impl Timeout {
    /// Returns a layer that lets a call take `limit`, with a grace of 5 s.
    pub const fn after(limit: Duration) -> Self {
        Self { limit, grace: Duration::from_secs(5) }
    }

    /// Sets how long a call that was asked to end may go on.
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

#[async_trait]
impl Policy for Timeout {
    async fn around<'a, T: Answer + 'a>(
        &self,
        ctx: &Context,
        verb: Verb,
        _traits: Traits,
        call: &(dyn Fn(Context) -> BoxFuture<'a, T> + Send + Sync),
    ) -> T {
        let token = ctx.cancellation().child_token();
        let deadline = ctx.clock().now().plus(self.limit);
        let bounded = ctx.with_cancellation(token.clone()).with_info(|info| {
            info.deadline = Some(info.deadline.map_or(deadline, |set| set.min(deadline)));
        });
        let clock = Arc::clone(ctx.clock());
        let answer = pin!(call(bounded));
        let answer = match select(answer, clock.sleep(self.limit)).await {
            Either::Left((answer, _)) => return answer,
            Either::Right(((), answer)) => answer,
        };
        token.cancel();
        match select(answer, clock.sleep(self.grace)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => {
                let effect = if verb.changes() { Effect::Unknown } else { Effect::None };
                T::from_error(
                    Error::new(
                        ErrorKind::Unavailable,
                        "resource.timeout",
                        format!("`{}` did not end within {:?}", verb.as_str(), self.limit),
                    )
                    .effect(effect)
                    .retry(Retry::WithBackoff),
                )
            }
        }
    }
}

impl Layer for Timeout {
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

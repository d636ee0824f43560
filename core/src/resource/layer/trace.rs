use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tracing::Instrument as _;

use super::{Answer, Layer, Layered, LayeredData, LayeredEphemeral, Policy, Verb};
use crate::resource::{Context, DataSource, EphemeralResource, Resource, Traits};

/// Makes a span of every call, with verb, type, address and attempt, and an event of how it ended.
///
/// Never a value, never a configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace;

#[async_trait]
impl Policy for Trace {
    async fn around<'a, T: Answer + 'a>(
        &self,
        ctx: &Context,
        verb: Verb,
        _traits: Traits,
        call: &(dyn Fn(Context) -> BoxFuture<'a, T> + Send + Sync),
    ) -> T {
        let info = ctx.info();
        let span = tracing::debug_span!(
            "resource",
            verb = verb.as_str(),
            r#type = %info.type_name,
            address = %info.address,
            attempt = info.attempt
        );
        let started = ctx.clock().monotonic();
        let answer = call(ctx.clone()).instrument(span.clone()).await;
        let elapsed_ms = u64::try_from(ctx.clock().monotonic().saturating_sub(started).as_millis()).unwrap_or(u64::MAX);
        span.in_scope(|| match answer.error() {
            Some(error) => tracing::debug!(elapsed_ms, code = error.code(), "call failed"),
            None => tracing::debug!(elapsed_ms, "call ended"),
        });
        answer
    }
}

impl Layer for Trace {
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

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Effect, Error, Result},
    pricing::Prices,
    resource::{
        Context, DataSource, EphemeralResource, Evidence, Object, Opened, Outcome, PlanRequest, PlanResponse,
        QuoteItem, Readiness, Recovery, Renewed, Resource, Traits,
    },
    schema::Schema,
    state::Amount,
    value::Value,
};

/// Wraps types into other types.
pub trait Layer: fmt::Debug + Send + Sync + 'static {
    /// Wraps a resource type; `provider` is the name of its owner.
    fn resource(&self, name: &str, provider: &str, inner: Arc<dyn Resource>) -> Arc<dyn Resource>;

    /// Wraps a data source.
    fn data_source(&self, name: &str, provider: &str, inner: Arc<dyn DataSource>) -> Arc<dyn DataSource> {
        let _ = (name, provider);
        inner
    }

    /// Wraps an ephemeral resource type.
    fn ephemeral(&self, name: &str, provider: &str, inner: Arc<dyn EphemeralResource>) -> Arc<dyn EphemeralResource> {
        let _ = (name, provider);
        inner
    }
}

/// Which verb is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verb {
    /// `validate`.
    Validate,
    /// `plan`.
    Plan,
    /// `create`.
    Create,
    /// `read`, of a resource or of a data source.
    Read,
    /// `update`.
    Update,
    /// `delete`.
    Delete,
    /// `import`.
    Import,
    /// `ready`.
    Ready,
    /// `recover`.
    Recover,
    /// `upgrade`.
    Upgrade,
    /// `quote`.
    Quote,
    /// `open`, of an ephemeral resource.
    Open,
    /// `renew`, of an ephemeral resource.
    Renew,
    /// `close`, of an ephemeral resource.
    Close,
}

impl Verb {
    /// Returns whether it may change the world.
    pub const fn changes(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete | Self::Open)
    }

    /// Returns its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Plan => "plan",
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Import => "import",
            Self::Ready => "ready",
            Self::Recover => "recover",
            Self::Upgrade => "upgrade",
            Self::Quote => "quote",
            Self::Open => "open",
            Self::Renew => "renew",
            Self::Close => "close",
        }
    }
}

/// What a verb returns, as far as layers care.
pub trait Answer: Send {
    /// Returns the error that decides about repeating, if it failed *and left nothing behind*.
    fn error(&self) -> Option<&Error>;
    /// Returns an answer that is this error.
    fn from_error(error: Error) -> Self;
    /// Returns the same answer, with errors whose effect is unknown.
    fn with_unknown_effect(self) -> Self;
}

impl<T: Send> Answer for Result<T> {
    fn error(&self) -> Option<&Error> {
        self.as_ref().err()
    }

    fn from_error(error: Error) -> Self {
        Err(error)
    }

    fn with_unknown_effect(self) -> Self {
        self.map_err(|error| error.effect(Effect::Unknown))
    }
}

impl Answer for Outcome {
    fn error(&self) -> Option<&Error> {
        match self.object {
            crate::resource::ObjectState::Unchanged => self.problems.first(),
            _ => None,
        }
    }

    fn from_error(error: Error) -> Self {
        Self::failed(error)
    }

    fn with_unknown_effect(self) -> Self {
        let problems = self.problems.into_iter().map(|error| error.effect(Effect::Unknown));
        Self { object: self.object, problems: problems.collect() }
    }
}

/// What a layer does around a call.
#[async_trait]
pub trait Policy: fmt::Debug + Send + Sync + 'static {
    /// Makes the call (none, one or several times) and returns its answer.
    async fn around<'a, T: Answer + 'a>(
        &self,
        ctx: &Context,
        verb: Verb,
        traits: Traits,
        call: &(dyn Fn(Context) -> BoxFuture<'a, T> + Send + Sync),
    ) -> T;
}

/// A resource type with a policy around every verb.
#[derive(Debug)]
pub struct Layered<P> {
    inner: Arc<dyn Resource>,
    policy: P,
}

impl<P: Policy> Layered<P> {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn Resource>, policy: P) -> Self {
        Self { inner, policy }
    }
}

#[async_trait]
impl<P: Policy> Resource for Layered<P> {
    fn schema(&self) -> Arc<Schema> {
        self.inner.schema()
    }

    fn traits(&self) -> Traits {
        self.inner.traits()
    }

    async fn validate(&self, ctx: &Context, config: &Value) -> Result<()> {
        let inner = &self.inner;
        let call =
            |ctx: Context| -> BoxFuture<'_, Result<()>> { Box::pin(async move { inner.validate(&ctx, config).await }) };
        self.policy.around(ctx, Verb::Validate, self.traits(), &call).await
    }

    async fn plan(&self, ctx: &Context, request: PlanRequest) -> Result<PlanResponse> {
        let (inner, request) = (&self.inner, &request);
        let call = |ctx: Context| -> BoxFuture<'_, Result<PlanResponse>> {
            Box::pin(async move { inner.plan(&ctx, request.clone()).await })
        };
        self.policy.around(ctx, Verb::Plan, self.traits(), &call).await
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        let (inner, planned) = (&self.inner, &planned);
        let call = |ctx: Context| -> BoxFuture<'_, Outcome> {
            Box::pin(async move { inner.create(&ctx, planned.clone()).await })
        };
        self.policy.around(ctx, Verb::Create, self.traits(), &call).await
    }

    async fn read(&self, ctx: &Context, object: &Object) -> Result<Option<Object>> {
        let inner = &self.inner;
        let call = |ctx: Context| -> BoxFuture<'_, Result<Option<Object>>> {
            Box::pin(async move { inner.read(&ctx, object).await })
        };
        self.policy.around(ctx, Verb::Read, self.traits(), &call).await
    }

    async fn update(&self, ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        let (inner, planned) = (&self.inner, &planned);
        let call = |ctx: Context| -> BoxFuture<'_, Outcome> {
            Box::pin(async move { inner.update(&ctx, prior, planned.clone()).await })
        };
        self.policy.around(ctx, Verb::Update, self.traits(), &call).await
    }

    async fn delete(&self, ctx: &Context, prior: &Object) -> Outcome {
        let inner = &self.inner;
        let call =
            |ctx: Context| -> BoxFuture<'_, Outcome> { Box::pin(async move { inner.delete(&ctx, prior).await }) };
        self.policy.around(ctx, Verb::Delete, self.traits(), &call).await
    }

    async fn import(&self, ctx: &Context, id: &str) -> Result<Option<Object>> {
        let inner = &self.inner;
        let call = |ctx: Context| -> BoxFuture<'_, Result<Option<Object>>> {
            Box::pin(async move { inner.import(&ctx, id).await })
        };
        self.policy.around(ctx, Verb::Import, self.traits(), &call).await
    }

    async fn ready(&self, ctx: &Context, object: &Object) -> Result<Readiness> {
        let inner = &self.inner;
        let call = |ctx: Context| -> BoxFuture<'_, Result<Readiness>> {
            Box::pin(async move { inner.ready(&ctx, object).await })
        };
        self.policy.around(ctx, Verb::Ready, self.traits(), &call).await
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        let inner = &self.inner;
        let call = |ctx: Context| -> BoxFuture<'_, Result<Recovery>> {
            Box::pin(async move { inner.recover(&ctx, evidence).await })
        };
        self.policy.around(ctx, Verb::Recover, self.traits(), &call).await
    }

    async fn upgrade(&self, ctx: &Context, version: u64, attributes: serde_json::Value) -> Result<Value> {
        let (inner, attributes) = (&self.inner, &attributes);
        let call = |ctx: Context| -> BoxFuture<'_, Result<Value>> {
            Box::pin(async move { inner.upgrade(&ctx, version, attributes.clone()).await })
        };
        self.policy.around(ctx, Verb::Upgrade, self.traits(), &call).await
    }

    async fn quote(&self, ctx: &Context, items: &[QuoteItem]) -> Result<Vec<Prices>> {
        let inner = &self.inner;
        let call = |ctx: Context| -> BoxFuture<'_, Result<Vec<Prices>>> {
            Box::pin(async move { inner.quote(&ctx, items).await })
        };
        self.policy.around(ctx, Verb::Quote, self.traits(), &call).await
    }

    fn consumes(&self, attributes: &Value) -> Vec<(Arc<str>, Amount)> {
        self.inner.consumes(attributes)
    }
}

/// A data source with a policy around its read.
#[derive(Debug)]
pub struct LayeredData<P> {
    inner: Arc<dyn DataSource>,
    policy: P,
}

impl<P: Policy> LayeredData<P> {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn DataSource>, policy: P) -> Self {
        Self { inner, policy }
    }
}

#[async_trait]
impl<P: Policy> DataSource for LayeredData<P> {
    fn schema(&self) -> Arc<Schema> {
        self.inner.schema()
    }

    async fn read(&self, ctx: &Context, config: Value) -> Result<Value> {
        let (inner, config) = (&self.inner, &config);
        let call = |ctx: Context| -> BoxFuture<'_, Result<Value>> {
            Box::pin(async move { inner.read(&ctx, config.clone()).await })
        };
        self.policy.around(ctx, Verb::Read, Traits::default(), &call).await
    }
}

/// An ephemeral resource type with a policy around its verbs.
#[derive(Debug)]
pub struct LayeredEphemeral<P> {
    inner: Arc<dyn EphemeralResource>,
    policy: P,
}

impl<P: Policy> LayeredEphemeral<P> {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn EphemeralResource>, policy: P) -> Self {
        Self { inner, policy }
    }
}

#[async_trait]
impl<P: Policy> EphemeralResource for LayeredEphemeral<P> {
    fn schema(&self) -> Arc<Schema> {
        self.inner.schema()
    }

    async fn open(&self, ctx: &Context, config: Value) -> Result<Opened> {
        let (inner, config) = (&self.inner, &config);
        let call = |ctx: Context| -> BoxFuture<'_, Result<Opened>> {
            Box::pin(async move { inner.open(&ctx, config.clone()).await })
        };
        self.policy.around(ctx, Verb::Open, Traits::default(), &call).await
    }

    async fn renew(&self, ctx: &Context, private: Option<Arc<[u8]>>) -> Result<Renewed> {
        let (inner, private) = (&self.inner, &private);
        let call = |ctx: Context| -> BoxFuture<'_, Result<Renewed>> {
            Box::pin(async move { inner.renew(&ctx, private.clone()).await })
        };
        self.policy.around(ctx, Verb::Renew, Traits::default(), &call).await
    }

    async fn close(&self, ctx: &Context, private: Option<Arc<[u8]>>) -> Result<()> {
        let (inner, private) = (&self.inner, &private);
        let call = |ctx: Context| -> BoxFuture<'_, Result<()>> {
            Box::pin(async move { inner.close(&ctx, private.clone()).await })
        };
        self.policy.around(ctx, Verb::Close, Traits::default(), &call).await
    }
}

use std::{convert::Infallible, fmt, sync::Arc};

use async_trait::async_trait;
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use super::{
    Call, CallContext, Document, Facts, FunctionCall, Object, Readiness, Recovery, Reply, Request, StoreRequest,
    TypeDescriptor,
    document::{read_json, unreadable},
};
use crate::{
    error::{Effect, Error, ErrorKind, Result},
    resource::{self, Context, Evidence, Outcome, Resource, Traits, layer::Verb, recover_by_reading},
    schema::Schema,
    value::{Type, Value},
};

/// The other side of a bridge: performs calls in the host's language.
///
/// One host may stand behind many types; the facts of a request name the type.
#[async_trait]
pub trait Host: fmt::Debug + Send + Sync + 'static {
    /// Performs one call.
    ///
    /// `ctx` is what is live about the call; a bridge hands it to the host as an object of its language, so that the host
    /// can checkpoint, report progress and see that it should stop.
    ///
    /// # Errors
    /// Only for calls without an answer: the host raised something that says nothing about its effect
    /// ([`host_failed`]), its answer cannot be read ([`Reply::from_json`]), it is not there any more. If the call may have
    /// changed the world, the engine then asks the world before it goes on.
    ///
    /// # Cancellation
    /// The future may be dropped when a call outlives its deadline and its grace. The host's side need not notice; what it
    /// still does has an unknown effect, which the engine finds out about.
    async fn call(&self, ctx: CallContext, request: Request) -> Result<Reply>;

    /// Computes a function that the host described; blocks until it is done.
    ///
    /// Functions are pure, short, and called in the middle of an evaluation, on a thread of the engine's.
    ///
    /// # Errors
    /// What the function says about its arguments; `host.failed`; `host.reply`.
    fn compute(&self, call: &FunctionCall) -> Result<Json> {
        let _ = call;
        Err(Error::new(ErrorKind::Unsupported, "host.failed", "this host offers no functions"))
    }

    /// Asks a store that the host keeps; the answer has the shape that the call names.
    ///
    /// # Errors
    /// What the store says, with the codes of [`Store`](crate::state::Store); `host.failed`; `host.reply`;
    /// `store.unavailable` where it does not answer in time.
    ///
    /// # Cancellation
    /// What a dropped call still does counts as done or not: the engine repeats commits, which are idempotent.
    async fn store(&self, request: StoreRequest) -> Result<Json> {
        let _ = request;
        Err(Error::new(ErrorKind::Unsupported, "host.failed", "this host keeps no stores"))
    }
}

/// Returns the error for a host that raised something of its own: the name of its class.
///
/// Not what it says: that may quote a secret. The host's side has the exception itself.
pub fn host_failed(class: &str) -> Error {
    Error::new(ErrorKind::Bug, "host.failed", format!("the host's code raised `{class}`"))
}

/// A resource type whose verbs a host performs.
#[derive(Debug)]
pub struct HostResource {
    host: Arc<dyn Host>,
    schema: Arc<Schema>,
    ty: Type,
    descriptor: TypeDescriptor,
}

impl HostResource {
    /// Returns the type that a host describes.
    pub fn new(descriptor: TypeDescriptor, host: Arc<dyn Host>) -> Self {
        let schema = Arc::new(descriptor.schema.clone());
        Self { host, ty: schema.block.implied_type(), schema, descriptor }
    }

    fn has(&self, verb: Verb) -> bool {
        self.descriptor.verbs.contains(&verb)
    }

    /// Makes a call and reads its reply.
    ///
    /// What cannot be read tells as little about the world as what was never said.
    async fn ask<T>(&self, ctx: &Context, call: Call, read: impl FnOnce(Reply) -> Result<T> + Send) -> Result<T> {
        let verb = call.verb();
        let request = Request { context: Facts::from(ctx), call };
        let lost = |error: Error| if verb.changes() { error.effect(Effect::Unknown) } else { error };
        let ended = CancellationToken::new();
        let live = CallContext::new(ctx.clone(), self.ty.clone(), ended.clone());
        let _ended = ended.drop_guard();
        match self.host.call(live, request).await {
            Ok(Reply::Error(failure)) => Err(failure.into()),
            Ok(reply) => read(reply).map_err(lost),
            Err(error) => Err(lost(error)),
        }
    }

    async fn change(&self, ctx: &Context, call: Call) -> Outcome {
        let verb = call.verb();
        let read = |reply| match reply {
            Reply::Outcome(outcome) => outcome.read(&self.ty),
            other => Err(wrong(verb, &other)),
        };
        self.ask(ctx, call, read).await.unwrap_or_else(Outcome::failed)
    }

    async fn find(&self, ctx: &Context, call: Call) -> Result<Option<resource::Object>> {
        let verb = call.verb();
        let read = |reply| match reply {
            Reply::Object(object) => object.map(|object| object.read(&self.ty)).transpose(),
            other => Err(wrong(verb, &other)),
        };
        self.ask(ctx, call, read).await
    }
}

pub(super) fn wrong(verb: Verb, reply: &Reply) -> Error {
    unreadable(format!("`{}` is no answer to `{}`", reply.kind(), verb.as_str()))
}

/// Puts back what was known of values that are still unknown: refinements do not cross.
fn refine(planned: &Value, proposed: &Value) -> Value {
    let Ok(refined) = planned.transform(|path, part| {
        Ok::<_, Infallible>(match proposed.at_path(path) {
            Ok(known) if !part.is_known() && !known.is_known() && known.ty() == part.ty() => known,
            _ => part,
        })
    });
    refined
}

#[async_trait]
impl Resource for HostResource {
    fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    fn traits(&self) -> Traits {
        self.descriptor.traits.into()
    }

    async fn validate(&self, ctx: &Context, config: &Value) -> Result<()> {
        if !self.has(Verb::Validate) {
            return Ok(());
        }
        let read = |reply| match reply {
            Reply::Valid => Ok(()),
            other => Err(wrong(Verb::Validate, &other)),
        };
        self.ask(ctx, Call::Validate { config: Document::of(config) }, read).await
    }

    async fn plan(&self, ctx: &Context, request: resource::PlanRequest) -> Result<resource::PlanResponse> {
        if !self.has(Verb::Plan) {
            return Ok(resource::PlanResponse {
                planned: request.proposed,
                requires_replace: Vec::new(),
                private: None,
            });
        }
        let (proposed, _) = request.proposed.unmark_deep();
        let call = Call::Plan {
            prior: request.prior.as_ref().map(Object::of),
            config: Document::of(&request.config),
            proposed: Document::of(&proposed),
        };
        let read = |reply| match reply {
            Reply::Planned(response) => Ok(resource::PlanResponse {
                planned: refine(&response.planned.read(&self.ty)?, &proposed),
                requires_replace: response.requires_replace,
                private: response.private.map(|bytes| bytes.0),
            }),
            other => Err(wrong(Verb::Plan, &other)),
        };
        self.ask(ctx, call, read).await
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        self.change(ctx, Call::Create { planned: Document::of(&planned) }).await
    }

    async fn read(&self, ctx: &Context, object: &resource::Object) -> Result<Option<resource::Object>> {
        self.find(ctx, Call::Read { object: Object::of(object) }).await
    }

    async fn update(&self, ctx: &Context, prior: &resource::Object, planned: Value) -> Outcome {
        self.change(ctx, Call::Update { prior: Object::of(prior), planned: Document::of(&planned) }).await
    }

    async fn delete(&self, ctx: &Context, prior: &resource::Object) -> Outcome {
        self.change(ctx, Call::Delete { prior: Object::of(prior) }).await
    }

    async fn import(&self, ctx: &Context, id: &str) -> Result<Option<resource::Object>> {
        if !self.has(Verb::Import) {
            return Err(resource::import_unsupported(ctx));
        }
        self.find(ctx, Call::Import { id: id.to_owned() }).await
    }

    async fn ready(&self, ctx: &Context, object: &resource::Object) -> Result<resource::Readiness> {
        if !self.has(Verb::Ready) {
            return Ok(resource::Readiness::Ready(object.clone()));
        }
        let read = |reply| {
            Ok(match reply {
                Reply::Readiness(Readiness::Ready(object)) => resource::Readiness::Ready(object.read(&self.ty)?),
                Reply::Readiness(Readiness::NotYet { reason }) => resource::Readiness::NotYet { reason },
                Reply::Readiness(Readiness::Failed { reason }) => resource::Readiness::Failed { reason },
                other => return Err(wrong(Verb::Ready, &other)),
            })
        };
        self.ask(ctx, Call::Ready { object: Object::of(object) }, read).await
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<resource::Recovery> {
        if !self.has(Verb::Recover) {
            return recover_by_reading(self, ctx, evidence).await;
        }
        let call = Call::Recover {
            id: evidence.id.clone(),
            partial: evidence.partial.as_ref().map(Document::of),
            prior: evidence.prior.as_ref().map(Object::of),
            planned: evidence.planned.as_ref().map(Document::of),
        };
        let read = |reply| {
            Ok(match reply {
                Reply::Recovery(Recovery::Found(object)) => resource::Recovery::Found(object.read(&self.ty)?),
                Reply::Recovery(Recovery::Absent) => resource::Recovery::Absent,
                Reply::Recovery(Recovery::CannotTell { reason }) => resource::Recovery::CannotTell { reason },
                other => return Err(wrong(Verb::Recover, &other)),
            })
        };
        self.ask(ctx, call, read).await
    }

    async fn upgrade(&self, ctx: &Context, version: u64, attributes: serde_json::Value) -> Result<Value> {
        if !self.has(Verb::Upgrade) {
            return Err(resource::upgrade_unsupported(version));
        }
        let read = |reply| match reply {
            Reply::Upgraded(attributes) => read_json(&attributes, &self.ty),
            other => Err(wrong(Verb::Upgrade, &other)),
        };
        self.ask(ctx, Call::Upgrade { version, attributes }, read).await
    }
}

#[cfg(test)]
mod tests;

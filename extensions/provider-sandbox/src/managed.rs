use std::{fmt, marker::PhantomData, time::Duration};

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};
use stackwright::{
    error::{Effect, Error, ErrorKind, Result, Retry},
    pricing::Prices,
    resource::{
        Context, QuoteItem, Traits,
        typed::{
            Failed, Half, Made, TypedChange, TypedEvidence, TypedObject, TypedOutcome, TypedPlan, TypedReadiness,
            TypedRecovery, TypedResource,
        },
    },
};

use crate::{
    api::{Api, Connection, Remote},
    error::{Purpose, garbled},
    kind::{Key, Kind},
    price,
};

/// The tag that says which object of the engine a thing is: the mark of ownership.
const OWNER: &str = "stackwright:object";
/// How long the cloud may hide what was created. It promises this bound.
const SETTLE: Duration = Duration::from_secs(2);
/// How often to look for something to change.
const PAUSE: Duration = Duration::from_millis(100);

/// All verbs of a kind of thing.
pub(crate) struct Managed<K> {
    api: Api,
    kind: PhantomData<K>,
}

impl<K: Kind> fmt::Debug for Managed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(K::TYPE_NAME)
    }
}

/// Returns what the owner of a thing is.
fn owner(remote: &Remote) -> Option<&str> {
    remote.properties.get("tags")?.get(OWNER)?.as_str()
}

fn shaped<T: DeserializeOwned>(properties: Map<String, Json>) -> Result<T> {
    // What serde says may repeat a value.
    serde_json::from_value(Json::Object(properties)).map_err(|_| garbled("not in the shape of its type", Purpose::Look))
}

fn outputs<K: Kind>(remote: &Remote) -> Result<K::Outputs> {
    let mut properties = remote.properties.clone();
    properties.insert("id".to_owned(), json!(remote.id));
    shaped(properties)
}

/// Returns a thing as an object; `before` is what it was known as.
fn object<K: Kind>(remote: Remote, before: Option<K::Inputs>) -> Result<TypedObject<Managed<K>>> {
    let mut inputs: K::Inputs = shaped(remote.properties.clone())?;
    // The mark of ownership is none of the template's.
    K::tags(&mut inputs).remove(OWNER);
    if let Some(before) = before {
        K::keep(&mut inputs, before);
    }
    let outputs = outputs::<K>(&remote)?;
    Ok(TypedObject::new(remote.id, inputs, outputs))
}

/// Waits as an error advises; returns whether to go on.
async fn wait(ctx: &Context, error: &Error) -> bool {
    match error.retry_advice() {
        Retry::No => false,
        Retry::After(pause) => ctx.sleep(pause).await,
        Retry::WithBackoff => ctx.sleep(PAUSE * 5).await,
    }
}

impl<K: Kind> Managed<K> {
    pub(crate) fn new(api: Api) -> Self {
        Self { api, kind: PhantomData }
    }

    /// Returns what to send: the inputs, with the mark of ownership.
    fn properties(ctx: &Context, inputs: &mut K::Inputs) -> Result<Map<String, Json>> {
        K::tags(inputs).insert(OWNER.to_owned(), ctx.idempotency_key());
        match serde_json::to_value(inputs) {
            Ok(Json::Object(properties)) => Ok(properties),
            _ => Err(Error::bug(format!("inputs of `{}` cannot be written as JSON", K::TYPE_NAME))),
        }
    }

    /// Returns the thing that bears the same names, whoever made it.
    async fn namesake(cloud: &Connection, properties: &Map<String, Json>, names: &[&str]) -> Result<Option<Remote>> {
        let filters: Vec<_> = names.iter().filter_map(|name| Some((*name, properties.get(*name)?.as_str()?))).collect();
        Ok(cloud.list(K::PATH, &filters).await?.into_iter().next())
    }

    /// Returns what an earlier try of this create made, where the cloud says that the name is taken.
    async fn made_before(
        ctx: &Context,
        cloud: &Connection,
        properties: &Map<String, Json>,
        taken: Error,
    ) -> Result<Remote> {
        let Key::Names(names) = K::KEY else { return Err(taken) };
        let patience = ctx.clock().monotonic() + SETTLE + PAUSE;
        loop {
            match Self::namesake(cloud, properties, names).await {
                Ok(Some(found)) if owner(&found) == Some(&ctx.idempotency_key()) => return Ok(found),
                Ok(Some(_)) => return Err(taken),
                // It is there, though reads do not show it yet.
                Ok(None) if ctx.clock().monotonic() < patience && ctx.sleep(PAUSE).await => {}
                Ok(None) => return Err(taken),
                Err(error) if ctx.clock().monotonic() < patience && wait(ctx, &error).await => {}
                // Whose it is can still be found out.
                Err(error) => return Err(error.effect(Effect::Unknown)),
            }
        }
    }

    /// Follows an operation to its end; `None` where there is nobody left to wait for it.
    async fn follow(ctx: &Context, cloud: &Connection, operation: &str) -> Option<String> {
        loop {
            match cloud.operation(operation).await {
                Ok(status) if status != "running" => return Some(status),
                Ok(_) if ctx.sleep(PAUSE).await => {}
                Err(error) if wait(ctx, &error).await => {}
                Ok(_) | Err(_) => return None,
            }
        }
    }

    /// Reads a thing, and waits for as long as the cloud may hide a new one.
    async fn read_new(ctx: &Context, cloud: &Connection, id: &str) -> Result<Option<Remote>> {
        let patience = ctx.clock().monotonic() + SETTLE + PAUSE;
        loop {
            let found = cloud.read(K::PATH, id).await?;
            if found.is_some() || ctx.clock().monotonic() >= patience || !ctx.sleep(PAUSE).await {
                return Ok(found);
            }
        }
    }
}

#[async_trait]
impl<K: Kind> TypedResource for Managed<K> {
    type Inputs = K::Inputs;
    type Outputs = K::Outputs;

    fn traits(&self) -> Traits {
        Traits {
            idempotent_create: K::KEY == Key::Token,
            settle: SETTLE,
            ready_interval: PAUSE,
            cost: K::COST,
            free: K::PRICED.is_none(),
            ..Traits::default()
        }
    }

    async fn plan(&self, _ctx: &Context, change: TypedChange<Self>) -> Result<TypedPlan> {
        Ok(match (&change.prior, &change.inputs) {
            (Some(prior), Some(inputs)) => K::plan(&prior.inputs, inputs),
            _ => TypedPlan::new(),
        })
    }

    async fn create(&self, ctx: &Context, mut inputs: K::Inputs) -> TypedOutcome<Self> {
        let cloud = self.api.connect(ctx)?;
        let properties = Self::properties(ctx, &mut inputs)?;
        let mut body = json!({ "token": ctx.idempotency_key(), "properties": properties });
        if let Some(line) = &ctx.info().order_line {
            body["order_line"] = json!(line);
        }
        let remote = match cloud.create(K::PATH, &body).await {
            Err(error) if error.code() == "sandbox.exists" => {
                Self::made_before(ctx, &cloud, &properties, error).await?
            }
            answer => answer?,
        };
        let half = || Half::new(remote.id.clone());
        if K::IS_ASYNCHRONOUS {
            if let Err(error) = ctx.checkpoint(&remote.id, None).await {
                return Err(Failed::partial(half(), error));
            }
            let status = match &remote.operation {
                Some(operation) => Self::follow(ctx, &cloud, operation).await,
                None => None,
            };
            if status.as_deref() == Some("failed") {
                let message = format!("the sandbox could not finish `{}`", remote.id);
                return Err(Failed::partial(half(), Error::new(ErrorKind::Unavailable, "sandbox.failed", message)));
            }
        }
        match outputs::<K>(&remote) {
            Ok(outputs) => Ok(Made::new(remote.id, outputs)),
            Err(error) => Err(Failed::partial(half(), error)),
        }
    }

    async fn read(&self, ctx: &Context, before: TypedObject<Self>) -> Result<Option<TypedObject<Self>>> {
        let found = self.api.connect(ctx)?.read(K::PATH, &before.id).await?;
        found.map(|remote| object::<K>(remote, Some(before.inputs))).transpose()
    }

    async fn update(&self, ctx: &Context, prior: TypedObject<Self>, mut inputs: K::Inputs) -> TypedOutcome<Self> {
        let cloud = self.api.connect(ctx)?;
        let properties = Self::properties(ctx, &mut inputs)?;
        let remote = cloud.update(K::PATH, &prior.id, &json!({ "properties": properties })).await?;
        // It took effect; what the cloud chose is as it was.
        match outputs::<K>(&remote) {
            Ok(outputs) => Ok(Made::new(remote.id, outputs)),
            Err(error) => Ok(Made::new(prior.id.clone(), prior.into_outputs().map_err(|_| error)?)),
        }
    }

    async fn delete(&self, ctx: &Context, prior: TypedObject<Self>) -> Result<(), Failed<Self>> {
        let cloud = self.api.connect(ctx)?;
        if cloud.delete(K::PATH, &prior.id).await?.is_none() {
            return Ok(());
        }
        loop {
            let may_go_on = match cloud.read(K::PATH, &prior.id).await {
                Ok(None) => return Ok(()),
                Ok(Some(_)) => ctx.sleep(PAUSE).await,
                Err(error) => wait(ctx, &error).await,
            };
            if !may_go_on {
                let message = format!("`{}` was still being deleted", prior.id);
                let error = Error::new(ErrorKind::Unavailable, "sandbox.unavailable", message);
                return Err(error.retry(Retry::WithBackoff).effect(Effect::Unknown).into());
            }
        }
    }

    async fn import(&self, ctx: &Context, id: &str) -> Result<Option<TypedObject<Self>>> {
        let cloud = self.api.connect(ctx)?;
        let names = K::import_names(id);
        let found = match cloud.read(K::PATH, id).await? {
            None if !names.is_empty() => cloud.list(K::PATH, &names).await?.into_iter().next(),
            found => found,
        };
        found.map(|remote| object::<K>(remote, None)).transpose()
    }

    async fn ready(&self, ctx: &Context, object: TypedObject<Self>) -> Result<TypedReadiness<K::Outputs>> {
        let cloud = self.api.connect(ctx)?;
        let Some(remote) = Self::read_new(ctx, &cloud, &object.id).await? else {
            if ctx.is_cancelled() {
                return Ok(TypedReadiness::NotYet { reason: "the sandbox does not show it yet".to_owned() });
            }
            return Ok(TypedReadiness::Failed { reason: "the sandbox does not know it any more".to_owned() });
        };
        Ok(match remote.state.as_str() {
            "available" | "running" | "active" => TypedReadiness::Ready,
            "failed" | "deleting" => TypedReadiness::Failed { reason: format!("the sandbox says: {}", remote.state) },
            state => TypedReadiness::NotYet { reason: format!("the sandbox says: {state}") },
        })
    }

    async fn quote(&self, ctx: &Context, items: &[QuoteItem]) -> Result<Vec<Prices>> {
        match K::PRICED {
            Some(names) => price::ask(&self.api.connect(ctx)?, K::PATH, names, items).await,
            None => Ok(vec![Prices::Free; items.len()]),
        }
    }

    async fn recover(&self, ctx: &Context, evidence: TypedEvidence<Self>) -> Result<TypedRecovery<Self>> {
        let cloud = self.api.connect(ctx)?;
        // An object that was there before, or whose id the create made durable.
        if let Some(known) = evidence.object {
            let found = match evidence.is_create {
                true => Self::read_new(ctx, &cloud, &known.id).await?,
                false => cloud.read(K::PATH, &known.id).await?,
            };
            return match found {
                Some(remote) => {
                    let before = evidence.asked.unwrap_or(known.inputs);
                    Ok(TypedRecovery::Found(object::<K>(remote, Some(before))?))
                }
                None => Ok(TypedRecovery::Absent),
            };
        }
        let Some(asked) = evidence.asked else {
            return Ok(TypedRecovery::CannotTell { reason: "it is not known what was asked for".to_owned() });
        };
        let key = ctx.idempotency_key();
        let found = match K::KEY {
            Key::Token => cloud.list(K::PATH, &[("token", &key)]).await?.into_iter().next(),
            Key::Names(names) => {
                let properties = serde_json::to_value(&asked).unwrap_or_default();
                let properties = properties.as_object().cloned().unwrap_or_default();
                Self::namesake(&cloud, &properties, names).await?
            }
        };
        match found.filter(|remote| owner(remote) == Some(&key)) {
            Some(remote) => Ok(TypedRecovery::Found(object::<K>(remote, Some(asked))?)),
            None => Ok(TypedRecovery::Absent),
        }
    }
}

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stackwright::{
    error::{Effect, Error, ErrorKind, Result},
    resource::{Context, Evidence, Object, Outcome, PlanRequest, PlanResponse, Readiness, Recovery, Resource, Traits},
    schema::{Attribute, Block, NestedBlock, Schema},
    value::{Type, Value},
};

use super::{
    probe::Probe,
    world::{self, Force, Identity, Launch},
};
use crate::{
    attributes::{blocking, differ, map, number, text, texts, with},
    file::hex,
    http::Client,
};

/// What a change of makes a restart necessary.
const STARTED_WITH: [&str; 5] = ["command", "environment", "working_directory", "log_file", "triggers"];

/// A program that runs in a session of its own.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    client: Client,
}

impl Process {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }
}

/// What only this type reads of an object.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Private {
    version: u32,
    start: String,
}

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        let ready = Block::new()
            .describe("How it shows that it works; without it, that it runs is enough.")
            .attribute("tcp", Attribute::optional(Type::String).describe("It accepts connections here, as `host:port`."))
            .attribute("http", Attribute::optional(Type::String).describe("It answers a GET of this URL."))
            .attribute("status", Attribute::optional(Type::Number).between(100, 599).describe("With this status; 200 to 399 without it."));
        Arc::new(
            Schema::new(1)
                .describe("A program that runs on this machine in a session of its own and outlives the engine. One that died is started again by the next apply, never behind a plan's back.")
                .attribute("id", Attribute::computed(Type::String).describe("The process number as text."))
                .attribute("command", Attribute::required(Type::list(Type::String)).describe("The program and its arguments; no shell reads them."))
                .attribute("environment", Attribute::optional(Type::map(Type::String)).describe("Variables beside the engine's own."))
                .attribute("working_directory", Attribute::optional(Type::String).describe("Where it runs."))
                .attribute("log_file", Attribute::optional(Type::String).describe("Where what it prints is added; thrown away without it."))
                .attribute("triggers", Attribute::optional(Type::map(Type::String)).describe("Any values; when one changes the program is started anew, such as the checksum of its configuration."))
                .attribute("stop_timeout_seconds", Attribute::optional(Type::Number).default(10).between(0, 3600).describe("How long it may take to end after SIGTERM, before SIGKILL."))
                .attribute("pid", Attribute::computed(Type::Number).describe("The process number."))
                .block("ready", NestedBlock::single(ready)),
        )
    }))
}

/// Returns a digest of everything that the process is started with.
fn digest(planned: &Value) -> String {
    let mut hasher = Sha256::new();
    let mut add = |text: &str| {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    for word in texts(planned, "command") {
        add(&word);
    }
    for name in ["environment", "triggers"] {
        add(name);
        for (key, value) in map(planned, name) {
            add(&key);
            add(&value);
        }
    }
    for name in ["working_directory", "log_file"] {
        add(text(planned, name).unwrap_or("\0"));
    }
    hex(&hasher.finalize())
}

fn launch(ctx: &Context, planned: &Value) -> Launch {
    Launch {
        command: texts(planned, "command"),
        environment: map(planned, "environment"),
        working_directory: text(planned, "working_directory").map(str::to_owned),
        log_file: text(planned, "log_file").map(PathBuf::from),
        mark: ctx.idempotency_key(),
        digest: digest(planned),
    }
}

fn object(attributes: &Value, identity: &Identity) -> Result<Object> {
    let private = serde_json::to_vec(&Private { version: 1, start: identity.start.clone() })
        .map_err(|error| Error::bug("a process could not be described").because(error))?;
    let pid = identity.pid.to_string();
    let set = [("id", Value::string(pid.as_str())), ("pid", Value::number(u64::from(identity.pid)))];
    Ok(Object { id: pid, attributes: with(attributes, set), private: Some(Arc::from(private)) })
}

/// Returns who an object is; `None` where what was stored names nobody.
fn identity(object: &Object) -> Option<Identity> {
    let private: Private = serde_json::from_slice(object.private.as_deref()?).ok()?;
    Some(Identity { pid: object.id.parse().ok()?, start: private.start })
}

/// Ends a process: asks, waits, then kills. Returns once it is gone.
async fn stop(ctx: &Context, attributes: &Value, identity: &Identity) -> Result<()> {
    let patience = Duration::from_secs(number(attributes, "stop_timeout_seconds").unwrap_or(10));
    let step = Duration::from_millis(20);
    for (force, patience) in [(Force::Ask, patience), (Force::Kill, Duration::from_secs(10))] {
        if !world::is_alive(identity) {
            return Ok(());
        }
        world::signal(identity, force)?;
        let mut waited = Duration::ZERO;
        while world::is_alive(identity) && waited < patience {
            // Even a cancelled delete waits: a process that was told to end must not be forgotten.
            ctx.clock().sleep(step).await;
            waited += step;
        }
    }
    if world::is_alive(identity) {
        let message = format!("process {} does not end, even when killed", identity.pid);
        return Err(Error::new(ErrorKind::Unavailable, "local.process", message).effect(Effect::Unknown));
    }
    Ok(())
}

impl Process {
    /// Starts what is planned, unless the process that carries the object's mark runs with just that.
    async fn bring_up(&self, ctx: &Context, planned: &Value) -> Result<Object> {
        let launch = launch(ctx, planned);
        let mark = launch.mark.clone();
        if let Some(found) = blocking(move || world::find(&mark)).await? {
            if found.digest == launch.digest {
                return object(planned, &found.identity);
            }
            stop(ctx, planned, &found.identity).await?;
        }
        let started = blocking(move || world::start(&launch)).await?;
        let made = object(planned, &started)?;
        ctx.checkpoint(&made.id, Some(&made.attributes)).await.map_err(|error| error.effect(Effect::Unknown))?;
        Ok(made)
    }
}

#[async_trait]
impl Resource for Process {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    fn traits(&self) -> Traits {
        Traits {
            // Between the fork and the exec the mark is not there yet.
            settle: Duration::from_millis(300),
            ready_timeout: Duration::from_secs(60),
            ready_interval: Duration::from_millis(100),
            call_timeout: Duration::from_secs(3700),
            ..Traits::default()
        }
    }

    fn validate(&self, config: &Value) -> Result<()> {
        let empty = config
            .attribute("command")
            .is_some_and(|command| command.is_known() && !command.is_null() && command.len() == 0);
        if empty {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "local.process",
                "`command` is empty; its first element is the program",
            ));
        }
        Ok(())
    }

    async fn plan(&self, _ctx: &Context, request: PlanRequest) -> Result<PlanResponse> {
        let restarts =
            request.prior.as_ref().is_none_or(|prior| differ(&prior.attributes, &request.proposed, &STARTED_WITH));
        let planned = match restarts {
            true => {
                with(&request.proposed, [("id", Value::unknown(Type::String)), ("pid", Value::unknown(Type::Number))])
            }
            false => request.proposed,
        };
        Ok(PlanResponse { planned, requires_replace: Vec::new(), private: None })
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        self.bring_up(ctx, &planned).await.into()
    }

    async fn read(&self, _ctx: &Context, object: &Object) -> Result<Option<Object>> {
        Ok(identity(object).filter(world::is_alive).map(|_| object.clone()))
    }

    async fn update(&self, ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        let before = identity(prior);
        if !differ(&prior.attributes, &planned, &STARTED_WITH) {
            return before
                .ok_or_else(|| Error::bug("a process without identity"))
                .and_then(|id| object(&planned, &id))
                .into();
        }
        if let Some(before) = before
            && let Err(error) = stop(ctx, &prior.attributes, &before).await
        {
            return Outcome::failed(error);
        }
        match self.bring_up(ctx, &planned).await {
            Ok(object) => Outcome::complete(object),
            // The old one is gone already, so there is no object any more.
            Err(error) => Outcome { object: stackwright::resource::ObjectState::Gone, problems: vec![error] },
        }
    }

    async fn delete(&self, ctx: &Context, prior: &Object) -> Outcome {
        let stopped = match identity(prior) {
            Some(identity) => stop(ctx, &prior.attributes, &identity).await,
            None => Ok(()),
        };
        match stopped {
            Ok(()) => Outcome::gone(),
            Err(error) => Outcome::failed(error),
        }
    }

    async fn import(&self, _ctx: &Context, id: &str) -> Result<Option<Object>> {
        let pid = id.parse::<u32>().ok().filter(|pid| *pid > 1).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "resource.import_id", format!("`{id}` is not a process number"))
        })?;
        let Some(start) = world::start_of(pid) else { return Ok(None) };
        let command = world::command_of(pid).unwrap_or_default().into_iter().map(Value::string).collect();
        let empty = schema().block.empty_value();
        let known = [("command", Value::list(Type::String, command)), ("stop_timeout_seconds", Value::number(10_u64))];
        object(&with(&empty, known), &Identity { pid, start }).map(Some)
    }

    async fn ready(&self, _ctx: &Context, object: &Object) -> Result<Readiness> {
        let Some(identity) = identity(object) else {
            return Ok(Readiness::Failed { reason: "what was stored names no process".to_owned() });
        };
        if !world::is_alive(&identity) {
            let log = text(&object.attributes, "log_file").map_or_else(String::new, |path| format!("; see {path}"));
            return Ok(Readiness::Failed { reason: format!("process {} ended{log}", identity.pid) });
        }
        Ok(match Probe::of(&object.attributes).ask(&self.client).await {
            Ok(()) => Readiness::Ready(object.clone()),
            Err(reason) => Readiness::NotYet { reason },
        })
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        let mark = ctx.idempotency_key();
        let found = match blocking(move || world::find(&mark)).await {
            Ok(found) => found,
            Err(error) => return Ok(Recovery::CannotTell { reason: error.report() }),
        };
        let Some(found) = found else { return Ok(Recovery::Absent) };
        let planned = evidence.planned.as_ref().filter(|planned| digest(planned) == found.digest);
        let attributes =
            planned.or(evidence.prior.as_ref().map(|prior| &prior.attributes)).or(evidence.partial.as_ref());
        match attributes {
            Some(attributes) => object(attributes, &found.identity).map(Recovery::Found),
            None => Ok(Recovery::CannotTell {
                reason: format!("process {} was started with something else", found.identity.pid),
            }),
        }
    }
}

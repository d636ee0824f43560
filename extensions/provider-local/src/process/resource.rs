use std::{path::Path, process::ExitStatus, time::Duration};

use async_trait::async_trait;
use stackwright::{
    error::{Effect, Error, ErrorKind, Result},
    resource::{
        Context, Evidence, Object, ObjectState, Outcome, PlanRequest, PlanResponse, Readiness, Recovery, Resource,
        Traits,
    },
    schema::Schema,
    value::{Type, Value},
};

use super::{
    crew::{self, Marked, Owner},
    identity::{Identity, Private},
    launch::{DIGEST, Launch, MARK, digest},
    probe::{self, Probe},
    schema::{self, LONGEST_READY_SECONDS, STARTED_WITH},
    table,
    watch::Watch,
};
use crate::{
    attributes::{blocking, differ, get, number, text, with},
    http::Client,
    log,
};

/// A program that runs in a session of its own.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    client: Client,
    watch: Watch,
}

fn object(attributes: &Value, identity: &Identity, log_from: u64) -> Result<Object> {
    let pid = identity.pid.to_string();
    let set = [("id", Value::string(pid.as_str())), ("pid", Value::number(u64::from(identity.pid)))];
    let private = Private::new(identity, log_from).encode()?;
    Ok(Object { id: pid, attributes: with(attributes, set), private: Some(private) })
}

fn stop_patience(attributes: &Value) -> Duration {
    Duration::from_secs(number(attributes, "stop_timeout_seconds").unwrap_or(10))
}

/// Returns whether a process has to be started anew to become what is planned. One that died and left others behind
/// has; one that was started with just that
/// already, such as one that was adopted, has not.
fn needs_restart(prior: &Object, planned: &Value) -> bool {
    if get(&prior.attributes, "pid").is_null() {
        return true;
    }
    if !differ(&prior.attributes, planned, &STARTED_WITH) {
        return false;
    }
    let is_known = STARTED_WITH.iter().all(|name| get(planned, name).is_wholly_known());
    let runs_with = || {
        let (identity, _) = Private::decode(prior).ok()?;
        identity.running().ok()??;
        crew::variable(identity.pid, DIGEST)
    };
    !is_known || runs_with().is_none_or(|found| found != digest(planned))
}

fn ending(status: Option<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) => format!("ended with code {code}"),
        Some((None, Some(signal))) => format!("was ended by signal {signal}"),
        _ => "ended".to_owned(),
    }
}

impl Process {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, watch: Watch::default() }
    }

    /// Starts what is planned, unless the process that carries the object's mark runs with just that.
    async fn bring_up(&self, ctx: &Context, planned: &Value) -> Result<Object> {
        let launch = Launch::of(planned, ctx.idempotency_key());
        let launch = blocking(move || launch.check().map(|()| launch)).await?;
        let mark = launch.mark.clone();
        if !crew::hides_marks() {
            let found = blocking(move || crew::find(&mark)).await?;
            if let Some(found) = found.filter(|found| found.digest == launch.digest) {
                return object(planned, &found.identity, 0);
            }
            // What an earlier attempt left behind, if anything: it would be in the way.
            crew::stop(ctx, Owner::marked(launch.mark.clone()), stop_patience(planned)).await?;
        }
        let started = blocking(move || launch.start()).await?;
        self.watch.started(&started);
        let made = object(planned, &started.identity, started.log_from)?;
        let noted = ctx.checkpoint(&started.identity.to_string(), Some(&made.attributes)).await;
        noted.map_err(|error| error.effect(Effect::Unknown))?;
        Ok(made)
    }

    /// Says why a process will never be ready.
    async fn obituary(&self, object: &Object, identity: &Identity, log_from: u64) -> String {
        let mut reason = format!("process {} {}", identity.pid, ending(self.watch.ended(identity).await));
        if let Some(path) = text(&object.attributes, "log_file") {
            match log::tail(Path::new(path), log_from, &log::secrets(&object.attributes)) {
                Some(lines) => reason.push_str(&format!("; the last lines of {path}:\n{lines}")),
                None => reason.push_str(&format!("; it added nothing to {path}")),
            }
        }
        reason
    }
}

#[async_trait]
impl Resource for Process {
    fn schema(&self) -> std::sync::Arc<Schema> {
        schema::schema()
    }

    fn traits(&self) -> Traits {
        Traits {
            // Between the fork and the exec the mark is not there yet.
            settle: Duration::from_millis(300),
            // Each process says itself how long it may take.
            ready_timeout: Duration::from_secs(LONGEST_READY_SECONDS + 60),
            ready_interval: Duration::from_millis(100),
            call_timeout: Duration::from_secs(3700),
            free: true,
            ..Traits::default()
        }
    }

    async fn validate(&self, _ctx: &Context, config: &Value) -> Result<()> {
        schema::check(config)
    }

    async fn plan(&self, _ctx: &Context, request: PlanRequest) -> Result<PlanResponse> {
        let restarts = request.prior.as_ref().is_none_or(|prior| needs_restart(prior, &request.proposed));
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
        let (identity, _) = Private::decode(object)?;
        if identity.running()?.is_some() {
            return Ok(Some(object.clone()));
        }
        self.watch.ended(&identity).await;
        // What it started may live on and be in the way of the next one: then there is still something to end.
        let left = Owner::of(identity).crew(&[])?;
        let headless = || with(&object.attributes, [("pid", Value::null(Type::Number))]);
        Ok((!left.is_empty()).then(|| Object { attributes: headless(), ..object.clone() }))
    }

    async fn update(&self, ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        let (identity, log_from) = match Private::decode(prior) {
            Ok(decoded) => decoded,
            Err(error) => return Outcome::failed(error),
        };
        if !needs_restart(prior, &planned) {
            return object(&planned, &identity, log_from).into();
        }
        let launch = Launch::of(&planned, ctx.idempotency_key());
        // Nothing is stopped for something that cannot be started.
        if let Err(error) = blocking(move || launch.check()).await {
            return Outcome::failed(error);
        }
        if let Err(error) = crew::stop(ctx, Owner::of(identity.clone()), stop_patience(&prior.attributes)).await {
            return Outcome::failed(error);
        }
        self.watch.ended(&identity).await;
        match self.bring_up(ctx, &planned).await {
            Ok(object) => Outcome::complete(object),
            Err(error) if error.effect_on_world() == Effect::Unknown => Outcome::failed(error),
            // The old one is gone already, so there is no object any more.
            Err(error) => Outcome { object: ObjectState::Gone, problems: vec![error] },
        }
    }

    async fn delete(&self, ctx: &Context, prior: &Object) -> Outcome {
        let (identity, _) = match Private::decode(prior) {
            Ok(decoded) => decoded,
            Err(error) => return Outcome::failed(error),
        };
        match crew::stop(ctx, Owner::of(identity.clone()), stop_patience(&prior.attributes)).await {
            Ok(()) => {
                self.watch.ended(&identity).await;
                Outcome::gone()
            }
            Err(error) => Outcome::failed(error),
        }
    }

    /// The id is a process number.
    async fn import(&self, _ctx: &Context, id: &str) -> Result<Option<Object>> {
        let refuse = |message: String| Error::new(ErrorKind::InvalidInput, "resource.import_id", message);
        let pid = id.parse::<u32>().ok().filter(|pid| *pid > 1);
        let pid = pid.ok_or_else(|| refuse(format!("`{id}` is not the number of a process that can be adopted")))?;
        let Some(entry) = table::look(pid)?.filter(table::Entry::is_running) else { return Ok(None) };
        let own = table::look(std::process::id())?;
        let holds_engine = own.is_some_and(|own| [own.pid, own.parent, own.group, own.session].contains(&pid));
        if holds_engine {
            return Err(refuse(format!(
                "process {pid} is the engine, or what it runs in; ending it would end the engine"
            )));
        }
        if table::is_thread(pid) {
            return Err(refuse(format!("{pid} is a thread of another process; name that one")));
        }
        let Some(command) = table::command_line(pid) else {
            return Err(refuse(format!("process {pid} belongs to the system, or hides its command line")));
        };
        let command = command.into_iter().map(Value::string).collect();
        let empty = schema::schema().block.empty_value();
        let known = [("command", Value::list(Type::String, command)), ("stop_timeout_seconds", Value::number(10_u64))];
        let identity = Identity::of(&entry, crew::variable(pid, MARK));
        object(&with(&empty, known), &identity, 0).map(Some)
    }

    async fn ready(&self, ctx: &Context, object: &Object) -> Result<Readiness> {
        let (identity, log_from) = Private::decode(object)?;
        if identity.running()?.is_none() {
            return Ok(Readiness::Failed { reason: self.obituary(object, &identity, log_from).await });
        }
        let awaited = self.watch.awaited(&identity, ctx.clock().monotonic());
        let probe = Probe::of(&object.attributes);
        let answer = tokio::select! {
            answer = probe.ask(&self.client, awaited) => answer,
            () = ctx.cancellation().cancelled() => Err("the wait was cancelled".to_owned()),
        };
        // Whoever answered, it may have been another one while this one ended.
        if identity.running()?.is_none() {
            return Ok(Readiness::Failed { reason: self.obituary(object, &identity, log_from).await });
        }
        let limit = probe::patience(&object.attributes);
        Ok(match answer {
            Ok(()) => {
                self.watch.answered(&identity);
                Readiness::Ready(object.clone())
            }
            Err(reason) if awaited >= limit => {
                self.watch.answered(&identity);
                Readiness::Failed { reason: format!("not ready after {} s: {reason}", limit.as_secs()) }
            }
            Err(reason) => Readiness::NotYet { reason },
        })
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        let prior = evidence.prior.as_ref();
        let before = prior.map(Private::decode).transpose()?;
        let mark = ctx.idempotency_key();
        let by_mark = match blocking(move || if crew::hides_marks() { Ok(None) } else { crew::find(&mark) }).await {
            Ok(found) => found,
            Err(error) => return Ok(Recovery::CannotTell { reason: error.report() }),
        };
        // What was noted counts where a program wrote over its environment, or the system hides it.
        let noted = evidence.id.as_deref().and_then(|id| id.parse::<Identity>().ok());
        let noted = noted.map(|identity| Identity { mark: Some(ctx.idempotency_key()), ..identity });
        let noted = match noted {
            Some(identity) => identity.running()?.map(|_| identity),
            None => None,
        };
        let matches = |found: &Marked| evidence.planned.as_ref().is_some_and(|planned| digest(planned) == found.digest);
        let log_from = before.as_ref().map_or(0, |(_, log_from)| *log_from);
        if let (Some(found), Some(planned)) = (by_mark.as_ref().filter(|found| matches(found)), &evidence.planned) {
            return object(planned, &found.identity, log_from).map(Recovery::Found);
        }
        if let (None, Some(identity), Some(planned)) = (&by_mark, &noted, &evidence.planned) {
            return object(planned, identity, log_from).map(Recovery::Found);
        }
        if let (Some(prior), Some((identity, _))) = (prior, before) {
            let owner = Owner::of(identity.clone());
            let is_left = identity.running()?.is_some() || evidence.planned.is_none() && !owner.crew(&[])?.is_empty();
            if is_left {
                return Ok(Recovery::Found(prior.clone()));
            }
        }
        match by_mark {
            Some(found) => Ok(Recovery::CannotTell {
                reason: format!("process {} was started with something else", found.identity.pid),
            }),
            None if crew::hides_marks() && prior.is_none() && evidence.id.is_none() => Ok(Recovery::CannotTell {
                reason: "this system does not show which processes were started for what".to_owned(),
            }),
            None => Ok(Recovery::Absent),
        }
    }
}

use serde_json::{Value, json};
use stackwright::{
    error::{Error, ErrorKind, Result},
    plan::{Plan, StepId},
    run::{Conclusion, Entry, Fact},
    stack::{ApplyOptions, OpenCall, RunView, Stack},
    state::{RunId, RunStatus},
};

use super::{Failure, apply};
use crate::{
    arguments::{ForceUnlock, Runs},
    exit::Exit,
    lock,
    session::Session,
    terminal::{Style, confirm},
};

pub(super) async fn run(session: &Session, arguments: &Runs, style: Style) -> Result<Exit, Failure> {
    match arguments {
        Runs::List { limit, json } => {
            for run in session.stack().await?.runs(*limit).await? {
                say!("{}", if *json { run_json(&run).to_string() } else { line(&run) });
            }
            Ok(Exit::Success)
        }
        Runs::Show { run, json } => {
            let stack = session.stack().await?;
            let run = find(&stack, run.as_deref(), Wanted::Newest).await?;
            show(&stack, &run, *json).await?;
            Ok(Exit::Success)
        }
        Runs::Resume { run, locking, parallelism, .. } => {
            let stack = session.stack_to_change(locking.lock_timeout, style).await?;
            let run = find(&stack, run.as_deref(), Wanted::Unfinished).await?;
            let options = ApplyOptions { parallelism: *parallelism as usize, ..ApplyOptions::default() };
            let run = stack.resume(run.id, options).await?;
            let report = apply::watch(run, style).await?;
            if report.status != RunStatus::Succeeded {
                apply::tell(session, &stack, &report, style).await?;
                return Ok(Exit::Failure);
            }
            if style != Style::Json {
                say!("Run {} is done.", report.run);
            }
            Ok(Exit::Success)
        }
        Runs::Abandon { run, locking, force, .. } => {
            let stack = session.stack_to_change(locking.lock_timeout, style).await?;
            let run = find(&stack, run.as_deref(), Wanted::Unfinished).await?;
            if style == Style::Json {
                abandon_silently(&stack, &run).await
            } else {
                abandon(&stack, &run, *force).await
            }
        }
    }
}

/// Which run is meant where none is named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Newest,
    Unfinished,
}

async fn find(stack: &Stack, named: Option<&str>, wanted: Wanted) -> Result<RunView> {
    let missing = |code: &'static str, message: String| Error::new(ErrorKind::NotFound, code, message);
    if let Some(named) = named {
        let named = id(named)?;
        let runs = stack.runs(u32::MAX).await?;
        let found = runs.into_iter().find(|run| run.id == named);
        return found.ok_or_else(|| {
            missing("run.unknown", format!("`{}` has no run {named}; `stackwright runs list` shows them", stack.key()))
        });
    }
    match wanted {
        Wanted::Newest => stack
            .runs(1)
            .await?
            .into_iter()
            .next()
            .ok_or_else(|| missing("run.unknown", format!("nothing was ever applied to `{}`", stack.key()))),
        Wanted::Unfinished => stack.unfinished_run().await?.ok_or_else(|| {
            missing("run.ended", "no run is unfinished; `stackwright runs list` shows how the newest ended".to_owned())
        }),
    }
}

fn line(run: &RunView) -> String {
    let finished = run.finished.map_or_else(|| "-".to_owned(), |at| at.to_string());
    format!("{}  {:<9}  {}  {finished:<24}  {}  {}", run.id, run.status.as_str(), run.started, run.who, run.why)
}

fn run_json(run: &RunView) -> Value {
    json!({
        "id": run.id.to_string(), "status": run.status.as_str(), "started": run.started.to_string(),
        "finished": run.finished.map(|at| at.to_string()), "who": run.who, "why": run.why,
        "steps": run.step_count, "done": run.done_count, "failed": run.failed_count, "skipped": run.skipped_count,
    })
}

async fn show(stack: &Stack, run: &RunView, json: bool) -> Result<()> {
    let calls = stack.open_calls(run.id).await?;
    let segments = stack.segments(run.id).await?;
    let entries = stack.journal(run.id).await?;
    if json {
        let calls: Vec<_> = calls.iter().map(call_json).collect();
        let facts = facts(&segments, &entries).map(|(entry, step)| {
            json!({
                "seq": entry.seq, "at": entry.at.to_string(), "fact": entry.fact.name(),
                "step": entry.fact.step().map(|step| step.0),
                "address": step.as_ref().map(|(address, _)| address), "action": step.as_ref().map(|(_, action)| action),
                "detail": detail(&entry.fact),
            })
        });
        let facts: Vec<_> = facts.collect();
        say!("{}", json!({ "run": run_json(run), "open_calls": calls, "facts": facts }));
        return Ok(());
    }
    say!("Run {} is {}.", run.id, run.status.as_str());
    say!("  began     {}", run.started);
    if let Some(finished) = run.finished {
        say!("  ended     {finished}");
    }
    for (what, value) in [("who       ", &run.who), ("why       ", &run.why)] {
        if !value.is_empty() {
            say!("  {what}{value}");
        }
    }
    match run.finished {
        Some(_) => say!(
            "  steps     {}: {} done, {} failed, {} not started",
            run.step_count,
            run.done_count,
            run.failed_count,
            run.skipped_count
        ),
        None => say!("  steps     {}", run.step_count),
    }
    print_open(&calls);
    say!("");
    for (entry, step) in facts(&segments, &entries) {
        let step = step.map_or_else(String::new, |(address, action)| format!("  {action} {address}"));
        let detail = detail(&entry.fact).map_or_else(String::new, |detail| format!("  ({detail})"));
        say!("{:>6}  {}  {}{step}{detail}", entry.seq, entry.at, entry.fact.name());
    }
    if run.status == RunStatus::Running {
        say!("\n`stackwright runs resume` goes on with it; `stackwright runs abandon` gives it up.");
    }
    Ok(())
}

type About = Option<(String, &'static str)>;

/// Returns facts, each with the address and the action of its step. After a rollback began, steps are those of the rollback.
fn facts<'a>(segments: &'a [Plan], entries: &'a [Entry]) -> impl Iterator<Item = (&'a Entry, About)> {
    let undone_from = entries.iter().position(|entry| matches!(entry.fact, Fact::RollbackStarted { .. }));
    entries.iter().enumerate().map(move |(number, entry)| {
        let segment = usize::from(undone_from.is_some_and(|from| number > from));
        let about = |step: StepId| {
            let step = segments.get(segment)?.step(step)?;
            Some((step.address.to_string(), step.action.as_str()))
        };
        (entry, entry.fact.step().and_then(about))
    })
}

/// Returns what there is to say of a fact beside its name. No values.
fn detail(fact: &Fact) -> Option<String> {
    match fact {
        Fact::Started { attempt, .. } if *attempt > 1 => Some(format!("attempt {attempt}")),
        Fact::Checkpointed { id, .. } => Some(format!("id {id}")),
        Fact::Interrupted { error, .. } => Some(format!("{}: {}", error.code, error.message)),
        Fact::Failed { errors, .. } => errors.first().map(|error| format!("{}: {}", error.code, error.message)),
        Fact::Recovered { conclusion, .. } => Some(match conclusion {
            Conclusion::Found => "found in the world".to_owned(),
            Conclusion::Missing => "not in the world".to_owned(),
            Conclusion::Repeatable => "may be repeated".to_owned(),
            Conclusion::CannotTell { reason } => format!("nobody can tell: {reason}"),
        }),
        Fact::Order { fact } => Some(fact.name().to_owned()),
        Fact::Finished { status } => Some(status.as_str().to_owned()),
        _ => None,
    }
}

fn call_json(call: &OpenCall) -> Value {
    json!({
        "address": call.address.to_string(), "action": call.action.as_str(), "attempt": call.attempt,
        "began": call.began.to_string(), "key": call.object_id.map(|object| object.to_string()),
    })
}

fn print_open(calls: &[OpenCall]) {
    if calls.is_empty() {
        return;
    }
    say!("\nCalls that had begun and whose end was not noted:");
    for call in calls {
        let key = call.object_id.map_or_else(String::new, |object| format!(", key {object}"));
        say!("  {} {}, since {}{key}", call.action.as_str(), call.address, call.began);
    }
}

/// Gives a run up, once somebody knows what that means.
async fn abandon(stack: &Stack, run: &RunView, force: bool) -> Result<Exit, Failure> {
    let calls = stack.open_calls(run.id).await?;
    if calls.is_empty() {
        say!("No call of run {} was under way: state has everything that it did. The rest is not done.", run.id);
    } else {
        print_open(&calls);
        say!(
            "\nWhat they did is not in state and will not be looked up: what they made stays in the world and nobody \
             knows it.\n`stackwright runs resume` finds out and loses nothing."
        );
    }
    if !force && !confirm(&format!("Give run {} up?", run.id)) {
        say!("Nothing was changed.");
        return Ok(Exit::Failure);
    }
    stack.abandon(run.id).await?;
    say!("Run {} is abandoned. `stackwright plan` shows what is left to do.", run.id);
    Ok(Exit::Success)
}

/// The same for programs, which said so beforehand.
async fn abandon_silently(stack: &Stack, run: &RunView) -> Result<Exit, Failure> {
    let calls = stack.open_calls(run.id).await?;
    stack.abandon(run.id).await?;
    let calls: Vec<_> = calls.iter().map(call_json).collect();
    let run = find(stack, Some(&run.id.to_string()), Wanted::Newest).await?;
    say!("{}", json!({ "run": run_json(&run), "open_calls": calls }));
    Ok(Exit::Success)
}

pub(super) async fn force_unlock(session: &Session, arguments: &ForceUnlock) -> Result<Exit, Failure> {
    let stack = session.stack().await?;
    let Some(lease) = stack.lease().await? else {
        say!("{} is not locked.", stack.key());
        return Ok(Exit::Success);
    };
    say!("{} is locked by {} until {}.", stack.key(), lock::readable(&lease.holder), lease.expires);
    if !arguments.force && !confirm("Take the lock away? Only do so when that process is dead.") {
        say!("Nothing was changed.");
        return Ok(Exit::Failure);
    }
    stack.break_lease().await?;
    say!("The lock is gone.");
    Ok(Exit::Success)
}

fn id(text: &str) -> Result<RunId> {
    text.parse().map_err(|_| {
        Error::new(
            ErrorKind::InvalidInput,
            "cli.usage",
            format!("`{text}` is not a run; `stackwright runs list` shows them"),
        )
    })
}

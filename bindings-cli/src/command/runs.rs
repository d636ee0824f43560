use stackwright::{
    error::{Error, ErrorKind, Result},
    stack::ApplyOptions,
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
    let stack = match arguments {
        Runs::Resume { locking, .. } | Runs::Abandon { locking, .. } => {
            session.stack_to_change(locking.lock_timeout, style).await?
        }
        Runs::List { .. } | Runs::Show { .. } => session.stack().await?,
    };
    match arguments {
        Runs::List { limit, json } => {
            for run in stack.runs(*limit).await? {
                let finished = run.finished.map(|at| at.to_string());
                if *json {
                    say!(
                        "{}",
                        serde_json::json!({
                            "id": run.id.to_string(), "status": run.status.as_str(), "started": run.started.to_string(),
                            "finished": finished, "who": run.who, "why": run.why,
                        })
                    );
                } else {
                    let finished = finished.unwrap_or_else(|| "-".to_owned());
                    say!(
                        "{}  {:<9}  {}  {finished:<24}  {}  {}",
                        run.id,
                        run.status.as_str(),
                        run.started,
                        run.who,
                        run.why
                    );
                }
            }
        }
        Runs::Show { run } => {
            for entry in stack.journal(id(run)?).await? {
                let step = entry.fact.step().map_or_else(String::new, |step| format!(" step {}", step.0));
                say!("{:>6}  {}  {}{step}", entry.seq, entry.at, entry.fact.name());
            }
        }
        Runs::Resume { run, .. } => {
            let run = match run {
                Some(run) => id(run)?,
                None => match stack.unfinished_run().await? {
                    Some(run) => run.id,
                    None => {
                        return Err(Error::new(
                            ErrorKind::NotFound,
                            "run.ended",
                            "no run is unfinished; there is nothing to resume",
                        )
                        .into());
                    }
                },
            };
            let run = stack.resume(run, ApplyOptions::default()).await?;
            let report = apply::watch(run, style).await?;
            if report.status != RunStatus::Succeeded {
                apply::tell(&report, style);
                return Ok(Exit::Failure);
            }
            if style != Style::Json {
                say!("\n{}", style.paint("1;32", &format!("Run complete! {} steps done.", report.done_count)));
            }
        }
        Runs::Abandon { run, .. } => {
            let run = id(run)?;
            stack.abandon(run).await?;
            say!(
                "Run {run} is abandoned. `stackwright plan` shows what is left to do; look for objects that it may have made without noting it."
            );
        }
    }
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

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use stackwright::{
    error::{Error, ErrorKind, RenderOptions, Result, Sources, render_all},
    plan::{Mode, Plan},
    run::{OnFailure, RunReport},
    stack::{ApplyOptions, Run, Stack},
    state::{RowStatus, RunStatus},
    template::{FileKind, Files, Options, Origin, RawVariables, Template},
};

use super::{Failure, InSources as _, plan as planning};
use crate::{
    arguments::{self, Planning},
    exit::Exit,
    session::{Session, quoted},
    show,
    terminal::{Progress, Style, confirm},
    variables::{self, Asking},
};

/// Whether a person is asked before something changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Approval {
    Ask,
    Given,
}

pub(super) async fn apply(session: &Session, arguments: &arguments::Apply, style: Style) -> Result<Exit, Failure> {
    if arguments.plan.is_some() {
        refuse_what_a_saved_plan_fixes(arguments)?;
    }
    let stack = session.stack_to_change(arguments.planning.locking.lock_timeout, style).await?;
    finish_earlier(session, &stack, &arguments.planning, style).await?;
    let on_failure = match arguments.on_failure.as_str() {
        "continue" => OnFailure::Continue,
        "rollback" => OnFailure::Rollback,
        _ => OnFailure::Stop,
    };
    if let Some(path) = &arguments.plan {
        let plan = planning::open(&stack, &session.folder.join(path))?;
        let given = again(session, &plan, &arguments.planning)?;
        return carry_out(session, &stack, plan, given, &arguments.planning, on_failure, style).await;
    }
    let mode = match (arguments.destroy, arguments.planning.refresh_only) {
        (true, _) => Mode::Destroy,
        (false, true) => Mode::RefreshOnly,
        (false, false) => Mode::Normal,
    };
    let approval = if arguments.auto_approve { Approval::Given } else { Approval::Ask };
    plan_and_carry_out(session, &stack, &arguments.planning, mode, approval, on_failure, style).await
}

pub(super) async fn destroy(session: &Session, arguments: &arguments::Destroy, style: Style) -> Result<Exit, Failure> {
    let stack = session.stack_to_change(arguments.planning.locking.lock_timeout, style).await?;
    finish_earlier(session, &stack, &arguments.planning, style).await?;
    let approval = if arguments.auto_approve { Approval::Given } else { Approval::Ask };
    plan_and_carry_out(session, &stack, &arguments.planning, Mode::Destroy, approval, OnFailure::Stop, style).await
}

pub(super) async fn refresh(session: &Session, arguments: &arguments::Refresh, style: Style) -> Result<Exit, Failure> {
    let stack = session.stack_to_change(arguments.planning.locking.lock_timeout, style).await?;
    finish_earlier(session, &stack, &arguments.planning, style).await?;
    let mode = Mode::RefreshOnly;
    plan_and_carry_out(session, &stack, &arguments.planning, mode, Approval::Given, OnFailure::Stop, style).await
}

/// A saved plan is carried out as it was approved; what would change it can only be said when it is made.
fn refuse_what_a_saved_plan_fixes(arguments: &arguments::Apply) -> Result<()> {
    let planning = &arguments.planning;
    let given = [
        ("-target", !planning.target.is_empty()),
        ("-replace", !planning.replace.is_empty()),
        ("-destroy", arguments.destroy),
        ("-refresh-only", planning.refresh_only),
    ];
    let given: Vec<&str> = given.into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag).collect();
    if given.is_empty() {
        return Ok(());
    }
    let message = format!("{} cannot be given with a saved plan; give it to `plan -out`", given.join(", "));
    Err(Error::new(ErrorKind::InvalidInput, "cli.usage", message))
}

/// Collects the ephemeral variables of a saved plan, whose values it does not have. Returns the plan's own texts as well.
fn again(session: &Session, plan: &Plan, arguments: &Planning) -> Result<(RawVariables, Sources), Failure> {
    let mut files = Files::from_texts(plan.inputs.files.iter().map(|(path, text)| (path, text.clone())));
    for (path, text) in Files::from_dir(&session.folder)?.in_dir("") {
        if FileKind::of(path) == FileKind::Values {
            files.insert(path, text.clone());
        }
    }
    let (mut template, _) = Template::parse(&files, &Options::default().edition(plan.inputs.edition));
    let mut raw = variables::gather(&arguments.variables, &mut template, &session.folder, Asking::Never)
        .in_sources(template.sources())?;
    let declared = &template.root().variables;
    let is_ephemeral = |name: &str| declared.get(name).is_some_and(|variable| variable.ephemeral);
    let fixed: Vec<String> = raw
        .values
        .iter()
        .filter(|(name, value)| matches!(value.origin, Origin::Argument) && !is_ephemeral(name))
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    if !fixed.is_empty() {
        let message = format!(
            "{} cannot be given with a saved plan, which takes ephemeral variables alone; give it to `plan -out`",
            fixed.join(", ")
        );
        return Err(Error::new(ErrorKind::InvalidInput, "cli.usage", message).into());
    }
    raw.values.retain(|name, _| is_ephemeral(name));
    Ok((raw, template.sources().clone()))
}

/// Goes on with a run whose process died, before anything new is planned.
async fn finish_earlier(session: &Session, stack: &Stack, planning: &Planning, style: Style) -> Result<(), Failure> {
    let Some(earlier) = stack.unfinished_run().await? else { return Ok(()) };
    if style != Style::Json {
        say!("Run {} of {} never ended. It is resumed first.\n", earlier.id, earlier.started);
    }
    let run = stack.resume(earlier.id, options(planning, OnFailure::Stop, "")).await?;
    let Watched { report, interrupted } = watch_closely(run, style).await?;
    match report.status {
        RunStatus::Succeeded => Ok(()),
        // It was cancelled before it died, and what was under way then is settled now.
        RunStatus::Cancelled if !interrupted => {
            if style != Style::Json {
                say!("\nRun {} had been cancelled; what was under way is settled.\n", earlier.id);
            }
            Ok(())
        }
        status => {
            tell(session, stack, &report, style).await?;
            let message =
                format!("the resumed run is {}; see above, mend the cause, then apply again", status.as_str());
            Err(Error::new(ErrorKind::Conflict, "run.failed", message).into())
        }
    }
}

async fn plan_and_carry_out(
    session: &Session,
    stack: &Stack,
    arguments: &Planning,
    mode: Mode,
    approval: Approval,
    on_failure: OnFailure,
    style: Style,
) -> Result<Exit, Failure> {
    let (plan, sources) = planning::make(session, stack, arguments, mode, Vec::new(), style).await?;
    planning::print(&plan, &sources, arguments, style)?;
    if style != Style::Json && !plan.is_empty() {
        say!("");
    }
    if approval == Approval::Ask && !plan.is_empty() && !approved(stack, mode, arguments, style).in_sources(&sources)? {
        say!("{} cancelled.", if mode == Mode::Destroy { "Destroy" } else { "Apply" });
        return Ok(Exit::Failure);
    }
    let given = (RawVariables::default(), sources_of(&plan));
    carry_out(session, stack, plan, given, arguments, on_failure, style).await
}

fn approved(stack: &Stack, mode: Mode, arguments: &Planning, style: Style) -> Result<bool> {
    if !arguments.input || style == Style::Json {
        let message = "nobody can be asked to approve the plan; give `-auto-approve`, or apply a saved plan";
        return Err(Error::new(ErrorKind::InvalidInput, "cli.usage", message));
    }
    let question = match mode {
        Mode::Destroy => format!("Do you really want to destroy everything in {}? There is no undo.", stack.key()),
        _ => format!("Do you want to perform these actions in {}?", stack.key()),
    };
    Ok(confirm(&question))
}

fn options(arguments: &Planning, on_failure: OnFailure, why: &str) -> ApplyOptions {
    let who = std::env::var("USER").unwrap_or_default();
    let parallelism = arguments.parallelism as usize;
    ApplyOptions { parallelism, on_failure, who, why: why.to_owned(), ..ApplyOptions::default() }
}

async fn carry_out(
    session: &Session,
    stack: &Stack,
    plan: Plan,
    (variables, sources): (RawVariables, Sources),
    arguments: &Planning,
    on_failure: OnFailure,
    style: Style,
) -> Result<Exit, Failure> {
    let destroying = plan.mode == Mode::Destroy;
    let count = |wanted: &[stackwright::plan::StepAction]| {
        plan.steps.iter().filter(|step| wanted.contains(&step.action)).count()
    };
    let counts = Counts {
        added: count(&[stackwright::plan::StepAction::Create]),
        changed: count(&[stackwright::plan::StepAction::Update]),
        destroyed: count(&[stackwright::plan::StepAction::Delete]),
    };
    if plan.is_empty() {
        if style != Style::Json {
            say!("\n{}", style.paint("1;32", &summary(destroying, &counts)));
            print_outputs(stack).await?;
        }
        return Ok(Exit::Success);
    }
    let why = match plan.mode {
        Mode::Destroy => "destroy",
        Mode::RefreshOnly => "refresh",
        _ => "apply",
    };
    let options = ApplyOptions { variables, ..options(arguments, on_failure, why) };
    let run = stack.apply(plan, options).await.in_sources(&sources)?;
    let report = watch(run, style).await.in_sources(&sources)?;
    if report.status != RunStatus::Succeeded {
        tell(session, stack, &report, style).await?;
        return Ok(Exit::Failure);
    }
    warn(&report, &sources, style);
    if style == Style::Json {
        say!("{}", serde_json::json!({ "type": "outputs", "outputs": show::outputs_json(&stack.outputs().await?)? }));
    } else {
        say!("\n{}", style.paint("1;32", &summary(destroying, &counts)));
        print_outputs(stack).await?;
    }
    if destroying && stack.state().await?.rows.is_empty() {
        // Nothing is left to remember; a stack that is gone leaves no row behind.
        stack.forget().await?;
    }
    Ok(Exit::Success)
}

struct Counts {
    added: usize,
    changed: usize,
    destroyed: usize,
}

fn summary(destroying: bool, counts: &Counts) -> String {
    let Counts { added, changed, destroyed } = counts;
    match destroying {
        true => format!("Destroy complete! Resources: {destroyed} destroyed."),
        false => format!("Apply complete! Resources: {added} added, {changed} changed, {destroyed} destroyed."),
    }
}

/// Shows what `check` blocks warn of.
fn warn(report: &RunReport, sources: &Sources, style: Style) {
    if !report.warnings.is_empty() && style != Style::Json {
        let rendered = render_all(&report.warnings, sources, RenderOptions { color: style.color() });
        say_error!("\n{}", rendered.trim_end());
    }
}

async fn print_outputs(stack: &Stack) -> Result<()> {
    let outputs = stack.outputs().await?;
    if !outputs.is_empty() {
        say!("\nOutputs:\n\n{}", show::outputs(&outputs));
    }
    Ok(())
}

/// Returns the plan's own texts, for problems that come up while it runs.
fn sources_of(plan: &Plan) -> Sources {
    // Read as the run reads it, so that places in it mean the same.
    let files = Files::from_texts(plan.inputs.files.iter().map(|(path, text)| (path.as_str(), Arc::clone(text))));
    let (template, _) = Template::parse(&files, &Options::default());
    template.sources().clone()
}

/// A run that ended, and whether somebody interrupted it meanwhile.
struct Watched {
    report: RunReport,
    interrupted: bool,
}

/// Shows a run until it ends. The first interrupt drains it, the second ends it at once.
pub(super) async fn watch(run: Run, style: Style) -> Result<RunReport> {
    Ok(watch_closely(run, style).await?.report)
}

async fn watch_closely(mut run: Run, style: Style) -> Result<Watched> {
    let canceller = run.canceller();
    let was_interrupted = Arc::new(AtomicBool::new(false));
    let note = Arc::clone(&was_interrupted);
    let interrupts = tokio::spawn(async move {
        if interrupted().await {
            note.store(true, Ordering::Relaxed);
            canceller.cancel();
        }
        if interrupted().await {
            canceller.cancel_now();
        }
    });
    let mut progress = Progress::new(style);
    while let Some(event) = run.next_event().await {
        progress.show(&event);
    }
    progress.end();
    let report = run.finish().await;
    interrupts.abort();
    Ok(Watched { report: report?, interrupted: was_interrupted.load(Ordering::Relaxed) })
}

/// Waits for SIGINT or SIGTERM; false where the system offers neither.
pub(super) async fn interrupted() -> bool {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return false;
        };
        tokio::select! {
            _ = interrupt.recv() => true,
            _ = terminate.recv() => true,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.is_ok()
}

/// An object of which nobody knows whether it exists.
struct Unsettled {
    address: String,
    /// What it was or would have been made with: how to recognise it.
    key: String,
    id: Option<String>,
    /// What the commands that settle it begin with.
    program: String,
}

impl Unsettled {
    async fn of(session: &Session, stack: &Stack) -> Result<Vec<Self>> {
        let program = session.program();
        let state = stack.state().await?;
        let rows = state.sorted().into_iter().filter(|row| row.status == RowStatus::Uncertain);
        let unsettled = rows.map(|row| Self {
            address: row.address.to_string(),
            key: row.object_id.to_string(),
            id: row.remote_id.clone(),
            program: program.clone(),
        });
        Ok(unsettled.collect())
    }

    /// Returns the commands that settle it: if it does not exist, and if it does.
    fn commands(&self) -> (String, Vec<String>) {
        let (program, address) = (&self.program, quoted(&self.address));
        let absent = format!("{program} state settle {address} absent");
        let present = match &self.id {
            Some(_) => vec![format!("{program} state settle {address} present")],
            None => vec![absent.clone(), format!("{program} import {address} ID")],
        };
        (absent, present)
    }

    fn say(&self) {
        let (absent, present) = self.commands();
        let id = self.id.as_ref().map_or_else(String::new, |id| format!(", id {id}"));
        say_error!("\nLook whether `{}` exists (key {}{id}).", self.address, self.key);
        say_error!("  If it does not:\n    {absent}\n  If it does:");
        for command in present {
            say_error!("    {command}");
        }
    }

    fn json(&self) -> serde_json::Value {
        let (absent, present) = self.commands();
        serde_json::json!({
            "address": self.address, "key": self.key, "id": self.id, "if_absent": [absent], "if_present": present,
        })
    }
}

/// Says how a run ended that did not go well, and what to do.
pub(super) async fn tell(session: &Session, stack: &Stack, report: &RunReport, style: Style) -> Result<()> {
    let unsettled = match report.status {
        RunStatus::Stuck => Unsettled::of(session, stack).await?,
        _ => Vec::new(),
    };
    if style == Style::Json {
        let problems: Vec<_> = report
            .problems
            .iter()
            .map(|problem| serde_json::json!({ "address": problem.address, "code": problem.error.code, "message": problem.error.message }))
            .collect();
        say!(
            "{}",
            serde_json::json!({
                "type": "result", "run": report.run.to_string(), "status": report.status.as_str(),
                "undone": report.undone_count, "problems": problems,
                "unsettled": unsettled.iter().map(Unsettled::json).collect::<Vec<_>>(),
            })
        );
        return Ok(());
    }
    say_error!("");
    for problem in &report.problems {
        let head = style.paint("1;31", &format!("error[{}]", problem.error.code));
        say_error!("{head}: {}\n  in {}", problem.error.to_error().report(), problem.address);
    }
    unsettled.iter().for_each(Unsettled::say);
    let counts =
        format!("{} done, {} failed, {} not started", report.done_count, report.failed_count, report.skipped_count);
    let next = match report.status {
        RunStatus::Failed if report.undone_count.is_some() => {
            "What it had done was undone; mend the cause and apply again.".to_owned()
        }
        RunStatus::Stuck if report.undone_count.is_some() => {
            "Not everything could be undone; state says what is there. Mend the causes and plan again.".to_owned()
        }
        RunStatus::Cancelled => "What was under way was finished; apply again to go on.".to_owned(),
        RunStatus::Running => {
            "What was under way was left; apply again, and it is looked up before anything is repeated.".to_owned()
        }
        RunStatus::Stuck => "Settle what is uncertain, then apply again.".to_owned(),
        _ => "Everything that was made is in state; mend the cause and apply again.".to_owned(),
    };
    say_error!("\nRun {} is {}: {counts}. {next}", report.run, report.status.as_str());
    Ok(())
}

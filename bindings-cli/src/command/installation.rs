//! `app install` and what comes after it.

use std::{process::Stdio, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use stackwright::{
    application::{
        ActionCall, ActionHandler, Actor, Applications, AuditRecord, CarryOptions, Decision, Fact, Installation,
        InstallationView, Operation, OperationKind, OperationReport, Parcel, Permission, Platform, Policy, Proposal,
        ProposeOptions, Standing,
    },
    error::{Error, ErrorKind, Result},
    form::{Form, Inputs, Phase},
    plan::TextOptions,
    run::OnFailure,
    stack::Stack,
    value::{Value, to_json_value},
};
use tokio::io::AsyncWriteExt as _;

use super::{
    Failure,
    app::{Filled, fill_in, show, tenant, unwritten, usage},
    apply, cost, package, transfer, views,
};
use crate::{
    arguments::{App, Carrying, Chosen, Filling},
    exit::Exit,
    session::Session,
    terminal::{Progress, Style, confirm},
};

pub(super) fn wants_json(command: &App) -> bool {
    match command {
        App::Install { carrying, .. }
        | App::Upgrade { carrying, .. }
        | App::Retry { carrying }
        | App::Undo { carrying }
        | App::Resume { carrying }
        | App::Uninstall { carrying } => carrying.json,
        App::Form { json, .. }
        | App::Quote { json, .. }
        | App::List { json }
        | App::Show { json }
        | App::Audit { json } => *json,
        App::Cost { csv, json, .. } => *csv || *json,
        App::Action { .. } | App::Export { .. } | App::Import { .. } | App::HandOver { .. } | App::Keep => false,
    }
}

pub(super) async fn run(session: &Session, command: &App, style: Style) -> Result<Exit, Failure> {
    // Who died on this machine holds nothing any more.
    let stack = match command {
        App::Quote { .. } => session.stack().await?,
        _ => session.stack_to_change(Duration::ZERO, style).await?,
    };
    let handlers = match command {
        App::Action { handler, .. } => handler.as_slice(),
        _ => &[],
    };
    let apps = applications(session, &stack, handlers)?;
    let one = apps.installation(Arc::clone(&stack.key().name));
    let options = ProposeOptions::default();
    match command {
        App::Install { chosen, filling, carrying } => {
            let parcel = package::choose_parcel(session, chosen, &tenant(session)).await?;
            let Some((inputs, options)) = filled(session, &one, &parcel, filling, Phase::Install, style).await? else {
                return Ok(Exit::Failure);
            };
            let proposal = one.propose_install(&parcel, &inputs, &options).await?;
            agree_and_carry_out(&one, proposal, carrying, style).await
        }
        App::Upgrade { chosen, filling, carrying } => {
            let parcel = package::choose_parcel(session, chosen, &tenant(session)).await?;
            let Some((inputs, options)) = filled(session, &one, &parcel, filling, Phase::Upgrade, style).await? else {
                return Ok(Exit::Failure);
            };
            let proposal = one.propose_upgrade(&parcel, &inputs, &options).await?;
            agree_and_carry_out(&one, proposal, carrying, style).await
        }
        App::Retry { carrying } => agree_and_carry_out(&one, one.propose_retry(&options).await?, carrying, style).await,
        App::Undo { carrying } => agree_and_carry_out(&one, one.propose_undo(&options).await?, carrying, style).await,
        App::Uninstall { carrying } => {
            agree_and_carry_out(&one, one.propose_uninstall(&options).await?, carrying, style).await
        }
        App::Resume { carrying } => {
            let operation = one.resume(&carry_options(carrying)).await?;
            watch(&one, operation, style).await
        }
        App::Action { name, chosen, filling, why, .. } => act(session, &one, name, (chosen, filling), why, style).await,
        App::List { json } => list(&apps, *json).await,
        App::Show { json } => show_one(&one, *json).await,
        App::Audit { json } => audit(&one, *json).await,
        App::Cost { from, to, by, bill, shared, csv, json } => {
            let period = (from.as_deref(), to.as_deref());
            let asked =
                cost::Asked { period, by, bill: bill.as_deref(), shared: shared.as_deref(), csv: *csv, json: *json };
            cost::run(session, &apps, stack.engine(), &asked).await
        }
        App::Export { out, transferring } => transfer::export(session, &one, out, transferring).await,
        App::Import { document, receipt, transferring } => {
            transfer::import(session, &one, document, receipt, transferring).await
        }
        App::HandOver { receipt, transferring } => transfer::hand_over(session, &one, receipt, transferring).await,
        App::Keep => transfer::keep(&one).await,
        App::Quote { chosen, filling, json } => quote(session, &one, (chosen, filling), *json, style).await,
        App::Form { .. } => Err(Error::bug("this is done elsewhere").into()),
    }
}

/// Whoever can open the state may do everything with it: the program has no users.
#[derive(Debug)]
struct Owner;

#[async_trait]
impl Policy for Owner {
    async fn decide(&self, _: &Permission<'_>) -> Result<Decision> {
        Ok(Decision::Allow)
    }
}

fn applications(session: &Session, stack: &Stack, handlers: &[String]) -> Result<Applications> {
    let mut builder = Platform::builder(stack.engine().clone(), Owner);
    for handler in handlers {
        let (name, program) = handler
            .split_once('=')
            .filter(|(name, program)| !name.is_empty() && !program.is_empty())
            .ok_or_else(|| usage(format!("`-handler={handler}` is not `NAME=PROGRAM`")))?;
        let program = match program.contains('/') {
            true => session.folder.join(program).to_string_lossy().into_owned(),
            false => program.to_owned(),
        };
        builder = builder.handler(name, Program { program });
    }
    let who = std::env::var("USER").ok().filter(|who| !who.is_empty()).unwrap_or_else(|| "somebody".to_owned());
    Ok(builder.build().applications(Actor::new(tenant(session), who)))
}

/// Says what `app install` or, of what is there, `app upgrade` would propose; nothing is changed.
async fn quote(
    session: &Session,
    one: &Installation,
    (chosen, filling): (&Chosen, &Filling),
    as_json: bool,
    style: Style,
) -> Result<Exit, Failure> {
    let parcel = package::choose_parcel(session, chosen, &tenant(session)).await?;
    let is_there = match one.view().await {
        Ok(view) => matches!(
            view.standing,
            Standing::Installed | Standing::Broken(OperationKind::Upgrade | OperationKind::Undo)
        ),
        Err(error) if error.code() == "installation.unknown" => false,
        Err(error) => return Err(error.into()),
    };
    let phase = if is_there { Phase::Upgrade } else { Phase::Install };
    let Some((inputs, options)) = filled(session, one, &parcel, filling, phase, style).await? else {
        return Ok(Exit::Failure);
    };
    let proposal = match is_there {
        true => one.propose_upgrade(&parcel, &inputs, &options).await?,
        false => one.propose_install(&parcel, &inputs, &options).await?,
    };
    if as_json {
        let document = serde_json::to_string_pretty(&proposal.quote).map_err(unwritten)?;
        say!("{document}");
    } else {
        say_part!("{}", proposal.quote);
    }
    Ok(Exit::Success)
}

/// Fills the form in; `None` where it is not ready, which was said.
async fn filled(
    session: &Session,
    one: &Installation,
    parcel: &Parcel,
    filling: &Filling,
    phase: Phase,
    style: Style,
) -> Result<Option<(Inputs, ProposeOptions)>, Failure> {
    let ready = fill_form(session, one, &parcel.package().form, filling, phase, style).await?;
    Ok(ready.map(|Filled { inputs, seed, .. }| {
        let locale = filling.locale.as_str().into();
        (inputs, ProposeOptions { locale, seed: Some(seed), ..ProposeOptions::default() })
    }))
}

async fn fill_form(
    session: &Session,
    one: &Installation,
    form: &Form,
    filling: &Filling,
    phase: Phase,
    style: Style,
) -> Result<Option<Filled>, Failure> {
    let context = one.context(form, phase).await?;
    let filled = fill_in(session, form, filling, context, style)?;
    if !filled.state.ready {
        show(&filled.state);
        return Ok(None);
    }
    Ok(Some(filled))
}

fn carry_options(carrying: &Carrying) -> CarryOptions {
    let on_failure = match carrying.on_failure.as_str() {
        "continue" => OnFailure::Continue,
        "rollback" => OnFailure::Rollback,
        _ => OnFailure::Stop,
    };
    CarryOptions {
        parallelism: usize::from(carrying.parallelism),
        on_failure,
        why: carrying.why.as_str().into(),
        ..CarryOptions::default()
    }
}

/// Shows what a proposal does and costs, asks, and carries it out.
async fn agree_and_carry_out(
    one: &Installation,
    proposal: Proposal,
    carrying: &Carrying,
    style: Style,
) -> Result<Exit, Failure> {
    if style == Style::Json {
        let quote = serde_json::to_value(&proposal.quote).map_err(unwritten)?;
        let line = json!({
            "type": "proposed", "change": proposal.kind.as_str(), "package": proposal.package.to_string(),
            "empty": proposal.is_empty(), "quote": quote,
        });
        say!("{line}");
    } else {
        say!("{}", proposal.plan.text(TextOptions { color: style.color() }).trim_end());
        say!("");
        say_part!("{}", proposal.quote);
    }
    if !carrying.auto_approve {
        if style == Style::Json {
            return Err(usage("nobody can be asked to approve the plan; give `-auto-approve`").into());
        }
        let question = match proposal.kind {
            OperationKind::Install => format!("Do you want to install {} as {}?", proposal.package, one.key()),
            OperationKind::Upgrade => format!("Do you want {} to become {}?", one.key(), proposal.package),
            OperationKind::Undo => format!("Do you want {} to become {} again?", one.key(), proposal.package),
            OperationKind::Uninstall => {
                format!("Do you really want to remove {} with everything it has? There is no undo.", one.key())
            }
        };
        if !confirm(&question) {
            say!("Nothing was done.");
            return Ok(Exit::Failure);
        }
    }
    let operation = one.carry_out(proposal, &carry_options(carrying)).await?;
    watch(one, operation, style).await
}

/// Shows an operation until it ends. The first interrupt drains it, the second ends it at once.
async fn watch(one: &Installation, mut operation: Operation, style: Style) -> Result<Exit, Failure> {
    let canceller = operation.canceller();
    let interrupts = tokio::spawn(async move {
        if apply::interrupted().await {
            canceller.cancel();
        }
        if apply::interrupted().await {
            canceller.cancel_now();
        }
    });
    let mut progress = Progress::new(style);
    while let Some(event) = operation.next_event().await {
        progress.show(&event);
    }
    progress.end();
    let report = operation.finish().await;
    interrupts.abort();
    let report = report?;
    tell(one, &report, style);
    Ok(if report.is_success() { Exit::Success } else { Exit::Failure })
}

fn tell(one: &Installation, report: &OperationReport, style: Style) {
    if style == Style::Json {
        let problems = report.run.problems.iter();
        let problems: Vec<Json> = problems
            .map(|problem| json!({ "address": problem.address, "code": problem.error.code, "message": problem.error.message }))
            .collect();
        let line = json!({
            "type": "result", "operation": report.operation.to_string(), "run": report.run.run.to_string(),
            "change": report.kind.as_str(), "outcome": report.outcome.as_str(), "problems": problems,
        });
        say!("{line}");
        return;
    }
    for problem in &report.run.problems {
        let head = style.paint("1;31", &format!("error[{}]", problem.error.code));
        say_error!("{head}: {}\n  in {}", problem.error.to_error().report(), problem.address);
    }
    let (kind, key, outcome) = (report.kind.as_str(), one.key(), report.outcome.as_str());
    if report.is_success() {
        say!("\n{}", style.paint("1;32", &format!("The {kind} of {key} {outcome}.")));
    } else {
        say_error!(
            "\nThe {kind} of {key}: {outcome}. `stackwright app show` says how it stands; `app retry` tries again, `app undo` \
             takes it back."
        );
    }
}

async fn list(apps: &Applications, as_json: bool) -> Result<Exit, Failure> {
    let mut documents = Vec::new();
    for one in apps.list().await? {
        let view = one.view().await?;
        if as_json {
            documents.push(document(&view));
        } else {
            let package = view.package.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            say!("{}  {}  {package}", view.key.name, view.standing.as_str());
        }
    }
    if as_json {
        say!("{:#}", Json::Array(documents));
    }
    Ok(Exit::Success)
}

fn document(view: &InstallationView) -> Json {
    let operations: Vec<Json> = view
        .operations
        .iter()
        .map(|one| {
            json!({
                "operation": one.operation.to_string(), "change": one.kind.as_str(), "package": one.package,
                "by": one.by, "why": one.why, "at": one.at.to_string(), "run": one.run.to_string(),
                "outcome": one.ended.map(|(outcome, _)| outcome.as_str()),
                "ended": one.ended.map(|(_, at)| at.to_string()),
            })
        })
        .collect();
    let grants = view.grants.iter().map(|grant| {
        json!({
            "grant": grant.grant.to_string(), "to": grant.to, "actions": grant.actions,
            "until": grant.until.to_string(), "revoked": grant.is_revoked,
        })
    });
    json!({
        "tenant": view.key.tenant, "name": view.key.name, "id": view.app_id, "standing": view.standing.as_str(),
        "package": view.package, "preset": view.preset, "operations": operations,
        "grants": grants.collect::<Vec<_>>(),
    })
}

async fn show_one(one: &Installation, as_json: bool) -> Result<Exit, Failure> {
    let view = one.view().await?;
    let outputs = one.outputs().await?;
    let views = one.views("en").await?;
    if as_json {
        let mut shown = document(&view);
        let plain = |value: &Value| match value.marks_deep().is_empty() {
            true => to_json_value(value).unwrap_or(Json::Null),
            false => Json::Null,
        };
        let outputs: serde_json::Map<String, Json> =
            outputs.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
        if let Some(parts) = shown.as_object_mut() {
            parts.insert("outputs".to_owned(), outputs.into());
            parts.insert("views".to_owned(), views.iter().map(views::document).collect());
        }
        say!("{shown:#}");
        return Ok(Exit::Success);
    }
    let package = view.package.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    say!("{}: {package}, {}", view.key, view.standing.as_str());
    say!("id: {}", view.app_id);
    if let Some(preset) = &view.preset {
        say!("plan: {preset}");
    }
    say!("changes:");
    for change in &view.operations {
        let outcome = change.ended.map_or("under way", |(outcome, _)| outcome.as_str());
        say!("  {}  {} {} by {}: {outcome}", change.at, change.kind.as_str(), change.package, change.by);
    }
    for grant in view.grants.iter().filter(|grant| !grant.is_revoked) {
        let actions: Vec<&str> = grant.actions.iter().map(|action| &**action).collect();
        say!("granted to {} until {}: {}", grant.to, grant.until, actions.join(", "));
    }
    for (name, value) in &outputs {
        let text = match (value.marks_deep().is_empty(), to_json_value(value)) {
            (true, Ok(json)) => json.to_string(),
            _ => "(sensitive value)".to_owned(),
        };
        say!("{name} = {text}");
    }
    views.iter().for_each(views::say);
    Ok(Exit::Success)
}

async fn audit(one: &Installation, as_json: bool) -> Result<Exit, Failure> {
    let records = one.audit().await?;
    if as_json {
        let shown = records.iter().map(|record| {
            json!({ "seq": record.seq, "at": record.at.to_string(), "hash": record.hash.to_string(), "fact": record.fact })
        });
        say!("{:#}", Json::Array(shown.collect()));
    } else {
        records.iter().for_each(say_record);
    }
    Ok(Exit::Success)
}

fn say_record(record: &AuditRecord) {
    let because = |why: &str| if why.is_empty() { String::new() } else { format!(" ({why})") };
    let what = match &record.fact {
        Fact::Intended { kind, package, by, why, plan, quote, .. } => {
            let (plan, quote) = (start(plan), start(quote));
            format!("{} {package} by {by}{}; plan {plan}, quote {quote}", kind.as_str(), because(why))
        }
        Fact::ActionIntended { action, by, why, grant, .. } => {
            let granted = if grant.is_some() { ", as granted" } else { "" };
            format!("action {action} by {by}{granted}{}", because(why))
        }
        Fact::Ended { outcome, problems, .. } => {
            let problems: String = problems.iter().map(|problem| format!("; {problem}")).collect();
            format!("{}{problems}", outcome.as_str())
        }
        Fact::Denied { by, verb, action, reason } => {
            let action = action.as_ref().map_or_else(String::new, |action| format!(" {action}"));
            format!("refused: {}{action} by {by}: {reason}", verb.as_str())
        }
        Fact::Granted { by, to, actions, until, why, .. } => {
            format!("granted to {to} until {until} by {by}: {}{}", actions.join(", "), because(why))
        }
        Fact::Revoked { grant, by } => format!("grant {grant} taken back by {by}"),
        Fact::Departing { by, why, .. } => format!("exported by {by}{}", because(why)),
        Fact::Kept { by, .. } => format!("kept by {by}"),
        Fact::Departed { by, to, .. } => format!("handed over to {to} by {by}"),
        Fact::Arrived { by, why, from, package, head, .. } => {
            let head = head.to_string();
            format!("{package} taken over from {from} (its ledger ended at {}) by {by}{}", start(&head), because(why))
        }
    };
    say!("{:>4}  {}  {}  {what}", record.seq, record.at, start(&record.hash.to_string()));
}

/// Returns what people compare of a hash.
fn start(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}

async fn act(
    session: &Session,
    one: &Installation,
    name: &str,
    (chosen, filling): (&Chosen, &Filling),
    why: &str,
    style: Style,
) -> Result<Exit, Failure> {
    let parcel = package::choose_parcel(session, chosen, &tenant(session)).await?;
    let form = parcel.package().action_forms.iter().find(|(of, _)| **of == *name);
    let inputs = match form {
        None => Inputs::default(),
        Some((_, form)) => match fill_form(session, one, form, filling, Phase::Action, style).await? {
            Some(filled) => filled.inputs,
            None => return Ok(Exit::Failure),
        },
    };
    let report = one.act(&parcel, name, &inputs, why).await?;
    if let Some(text) = report.answer.as_str().filter(|_| report.answer.marks_deep().is_empty()) {
        say_part!("{text}");
    }
    say_error!("The action `{name}` of {} is done.", one.key());
    Ok(Exit::Success)
}

/// Carries actions out by a program: the call is one JSON object on its standard input.
#[derive(Debug)]
struct Program {
    program: String,
}

#[async_trait]
impl ActionHandler for Program {
    async fn call(&self, call: ActionCall) -> Result<Value> {
        let failed = |what: String| Error::new(ErrorKind::Unavailable, "cli.action", what);
        let plain = |value: &Value| to_json_value(&value.unmark_deep().0).unwrap_or(Json::Null);
        let outputs: serde_json::Map<String, Json> =
            call.outputs.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
        let targets: Vec<Json> = call
            .targets
            .iter()
            .map(|object| json!({ "id": object.id, "attributes": plain(&object.attributes) }))
            .collect();
        let told = json!({
            "tenant": call.tenant, "installation": call.installation, "id": call.app_id, "action": call.action,
            "operation": call.operation.to_string(), "inputs": plain(&call.inputs), "outputs": outputs, "targets": targets,
        });
        let mut child = tokio::process::Command::new(&self.program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(format!("`{}` cannot be started", self.program)).because(error))?;
        if let Some(mut input) = child.stdin.take() {
            // A program that does not read what it is told may end before it was said.
            let _ = input.write_all(told.to_string().as_bytes()).await;
        }
        let output = child.wait_with_output().await;
        let output = output.map_err(|error| failed(format!("`{}` is lost", self.program)).because(error))?;
        if !output.status.success() {
            let status = output.status.code().map_or_else(|| "of a signal".to_owned(), |code| code.to_string());
            return Err(failed(format!("`{}` carried out `{}` with the status {status}", self.program, call.action)));
        }
        Ok(Value::string(String::from_utf8_lossy(&output.stdout).as_ref()))
    }
}

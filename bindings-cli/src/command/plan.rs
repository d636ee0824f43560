use std::{fs, io::Write as _, path::Path};

use stackwright::{
    error::{Error, ErrorKind, RenderOptions, Result, Sources, render_all},
    event::{Bus, SystemClock},
    plan::{Action, Mode, Plan, TextOptions},
    stack::{PlanOptions, Stack},
};
use tokio_util::sync::CancellationToken;

use super::{Failure, InSources as _, parse};
use crate::{
    arguments::{self, Planning},
    exit::Exit,
    lock, private,
    session::Session,
    terminal::{Progress, Style},
    variables::{self, Asking},
};

pub(super) async fn run(session: &Session, arguments: &arguments::Plan, style: Style) -> Result<Exit, Failure> {
    let stack = session.stack().await?;
    lock::refuse_amid_run(&stack).await?;
    let mode = match (arguments.destroy, arguments.planning.refresh_only) {
        (true, _) => Mode::Destroy,
        (false, true) => Mode::RefreshOnly,
        (false, false) => Mode::Normal,
    };
    let (plan, sources) = make(session, &stack, &arguments.planning, mode, Vec::new(), style).await?;
    print(&plan, &sources, &arguments.planning, style)?;
    if let Some(path) = &arguments.out {
        save(&stack, &plan, &session.folder.join(path))?;
        if style != Style::Json {
            say!("\nSaved the plan to: {}", path.display());
            say!("\nTo perform exactly these actions, run:\n    stackwright apply \"{}\"", path.display());
        }
    }
    let changes = !plan.is_empty();
    Ok(if arguments.detailed_exitcode && changes { Exit::Two } else { Exit::Success })
}

/// Plans, showing what is being read.
pub(super) async fn make(
    session: &Session,
    stack: &Stack,
    planning: &Planning,
    mode: Mode,
    imports: Vec<stackwright::stack::Import>,
    style: Style,
) -> Result<(Plan, Sources), Failure> {
    let loaded = if mode == Mode::Destroy { session.load_if_any()? } else { session.load()? };
    let mut template = loaded.template;
    if stackwright::error::Diagnostics::has_errors(&loaded.problems) {
        // What else is wrong is worth knowing in the same go.
        let mut problems = loaded.problems;
        problems.extend(stack.validate(&template));
        stackwright::error::Diagnostics::tidy(&mut problems);
        let error = Error::from_diagnostics("template.invalid", problems);
        return Err(error).in_sources(template.sources());
    }
    let asking = if planning.input && mode != Mode::Destroy { Asking::Allowed } else { Asking::Never };
    let raw = variables::gather(&planning.variables, &mut template, &session.folder, asking);
    let variables = raw.in_sources(template.sources())?;
    let bus = Bus::new(std::sync::Arc::new(SystemClock::default()));
    let mut events = bus.subscribe();
    let cancellation = CancellationToken::new();
    let options = PlanOptions {
        mode,
        variables,
        targets: planning.target.iter().map(|text| parse(text)).collect::<Result<_>>()?,
        replace: planning.replace.iter().map(|text| parse(text)).collect::<Result<_>>()?,
        refresh: planning.refresh,
        imports,
        root: Some(session.folder.clone()),
        files: None,
        parallelism: planning.parallelism as usize,
        events: Some(bus.clone()),
        cancellation: cancellation.clone(),
        ..PlanOptions::default()
    };
    let watch = tokio::spawn(async move {
        let mut progress = Progress::new(style);
        while let Some(event) = events.next().await {
            progress.show(&event);
        }
        progress.end();
    });
    let interrupt = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancellation.cancel();
        }
    });
    let planned = stack.plan(&template, options).await;
    interrupt.abort();
    bus.close();
    drop(bus);
    let _ = watch.await;
    let sources = template.sources().clone();
    planned.in_sources(&sources).map(|plan| (plan, sources))
}

/// Shows a plan: as a page, or as one JSON line.
pub(super) fn print(plan: &Plan, sources: &Sources, planning: &Planning, style: Style) -> Result<()> {
    if style == Style::Json {
        let counts = |wanted: &[Action]| plan.changes.iter().filter(|change| wanted.contains(&change.action)).count();
        let replaced = counts(&[Action::Replace, Action::ReplaceCreateFirst]);
        let line = serde_json::json!({
            "type": "planned",
            "add": counts(&[Action::Create]) + replaced,
            "change": counts(&[Action::Update]),
            "remove": counts(&[Action::Delete]) + replaced,
            "empty": plan.is_empty(),
        });
        say!("{line}");
        return Ok(());
    }
    if !plan.warnings.is_empty() {
        match planning.compact_warnings {
            true => plan.warnings.iter().for_each(|warning| {
                say_error!("{}: {}", style.paint("1;33", &format!("warning[{}]", warning.code)), warning.message);
            }),
            false => {
                let rendered = render_all(&plan.warnings, sources, RenderOptions { color: style.color() });
                say_error!("{}", rendered.trim_end());
            }
        }
    }
    say!("{}", plan.text(TextOptions { color: style.color() }).trim_end());
    std::io::stdout().flush().map_err(|error| {
        Error::new(ErrorKind::Unavailable, "cli.output", "the plan could not be written").because(error)
    })
}

/// Saves a plan; only its owner may read it. Secrets in it are sealed.
fn save(stack: &Stack, plan: &Plan, path: &Path) -> Result<()> {
    let bytes = stack.seal_plan(plan)?;
    let failed = |error| {
        let message = format!("the plan could not be saved to `{}`", path.display());
        Error::new(ErrorKind::Unavailable, "cli.output", message).because(error)
    };
    private::write(path, &bytes).map_err(failed)
}

/// Reads a saved plan.
pub(super) fn open(stack: &Stack, path: &Path) -> Result<Plan> {
    let bytes = fs::read(path).map_err(|error| {
        let message = format!("the plan `{}` cannot be read; `plan -out` saves one", path.display());
        Error::new(ErrorKind::NotFound, "cli.usage", message).because(error)
    })?;
    stack.open_plan(&bytes).map_err(|error| {
        let message =
            format!("`{}` is no plan of {} that `plan -out` saved with this key", path.display(), stack.key());
        Error::new(error.kind(), "cli.usage", message).because(error)
    })
}

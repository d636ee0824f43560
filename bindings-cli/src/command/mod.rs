//! The commands, one file each.

mod app;
mod apply;
mod console;
mod convert;
mod cost;
mod fmt;
mod graph;
mod import;
mod init;
mod installation;
mod output;
mod package;
mod plan;
mod quota;
mod rotate;
mod runs;
mod show;
mod state;
mod transfer;
mod validate;
mod version;
mod views;

use stackwright::error::{Error, ErrorKind, Result, Sources};

use crate::{
    arguments::{Command, Invocation},
    exit::Exit,
    session::Session,
    terminal::{self, Style},
};

/// A failure together with the texts that its diagnostics point into.
pub(crate) struct Failure {
    error: Error,
    sources: Sources,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, sources: Sources::new() }
    }
}

/// Attaches the texts that diagnostics point into.
pub(crate) trait InSources<T> {
    fn in_sources(self, sources: &Sources) -> Result<T, Failure>;
}

impl<T> InSources<T> for Result<T> {
    fn in_sources(self, sources: &Sources) -> Result<T, Failure> {
        self.map_err(|error| Failure { error, sources: sources.clone() })
    }
}

/// Runs one command and reports what went wrong.
pub(crate) async fn run(invocation: Invocation) -> Exit {
    let global = invocation.global;
    let style = Style::choose(global.no_color, wants_json(&invocation.command));
    let result = async {
        if let Command::Version(arguments) = &invocation.command {
            return Ok(version::run(arguments));
        }
        let session = Session::open(&global)?;
        let result = carry_out(&session, invocation.command, style).await;
        session.close().await;
        result
    };
    match result.await {
        Ok(exit) => exit,
        Err(Failure { error, sources }) => {
            terminal::report(&error, &sources, style);
            Exit::Failure
        }
    }
}

async fn carry_out(session: &Session, command: Command, style: Style) -> Result<Exit, Failure> {
    match command {
        Command::Validate(arguments) => validate::run(session, &arguments, style),
        Command::Plan(arguments) => plan::run(session, &arguments, style).await,
        Command::Apply(arguments) => apply::apply(session, &arguments, style).await,
        Command::Destroy(arguments) => apply::destroy(session, &arguments, style).await,
        Command::Refresh(arguments) => apply::refresh(session, &arguments, style).await,
        Command::Import(arguments) => import::run(session, &arguments, style).await,
        Command::Output(arguments) => output::run(session, &arguments).await,
        Command::State(arguments) => state::run(session, &arguments, style).await,
        Command::Show(arguments) => show::run(session, &arguments, style).await,
        Command::Graph(arguments) => graph::run(session, &arguments),
        Command::Console(arguments) => console::run(session, &arguments, style).await,
        Command::Fmt(arguments) => fmt::run(session, &arguments),
        Command::Convert(arguments) => convert::run(session, &arguments),
        Command::Runs(arguments) => runs::run(session, &arguments, style).await,
        Command::RotateKey(arguments) => rotate::run(session, &arguments, style).await,
        Command::ForceUnlock(arguments) => runs::force_unlock(session, &arguments).await,
        Command::Package(arguments) => package::run(session, &arguments, style).await,
        Command::App(arguments) => Box::pin(app::run(session, &arguments, style)).await,
        Command::Quota(arguments) => quota::run(session, &arguments).await,
        Command::Version(arguments) => Ok(version::run(&arguments)),
        Command::Init(arguments) => init::run(session, &arguments).await,
    }
}

fn wants_json(command: &Command) -> bool {
    match command {
        Command::Plan(arguments) => arguments.json,
        Command::Apply(arguments) => arguments.json,
        Command::Destroy(arguments) => arguments.json,
        Command::Refresh(arguments) => arguments.json,
        Command::Validate(arguments) => arguments.json,
        Command::Quota(arguments) => arguments.json,
        Command::Runs(
            crate::arguments::Runs::Resume { json, .. }
            | crate::arguments::Runs::List { json, .. }
            | crate::arguments::Runs::Show { json, .. }
            | crate::arguments::Runs::Abandon { json, .. },
        ) => *json,
        Command::Package(crate::arguments::Package::Lint { json, .. })
        | Command::App(crate::arguments::App::Form { json, .. } | crate::arguments::App::Quote { json, .. }) => *json,
        Command::App(app) => installation::wants_json(app),
        _ => false,
    }
}

/// Parses an argument of the command line that is a place in a template.
pub(crate) fn parse<T: std::str::FromStr>(text: &str) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse()
        .map_err(|error: T::Err| Error::new(ErrorKind::InvalidInput, "address.invalid", format!("`{text}`: {error}")))
}

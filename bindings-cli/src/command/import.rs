use stackwright::{
    address::{Address, Target},
    plan::Mode,
    stack::{ApplyOptions, Import},
    state::RunStatus,
};

use super::{Failure, InSources as _, apply, parse, plan};
use crate::{
    arguments::{self, Planning},
    exit::Exit,
    session::Session,
    terminal::Style,
};

pub(super) async fn run(session: &Session, arguments: &arguments::Import, style: Style) -> Result<Exit, Failure> {
    let stack = session.stack_to_change(arguments.locking.lock_timeout, style).await?;
    let address: Address = parse(&arguments.address)?;
    let planning = Planning {
        variables: arguments.variables.clone(),
        target: vec![Target::Instance(address.clone()).to_string()],
        refresh: true,
        parallelism: 10,
        input: true,
        locking: arguments.locking.clone(),
        ..Planning::default()
    };
    let import = Import { address: address.clone(), id: arguments.id.clone() };
    say!("{address}: Importing from id \"{}\"...", arguments.id);
    let (plan, sources) = plan::make(session, &stack, &planning, Mode::RefreshOnly, vec![import], style).await?;
    let run = stack.apply(plan, ApplyOptions { why: format!("import {address}"), ..ApplyOptions::default() }).await;
    let report = apply::watch(run.in_sources(&sources)?, style).await?;
    if report.status != RunStatus::Succeeded {
        apply::tell(session, &stack, &report, style).await?;
        return Ok(Exit::Failure);
    }
    say!(
        "{}",
        style.paint(
            "1;32",
            "\nImport successful! The object is in state; `stackwright plan` shows how it differs from the template."
        )
    );
    Ok(Exit::Success)
}

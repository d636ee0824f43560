use stackwright::plan::{plan_json, state_json};

use super::{Failure, plan};
use crate::{arguments, exit::Exit, session::Session, show, terminal::Style};

pub(super) async fn run(session: &Session, arguments: &arguments::Show, style: Style) -> Result<Exit, Failure> {
    let stack = session.stack().await?;
    if let Some(path) = &arguments.plan {
        let plan = plan::open(&stack, &session.folder.join(path))?;
        match arguments.json {
            true => println!("{}", plan_json(&plan, &*stack.engine().registry())?),
            false => println!("{}", plan.render(style.color())),
        }
        return Ok(Exit::Success);
    }
    let state = stack.state().await?;
    if arguments.json {
        let outputs = state.outputs.iter().map(|(name, output)| (name.clone(), output.clone())).collect();
        println!("{}", state_json(&state.rows, &outputs, &*stack.engine().registry())?);
    } else if state.rows.is_empty() && state.outputs.is_empty() {
        println!("The state is empty. `stackwright apply` makes what the template describes.");
    } else {
        for row in state.sorted() {
            println!("{}", show::row(row));
        }
        if !state.outputs.is_empty() {
            println!("\nOutputs:\n\n{}", show::outputs(&state.outputs));
        }
    }
    Ok(Exit::Success)
}

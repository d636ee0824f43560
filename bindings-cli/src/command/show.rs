use stackwright::plan::{TextOptions, checks_json, plan_json, state_json};

use stackwright::{
    state::codec::Output,
    value::{Marks, Value},
};

use super::{Failure, plan};
use crate::{arguments, exit::Exit, session::Session, show, terminal::Style};

pub(super) async fn run(session: &Session, arguments: &arguments::Show, style: Style) -> Result<Exit, Failure> {
    let stack = session.stack().await?;
    if let Some(path) = &arguments.plan {
        let plan = plan::open(&stack, &session.folder.join(path))?;
        match arguments.json {
            true => say!("{}", plan_json(&plan, &*stack.engine().registry())),
            false => say!("{}", plan.text(TextOptions { color: style.color() }).trim_end()),
        }
        return Ok(Exit::Success);
    }
    let state = stack.state().await?;
    if arguments.json {
        let outputs = state.outputs.iter().map(|(name, output)| (name.clone(), marked(output))).collect();
        let mut json = state_json(&state.rows, &outputs, &*stack.engine().registry());
        if let (false, Some(fields)) = (state.checks.is_empty(), json.as_object_mut()) {
            fields.insert("checks".to_owned(), checks_json(&state.checks));
        }
        say!("{json}");
    } else if state.rows.is_empty() && state.outputs.is_empty() {
        say!("The state is empty. `stackwright apply` makes what the template describes.");
    } else {
        for row in state.sorted() {
            say!("{}", show::row(row));
        }
        if !state.outputs.is_empty() {
            say!("\nOutputs:\n\n{}", show::outputs(&state.outputs));
        }
    }
    Ok(Exit::Success)
}

/// Returns an output's value, marked where the template declares it sensitive.
fn marked(output: &Output) -> Value {
    match output.sensitive {
        true => output.value.clone().with_marks(Marks::SENSITIVE),
        false => output.value.clone(),
    }
}

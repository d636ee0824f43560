use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use stackwright::{error::Result, stack};

use super::{Failure, InSources as _};
use crate::{
    arguments,
    exit::Exit,
    session::Session,
    terminal::{self, Style},
    variables::{self, Asking},
};

/// Evaluates a line (or several, until brackets close) after the other. Piped input ends at the first error.
pub(super) async fn run(session: &Session, arguments: &arguments::Console, style: Style) -> Result<Exit, Failure> {
    let stack = session.stack().await?;
    let mut template = session.load_sound()?;
    let raw = variables::gather(&arguments.variables, &mut template, &session.folder, Asking::Allowed);
    let raw = raw.in_sources(template.sources())?;
    let console = stack.console(&template, &raw, Some(session.folder.clone())).await;
    let mut console = console.in_sources(template.sources())?;
    let interactive = io::stdin().is_terminal();
    let mut text = String::new();
    loop {
        if interactive {
            say_part!("{}", if text.is_empty() { "> " } else { ": " });
            let _ = io::stdout().flush();
        }
        let mut line = String::new();
        let ended = io::stdin().lock().read_line(&mut line).unwrap_or(0) == 0;
        text.push_str(&line);
        let finished = ended || line.trim().is_empty() || !stack::Console::is_incomplete(&text);
        if !finished {
            continue;
        }
        let expression = std::mem::take(&mut text);
        match expression.trim() {
            "" => {}
            "exit" => return Ok(Exit::Success),
            expression => match console.evaluate(expression) {
                Ok(shown) => say!("{shown}"),
                Err(error) => {
                    terminal::report(&error, console.sources(), style);
                    if !interactive {
                        return Ok(Exit::Failure);
                    }
                }
            },
        }
        if ended {
            return Ok(Exit::Success);
        }
    }
}

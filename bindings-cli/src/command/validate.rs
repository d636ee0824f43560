use serde_json::json;
use stackwright::error::{Diagnostics as _, RenderOptions, render_all};

use super::Failure;
use crate::{
    arguments::Validate,
    exit::Exit,
    session::{Loaded, Session},
    terminal::{self, Style},
};

pub(super) fn run(session: &Session, arguments: &Validate, style: Style) -> Result<Exit, Failure> {
    let Loaded { template, mut problems } = session.load()?;
    let engine = session.types()?;
    problems.extend(engine.stack("local", "validate").validate(&template));
    problems.tidy();
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let sources = template.sources();
    if arguments.json {
        let diagnostics: Vec<_> = problems.iter().map(|problem| terminal::diagnostic_json(problem, sources)).collect();
        let document = json!({
            "format_version": "1.0",
            "valid": errors == 0,
            "error_count": errors,
            "warning_count": problems.len() - errors,
            "diagnostics": diagnostics,
        });
        say!("{document:#}");
    } else {
        if !problems.is_empty() {
            let rendered = render_all(&problems, sources, RenderOptions { color: style.color() });
            say_error!("{}\n", rendered.trim_end());
        }
        match errors {
            0 => say!("{}", style.paint("32", "Success! The template is valid.")),
            1 => say_error!("1 error."),
            count => say_error!("{count} errors."),
        }
    }
    Ok(if errors == 0 { Exit::Success } else { Exit::Failure })
}

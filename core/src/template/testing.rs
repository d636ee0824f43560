//! Short ways to write tests about templates.

use crate::error::{Diagnostic, Sources};

use super::{Files, Options, Template};

/// Reads files from memory.
pub(super) fn parse_files(files: &[(&str, &str)]) -> (Template, Vec<Diagnostic>) {
    Template::parse(&Files::from_texts(files.iter().copied()), &Options::default())
}

/// Returns one line per diagnostic: the place, the code, the text pointed at, the message.
pub(super) fn lines(sources: &Sources, problems: &[Diagnostic]) -> Vec<String> {
    let line = |problem: &Diagnostic| match problem.span() {
        None => format!("{} {}", problem.code, problem.message),
        Some(span) => {
            let text = sources.slice(span).lines().next().unwrap_or_default();
            format!("{} {} <{text}> {}", sources.position(span).line, problem.code, problem.message)
        }
    };
    problems.iter().map(line).collect()
}

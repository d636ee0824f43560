use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use stackwright::{
    error::{Diagnostics as _, Error, ErrorKind, Sources},
    template::{Notation, sort_blocks},
};

use super::{Failure, InSources as _};
use crate::{arguments, exit::Exit, session::Session};

/// Writes a part of a template in another notation to standard output.
pub(super) fn run(session: &Session, arguments: &arguments::Convert) -> Result<Exit, Failure> {
    let (name, text) = match arguments.path.as_deref() {
        None => ("<stdin>".to_owned(), from_stdin()?),
        Some(path) if path == Path::new("-") => ("<stdin>".to_owned(), from_stdin()?),
        Some(path) => from_file(session, path)?,
    };
    let from = match &arguments.from {
        Some(from) => notation(from),
        None if name == "<stdin>" => Notation::Hcl,
        None => Notation::of(&name),
    };
    let mut sources = Sources::new();
    let source = sources.add(name.as_str(), text.as_str());
    let (body, mut problems) = from.parse(source, &text);
    problems.tidy();
    if problems.has_errors() {
        return Err(Error::from_diagnostics("template.invalid", problems)).in_sources(&sources);
    }
    let engine = session.types()?;
    let body = sort_blocks(&body, &*engine.registry());
    say_part!("{}", notation(&arguments.to).print(&body));
    Ok(Exit::Success)
}

/// The command line has checked the names.
fn notation(name: &str) -> Notation {
    Notation::ALL.into_iter().find(|notation| notation.as_str() == name).unwrap_or(Notation::Hcl)
}

fn from_stdin() -> Result<String, Error> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "cli.usage", "standard input is not text").because(error)
    })?;
    Ok(text)
}

fn from_file(session: &Session, path: &Path) -> Result<(String, String), Error> {
    let full: PathBuf = session.folder.join(path);
    let text = fs::read_to_string(&full).map_err(|error| {
        Error::new(ErrorKind::NotFound, "cli.usage", format!("`{}` cannot be read", path.display())).because(error)
    })?;
    Ok((path.display().to_string(), text))
}

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use stackwright::{
    error::{Diagnostic, Error, ErrorKind, Result, Sources},
    template::hcl,
};

use super::{Failure, InSources as _};
use crate::{arguments, exit::Exit, session::Session};

pub(super) fn run(session: &Session, arguments: &arguments::Fmt) -> Result<Exit, Failure> {
    if arguments.paths == [PathBuf::from("-")] {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "cli.usage", "standard input is not text").because(error)
        })?;
        let formatted = formatted("<stdin>", &text)?;
        say_part!("{formatted}");
        return Ok(if arguments.check && formatted != text { Exit::Three } else { Exit::Success });
    }
    let mut files = Vec::new();
    let start = if arguments.paths.is_empty() { vec![session.folder.clone()] } else { arguments.paths.clone() };
    for path in start {
        collect(&path, arguments.recursive, &mut files)?;
    }
    let mut changed = 0;
    let mut failure = None;
    for path in &files {
        match one(session, path, arguments) {
            Ok(true) => changed += 1,
            Ok(false) => {}
            // The other files are brought into layout all the same.
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None if arguments.check && changed > 0 => Ok(Exit::Three),
        None => Ok(Exit::Success),
    }
}

/// Formats one file; returns whether it changes.
fn one(session: &Session, path: &Path, arguments: &arguments::Fmt) -> Result<bool, Failure> {
    let shown = path.strip_prefix(&session.folder).unwrap_or(path);
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
    let formatted = formatted(&shown.display().to_string(), &text)?;
    if formatted == text {
        return Ok(false);
    }
    if arguments.list {
        say!("{}", shown.display());
    }
    if arguments.diff {
        say_part!("{}", difference(&text, &formatted));
    }
    if arguments.write && !arguments.check {
        fs::write(path, formatted).map_err(|error| {
            Error::new(ErrorKind::Denied, "cli.output", format!("`{}` cannot be written", path.display()))
                .because(error)
        })?;
    }
    Ok(true)
}

fn formatted(name: &str, text: &str) -> Result<String, Failure> {
    let mut sources = Sources::new();
    let is_values = name.ends_with(".tfvars");
    let _ = if is_values { sources.add_withheld(name, text) } else { sources.add(name, text) };
    let refuse = |mut problems: Vec<Diagnostic>| {
        problems.iter_mut().for_each(|problem| sources.conceal(problem));
        Error::from_diagnostics("template.invalid", problems)
    };
    hcl::format(text).map_err(refuse).in_sources(&sources)
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::NotFound, "cli.usage", format!("`{}` cannot be read", path.display())).because(error)
}

fn is_template(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    !name.starts_with('.') && (name.ends_with(".tf") || name.ends_with(".tfvars"))
}

fn collect(path: &Path, recursive: bool, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path).map_err(|error| unreadable(path, error))?.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        let hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if entry.is_file() && is_template(&entry) {
            files.push(entry);
        } else if recursive && entry.is_dir() && !hidden {
            collect(&entry, recursive, files)?;
        }
    }
    Ok(())
}

/// Returns the lines that differ, old ones with `-`, new ones with `+`, after what both begin with.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old.iter().skip(head).rev().zip(new.iter().skip(head).rev()).take_while(|(a, b)| a == b).count();
    let part = |lines: &[&str], sign: char| -> String {
        let end = lines.len().saturating_sub(tail);
        lines.get(head..end).unwrap_or_default().iter().map(|line| format!("{sign}{line}\n")).collect()
    };
    format!("@@ line {} @@\n{}{}", head + 1, part(&old, '-'), part(&new, '+'))
}

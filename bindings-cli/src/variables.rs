//! Values for the root module's variables: environment, files, flags, and questions on a terminal.

use std::{
    fs,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::Path,
};

use stackwright::{
    error::{Diagnostics as _, Error, ErrorKind, Result},
    template::{RawVariables, Template, VariableArgument, VariableSources, gather_variables},
};

use crate::arguments::Variables;

/// Whether a person may be asked for what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    Allowed,
    Never,
}

/// Collects what sets variables, in Terraform's order of precedence.
///
/// The texts of files that were read are added to the template's sources, so that problems can point into them.
pub(crate) fn gather(
    given: &Variables,
    template: &mut Template,
    folder: &Path,
    asking: Asking,
) -> Result<RawVariables> {
    let mut sources = VariableSources::default();
    sources.environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    sources.arguments = in_order(given, folder)?;
    let files = template.files().clone();
    let (mut raw, problems) = gather_variables(&sources, &files, template.sources_mut());
    if problems.has_errors() {
        return Err(Error::from_diagnostics("template.invalid", problems));
    }
    if asking == Asking::Allowed && io::stdin().is_terminal() && io::stderr().is_terminal() {
        ask(template, &files, &mut sources, &mut raw)?;
    }
    Ok(raw)
}

/// Splits `name=value`. Spaces belong to the value, so one that stands before the sign is a mistake.
fn name_and_text(argument: &str) -> Option<(&str, &str)> {
    argument.split_once('=').filter(|(name, _)| !name.contains(char::is_whitespace))
}

/// Returns `-var` and `-var-file` in the order of the command line, which decides who wins.
fn in_order(given: &Variables, folder: &Path) -> Result<Vec<VariableArgument>> {
    let usage = |message: String| Error::new(ErrorKind::InvalidInput, "cli.usage", message);
    let mut texts = given.var.iter();
    let mut paths = given.var_file.iter();
    let mut arguments = Vec::new();
    for kind in order_of_flags(std::env::args()) {
        let argument = match kind {
            Flag::Var => texts.next().map(|text| {
                let (name, text) = name_and_text(text).ok_or_else(|| {
                    usage("`-var`: write `-var name=value`, without spaces before the sign".to_owned())
                })?;
                Ok::<_, Error>(VariableArgument::Text { name: name.to_owned(), text: text.to_owned() })
            }),
            Flag::File => paths.next().map(|path| {
                let text = fs::read_to_string(folder.join(path)).map_err(|error| {
                    let message = format!("`-var-file`: `{}` cannot be read", path.display());
                    Error::new(ErrorKind::NotFound, "cli.usage", message).because(error)
                })?;
                Ok(VariableArgument::File { path: path.display().to_string(), text })
            }),
        };
        arguments.extend(argument.transpose()?);
    }
    Ok(arguments)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    Var,
    File,
}

fn order_of_flags(arguments: impl Iterator<Item = String>) -> Vec<Flag> {
    let flags = arguments.take_while(|word| word != "--").filter_map(|word| {
        let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
        match name.split('=').next() {
            Some("var") => Some(Flag::Var),
            Some("var-file") => Some(Flag::File),
            _ => None,
        }
    });
    flags.collect()
}

/// Asks for each variable without value and default.
fn ask(
    template: &mut Template,
    files: &stackwright::template::Files,
    sources: &mut VariableSources,
    raw: &mut RawVariables,
) -> Result<()> {
    let missing: Vec<_> = template
        .root()
        .variables
        .values()
        .filter(|variable| variable.is_required() && !raw.values.contains_key(&variable.name))
        .map(|variable| (variable.name.to_string(), variable.description.clone()))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let unanswered = |error| Error::new(ErrorKind::InvalidInput, "cli.usage", "no answer could be read").because(error);
    for (name, description) in missing {
        let description = description.map_or_else(String::new, |text| format!("  {text}\n\n"));
        eprint!("var.{name}\n{description}  Enter a value: ");
        io::stderr().flush().map_err(unanswered)?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(unanswered)?;
        say_error!("");
        let text = line.trim_end_matches(['\n', '\r']).to_owned();
        sources.arguments.push(VariableArgument::Text { name, text });
    }
    let (gathered, problems) = gather_variables(sources, files, template.sources_mut());
    if problems.has_errors() {
        return Err(Error::from_diagnostics("template.invalid", problems));
    }
    *raw = gathered;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_are_no_part_of_a_name() {
        assert_eq!(name_and_text("a= b=c "), Some(("a", " b=c ")));
        for argument in ["a", " a=1", "a =1"] {
            assert_eq!(name_and_text(argument), None, "{argument}");
        }
    }

    #[test]
    fn flags_keep_their_order() {
        let line = "stackwright plan -var a=1 --var-file x.tfvars -var=b=2 -- -var c=3";
        let found = order_of_flags(line.split(' ').map(str::to_owned));
        assert_eq!(found, [Flag::Var, Flag::File, Flag::Var]);
    }
}

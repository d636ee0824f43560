use std::{fs, path::Path};

use stackwright::{
    error::{Error, ErrorKind, Result},
    template::{FetchLimits, FetchedModule, Files},
};

use super::Failure;
use crate::{
    arguments,
    exit::Exit,
    modules::LocalModules,
    session::{Session, make_private_folder},
};

/// Where packages of modules lie, in the template's folder.
const PACKAGES: &str = ".stackwright/modules";

/// Puts the modules that lie in archives and git directories where the template looks for them.
pub(super) async fn run(session: &Session, arguments: &arguments::Init) -> Result<Exit, Failure> {
    let folder = &session.folder;
    if arguments.upgrade {
        remove(&folder.join(PACKAGES))?;
    }
    let mut files = Files::from_dir(folder)?;
    if files.missing_modules().is_empty() {
        say!("Nothing to prepare: the providers are part of the program. Go on with `stackwright plan`.");
        return Ok(Exit::Success);
    }
    say!("Initializing modules...");
    let source = LocalModules { folder: folder.clone() };
    let fetched = files.fetch_modules(&source, &FetchLimits::default()).await?;
    make_private_folder(&folder.join(".stackwright"))?;
    for one in &fetched {
        put(folder, one, &files)?;
        say!("- {} in {}", one.request.caller, one.folder);
    }
    say!("\nThe modules are there. Go on with `stackwright plan`.");
    Ok(Exit::Success)
}

/// Writes a package. It appears as a whole: who is interrupted leaves none.
fn put(folder: &Path, module: &FetchedModule, files: &Files) -> Result<()> {
    let place = folder.join(&module.folder);
    let draft = place.with_extension(format!("{}.part", std::process::id()));
    remove(&draft)?;
    let prefix = format!("{}/", module.folder);
    for (path, text) in files.iter() {
        let Some(inside) = path.strip_prefix(&prefix) else { continue };
        let target = draft.join(inside);
        let made = target.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::write(&target, text.as_bytes())).map_err(|error| failed(&target, error))?;
    }
    remove(&place)?;
    fs::rename(&draft, &place).map_err(|error| failed(&place, error))
}

fn remove(place: &Path) -> Result<()> {
    match fs::remove_dir_all(place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(place, error)),
        _ => Ok(()),
    }
}

fn failed(place: &Path, error: std::io::Error) -> Error {
    let message = format!("`{}` cannot be written", place.display());
    Error::new(ErrorKind::Denied, "cli.output", message).because(error)
}

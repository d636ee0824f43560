//! Modules that are on this machine and not beside the template: archives and git directories.
//!
//! ```text
//! source ──▶ Form ──▶ archive or git ──▶ Unpacked (bounded, nothing leads out) ──▶ package
//! ```
//!
//! Everything else is refused by name: this program downloads nothing.

mod archive;
mod form;
mod git;
mod unpacked;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use stackwright::{
    error::{Error, ErrorKind, Result},
    template::{ModulePackage, ModuleRequest, ModuleSource},
};

use form::Form;

/// Reads packages of modules from this machine's disks.
#[derive(Debug)]
pub(crate) struct LocalModules {
    /// The template's folder, from which relative paths count.
    pub(crate) folder: PathBuf,
}

#[async_trait]
impl ModuleSource for LocalModules {
    async fn fetch(&self, request: &ModuleRequest) -> Result<Option<ModulePackage>> {
        let form = Form::of(&request.source).map_err(|what| refuse(request, &what))?;
        let folder = self.folder.clone();
        let read = tokio::task::spawn_blocking(move || match form {
            Form::Archive { path, kind } => archive::read(&place(&folder, &path), kind),
            Form::Git { path, reference } => git::read(&place(&folder, &path), reference.as_deref()),
        });
        let unpacked = read.await.map_err(|error| Error::bug("reading a module ended early").because(error))?;
        let files = unpacked.map_err(|what| refuse(request, &what))?;
        Ok(Some(ModulePackage { files, version: None }))
    }
}

/// Returns where a path leads, without its `./`, which no message needs.
fn place(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path.strip_prefix(".").unwrap_or(path))
}

fn refuse(request: &ModuleRequest, what: &str) -> Error {
    let message = format!("the module source `{}`, which `{}` asks for: {what}", request.source, request.caller);
    Error::new(ErrorKind::InvalidInput, "template.source", message)
}

#[cfg(test)]
mod tests;

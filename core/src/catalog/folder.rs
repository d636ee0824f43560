//! The files of a folder, as they are packed.

use std::{fs, path::Path, sync::Arc};

use super::{Limits, PackageFiles, archive::path_problem};
use crate::error::{Error, ErrorKind, Result};

/// How deep folders may lie in each other.
const MAX_DEPTH: usize = 32;

/// Reads every file below a folder. Names that begin with a dot are left out; links are refused, since they may lead out.
///
/// # Errors
/// `catalog.unavailable`, `catalog.archive`, `catalog.too_large`.
pub(super) fn read(root: &Path, limits: Limits) -> Result<PackageFiles> {
    let mut walk = Walk { files: PackageFiles::new(), limits, left: limits.bytes };
    walk.folder(root, "", 0)?;
    Ok(walk.files)
}

struct Walk {
    files: PackageFiles,
    limits: Limits,
    left: u64,
}

impl Walk {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<()> {
        let unreadable = |path: &Path, error: std::io::Error| {
            let message = format!("`{}` cannot be read", path.display());
            Error::new(ErrorKind::NotFound, "catalog.unavailable", message).because(error)
        };
        let refused = |path: &str, problem: &str| {
            let message = format!("`{}` {problem}", path.escape_debug());
            Err(Error::new(ErrorKind::InvalidInput, "catalog.archive", message))
        };
        if depth > MAX_DEPTH {
            return refused(prefix, "lies too deep");
        }
        for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
            let entry = entry.map_err(|error| unreadable(folder, error))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return refused(&name.to_string_lossy(), "is no text");
            };
            if name.starts_with('.') {
                continue;
            }
            let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
            let kind = entry.file_type().map_err(|error| unreadable(&entry.path(), error))?;
            if kind.is_symlink() {
                return refused(&path, "is a link, which may lead out of the package");
            }
            if kind.is_dir() {
                self.folder(&entry.path(), &path, depth + 1)?;
                continue;
            }
            if !kind.is_file() {
                return refused(&path, "is no plain file");
            }
            if let Some(problem) = path_problem(&path) {
                return refused(&path, problem);
            }
            let size = entry.metadata().map_err(|error| unreadable(&entry.path(), error))?.len();
            let too_much =
                || super::archive::too_large(format!("the folder has more than {} bytes", self.limits.bytes));
            self.left = self.left.checked_sub(size).ok_or_else(too_much)?;
            let bytes = fs::read(entry.path()).map_err(|error| unreadable(&entry.path(), error))?;
            self.files.insert(path.into(), Arc::from(bytes));
            if self.files.len() > self.limits.files {
                return Err(super::archive::too_large(format!("the folder has more than {} files", self.limits.files)));
            }
        }
        Ok(())
    }
}

//! What stands at a path, and how it is changed without ever being half changed.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Component, Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use stackwright::error::{Effect, Error, ErrorKind, Result};

use crate::{attributes::io_error, encoding::hex};

/// A file that is larger is not taken into memory unless it is expected to be.
const LARGEST_KEPT_BYTES: u64 = 16 * 1024 * 1024;

/// What stands at a path. Links are not followed: one that leads elsewhere is not the thing itself.
#[derive(Debug)]
pub(crate) enum Found {
    Nothing,
    File(FoundFile),
    Directory {
        mode: u32,
    },
    /// Something else, in words.
    Other(&'static str),
}

/// A file as it is.
#[derive(Debug)]
pub(crate) struct FoundFile {
    /// `None` where it is too large to be looked at.
    pub(crate) bytes: Option<Vec<u8>>,
    /// SHA-256, hexadecimal.
    pub(crate) checksum: String,
    pub(crate) size: u64,
    pub(crate) mode: u32,
    owner: (u32, u32),
}

/// Returns the SHA-256 of bytes, hexadecimal.
pub(crate) fn checksum(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Looks at a path. A file of up to `expected_bytes` is read whole, however large that is.
///
/// # Errors
/// `local.denied`, `local.io`.
pub(crate) fn look(path: &Path, expected_bytes: u64) -> Result<Found> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_missing(&error) => return Ok(Found::Nothing),
        Err(error) => return Err(io_error("look at", path, error)),
    };
    let mode = metadata.permissions().mode() & 0o7777;
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Ok(Found::Directory { mode });
    }
    if !kind.is_file() {
        return Ok(Found::Other(if kind.is_symlink() { "a symbolic link" } else { "neither a file nor a directory" }));
    }
    let owner = (metadata.uid(), metadata.gid());
    let unread = |error| io_error("read", path, error);
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if is_missing(&error) => return Ok(Found::Nothing),
        Err(error) => return Err(unread(error)),
    };
    let keeps = metadata.len() <= expected_bytes.max(LARGEST_KEPT_BYTES);
    let mut bytes = Vec::new();
    let mut hasher = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unread(error)),
        };
        let read = buffer.get(..count).unwrap_or_default();
        hasher.update(read);
        size += count as u64;
        if keeps {
            bytes.extend_from_slice(read);
        }
    }
    let bytes = keeps.then_some(bytes);
    Ok(Found::File(FoundFile { bytes, checksum: hex(&hasher.finalize()), size, mode, owner }))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What a file that is written may take the place of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over<'a> {
    /// Nothing: what is there meanwhile stays.
    Nothing,
    /// Whatever is there that is no directory.
    Anything,
    /// This file, whose owner and group are kept where that is permitted.
    File(&'a FoundFile),
}

/// Returns the folder that a path stands in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns where an unfinished file of an object is: beside the finished one, so that it can be renamed. The same for
/// every attempt, so that one that died leaves at most this.
fn unfinished(path: &Path, key: &str) -> PathBuf {
    folder_of(path).join(format!(".stackwright-{key}"))
}

/// Removes what an attempt that died may have left beside a file.
pub(crate) fn tidy(path: &Path, key: &str) {
    if !key.is_empty() {
        let _ = fs::remove_file(unfinished(path, key));
    }
}

/// Writes a file so that readers see the old one or the new one, never half of it. `key` tells objects apart.
///
/// # Errors
/// `local.exists` when something is in the way that `over` does not cover; `local.denied`, `local.io`.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32, over: Over<'_>, key: &str) -> Result<()> {
    let folder = folder_of(path);
    fs::create_dir_all(folder).map_err(|error| io_error("make the folder of", path, error))?;
    let key = if key.is_empty() { random_key()? } else { key.to_owned() };
    let temporary = unfinished(path, &key);
    let written = fill(&temporary, bytes, mode, over).and_then(|()| match over {
        Over::Nothing => rename_to_free(&temporary, path),
        Over::Anything | Over::File(_) => fs::rename(&temporary, path),
    });
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory => in_the_way(path, "there already"),
            _ => io_error("write", path, error),
        });
    }
    match sync_folder(folder) {
        Ok(()) => Ok(()),
        Err(error) => Err(io_error("make durable", path, error).effect(Effect::Unknown)),
    }
}

/// Returns the error for what is there and is not ours.
pub(crate) fn in_the_way(path: &Path, what: &str) -> Error {
    let message = format!("`{}` is {what}; import it, move it away, or choose another path", path.display());
    Error::new(ErrorKind::AlreadyExists, "local.exists", message)
}

fn random_key() -> Result<String> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| Error::bug("no random bytes from the system").because(error))?;
    Ok(hex(&bytes))
}

fn fill(temporary: &Path, bytes: &[u8], mode: u32, over: Over<'_>) -> io::Result<()> {
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Nobody else reads it before its mode is set.
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
    file.write_all(bytes)?;
    if let Over::File(FoundFile { owner: (user, group), .. }) = over {
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (*user, *group) {
            // Only root may give files away; a group of one's own may be set by everybody.
            let _ = fchown(&file, Some(*user), Some(*group)).or_else(|_| fchown(&file, None, Some(*group)));
        }
    }
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Renames a file unless its new name is taken, in one step where the file system can do that.
fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::{
            fs::{CWD, RenameFlags, renameat_with},
            io::Errno,
        };
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            renamed => return renamed.map_err(io::Error::from),
        }
    }
    rename_by_looking(from, to)
}

/// The same in two steps.
fn rename_by_looking(from: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Makes a rename durable, where the folder may be opened and its file system offers that.
fn sync_folder(folder: &Path) -> io::Result<()> {
    let Ok(folder) = fs::File::open(folder) else { return Ok(()) };
    match folder.sync_all() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// Sets the mode of what is at a path.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|error| io_error("set the mode of", path, error))
}

/// Checks that a text can be the path of something that is made and deleted.
///
/// # Errors
/// `local.path`.
pub(crate) fn check_path(text: &str) -> Result<()> {
    let refuse = |what: &str| Err(Error::new(ErrorKind::InvalidInput, "local.path", format!("`path` {what}")));
    if text.is_empty() {
        return refuse("is empty");
    }
    if text.contains('\0') {
        return refuse("holds a zero byte");
    }
    match Path::new(text).components().next_back() {
        Some(Component::Normal(_)) => Ok(()),
        _ => refuse("ends with no name, so it means the root, or a folder that was there before"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_appeared_meanwhile_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        for rename in [rename_to_free, rename_by_looking] {
            fs::write(&path, "theirs").expect("a file");
            let temporary = folder.path().join("temporary");
            fs::write(&temporary, "mine").expect("a file");
            let error = rename(&temporary, &path).expect_err("it is taken");
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read_to_string(&path).expect("a file"), "theirs");
            fs::remove_file(&path).expect("the file");
            rename(&temporary, &path).expect("it is free");
            assert_eq!(fs::read_to_string(&path).expect("a file"), "mine");
        }
        let error = write(&path, b"other", 0o644, Over::Nothing, "key").expect_err("it is taken");
        assert_eq!(error.code(), "local.exists");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "mine");
        let names: Vec<_> =
            fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(names, ["file"], "what was written beside it is gone");
    }

    #[test]
    fn paths_end_with_a_name() {
        for good in ["a", "/a", "a/b", "./a", "../a", "a/", "/a/../b"] {
            assert!(check_path(good).is_ok(), "{good}");
        }
        for bad in ["", "/", ".", "..", "a/..", "a\0"] {
            assert!(check_path(bad).is_err(), "{bad}");
        }
    }
}

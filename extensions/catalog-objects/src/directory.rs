use std::{
    fmt, fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use stackwright::{
    catalog::{Expect, Objects, Stored, digest},
    error::{Error, ErrorKind, Result},
};

/// A catalog in a folder: each object is a file. Several processes may use it.
///
/// A file appears whole: it is written beside its place and then moved there. Writers of one folder wait for one another.
#[derive(Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Returns the catalog in a folder, which is made when something is written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns where an object lies.
    fn place(&self, key: &str) -> Result<PathBuf> {
        let is_plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        if key.split('/').all(is_plain) {
            return Ok(self.root.join(key));
        }
        let message = format!("`{}` is no key of a catalog", key.escape_debug());
        Err(Error::new(ErrorKind::InvalidInput, "catalog.name", message))
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Directory").field(&self.root).finish()
    }
}

fn failed(path: &Path, what: &str, error: io::Error) -> Error {
    let message = format!("`{}` cannot be {what}", path.display());
    Error::new(ErrorKind::Unavailable, "catalog.unavailable", message).because(error)
}

fn read(path: &Path, limit: u64) -> Result<Option<Arc<[u8]>>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, "read", error)),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| failed(path, "read", error))?;
    if bytes.len() as u64 > limit {
        let message = format!("`{}` has more than {limit} bytes", path.display());
        return Err(Error::new(ErrorKind::InvalidInput, "catalog.too_large", message));
    }
    Ok(Some(bytes.into()))
}

/// Writes what is expected, while no other writer does.
fn write(root: &Path, path: &Path, bytes: &[u8], expect: &Expect) -> Result<bool> {
    let folder = path.parent().unwrap_or(root);
    fs::create_dir_all(folder).map_err(|error| failed(folder, "made", error))?;
    let lock_path = root.join(".lock");
    let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
    let lock = lock.map_err(|error| failed(&lock_path, "opened", error))?;
    // The system gives it back when the process ends, however it ends.
    lock.lock().map_err(|error| failed(&lock_path, "locked", error))?;
    let there = read(path, u64::MAX - 1)?;
    let is_expected = match (expect, &there) {
        (Expect::Absent, there) => there.is_none(),
        (Expect::Tag(tag), Some(there)) => digest(there) == *tag,
        (Expect::Tag(_), None) => false,
    };
    if !is_expected {
        return Ok(false);
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("object");
    let beside = folder.join(format!(".{name}.part"));
    let written = fs::File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&beside, path)).map_err(|error| failed(path, "written", error))?;
    #[cfg(unix)]
    {
        let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| failed(folder, "written", error))?;
    }
    Ok(true)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::bug("work on a folder ended early").because(error))?
}

#[async_trait]
impl Objects for Directory {
    async fn get(&self, key: &str, limit: u64) -> Result<Option<Stored>> {
        let path = self.place(key)?;
        let bytes = blocking(move || read(&path, limit)).await?;
        Ok(bytes.map(|bytes| Stored { tag: digest(&bytes), bytes }))
    }

    async fn put(&self, key: &str, bytes: Arc<[u8]>, expect: Expect) -> Result<bool> {
        let (root, path) = (self.root.clone(), self.place(key)?);
        blocking(move || write(&root, &path, &bytes, &expect)).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.place(folder.trim_end_matches('/'))?;
        blocking(move || {
            let entries = match fs::read_dir(&path) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(failed(&path, "read", error)),
            };
            let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
            Ok(names.filter(|name| !name.starts_with('.')).collect())
        })
        .await
    }
}

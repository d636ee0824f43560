use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind as IoKind, Read as _, Write as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{Key, key::KEY_BYTES};
use crate::error::{Error, ErrorKind, Result};

/// A host key in a file that only its owner can read.
#[derive(Debug)]
pub struct KeyFile;

impl KeyFile {
    /// Reads the key in `path`: 32 raw bytes, or one of the spellings of [`Key::parse`].
    ///
    /// # Errors
    /// * `cipher.key_unavailable` where the file is missing or cannot be read.
    /// * `cipher.key_permissions` where others can read or change it (on Unix).
    /// * `cipher.key_invalid` where it holds no key.
    pub fn open(path: impl AsRef<Path>) -> Result<Key> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| unavailable(path, "cannot be read", error))?;
        check_permissions(&file, path)?;
        // A key in any spelling is shorter than this; a file that is longer is not read to its end.
        let mut bytes = Zeroizing::new(Vec::with_capacity(4 * KEY_BYTES));
        file.take(4 * KEY_BYTES as u64)
            .read_to_end(&mut bytes)
            .map_err(|error| unavailable(path, "cannot be read", error))?;
        parse(&bytes).map_err(|error| error.context("file", path.display()))
    }

    /// Reads the key in `path`, or makes one there the first time.
    ///
    /// The directory has to exist. The file appears whole or not at all: two processes that come at the same time end
    /// up with the same key, and a crash leaves no half key. What is there already is never overwritten.
    ///
    /// # Errors
    /// As [`open`](Self::open); `cipher.key_unavailable` also where the file cannot be made.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Key> {
        let path = path.as_ref();
        if !path.try_exists().map_err(|error| unavailable(path, "cannot be looked at", error))? {
            create(path, &Key::generate()?)?;
        }
        Self::open(path)
    }

    /// Reads the key in `path`, made there the first time, and the older keys that [`rotate`](Self::rotate) left
    /// beside it.
    ///
    /// # Errors
    /// As [`open_or_create`](Self::open_or_create), for any of the files.
    pub fn open_all(path: impl AsRef<Path>) -> Result<KeyRing> {
        let path = path.as_ref();
        let newest = Self::open_or_create(path)?;
        let mut older = Vec::new();
        for file in older_files(path)? {
            let key = Self::open(&file)?;
            if key.id() != newest.id() {
                older.push(key);
            }
        }
        Ok(KeyRing { newest, older })
    }

    /// Puts a new key into `path`. The key that was there is kept beside it, in a file with `.old-` and its name behind
    /// the name of `path`, where [`open_all`](Self::open_all) finds it.
    ///
    /// A crash at any moment leaves both keys readable, or the old one alone. Two processes that come at the same time
    /// lose no key that anything was sealed with, as long as neither seals before it has returned from here.
    ///
    /// # Errors
    /// As [`open`](Self::open); `cipher.key_unavailable` also where a file cannot be made.
    pub fn rotate(path: impl AsRef<Path>) -> Result<KeyRing> {
        let path = path.as_ref();
        let old = Self::open(path)?;
        let kept = beside(path, &format!(".old-{}", old.id()));
        if !kept.try_exists().map_err(|error| unavailable(&kept, "cannot be looked at", error))? {
            create(&kept, &old)?;
        }
        let newest = Key::generate()?;
        let draft = beside(path, &format!(".{}.new", uuid::Uuid::new_v4()));
        write_new(&draft, &newest)
            .and_then(|()| fs::rename(&draft, path))
            .and_then(|()| sync_directory(path))
            .map_err(|error| unavailable(path, "cannot be replaced", error))?;
        Self::open_all(path)
    }
}

/// A key to seal with, and those that only open what was sealed before.
#[derive(Clone, Debug)]
pub struct KeyRing {
    /// Seals.
    pub newest: Key,
    /// Open what was sealed before they were replaced; in no order.
    pub older: Vec<Key>,
}

/// Returns the path with `suffix` behind its file name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().map_or_else(|| OsString::from("key"), OsString::from);
    name.push(suffix);
    path.with_file_name(name)
}

/// Returns the files of older keys beside `path`, sorted.
fn older_files(path: &Path) -> Result<Vec<PathBuf>> {
    let prefix = beside(path, ".old-");
    let prefix = prefix.file_name().unwrap_or_default().as_encoded_bytes();
    let failed = |error| unavailable(path, "has a folder that cannot be read", error);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder_of(path)).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_older = entry.file_name().as_encoded_bytes().strip_prefix(prefix).is_some_and(|id| id.len() == 16);
        if is_older {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Puts `key` into `path` unless something is there by now.
fn create(path: &Path, key: &Key) -> Result<()> {
    let draft = beside(path, &format!(".{}.new", uuid::Uuid::new_v4()));
    let made = write_new(&draft, key).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == IoKind::AlreadyExists => Ok(()),
        // File systems without hard links: make the file in place, whoever comes first.
        Err(_) => match write_new(path, key) {
            Err(error) if error.kind() == IoKind::AlreadyExists => Ok(()),
            other => other,
        },
        Ok(()) => Ok(()),
    });
    let cleared = fs::remove_file(&draft);
    made.and(cleared).and_then(|()| sync_directory(path)).map_err(|error| unavailable(path, "cannot be made", error))
}

/// Makes a file with mode 0600 that must not exist yet; its bytes are durable when this returns.
fn write_new(path: &Path, key: &Key) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(key.bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn check_permissions(file: &File, path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = file.metadata().map_err(|error| unavailable(path, "cannot be looked at", error))?.permissions().mode();
    let of_others = mode & 0o077;
    if of_others == 0 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Denied,
        "cipher.key_permissions",
        "others can read or change the key file; run `chmod 600` on it, and think of the key as known if they could read it",
    )
    .context("file", path.display())
    .context("mode", format_args!("{:04o}", mode & 0o7777)))
}

#[cfg(not(unix))]
fn check_permissions(_file: &File, _path: &Path) -> Result<()> {
    Ok(())
}

fn parse(bytes: &[u8]) -> Result<Key> {
    // 32 hexadecimal digits are a 16-byte key that somebody wrote as text, not a key of 32 bytes.
    if bytes.len() == KEY_BYTES && !bytes.iter().all(u8::is_ascii_hexdigit) {
        return Key::from_bytes(bytes);
    }
    let text = std::str::from_utf8(bytes).ok().and_then(|text| Key::parse(text).ok());
    text.ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidInput,
            "cipher.key_invalid",
            "the key file holds no key: it must be 32 bytes, or those as 64 hexadecimal digits or base64",
        )
        .context("length", bytes.len())
    })
}

fn unavailable(path: &Path, what: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "cipher.key_unavailable", format!("the key file {what}"))
        .context("file", path.display())
        .because(error)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn makes_one_key_however_many_come() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("key");
        let ids: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| KeyFile::open_or_create(&path))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic").expect("a key").id().clone()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(fs::read(&path).expect("a file").len(), KEY_BYTES);
        let left: Vec<_> = fs::read_dir(directory.path()).expect("a directory").collect();
        assert_eq!(left.len(), 1, "no drafts are left: {left:?}");
        assert_eq!(KeyFile::open_or_create(&path).expect("again").id(), &ids[0]);
    }

    #[cfg(unix)]
    #[test]
    fn is_private_and_stays_so() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("key");
        KeyFile::open_or_create(&path).expect("a key");
        let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o7777;
        assert_eq!(mode(&path), 0o600);
        for open in [0o640, 0o604, 0o620, 0o777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).expect("chmod");
            assert_eq!(KeyFile::open_or_create(&path).expect_err("open to others").code(), "cipher.key_permissions");
        }
    }

    #[cfg(unix)]
    #[test]
    fn refuses_what_is_no_key_and_keeps_it() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("key");
        let put = |bytes: &[u8]| {
            fs::write(&path, bytes).expect("writes");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        };
        for bad in [&b""[..], b"short", &[7; 31], &[7; 33], &[b'a'; 32], &[b'a'; 4000]] {
            put(bad);
            assert_eq!(KeyFile::open_or_create(&path).expect_err("no key").code(), "cipher.key_invalid");
            assert_eq!(fs::read(&path).expect("a file"), bad);
        }
        put(&[7; 32]);
        let raw = KeyFile::open(&path).expect("raw bytes");
        put("07".repeat(32).as_bytes());
        assert_eq!(KeyFile::open(&path).expect("hexadecimal").id(), raw.id());
    }

    #[cfg(unix)]
    #[test]
    fn keeps_every_key_that_it_replaces() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("key");
        let mut made = vec![KeyFile::open_or_create(&path).expect("a key").id().clone()];
        for _ in 0..3 {
            let ring = KeyFile::rotate(&path).expect("another key");
            let mut older: Vec<_> = ring.older.iter().map(|key| key.id().clone()).collect();
            older.sort();
            let mut expected = made.clone();
            expected.sort();
            assert_eq!(older, expected);
            made.push(ring.newest.id().clone());
            assert_eq!(KeyFile::open_all(&path).expect("all keys").newest.id(), ring.newest.id());
        }
        assert_eq!(made.iter().collect::<std::collections::BTreeSet<_>>().len(), 4, "every key is new");
        for entry in fs::read_dir(directory.path()).expect("a directory") {
            let entry = entry.expect("a file");
            assert_eq!(entry.metadata().expect("a file").permissions().mode() & 0o777, 0o600, "{entry:?}");
        }
        // What is no key of ours is left alone; an older key that is open to others is not.
        fs::write(directory.path().join("key.old-notes"), "mine").expect("writes");
        assert_eq!(KeyFile::open_all(&path).expect("all keys").older.len(), 3);
        let old = directory.path().join(format!("key.old-{}", made[0]));
        fs::set_permissions(&old, fs::Permissions::from_mode(0o644)).expect("chmod");
        assert_eq!(KeyFile::open_all(&path).expect_err("open to others").code(), "cipher.key_permissions");
    }

    /// A crash between keeping the old key and putting the new one leaves the old one in both places.
    #[test]
    fn a_kept_copy_of_the_newest_is_not_older() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("key");
        let key = KeyFile::open_or_create(&path).expect("a key");
        create(&beside(&path, &format!(".old-{}", key.id())), &key).expect("a copy");
        let ring = KeyFile::open_all(&path).expect("all keys");
        assert_eq!((ring.newest.id(), ring.older.len()), (key.id(), 0));
        assert_eq!(KeyFile::rotate(&path).expect("goes on").older.len(), 1);
    }

    #[test]
    fn says_which_file_is_missing() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("nowhere").join("key");
        for error in [KeyFile::open(&path).expect_err("missing"), KeyFile::open_or_create(&path).expect_err("missing")]
        {
            assert_eq!(error.code(), "cipher.key_unavailable");
            assert!(error.report().contains("nowhere"), "{error:?}");
        }
    }
}

//! Files that nobody else may read.

use std::{fs, io, io::Write as _, path::Path};

/// Writes a file, whatever was there before; from before the first byte is in it only its owner may read it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    // One that was there keeps its mode otherwise.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.write_all(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_was_open_to_everybody_is_so_no_more() {
        let folder = tempfile::tempdir().expect("a folder");
        for before in [None, Some(0o666)] {
            let path = folder.path().join(format!("secrets-{before:?}"));
            if let Some(mode) = before {
                fs::write(&path, "long ago, and longer").expect("a file");
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
            }
            write(&path, b"secret").expect("it is written");
            let mode = fs::metadata(&path).expect("a file").permissions().mode();
            assert_eq!((mode & 0o777, &*fs::read(&path).expect("a file")), (0o600, &b"secret"[..]));
        }
    }
}

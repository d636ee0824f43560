use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read},
    path::Path,
    sync::Arc,
};

use super::unpacked::{Limits, Unpacked, inside, link};

/// How the files in an archive are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Zip,
    Tar,
    TarGz,
}

impl Kind {
    /// What names of archives end in.
    pub(super) const NAMES: [&str; 4] = [".zip", ".tar", ".tar.gz", ".tgz"];

    pub(super) fn of(path: &str) -> Option<Self> {
        let path = path.to_ascii_lowercase();
        let kinds = [Self::Zip, Self::Tar, Self::TarGz, Self::TarGz];
        Self::NAMES.iter().zip(kinds).find(|(name, _)| path.ends_with(*name)).map(|(_, kind)| kind)
    }
}

/// Reads an archive. Errors are what is wrong with it, in words.
pub(super) fn read(path: &Path, kind: Kind) -> Result<BTreeMap<String, Arc<str>>, String> {
    let file = File::open(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(format!("`{}` is not a file", path.display()));
    }
    let unpacked = Unpacked::new(Limits::default());
    match kind {
        Kind::Zip => zip(file, unpacked),
        Kind::Tar => tar(BufReader::new(file), unpacked),
        Kind::TarGz => tar(flate2::read::MultiGzDecoder::new(BufReader::new(file)), unpacked),
    }
}

fn broken(error: impl std::fmt::Display) -> String {
    format!("it cannot be unpacked: {error}")
}

/// Unpacks a zip archive.
pub(super) fn zip(file: File, mut unpacked: Unpacked) -> Result<BTreeMap<String, Arc<str>>, String> {
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    for place in 0..archive.len() {
        unpacked.entry()?;
        let entry = archive.by_index(place).map_err(broken)?;
        let path = entry.name().map_err(broken)?.into_owned();
        if entry.is_symlink() {
            return Err(link(&path));
        }
        if entry.is_dir() {
            inside(&path)?;
        } else {
            unpacked.file(&path, entry)?;
        }
    }
    Ok(unpacked.into_files())
}

/// Unpacks a tar archive.
pub(super) fn tar(packed: impl Read, mut unpacked: Unpacked) -> Result<BTreeMap<String, Arc<str>>, String> {
    let mut archive = tar::Archive::new(packed);
    for entry in archive.entries().map_err(broken)? {
        unpacked.entry()?;
        let entry = entry.map_err(broken)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if kind.is_symlink() || kind.is_hard_link() {
            return Err(link(&path));
        }
        if kind.is_file() {
            unpacked.file(&path, entry)?;
        } else if kind.is_dir() && !path.trim_end_matches(['/', '.']).is_empty() {
            inside(&path)?;
        }
    }
    Ok(unpacked.into_files())
}

//! Archives: the files of a package in one canonical sequence of bytes.
//!
//! The format is `ustar`, so that `tar` lists and unpacks them, and nothing of it is left open: regular files only, sorted by
//! path, without owners and times, and not compressed. The same files give the same bytes, for ever and everywhere; and bytes
//! that differ in anything from what the same files would give are refused, so that no two readers can disagree about them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind, Result};

/// The files of a package: path with `/` between its parts → bytes.
pub type PackageFiles = BTreeMap<Arc<str>, Arc<[u8]>>;

/// How much a package may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files.
    pub files: usize,
    /// Bytes of all files together.
    pub bytes: u64,
}

impl Default for Limits {
    /// 10,000 files, 64 MiB.
    fn default() -> Self {
        Self { files: 10_000, bytes: 64 << 20 }
    }
}

impl Limits {
    /// Returns how many bytes an archive within them has at most.
    pub fn archive_bytes(&self) -> u64 {
        self.bytes.saturating_add(self.files as u64 * 1024).saturating_add(1024)
    }

    /// Refuses files beyond them.
    ///
    /// # Errors
    /// `catalog.too_large`.
    pub fn check(&self, files: &PackageFiles) -> Result<()> {
        let bytes: u64 = files.values().map(|bytes| bytes.len() as u64).sum();
        if files.len() > self.files {
            return Err(too_large(format!("the package has {} files; {} are allowed", files.len(), self.files)));
        }
        if bytes > self.bytes {
            return Err(too_large(format!("the package has {bytes} bytes; {} are allowed", self.bytes)));
        }
        Ok(())
    }
}

const BLOCK: usize = 512;

pub(super) fn too_large(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "catalog.too_large", message)
}

fn broken(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, "catalog.archive", format!("this is no archive of a package: {}", what.into()))
}

/// Returns `sha256:` and 64 hexadecimal digits.
pub fn digest(bytes: &[u8]) -> Arc<str> {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}

/// Returns why a path cannot be one of a package, if so: it might lead out of the folder that it is unpacked into, here or
/// on another system.
pub(super) fn path_problem(path: &str) -> Option<&'static str> {
    let is_bad = |part: &str| part.is_empty() || part == "." || part == ".." || part.ends_with(['.', ' ']);
    if path.starts_with('/') || path.split('/').any(is_bad) {
        return Some("leads out of the package, or is no plain path");
    }
    if path.contains(|char: char| char.is_control() || "\\:*?\"<>|".contains(char)) {
        return Some("has a character that not every system takes");
    }
    header(path, 0).is_none().then_some("is too long")
}

/// Returns the header of a file; `None` where the path does not fit.
fn header(path: &str, size: u64) -> Option<[u8; BLOCK]> {
    let (prefix, name) = match path.len() <= 100 {
        true => ("", path),
        // The last slash that leaves a name of at most 100 bytes, and of those the first.
        false => path.char_indices().filter(|(_, char)| *char == '/').find_map(|(idx, _)| {
            let (prefix, name) = (path.get(..idx)?, path.get(idx + 1..)?);
            (name.len() <= 100 && prefix.len() <= 155).then_some((prefix, name))
        })?,
    };
    // Eleven octal digits.
    if name.is_empty() || size >= 1 << 33 {
        return None;
    }
    let mut block = [0_u8; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        if let Some(place) = block.get_mut(at..at + text.len()) {
            place.copy_from_slice(text);
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let mut put = |at: usize, text: &[u8]| {
        if let Some(place) = block.get_mut(at..at + text.len()) {
            place.copy_from_slice(text);
        }
    };
    put(148, format!("{sum:06o}\0 ").as_bytes());
    Some(block)
}

/// Packs files. The same files give the same bytes.
///
/// # Errors
/// `catalog.archive` where a path cannot be; `catalog.too_large`.
///
/// # Complexity
/// O(bytes).
pub fn pack(files: &PackageFiles, limits: Limits) -> Result<Vec<u8>> {
    limits.check(files)?;
    let mut lower = BTreeSet::new();
    let mut bytes = Vec::new();
    for (path, content) in files {
        check_path(path, &mut lower)?;
        let size = content.len();
        let header = header(path, size as u64).ok_or_else(|| broken(format!("`{path}` does not fit")))?;
        bytes.extend(header);
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    }
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    Ok(bytes)
}

fn check_path(path: &str, lower: &mut BTreeSet<String>) -> Result<()> {
    let shown: String = path.chars().take(200).flat_map(char::escape_debug).collect();
    if let Some(problem) = path_problem(path) {
        return Err(broken(format!("`{shown}` {problem}")));
    }
    let whole = path.to_lowercase();
    let folders: Vec<&str> = whole.match_indices('/').filter_map(|(idx, _)| whole.get(..idx)).collect();
    if lower.contains(&format!("{whole}/")) || folders.iter().any(|folder| lower.contains(*folder)) {
        return Err(broken(format!("`{shown}` is a file and a folder")));
    }
    // Folders are noted with a slash behind them.
    lower.extend(folders.iter().map(|folder| format!("{folder}/")));
    match lower.insert(whole) {
        true => Ok(()),
        false => Err(broken(format!("`{shown}` is there twice, but for capitals"))),
    }
}

/// Unpacks an archive that [`pack`] made; anything else is refused. Check where it comes from first.
///
/// # Errors
/// `catalog.archive`: paths that lead out, links, devices, anything that is not canonical; `catalog.too_large`.
///
/// # Complexity
/// O(bytes); nothing that the archive says about sizes is believed.
pub fn unpack(bytes: &[u8], limits: Limits) -> Result<PackageFiles> {
    let mut files = PackageFiles::new();
    let mut lower = BTreeSet::new();
    let mut rest = bytes;
    let mut left = limits.bytes;
    loop {
        let (block, behind) = rest.split_at_checked(BLOCK).ok_or_else(|| broken("it is cut off"))?;
        if block.iter().all(|byte| *byte == 0) {
            let is_end = behind.len() == BLOCK && behind.iter().all(|byte| *byte == 0);
            return if is_end { Ok(files) } else { Err(broken("something follows its end")) };
        }
        if files.len() >= limits.files {
            return Err(too_large(format!("the package has more than {} files", limits.files)));
        }
        let (path, size) = read_header(block).ok_or_else(|| broken("it holds something that is no plain file"))?;
        check_path(&path, &mut lower)?;
        if files.last_key_value().is_some_and(|(last, _)| **last >= *path) {
            return Err(broken("its files are not in order"));
        }
        if header(&path, size).is_none_or(|wanted| wanted != block) {
            return Err(broken(format!("`{path}` is packed in another way than the engine packs")));
        }
        left = left
            .checked_sub(size)
            .ok_or_else(|| too_large(format!("the package has more than {} bytes", limits.bytes)))?;
        let size = usize::try_from(size).map_err(|_| broken("a file is too large"))?;
        let (content, behind) = behind.split_at_checked(size).ok_or_else(|| broken("it is cut off"))?;
        let padding = size.next_multiple_of(BLOCK) - size;
        let (padding, behind) = behind.split_at_checked(padding).ok_or_else(|| broken("it is cut off"))?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(broken("something is hidden between its files"));
        }
        files.insert(path, content.into());
        rest = behind;
    }
}

/// Reads path and size; `None` where it is not the header of a plain file.
fn read_header(block: &[u8]) -> Option<(Arc<str>, u64)> {
    let text = |from: usize, length: usize| {
        let field = block.get(from..from + length)?;
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(length);
        std::str::from_utf8(field.get(..end)?).ok()
    };
    if block.get(156) != Some(&b'0') {
        return None;
    }
    let (name, prefix) = (text(0, 100)?, text(345, 155)?);
    let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
    Some((path.into(), u64::from_str_radix(text(124, 12)?, 8).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn files(entries: &[(&str, &str)]) -> PackageFiles {
        entries.iter().map(|(path, text)| (Arc::from(*path), Arc::from(text.as_bytes()))).collect()
    }

    fn code(result: Result<impl std::fmt::Debug>) -> String {
        result.expect_err("refused").code().to_owned()
    }

    #[test]
    fn the_bytes_are_what_they_were_since_the_first_version() {
        let packed = pack(&files(&[("package.yaml", "name: a\n"), ("a/b.tf", "")]), Limits::default()).expect("packed");
        assert_eq!(packed.len(), 512 + 512 + 512 + 1024);
        assert_eq!(&*digest(&packed), "sha256:1391f426842d2a78d5e8b6dc86e108e4d2d1559f713f9f603a6005332ba129b0");
    }

    #[test]
    fn paths_that_lead_out_are_refused_both_ways() {
        for path in ["../a", "/a", "a/../b", "a//b", "./a", "a\\b", "c:/a", "a\nb", "a/", "", "con.", "a /b", "a\0b"] {
            assert_eq!(code(pack(&files(&[(path, "x")]), Limits::default())), "catalog.archive", "{path:?}");
        }
        for twice in [["A", "a"], ["a", "a/b"], ["A/b", "a"]] {
            assert_eq!(code(pack(&files(&twice.map(|path| (path, ""))), Limits::default())), "catalog.archive");
        }
        assert_eq!(code(pack(&files(&[(&"a".repeat(300), "")]), Limits::default())), "catalog.archive");
        // What another program packed.
        let mut evil = pack(&files(&[("aa", "x")]), Limits::default()).expect("packed");
        evil[0..2].copy_from_slice(b"..");
        evil[2] = b'/';
        evil[3] = b'a';
        assert_eq!(code(unpack(&evil, Limits::default())), "catalog.archive");
    }

    #[test]
    fn links_devices_and_bombs_are_refused() {
        let good = pack(&files(&[("a", "x")]), Limits::default()).expect("packed");
        for kind in b"1234567gxLK\0" {
            let mut evil = good.clone();
            evil[156] = *kind;
            assert_eq!(code(unpack(&evil, Limits::default())), "catalog.archive");
        }
        let mut bomb = good.clone();
        bomb[..BLOCK].copy_from_slice(&header("a", 1 << 32).expect("a header"));
        assert_eq!(code(unpack(&bomb, Limits::default())), "catalog.too_large");
        let few = Limits { files: 1, bytes: 1 };
        assert!(unpack(&good, few).is_ok());
        let two = pack(&files(&[("a", ""), ("b", "")]), Limits::default()).expect("packed");
        assert_eq!(code(unpack(&two, few)), "catalog.too_large");
        assert_eq!(code(pack(&files(&[("a", "xx")]), few)), "catalog.too_large");
        assert_eq!(code(unpack(&[], Limits::default())), "catalog.archive");
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(
            names in prop::collection::btree_map("[a-z]{1,40}(/[a-z]{1,40}){0,3}\\.f", prop::collection::vec(any::<u8>(), 0..1200), 0..8),
        ) {
            let files: PackageFiles = names.into_iter().map(|(path, bytes)| (path.into(), bytes.into())).collect();
            let packed = pack(&files, Limits::default()).expect("packed");
            prop_assert_eq!(packed.len() as u64 <= Limits::default().archive_bytes(), true);
            prop_assert_eq!(unpack(&packed, Limits::default()).expect("unpacked"), files);
        }

        /// Whatever is read is exactly what would have been written.
        #[test]
        fn nothing_that_was_changed_is_taken_for_another_packing(at in 0..4096_usize, to in any::<u8>()) {
            let files = files(&[("a/b", "one"), ("package.yaml", "name: a\n")]);
            let packed = pack(&files, Limits::default()).expect("packed");
            let mut other = packed.clone();
            let at = at % other.len();
            other[at] = to;
            if let Ok(read) = unpack(&other, Limits::default()) {
                prop_assert_eq!(pack(&read, Limits::default()).expect("packed"), other);
            }
        }
    }
}

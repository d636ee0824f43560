use std::{collections::BTreeMap, io::Read, sync::Arc};

/// How much a package may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Files and folders.
    pub(super) entry_count: usize,
    /// Bytes of all files together, unpacked.
    pub(super) bytes: u64,
}

impl Default for Limits {
    /// 10,000 entries, 64 MiB.
    fn default() -> Self {
        Self { entry_count: 10_000, bytes: 64 << 20 }
    }
}

/// The files of a package, as they come out of it: bounded, and none leads out.
#[derive(Debug)]
pub(super) struct Unpacked {
    files: BTreeMap<String, Arc<str>>,
    limits: Limits,
    entry_count: usize,
    left: u64,
}

impl Unpacked {
    pub(super) fn new(limits: Limits) -> Self {
        Self { files: BTreeMap::new(), limits, entry_count: 0, left: limits.bytes }
    }

    /// Counts an entry, whatever it is.
    pub(super) fn entry(&mut self) -> Result<(), String> {
        self.entry_count += 1;
        match self.entry_count > self.limits.entry_count {
            true => Err(format!("it holds more than {} files and folders", self.limits.entry_count)),
            false => Ok(()),
        }
    }

    /// Takes a file. What is no text is left out: no part of a template can be.
    pub(super) fn file(&mut self, path: &str, content: impl Read) -> Result<(), String> {
        let path = inside(path)?;
        let mut bytes = Vec::new();
        // One byte more than allowed is enough to know; sizes that an archive tells are not believed.
        let read = content.take(self.left + 1).read_to_end(&mut bytes);
        read.map_err(|error| format!("`{path}` in it cannot be read: {error}"))?;
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            return Err(format!("its files are larger than {} bytes", self.limits.bytes));
        };
        self.left = left;
        if let Ok(text) = String::from_utf8(bytes) {
            self.files.insert(path, text.into());
        }
        Ok(())
    }

    pub(super) fn into_files(self) -> BTreeMap<String, Arc<str>> {
        self.files
    }
}

/// Says that an entry is a link, which may lead anywhere.
pub(super) fn link(path: &str) -> String {
    format!("`{path}` in it is a link, which may lead out of it")
}

/// Returns a path that stays inside, without `.` parts.
pub(super) fn inside(path: &str) -> Result<String, String> {
    let out = || Err(format!("`{path}` in it leads out of it"));
    if path.starts_with('/') || path.contains(['\\', ':', '\0']) {
        return out();
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return out(),
            part => parts.push(part),
        }
    }
    if parts.is_empty() { out() } else { Ok(parts.join("/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        assert_eq!(inside("a/./b//c.tf"), Ok("a/b/c.tf".to_owned()));
        for path in ["..", "a/..", "a/../b", "../a", "/a", "a\\b", "c:a", "a\0", "", ".", "./"] {
            assert_eq!(inside(path), Err(format!("`{path}` in it leads out of it")));
        }
    }
}

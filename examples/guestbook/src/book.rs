//! The entries: one JSON line each in a file that all replicas append to.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// One line of the book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) message: String,
}

/// The file behind the book.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    path: PathBuf,
}

impl Book {
    pub(crate) fn open(directory: &Path) -> Self {
        Self { path: directory.join("entries.jsonl") }
    }

    /// Returns the entries, newest first; a line that is not an entry is left out.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let mut entries: Vec<Entry> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        entries.reverse();
        entries
    }

    /// Adds an entry. The file is locked meanwhile, since other replicas write it too.
    pub(crate) fn add(&self, entry: &Entry) -> Result<(), String> {
        let line = serde_json::to_string(entry).map_err(|error| error.to_string())?;
        let mut file = self.locked()?;
        writeln!(file, "{line}").and_then(|()| file.sync_data()).map_err(|error| error.to_string())
    }

    /// Removes all entries.
    pub(crate) fn clear(&self) -> Result<(), String> {
        self.locked()?.set_len(0).map_err(|error| error.to_string())
    }

    fn locked(&self) -> Result<File, String> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .map_err(|error| format!("cannot write {}: {error}", self.path.display()))?;
        file.lock().map_err(|error| error.to_string())?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_entries_newest_first() {
        let directory = std::env::temp_dir().join(format!("guestbook-test-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("the temporary folder is writable");
        let book = Book::open(&directory);
        let entry = |name: &str| Entry { name: name.to_owned(), message: "hi\nthere".to_owned() };
        book.add(&entry("ann")).expect("writable");
        book.add(&entry("bob")).expect("writable");
        assert_eq!(book.entries(), [entry("bob"), entry("ann")]);
        book.clear().expect("writable");
        assert_eq!(book.entries(), []);
        fs::remove_dir_all(&directory).expect("made above");
    }
}

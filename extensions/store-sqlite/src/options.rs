use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Where the database is and how it is opened.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use stackwright_store_sqlite::SqliteOptions;
///
/// let options = SqliteOptions::new("state/state.db").create_directory().busy_timeout(Duration::from_secs(30));
/// ```
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    pub(crate) path: PathBuf,
    pub(crate) create_directory: bool,
    pub(crate) busy_timeout: Duration,
    pub(crate) readers: usize,
    pub(crate) check_up_to_bytes: u64,
}

impl SqliteOptions {
    /// Returns options for the database in `path`, which is made if it is missing (mode 0600). Its directory has to
    /// exist.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            create_directory: false,
            busy_timeout: Duration::from_secs(10),
            readers: 2,
            check_up_to_bytes: 64 << 20,
        }
    }

    /// Makes the directory, and those above it, if they are missing (mode 0700).
    pub fn create_directory(mut self) -> Self {
        self.create_directory = true;
        self
    }

    /// Sets how long to wait for another process that writes; 10 seconds unless set. After that a call fails with
    /// `store.unavailable`, which may be repeated.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Sets how many reads run at the same time, at least 1; 2 unless set. Each costs a thread and a connection.
    pub fn readers(mut self, count: usize) -> Self {
        self.readers = count.max(1);
        self
    }

    /// Sets up to which size (bytes) the whole file is checked for damage when it is opened; 64 MiB unless set. Larger
    /// ones are read page by page as needed, and damage is noticed then.
    pub fn check_up_to(mut self, bytes: u64) -> Self {
        self.check_up_to_bytes = bytes;
        self
    }
}

use std::{
    collections::BTreeMap,
    fmt,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::Problem;

/// The files that functions may read.
///
/// Paths are as written in a template: relative ones start at the working directory of the template. What lies outside
/// of the root is refused with `eval.path_escape`, links included.
pub trait FileAccess: fmt::Debug {
    /// Returns the bytes of a file.
    ///
    /// # Errors
    /// `eval.file` when there is no such file or it cannot be read, `eval.path_escape` when it is out of bounds.
    fn read(&self, path: &str) -> Result<Arc<[u8]>, Problem>;

    /// Returns whether there is a file, `false` where there is nothing.
    ///
    /// # Errors
    /// `eval.file` when something else than a file is there, `eval.path_escape` when it is out of bounds.
    fn exists(&self, path: &str) -> Result<bool, Problem>;

    /// Returns the files below a folder, at any depth: paths relative to it with `/` between their parts, sorted.
    /// Nothing where there is no such folder.
    ///
    /// # Errors
    /// `eval.file` when the folder cannot be read, `eval.path_escape` when it is out of bounds, `eval.budget` when there
    /// are too many files.
    fn list(&self, folder: &str) -> Result<Vec<String>, Problem>;

    /// Returns the path as an absolute one, without `.` and `..`; no link is followed.
    ///
    /// # Errors
    /// `eval.file` when that cannot be known.
    fn absolute(&self, path: &str) -> Result<String, Problem>;
}

impl<F: FileAccess + ?Sized> FileAccess for Arc<F> {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, Problem> {
        (**self).read(path)
    }

    fn exists(&self, path: &str) -> Result<bool, Problem> {
        (**self).exists(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, Problem> {
        (**self).list(folder)
    }

    fn absolute(&self, path: &str) -> Result<String, Problem> {
        (**self).absolute(path)
    }
}

/// No file at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl NoFiles {
    fn refuse<T>() -> Result<T, Problem> {
        Err(Problem::new("no file can be read here").code("eval.file"))
    }
}

impl FileAccess for NoFiles {
    fn read(&self, _: &str) -> Result<Arc<[u8]>, Problem> {
        Self::refuse()
    }

    fn exists(&self, _: &str) -> Result<bool, Problem> {
        Self::refuse()
    }

    fn list(&self, _: &str) -> Result<Vec<String>, Problem> {
        Self::refuse()
    }

    fn absolute(&self, _: &str) -> Result<String, Problem> {
        Self::refuse()
    }
}

/// The files below one folder, each read at most once.
///
/// What was read stays the same for as long as this lives, and can be taken out with
/// [`contents`](Self::contents): a plan carries it, so that applying does not read anew.
pub struct DirectoryFiles {
    root: PathBuf,
    working: PathBuf,
    read: Mutex<BTreeMap<String, Arc<[u8]>>>,
    largest_bytes: u64,
}

impl DirectoryFiles {
    /// Returns access to the files below `root`, an existing folder, with relative paths starting there.
    ///
    /// # Errors
    /// Those of the operating system when the folder cannot be found.
    pub fn new(root: impl AsRef<Path>) -> std::io::Result<Self> {
        let root = root.as_ref().canonicalize()?;
        Ok(Self { working: root.clone(), root, read: Mutex::default(), largest_bytes: 32 << 20 })
    }

    /// Allows reading below another folder, such as one that several templates share; relative paths still start at the
    /// template's.
    ///
    /// # Errors
    /// Those of the operating system when the folder cannot be found.
    pub fn within(mut self, boundary: impl AsRef<Path>) -> std::io::Result<Self> {
        self.root = boundary.as_ref().canonicalize()?;
        Ok(self)
    }

    /// Sets the size of the largest file that may be read, in bytes; 32 MiB without.
    pub fn largest(mut self, bytes: u64) -> Self {
        self.largest_bytes = bytes;
        self
    }

    /// Returns what was read so far: contents by path relative to the root, sorted.
    pub fn contents(&self) -> BTreeMap<String, Arc<[u8]>> {
        self.cache().clone()
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<[u8]>>> {
        // A panic elsewhere leaves the map whole: entries are inserted at once.
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins, removes `.` and `..`, and refuses what leaves the root.
    fn place(&self, path: &str) -> Result<PathBuf, Problem> {
        if path.contains('\0') {
            return Err(Problem::new("a path holds no null characters").code("eval.file"));
        }
        let joined = lexical(&self.working.join(path));
        if !joined.starts_with(&self.root) {
            return Err(escape(path));
        }
        Ok(joined)
    }

    /// Follows links and refuses what then is outside of the root. `None` where there is nothing.
    fn real(&self, path: &str) -> Result<Option<PathBuf>, Problem> {
        let place = self.place(path)?;
        match place.canonicalize() {
            Ok(real) if real.starts_with(&self.root) => Ok(Some(real)),
            Ok(_) => Err(escape(path)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(unreadable(path, &error)),
        }
    }
}

impl FileAccess for DirectoryFiles {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, Problem> {
        let place = self.place(path)?;
        let name = relative(&self.root, &place);
        if let Some(bytes) = self.cache().get(&name) {
            return Ok(Arc::clone(bytes));
        }
        let Some(real) = self.real(path)? else {
            return Err(Problem::new(format!("there is no file `{path}`")).code("eval.file").help(
                "functions read files that belong to the template; for a file that a resource makes, use an attribute of that resource",
            ));
        };
        let facts = std::fs::metadata(&real).map_err(|error| unreadable(path, &error))?;
        if !facts.is_file() {
            return Err(Problem::new(format!("`{path}` is not a file")).code("eval.file"));
        }
        if facts.len() > self.largest_bytes {
            return Err(Problem::budget(format!(
                "`{path}` has {} bytes; the limit is {}",
                facts.len(),
                self.largest_bytes
            )));
        }
        let bytes: Arc<[u8]> = std::fs::read(&real).map_err(|error| unreadable(path, &error))?.into();
        self.cache().insert(name, Arc::clone(&bytes));
        Ok(bytes)
    }

    fn exists(&self, path: &str) -> Result<bool, Problem> {
        let Some(real) = self.real(path)? else { return Ok(false) };
        if real.is_file() {
            return Ok(true);
        }
        let what = if real.is_dir() { "a folder" } else { "neither a file nor a folder" };
        Err(Problem::new(format!("`{path}` is {what}, not a file")).code("eval.file"))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, Problem> {
        /// Entries that one call looks at, files and folders.
        const MOST: usize = 100_000;
        let Some(start) = self.real(folder)? else { return Ok(Vec::new()) };
        if !start.is_dir() {
            return Ok(Vec::new());
        }
        let mut files = Vec::new();
        let mut left = MOST;
        let mut folders = vec![start.clone()];
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(&folder).map_err(|error| unreadable(&relative(&start, &folder), &error))?;
            for entry in entries {
                let entry = entry.map_err(|error| unreadable(&relative(&start, &folder), &error))?;
                left = left.checked_sub(1).ok_or_else(|| Problem::budget("there are too many files to look at"))?;
                let path = entry.path();
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() {
                    files.push(relative(&start, &path));
                } else if kind.is_symlink()
                    && path.canonicalize().is_ok_and(|real| real.starts_with(&self.root) && real.is_file())
                {
                    // A linked file counts; linked folders are not walked, they could lead round in circles.
                    files.push(relative(&start, &path));
                }
            }
        }
        files.sort();
        Ok(files)
    }

    fn absolute(&self, path: &str) -> Result<String, Problem> {
        Ok(slashes(&lexical(&self.working.join(path))))
    }
}

impl fmt::Debug for DirectoryFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryFiles").field("root", &self.root).finish_non_exhaustive()
    }
}

fn escape(path: &str) -> Problem {
    Problem::new(format!("`{path}` is outside of the template's folder"))
        .code("eval.path_escape")
        .help("put the file inside the template's folder, or have the host allow more")
}

fn unreadable(path: &str, error: &std::io::Error) -> Problem {
    Problem::new(format!("`{path}` cannot be read: {}", error.kind())).code("eval.file")
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean
}

fn relative(root: &Path, path: &Path) -> String {
    slashes(path.strip_prefix(root).unwrap_or(path))
}

fn slashes(path: &Path) -> String {
    let text = path.to_string_lossy();
    if cfg!(windows) { text.replace('\\', "/") } else { text.into_owned() }
}

/// Files in memory, such as those of a package. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MemoryFiles {
    files: Arc<BTreeMap<Arc<str>, Arc<[u8]>>>,
    /// The parts of the folder where relative paths start.
    working: Vec<String>,
}

impl MemoryFiles {
    /// Returns access to `files`, by path with `/` between its parts; relative paths start at the folder `working`, and may
    /// lead to any of them.
    pub fn new(files: impl IntoIterator<Item = (Arc<str>, Arc<[u8]>)>, working: &str) -> Self {
        let working = working.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Self { files: Arc::new(files.into_iter().collect()), working }
    }

    /// Joins, removes `.` and `..`, and refuses what leaves the topmost folder.
    fn place(&self, path: &str) -> Result<String, Problem> {
        if path.starts_with('/') {
            return Err(escape(path));
        }
        let mut parts: Vec<&str> = self.working.iter().map(String::as_str).collect();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop().ok_or_else(|| escape(path))?),
                part => parts.push(part),
            }
        }
        Ok(parts.join("/"))
    }

    /// Returns the files below a folder, relative to it.
    fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a str> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let from = self.files.range::<str, _>((std::ops::Bound::Included(prefix.as_str()), std::ops::Bound::Unbounded));
        from.map_while(move |(path, _)| path.strip_prefix(prefix.as_str()))
    }
}

impl FileAccess for MemoryFiles {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, Problem> {
        let place = self.place(path)?;
        if let Some(bytes) = self.files.get(place.as_str()) {
            return Ok(Arc::clone(bytes));
        }
        let what = match self.below(&place).next() {
            Some(_) => format!("`{path}` is not a file"),
            None => format!("there is no file `{path}`"),
        };
        Err(Problem::new(what).code("eval.file"))
    }

    fn exists(&self, path: &str) -> Result<bool, Problem> {
        let place = self.place(path)?;
        if self.files.contains_key(place.as_str()) {
            return Ok(true);
        }
        match self.below(&place).next() {
            Some(_) => Err(Problem::new(format!("`{path}` is a folder, not a file")).code("eval.file")),
            None => Ok(false),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, Problem> {
        Ok(self.below(&self.place(folder)?).map(str::to_owned).collect())
    }

    fn absolute(&self, path: &str) -> Result<String, Problem> {
        Err(Problem::new(format!("`{path}` is in no folder of this machine")).code("eval.file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_inside_and_reads_once() {
        let outer = tempfile::tempdir().expect("a folder");
        let root = outer.path().join("template");
        std::fs::create_dir_all(root.join("sub")).expect("folders");
        std::fs::write(outer.path().join("secret"), "s").expect("a file");
        std::fs::write(root.join("a.txt"), "one").expect("a file");
        std::fs::write(root.join("sub/b.txt"), "two").expect("a file");
        let files = DirectoryFiles::new(&root).expect("a root");
        assert_eq!(files.read("./sub/../a.txt").as_deref(), Ok(b"one".as_slice()));
        std::fs::write(root.join("a.txt"), "changed").expect("a file");
        assert_eq!(files.read("a.txt").as_deref(), Ok(b"one".as_slice()));
        assert_eq!(files.contents().keys().collect::<Vec<_>>(), ["a.txt"]);
        for path in ["../secret", "/etc/hostname", "sub/../../secret"] {
            assert_eq!(files.read(path).map_err(|problem| problem.code), Err("eval.path_escape"), "{path}");
            assert_eq!(files.exists(path).map_err(|problem| problem.code), Err("eval.path_escape"), "{path}");
        }
        assert_eq!(files.read("nope").map_err(|problem| problem.code), Err("eval.file"));
        assert_eq!(files.read("sub").map_err(|problem| problem.code), Err("eval.file"));
        assert_eq!(files.exists("a.txt/x"), Ok(false));
        assert!(files.exists("sub").is_err());
        assert_eq!(files.list("."), Ok(vec!["a.txt".to_owned(), "sub/b.txt".to_owned()]));
        assert_eq!(files.list("none"), Ok(vec![]));
        let small = DirectoryFiles::new(&root).expect("a root").largest(2);
        assert_eq!(small.read("a.txt").map_err(|problem| problem.code), Err("eval.budget"));
    }

    #[cfg(unix)]
    #[test]
    fn links_do_not_lead_out() {
        let outer = tempfile::tempdir().expect("a folder");
        let root = outer.path().join("template");
        std::fs::create_dir(&root).expect("a folder");
        std::fs::write(outer.path().join("secret"), "s").expect("a file");
        std::os::unix::fs::symlink(outer.path().join("secret"), root.join("link")).expect("a link");
        std::os::unix::fs::symlink(&root, root.join("round")).expect("a link");
        let files = DirectoryFiles::new(&root).expect("a root");
        assert_eq!(files.read("link").map_err(|problem| problem.code), Err("eval.path_escape"));
        assert_eq!(files.list("."), Ok(vec![]));
    }

    #[test]
    fn files_in_memory_are_found_as_in_a_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = ["main.tf", "names/a.txt", "names/b/c.txt", "names-of-others.txt"];
        for path in files {
            let place = folder.path().join("template").join(path);
            std::fs::create_dir_all(place.parent().expect("a folder")).expect("made");
            std::fs::write(place, path).expect("written");
        }
        std::fs::write(folder.path().join("above.txt"), "above").expect("written");
        let disk = DirectoryFiles::new(folder.path().join("template")).and_then(|files| files.within(folder.path()));
        let disk = disk.expect("a folder");
        let named = files.map(|path| (Arc::from(format!("template/{path}")), Arc::from(path.as_bytes())));
        let above = (Arc::from("above.txt"), Arc::from(&b"above"[..]));
        let memory = MemoryFiles::new(named.into_iter().chain([above]), "template");
        let paths = [
            "main.tf",
            "./main.tf",
            "names/../main.tf",
            "names",
            "names/",
            "names/a.txt",
            "names/b",
            "none",
            "none/a",
            ".",
            "",
            "..",
            "../above.txt",
            "./../template/names/a.txt",
            "../..",
            "../../x",
            "names-of-others.txt",
        ];
        for path in paths {
            let both: [&dyn FileAccess; 2] = [&disk, &memory];
            let told = both.map(|files| {
                let code = |problem: Problem| problem.code;
                (files.read(path).map_err(code), files.exists(path).map_err(code), files.list(path).map_err(code))
            });
            assert_eq!(told[0], told[1], "{path}");
        }
        assert_eq!(memory.read("/etc/passwd").expect_err("outside").code, "eval.path_escape");
        assert_eq!(memory.absolute("main.tf").expect_err("nowhere").code, "eval.file");
    }
}

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    address::ModuleInstance,
    error::Span,
    plan::Inputs,
    template::eval::{FileAccess, Functions, Problem, World},
};

/// What surrounds evaluation: files, the world, the words that `terraform` and `path` stand for.
pub(in crate::plan) struct Env {
    /// The functions that expressions may call.
    pub functions: Arc<Functions>,
    /// The files that functions may read.
    pub files: Box<dyn FileAccess + Send>,
    /// What differs every time one looks.
    pub world: Box<dyn World + Send>,
    /// What `terraform.workspace` says.
    pub workspace: String,
    /// What `path.cwd` says.
    pub root: String,
    /// What `terraform.applying` says.
    pub applying: bool,
    /// Where evaluation is at the moment.
    pub place: Arc<Mutex<Place>>,
}

/// Where evaluation is: what it takes to tell two looks at the world apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::plan) struct Place {
    pub module: ModuleInstance,
    pub span: Span,
    pub count_index: Option<u64>,
    pub each_key: Option<Arc<str>>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").field("workspace", &self.workspace).field("root", &self.root).finish_non_exhaustive()
    }
}

/// What functions saw of the file system: all that it takes to evaluate the same again somewhere else.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FilesSeen {
    /// Contents by path.
    pub contents: BTreeMap<String, Arc<[u8]>>,
    /// Whether there was a file, by path.
    pub exists: BTreeMap<String, bool>,
    /// Files below folders, by folder.
    pub lists: BTreeMap<String, Vec<String>>,
    /// Absolute paths, by path.
    pub absolute: BTreeMap<String, String>,
}

/// Looks at files and remembers what it saw. What was seen once stays as it was.
#[derive(Clone)]
pub(in crate::plan) struct Recorder {
    inner: Arc<Mutex<(Box<dyn FileAccess + Send>, FilesSeen)>>,
}

impl Recorder {
    pub(in crate::plan) fn new(inner: Box<dyn FileAccess + Send>) -> Self {
        Self { inner: Arc::new(Mutex::new((inner, FilesSeen::default()))) }
    }

    /// Returns what was seen so far.
    pub(in crate::plan) fn seen(&self) -> FilesSeen {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    fn look<T: Clone>(
        &self,
        path: &str,
        kept: impl Fn(&mut FilesSeen) -> &mut BTreeMap<String, T>,
        ask: impl Fn(&dyn FileAccess) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let mut guard = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (files, seen) = &mut *guard;
        if let Some(known) = kept(seen).get(path) {
            return Ok(known.clone());
        }
        let found = ask(files.as_ref())?;
        kept(seen).insert(path.to_owned(), found.clone());
        Ok(found)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl FileAccess for Recorder {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, Problem> {
        self.look(path, |seen| &mut seen.contents, |files| files.read(path))
    }

    fn exists(&self, path: &str) -> Result<bool, Problem> {
        self.look(path, |seen| &mut seen.exists, |files| files.exists(path))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, Problem> {
        self.look(folder, |seen| &mut seen.lists, |files| files.list(folder))
    }

    fn absolute(&self, path: &str) -> Result<String, Problem> {
        self.look(path, |seen| &mut seen.absolute, |files| files.absolute(path))
    }
}

/// Shows the files as they were seen before, and no others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replay {
    pub seen: FilesSeen,
}

impl Replay {
    /// Shows what functions saw while a plan with these inputs was made.
    pub(crate) fn of(inputs: &Inputs) -> Self {
        let seen = FilesSeen {
            contents: inputs.read_files.clone(),
            exists: inputs.existing_files.clone(),
            lists: inputs.listed_files.clone(),
            absolute: inputs.absolute_paths.clone(),
        };
        Self { seen }
    }

    fn unseen<T>(path: &str) -> Result<T, Problem> {
        let message = format!("`{path}` was not looked at while the plan was made");
        Err(Problem::new(message)
            .code("eval.file")
            .help("a plan carries the files that it needs; a path that is not known before apply cannot be read"))
    }
}

impl FileAccess for Replay {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, Problem> {
        self.seen.contents.get(path).map_or_else(|| Self::unseen(path), |bytes| Ok(Arc::clone(bytes)))
    }

    fn exists(&self, path: &str) -> Result<bool, Problem> {
        self.seen.exists.get(path).map_or_else(|| Self::unseen(path), |exists| Ok(*exists))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, Problem> {
        self.seen.lists.get(folder).map_or_else(|| Self::unseen(folder), |list| Ok(list.clone()))
    }

    fn absolute(&self, path: &str) -> Result<String, Problem> {
        self.seen.absolute.get(path).map_or_else(|| Self::unseen(path), |absolute| Ok(absolute.clone()))
    }
}

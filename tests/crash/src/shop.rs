use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;
use stackwright::{
    Result,
    plan::{Plan, StepAction, StepId},
    run::{Entry, Fact},
    stack::{Engine, RunView, Stack},
    state::{
        Row, RunStatus,
        cipher::{AesGcmCipher, KeyFile},
    },
};
use stackwright_store_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

use crate::{
    books::{Audit, audit},
    cloud::Cloud,
    program::{Ended, Program, Working},
    template::{self, Size},
};

/// A folder with a template, the program that applies it, and the cloud that it lives in.
pub(crate) struct Shop {
    pub(crate) cloud: Cloud,
    pub(crate) program: Program,
    pub(crate) size: Size,
    folder: Option<TempDir>,
}

/// What is remembered of a shop, read as any host reads it.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) rows: Vec<Row>,
    /// Newest first.
    pub(crate) runs: Vec<RunView>,
    /// The plan and the journal of the newest run.
    pub(crate) newest: Option<(Plan, Vec<Entry>)>,
}

impl Memory {
    /// Returns whether a run was begun and not ended.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.runs.first().is_some_and(|run| run.status == RunStatus::Running)
    }

    /// Returns the steps of the newest run that were begun and of which nobody knows yet how they ended.
    pub(crate) fn open_steps(&self, action: StepAction) -> usize {
        let Some((plan, entries)) = &self.newest else { return 0 };
        let mut open = std::collections::BTreeSet::<StepId>::new();
        for entry in entries {
            let Some(step) = entry.fact.step() else { continue };
            match entry.fact {
                Fact::Started { .. } => open.insert(step),
                _ => open.remove(&step),
            };
        }
        open.iter().filter(|step| plan.step(**step).is_some_and(|step| step.action == action)).count()
    }

    /// Returns why a run is stuck: the reasons that its journal gives.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let Some((_, entries)) = &self.newest else { return Vec::new() };
        let mut reasons = Vec::new();
        for entry in entries {
            match &entry.fact {
                Fact::Failed { errors, .. } => reasons.extend(errors.iter().map(|error| error.code.clone())),
                Fact::Recovered { conclusion: stackwright::run::Conclusion::CannotTell { reason }, .. } => {
                    reasons.push(reason.clone());
                }
                _ => {}
            }
        }
        reasons
    }
}

impl Shop {
    /// Opens a shop in a folder of its own, with a cloud that has these knobs.
    pub(crate) fn open(size: Size, seed: u64, knobs: &Value) -> Self {
        let folder = tempfile::Builder::new().prefix("crash-").tempdir().expect("a folder");
        let cloud = Cloud::start(folder.path(), seed, knobs);
        let template = folder.path().join("shop");
        fs::create_dir(&template).expect("a folder");
        let shop = Self { cloud, program: Program::new(&template), size, folder: Some(folder) };
        shop.write(0);
        shop
    }

    /// Writes the template as it is at a turn; each turn adds, changes, replaces and removes.
    pub(crate) fn write(&self, turn: u64) {
        self.write_text(&template::text(&self.cloud.endpoint(), self.size, turn));
    }

    pub(crate) fn write_text(&self, text: &str) {
        fs::write(self.program.folder.join("main.tf"), text).expect("a template");
    }

    /// Adds to the template.
    pub(crate) fn append(&self, text: &str) {
        let path = self.program.folder.join("main.tf");
        let before = fs::read_to_string(&path).expect("the template is there");
        fs::write(path, before + text).expect("a template");
    }

    pub(crate) fn path(&self) -> &Path {
        &self.program.folder
    }

    pub(crate) fn state_path(&self) -> PathBuf {
        let own = || self.path().join(".stackwright").join("state.db");
        self.program.state.clone().unwrap_or_else(own)
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Working {
        self.program.start(arguments)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.program.run(arguments)
    }

    /// Keeps the folder, for people to look into.
    pub(crate) fn keep(&mut self) -> Option<PathBuf> {
        self.folder.take().map(TempDir::keep)
    }

    /// Has somebody look at the stack as a host of its own would.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub(crate) fn with_stack<T>(&self, look: impl AsyncFnOnce(&Stack) -> Result<T>) -> Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let options = SqliteOptions::new(self.state_path()).busy_timeout(std::time::Duration::from_millis(200));
            let key = KeyFile::open(self.state_path().with_file_name("key"))?;
            let store = SqliteStore::open_with(options).await?;
            let engine = Engine::builder()
                .shared_store(Arc::new(store))
                .cipher(AesGcmCipher::new(key))
                .holder("the books")
                .build()?;
            look(&engine.stack("local", "default")).await
        })
    }

    /// Returns whether the state file can be written: nobody stands still in the middle of a write.
    pub(crate) fn is_writable(&self) -> bool {
        // To break the lease of a stack that there is not changes nothing, and needs the lock all the same.
        let write = async |stack: &Stack| stack.engine().stack("nobody", "nothing").break_lease().await;
        self.with_stack(write).is_ok()
    }

    /// Reads all that is remembered.
    pub(crate) fn memory(&self) -> Memory {
        let read = async |stack: &Stack| {
            let runs = stack.runs(50).await?;
            let newest = match runs.first() {
                Some(run) => {
                    let plan = stack.segments(run.id).await?.pop();
                    let journal = stack.journal(run.id).await?;
                    plan.map(|plan| (plan, journal))
                }
                None => None,
            };
            Ok(Memory { rows: stack.state().await?.rows, runs, newest })
        };
        if !self.state_path().is_file() {
            return Memory { rows: Vec::new(), runs: Vec::new(), newest: None };
        }
        self.with_stack(read).unwrap_or_else(|error| panic!("the books cannot be read: {}", error.report()))
    }

    /// Compares cloud with state, once the cloud has ended what it began.
    pub(crate) fn audit(&self) -> Audit {
        self.cloud.settle();
        audit(&self.memory(), &self.cloud.history())
    }
}

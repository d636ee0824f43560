use std::sync::Arc;

use stackwright::{
    plan::Plan,
    resource::layer::{Retry, Trace},
    run::RunReport,
    stack::{ApplyOptions, Engine, PlanOptions, Stack},
    state::{
        MemoryStore, RunStatus, Store,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Options, Template},
};
use stackwright_store_sqlite::SqliteStore;
use tempfile::TempDir;

/// The environment variable that adds the largest size to what is measured.
const LARGE: &str = "STACKWRIGHT_BENCH_LARGE";

/// Returns the numbers of instances that are measured: 100, 1,000 and 10,000, and 100,000 where
/// `STACKWRIGHT_BENCH_LARGE` is set.
pub fn sizes() -> Vec<usize> {
    let large = std::env::var_os(LARGE).map(|_| 100_000);
    [100, 1_000, 10_000].into_iter().chain(large).collect()
}

/// Returns the template of a text that has no mistakes.
pub fn read(text: &str) -> Template {
    let (template, problems) = Template::parse(&Files::from_texts([("main.tf", text)]), &Options::default());
    assert!(problems.is_empty(), "the generated template is well-formed");
    template
}

/// An engine with an empty stack, set up as the program `stackwright` sets up its own.
#[derive(Debug)]
pub struct Host {
    stack: Stack,
    /// Where the database is; removed with the host.
    _folder: Option<TempDir>,
}

impl Host {
    /// Returns one that keeps state in memory.
    pub fn in_memory() -> Self {
        Self { stack: stack(MemoryStore::new()), _folder: None }
    }

    /// Returns one that keeps state in a new SQLite database, on the disk that holds temporary files.
    pub async fn in_sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let store = SqliteStore::open(folder.path().join("state.db")).await.expect("a database can be made");
        Self { stack: stack(store), _folder: Some(folder) }
    }

    /// Returns one that keeps state in this store.
    pub fn on(store: Arc<dyn Store>) -> Self {
        Self { stack: stack_on(store), _folder: None }
    }

    /// Returns the stack.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Plans with a look at the world, as the program does unless told otherwise.
    pub async fn plan(&self, template: &Template) -> Plan {
        self.stack.plan(template, PlanOptions::default()).await.expect("it can be planned")
    }

    /// Carries a plan out to its end, with so many calls at once as the program does.
    pub async fn apply(&self, plan: Plan) -> RunReport {
        self.apply_with(plan, ApplyOptions::default()).await
    }

    /// Carries a plan out to its end.
    pub async fn apply_with(&self, plan: Plan, options: ApplyOptions) -> RunReport {
        let run = self.stack.apply(plan, options).await.expect("nothing is in the way");
        let report = run.finish().await.expect("it ends");
        assert_eq!(report.status, RunStatus::Succeeded);
        report
    }
}

fn stack(store: impl Store) -> Stack {
    stack_on(Arc::new(store))
}

fn stack_on(store: Arc<dyn Store>) -> Stack {
    let cipher = AesGcmCipher::new(Key::generate().expect("the machine has random bytes"));
    let builder = Engine::builder().shared_store(store).cipher(cipher).layer(Retry::up_to(4)).layer(Trace);
    builder.build().expect("nothing is missing").stack("local", "default")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[tokio::test]
    async fn every_shape_is_made_whole_and_then_needs_nothing() {
        for shape in Shape::ALL {
            let template = read(&shape.template(20));
            let host = Host::in_sqlite().await;
            let plan = host.plan(&template).await;
            assert_eq!(plan.changes.len(), 20, "{}", shape.name());
            assert_eq!(host.apply(plan).await.done_count, 20, "{}", shape.name());
            let again = host.plan(&template).await;
            assert!(again.is_empty(), "{}: {again}", shape.name());
        }
    }
}

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use napi_derive::napi;
use stackwright::{
    Error, Result,
    ffi::{ApplyQuery, EngineQuery, Host, PlanData, PlanQuery, ReportData, RowData, envelope},
    run::Canceller,
    stack::{self, Stack},
    state::{
        RunId,
        cipher::{AesGcmCipher, KeyFile},
    },
};
use stackwright_store_sqlite::SqliteStore;

use crate::host::{Dispatch, NodeHost};

/// An engine over a SQLite file, and one stack of it.
#[napi]
pub struct Engine {
    answer: String,
    stack: Option<Stack>,
}

/// A plan that waits to be carried out once.
#[napi]
pub struct Plan {
    answer: String,
    plan: Mutex<Option<(Stack, stackwright::plan::Plan)>>,
}

/// A run that is under way on the engine's own task. Dropping it leaves it going.
#[napi]
pub struct Run {
    answer: String,
    canceller: Option<Canceller>,
    live: Mutex<Option<stack::Run>>,
}

/// Opens the engine whose state and key lie in `folder`. `query` is an `EngineQuery` as JSON text; `dispatch` is an
/// async function that takes a context and a request as JSON text and returns a reply as JSON text.
#[napi]
pub async fn open(folder: String, query: String, dispatch: Dispatch) -> Engine {
    let host: Arc<dyn Host> = Arc::new(NodeHost::new(dispatch));
    let (answer, stack) = split(build(Path::new(&folder), &query, &host).await, |_| ());
    Engine { answer, stack }
}

async fn build(folder: &Path, query: &str, host: &Arc<dyn Host>) -> Result<Stack> {
    let engine = EngineQuery::from_json(query)?
        .builder(host)
        .store(SqliteStore::open(folder.join("state.db")).await?)
        .cipher(AesGcmCipher::new(KeyFile::open_or_create(folder.join("key"))?))
        .build()?;
    Ok(engine.stack("spike", "main"))
}

/// Returns what a host sees of a result, and the result itself.
fn split<T, D: serde::Serialize>(result: Result<T>, show: impl FnOnce(&T) -> D) -> (String, Option<T>) {
    match result {
        Ok(value) => (envelope(Ok(show(&value))), Some(value)),
        Err(error) => (envelope::<()>(Err(error)), None),
    }
}

fn absent(what: &str) -> Error {
    Error::bug(format!("there is no {what}: it was used up, or never came about"))
}

fn begun(result: Result<stack::Run>) -> Run {
    let (answer, run) = split(result, |run| run.id().to_string());
    Run { answer, canceller: run.as_ref().map(stack::Run::canceller), live: Mutex::new(run) }
}

impl Engine {
    fn stack(&self) -> Result<Stack> {
        self.stack.clone().ok_or_else(|| absent("engine"))
    }

    async fn make_plan(&self, query: &str) -> Result<(Stack, stackwright::plan::Plan)> {
        let stack = self.stack()?;
        let plan = PlanQuery::from_json(query)?.plan(&stack).await?;
        Ok((stack, plan))
    }

    async fn make_run(&self, run: &str, query: &str) -> Result<stack::Run> {
        self.stack()?.resume(run_id(run)?, ApplyQuery::from_json(query)?.into()).await
    }
}

#[napi]
impl Engine {
    /// What came of opening it: an envelope.
    #[napi(getter)]
    pub fn answer(&self) -> String {
        self.answer.clone()
    }

    /// Works out what is to be done. Resolves to a `Plan`.
    #[napi]
    pub async fn plan(&self, query: String) -> Plan {
        let (answer, plan) = split(self.make_plan(&query).await, |(_, plan)| PlanData::from(plan));
        Plan { answer, plan: Mutex::new(plan) }
    }

    /// Goes on with a run whose process died. Resolves to a `Run`.
    #[napi]
    pub async fn resume(&self, run: String, query: String) -> Run {
        begun(self.make_run(&run, &query).await)
    }

    /// Resolves to the envelope of the id of the run that was begun and not ended, or of null.
    #[napi]
    pub async fn unfinished_run(&self) -> String {
        let found = async { self.stack()?.unfinished_run().await }.await;
        envelope(found.map(|run| run.map(|run| run.id.to_string())))
    }

    /// Resolves to the envelope of what exists.
    #[napi]
    pub async fn state(&self) -> String {
        let state = async { self.stack()?.state().await }.await;
        envelope(state.map(|state| RowData::all(&state)))
    }
}

#[napi]
impl Plan {
    /// The envelope of what it comes to.
    #[napi(getter)]
    pub fn answer(&self) -> String {
        self.answer.clone()
    }

    /// Carries the plan out, once. Resolves to a `Run` when it has begun.
    #[napi]
    pub async fn apply(&self, query: String) -> Run {
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(|| absent("plan"));
        let run = async {
            let (stack, plan) = plan?;
            stack.apply(plan, ApplyQuery::from_json(&query)?.into()).await
        };
        begun(run.await)
    }
}

#[napi]
impl Run {
    /// The envelope of its id.
    #[napi(getter)]
    pub fn answer(&self) -> String {
        self.answer.clone()
    }

    /// Waits for the end. Resolves to the envelope of the report.
    #[napi]
    pub async fn finish(&self) -> String {
        let run = self.live.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(|| absent("run"));
        let report = async { run?.finish().await }.await;
        envelope(report.map(|report| ReportData::from(&report)))
    }

    /// Asks the run to start nothing new and to finish what runs.
    #[napi]
    pub fn cancel(&self) {
        if let Some(canceller) = &self.canceller {
            canceller.cancel();
        }
    }

    /// Asks the run not to wait for what runs either.
    #[napi]
    pub fn cancel_now(&self) {
        if let Some(canceller) = &self.canceller {
            canceller.cancel_now();
        }
    }
}

fn run_id(text: &str) -> Result<RunId> {
    text.parse().map_err(|error| Error::bug(format!("`{text}` is not the id of a run")).because(error))
}

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use pyo3::{Bound, Py, PyAny, PyResult, Python, pyclass, pyfunction, pymethods};
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

use crate::{asyncio::awaitable, host::PythonHost};

/// An engine over a SQLite file, and one stack of it.
#[pyclass(frozen)]
pub(crate) struct Engine {
    /// What came of opening it: an envelope.
    #[pyo3(get)]
    answer: String,
    stack: Option<Stack>,
}

/// A plan that waits to be carried out once.
#[pyclass(frozen)]
pub(crate) struct Plan {
    /// The envelope of what it comes to.
    #[pyo3(get)]
    answer: String,
    plan: Mutex<Option<(Stack, stackwright::plan::Plan)>>,
}

/// A run that is under way on the engine's own task. Dropping it, or cancelling whoever awaits it, leaves it going.
#[pyclass(frozen)]
pub(crate) struct Run {
    /// The envelope of its id.
    #[pyo3(get)]
    answer: String,
    canceller: Option<Canceller>,
    live: Mutex<Option<stack::Run>>,
}

/// Opens the engine whose state and key lie in `folder`. `query` is an `EngineQuery` as JSON text; `dispatch` is a function
/// that takes a context, a request as JSON text and an `Answer`, and sees to it that the latter gets a reply as JSON text.
#[pyfunction]
pub(crate) fn open(py: Python<'_>, folder: String, query: String, dispatch: Py<PyAny>) -> PyResult<Bound<'_, PyAny>> {
    let host: Arc<dyn Host> = Arc::new(PythonHost::running(py, dispatch)?);
    awaitable(py, async move {
        let (answer, stack) = split(build(Path::new(&folder), &query, &host).await, |_| ());
        Engine { answer, stack }
    })
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
}

#[pymethods]
impl Engine {
    /// Works out what is to be done. Resolves to a `Plan`.
    fn plan<'py>(&self, py: Python<'py>, query: String) -> PyResult<Bound<'py, PyAny>> {
        let stack = self.stack();
        awaitable(py, async move {
            let plan = async {
                let stack = stack?;
                let plan = PlanQuery::from_json(&query)?.plan(&stack).await?;
                Ok((stack, plan))
            };
            let (answer, plan) = split(plan.await, |(_, plan)| PlanData::from(plan));
            Plan { answer, plan: Mutex::new(plan) }
        })
    }

    /// Goes on with a run whose process died. Resolves to a `Run`.
    fn resume<'py>(&self, py: Python<'py>, run: String, query: String) -> PyResult<Bound<'py, PyAny>> {
        let stack = self.stack();
        awaitable(py, async move {
            begun(async { stack?.resume(run_id(&run)?, ApplyQuery::from_json(&query)?.into()).await }.await)
        })
    }

    /// Resolves to the envelope of the id of the run that was begun and not ended, or of null.
    fn unfinished_run<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let stack = self.stack();
        awaitable(py, async move {
            let found = async { stack?.unfinished_run().await }.await;
            envelope(found.map(|run| run.map(|run| run.id.to_string())))
        })
    }

    /// Resolves to the envelope of what exists.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let stack = self.stack();
        awaitable(py, async move {
            let state = async { stack?.state().await }.await;
            envelope(state.map(|state| RowData::all(&state)))
        })
    }
}

#[pymethods]
impl Plan {
    /// Carries the plan out, once. Resolves to a `Run` when it has begun.
    fn apply<'py>(&self, py: Python<'py>, query: String) -> PyResult<Bound<'py, PyAny>> {
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(|| absent("plan"));
        awaitable(py, async move {
            let run = async {
                let (stack, plan) = plan?;
                stack.apply(plan, ApplyQuery::from_json(&query)?.into()).await
            };
            begun(run.await)
        })
    }
}

#[pymethods]
impl Run {
    /// Waits for the end. Resolves to the envelope of the report.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let run = self.live.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(|| absent("run"));
        awaitable(py, async move {
            let report = async { run?.finish().await }.await;
            envelope(report.map(|report| ReportData::from(&report)))
        })
    }

    /// Asks the run to start nothing new and to finish what runs.
    fn cancel(&self) {
        if let Some(canceller) = &self.canceller {
            canceller.cancel();
        }
    }

    /// Asks the run not to wait for what runs either.
    fn cancel_now(&self) {
        if let Some(canceller) = &self.canceller {
            canceller.cancel_now();
        }
    }
}

fn run_id(text: &str) -> Result<RunId> {
    text.parse().map_err(|error| Error::bug(format!("`{text}` is not the id of a run")).because(error))
}

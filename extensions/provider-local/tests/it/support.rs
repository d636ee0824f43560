//! What every test needs: types to call, a folder, and processes that never outlive the test.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::Command,
    sync::{Arc, mpsc},
    time::Duration,
};

use futures_util::FutureExt as _;
use rustix::process::{Pid, Signal};
use stackwright::{
    Result,
    event::{Clock, SystemClock},
    resource::{
        CallInfo, Context, DataSource, Evidence, Object, Outcome, PlanRequest, PlanResponse, Provider, Readiness,
        Recovery, Resource,
    },
    state::ObjectId,
    value::{Type, Value},
};
use tokio_util::sync::CancellationToken;

/// How long anything may take before a test gives up. It is only ever reached where something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The variable by which the processes of a test are found and ended.
pub(crate) const YARD: &str = "TEST_YARD";

/// Returns a resource type of the provider.
pub(crate) fn resource(name: &str) -> Arc<dyn Resource> {
    find(&stackwright_provider_local::provider(), name)
}

fn find(provider: &Provider, name: &str) -> Arc<dyn Resource> {
    let found = provider.resources.iter().find(|(known, _)| &**known == name);
    Arc::clone(&found.expect("a type of the provider").1)
}

/// A data source, read as the engine reads it.
pub(crate) struct Looked {
    pub(crate) source: Arc<dyn DataSource>,
}

impl Looked {
    pub(crate) fn new(type_name: &str) -> Self {
        let provider = stackwright_provider_local::provider();
        let found = provider.data_sources.iter().find(|(known, _)| &**known == type_name);
        Self { source: Arc::clone(&found.expect("a data source of the provider").1) }
    }

    pub(crate) async fn read(&self, given: &Value) -> Result<Value> {
        self.read_until(given, CancellationToken::new()).await
    }

    /// Reads, or is cancelled.
    pub(crate) async fn read_until(&self, given: &Value, cancellation: CancellationToken) -> Result<Value> {
        let schema = self.source.schema();
        let config = schema.coerce(given).unwrap_or_else(|problems| panic!("{problems:?}"));
        let problems = schema.validate_values(&config);
        assert!(problems.is_empty(), "{problems:?}");
        let ctx = Context::new(CallInfo::default(), Arc::new(SystemClock::default()), cancellation);
        let found = tokio::time::timeout(PATIENCE, self.source.read(&ctx, config)).await.expect("an answer")?;
        assert!(found.is_wholly_known());
        Ok(schema.conform(&found).unwrap_or_else(|problems| panic!("{problems:?}")))
    }

    /// Reads what has to fail; returns why.
    pub(crate) async fn refused(&self, given: &Value) -> stackwright::Error {
        let error = self.read(given).await.expect_err("it fails");
        assert!(stackwright::error::CODES.iter().any(|info| info.code == error.code()), "{error:?} is not listed");
        error
    }
}

/// One object of a type, driven through the verbs as the engine drives it.
pub(crate) struct Driven {
    pub(crate) resource: Arc<dyn Resource>,
    pub(crate) key: ObjectId,
    clock: Arc<dyn Clock>,
}

impl Driven {
    pub(crate) fn new(type_name: &str) -> Self {
        Self::with_key(type_name, ObjectId::mint())
    }

    pub(crate) fn with_key(type_name: &str, key: ObjectId) -> Self {
        Self { resource: resource(type_name), key, clock: Arc::new(SystemClock::default()) }
    }

    pub(crate) fn context(&self) -> Context {
        self.context_with(CancellationToken::new())
    }

    /// Returns a context that a token cancels.
    pub(crate) fn context_with(&self, cancellation: CancellationToken) -> Context {
        let info = CallInfo { object_id: Some(self.key), attempt: 1, ..CallInfo::default() };
        Context::new(info, Arc::clone(&self.clock), cancellation)
    }

    /// Returns a configuration with what is given, checked as the engine checks it.
    pub(crate) fn config(&self, given: &Value) -> Result<Value> {
        let schema = self.resource.schema();
        let config = schema.coerce(given).unwrap_or_else(|problems| panic!("{problems:?}"));
        let problems = schema.validate_values(&config);
        assert!(problems.is_empty(), "{problems:?}");
        self.resource.validate(&self.context(), &config).now_or_never().expect("it looks at nothing")?;
        Ok(config)
    }

    /// Plans what is given.
    pub(crate) async fn plan(&self, prior: Option<&Object>, given: &Value) -> Result<PlanResponse> {
        let config = self.config(given)?;
        let proposed = self.resource.schema().planned_new(prior.map(|prior| &prior.attributes), &config);
        let request = PlanRequest { prior: prior.cloned(), config, proposed };
        self.resource.plan(&self.context(), request).await
    }

    /// Plans and makes.
    pub(crate) async fn try_create(&self, given: &Value) -> Outcome {
        match self.plan(None, given).await {
            Ok(response) => bounded(self.resource.create(&self.context(), response.planned)).await,
            Err(error) => Outcome::failed(error),
        }
    }

    /// Plans and makes what has to work.
    pub(crate) async fn create(&self, given: &Value) -> Object {
        complete(self.try_create(given).await)
    }

    /// Plans and changes.
    pub(crate) async fn try_update(&self, prior: &Object, given: &Value) -> Outcome {
        match self.plan(Some(prior), given).await {
            Ok(response) => bounded(self.resource.update(&self.context(), prior, response.planned)).await,
            Err(error) => Outcome::failed(error),
        }
    }

    pub(crate) async fn update(&self, prior: &Object, given: &Value) -> Object {
        complete(self.try_update(prior, given).await)
    }

    pub(crate) async fn read(&self, object: &Object) -> Option<Object> {
        self.resource.read(&self.context(), object).await.expect("it can be read")
    }

    pub(crate) async fn delete(&self, object: &Object) {
        gone(bounded(self.resource.delete(&self.context(), object)).await);
    }

    pub(crate) async fn import(&self, id: &str) -> Result<Option<Object>> {
        self.resource.import(&self.context(), id).await
    }

    /// Waits until it is ready or never will be; returns the object, or why not.
    pub(crate) async fn ready(&self, object: &Object) -> Result<Object, String> {
        let interval = self.resource.traits().ready_interval;
        let ask = async {
            loop {
                match self.resource.ready(&self.context(), object).await.expect("it can be asked") {
                    Readiness::Ready(object) => return Ok(object),
                    Readiness::Failed { reason } => return Err(reason),
                    Readiness::NotYet { .. } => tokio::time::sleep(interval).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, ask).await.expect("an answer")
    }

    pub(crate) async fn recover(&self, evidence: &Evidence) -> Recovery {
        self.resource.recover(&self.context(), evidence).await.expect("it can be asked")
    }

    /// Returns the attributes that a plan of what is given would change.
    pub(crate) async fn changes(&self, prior: &Object, given: &Value) -> Vec<String> {
        let planned = self.plan(Some(prior), given).await.expect("a plan").planned;
        let paths = self.resource.schema().changed_paths(&prior.attributes, &planned);
        paths.iter().map(ToString::to_string).collect()
    }
}

/// Waits for a call, but not for ever.
async fn bounded<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, call).await.expect("the call ends")
}

/// Returns the object of an outcome without problems.
pub(crate) fn complete(outcome: Outcome) -> Object {
    match outcome {
        Outcome { object: stackwright::resource::ObjectState::Complete(object), problems } if problems.is_empty() => {
            assert!(object.attributes.is_wholly_known(), "{:?}", object.attributes);
            object
        }
        other => panic!("{other:?}"),
    }
}

/// Checks that an outcome says that the object is gone, and no more.
pub(crate) fn gone(outcome: Outcome) {
    assert!(outcome.is_ok() && outcome.object == stackwright::resource::ObjectState::Gone, "{outcome:?}");
}

/// Returns the only error of an outcome that left everything as it was.
pub(crate) fn refused(outcome: Outcome) -> stackwright::Error {
    assert_eq!(outcome.object, stackwright::resource::ObjectState::Unchanged, "{outcome:?}");
    assert_eq!(outcome.problems.len(), 1, "{outcome:?}");
    let error = outcome.problems.into_iter().next().expect("one");
    assert!(stackwright::error::CODES.iter().any(|info| info.code == error.code()), "{error:?} is not listed");
    error
}

/// Returns an object value.
pub(crate) fn given<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::object(entries)
}

pub(crate) fn text(text: impl AsRef<str>) -> Value {
    Value::string(text.as_ref())
}

pub(crate) fn texts<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> Value {
    Value::tuple(words.into_iter().map(|word| text(word.as_ref())).collect())
}

pub(crate) fn map<K: AsRef<str>, V: AsRef<str>>(entries: impl IntoIterator<Item = (K, V)>) -> Value {
    let entries: BTreeMap<String, Value> =
        entries.into_iter().map(|(key, value)| (key.as_ref().to_owned(), text(value.as_ref()))).collect();
    Value::map(Type::String, entries)
}

/// Returns an attribute that is a text.
pub(crate) fn attribute<'a>(object: &'a Object, name: &str) -> &'a str {
    object.attributes.attribute(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no text `{name}`"))
}

/// Returns a part of a value that is a text.
pub(crate) fn part<'a>(value: &'a Value, name: &str) -> &'a str {
    value.attribute(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no text `{name}`"))
}

/// Returns the same values with some replaced.
pub(crate) fn with<const N: usize>(value: &Value, changes: [(&str, Value); N]) -> Value {
    let mut entries: BTreeMap<String, Value> =
        value.entries().map(|(name, value)| (name.to_string(), value.clone())).collect();
    entries.extend(changes.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Value::object(entries)
}

/// A folder of a test. Whatever process carries its path in [`YARD`] is ended, by its number, when the test ends,
/// however that is.
pub(crate) struct Yard {
    folder: tempfile::TempDir,
}

impl Yard {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns a path as a text.
    pub(crate) fn place(&self, name: &str) -> String {
        self.path(name).to_str().expect("a plain path").to_owned()
    }

    /// Returns the variables that every process of the test gets, and more.
    pub(crate) fn environment<const N: usize>(&self, more: [(&str, &str); N]) -> Value {
        let own = [(YARD, self.place(""))];
        let more = more.map(|(name, value)| (name, value.to_owned()));
        map(own.into_iter().chain(more))
    }

    /// Returns a shell script as a process of this yard.
    pub(crate) fn script(&self, script: &str) -> Value {
        given([("command", texts(["/bin/sh", "-c", script])), ("environment", self.environment([]))])
    }

    /// Returns the numbers of the processes of this yard: those that carry its path in [`YARD`], or name it in their
    /// command line.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let wanted = format!("{YARD}={}", self.place(""));
        let place = self.place("");
        let has = |pid: u32, file: &str, matches: &dyn Fn(&str) -> bool| {
            let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).split('\0').any(matches)
        };
        let processes = fs::read_dir("/proc").expect("/proc").flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let pids = pids.filter(|pid| *pid != std::process::id() && is_running(*pid));
        pids.filter(|pid| {
            has(*pid, "environ", &|entry| entry == wanted) || has(*pid, "cmdline", &|word| word.starts_with(&place))
        })
        .collect()
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        for pid in self.pids() {
            kill(pid);
        }
    }
}

/// Returns the fields of `/proc/PID/stat` behind the name.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// Returns whether a process runs; one that waits to be reaped does not.
pub(crate) fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|fields| !["Z", "X"].contains(&fields[0].as_str()))
}

/// Waits until a process that was told to end has done so.
pub(crate) async fn dead(pid: u32) {
    let end = async {
        while is_running(pid) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, end).await.expect("it ends");
}

/// Returns a process's parent, group and session.
pub(crate) fn kin(pid: u32) -> [u32; 3] {
    let fields = stat(pid).expect("it is there");
    [1, 2, 3].map(|idx| fields[idx].parse().expect("a number"))
}

/// Returns when a process was started, in the system's unit.
pub(crate) fn start_of(pid: u32) -> Option<String> {
    stat(pid)?.get(19).cloned()
}

/// Ends a process that the test started.
pub(crate) fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a number");
    let _ = rustix::process::kill_process(pid, Signal::KILL);
}

/// Returns the process number of an object.
pub(crate) fn pid(object: &Object) -> u32 {
    object.id.parse().expect("a number")
}

/// A pipe with a name, by which processes tell a test how far they are. It ends when the last process that holds it
/// does, so that a test sees that a whole family is gone.
pub(crate) struct Wire {
    path: PathBuf,
    words: mpsc::Receiver<Option<String>>,
}

impl Wire {
    pub(crate) fn new(yard: &Yard, name: &str) -> Self {
        let path = yard.path(name);
        let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo");
        assert!(made.success());
        let (tell, words) = mpsc::channel();
        let place = path.clone();
        std::thread::spawn(move || {
            // Opening waits for whoever writes, and after its end for the next one.
            while let Ok(file) = fs::File::open(&place) {
                let lines = BufReader::new(file).lines().map_while(Result::ok).map(Some);
                for word in lines.chain([None]) {
                    if tell.send(word).is_err() {
                        return;
                    }
                }
            }
        });
        Self { path, words }
    }

    /// Returns what begins a script that speaks through this wire, as its file 3.
    pub(crate) fn open(&self) -> String {
        format!("exec 3>'{}'", self.path.display())
    }

    /// Waits for the next line, whoever says it.
    pub(crate) fn line(&self) -> String {
        loop {
            if let Some(line) = self.words.recv_timeout(PATIENCE).expect("a line") {
                return line;
            }
        }
    }

    /// Waits until nobody holds the wire any more; returns what they said until then.
    pub(crate) fn end(&self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.words.recv_timeout(PATIENCE).expect("the end") {
            lines.push(line);
        }
        lines
    }
}

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio_util::sync::CancellationToken;

use super::{Stack, run::uncertain};
use crate::{
    address::{Address, Target},
    error::{Diagnostic, Diagnostics as _, Error, ErrorKind, Result},
    event::{Bus, Event},
    plan::{Answer, Ask, Mode, ObjectIds, Plan, PlanInput, Planner, Request, RequestId, Tags, check_template},
    resource::{CallInfo, Context, Registry, Traits, checked_plan},
    run::{Holder, HolderParts, call_info, guarded},
    schema::Schema,
    template::{
        RawVariables, SchemaSource, Template, check,
        eval::{FileAccess, Functions},
        resolve_variables,
    },
    value::{Value, to_json_value},
};

/// An object that exists and is to be taken into state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The instance that it becomes.
    pub address: Address,
    /// The id that people use for it.
    pub id: String,
}

/// What a plan is to be made from beside template and state.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// What it is for.
    pub mode: Mode,
    /// The root module's variables.
    pub variables: RawVariables,
    /// Only these and what they need; empty: everything.
    pub targets: Vec<Target>,
    /// Instances to be made anew.
    pub replace: Vec<Address>,
    /// Whether real objects are read first.
    pub refresh: bool,
    /// Objects to be taken into state.
    pub imports: Vec<Import>,
    /// The folder that functions may read files from; `None`: none.
    pub root: Option<PathBuf>,
    /// The files that functions may read, where they are in no folder; then `root` says nothing.
    pub files: Option<Arc<dyn FileAccess + Send + Sync>>,
    /// How many requests are under way at once; at least 1.
    pub parallelism: usize,
    /// Tags that every object bears that takes tags, beside those of the engine; of one key, these count. They are locked:
    /// no template can set them otherwise. What they are is a part of the plan.
    pub tags: BTreeMap<String, String>,
    /// Where events go.
    pub events: Option<Bus>,
    /// Ends planning early. Nothing has to be undone: planning changes nothing.
    pub cancellation: CancellationToken,
    /// What the host calls this plan; resource types get it with every call.
    pub operation: Option<Arc<str>>,
}

impl Default for PlanOptions {
    /// Everything, with a look at the world, 64 requests at once, no variables.
    fn default() -> Self {
        Self {
            mode: Mode::Normal,
            variables: RawVariables::default(),
            targets: Vec::new(),
            replace: Vec::new(),
            refresh: true,
            imports: Vec::new(),
            root: None,
            files: None,
            parallelism: 64,
            tags: BTreeMap::new(),
            events: None,
            cancellation: CancellationToken::new(),
            operation: None,
        }
    }
}

impl PlanOptions {
    /// Sets a variable to a value of the host's.
    pub fn variable(mut self, name: impl Into<Arc<str>>, value: Value) -> Self {
        self.variables.values.extend(RawVariables::from_values([(name, value)]).values);
        self
    }

    /// Locks a tag.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Sets what the plan is for.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }
}

impl Stack {
    /// Returns everything that is wrong with a template, warnings too. Nothing is called, nothing is read.
    pub fn validate(&self, template: &Template) -> Vec<Diagnostic> {
        let registry = self.engine.registry();
        let mut problems = check(template, &*registry);
        problems.extend(check_template(&self.locked_tags(&Tags::new()), template, &*registry));
        problems.tidy();
        problems
    }

    /// Works out what is to be done.
    ///
    /// Real objects are read first unless the options say otherwise; nothing is changed, in the world or in the store.
    ///
    /// # Errors
    /// `template.invalid` with every diagnostic of template and variables; `plan.failed` with every diagnostic of
    /// planning; `run.unfinished` while a run has to be resumed; `plan.uncertain` while somebody has to settle an object;
    /// those of [`Store`](crate::state::Store).
    ///
    /// # Cancellation
    /// Dropping the future, or the options' token, ends planning; nothing has to be undone.
    ///
    /// # Complexity
    /// O(n + e): n instances, e references between them.
    pub async fn plan(&self, template: &Template, options: PlanOptions) -> Result<Plan> {
        self.refuse_unfinished().await?;
        let registry = self.engine.registry();
        let mut problems = check(template, &*registry);
        let (variables, found) = resolve_variables(template.root(), &options.variables);
        // What is deleted is in state; nobody has to remember what it was made with.
        let needed = |problem: &Diagnostic| options.mode != Mode::Destroy || problem.code != "variable.missing";
        problems.extend(found.into_iter().filter(needed));
        problems.tidy();
        if problems.has_errors() {
            return Err(Error::from_diagnostics("template.invalid", problems));
        }
        let state = self.state().await?;
        refuse_uncertain(&state.rows, &options)?;
        let files: Box<dyn FileAccess + Send> = match &options.files {
            Some(files) => Box::new(Arc::clone(files)),
            None => self.engine.files(options.root.as_deref())?,
        };
        let root = options.root.as_ref().filter(|_| options.files.is_none());
        let tags = self.locked_tags(&options.tags);
        let input = PlanInput {
            lineage: state.lineage,
            variables: variables.into_iter().map(|(name, value)| (name.to_string(), value)).collect(),
            given: options.variables.values.keys().map(ToString::to_string).collect(),
            rows: state.rows,
            outputs: state.outputs.into_iter().map(|(name, output)| (name, output.value)).collect(),
            files,
            object_ids: ObjectIds::random(),
            timestamp: self.engine.inner.clock.now(),
            workspace: self.key.name.to_string(),
            root: root.map_or_else(|| ".".to_owned(), |root| root.display().to_string()),
            options: crate::plan::PlanOptions {
                mode: options.mode,
                targets: options.targets.clone(),
                replace: options.replace.iter().cloned().collect::<BTreeSet<_>>(),
                refresh: options.refresh,
                imports: options
                    .imports
                    .iter()
                    .map(|import| (import.address.clone(), import.id.clone()))
                    .collect::<BTreeMap<_, _>>(),
                tags: tags.clone(),
                ..crate::plan::PlanOptions::default()
            },
            ..PlanInput::new(self.key.clone(), Arc::new(template.clone()), Arc::clone(&registry) as _)
        };
        let planner = Planner::new(input).map_err(|problems| Error::from_diagnostics("plan.failed", problems))?;
        let holder = self.holder(&registry, &options, &tags);
        let driven = self.drive(planner, &registry, &options, &holder, &tags).await;
        problems.extend(holder.close_all().await);
        let (plan, found) = driven?;
        problems.extend(found);
        problems.tidy();
        match plan {
            Some(mut plan) if !problems.has_errors() => {
                plan.warnings = problems;
                announce(&plan, options.events.as_ref());
                Ok(plan)
            }
            _ => Err(Error::from_diagnostics("plan.failed", problems)),
        }
    }

    /// Returns what keeps ephemeral resources open while something is planned.
    fn holder(&self, registry: &Arc<Registry>, options: &PlanOptions, tags: &Tags) -> Holder {
        let inner = &self.engine.inner;
        Holder::new(HolderParts {
            calls: Arc::clone(registry) as _,
            clock: Arc::clone(&inner.clock),
            bus: options.events.clone(),
            info: call_info(&self.key, tags, options.operation.as_ref()),
            grace: crate::run::Options::default().grace,
            stop: options.cancellation.child_token(),
            hurry: CancellationToken::new(),
            lapsed: Box::new(|_| {}),
        })
    }

    /// Answers the planner's requests, many at a time, until it has none.
    async fn drive(
        &self,
        mut planner: Planner,
        registry: &Arc<Registry>,
        options: &PlanOptions,
        holder: &Holder,
        tags: &Tags,
    ) -> Result<(Option<Plan>, Vec<Diagnostic>)> {
        let mut waiting = std::collections::VecDeque::new();
        let mut under_way = FuturesUnordered::new();
        loop {
            waiting.extend(planner.requests());
            while under_way.len() < options.parallelism.max(1)
                && let Some((id, request)) = waiting.pop_front()
            {
                under_way.push(self.ask(id, request, registry, options, holder, tags));
            }
            // Biased, so that a cancelled plan takes no further answer.
            tokio::select! {
                biased;
                () = options.cancellation.cancelled() => {
                    return Err(Error::new(ErrorKind::Cancelled, "run.cancelled", "planning was ended early; nothing was changed"));
                }
                answered = under_way.next() => match answered {
                    Some((id, answer)) => planner.answer(id, answer),
                    None => return Ok(planner.finish()),
                },
            }
        }
    }

    async fn ask(
        &self,
        id: RequestId,
        request: Request,
        registry: &Arc<Registry>,
        options: &PlanOptions,
        holder: &Holder,
        tags: &Tags,
    ) -> (RequestId, Answer) {
        if matches!(request.ask, Ask::Open(_)) {
            return (id, Answer::Opened(holder.open(request).await));
        }
        let inner = &self.engine.inner;
        // Planning and checking are the type's own; the rest asks the world.
        let _turn = match (&inner.fair, &request.ask) {
            (None, _) | (_, Ask::Plan(_) | Ask::Upgrade { .. }) => None,
            (Some(fair), _) => Some(fair.take(&self.key).await),
        };
        let address: Arc<str> = request.address.to_string().into();
        let resource = registry.resource(&request.type_name);
        let limit = resource.as_ref().map_or_else(Traits::default, |resource| resource.traits()).call_timeout;
        let info = CallInfo {
            object_id: request.object_id,
            address: Arc::clone(&address),
            type_name: Arc::clone(&request.type_name),
            attempt: 1,
            provider_config: request.provider_config,
            deadline: Some(inner.clock.now().plus(limit)),
            ..call_info(&self.key, tags, options.operation.as_ref())
        };
        let clock = &inner.clock;
        let ctx = Context::new(info, Arc::clone(clock), options.cancellation.child_token());
        let send = |event: &dyn Fn(String) -> Event| {
            if let Some(bus) = &options.events {
                bus.send(event(address.to_string()));
            }
        };
        let unknown = || registry.unknown_resource(&request.type_name);
        let resource = || resource.as_deref().ok_or_else(unknown);
        let answer = match request.ask {
            Ask::Upgrade { version, attributes } => Answer::Upgrade(match (resource(), to_json_value(&attributes)) {
                (Ok(resource), Ok(attributes)) => {
                    guarded(clock, limit, resource.upgrade(&ctx, version, attributes)).await
                }
                (Err(error), _) => Err(error),
                (_, Err(problem)) => Err(Error::bug("stored attributes have no JSON form").because(problem)),
            }),
            Ask::Read(object) => {
                send(&|address| Event::RefreshStarted { address });
                let read = match resource() {
                    Ok(resource) => guarded(clock, limit, resource.read(&ctx, &object)).await,
                    Err(error) => Err(error),
                };
                let drifted = || !matches!(&read, Ok(Some(found)) if found.attributes == object.attributes);
                send(&|address| Event::RefreshFinished { address, drifted: drifted() });
                Answer::Read(read)
            }
            Ask::Plan(plan) => Answer::Plan(match resource() {
                Ok(resource) => guarded(clock, limit, checked_plan(resource, &ctx, *plan)).await,
                Err(error) => Err(error),
            }),
            Ask::ReadData(config) => {
                send(&|address| Event::RefreshStarted { address });
                let read = match registry.data_source(&request.type_name) {
                    Some(source) => guarded(clock, limit, source.read(&ctx, config)).await,
                    None => Err(unknown()),
                };
                send(&|address| Event::RefreshFinished { address, drifted: false });
                Answer::Data(read)
            }
            Ask::Import(wanted) => Answer::Import(match resource() {
                Ok(resource) => guarded(clock, limit, resource.import(&ctx, &wanted)).await,
                Err(error) => Err(error),
            }),
            // Answered above.
            Ask::Open(_) => Answer::Opened(Err(Error::bug("somebody else opens it"))),
        };
        (id, answer)
    }
}

/// Tells observers what was planned.
fn announce(plan: &Plan, events: Option<&Bus>) {
    let Some(bus) = events else { return };
    for change in plan.changes.iter().filter(|change| change.action != crate::plan::Action::NoOp) {
        bus.send(Event::Planned { address: change.address.to_string(), action: change.action.as_str().to_owned() });
    }
}

/// Refuses to plan what nobody knows the state of, naming the way out.
fn refuse_uncertain(rows: &[crate::state::Row], options: &PlanOptions) -> Result<()> {
    let covered =
        |address: &Address| options.targets.is_empty() || options.targets.iter().any(|target| target.contains(address));
    let open: Vec<&crate::state::Row> = uncertain(rows).filter(|row| covered(&row.address)).collect();
    let Some(first) = open.first() else { return Ok(()) };
    let names: Vec<String> = open.iter().map(|row| format!("`{}`", row.address)).collect();
    let first = first_steps(first);
    let message = format!("nobody knows what became of {}; {first}", names.join(", "));
    Err(Error::new(ErrorKind::Conflict, "plan.uncertain", message))
}

/// Says how a person settles what became of the object of an uncertain row.
pub(super) fn first_steps(row: &crate::state::Row) -> String {
    let address = &row.address;
    let exists = match &row.remote_id {
        Some(id) => {
            format!(
                "if `{id}` exists, `stackwright state settle '{address}' present` to keep it, `tainted` to have it replaced"
            )
        }
        None => format!(
            "if it does, the same and then `stackwright import '{address}' ID` with its id, or delete it where it lives"
        ),
    };
    format!("look for it: if it does not exist, `stackwright state settle '{address}' absent`; {exists}")
}

impl SchemaSource for Registry {
    fn resource(&self, type_name: &str) -> Option<Arc<Schema>> {
        Self::resource(self, type_name).map(|resource| resource.schema())
    }

    fn data_source(&self, type_name: &str) -> Option<Arc<Schema>> {
        Self::data_source(self, type_name).map(|source| source.schema())
    }

    fn provider(&self, name: &str) -> Option<Option<Arc<Schema>>> {
        self.provider_schema(name)
    }

    fn ephemeral(&self, type_name: &str) -> Option<Arc<Schema>> {
        Self::ephemeral(self, type_name).map(|resource| resource.schema())
    }

    fn ephemeral_names(&self) -> Vec<Arc<str>> {
        Self::ephemeral_names(self).map(Arc::from).collect()
    }

    fn resource_names(&self) -> Vec<Arc<str>> {
        Self::resource_names(self).map(Arc::from).collect()
    }

    fn data_source_names(&self) -> Vec<Arc<str>> {
        Self::data_source_names(self).map(Arc::from).collect()
    }

    fn functions(&self) -> Functions {
        Self::functions(self).clone()
    }

    fn provider_names(&self) -> Vec<Arc<str>> {
        Self::provider_names(self).map(Arc::from).collect()
    }
}

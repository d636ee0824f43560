use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Action, Inputs, Mode, Plan, Step, StepAction, StepConfig, TypeSource,
    node::{Env, Evaluated, Event, FilesSeen, ModuleIdx, NodeId, Options, Place, Replay, Table, Touched, Verdict},
    planner::{keep, seconds},
};
use crate::{
    address::{Address, InstanceKey, Mode as AddressMode},
    error::{Diagnostic, Diagnostics as _, Error, Result},
    state::{ObjectId, Row, RowStatus},
    template::{
        Condition, Files, ResourceBlock, ResourceKey, Template,
        eval::{Functions, Observation, ObservationKind, SystemWorld, World},
    },
    value::{Type, Value},
};

/// What a step's residue came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Finalized {
    /// The configuration, wholly known; marked. Null of any type for a delete or a forget.
    pub config: Value,
    /// The object as it will be, unknown only where the type computes values; marked. `None` for a delete, a forget or
    /// a read.
    ///
    /// With `plan_again` it is what is proposed to the type's `plan`, whose answer takes its place.
    pub planned: Option<Value>,
    /// Whether the type's `plan` has to be asked once more, because the configuration is better known than it was.
    pub plan_again: bool,
}

/// Something that evaluation would compute differently another time.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// What was drawn, in the evaluator's own words; the same key means the same drawing for the whole run.
    pub key: String,
    /// What came out; marked.
    pub value: Value,
}

/// Evaluates what a plan left open, from the plan alone.
///
/// The template is read from the plan's own snapshot, and only if something is open at all. Values are computed on
/// demand and kept once all that they were made with is final.
///
/// # Complexity
/// A run evaluates each block and each declaration that its steps need a bounded number of times, whatever the number of
/// steps, as long as a step waits for what it refers to (which plans see to).
#[derive(Debug)]
pub struct Residue {
    plan: Arc<Plan>,
    types: Arc<dyn TypeSource>,
    /// What instances are, as far as that is known.
    objects: HashMap<Address, Known>,
    /// Place of each instance in the plan's changes.
    changes: HashMap<Address, usize>,
    table: Option<Table>,
    /// Nodes whose values are not final: computed anew when something was applied.
    passing: Vec<NodeId>,
    /// Instances whose values are not final.
    open: HashSet<NodeId>,
    drawn: Arc<Mutex<Drawn>>,
}

#[derive(Clone, Debug)]
struct Known {
    value: Value,
    is_final: bool,
}

/// What was drawn: everything, and what nobody took yet.
#[derive(Debug, Default)]
struct Drawn {
    all: BTreeMap<String, String>,
    fresh: Vec<Drawing>,
}

/// The world while a plan runs: the past as it was, anything new as it is, and noted.
struct RunWorld {
    planned_at: String,
    place: Arc<Mutex<Place>>,
    drawn: Arc<Mutex<Drawn>>,
    now: Mutex<SystemWorld>,
}

impl World for RunWorld {
    fn observe(&self, observation: Observation) -> Option<String> {
        let kind = match observation.kind {
            ObservationKind::PlanTimestamp => return Some(self.planned_at.clone()),
            ObservationKind::Timestamp => "timestamp",
            ObservationKind::Uuid => "uuid",
        };
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let instance = match (place.count_index, &place.each_key) {
            (Some(idx), _) => InstanceKey::Int(idx).to_string(),
            (None, Some(key)) => InstanceKey::Str(Arc::clone(key)).to_string(),
            (None, None) => String::new(),
        };
        let key = format!("{}|{:?}|{instance}|{}|{kind}", place.module, place.span, observation.ordinal);
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = drawn.all.get(&key) {
            return Some(text.clone());
        }
        let text = self.now.lock().unwrap_or_else(PoisonError::into_inner).observe(observation)?;
        drawn.all.insert(key.clone(), text.clone());
        drawn.fresh.push(Drawing { key, value: Value::string(text.as_str()) });
        Some(text)
    }
}

impl Residue {
    /// Returns the residue of a plan, before any of its steps ran. `rows` are the stack's rows as the plan saw them.
    ///
    /// # Errors
    /// None yet; a snapshot that cannot be read is found out when it is needed.
    pub fn open(plan: Arc<Plan>, rows: &[Row], types: Arc<dyn TypeSource>) -> Result<Self> {
        let mut objects: HashMap<Address, Known> = HashMap::new();
        for row in rows.iter().filter(|row| row.status != RowStatus::Deposed) {
            objects.insert(row.address.clone(), Known { value: row.attributes.clone(), is_final: true });
        }
        let mut changes = HashMap::new();
        for (place, change) in plan.changes.iter().enumerate().filter(|(_, change)| !change.deposed) {
            changes.insert(change.address.clone(), place);
            if let Some(after) = &change.after {
                let known = Known { value: after.clone(), is_final: change.action == Action::NoOp };
                objects.insert(change.address.clone(), known);
            }
        }
        for read in &plan.reads {
            if let Some(value) = &read.value {
                objects.insert(read.address.clone(), Known { value: value.clone(), is_final: true });
            }
        }
        // A change without a step leaves nothing to wait for: only what is marked differs.
        let stepped: HashSet<&Address> = plan.steps.iter().map(|step| &step.address).collect();
        for (address, known) in &mut objects {
            known.is_final |= !stepped.contains(address);
        }
        Ok(Self {
            plan: Arc::clone(&plan),
            types,
            objects,
            changes,
            table: None,
            passing: Vec::new(),
            open: HashSet::new(),
            drawn: Arc::default(),
        })
    }

    /// Returns the table, made from the plan's snapshot when it is first needed.
    fn table(&mut self) -> Result<&mut Table> {
        if self.table.is_none() {
            self.table = Some(self.read_snapshot()?);
        }
        self.table.as_mut().ok_or_else(|| Error::bug("the snapshot of a plan is gone"))
    }

    fn read_snapshot(&self) -> Result<Table> {
        let inputs = &self.plan.inputs;
        let files = Files::from_texts(inputs.files.iter().map(|(path, text)| (path.as_str(), Arc::clone(text))));
        let (template, problems) = Template::parse(&files, &crate::template::Options::default());
        if problems.has_errors() {
            return Err(Error::from_diagnostics("engine.bug", problems));
        }
        let place: Arc<Mutex<Place>> = Arc::default();
        let world = RunWorld {
            planned_at: seconds(inputs.timestamp),
            place: Arc::clone(&place),
            drawn: Arc::clone(&self.drawn),
            now: Mutex::default(),
        };
        let env = Env {
            functions: Arc::new(Functions::standard()),
            files: Box::new(Replay { seen: seen(inputs) }),
            world: Box::new(world),
            workspace: inputs.workspace.clone(),
            root: inputs.root.clone(),
            place,
        };
        let options = Options { eager: false, instance_limit: usize::MAX };
        Ok(Table::new(Arc::new(template), Arc::clone(&self.types), inputs.variables.clone(), env, options))
    }

    /// Evaluates nodes and all that they need.
    fn settle(&mut self, nodes: &[NodeId]) -> Result<()> {
        let table = self.table()?;
        nodes.iter().for_each(|node| table.demand(*node));
        while let Some(event) = self.table()?.next() {
            if let Event::Work(node) = event {
                self.supply(node)?;
            }
        }
        let Some(table) = self.table.as_mut() else { return Ok(()) };
        for node in table.take_finished() {
            let is_open = table.touched(node).nodes().iter().any(|touched| self.open.contains(touched));
            if is_open {
                self.passing.push(node);
            }
        }
        match nodes.iter().find(|node| !table.is_done(**node)) {
            Some(node) => Err(Error::bug("a plan's snapshot needs itself").context("node", table.label(*node))),
            None => Ok(()),
        }
    }

    /// Gives an instance what is known of it.
    fn supply(&mut self, node: NodeId) -> Result<()> {
        let Some(address) = self.table()?.address(node) else {
            self.table()?.fail(node);
            return Ok(());
        };
        match self.objects.get(&address).cloned() {
            Some(known) => {
                if !known.is_final {
                    self.open.insert(node);
                }
                self.table()?.finish(node, known.value, Touched::one(node));
            }
            None => self.table()?.fail(node),
        }
        Ok(())
    }

    /// Finds the node of an instance.
    fn locate(&mut self, address: &Address) -> Result<NodeId> {
        let missing = || Error::bug("a step's instance is not in the plan's snapshot").context("address", address);
        let mut module = ModuleIdx::ROOT;
        for step in address.module().steps() {
            let nodes = self.table()?.module(module).calls.get(&step.name).copied().ok_or_else(missing)?;
            self.settle(&[nodes.call])?;
            let expansion = self.table()?.calls(nodes.call).cloned().ok_or_else(missing)?;
            module = expansion.keys.get(step.key.as_ref()).copied().ok_or_else(missing)?;
        }
        let resource = &address.resource;
        let nodes = self
            .table()?
            .module(module)
            .block(resource.mode, &resource.type_name, &resource.name)
            .ok_or_else(missing)?;
        self.settle(&[nodes.block])?;
        let expansion = self.table()?.expansion(nodes.block).cloned().ok_or_else(missing)?;
        expansion.keys.get(address.key.as_ref()).copied().ok_or_else(missing)
    }

    /// Evaluates something until nothing is missing.
    fn evaluate(&mut self, run: impl Fn(&Table) -> Evaluated) -> Result<Value> {
        loop {
            let evaluated = run(self.table()?);
            if evaluated.waits.is_empty() {
                if evaluated.problems.has_errors() {
                    return Err(Error::from_diagnostics("plan.evaluation", evaluated.problems));
                }
                return Ok(evaluated.value);
            }
            self.settle(&evaluated.waits)?;
        }
    }

    /// Returns the block of an instance, with what belongs to it.
    fn block(&mut self, node: NodeId) -> Result<(ModuleIdx, ResourceKey, Arc<crate::template::Module>)> {
        let table = self.table()?;
        let (module, key, _) = table.block_of(node).ok_or_else(|| Error::bug("a node is no instance"))?;
        Ok((module, key.clone(), Arc::clone(&table.module(module).module)))
    }

    /// Evaluates conditions of an instance; those that do not hold are reported.
    fn conditions(
        &mut self,
        node: NodeId,
        pick: impl Fn(&ResourceBlock) -> Vec<Condition>,
        this: Option<&Value>,
    ) -> Result<Vec<Diagnostic>> {
        let (module, key, declared) = self.block(node)?;
        let Some(block) = declared.resources.get(&key) else { return Ok(Vec::new()) };
        let conditions = pick(block);
        let repeat = self.table()?.repeat_of(node);
        let subject = self.table()?.label(node);
        for condition in &conditions {
            loop {
                let table = self.table()?;
                let verdict = table.condition(
                    module,
                    &repeat,
                    this,
                    condition,
                    "plan.condition_failed",
                    &subject,
                    &mut Vec::new(),
                );
                match verdict {
                    Verdict::Waits(on) => self.settle(&on)?,
                    Verdict::Unknown => {
                        let problem = Diagnostic::error(
                            "plan.condition_failed",
                            format!("a condition of `{subject}` is not known even now"),
                        );
                        self.table()?.problems.push(problem.at(condition.condition.span).address(subject.as_str()));
                        break;
                    }
                    Verdict::Holds | Verdict::Fails => break,
                }
            }
        }
        Ok(std::mem::take(&mut self.table()?.problems))
    }

    /// Evaluates the configuration of a step, and what it proposes.
    fn residual(&mut self, step: &Step) -> Result<Finalized> {
        let node = self.locate(&step.address)?;
        let (module, key, declared) = self.block(node)?;
        let block = declared.resources.get(&key).ok_or_else(|| Error::bug("a step has no block"))?;
        let missing = || self.types.nearest(&key.type_name).unwrap_or_default();
        let schema = match key.mode {
            AddressMode::Managed => self.types.resource(&key.type_name).map(|info| info.schema),
            AddressMode::Data => self.types.data_source(&key.type_name),
        };
        let schema = schema.ok_or_else(|| {
            let message = format!("the type `{}` is not registered any more", key.type_name);
            Error::new(crate::ErrorKind::NotFound, "plan.type_unknown", message).context("nearest", missing())
        })?;
        let repeat = self.table()?.repeat_of(node);
        let config = self.evaluate(|table| table.evaluate_body(module, &repeat, &block.body, &schema, block.span))?;
        let config = schema.mark_sensitive(&config);
        if step.action == StepAction::Read {
            return Ok(Finalized { config, planned: None, plan_again: false });
        }
        let change = self.plan.change(step.change);
        let prior = match step.action {
            StepAction::Update => change.and_then(|change| change.before.as_ref()).map(|before| before.unmark_deep().0),
            _ => None,
        };
        let config = match &prior {
            Some(prior) => keep(&block.lifecycle.ignore_changes, &schema, &config, prior),
            None => config,
        };
        let (plain, marks) = config.unmark_deep_with_paths();
        let proposed = schema.planned_new(prior.as_ref(), &plain);
        let planned = schema.mark_sensitive(&proposed.mark_with_paths(&marks));
        Ok(Finalized { config, planned: Some(planned), plan_again: true })
    }

    /// Checks conditions of what did not change: they may hang on what did.
    fn check_unchanged(&mut self) -> Result<Vec<Diagnostic>> {
        let plan = Arc::clone(&self.plan);
        if plan.mode != Mode::Normal {
            return Ok(Vec::new());
        }
        let unchanged = plan.changes.iter().filter(|change| change.action == Action::NoOp && !change.deposed);
        let addresses = unchanged.map(|change| &change.address);
        let read = plan.reads.iter().filter(|read| read.value.is_some()).map(|read| &read.address);
        let mut problems = Vec::new();
        for address in addresses.chain(read) {
            let table = self.table()?;
            let key = ResourceKey {
                mode: address.mode(),
                type_name: Arc::clone(&address.resource.type_name),
                name: Arc::clone(&address.resource.name),
            };
            let declares = table.declares_conditions(&address.module().path(), &key);
            if declares {
                let node = self.locate(address)?;
                let value = self.objects.get(address).map(|known| known.value.clone());
                problems.extend(self.conditions(node, |block| block.lifecycle.preconditions.clone(), None)?);
                problems.extend(self.conditions(
                    node,
                    |block| block.lifecycle.postconditions.clone(),
                    value.as_ref(),
                )?);
            }
        }
        Ok(problems)
    }
}

impl Residue {
    /// Evaluates a step's configuration right before it starts, preconditions included.
    ///
    /// # Errors
    /// What evaluation says, with diagnostics; `plan.condition_failed` where a precondition does not hold.
    pub fn finalize(&mut self, step: &Step) -> Result<Finalized> {
        let finalized = match &step.config {
            StepConfig::None => {
                return Ok(Finalized { config: Value::null(Type::Any), planned: None, plan_again: false });
            }
            StepConfig::Known(config) => {
                Finalized { config: config.clone(), planned: step.planned.clone(), plan_again: false }
            }
            StepConfig::Residual(_) => self.residual(step)?,
        };
        if step.has_conditions {
            let node = self.locate(&step.address)?;
            let problems = self.conditions(node, |block| block.lifecycle.preconditions.clone(), None)?;
            if problems.has_errors() {
                return Err(Error::from_diagnostics("plan.condition_failed", problems));
            }
        }
        if !finalized.config.is_wholly_known() {
            return Err(Error::bug("a step was started before all that it refers to was applied")
                .context("address", &step.address));
        }
        Ok(finalized)
    }

    /// Takes what was drawn since the last call.
    pub fn take_drawings(&mut self) -> Vec<Drawing> {
        std::mem::take(&mut self.drawn.lock().unwrap_or_else(PoisonError::into_inner).fresh)
    }

    /// Takes back what an earlier process drew.
    pub fn drawn(&mut self, drawing: Drawing) {
        if let Some(text) = drawing.value.as_str() {
            self.drawn.lock().unwrap_or_else(PoisonError::into_inner).all.insert(drawing.key, text.to_owned());
        }
    }

    /// Takes what an instance came to.
    pub fn applied(&mut self, address: &Address, _: Option<ObjectId>, value: Value) {
        let value = match address.mode() {
            AddressMode::Managed => self.types.resource(address.type_name()).map(|info| info.schema),
            AddressMode::Data => self.types.data_source(address.type_name()),
        }
        .map_or(value.clone(), |schema| schema.mark_sensitive(&value));
        let marks = self.changes.get(address).and_then(|place| self.plan.changes.get(*place)?.after.as_ref());
        let value = match marks {
            // What the template marks stays marked, whatever the type returned.
            Some(after) => value.mark_with_paths(&after.unmark_deep_with_paths().1),
            None => value,
        };
        let old = self.objects.insert(address.clone(), Known { value: value.clone(), is_final: true });
        let Some(table) = self.table.as_mut() else { return };
        let was_final = old.as_ref().is_some_and(|old| old.is_final);
        if was_final && old.is_some_and(|old| !old.value.same(&value)) {
            // It changed once more while it became ready: whatever used it is computed anew.
            let users = table.users_of(address);
            table.forget(&users);
        }
        table.forget(&std::mem::take(&mut self.passing));
        self.open.clear();
    }

    /// Checks the postconditions of a step whose object is ready.
    pub fn check(&mut self, step: &Step, object: &Value) -> Vec<Diagnostic> {
        let checked = self
            .locate(&step.address)
            .and_then(|node| self.conditions(node, |block| block.lifecycle.postconditions.clone(), Some(object)));
        checked.unwrap_or_else(|error| match error.diagnostics() {
            [] => vec![Diagnostic::error("engine.bug", error.message()).address(step.address.to_string())],
            problems => problems.to_vec(),
        })
    }

    /// Returns the configuration of the provider that owns a step's instance, marked; `None` where it has none.
    ///
    /// # Errors
    /// What evaluation says, with diagnostics.
    pub fn provider_config(&mut self, step: &Step) -> Result<Option<Value>> {
        let change = self.plan.change(step.change);
        let named = change.map(|change| Arc::clone(&change.provider)).filter(|name| !name.is_empty());
        let name = named.unwrap_or_else(|| self.types.provider_of(step.address.type_name()));
        match self.plan.provider_configs.get(&name) {
            None => Ok(None),
            Some(config) if config.is_wholly_known() => Ok(Some(config.clone())),
            Some(_) => {
                let node = self.table()?.provider_node(&name);
                self.settle(&[node])?;
                let table = self.table()?;
                let problems = std::mem::take(&mut table.problems);
                if problems.has_errors() {
                    return Err(Error::from_diagnostics("plan.evaluation", problems));
                }
                Ok(Some(table.value(node).clone()))
            }
        }
    }

    /// Evaluates the root outputs once every step ended well; marked. One that still cannot be computed keeps its value.
    ///
    /// # Errors
    /// What evaluation says, with diagnostics; `plan.condition_failed` where a condition of what did not change does not
    /// hold any more.
    pub fn outputs(&mut self) -> Result<BTreeMap<String, Value>> {
        let plan = Arc::clone(&self.plan);
        let is_known = |value: &Option<Value>| value.as_ref().is_none_or(Value::is_wholly_known);
        let conditions = self.check_unchanged()?;
        if conditions.has_errors() {
            return Err(Error::from_diagnostics("plan.condition_failed", conditions));
        }
        let mut outputs = BTreeMap::new();
        for (name, change) in &plan.outputs {
            if is_known(&change.after) {
                outputs.extend(change.after.clone().map(|value| (name.clone(), value)));
                continue;
            }
            let node = self.table()?.root().outputs.get(name.as_str()).copied();
            let node =
                node.ok_or_else(|| Error::bug("an output is not in the plan's snapshot").context("output", name))?;
            self.settle(&[node])?;
            let table = self.table()?;
            let problems = std::mem::take(&mut table.problems);
            if problems.has_errors() {
                return Err(Error::from_diagnostics("plan.evaluation", problems));
            }
            let value = table.value(node).clone();
            // What cannot be computed after all keeps the value that it had.
            let value =
                if value.is_wholly_known() && !table.has_failed(node) { Some(value) } else { change.before.clone() };
            outputs.extend(value.map(|value| (name.clone(), value)));
        }
        Ok(outputs)
    }
}

fn seen(inputs: &Inputs) -> FilesSeen {
    FilesSeen {
        contents: inputs.read_files.clone(),
        exists: inputs.existing_files.clone(),
        lists: inputs.listed_files.clone(),
        absolute: inputs.absolute_paths.clone(),
    }
}

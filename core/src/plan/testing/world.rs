use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::types::{Types, check_and_plan, complete, plan_as_type, upgrade};
use crate::{
    address::Address,
    error::Diagnostic,
    plan::*,
    resource::{Object, PlanRequest},
    state::{ObjectId, Row, RowStatus, StackKey},
    template::{Files, Template},
    value::Value,
};

/// A stack whose plans are carried out on paper.
#[derive(Clone, Debug)]
pub(in crate::plan) struct World {
    pub rows: BTreeMap<ObjectId, Row>,
    pub outputs: BTreeMap<String, Value>,
    /// Objects as they really are; a row without one has vanished.
    pub objects: BTreeMap<ObjectId, Value>,
    /// Everything that was done, in order.
    pub done: Vec<String>,
    /// Answers of data sources: query → answer.
    pub answers: BTreeMap<String, String>,
    pub next_id: u128,
    pub options: PlanOptions,
    pub variables: BTreeMap<String, Value>,
    /// Whether answers come in reverse order.
    pub reverse: bool,
    pub types: Arc<Types>,
    /// How often the last plan computed something that instances share.
    pub shared_count: usize,
    /// How often the last run walked everything for the users of one instance.
    pub walk_count: usize,
    /// What became of conditions in the last run, and what checks warned of.
    pub checks: Vec<crate::state::CheckResult>,
    pub warnings: Vec<Diagnostic>,
    pub unread: BTreeMap<Address, String>,
    /// Ephemeral resources that were opened, in order.
    pub opened: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            outputs: BTreeMap::new(),
            objects: BTreeMap::new(),
            done: Vec::new(),
            answers: BTreeMap::new(),
            next_id: 1,
            options: PlanOptions::default(),
            variables: BTreeMap::new(),
            reverse: false,
            types: Arc::default(),
            shared_count: 0,
            walk_count: 0,
            checks: Vec::new(),
            warnings: Vec::new(),
            unread: BTreeMap::new(),
            opened: Arc::default(),
        }
    }
}

/// Reads a template of one file, or of several that `# file: path` lines separate.
pub(in crate::plan) fn template(text: &str) -> Arc<Template> {
    let mut files: Vec<(String, String)> = vec![("main.tf".to_owned(), String::new())];
    for line in text.lines() {
        match line.trim().strip_prefix("# file: ") {
            Some(path) => files.push((path.to_owned(), String::new())),
            None => {
                let (_, body) = files.last_mut().expect("a file");
                body.push_str(line);
                body.push('\n');
            }
        }
    }
    let (template, problems) = Template::parse(&Files::from_texts(files), &crate::template::Options::default());
    assert!(problems.iter().all(|problem| !problem.is_error()), "{problems:#?}");
    Arc::new(template)
}

impl World {
    /// Plans a template.
    pub(in crate::plan) fn try_plan(&mut self, text: &str) -> (Option<Plan>, Vec<Diagnostic>) {
        let template = template(text);
        let input = PlanInput {
            rows: self.rows.values().cloned().collect(),
            outputs: self.outputs.clone(),
            variables: self.variables.clone(),
            options: self.options.clone(),
            object_ids: ObjectIds::counting_from(self.next_id),
            ..PlanInput::new(StackKey::new("acme", "shop"), template, Arc::clone(&self.types) as _)
        };
        let mut planner = match Planner::new(input) {
            Ok(planner) => planner,
            Err(problems) => return (None, problems),
        };
        self.shared_count = 0;
        loop {
            let mut requests = planner.requests();
            if requests.is_empty() {
                break;
            }
            if self.reverse {
                requests.reverse();
            }
            for (id, request) in requests {
                let answer = self.answer(request);
                planner.answer(id, answer);
            }
        }
        self.shared_count = planner.shared_count();
        planner.finish()
    }

    fn answer(&self, request: Request) -> Answer {
        match request.ask {
            Ask::Upgrade { version, attributes } => Answer::Upgrade(upgrade(version, &attributes)),
            Ask::Plan(plan) => Answer::Plan(check_and_plan(&request.type_name, *plan)),
            Ask::Read(object) => {
                let found = request.object_id.and_then(|id| self.objects.get(&id));
                Answer::Read(Ok(found.map(|attributes| Object { attributes: attributes.clone(), ..object })))
            }
            Ask::ReadData(config) => {
                let query = config.attribute("query").and_then(Value::as_str).unwrap_or("").to_owned();
                if query == "broken" {
                    let error = crate::Error::new(crate::ErrorKind::Unavailable, "resource.failed", "nobody answers");
                    return Answer::Data(Err(error));
                }
                let answer = self.answers.get(&query).cloned().unwrap_or_else(|| format!("answer to {query}"));
                Answer::Data(Ok(Value::object([("query", Value::string(query)), ("answer", Value::string(answer))])))
            }
            Ask::Open(config) => {
                let of = config.attribute("of").and_then(Value::as_str).unwrap_or("nothing").to_owned();
                self.opened.lock().expect("no panic").push(request.address.to_string());
                if of == "broken" {
                    let error = crate::Error::new(crate::ErrorKind::Unavailable, "resource.failed", "nobody lends");
                    return Answer::Opened(Err(error));
                }
                let value = Value::string(format!("loan of {of}"));
                let of = config.attribute("of").cloned().unwrap_or_else(|| Value::null(crate::value::Type::String));
                Answer::Opened(Ok(Value::object([("of", of), ("value", value)])))
            }
            Ask::Import(id) => Answer::Import(Ok((id != "missing").then(|| {
                let schema = self.types.resource(&request.type_name).expect("a type").schema;
                let mut fields: BTreeMap<Arc<str>, Value> = schema
                    .block
                    .empty_value()
                    .entries()
                    .map(|(name, value)| (Arc::clone(name), value.clone()))
                    .collect();
                fields.insert("id".into(), Value::string(id.as_str()));
                if fields.contains_key("name") {
                    fields.insert("name".into(), Value::string("found"));
                    fields.insert("size".into(), Value::number(1));
                }
                Object::new(id, Value::object(fields))
            }))),
        }
    }

    /// Plans a template that has no mistakes.
    pub(in crate::plan) fn plan(&mut self, text: &str) -> Plan {
        let (plan, problems) = self.try_plan(text);
        plan.unwrap_or_else(|| panic!("{problems:#?}"))
    }

    /// Plans a template that has mistakes; returns their codes and messages.
    pub(in crate::plan) fn fail(&mut self, text: &str) -> Vec<String> {
        let (plan, problems) = self.try_plan(text);
        assert!(plan.is_none(), "{}", plan.expect("a plan"));
        problems.iter().map(|problem| format!("{}: {}", problem.code, problem.message)).collect()
    }

    /// Plans and carries out.
    pub(in crate::plan) fn apply(&mut self, text: &str) -> Plan {
        let plan = self.plan(text);
        self.run(&plan);
        plan
    }

    /// Plans and carries out, then checks that nothing is left to do.
    pub(in crate::plan) fn settle(&mut self, text: &str) -> Plan {
        let plan = self.apply(text);
        let again = self.plan(text);
        assert!(again.is_empty(), "not empty after apply:\n{again}\n{:#?}\n{:#?}", again.row_updates, again.outputs);
        plan
    }

    /// Carries a plan out, always the first step that may start, checking that order and values hold.
    pub(in crate::plan) fn run(&mut self, plan: &Plan) {
        self.done.clear();
        self.unread.clear();
        let rows: Vec<Row> = self.rows.values().cloned().collect();
        let mut residue =
            Residue::open(Arc::new(plan.clone()), &rows, Arc::clone(&self.types) as _).expect("a residue");
        for update in &plan.row_updates {
            match update {
                RowUpdate::Put(row) => {
                    if !self.rows.contains_key(&row.object_id) {
                        self.objects.insert(row.object_id, row.attributes.unmark_deep().0);
                    }
                    self.rows.insert(row.object_id, row.clone());
                }
                RowUpdate::Remove(object) => {
                    self.rows.remove(object);
                }
            }
        }
        let mut finished = BTreeSet::new();
        for step in &plan.steps {
            assert!(waits(plan, step).is_subset(&finished), "step {} starts too early", step.id.0);
            self.step(plan, step, &mut residue);
            finished.insert(step.id);
        }
        self.outputs = residue.outputs().expect("outputs");
        self.walk_count = residue.walk_count();
        (self.checks, self.warnings) = residue.checks(&self.unread);
        self.next_id += 1_000_000;
    }

    /// Carries a plan of new objects out up to the step of an instance that cannot begin; returns why it cannot.
    pub(in crate::plan) fn fails_at(&mut self, plan: &Plan, address: &str) -> crate::Error {
        let mut residue = Residue::open(Arc::new(plan.clone()), &[], Arc::clone(&self.types) as _).expect("a residue");
        for step in &plan.steps {
            if step.address.to_string() == address {
                return residue.finalize(step).expect_err("it cannot begin");
            }
            self.step(plan, step, &mut residue);
        }
        panic!("no step of `{address}`");
    }

    fn step(&mut self, plan: &Plan, step: &Step, residue: &mut Residue) {
        let finalized = residue
            .finalize(step)
            .unwrap_or_else(|error| panic!("{}: {error:?} {:#?}", step.address, error.diagnostics()));
        let change = plan.change(step.change).expect("a change");
        self.done.push(format!("{} {}", step.action.as_str(), step.address));
        let object_id = step.object_id;
        match step.action {
            StepAction::Delete | StepAction::Forget => {
                let object_id = object_id.expect("an object");
                self.rows.remove(&object_id).expect("a row to delete");
                self.objects.remove(&object_id);
            }
            StepAction::Read => {
                let config = finalized.config.unmark_deep().0;
                assert!(config.is_wholly_known());
                let request = Request {
                    address: step.address.clone(),
                    type_name: Arc::clone(&step.address.resource.type_name),
                    provider: Arc::from(""),
                    provider_config: None,
                    object_id: None,
                    ask: Ask::ReadData(config),
                };
                let value = match self.answer(request) {
                    Answer::Data(Ok(value)) => value,
                    Answer::Data(Err(error)) if Residue::is_scoped(plan, &step.address) => {
                        self.unread.insert(step.address.clone(), error.message().to_owned());
                        Value::unknown(crate::value::Type::Any)
                    }
                    _ => panic!("data"),
                };
                residue.applied(&step.address, None, value);
            }
            StepAction::Wait => {
                let object_id = object_id.expect("an object");
                let row = self.rows.get_mut(&object_id).expect("a row to wait for");
                row.ready = true;
                row.version += 1;
                let attributes = row.attributes.clone();
                residue.applied(&step.address, Some(object_id), attributes.clone());
                let problems = if step.has_conditions { residue.check(step, &attributes) } else { Vec::new() };
                assert!(problems.is_empty(), "{problems:#?}");
            }
            StepAction::Create | StepAction::Update => {
                let config = finalized.config.unmark_deep().0;
                assert!(config.is_wholly_known(), "unknown reaches a type: {config:?}");
                let old = object_id.and_then(|id| self.rows.get(&id)).cloned();
                let prior = old
                    .as_ref()
                    .map(|row| Object::new(row.remote_id.clone().unwrap_or_default(), row.attributes.unmark_deep().0));
                let proposed = finalized.planned.clone().expect("planned");
                let planned = if finalized.plan_again {
                    let request = PlanRequest { prior, config, proposed: proposed.unmark_deep().0 };
                    plan_as_type(&change.type_name, request).planned
                } else {
                    proposed.unmark_deep().0
                };
                let approved = step.planned.clone().expect("approved");
                crate::run::refines(&approved, &planned)
                    .unwrap_or_else(|paths| panic!("{} differs at {paths:?}", step.address));
                let id = format!("id-{}", object_id.expect("an object").as_u128());
                let attributes = complete(&planned, &id);
                assert!(attributes.is_wholly_known());
                if let Some(prior) = step.prior.filter(|prior| Some(*prior) != object_id)
                    && let Some(row) = self.rows.get_mut(&prior)
                {
                    assert!(change.action == Action::ReplaceCreateFirst, "an object is deposed that should be gone");
                    row.status = RowStatus::Deposed;
                }
                let object_id = object_id.expect("an object");
                self.objects.insert(object_id, attributes.clone());
                let schema = self.types.resource(&change.type_name).expect("a type").schema;
                let marks = approved.unmark_deep_with_paths().1;
                let row = Row {
                    object_id,
                    address: step.address.clone(),
                    status: RowStatus::Current,
                    type_name: Arc::clone(&change.type_name),
                    provider: Arc::clone(&change.provider),
                    schema_version: schema.version,
                    remote_id: Some(id),
                    attributes: schema.storable(&attributes.mark_with_paths(&marks)),
                    private: None,
                    dependencies: step.dependencies.clone(),
                    wholes: step.wholes.clone(),
                    order_lines: Vec::new(),
                    uses: crate::state::Uses::default(),
                    create_before_destroy: step.create_before_destroy,
                    prevent_destroy: step.prevent_destroy,
                    ready: true,
                    version: old.map_or(1, |row| row.version + 1),
                };
                residue.applied(&step.address, Some(object_id), row.attributes.clone());
                self.rows.insert(object_id, row);
                let problems = if step.has_conditions { residue.check(step, &attributes) } else { Vec::new() };
                assert!(problems.is_empty(), "{problems:#?}");
            }
        }
    }

    /// Returns the object id of the row at an address.
    pub(in crate::plan) fn object(&self, address: &str) -> ObjectId {
        let address: Address = address.parse().expect("an address");
        self.rows
            .values()
            .find(|row| row.address == address && row.status != RowStatus::Deposed)
            .expect("a row")
            .object_id
    }

    /// Changes one attribute of an object behind the engine's back.
    pub(in crate::plan) fn drift(&mut self, address: &str, name: &str, value: Value) {
        let object = self.object(address);
        let attributes = self.objects.get(&object).expect("an object");
        let parts = attributes
            .entries()
            .map(|(field, old)| (Arc::clone(field), if **field == *name { value.clone() } else { old.clone() }));
        let changed = Value::object(parts.collect::<Vec<_>>());
        self.objects.insert(object, changed);
    }
}

/// Returns the changes as `action address`, no-ops left out.
pub(in crate::plan) fn changes(plan: &Plan) -> Vec<String> {
    let word = |change: &Change| {
        let action = match change.action {
            Action::Replace => "delete/create",
            Action::ReplaceCreateFirst => "create/delete",
            other => other.as_str(),
        };
        format!("{action} {}{}", change.address, if change.deposed { " (deposed)" } else { "" })
    };
    plan.changes.iter().filter(|change| change.action != Action::NoOp).map(word).collect()
}

/// Returns the steps that a step waits for, by way of joins too.
fn waits(plan: &Plan, step: &Step) -> BTreeSet<StepId> {
    let mut steps: BTreeSet<StepId> = step.needs.iter().map(|need| need.step).collect();
    let (mut open, mut seen) = (step.joins.clone(), BTreeSet::new());
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            let join = &plan.joins[id.0 as usize];
            steps.extend(join.needs.iter().map(|need| need.step));
            open.extend(&join.joins);
        }
    }
    steps
}

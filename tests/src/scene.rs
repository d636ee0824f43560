//! Plans made by hand, without a template, and the world and state that they start from.

use std::{collections::BTreeMap, sync::Arc};

use stackwright::{
    address::Address,
    error::Result,
    plan::{
        Action, Change, ChangeIdx, Join, JoinId, Level, Mode, Need, OutputChange, Plan, Reason, RowBase, RowUpdate,
        Step, StepAction, StepConfig, StepId,
    },
    run::{Finalized, Finalizer},
    state::{Lineage, ObjectId, Row, RowStatus, StackKey},
    value::{Marks, Type, Value},
};

use crate::world::{World, attributes};

/// What happens to one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// It is deleted.
    Delete,
    /// Its row goes, it stays.
    Forget,
    /// A data source is read.
    Read,
    /// It did not work when an earlier run ended, and is waited for.
    Wait,
    /// It is deleted, then made anew.
    Replace,
    /// It is made anew, then the old one is deleted.
    ReplaceCreateFirst,
}

/// One instance of a scene.
#[derive(Clone, Debug)]
pub struct Node {
    /// What happens to it.
    pub kind: Kind,
    /// Its type; `toy_data` for reads.
    pub type_name: &'static str,
    /// Earlier nodes that it needs, and how far they must be.
    pub needs: Vec<(usize, Level)>,
    /// An earlier node whose `id` becomes its `input`; known only while the plan runs.
    pub input: Option<usize>,
}

impl Node {
    /// Returns a node of `toy_thing` (or `toy_data`) without needs.
    pub fn new(kind: Kind) -> Self {
        let type_name = if kind == Kind::Read { "toy_data" } else { "toy_thing" };
        Self { kind, type_name, needs: Vec::new(), input: None }
    }

    /// Adds a need.
    pub fn needs(mut self, node: usize, level: Level) -> Self {
        self.needs.push((node, level));
        self
    }

    /// Takes the `id` of an earlier node as input.
    pub fn input(mut self, node: usize) -> Self {
        self.input = Some(node);
        self
    }

    /// Sets the type.
    pub fn of_type(mut self, type_name: &'static str) -> Self {
        self.type_name = type_name;
        self
    }
}

/// A plan with the state that it starts from.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The rows before it.
    pub rows: Vec<Row>,
    /// For each step whose input is evaluated late: the address that it comes from.
    pub inputs: BTreeMap<StepId, Address>,
}

/// The stack of all scenes.
pub fn stack() -> StackKey {
    StackKey::new("acme", "shop")
}

impl Scene {
    /// Builds the plan of some nodes; each may need earlier ones only.
    pub fn new(nodes: &[Node]) -> Self {
        Builder::default().build(nodes)
    }

    /// Puts the objects that exist before the plan runs into a world, those that it adopts too.
    pub fn furnish(&self, world: &World) {
        let known = |row: &&Row| self.rows.iter().any(|other| other.object_id == row.object_id);
        let adopted = self.plan.row_updates.iter().filter_map(|update| match update {
            RowUpdate::Put(row) => Some(row),
            RowUpdate::Remove(_) => None,
        });
        for row in self.rows.iter().chain(adopted.filter(|row| !known(row))) {
            let id = row.remote_id.clone().unwrap_or_default();
            world.put(&id, &row.object_id.to_string(), row.attributes.unmark_deep().0);
        }
    }

    /// Returns what evaluates the late inputs.
    pub fn finalizer(&self) -> Box<dyn Finalizer> {
        Box::new(LateInputs { inputs: self.inputs.clone(), values: BTreeMap::new() })
    }

    /// Returns the plan of the steps that a cancelled run left, on top of the rows that it wrote. Values that it knew
    /// already are put in.
    pub fn rest(&self, left: &[StepId], rows: &[Row]) -> Self {
        let new_id = |old: StepId| left.iter().position(|id| *id == old).map(|idx| StepId(idx as u32));
        let mut inputs = BTreeMap::new();
        let mut steps = Vec::new();
        for old in left.iter().filter_map(|id| self.plan.step(*id)) {
            let Some(id) = new_id(old.id) else { continue };
            let needs = waits(&self.plan, old)
                .iter()
                .filter_map(|need| Some(Need { step: new_id(need.step)?, ..*need }))
                .collect();
            let mut step = Step { id, needs, joins: Vec::new(), ..old.clone() };
            if let Some(source) = self.inputs.get(&old.id) {
                match rows.iter().find(|row| row.address == *source && row.status != RowStatus::Deposed) {
                    Some(row)
                        if !steps
                            .iter()
                            .any(|step: &Step| step.address == *source && step.action != StepAction::Delete) =>
                    {
                        let value = row.attributes.attribute("id").cloned();
                        fill(&mut step, &value.unwrap_or_else(|| Value::null(Type::String)));
                    }
                    _ => {
                        inputs.insert(id, source.clone());
                    }
                }
            }
            steps.push(step);
        }
        let base = rows.iter().map(|row| RowBase { object_id: row.object_id, version: row.version }).collect();
        let plan = Plan { steps, base, lineage: Some(Lineage::from_u128(1)), ..(*self.plan).clone() };
        Self { plan: Arc::new(plan), rows: rows.to_vec(), inputs }
    }
}

/// Returns everything that a step waits for, by way of joins too.
pub fn waits(plan: &Plan, step: &Step) -> Vec<Need> {
    let mut needs = step.needs.clone();
    let mut joins = step.joins.clone();
    while let Some(join) = joins.pop().and_then(|join| plan.joins.get(join.0 as usize)) {
        needs.extend(&join.needs);
        joins.extend(&join.joins);
    }
    needs
}

fn fill(step: &mut Step, value: &Value) {
    let put = |object: &Value| {
        Value::object(
            object
                .entries()
                .map(|(name, old)| (Arc::clone(name), if &**name == "input" { value.clone() } else { old.clone() })),
        )
    };
    if let StepConfig::Residual(config) = &step.config {
        step.config = StepConfig::Known(put(config));
    }
    step.planned = step.planned.as_ref().map(put);
}

#[derive(Default)]
struct Builder {
    changes: Vec<Change>,
    steps: Vec<Step>,
    joins: Vec<Join>,
    rows: Vec<Row>,
    inputs: BTreeMap<StepId, Address>,
    /// For each node the step that makes it (or does what is done to it).
    made_by: Vec<StepId>,
}

fn marked(object: &Value) -> Value {
    Value::object(object.entries().map(|(name, value)| {
        let marks = if &**name == "secret" { Marks::SENSITIVE } else { Marks::NONE };
        (Arc::clone(name), value.clone().with_marks(marks))
    }))
}

fn with(object: &Value, name: &str, value: &Value) -> Value {
    Value::object(
        object.entries().map(|(key, old)| (Arc::clone(key), if &**key == name { value.clone() } else { old.clone() })),
    )
}

impl Builder {
    fn build(mut self, nodes: &[Node]) -> Scene {
        for (idx, node) in nodes.iter().enumerate() {
            self.add(nodes, idx, node);
        }
        let outputs = BTreeMap::from([(
            "count".to_owned(),
            OutputChange { before: None, after: Some(Value::number(nodes.len() as u64)), sensitive: false },
        )]);
        let base = self.rows.iter().map(|row| RowBase { object_id: row.object_id, version: row.version }).collect();
        let plan = Plan {
            stack: stack(),
            lineage: if self.rows.is_empty() { None } else { Some(Lineage::from_u128(1)) },
            mode: Mode::Normal,
            targets: Vec::new(),
            changes: self.changes,
            steps: self.steps,
            joins: self.joins,
            row_updates: Vec::new(),
            base,
            outputs,
            checks: Vec::new(),
            drift: Vec::new(),
            reads: Vec::new(),
            provider_configs: BTreeMap::new(),
            inputs: stackwright::plan::Inputs::default(),
            warnings: Vec::new(),
        };
        Scene { plan: Arc::new(plan), rows: self.rows, inputs: self.inputs }
    }

    fn add(&mut self, nodes: &[Node], idx: usize, node: &Node) {
        let address: Address = match node.kind {
            Kind::Read => format!("data.{}.n{idx}", node.type_name),
            _ => format!("{}.n{idx}", node.type_name),
        }
        .parse()
        .expect("an address");
        let (new, old) = (ObjectId::from_u128(0x1000 + idx as u128), ObjectId::from_u128(0x2000 + idx as u128));
        let existed = !matches!(node.kind, Kind::Create | Kind::Read);
        if existed {
            let mut dependencies: Vec<ObjectId> = node
                .needs
                .iter()
                .map(|(other, _)| ObjectId::from_u128(0x2000 + *other as u128))
                .filter(|id| self.rows.iter().any(|row| row.object_id == *id))
                .collect();
            dependencies.sort();
            dependencies.dedup();
            let remote_id = format!("r-{old}");
            self.rows.push(Row {
                object_id: old,
                address: address.clone(),
                status: RowStatus::Current,
                type_name: node.type_name.into(),
                provider: "".into(),
                schema_version: 1,
                remote_id: Some(remote_id.clone()),
                attributes: marked(&attributes(&format!("old{idx}"), None, &remote_id)),
                private: None,
                dependencies,
                wholes: Vec::new(),
                order_lines: Vec::new(),
                uses: stackwright::state::Uses::default(),
                create_before_destroy: node.kind == Kind::ReplaceCreateFirst,
                prevent_destroy: false,
                ready: node.kind != Kind::Wait,
                version: 3,
            });
        }
        let change = ChangeIdx(self.changes.len() as u32);
        let (action, object) = match node.kind {
            Kind::Create => (Action::Create, Some(new)),
            Kind::Update => (Action::Update, Some(old)),
            Kind::Delete => (Action::Delete, None),
            Kind::Forget => (Action::Forget, None),
            Kind::Read => (Action::Read, None),
            Kind::Wait => (Action::Wait, Some(old)),
            Kind::Replace => (Action::Replace, Some(new)),
            Kind::ReplaceCreateFirst => (Action::ReplaceCreateFirst, Some(new)),
        };
        self.changes.push(Change {
            address: address.clone(),
            previous_address: None,
            type_name: node.type_name.into(),
            provider: "".into(),
            action,
            reasons: vec![Reason::Requested],
            before: None,
            after: None,
            replace_paths: Vec::new(),
            prior_object: existed.then_some(old),
            object,
            deposed: false,
            importing: None,
        });
        let mut step = self.step(nodes, idx, node, change, &address);
        let made_by = match node.kind {
            Kind::Create => self.push(Step { object_id: Some(new), ..step }),
            Kind::Update => {
                self.push(Step { object_id: Some(old), prior: Some(old), action: StepAction::Update, ..step })
            }
            Kind::Delete => self.push(bare(&step, StepAction::Delete, old)),
            Kind::Forget => self.push(bare(&step, StepAction::Forget, old)),
            Kind::Read => self.push(Step { action: StepAction::Read, planned: None, ..step }),
            Kind::Wait => self.push(bare(&step, StepAction::Wait, old)),
            Kind::Replace => {
                let deleted = self.push(bare(&step, StepAction::Delete, old));
                step.needs.push(Need { step: deleted, level: Level::Done });
                self.push(Step { object_id: Some(new), prior: Some(old), ..step })
            }
            Kind::ReplaceCreateFirst => {
                let mut delete = bare(&step, StepAction::Delete, old);
                step.create_before_destroy = true;
                let made = self.push(Step { object_id: Some(new), prior: Some(old), ..step });
                delete.needs = vec![Need { step: made, level: Level::Ready }];
                self.push(delete);
                made
            }
        };
        if let Some(source) = node.input {
            self.inputs.insert(made_by, self.changes[source].address.clone());
        }
        self.made_by.push(made_by);
    }

    /// Returns a create step; others are made from it.
    fn step(&self, nodes: &[Node], idx: usize, node: &Node, change: ChangeIdx, address: &Address) -> Step {
        let source = node.input.map(|source| (source, Level::Ready));
        let mut needs: Vec<(usize, Level)> = node.needs.iter().copied().chain(source).collect();
        needs.sort();
        let mut dependencies: Vec<ObjectId> = needs.iter().filter_map(|(other, _)| object_of(nodes, *other)).collect();
        dependencies.sort();
        dependencies.dedup();
        let full = attributes(&format!("new{idx}"), None, "");
        let full = match node.kind {
            Kind::Read => Value::object([("name", Value::string("question")), ("id", Value::null(Type::String))]),
            _ => marked(&full),
        };
        let config = with(&full, "id", &Value::null(Type::String));
        let planned_id = match node.kind {
            Kind::Update => Value::string(format!("r-{}", ObjectId::from_u128(0x2000 + idx as u128))),
            _ => Value::unknown(Type::String),
        };
        let planned = with(&full, "id", &planned_id);
        let late = |value: &Value| with(value, "input", &Value::unknown(Type::String));
        let (config, planned) = match node.input {
            Some(_) => (StepConfig::Residual(late(&config)), late(&planned)),
            None => (StepConfig::Known(config), planned),
        };
        Step {
            id: StepId(0),
            change,
            action: StepAction::Create,
            address: address.clone(),
            object_id: None,
            prior: None,
            config,
            planned: Some(planned),
            planned_private: None,
            needs: needs.iter().map(|&(other, level)| Need { step: self.made_by[other], level }).collect(),
            joins: Vec::new(),
            dependencies,
            wholes: Vec::new(),
            create_before_destroy: false,
            prevent_destroy: false,
            has_conditions: false,
            cost: 1 + (idx as u64 * 7) % 5,
        }
    }

    fn join(&mut self, join: Join) -> JoinId {
        self.joins.push(join);
        JoinId(self.joins.len() as u32 - 1)
    }

    fn push(&mut self, mut step: Step) -> StepId {
        step.id = StepId(self.steps.len() as u32);
        step.needs.sort();
        // Every other step that waits for several does so by way of a join, and every fourth by way of two.
        if step.needs.len() > 1 && step.id.0 % 2 == 1 {
            let id = self.join(Join { needs: std::mem::take(&mut step.needs), joins: Vec::new() });
            step.joins =
                vec![if step.id.0 % 4 == 1 { self.join(Join { needs: Vec::new(), joins: vec![id] }) } else { id }];
        }
        let id = step.id;
        self.steps.push(step);
        id
    }
}

fn bare(step: &Step, action: StepAction, object: ObjectId) -> Step {
    Step {
        action,
        object_id: Some(object),
        prior: Some(object),
        config: StepConfig::None,
        planned: None,
        joins: Vec::new(),
        dependencies: Vec::new(),
        wholes: Vec::new(),
        ..step.clone()
    }
}

/// Returns the object that a node has after the plan.
fn object_of(nodes: &[Node], idx: usize) -> Option<ObjectId> {
    match nodes[idx].kind {
        Kind::Create | Kind::Replace | Kind::ReplaceCreateFirst => Some(ObjectId::from_u128(0x1000 + idx as u128)),
        Kind::Update | Kind::Wait => Some(ObjectId::from_u128(0x2000 + idx as u128)),
        Kind::Delete | Kind::Forget | Kind::Read => None,
    }
}

/// Puts the `id` of an applied instance in where a step's input was left open.
struct LateInputs {
    inputs: BTreeMap<StepId, Address>,
    values: BTreeMap<Address, Value>,
}

impl Finalizer for LateInputs {
    fn finalize(&mut self, step: &Step) -> Result<Finalized> {
        let mut step = step.clone();
        let late = self.inputs.get(&step.id).cloned();
        if let Some(address) = &late {
            let id = self.values.get(address).and_then(|value| value.attribute("id")).cloned();
            fill(&mut step, &id.unwrap_or_else(|| Value::unknown(Type::String)));
        }
        let config = match step.config {
            StepConfig::None => Value::null(Type::Any),
            StepConfig::Known(config) | StepConfig::Residual(config) => config,
        };
        Ok(Finalized { config, planned: step.planned, plan_again: late.is_some() })
    }

    fn applied(&mut self, address: &Address, _: Option<ObjectId>, value: Value) {
        self.values.insert(address.clone(), value);
    }

    fn outputs(&mut self) -> Result<BTreeMap<String, Value>> {
        Ok(BTreeMap::from([("count".to_owned(), Value::number(self.values.len() as u64))]))
    }
}

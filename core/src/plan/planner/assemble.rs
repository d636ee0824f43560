use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{Planner, instance::Instance, outcome::Outcome};
use crate::{
    address::{Address, Mode as AddressMode},
    error::Diagnostic,
    plan::{
        Action, Change, ChangeIdx, Inputs, Need, OutputChange, Plan, PlannedReadOf, Reason, RowBase, Step, StepAction,
        StepConfig, StepId,
        node::NodeId,
        order::{Half, Item, Ordered, order},
    },
    state::ObjectId,
    value::{Marks, Value},
};

/// One line of the plan: an instance, or an object that goes.
pub(super) struct Entry {
    pub address: Address,
    /// The instance of the template; nothing for an object that goes.
    pub node: Option<NodeId>,
    /// The row of the object that is there.
    pub row: Option<u32>,
    pub outcome: Outcome,
    pub deposed: bool,
    /// Whether a replacement is made first; decided for all entries together.
    pub create_first: bool,
    /// The object that is there.
    pub prior: Option<ObjectId>,
    /// The object that there will be.
    pub object: Option<ObjectId>,
    /// Objects that it refers to directly, for its row.
    pub dependencies: Vec<ObjectId>,
}

impl Entry {
    fn is_data(&self) -> bool {
        self.address.mode() == AddressMode::Data
    }

    fn makes(&self) -> bool {
        let makes = matches!(
            self.outcome.action,
            Action::Create | Action::Update | Action::Read | Action::Replace | Action::ReplaceCreateFirst
        );
        makes && self.outcome.needs_step()
    }

    fn deletes(&self) -> bool {
        self.outcome.action == Action::Delete || self.outcome.replaces()
    }
}

impl Planner {
    /// Puts everything together. Nothing where a problem was found on the way.
    pub(super) fn assemble(&mut self) -> Option<Plan> {
        let mut entries = self.entries();
        let places: HashMap<NodeId, u32> =
            (0..).zip(&entries).filter_map(|(at, entry): (u32, &Entry)| Some((entry.node?, at))).collect();
        let wants = self.wants(&entries, &places);
        self.decide_create_first(&mut entries, &wants);
        self.mint(&mut entries);
        self.depend(&mut entries, &wants);
        self.unused_options(&entries);
        if self.problems.iter().any(Diagnostic::is_error) {
            return None;
        }
        let items = self.items(&entries, wants);
        let ordered = match order(&items) {
            Ok(ordered) => ordered,
            Err(circle) => {
                self.report_circle(&entries, &circle);
                return None;
            }
        };
        let steps = self.steps(&entries, &ordered);
        let row_updates = self.row_updates(&entries);
        let outputs = self.outputs();
        Some(Plan {
            stack: self.input.stack.clone(),
            lineage: self.input.lineage,
            mode: self.input.options.mode,
            targets: self.input.options.targets.clone(),
            steps,
            row_updates,
            base: self.base(),
            outputs,
            drift: self.drift(),
            reads: self.reads(&entries),
            provider_configs: self.provider_configs(),
            inputs: self.inputs(),
            warnings: Vec::new(),
            changes: entries.into_iter().filter_map(|entry| self.change(entry)).collect(),
        })
    }

    /// Collects instances and objects that go, sorted by address; deposed objects after the one of their address.
    fn entries(&mut self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (node, instance) in &self.instances {
            if let (Some(outcome), false) = (&instance.outcome, self.table.has_failed(*node)) {
                let row = instance.row.filter(|number| self.rows.get(*number).is_some_and(|known| !known.gone));
                entries.push(Entry {
                    address: instance.address.clone(),
                    node: Some(*node),
                    row,
                    outcome: outcome.clone(),
                    deposed: false,
                    create_first: false,
                    prior: row.and_then(|number| self.rows.get(number)).map(|known| known.row.object_id),
                    object: None,
                    dependencies: Vec::new(),
                });
            }
        }
        for (number, reason) in self.orphans() {
            let Some(known) = self.rows.get(number) else { continue };
            let outcome = Outcome {
                action: Action::Delete,
                reasons: vec![reason.clone()],
                before: Some(known.row.attributes.clone()),
                after: None,
                replace_paths: Vec::new(),
                config: Value::null(crate::value::Type::Any),
                private: None,
                marks_only: false,
                checks: false,
            };
            entries.push(Entry {
                address: known.row.address.clone(),
                node: None,
                row: Some(number),
                outcome,
                deposed: reason == Reason::Deposed,
                create_first: false,
                prior: Some(known.row.object_id),
                object: None,
                dependencies: Vec::new(),
            });
        }
        entries.sort_by(|a, b| (&a.address, a.deposed, a.prior).cmp(&(&b.address, b.deposed, b.prior)));
        entries
    }

    fn of(&self, entry: &Entry) -> Option<&Instance> {
        self.instances.get(&entry.node?).map(|instance| &**instance)
    }

    /// Returns for each entry the entries that the template says it uses, sorted.
    fn wants(&self, entries: &[Entry], places: &HashMap<NodeId, u32>) -> Vec<Vec<u32>> {
        let wants = |(at, entry): (u32, &Entry)| {
            let Some(instance) = self.of(entry) else { return Vec::new() };
            let used = instance.touched.iter().flat_map(|touched| touched.nodes());
            let mut list: Vec<u32> =
                used.filter_map(|node| places.get(node)).copied().filter(|other| *other != at).collect();
            list.sort_unstable();
            list.dedup();
            list
        };
        (0..).zip(entries).map(wants).collect()
    }

    /// Whatever is used by something that is replaced new one first must be so too: the old ones go in reverse order.
    fn decide_create_first(&self, entries: &mut [Entry], wants: &[Vec<u32>]) {
        let first = |entry: &Entry| {
            self.of(entry).and_then(Instance::block).is_some_and(|block| block.lifecycle.create_before_destroy)
        };
        let mut open: Vec<u32> =
            (0..).zip(entries.iter()).filter(|(_, entry)| first(entry)).map(|(at, _)| at).collect();
        while let Some(at) = open.pop() {
            let Some(entry) = entries.get_mut(at as usize).filter(|entry| !entry.create_first) else { continue };
            entry.create_first = true;
            if entry.outcome.action == Action::Replace {
                entry.outcome.action = Action::ReplaceCreateFirst;
            }
            open.extend(wants.get(at as usize).into_iter().flatten());
        }
    }

    /// Gives every entry the object that it will have; new ones in order of address.
    fn mint(&mut self, entries: &mut [Entry]) {
        for entry in entries {
            if entry.is_data() || entry.outcome.action == Action::Delete {
                continue;
            }
            let adopted =
                entry.node.and_then(|node| self.instances.get(&node)).is_some_and(|instance| instance.import.is_some());
            if adopted && entry.prior.is_none() {
                entry.prior = Some(self.input.object_ids.mint());
            }
            entry.object = match (entry.outcome.action, entry.prior) {
                (Action::Create | Action::Replace | Action::ReplaceCreateFirst, _) | (_, None) => {
                    Some(self.input.object_ids.mint())
                }
                (_, prior) => prior,
            };
        }
    }

    /// Tells for each row the objects that it refers to directly; data sources are looked through.
    fn depend(&self, entries: &mut [Entry], wants: &[Vec<u32>]) {
        let mut through: HashMap<u32, Arc<[ObjectId]>> = HashMap::new();
        for at in 0..entries.len() as u32 {
            if entries.get(at as usize).is_some_and(Entry::is_data) {
                self.look_through(at, entries, wants, &mut through);
            }
        }
        let lists: Vec<Vec<ObjectId>> = wants.iter().map(|used| objects(used, entries, &through)).collect();
        for (entry, list) in entries.iter_mut().zip(lists) {
            if entry.node.is_some() && !entry.is_data() {
                let own = entry.object;
                entry.dependencies = list.into_iter().filter(|object| Some(*object) != own).collect();
            }
        }
    }

    fn look_through(
        &self,
        start: u32,
        entries: &[Entry],
        wants: &[Vec<u32>],
        through: &mut HashMap<u32, Arc<[ObjectId]>>,
    ) {
        let is_data = |at: u32| entries.get(at as usize).is_some_and(Entry::is_data);
        let mut stack = vec![start];
        while let Some(&at) = stack.last() {
            if through.contains_key(&at) {
                stack.pop();
                continue;
            }
            let used = wants.get(at as usize).map_or(&[][..], |used| used);
            let missing: Vec<u32> =
                used.iter().copied().filter(|other| is_data(*other) && !through.contains_key(other)).collect();
            // Data sources that wait for one another were reported as a cycle long before.
            if missing.is_empty() || stack.len() > entries.len() {
                through.insert(at, objects(used, entries, through).into());
                stack.pop();
            } else {
                stack.extend(missing);
            }
        }
    }

    fn items(&self, entries: &[Entry], wants: Vec<Vec<u32>>) -> Vec<Item> {
        let by_object: HashMap<ObjectId, u32> =
            (0..).zip(entries).filter_map(|(at, entry): (u32, &Entry)| Some((entry.prior?, at))).collect();
        let item = |((at, entry), wants): ((u32, &Entry), Vec<u32>)| {
            let row = entry.row.and_then(|number| self.rows.get(number));
            let had = row.map(|known| known.stored.dependencies.as_slice()).unwrap_or_default();
            let mut had: Vec<u32> =
                had.iter().filter_map(|object| by_object.get(object)).copied().filter(|other| *other != at).collect();
            had.sort_unstable();
            had.dedup();
            Item {
                make: entry.makes(),
                delete: entry.deletes(),
                create_first: entry.outcome.action == Action::ReplaceCreateFirst,
                checked: entry.outcome.checks,
                wants,
                had,
            }
        };
        (0..).zip(entries).zip(wants).map(item).collect()
    }

    fn report_circle(&mut self, entries: &[Entry], circle: &[u32]) {
        let names: Vec<String> = circle
            .iter()
            .filter_map(|at| entries.get(*at as usize))
            .map(|entry| format!("`{}`", entry.address))
            .collect();
        self.problems.push(
            Diagnostic::error("plan.cycle", format!("the changes to {} wait for one another", names.join(", ")))
                .help("change one of them on its own first (`-target`), or use `create_before_destroy` so that old and new may stand side by side"),
        );
    }

    fn steps(&self, entries: &[Entry], ordered: &[Ordered]) -> Vec<Step> {
        let step = |(at, place): (u32, &Ordered)| {
            let entry = entries.get(place.item as usize)?;
            let instance = self.of(entry);
            let block = instance.and_then(Instance::block);
            let row = entry.row.and_then(|number| self.rows.get(number)).map(|known| &known.row);
            let deletes = place.half == Half::Delete;
            let action = match (place.half, entry.outcome.action) {
                (Half::Delete, _) => StepAction::Delete,
                (Half::Make, Action::Update) => StepAction::Update,
                (Half::Make, Action::Read) => StepAction::Read,
                (Half::Make, _) => StepAction::Create,
            };
            let config = match instance {
                Some(instance) if !deletes => {
                    let config =
                        super::decide::storable(&instance.schema, &entry.outcome.config, &entry.outcome.config);
                    if config.is_wholly_known() { StepConfig::Known(config) } else { StepConfig::Residual(config) }
                }
                _ => StepConfig::None,
            };
            let info = self.input.types.resource(&entry.address.resource.type_name);
            Some(Step {
                id: StepId(at),
                change: ChangeIdx(place.item),
                action,
                address: entry.address.clone(),
                object_id: if deletes { entry.prior } else { entry.object },
                prior: entry.prior,
                config,
                planned: match (instance, &entry.outcome.after) {
                    (Some(instance), Some(after)) if !deletes && action != StepAction::Read => {
                        Some(super::decide::storable(&instance.schema, after, &entry.outcome.config))
                    }
                    _ => None,
                },
                planned_private: if deletes { None } else { entry.outcome.private.clone() },
                needs: place.needs.iter().map(|(step, level)| Need { step: StepId(*step), level: *level }).collect(),
                dependencies: match row {
                    Some(row) if deletes => row.dependencies.clone(),
                    _ => entry.dependencies.clone(),
                },
                create_before_destroy: if deletes {
                    entry.deposed || entry.outcome.action == Action::ReplaceCreateFirst
                } else {
                    entry.create_first
                },
                prevent_destroy: !deletes && block.is_some_and(|block| block.lifecycle.prevent_destroy.is_some()),
                has_conditions: !deletes && entry.outcome.checks,
                cost: info.map_or(1, |info| info.traits.cost),
            })
        };
        (0..).zip(ordered).filter_map(step).collect()
    }

    fn change(&self, entry: Entry) -> Option<Change> {
        let instance = self.of(&entry);
        let known = entry.row.and_then(|number| self.rows.get(number));
        let provider =
            instance.map(Instance::named_provider).or_else(|| known.map(|known| Arc::clone(&known.row.provider)));
        let type_name = known.map(|known| Arc::clone(&known.row.type_name));
        Some(Change {
            previous_address: known.and_then(|known| known.previous.clone()),
            type_name: type_name.unwrap_or_else(|| Arc::clone(&entry.address.resource.type_name)),
            provider: provider.unwrap_or_default(),
            action: entry.outcome.action,
            reasons: entry.outcome.reasons,
            before: entry.outcome.before,
            after: entry.outcome.after,
            replace_paths: entry.outcome.replace_paths,
            prior_object: entry.prior,
            object: entry.object,
            deposed: entry.deposed,
            importing: instance.and_then(|instance| instance.import.as_ref()).map(|(id, _)| id.clone()),
            address: entry.address,
        })
    }

    fn base(&self) -> Vec<RowBase> {
        let base =
            |known: &super::rows::Known| RowBase { object_id: known.stored.object_id, version: known.stored.version };
        let mut list: Vec<RowBase> = self.rows.list.iter().map(base).collect();
        list.sort_unstable();
        list
    }

    fn drift(&self) -> Vec<crate::plan::Drift> {
        let drift = |known: &super::rows::Known| {
            let drift = known.drift.clone()?;
            Some(crate::plan::Drift { address: known.row.address.clone(), ..drift })
        };
        let mut list: Vec<_> = self.rows.list.iter().filter_map(drift).collect();
        list.sort_by(|a, b| (&a.address, a.object_id).cmp(&(&b.address, b.object_id)));
        list
    }

    fn reads(&self, entries: &[Entry]) -> Vec<PlannedReadOf> {
        let read = |entry: &Entry| PlannedReadOf {
            address: entry.address.clone(),
            type_name: Arc::clone(&entry.address.resource.type_name),
            value: entry.outcome.after.clone().filter(|_| entry.outcome.action != Action::Read),
        };
        entries.iter().filter(|entry| entry.is_data()).map(read).collect()
    }

    fn provider_configs(&self) -> BTreeMap<Arc<str>, Value> {
        let configs = self
            .table
            .provider_nodes()
            .filter(|(_, node)| self.table.is_done(*node) && !self.table.value(*node).is_null());
        configs.map(|(name, node)| (Arc::clone(name), self.table.value(node).clone())).collect()
    }

    fn outputs(&mut self) -> BTreeMap<String, OutputChange> {
        use crate::plan::Mode;
        let destroys = self.input.options.mode == Mode::Destroy;
        let before = std::mem::take(&mut self.input.outputs);
        let mut outputs = BTreeMap::new();
        let root = self.table.root();
        for (name, value) in &before {
            let keeps = destroys && self.targets.any();
            let sensitive = value.is_sensitive();
            let after = keeps.then(|| value.clone());
            outputs.insert(name.clone(), OutputChange { before: Some(value.clone()), after, sensitive });
        }
        if destroys {
            return outputs;
        }
        for (name, output) in &root.module.outputs {
            let known = root
                .outputs
                .get(name)
                .copied()
                .filter(|node| self.table.is_done(*node) && !self.table.has_failed(*node));
            let old = before.get(&**name).cloned();
            let after = match known.map(|node| self.table.value(node).clone()) {
                // Where nothing is made, what is not known stays as it was.
                Some(value) if self.input.options.mode == Mode::RefreshOnly && !value.is_wholly_known() => old.clone(),
                Some(value) => Some(value),
                None => old.clone(),
            };
            if old.is_some() || after.is_some() {
                outputs.insert(name.to_string(), OutputChange { before: old, after, sensitive: output.sensitive });
            }
        }
        outputs
    }

    /// Returns the root's variables, marked where the template says so, whoever gave them.
    fn variables(&self) -> BTreeMap<String, Value> {
        let declared = &self.input.template.root().variables;
        let marked = |(name, value): (&String, &Value)| {
            let sensitive = declared.get(name.as_str()).is_some_and(|variable| variable.sensitive);
            let marks = if sensitive { Marks::SENSITIVE } else { Marks::NONE };
            (name.clone(), value.clone().with_marks(marks))
        };
        self.input.variables.iter().map(marked).collect()
    }

    fn inputs(&self) -> Inputs {
        let seen = self.files.seen();
        let files = self.input.template.files().iter();
        Inputs {
            files: files.map(|(path, text)| (path.to_string(), Arc::clone(text))).collect(),
            read_files: seen.contents,
            existing_files: seen.exists,
            listed_files: seen.lists,
            absolute_paths: seen.absolute,
            variables: self.variables(),
            workspace: self.input.workspace.clone(),
            root: self.input.root.clone(),
            timestamp: self.input.timestamp,
        }
    }

    /// Reports targets and imports that mean nothing.
    fn unused_options(&mut self, entries: &[Entry]) {
        let addresses: Vec<&Address> = entries.iter().map(|entry| &entry.address).collect();
        for target in self.targets.unused(&addresses) {
            self.problems.push(
                Diagnostic::warning("plan.target_unused", format!("the target `{target}` means nothing that there is"))
                    .help("compare it with the addresses that `stackwright state list` prints"),
            );
        }
        for address in self.input.options.imports.keys() {
            let adopts = |entry: &Entry| entry.node.is_some() && entry.address == *address;
            if !entries.iter().any(adopts) {
                self.problems.push(
                    Diagnostic::error("plan.import_invalid", format!("the template has no `{address}`"))
                        .address(address.to_string())
                        .help("write its block first; what is adopted is then compared with it"),
                );
            }
        }
        for address in &self.input.options.replace {
            if !addresses.contains(&address) {
                self.problems.push(
                    Diagnostic::warning(
                        "plan.replace_unused",
                        format!("`{address}` is to be replaced, but there is no such instance"),
                    )
                    .help("compare it with the addresses that `stackwright state list` prints"),
                );
            }
        }
    }
}

/// Returns the objects of entries; data sources stand for what they refer to.
fn objects(used: &[u32], entries: &[Entry], through: &HashMap<u32, Arc<[ObjectId]>>) -> Vec<ObjectId> {
    let mut list: Vec<ObjectId> = Vec::new();
    for at in used {
        match through.get(at) {
            Some(objects) => list.extend(objects.iter()),
            None => list.extend(entries.get(*at as usize).and_then(|entry| entry.object)),
        }
    }
    list.sort_unstable();
    list.dedup();
    list
}

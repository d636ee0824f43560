use std::collections::BTreeMap;

use super::{Planner, rows::Rows};
use crate::{
    address::{Address, InstanceKey, Mode as AddressMode, ModuleInstance, ModulePath},
    error::Diagnostic,
    plan::{
        Mode,
        node::{Keys, ModuleIdx},
    },
    template::{Endpoint, Move, Repetition, ResourceKey, Template, declared_moves, order_moves},
};

/// Rows by what moves mean: a module, a resource in it, an instance.
#[derive(Debug, Default)]
struct Index(BTreeMap<ModulePath, BTreeMap<ModuleInstance, Resources>>);

/// The rows of one module instance, deposed ones too.
type Resources = BTreeMap<ResourceKey, BTreeMap<Option<InstanceKey>, Vec<u32>>>;

impl Index {
    fn new(rows: &Rows) -> Self {
        let mut index = Self::default();
        for (number, known) in (0..).zip(&rows.list) {
            let address = &known.row.address;
            let instances = index.module(address.module()).entry(key_of(address)).or_default();
            instances.entry(address.key.clone()).or_default().push(number);
        }
        index
    }

    fn module(&mut self, module: &ModuleInstance) -> &mut Resources {
        self.0.entry(module.path()).or_default().entry(module.clone()).or_default()
    }

    fn at(&self, module: &ModuleInstance) -> Option<&Resources> {
        self.0.get(&module.path())?.get(module)
    }

    fn take(&mut self, module: &ModuleInstance) -> Resources {
        self.0.get_mut(&module.path()).and_then(|modules| modules.remove(module)).unwrap_or_default()
    }

    /// Returns the module instances that a move may concern.
    fn concerned(&self, one: &Move) -> Vec<ModuleInstance> {
        let names = one.module.names().iter().chain(one.from.module().steps().iter().map(|step| &step.name));
        let path = ModulePath::from_names(names.cloned());
        match one.from {
            Endpoint::Resource(_) | Endpoint::Instance(_) => {
                self.0.get(&path).into_iter().flat_map(BTreeMap::keys).cloned().collect()
            }
            Endpoint::Call(_) | Endpoint::Module(_) => {
                let below = self.0.range(path.clone()..).take_while(|(inner, _)| path.contains(inner));
                below.flat_map(|(_, modules)| modules.keys()).cloned().collect()
            }
        }
    }

    /// Follows one move; returns what could not move because something else is there.
    fn follow(&mut self, one: &Move, rows: &mut Rows) -> Vec<(String, String)> {
        let mut blocked = Vec::new();
        for module in self.concerned(one) {
            match &one.from {
                Endpoint::Call(_) | Endpoint::Module(_) => {
                    let Some(to) = one.module_destination(&module).filter(|to| *to != module) else { continue };
                    if self.at(&to).is_some_and(|there| !there.is_empty()) {
                        blocked.push((module.to_string(), to.to_string()));
                        continue;
                    }
                    let moving = self.take(&module);
                    for (number, address) in rows_of(&moving, rows) {
                        if let Some(to) = one.destination(&address) {
                            rows.relocate(number, to);
                        }
                    }
                    *self.module(&to) = moving;
                }
                Endpoint::Resource(from) => {
                    let key =
                        ResourceKey { mode: from.mode, type_name: from.type_name.clone(), name: from.name.clone() };
                    let Some(moving) = self.at(&module).and_then(|resources| resources.get(&key)).cloned() else {
                        continue;
                    };
                    let moved = |address: &Address| one.destination(address);
                    let Some(to) = rows_of_one(&moving, rows).first().and_then(|(_, address)| moved(address)) else {
                        continue;
                    };
                    if self.at(to.module()).is_some_and(|there| there.contains_key(&key_of(&to))) {
                        let from = key.path(&ModulePath::root()).within(module.clone());
                        blocked.push((from.to_string(), to.resource.to_string()));
                        continue;
                    }
                    for (number, address) in rows_of_one(&moving, rows) {
                        if let Some(to) = one.destination(&address) {
                            rows.relocate(number, to);
                        }
                    }
                    self.module(&module).remove(&key);
                    self.module(to.module()).insert(key_of(&to), moving);
                }
                Endpoint::Instance(from) => {
                    let address = ResourceKey {
                        mode: from.mode(),
                        type_name: from.resource.type_name.clone(),
                        name: from.resource.name.clone(),
                    }
                    .path(&ModulePath::root())
                    .within(module.clone())
                    .instance(from.key.clone());
                    let Some(to) = one.destination(&address).filter(|to| *to != address) else { continue };
                    let found =
                        self.at(&module).and_then(|resources| resources.get(&key_of(&address))?.get(&address.key));
                    let Some(moving) = found.cloned() else { continue };
                    let there = self.at(to.module()).and_then(|resources| resources.get(&key_of(&to)));
                    if there.is_some_and(|instances| instances.contains_key(&to.key)) {
                        blocked.push((address.to_string(), to.to_string()));
                        continue;
                    }
                    moving.iter().for_each(|number| rows.relocate(*number, to.clone()));
                    let left = self.module(&module);
                    if let Some(instances) = left.get_mut(&key_of(&address)) {
                        instances.remove(&address.key);
                        if instances.is_empty() {
                            left.remove(&key_of(&address));
                        }
                    }
                    self.module(to.module()).entry(key_of(&to)).or_default().insert(to.key.clone(), moving);
                }
            }
        }
        blocked
    }
}

fn key_of(address: &Address) -> ResourceKey {
    ResourceKey {
        mode: address.mode(),
        type_name: address.resource.type_name.clone(),
        name: address.resource.name.clone(),
    }
}

fn rows_of(resources: &Resources, rows: &Rows) -> Vec<(u32, Address)> {
    resources.values().flat_map(|instances| rows_of_one(instances, rows)).collect()
}

fn rows_of_one(instances: &BTreeMap<Option<InstanceKey>, Vec<u32>>, rows: &Rows) -> Vec<(u32, Address)> {
    let address = |number: &u32| Some((*number, rows.get(*number)?.row.address.clone()));
    instances.values().flatten().filter_map(address).collect()
}

/// Returns the moves that follow from a `count` that was added or taken away: the only object and number 0 are the same
/// one, unless a block says something else about the resource.
fn implied_moves(template: &Template, rows: &Rows, declared: &[Move]) -> Vec<Move> {
    let mut implied: Vec<Move> = Vec::new();
    for known in &rows.list {
        let address = &known.row.address;
        let (only, zero) = (None, Some(InstanceKey::Int(0)));
        if address.key != only && address.key != zero {
            continue;
        }
        let path = address.module().path();
        let block = template.module(&path).and_then(|module| module.resources.get(&key_of(address)));
        let (from, to) = match block.map(|block| &block.repetition) {
            Some(Repetition::One) => (zero, only),
            Some(Repetition::Count(_)) => (only, zero),
            Some(Repetition::ForEach(_)) | None => continue,
        };
        if address.key != from {
            continue;
        }
        let is_mentioned = |end: &Endpoint, one: &Move| {
            let Some(resource) = end.resource() else { return false };
            let names = one.module.names().iter().chain(resource.module.steps().iter().map(|step| &step.name));
            (resource.mode, &resource.type_name, &resource.name)
                == (address.mode(), &address.resource.type_name, &address.resource.name)
                && names.eq(path.names())
        };
        if declared.iter().any(|one| is_mentioned(&one.from, one) || is_mentioned(&one.to, one)) {
            continue;
        }
        let end = |key| Endpoint::Instance(address.resource.instance(key));
        let one = Move { module: ModulePath::root(), from: end(from), to: end(to), spans: None };
        if implied.last() != Some(&one) {
            implied.push(one);
        }
    }
    implied
}

impl Planner {
    /// Follows all moves: rows stand from now on where their blocks do.
    pub(super) fn follow_moves(&mut self) {
        let declared = declared_moves(&self.input.template);
        let mut moves = declared.clone();
        moves.extend(implied_moves(&self.input.template, &self.rows, &declared));
        if moves.is_empty() {
            return;
        }
        // Checking the template reported circles.
        let Ok(order) = order_moves(&moves) else { return };
        let mut index = Index::new(&self.rows);
        for one in order.iter().filter_map(|at| moves.get(*at)) {
            if let Some(problem) = self.crosses_types(one, &index) {
                self.problems.push(problem);
                continue;
            }
            for (from, to) in index.follow(one, &mut self.rows) {
                let mut problem = Diagnostic::warning(
                    "plan.move_blocked",
                    format!("`{from}` cannot move to `{to}`: another object is there"),
                )
                .help(format!(
                    "as it stands, what is at `{from}` is deleted; to keep it, move or remove what is at `{to}` in state first (`stackwright state mv`, `stackwright state rm`), then plan again"
                ));
                if let Some(spans) = one.spans {
                    problem = problem.at(spans.block);
                }
                self.problems.push(problem);
            }
        }
    }

    /// Returns the problem with a move to another type, where there is something to move.
    fn crosses_types(&self, one: &Move, index: &Index) -> Option<Diagnostic> {
        let (from, to) = (one.from.resource()?, one.to.resource()?);
        if from.type_name == to.type_name && from.mode == to.mode {
            return None;
        }
        let key = ResourceKey { mode: from.mode, type_name: from.type_name.clone(), name: from.name.clone() };
        let concerned = index.concerned(one);
        concerned.iter().any(|module| index.at(module).is_some_and(|resources| resources.contains_key(&key))).then(|| {
            let problem = Diagnostic::error(
                "plan.move_type",
                format!("a `{}` cannot become a `{}`", from.type_name, to.type_name),
            )
            .help("neither type can take the other's objects over; let go of the object with a `removed` block (`destroy = false`) and adopt it with an `import` block");
            match one.spans {
                Some(spans) => problem.label(spans.to, "another type").label(spans.from, "this type"),
                None => problem,
            }
        })
    }

    /// Reports moves away from instances that the template still has, now that instances are known.
    pub(super) fn check_moves(&mut self) {
        if self.input.options.mode != Mode::Normal {
            return;
        }
        let template = std::sync::Arc::clone(&self.input.template);
        for one in declared_moves(&template) {
            let instances: Vec<ModuleIdx> = self.table.instances_of(&one.module).collect();
            let found = instances.into_iter().find_map(|module| self.still_there(module, &one.from));
            if let (Some(there), Some(spans)) = (found, one.spans) {
                self.problems.push(
                    Diagnostic::error(
                        "plan.move_declared",
                        format!("`{there}` is said to have moved, but the template still has it"),
                    )
                    .label(spans.from, format!("moves to `{}`", one.name(&one.to)))
                    .help("have `count` or `for_each` no longer give it, or take the `moved` block away"),
                );
            }
        }
    }

    /// Returns the instance that an end of a move means, if the template has it.
    fn still_there(&self, module: ModuleIdx, end: &Endpoint) -> Option<String> {
        let mut module = module;
        for step in end.module().steps() {
            if matches!(end, Endpoint::Call(_) | Endpoint::Resource(_)) {
                return None;
            }
            let nodes = self.table.module(module).calls.get(&step.name)?;
            module = *self.table.calls(nodes.call)?.keys.get(step.key.as_ref())?;
        }
        match end {
            Endpoint::Module(_) => Some(self.table.module(module).address.to_string()),
            Endpoint::Instance(instance) if instance.mode() == AddressMode::Managed => {
                let resource = &instance.resource;
                let nodes = self.table.module(module).block(resource.mode, &resource.type_name, &resource.name)?;
                let keys: &Keys<_> = &self.table.expansion(nodes.block)?.keys;
                self.table.address(*keys.get(instance.key.as_ref())?).map(|address| address.to_string())
            }
            _ => None,
        }
    }
}

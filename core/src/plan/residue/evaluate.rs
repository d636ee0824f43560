use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use super::{
    drawing::{Drawn, RunWorld},
    ephemeral::Loans,
};
use crate::{
    address::{Address, Mode},
    error::{Diagnostics as _, Error, Result},
    plan::{
        Action, Change, Plan, TypeSource,
        node::{Env, Evaluated, Event, ModuleIdx, NodeId, Options, Place, Replay, Table, Touched},
        planner::seconds,
    },
    state::{Row, RowStatus},
    template::{Files, ResourceKey, Template},
    value::Value,
};

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
    pub(super) plan: Arc<Plan>,
    pub(super) types: Arc<dyn TypeSource>,
    /// What instances are, as far as that is known, by their places in the plan's changes.
    objects: Vec<Option<Known>>,
    /// The same of those that the plan has no change for.
    others: HashMap<Address, Known>,
    pub(super) table: Option<Table>,
    /// Nodes whose values are not final: computed anew when something was applied.
    pub(super) passing: Vec<NodeId>,
    /// Instances whose values are not final, and nodes that stand for such.
    pub(super) open: HashSet<NodeId>,
    pub(super) drawn: Arc<Mutex<Drawn>>,
    #[cfg(test)]
    pub(super) walk_count: usize,
    pub(super) loans: Loans,
}

#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) value: Value,
    pub(super) is_final: bool,
}

impl Residue {
    /// Returns the residue of a plan, before any of its steps ran. `rows` are the stack's rows as the plan saw them.
    ///
    /// # Errors
    /// None yet; a snapshot that cannot be read is found out when it is needed.
    pub fn open(plan: Arc<Plan>, rows: &[Row], types: Arc<dyn TypeSource>) -> Result<Self> {
        // A change without a step leaves nothing to wait for: only what is marked differs.
        let mut stepped = vec![false; plan.changes.len()];
        for step in &plan.steps {
            if let Some(flag) = stepped.get_mut(step.change.0 as usize) {
                *flag = true;
            }
        }
        let known = |(change, stepped): (&Change, bool)| {
            let value = change.after.clone().filter(|_| !change.deposed)?;
            Some(Known { value, is_final: change.action == Action::NoOp || !stepped })
        };
        let objects = plan.changes.iter().zip(stepped).map(known).collect();
        let mut residue = Self {
            plan: Arc::clone(&plan),
            types,
            objects,
            others: HashMap::new(),
            table: None,
            passing: Vec::new(),
            open: HashSet::new(),
            drawn: Arc::default(),
            #[cfg(test)]
            walk_count: 0,
            loans: Loans::default(),
        };
        for row in rows.iter().filter(|row| row.status != RowStatus::Deposed) {
            if residue.known(&row.address).is_none() {
                residue.know(&row.address, Known { value: row.attributes.clone(), is_final: true });
            }
        }
        for read in &plan.reads {
            if let Some(value) = &read.value {
                residue.know(&read.address, Known { value: value.clone(), is_final: true });
            }
        }
        Ok(residue)
    }

    /// Returns how often everything was walked for the users of one instance.
    #[cfg(test)]
    pub(in crate::plan) const fn walk_count(&self) -> usize {
        self.walk_count
    }

    /// Returns the change of an instance; not that of a deposed object. O(log n), n changes.
    pub(super) fn change_of(&self, address: &Address) -> Option<&Change> {
        self.plan.changes.get(self.place(address)?)
    }

    /// Changes are sorted by address; of one address, those of deposed objects come last.
    fn place(&self, address: &Address) -> Option<usize> {
        let place = self.plan.changes.partition_point(|change| change.address < *address);
        let change = self.plan.changes.get(place)?;
        (change.address == *address && !change.deposed).then_some(place)
    }

    /// Returns what is known of an instance. O(log n), n changes.
    pub(super) fn known(&self, address: &Address) -> Option<&Known> {
        match self.place(address) {
            Some(place) => self.objects.get(place)?.as_ref(),
            None => self.others.get(address),
        }
    }

    /// Takes what an instance is; returns what was known of it before.
    pub(super) fn know(&mut self, address: &Address, known: Known) -> Option<Known> {
        match self.place(address).and_then(|place| self.objects.get_mut(place)) {
            Some(slot) => slot.replace(known),
            None => self.others.insert(address.clone(), known),
        }
    }

    /// Returns the table, made from the plan's snapshot when it is first needed.
    pub(super) fn table(&mut self) -> Result<&mut Table> {
        if self.table.is_none() {
            self.table = Some(self.read_snapshot()?);
        }
        self.table.as_mut().ok_or_else(|| Error::bug("the snapshot of a plan is gone"))
    }

    pub(super) fn read_snapshot(&self) -> Result<Table> {
        let inputs = &self.plan.inputs;
        let files = Files::from_texts(inputs.files.iter().map(|(path, text)| (path.as_str(), Arc::clone(text))));
        let (template, problems) =
            Template::parse(&files, &crate::template::Options::default().edition(inputs.edition));
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
            functions: Arc::new(self.types.functions()),
            files: Box::new(Replay::of(inputs)),
            world: Box::new(world),
            workspace: inputs.workspace.clone(),
            root: inputs.root.clone(),
            applying: true,
            place,
        };
        let options = Options { eager: false, instance_limit: usize::MAX };
        let variables = inputs.variables.iter().chain(&inputs.ephemeral);
        let variables = variables.map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(Table::new(Arc::new(template), Arc::clone(&self.types), variables, env, options))
    }

    /// Evaluates nodes and all that they need.
    pub(super) fn settle(&mut self, nodes: &[NodeId]) -> Result<()> {
        let table = self.table()?;
        nodes.iter().for_each(|node| table.demand(*node));
        while let Some(event) = self.table()?.next() {
            if let Event::Work(node) = event {
                self.supply(node)?;
            }
        }
        let Some(table) = self.table.as_mut() else { return Ok(()) };
        // In the order in which they got their values: what stands for others comes after them.
        for node in table.take_finished() {
            let parts = table.parts(node);
            let made_with = parts.unwrap_or_else(|| table.touched(node));
            if made_with.nodes().iter().any(|touched| self.open.contains(touched)) {
                if parts.is_some() {
                    self.open.insert(node);
                }
                self.passing.push(node);
            }
        }
        match nodes.iter().find(|node| !table.is_done(**node)) {
            Some(node) => {
                let held = table.held_behind(nodes);
                let what = if held.is_empty() { "a plan's snapshot needs itself" } else { "something is not open" };
                self.loans.wanted.extend(held);
                Err(Error::bug(what).context("node", table.label(*node)))
            }
            None => Ok(()),
        }
    }

    /// Gives an instance what is known of it.
    pub(super) fn supply(&mut self, node: NodeId) -> Result<()> {
        let Some(address) = self.table()?.address(node) else {
            self.table()?.fail(node);
            return Ok(());
        };
        if address.mode() == Mode::Ephemeral {
            return self.supply_ephemeral(node, address);
        }
        match self.known(&address).cloned() {
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

    /// Finds an instance of a module.
    pub(super) fn locate_module(&mut self, address: &crate::address::ModuleInstance) -> Result<ModuleIdx> {
        let missing = || Error::bug("a module instance is not in the plan's snapshot").context("address", address);
        let mut module = ModuleIdx::ROOT;
        for step in address.steps() {
            let nodes = self.table()?.module(module).calls.get(&step.name).copied().ok_or_else(missing)?;
            self.settle(&[nodes.call])?;
            let expansion = self.table()?.calls(nodes.call).cloned().ok_or_else(missing)?;
            module = expansion.keys.get(step.key.as_ref()).copied().ok_or_else(missing)?;
        }
        Ok(module)
    }

    /// Finds the node of an instance.
    pub(super) fn locate(&mut self, address: &Address) -> Result<NodeId> {
        let missing = || Error::bug("a step's instance is not in the plan's snapshot").context("address", address);
        let module = self.locate_module(address.module())?;
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
    pub(super) fn evaluate(&mut self, run: impl Fn(&Table) -> Evaluated) -> Result<Value> {
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
    pub(super) fn block(&mut self, node: NodeId) -> Result<(ModuleIdx, ResourceKey, Arc<crate::template::Module>)> {
        let table = self.table()?;
        let (module, key, _) = table.block_of(node).ok_or_else(|| Error::bug("a node is no instance"))?;
        Ok((module, key.clone(), Arc::clone(&table.module(module).module)))
    }
}

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{NodeId, NodeKind, Repeat, Table};
use crate::{
    address::{Address, InstanceKey, Mode, ModuleInstance, ModulePath},
    template::{Dependency, Module, Referent, ResourceKey},
};

/// The number of a module instance in its [`Table`]; the root is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::plan) struct ModuleIdx(u32);

impl ModuleIdx {
    pub(in crate::plan) const ROOT: Self = Self(0);

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One instance of a module and the nodes of all that it declares.
#[derive(Debug)]
pub(in crate::plan) struct ModuleInst {
    /// Which instance.
    pub address: ModuleInstance,
    /// Where it is called.
    pub path: ModulePath,
    /// What it declares.
    pub module: Arc<Module>,
    /// Who calls it.
    pub parent: Option<ModuleIdx>,
    /// What `count` and `each` are for the inputs of the call.
    pub repeat: Repeat,
    /// What everything in it waits for, beyond what it refers to.
    pub barriers: Vec<NodeId>,
    /// The calls that lead here: what told their instances comes before everything in it.
    pub via: Vec<NodeId>,
    /// Its outputs as an object.
    pub object: NodeId,
    pub variables: HashMap<Arc<str>, NodeId>,
    pub locals: HashMap<Arc<str>, NodeId>,
    pub outputs: HashMap<Arc<str>, NodeId>,
    pub validations: HashMap<Arc<str>, NodeId>,
    pub checks: HashMap<Arc<str>, NodeId>,
    /// For each call: its instances, its value, and everything in it.
    pub calls: HashMap<Arc<str>, CallNodes>,
    /// For each block: its instances, and all of them as one value. By type, then name.
    blocks: [HashMap<Arc<str>, HashMap<Arc<str>, BlockNodes>>; 3],
}

/// The nodes of a call.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) struct CallNodes {
    pub call: NodeId,
    pub value: NodeId,
    pub done: NodeId,
}

/// The nodes of a block.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) struct BlockNodes {
    pub block: NodeId,
    pub whole: NodeId,
}

impl ModuleInst {
    /// Returns the nodes of a block. O(1), without allocation.
    pub(in crate::plan) fn block(&self, mode: Mode, type_name: &str, name: &str) -> Option<BlockNodes> {
        let [managed, data, ephemeral] = &self.blocks;
        let blocks = match mode {
            Mode::Managed => managed,
            Mode::Data => data,
            Mode::Ephemeral => ephemeral,
        };
        blocks.get(type_name)?.get(name).copied()
    }

    /// Returns the nodes of all blocks, in no order.
    pub(in crate::plan) fn all_blocks(&self) -> impl Iterator<Item = BlockNodes> {
        self.blocks.iter().flat_map(HashMap::values).flat_map(HashMap::values).copied()
    }
}

impl Table {
    pub(super) fn open_root(&mut self) {
        let path = ModulePath::root();
        if let Some(module) = self.template.module(&path).map(Arc::clone) {
            self.open(ModuleInstance::root(), path, module, None, Repeat::default(), Vec::new(), Vec::new());
        } else {
            self.open(ModuleInstance::root(), path, Arc::default(), None, Repeat::default(), Vec::new(), Vec::new());
        }
    }

    /// Adds the nodes of one instance of a called module.
    pub(super) fn open_called(
        &mut self,
        parent: ModuleIdx,
        name: &Arc<str>,
        call: NodeId,
        key: Option<InstanceKey>,
        repeat: Repeat,
    ) -> Option<ModuleIdx> {
        let caller = self.module(parent);
        let address = caller.address.child(Arc::clone(name), key);
        let path = caller.path.child(Arc::clone(name));
        let mut barriers = caller.barriers.clone();
        let depends_on = caller.module.calls.get(name).map(|call| call.depends_on.as_slice()).unwrap_or_default();
        barriers.extend(depends_on.iter().filter_map(|dependency| self.barrier(parent, dependency)));
        let module = self.template.module(&path).map(Arc::clone)?;
        let via = caller.via.iter().copied().chain([call]).collect();
        Some(self.open(address, path, module, Some(parent), repeat, barriers, via))
    }

    fn open(
        &mut self,
        address: ModuleInstance,
        path: ModulePath,
        module: Arc<Module>,
        parent: Option<ModuleIdx>,
        repeat: Repeat,
        barriers: Vec<NodeId>,
        via: Vec<NodeId>,
    ) -> ModuleIdx {
        let idx = ModuleIdx(self.modules.len() as u32);
        let object = self.add(NodeKind::ModuleObject { module: idx });
        let mut inst = ModuleInst {
            address,
            path,
            module: Arc::clone(&module),
            parent,
            repeat,
            barriers,
            via,
            object,
            variables: HashMap::with_capacity(module.variables.len()),
            locals: HashMap::with_capacity(module.locals.len()),
            outputs: HashMap::with_capacity(module.outputs.len()),
            validations: HashMap::new(),
            checks: HashMap::new(),
            calls: HashMap::with_capacity(module.calls.len()),
            blocks: Default::default(),
        };
        let mut wanted = Vec::new();
        for (name, variable) in &module.variables {
            let id = self.add(NodeKind::Variable { module: idx, name: Arc::clone(name) });
            inst.variables.insert(Arc::clone(name), id);
            wanted.push(id);
            if !variable.validations.is_empty() {
                let id = self.add(NodeKind::Validation { module: idx, name: Arc::clone(name) });
                inst.validations.insert(Arc::clone(name), id);
                wanted.push(id);
            }
        }
        for name in module.locals.keys() {
            let id = self.add(NodeKind::Local { module: idx, name: Arc::clone(name) });
            inst.locals.insert(Arc::clone(name), id);
            wanted.push(id);
        }
        for name in module.calls.keys() {
            let nodes = CallNodes {
                call: self.add(NodeKind::Call { module: idx, name: Arc::clone(name) }),
                value: self.add(NodeKind::CallValue { module: idx, name: Arc::clone(name) }),
                done: self.add(NodeKind::CallDone { module: idx, name: Arc::clone(name) }),
            };
            inst.calls.insert(Arc::clone(name), nodes);
            wanted.push(nodes.call);
        }
        for key in module.resources.keys() {
            let block = self.add(NodeKind::Block { module: idx, key: key.clone() });
            let nodes = BlockNodes { block, whole: self.add(NodeKind::Whole { block }) };
            let [managed, data, ephemeral] = &mut inst.blocks;
            let blocks = match key.mode {
                Mode::Managed => managed,
                Mode::Data => data,
                Mode::Ephemeral => ephemeral,
            };
            blocks.entry(Arc::clone(&key.type_name)).or_default().insert(Arc::clone(&key.name), nodes);
            wanted.push(block);
        }
        for name in module.outputs.keys() {
            let id = self.add(NodeKind::Output { module: idx, name: Arc::clone(name) });
            inst.outputs.insert(Arc::clone(name), id);
            wanted.push(id);
        }
        for name in module.checks.keys() {
            let id = self.add(NodeKind::Check { module: idx, name: Arc::clone(name) });
            inst.checks.insert(Arc::clone(name), id);
            wanted.push(id);
        }
        self.modules.push(inst);
        if self.options.eager {
            wanted.into_iter().for_each(|id| self.demand(id));
        }
        idx
    }

    /// Returns the instances of a module.
    pub(in crate::plan) fn instances_of(&self, path: &ModulePath) -> impl Iterator<Item = ModuleIdx> {
        (0..).zip(&self.modules).filter(move |(_, inst)| inst.path == *path).map(|(idx, _)| ModuleIdx(idx))
    }

    /// Returns the node that is finished when all that an entry of `depends_on` names is.
    pub(in crate::plan) fn barrier(&self, module: ModuleIdx, dependency: &Dependency) -> Option<NodeId> {
        let inst = self.module(module);
        match &dependency.referent {
            Referent::Resource(key) => inst.block(key.mode, &key.type_name, &key.name).map(|nodes| nodes.whole),
            Referent::Module { name, .. } => inst.calls.get(name).map(|nodes| nodes.done),
            Referent::Variable(name) => inst.variables.get(name).copied(),
            Referent::Local(name) => inst.locals.get(name).copied(),
            _ => None,
        }
    }

    /// Returns whether a block has conditions.
    pub(in crate::plan) fn declares_conditions(&self, path: &ModulePath, key: &ResourceKey) -> bool {
        let block = self.template.module(path).and_then(|module| module.resources.get(key));
        block.is_some_and(|block| {
            !block.lifecycle.preconditions.is_empty() || !block.lifecycle.postconditions.is_empty()
        })
    }

    /// Returns the node of an instance, if somebody asked for it. O(n), n nodes.
    pub(in crate::plan) fn node_of(&self, address: &Address) -> Option<NodeId> {
        (0..self.nodes.len() as u32).map(NodeId).find(|id| self.address(*id).as_ref() == Some(address))
    }

    /// Returns an instance and the nodes that were made with it. O(n + e) for all n nodes and what they touch.
    pub(in crate::plan) fn users_of(&self, own: NodeId) -> Vec<NodeId> {
        let all = (0..self.nodes.len() as u32).map(NodeId);
        // Whoever touches one of these was made with it.
        let mut stand: Vec<NodeId> = vec![own];
        let mut seen: BTreeSet<NodeId> = BTreeSet::from([own]);
        while let Some(part) = stand.pop() {
            let groups = all
                .clone()
                .filter(|id| self.parts(*id).is_some_and(|parts| parts.nodes().binary_search(&part).is_ok()));
            for group in groups {
                if seen.insert(group) {
                    stand.push(group);
                }
            }
        }
        all.filter(|id| seen.contains(id) || self.touched(*id).nodes().iter().any(|touched| seen.contains(touched)))
            .collect()
    }

    /// Returns the block that an instance or block node belongs to: module, key, and the node of the block.
    pub(in crate::plan) fn block_of(&self, id: NodeId) -> Option<(ModuleIdx, &ResourceKey, NodeId)> {
        match self.kind(id) {
            NodeKind::Block { module, key } => Some((*module, key, id)),
            NodeKind::Instance { block, .. } | NodeKind::Whole { block } => match self.kind(*block) {
                NodeKind::Block { module, key } => Some((*module, key, *block)),
                _ => None,
            },
            _ => None,
        }
    }
}

use crate::{
    address::{Address, ModulePath, ResourcePath, Target},
    plan::{
        node::{ModuleIdx, NodeId, NodeKind},
        planner::Planner,
    },
    template::ResourceKey,
};

/// What a plan is limited to.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets {
    list: Vec<Target>,
}

impl Targets {
    pub(super) fn new(list: &[Target]) -> Self {
        Self { list: list.to_vec() }
    }

    /// Returns whether there is a limit.
    pub(super) fn any(&self) -> bool {
        !self.list.is_empty()
    }

    /// Returns whether an instance is meant; every one is, where there is no limit.
    pub(super) fn contains(&self, address: &Address) -> bool {
        self.list.is_empty() || self.list.iter().any(|target| target.contains(address))
    }

    /// Returns the targets that mean none of these instances.
    pub(super) fn unused<'a>(&'a self, addresses: &'a [&'a Address]) -> impl Iterator<Item = &'a Target> {
        self.list.iter().filter(|target| !addresses.iter().any(|address| target.contains(address)))
    }

    fn may_contain(&self, path: &ResourcePath) -> bool {
        self.list.iter().any(|target| target.may_contain(path))
    }

    /// Returns whether something below a call of this path may be meant.
    fn may_lead_into(&self, path: &ModulePath) -> bool {
        self.list.iter().any(|target| match target {
            Target::Module(module) => path.contains(&module.path()) || module.path().contains(path),
            Target::Resource(resource) => path.contains(&resource.module.path()),
            Target::Instance(instance) => path.contains(&instance.module().path()),
        })
    }
}

impl Planner {
    /// Asks for what of a module instance may be meant by the targets.
    pub(super) fn demand_targets(&mut self, module: ModuleIdx) {
        let inst = self.table.module(module);
        let mut wanted: Vec<NodeId> = Vec::new();
        for (name, nodes) in &inst.calls {
            if self.targets.may_lead_into(&inst.path.child(std::sync::Arc::clone(name))) {
                wanted.push(nodes.call);
            }
        }
        let keys: Vec<&ResourceKey> = inst.module.resources.keys().collect();
        for key in keys {
            if self.targets.may_contain(&key.path(&inst.path))
                && let Some(nodes) = inst.block(key.mode, &key.type_name, &key.name)
            {
                wanted.push(nodes.block);
            }
        }
        wanted.sort_unstable();
        wanted.into_iter().for_each(|id| self.table.demand(id));
    }

    /// The instances of a block or call are known: asks for what the targets mean.
    pub(super) fn expanded(&mut self, node: NodeId) {
        match self.table.kind(node) {
            NodeKind::Call { .. } => {
                let Some(expansion) = self.table.calls(node).map(std::sync::Arc::clone) else { return };
                if self.targets.any() && !self.outputs_only {
                    expansion.keys.iter().for_each(|module| self.demand_targets(*module));
                }
            }
            _ => {
                let Some(expansion) = self.table.expansion(node).map(std::sync::Arc::clone) else { return };
                if self.targets.any() && !self.outputs_only {
                    for &instance in expansion.keys.iter() {
                        if self.table.address(instance).is_some_and(|address| self.targets.contains(&address)) {
                            self.table.demand(instance);
                        }
                    }
                }
            }
        }
    }
}

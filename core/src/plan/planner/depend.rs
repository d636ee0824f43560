use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{Planner, entry::Entry, uses::Uses};
use crate::{
    address::{Mode as AddressMode, Target},
    plan::node::{Keys, NodeId, NodeKind},
    state::ObjectId,
};

/// What whoever uses something depends on; shared by all who do.
#[derive(Clone, Debug, Default)]
struct Bases {
    objects: Arc<[ObjectId]>,
    wholes: Arc<[Target]>,
}

impl Planner {
    /// Tells for each row what it refers to directly: objects, and blocks and modules as a whole. Data sources are looked
    /// through, for they have no rows.
    pub(super) fn depend(&self, entries: &mut [Entry], uses: &Uses) {
        let mut known: HashMap<u32, Bases> = HashMap::new();
        let blocks = self.blocks(entries);
        let data = (0..).zip(entries.iter()).filter(|(_, entry)| entry.is_data()).map(|(at, _)| at);
        for at in data.chain(uses.group_places()).collect::<Vec<u32>>() {
            self.look_through(at, entries, uses, &blocks, &mut known);
        }
        for at in 0..entries.len() as u32 {
            let Some(entry) = entries.get(at as usize).filter(|entry| entry.node.is_some() && !entry.is_data()) else {
                continue;
            };
            let own = entry.object;
            let (objects, wholes) = gather(uses.of(at), entries, &known);
            if let Some(entry) = entries.get_mut(at as usize) {
                entry.dependencies = objects.into_iter().filter(|object| Some(*object) != own).collect();
                entry.wholes = wholes.into_iter().cloned().collect();
            }
        }
    }

    /// Returns the block of each object that there will be.
    fn blocks(&self, entries: &[Entry]) -> HashMap<ObjectId, NodeId> {
        let block = |entry: &Entry| Some((entry.object?, self.table.block_of(entry.node?)?.2));
        entries.iter().filter_map(block).collect()
    }

    /// Works out what stands behind a data source or a group, and behind those that it uses.
    fn look_through(
        &self,
        start: u32,
        entries: &[Entry],
        uses: &Uses,
        blocks: &HashMap<ObjectId, NodeId>,
        known: &mut HashMap<u32, Bases>,
    ) {
        let is_seen_through =
            |at: u32| uses.group(at).is_some() || entries.get(at as usize).is_some_and(Entry::is_data);
        let mut stack = vec![start];
        while let Some(&at) = stack.last() {
            if known.contains_key(&at) {
                stack.pop();
                continue;
            }
            let used = uses.of(at);
            let missing: Vec<u32> =
                used.iter().copied().filter(|other| is_seen_through(*other) && !known.contains_key(other)).collect();
            // What waits for itself was reported as a cycle long before.
            if missing.is_empty() || stack.len() > uses.wants.len() {
                let bases = self.bases(at, entries, uses, blocks, known);
                known.insert(at, bases);
                stack.pop();
            } else {
                stack.extend(missing);
            }
        }
    }

    fn bases(
        &self,
        at: u32,
        entries: &[Entry],
        uses: &Uses,
        blocks: &HashMap<ObjectId, NodeId>,
        known: &HashMap<u32, Bases>,
    ) -> Bases {
        let target = uses.group(at).and_then(|node| self.whole_target(node));
        if let Some(whole @ Target::Resource(_)) = &target {
            return Bases { objects: Arc::default(), wholes: Arc::from([whole.clone()]) };
        }
        let (mut objects, mut wholes) = gather(uses.of(at), entries, known);
        if let Some(module) = &target {
            // Of what is inside, only what data sources lead out to is not meant by the module itself.
            let within = |object: &ObjectId| {
                let block = blocks.get(object).and_then(|block| self.block_target(*block));
                block.is_some_and(|block| is_within(&block, module))
            };
            objects.retain(|object| !within(object));
            wholes.retain(|whole| !is_within(whole, module));
            wholes.insert(module);
        }
        let complete = self.complete_blocks(&objects, blocks);
        for (whole, members) in &complete {
            wholes.insert(whole);
            members.iter().for_each(|object| {
                objects.remove(object);
            });
        }
        Bases { objects: objects.into_iter().collect(), wholes: wholes.into_iter().cloned().collect() }
    }

    /// Returns the block or module that a node stands for, if state can name it.
    fn whole_target(&self, node: NodeId) -> Option<Target> {
        match self.table.kind(node) {
            NodeKind::Whole { block } => self.block_target(*block),
            NodeKind::CallDone { module, name } => {
                Some(Target::Module(self.table.module(*module).address.child(Arc::clone(name), None)))
            }
            _ => None,
        }
    }

    /// Returns a block of which state has rows.
    fn block_target(&self, block: NodeId) -> Option<Target> {
        let (module, key, _) = self.table.block_of(block)?;
        let module = self.table.module(module);
        (key.mode == AddressMode::Managed)
            .then(|| Target::Resource(key.path(&module.path).within(module.address.clone())))
    }

    /// Returns the repeated blocks all of whose objects are among these.
    fn complete_blocks(
        &self,
        objects: &BTreeSet<ObjectId>,
        blocks: &HashMap<ObjectId, NodeId>,
    ) -> Vec<(Target, Vec<ObjectId>)> {
        /// Fewer than this many are told one by one.
        const LEAST: usize = 9;
        if objects.len() < LEAST {
            return Vec::new();
        }
        let mut by_block: HashMap<NodeId, Vec<ObjectId>> = HashMap::new();
        for object in objects {
            if let Some(block) = blocks.get(object) {
                by_block.entry(*block).or_default().push(*object);
            }
        }
        let complete = |(block, objects): (NodeId, Vec<ObjectId>)| {
            let expansion = self.table.expansion(block)?;
            let all = !matches!(expansion.keys, Keys::One(_)) && expansion.keys.iter().count() == objects.len();
            Some((self.block_target(block).filter(|_| all)?, objects))
        };
        by_block.into_iter().filter_map(complete).collect()
    }
}

/// Returns what these places come to.
fn gather<'a>(
    used: &[u32],
    entries: &[Entry],
    known: &'a HashMap<u32, Bases>,
) -> (BTreeSet<ObjectId>, BTreeSet<&'a Target>) {
    let (mut objects, mut wholes) = (BTreeSet::new(), BTreeSet::new());
    for at in used {
        match known.get(at) {
            Some(bases) => {
                objects.extend(bases.objects.iter().copied());
                wholes.extend(bases.wholes.iter());
            }
            None => objects.extend(entries.get(*at as usize).and_then(|entry| entry.object)),
        }
    }
    (objects, wholes)
}

/// Returns whether all that a whole means stands in a module.
fn is_within(whole: &Target, module: &Target) -> bool {
    match whole {
        Target::Resource(resource) => module.contains(&resource.instance(None)),
        Target::Module(inner) => {
            let probe = crate::address::ResourceAddress::managed("probe", "probe");
            module.contains(&crate::address::ResourceAddress { module: inner.clone(), ..probe }.instance(None))
        }
        Target::Instance(instance) => module.contains(instance),
    }
}

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use super::{Adoption, Env, Expansion, ModuleIdx, ModuleInst, Touched, check::Judged, memo::Memo};
use crate::{
    address::{InstanceKey, ResourcePath},
    error::Diagnostic,
    plan::TypeSource,
    template::{ResourceKey, Template},
    value::{Type, Value},
};

/// The number of a node in its [`Table`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::plan) struct NodeId(pub(super) u32);

impl NodeId {
    /// The number of no node.
    pub(in crate::plan) const NONE: Self = Self(u32::MAX);

    pub(in crate::plan) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a node stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::plan) enum NodeKind {
    /// The value of a variable.
    Variable { module: ModuleIdx, name: Arc<str> },
    /// Whether what must hold of a variable holds. Nothing waits for it.
    Validation { module: ModuleIdx, name: Arc<str> },
    /// The value of a local.
    Local { module: ModuleIdx, name: Arc<str> },
    /// The value of an output.
    Output { module: ModuleIdx, name: Arc<str> },
    /// Which instances of a module a call has.
    Call { module: ModuleIdx, name: Arc<str> },
    /// `module.name` as a whole.
    CallValue { module: ModuleIdx, name: Arc<str> },
    /// Everything that a call leads to, whatever its value.
    CallDone { module: ModuleIdx, name: Arc<str> },
    /// The outputs of one module instance as an object.
    ModuleObject { module: ModuleIdx },
    /// Which instances a resource or data block has.
    Block { module: ModuleIdx, key: ResourceKey },
    /// All instances of a block as one value.
    Whole { block: NodeId },
    /// One instance of a block; the owner's.
    Instance { block: NodeId, key: Option<InstanceKey> },
    /// The configuration of a provider.
    Provider { name: Arc<str> },
    /// Whether what a `check` block says holds. Nothing waits for it.
    Check { module: ModuleIdx, name: Arc<str> },
    /// What an `import` block of the root module adopts.
    Import { idx: u32 },
    /// Something else that the owner works on, by a number of its own.
    Task { number: u32 },
}

/// How far a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nobody asked for it.
    New,
    /// It is in the queue.
    Queued,
    /// It waits for so many others.
    Waiting(u32),
    /// Its owner waits for an answer from outside.
    Held,
    /// It has its value, or failed.
    Done,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) phase: Phase,
    pub(super) value: Value,
    pub(super) touched: Touched,
    /// What it stands for, where users touch the node itself instead: a block as a whole, or many instances.
    pub(super) parts: Option<Touched>,
    /// It could not be computed; a problem was reported. What is made with it is not to be trusted either.
    pub(super) failed: bool,
    pub(super) expansion: Option<Arc<Expansion>>,
    waiters: Vec<NodeId>,
    /// What it waits for, to explain circles.
    waits: Vec<NodeId>,
}

/// What the owner of a table has to work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) enum Event {
    /// The instances of this block are known now.
    Expanded(NodeId),
    /// This instance or task is wanted, or what it waited for is there.
    Work(NodeId),
}

/// What a table is made for.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Options {
    /// Evaluate everything that the template declares, not only what is asked for.
    pub eager: bool,
    /// How many instances there may be in all.
    pub instance_limit: usize,
}

/// All nodes of one evaluation of a template.
#[derive(Debug)]
pub(in crate::plan) struct Table {
    pub(super) template: Arc<Template>,
    pub(super) types: Arc<dyn TypeSource>,
    pub(super) env: Env,
    pub(super) options: Options,
    /// Values of the root module's variables.
    pub(super) variables: BTreeMap<String, Value>,
    pub(super) nodes: Vec<Node>,
    pub(super) modules: Vec<ModuleInst>,
    pub(super) providers: HashMap<Arc<str>, NodeId>,
    /// Those of them that state names, whatever the template says.
    pub(super) remembered: HashSet<Arc<str>>,
    pub(super) calls: HashMap<NodeId, Arc<Expansion<ModuleIdx>>>,
    /// The nodes of `import` blocks, by what they are about.
    pub(super) imports: HashMap<ResourcePath, Vec<NodeId>>,
    /// What `check` blocks came to.
    pub(super) checks: HashMap<NodeId, Judged>,
    /// What those `import` blocks that were evaluated adopt.
    pub(super) adoptions: BTreeMap<NodeId, Vec<Adoption>>,
    pub(super) instance_count: usize,
    /// What is the same for all instances of a block or call, by its node.
    pub(super) memos: HashMap<NodeId, Memo>,
    /// Problems so far, in no order.
    pub(in crate::plan) problems: Vec<Diagnostic>,
    /// Conditions that cannot be decided yet: output preconditions and variable validations.
    pub(in crate::plan) undecided: Vec<NodeId>,
    queue: VecDeque<NodeId>,
    events: VecDeque<Event>,
    /// Nodes that got their values since somebody last took this.
    finished: Vec<NodeId>,
}

impl Table {
    /// Returns a table with the root module opened.
    pub(in crate::plan) fn new(
        template: Arc<Template>,
        types: Arc<dyn TypeSource>,
        variables: BTreeMap<String, Value>,
        env: Env,
        options: Options,
    ) -> Self {
        let mut table = Self {
            template,
            types,
            env,
            options,
            variables,
            nodes: Vec::new(),
            modules: Vec::new(),
            providers: HashMap::new(),
            remembered: HashSet::new(),
            calls: HashMap::new(),
            imports: HashMap::new(),
            checks: HashMap::new(),
            adoptions: BTreeMap::new(),
            instance_count: 0,
            memos: HashMap::new(),
            problems: Vec::new(),
            undecided: Vec::new(),
            queue: VecDeque::new(),
            events: VecDeque::new(),
            finished: Vec::new(),
        };
        table.open_root();
        table.open_imports();
        table
    }

    /// Returns the template whose values these are.
    pub(in crate::plan) fn template(&self) -> &Arc<Template> {
        &self.template
    }

    /// Adds a node that nobody asked for yet.
    pub(in crate::plan) fn add(&mut self, kind: NodeKind) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Node {
            kind,
            phase: Phase::New,
            value: Value::unknown(Type::Any),
            touched: Touched::default(),
            parts: None,
            failed: false,
            expansion: None,
            waiters: Vec::new(),
            waits: Vec::new(),
        });
        id
    }

    /// Returns what a node stands for.
    pub(in crate::plan) fn kind(&self, id: NodeId) -> &NodeKind {
        &self.node(id).kind
    }

    /// Returns a node's value; unknown while it has none.
    pub(in crate::plan) fn value(&self, id: NodeId) -> &Value {
        &self.node(id).value
    }

    /// Returns the instances that a node's value was made with, and the nodes that stand for many of them.
    pub(in crate::plan) fn touched(&self, id: NodeId) -> &Touched {
        &self.node(id).touched
    }

    /// Returns what a node stands for that is touched itself; nothing for instances.
    pub(in crate::plan) fn parts(&self, id: NodeId) -> Option<&Touched> {
        self.node(id).parts.as_ref()
    }

    /// Returns whether a node is finished, well or not.
    pub(in crate::plan) fn is_done(&self, id: NodeId) -> bool {
        self.node(id).phase == Phase::Done
    }

    /// Returns whether a node could not be computed.
    pub(in crate::plan) fn has_failed(&self, id: NodeId) -> bool {
        self.node(id).failed
    }

    /// Returns a module instance.
    pub(in crate::plan) fn module(&self, idx: ModuleIdx) -> &ModuleInst {
        &self.modules[idx.index()]
    }

    /// Returns the root module's instance.
    pub(in crate::plan) fn root(&self) -> &ModuleInst {
        &self.modules[0]
    }

    /// Returns the instances of a block, once they are known.
    pub(in crate::plan) fn expansion(&self, block: NodeId) -> Option<&Arc<Expansion>> {
        self.node(block).expansion.as_ref()
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.index()]
    }

    /// Returns how often something that instances share was computed.
    #[cfg(test)]
    pub(in crate::plan) fn shared_count(&self) -> usize {
        self.memos.values().map(Memo::computed_count).sum()
    }

    /// Asks for a node, unless somebody did already.
    pub(in crate::plan) fn demand(&mut self, id: NodeId) {
        let node = self.node_mut(id);
        if node.phase == Phase::New {
            node.phase = Phase::Queued;
            self.queue.push_back(id);
        }
    }

    /// Has a node wait for others; where all of them are there it is tried again.
    pub(in crate::plan) fn wait(&mut self, id: NodeId, mut on: Vec<NodeId>) {
        on.sort_unstable();
        on.dedup();
        on.retain(|other| !self.is_done(*other));
        for &other in &on {
            self.demand(other);
            self.node_mut(other).waiters.push(id);
        }
        let node = self.node_mut(id);
        if on.is_empty() {
            node.phase = Phase::Queued;
            node.waits = on;
            self.queue.push_back(id);
        } else {
            node.phase = Phase::Waiting(on.len() as u32);
            node.waits = on;
        }
    }

    /// Says that a node's owner waits for an answer from outside.
    pub(in crate::plan) fn hold(&mut self, id: NodeId) {
        self.node_mut(id).phase = Phase::Held;
    }

    /// Puts a node that was held back into the queue.
    pub(in crate::plan) fn resume(&mut self, id: NodeId) {
        self.node_mut(id).phase = Phase::Queued;
        self.queue.push_back(id);
    }

    /// Gives a node its value. Who uses it touches the node, which stands for what it was made with.
    pub(super) fn finish_for(&mut self, id: NodeId, value: Value, parts: Touched) {
        self.node_mut(id).parts = Some(parts);
        self.finish(id, value, Touched::one(id));
    }

    /// Gives a node its value. Of what was made with many things users touch the node instead.
    pub(in crate::plan) fn finish_with(&mut self, id: NodeId, value: Value, touched: Touched) {
        /// More than this many stand behind one word.
        const MOST: usize = 8;
        if touched.nodes().len() > MOST {
            self.finish_for(id, value, touched);
        } else {
            self.finish(id, value, touched);
        }
    }

    /// Gives a node its value and wakes who waits for it.
    pub(in crate::plan) fn finish(&mut self, id: NodeId, value: Value, touched: Touched) {
        let node = self.node_mut(id);
        node.value = value;
        node.touched = touched;
        node.phase = Phase::Done;
        node.waits = Vec::new();
        self.finished.push(id);
        let node = self.node_mut(id);
        let waiters = std::mem::take(&mut node.waiters);
        for waiter in waiters {
            if let Phase::Waiting(left) = &mut self.node_mut(waiter).phase {
                *left -= 1;
                if *left == 0 {
                    self.resume(waiter);
                }
            }
        }
    }

    /// Ends a node without a value of its own: what is made with it is silently not to be trusted.
    pub(in crate::plan) fn fail(&mut self, id: NodeId) {
        self.node_mut(id).failed = true;
        self.finish(id, Value::unknown(Type::Any), Touched::default());
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Evaluates until the owner has something to work on; nothing when all that can be done is done.
    pub(in crate::plan) fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let id = self.queue.pop_front()?;
            match self.kind(id) {
                NodeKind::Instance { .. } | NodeKind::Task { .. } => return Some(Event::Work(id)),
                _ => self.evaluate_node(id),
            }
        }
    }

    /// Returns the nodes that wait, each with what it waits for.
    pub(in crate::plan) fn stuck(&self) -> impl Iterator<Item = (NodeId, &[NodeId])> {
        let waiting = |node: &&(usize, &Node)| matches!(node.1.phase, Phase::Waiting(_));
        self.nodes
            .iter()
            .enumerate()
            .filter(move |node| waiting(&node))
            .map(|(idx, node)| (NodeId(idx as u32), &*node.waits))
    }

    /// Returns the nodes whose owner waits for an answer, and that some nodes wait for, however far behind; sorted.
    pub(in crate::plan) fn held_behind(&self, nodes: &[NodeId]) -> Vec<NodeId> {
        let mut open = nodes.to_vec();
        let mut seen: BTreeSet<NodeId> = nodes.iter().copied().collect();
        while let Some(id) = open.pop() {
            let waits = self.node(id).waits.iter().copied();
            open.extend(waits.filter(|other| seen.insert(*other)));
        }
        seen.into_iter().filter(|id| self.node(*id).phase == Phase::Held).collect()
    }

    /// Takes the nodes that got their values since the last call.
    pub(in crate::plan) fn take_finished(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.finished)
    }

    /// Forgets the values of nodes, so that they are computed again when somebody asks.
    pub(in crate::plan) fn forget(&mut self, ids: &[NodeId]) {
        if !ids.is_empty() {
            self.memos.values_mut().for_each(Memo::clear);
        }
        for &id in ids {
            let node = self.node_mut(id);
            if node.phase == Phase::Done && !matches!(node.kind, NodeKind::Block { .. } | NodeKind::Call { .. }) {
                node.phase = Phase::New;
                node.failed = false;
                node.parts = None;
            }
        }
    }
}

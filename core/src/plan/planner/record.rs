use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{Planner, entry::Entry};
use crate::{
    address::{Address, Mode as AddressMode, ResourcePath, Target},
    error::Span,
    graph::{Graph, NodeIdx},
    state::{ObjectId, Row},
    template::{StaticKind, StaticNode, Template, static_graph},
};

/// Decides what rows of unchanged objects say that they depend on.
///
/// A plan records what an instance may refer to as far as that is known then; afterwards, when values are known that were
/// not, the template may refer to less. That alone is no reason to write a row: what it says stays as long as it covers what
/// the template refers to, and goes no further than what the text of the template refers to. That is never a circle.
pub(super) struct Records<'a> {
    template: &'a Template,
    addresses: HashMap<ObjectId, &'a Address>,
    references: OnceCell<References>,
}

/// What the template refers to, by its text.
struct References {
    graph: Graph<StaticNode, Option<Span>>,
    blocks: HashMap<ResourcePath, NodeIdx>,
    found: RefCell<HashMap<ResourcePath, Arc<BTreeSet<ResourcePath>>>>,
}

impl Planner {
    /// Returns what decides about these entries.
    pub(super) fn records<'a>(&'a self, entries: &'a [Entry]) -> Records<'a> {
        let rows = self.rows.list.iter().map(|known| (known.row.object_id, &known.row.address));
        let made = entries.iter().filter_map(|entry| Some((entry.object?, &entry.address)));
        Records { template: &self.input.template, addresses: rows.chain(made).collect(), references: OnceCell::new() }
    }
}

impl Records<'_> {
    /// Returns what the row of an entry is to depend on.
    pub(super) fn of(&self, entry: &Entry, row: &Row) -> (Vec<ObjectId>, Vec<Target>) {
        if self.covers(row, entry) && self.is_referred_to(row, entry) {
            return (row.dependencies.clone(), row.wholes.clone());
        }
        (entry.dependencies.clone(), entry.wholes.clone())
    }

    /// Returns whether a row says all that the template does.
    fn covers(&self, row: &Row, entry: &Entry) -> bool {
        let within = |address: &Address| row.wholes.iter().any(|whole| whole.contains(address));
        let object = |object: &ObjectId| {
            row.dependencies.binary_search(object).is_ok()
                || self.addresses.get(object).is_some_and(|address| within(address))
        };
        entry.dependencies.iter().all(object) && entry.wholes.iter().all(|whole| row.wholes.contains(whole))
    }

    /// Returns whether the text of the template refers to all that a row says beyond an entry.
    fn is_referred_to(&self, row: &Row, entry: &Entry) -> bool {
        let object = |object: &ObjectId| self.addresses.get(object).map(|address| address.resource.path());
        let whole = |whole: &Target| match whole {
            Target::Resource(resource) => Some(resource.path()),
            Target::Module(_) | Target::Instance(_) => None,
        };
        let objects =
            row.dependencies.iter().filter(|other| entry.dependencies.binary_search(other).is_err()).map(object);
        let wholes = row.wholes.iter().filter(|other| !entry.wholes.contains(other)).map(whole);
        let mut more = objects.chain(wholes).peekable();
        if more.peek().is_none() {
            return true;
        }
        let references = self.references.get_or_init(|| References::new(self.template));
        let referred = references.of(&entry.address.resource.path());
        more.all(|path| path.is_some_and(|path| referred.contains(&path)))
    }
}

impl References {
    fn new(template: &Template) -> Self {
        let graph = static_graph(template);
        let block = |idx: NodeIdx| match graph.get(idx) {
            Some(StaticNode { module, kind: StaticKind::Resource(key) }) => Some((key.path(module), idx)),
            _ => None,
        };
        let blocks = graph.nodes().filter_map(block).collect();
        Self { graph, blocks, found: RefCell::default() }
    }

    /// Returns the blocks that a block refers to, by way of anything that has no rows.
    fn of(&self, path: &ResourcePath) -> Arc<BTreeSet<ResourcePath>> {
        if let Some(known) = self.found.borrow().get(path) {
            return Arc::clone(known);
        }
        let mut found = BTreeSet::new();
        let mut seen: BTreeSet<NodeIdx> = self.blocks.get(path).copied().into_iter().collect();
        let mut open: Vec<NodeIdx> = seen.iter().copied().collect();
        while let Some(node) = open.pop() {
            for (needed, _) in self.graph.needs(node) {
                if !seen.insert(needed) {
                    continue;
                }
                match self.graph.get(needed) {
                    Some(StaticNode { module, kind: StaticKind::Resource(key) })
                        if key.mode == AddressMode::Managed =>
                    {
                        found.insert(key.path(module));
                    }
                    _ => open.push(needed),
                }
            }
        }
        let found = Arc::new(found);
        self.found.borrow_mut().insert(path.clone(), Arc::clone(&found));
        found
    }
}

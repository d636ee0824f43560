use std::collections::HashSet;

use super::{Half, Item, Sequence};
use crate::{
    graph::{Cycle, Graph, NodeIdx},
    plan::Level,
};

/// Puts the steps of all items into an order in which each comes after what it needs.
///
/// Rules, in words:
/// * what is made waits for what it uses; what is unchanged in between passes the wait on;
/// * what is deleted waits until everything that was made with it is deleted, or no longer uses it;
/// * a replacement deletes first, or makes first, as the item says.
///
/// "No longer uses it" is a wish, not a law: where it would close a circle, it is dropped. What is known only of a block as
/// a whole, and what unchanged items pass on about deletes, is a belief: it is given up after wishes, before an error.
///
/// # Errors
/// The items of a circle, in the order in which they wait for one another.
///
/// # Complexity
/// O((n + e) log n), n items, e pairs of them of which one wants or had the other; needs and joins together are no more.
pub(in crate::plan) fn order(items: &[Item]) -> Result<Sequence, Vec<u32>> {
    if !items.iter().any(|item| item.make || item.delete) {
        return Ok(Sequence::default());
    }
    let mut build = Build::new(items);
    for (idx, item) in (0_u32..).zip(items) {
        for &used in &item.wants {
            build.want((idx, item), used);
        }
        for &base in &item.had {
            build.had((idx, item), base);
        }
        if item.make && item.delete {
            let (make, delete) = (build.step(idx, Half::Make), build.step(idx, Half::Delete));
            if item.create_first {
                build.need(delete, make, item.level(), Force::Law);
            } else {
                build.need(make, delete, Level::Done, Force::Law);
            }
        }
    }
    build.sequence()
}

/// Whether a need can be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Force {
    Wish,
    Belief,
    Law,
}

/// A node of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Half of an item.
    Step(u32, Half),
    /// A place where an item without that half passes waits on.
    Relay(u32),
}

/// What a relay passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Whoever uses it waits for what it uses to be made.
    Made,
    /// What it was made with goes after whoever was made with it.
    Gone,
    /// Replaced objects that it uses go after whoever uses it has changed.
    LetGo,
    /// Objects of this block go after whoever referred to all of it has changed.
    Freed,
}

struct Build<'a> {
    items: &'a [Item],
    graph: Graph<Node, (Level, Force)>,
    /// The node of each half of each item, if it has that half.
    steps: Vec<[Option<NodeIdx>; 2]>,
    /// The relays of each item, by way.
    relays: Vec<[Option<NodeIdx>; 4]>,
}

impl<'a> Build<'a> {
    fn new(items: &'a [Item]) -> Self {
        let any = |fits: fn(&Item) -> bool| items.iter().any(fits);
        let (makes, deletes) = (any(|item| item.make), any(|item| item.delete));
        let (firsts, leaves) = (any(|item| item.create_first), any(Item::leaves));
        let mut graph = Graph::with_capacity(items.len(), items.len());
        // Relays come first: they take no time, so that none holds back a step that could come next.
        let mut relay = |idx: u32, wanted: bool| wanted.then(|| graph.add_node(Node::Relay(idx)));
        let of = |(idx, item): (u32, &Item)| {
            let (uses, was) = (!item.make && !item.wants.is_empty(), !item.had.is_empty());
            [
                relay(idx, makes && uses),
                relay(idx, deletes && was && !item.delete),
                relay(idx, firsts && uses),
                relay(idx, leaves && was && item.whole),
            ]
        };
        let relays = (0_u32..).zip(items).map(of).collect();
        let mut step = |idx: u32, half: Half, wanted: bool| wanted.then(|| graph.add_node(Node::Step(idx, half)));
        let steps = (0_u32..)
            .zip(items)
            .map(|(idx, item)| [step(idx, Half::Delete, item.delete), step(idx, Half::Make, item.make)])
            .collect();
        Self { items, graph, steps, relays }
    }

    fn step(&self, idx: u32, half: Half) -> Option<NodeIdx> {
        let [delete, make] = self.steps.get(idx as usize)?;
        match half {
            Half::Delete => *delete,
            Half::Make => *make,
        }
    }

    fn relay(&self, idx: u32, way: Way) -> Option<NodeIdx> {
        let [made, gone, let_go, freed] = self.relays.get(idx as usize)?;
        match way {
            Way::Made => *made,
            Way::Gone => *gone,
            Way::LetGo => *let_go,
            Way::Freed => *freed,
        }
    }

    fn need(&mut self, from: Option<NodeIdx>, needs: Option<NodeIdx>, level: Level, force: Force) {
        if let (Some(from), Some(needs)) = (from, needs) {
            self.graph.merge_edge(from, needs, (level, force), |(have, strength), (level, force)| {
                *have = level.max(*have);
                *strength = force.max(*strength);
            });
        }
    }

    /// The template says that an item uses another.
    fn want(&mut self, (idx, item): (u32, &Item), used: u32) {
        let Some(used_item) = self.items.get(used as usize) else { return };
        let made = |this: &Self, idx: u32| this.step(idx, Half::Make).or_else(|| this.relay(idx, Way::Made));
        self.need(made(self, idx), made(self, used), used_item.level(), Force::Law);
        // The old one goes only when the new one is in use.
        let goes = if used_item.make {
            self.step(used, Half::Delete).filter(|_| used_item.create_first)
        } else {
            self.relay(used, Way::LetGo)
        };
        let changed = self.step(idx, Half::Make).or_else(|| self.relay(idx, Way::LetGo));
        self.need(goes, changed, item.level(), Force::Wish);
    }

    /// State says that an item was made with another.
    fn had(&mut self, (idx, item): (u32, &Item), base: u32) {
        let Some(base_item) = self.items.get(base as usize) else { return };
        let gone = |this: &Self, idx: u32| this.step(idx, Half::Delete).or_else(|| this.relay(idx, Way::Gone));
        let passes = !item.delete && !base_item.delete;
        let force = if passes || item.whole || base_item.whole { Force::Belief } else { Force::Law };
        self.need(gone(self, base), gone(self, idx), Level::Done, force);
        let changes = item.make && !item.delete;
        let changed = self.relay(idx, Way::Freed).or_else(|| self.step(idx, Half::Make).filter(|_| changes));
        let goes =
            self.relay(base, Way::Freed).or_else(|| self.step(base, Half::Delete).filter(|_| base_item.leaves()));
        self.need(goes, changed, item.level(), Force::Wish);
    }

    fn sequence(mut self) -> Result<Sequence, Vec<u32>> {
        let mut order = self.graph.topological_order();
        if let Err(circles) = &order {
            let relays = |circle: &&Cycle| {
                circle.members().iter().all(|node| matches!(self.graph.get(*node), Some(Node::Relay(_))))
            };
            let relays: Vec<Cycle> = circles.iter().filter(relays).cloned().collect();
            relays.iter().for_each(|circle| self.condense(circle.members()));
            order = self.graph.topological_order();
        }
        for given_up in [Force::Wish, Force::Belief] {
            if order.is_err() {
                self.graph.drop_soft_edges(|(_, force)| *force <= given_up);
                order = self.graph.topological_order();
            }
        }
        match order {
            Ok(order) => Ok(super::join::join(&self.graph, &order)),
            Err(cycles) => Err(self.items_of(cycles.first().map_or(&[], |cycle| cycle.path()))),
        }
    }

    /// Takes relays that pass on to one another as one: whoever waits for any of them waits for all that they wait for.
    fn condense(&mut self, members: &[NodeIdx]) {
        let Some((first, rest)) = members.split_first() else { return };
        let inside: HashSet<NodeIdx> = members.iter().copied().collect();
        let edges = |graph: &Graph<Node, (Level, Force)>, node: NodeIdx| {
            let needs = graph.needs(node).map(|(needed, edge)| (*first, needed, *edge)).collect::<Vec<_>>();
            needs
                .into_iter()
                .chain(graph.dependents(node).map(|(user, edge)| (user, *first, *edge)))
                .collect::<Vec<_>>()
        };
        let outside = |(from, needs, _): &(NodeIdx, NodeIdx, _)| !(inside.contains(from) && inside.contains(needs));
        let moved: Vec<_> = rest.iter().flat_map(|node| edges(&self.graph, *node)).filter(outside).collect();
        for from in members {
            let needs: Vec<NodeIdx> = self.graph.needs(*from).map(|(needed, _)| needed).collect();
            for needed in needs.into_iter().filter(|needed| inside.contains(needed)) {
                self.graph.remove_edge(*from, needed);
            }
        }
        for (from, needs, (level, force)) in moved {
            self.need(Some(from), Some(needs), level, force);
        }
    }

    fn items_of(&self, path: &[NodeIdx]) -> Vec<u32> {
        let steps = path.iter().filter_map(|&node| match self.graph.get(node) {
            Some(Node::Step(item, _)) => Some(*item),
            _ => None,
        });
        let mut items: Vec<u32> = steps.collect();
        items.dedup();
        // The same circle is told from the same start.
        let start = (0..items.len()).min_by_key(|at| items.get(*at)).unwrap_or(0);
        items.rotate_left(start);
        items
    }
}

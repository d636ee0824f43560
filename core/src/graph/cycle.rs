use std::{collections::VecDeque, fmt};

use petgraph::algo::kosaraju_scc;

use super::{Graph, NodeIdx};

/// How many nodes of a tangle are tried as the start of its shortest cycle.
const STARTS_TRIED: usize = 32;

/// A tangle of nodes that all need each other, and one short loop through it that explains why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    path: Vec<NodeIdx>,
    members: Vec<NodeIdx>,
}

impl Cycle {
    /// Returns the loop: each node needs the next, and the last needs the first. Never empty.
    pub fn path(&self) -> &[NodeIdx] {
        &self.path
    }

    /// Returns all nodes of the tangle (the strongly connected component), in the order in which they were added.
    pub fn members(&self) -> &[NodeIdx] {
        &self.members
    }

    /// Returns something that prints the loop in words, with a name for each node.
    ///
    /// "`a` needs `b`, which needs `a`", and how many nodes are tangled if the loop is not all of it.
    pub fn explain<'a, L: fmt::Display>(&'a self, label: impl Fn(NodeIdx) -> L + 'a) -> impl fmt::Display + 'a {
        Explained { cycle: self, label }
    }
}

struct Explained<'a, F> {
    cycle: &'a Cycle,
    label: F,
}

impl<L: fmt::Display, F: Fn(NodeIdx) -> L> fmt::Display for Explained<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.cycle.path.split_first() else { return Ok(()) };
        write!(f, "`{}`", (self.label)(*first))?;
        if others.is_empty() {
            f.write_str(" needs itself")?;
        }
        for (position, node) in others.iter().chain((!others.is_empty()).then_some(first)).enumerate() {
            let needs = if position == 0 { " needs" } else { ", which needs" };
            write!(f, "{needs} `{}`", (self.label)(*node))?;
        }
        let tangled = self.cycle.members.len();
        if tangled > self.cycle.path.len() {
            write!(f, " (the shortest loop among {tangled} that need each other)")?;
        }
        Ok(())
    }
}

impl<N, E> Graph<N, E> {
    /// Returns every tangle of nodes that need each other, each with a short loop that explains it, by the node of
    /// the tangle that was added first. Empty if the graph can be ordered.
    ///
    /// The loop is the shortest through any of the first 32 nodes of the tangle.
    ///
    /// # Complexity
    /// O(n + e).
    pub fn cycles(&self) -> Vec<Cycle> {
        let component = self.components();
        let mut tangles: Vec<Vec<NodeIdx>> = vec![Vec::new(); self.node_count()];
        for node in self.nodes() {
            if let Some(tangle) = component.get(node.index()).and_then(|first| tangles.get_mut(first.index())) {
                tangle.push(node);
            }
        }
        let mut search = Search::new(self.node_count());
        let mut cycles = Vec::new();
        for members in tangles {
            let is_cycle = match members.as_slice() {
                [] => false,
                [only] => self.edge(*only, *only).is_some(),
                _ => true,
            };
            if is_cycle {
                let path = self.shortest_loop(&members, &component, &mut search);
                cycles.push(Cycle { path, members });
            }
        }
        cycles
    }

    /// Removes every soft edge that lies within a tangle of nodes that need each other; returns what was removed as
    /// (`from`, `needs`, what the edge carried), in the order of [`Graph::edges`].
    ///
    /// One pass: it may remove more soft edges than would be enough, and cycles of hard edges alone stay.
    ///
    /// # Complexity
    /// O(n + e).
    pub fn drop_soft_edges(&mut self, is_soft: impl Fn(&E) -> bool) -> Vec<(NodeIdx, NodeIdx, E)> {
        let component = self.components();
        let within: Vec<(NodeIdx, NodeIdx)> = self
            .edges()
            .filter(|(from, needs, edge)| component.get(from.index()) == component.get(needs.index()) && is_soft(edge))
            .map(|(from, needs, _)| (from, needs))
            .collect();
        within
            .into_iter()
            .filter_map(|(from, needs)| self.remove_edge(from, needs).map(|edge| (from, needs, edge)))
            .collect()
    }

    /// Returns for each node the first-added node of its strongly connected component.
    ///
    /// Kosaraju's algorithm, because it does not recurse: a long chain must not end on the stack.
    fn components(&self) -> Vec<NodeIdx> {
        let mut component: Vec<NodeIdx> = self.nodes().collect();
        for members in kosaraju_scc(&self.inner) {
            let Some(first) = members.iter().min() else { continue };
            let first = NodeIdx::from_index(first.index());
            for member in &members {
                if let Some(slot) = component.get_mut(member.index()) {
                    *slot = first;
                }
            }
        }
        component
    }

    /// Returns the shortest loop through one of the first members of a tangle.
    fn shortest_loop(&self, members: &[NodeIdx], component: &[NodeIdx], search: &mut Search) -> Vec<NodeIdx> {
        let mut shortest: Vec<NodeIdx> = Vec::new();
        for &start in members.iter().take(STARTS_TRIED) {
            let found = search.loop_through(self, start, component);
            if shortest.is_empty() || (!found.is_empty() && found.len() < shortest.len()) {
                shortest = found;
            }
            if shortest.len() == 1 {
                break;
            }
        }
        shortest
    }
}

/// Breadth-first search that is reused, so that many small tangles cost no more than they hold.
struct Search {
    /// From where each node was reached; valid if `round` is the current one.
    reached_from: Vec<(u32, NodeIdx)>,
    round: u32,
}

impl Search {
    fn new(node_count: usize) -> Self {
        Self { reached_from: vec![(0, NodeIdx::from_index(0)); node_count], round: 0 }
    }

    /// Returns the shortest loop from a node back to itself within its component; empty if there is none.
    fn loop_through<N, E>(&mut self, graph: &Graph<N, E>, start: NodeIdx, component: &[NodeIdx]) -> Vec<NodeIdx> {
        self.round += 1;
        let mut open = VecDeque::from([start]);
        while let Some(node) = open.pop_front() {
            for (needed, _) in graph.needs(node) {
                if needed == start {
                    return self.way_back(start, node);
                }
                if component.get(needed.index()) != component.get(start.index()) {
                    continue;
                }
                if let Some(slot) = self.reached_from.get_mut(needed.index())
                    && slot.0 != self.round
                {
                    *slot = (self.round, node);
                    open.push_back(needed);
                }
            }
        }
        Vec::new()
    }

    fn way_back(&self, start: NodeIdx, last: NodeIdx) -> Vec<NodeIdx> {
        let mut path = vec![last];
        let mut at = last;
        while at != start {
            let Some((_, before)) = self.reached_from.get(at.index()) else { break };
            at = *before;
            path.push(at);
        }
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph(node_count: usize, edges: &[(usize, usize, bool)]) -> Graph<usize, bool> {
        let mut graph = Graph::new();
        let nodes: Vec<NodeIdx> = (0..node_count).map(|number| graph.add_node(number)).collect();
        for &(from, needs, soft) in edges {
            graph.add_edge(nodes[from], nodes[needs], soft);
        }
        graph
    }

    fn explained(node_count: usize, edges: &[(usize, usize)]) -> Vec<String> {
        let edges: Vec<_> = edges.iter().map(|&(from, needs)| (from, needs, false)).collect();
        let cycles = graph(node_count, &edges).cycles();
        cycles.iter().map(|cycle| cycle.explain(|node| format!("n{}", node.index())).to_string()).collect()
    }

    #[test]
    fn loops_are_explained_in_order() {
        assert_eq!(explained(3, &[(0, 1), (1, 2)]), [] as [&str; 0]);
        assert_eq!(explained(2, &[(1, 1)]), ["`n1` needs itself"]);
        assert_eq!(explained(2, &[(1, 0), (0, 1)]), ["`n0` needs `n1`, which needs `n0`"]);
        assert_eq!(
            explained(4, &[(0, 2), (2, 1), (1, 0), (3, 0)]),
            ["`n0` needs `n2`, which needs `n1`, which needs `n0`"]
        );
        assert_eq!(
            explained(5, &[(0, 1), (1, 0), (3, 4), (4, 3)]),
            ["`n0` needs `n1`, which needs `n0`", "`n3` needs `n4`, which needs `n3`"]
        );
    }

    #[test]
    fn the_shortest_loop_stands_for_the_tangle() {
        let ring_with_chord = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (3, 2)];
        assert_eq!(
            explained(5, &ring_with_chord),
            ["`n2` needs `n3`, which needs `n2` (the shortest loop among 5 that need each other)"]
        );
    }

    #[test]
    fn soft_edges_in_a_tangle_go() {
        let mut tangled = graph(4, &[(0, 1, false), (1, 0, true), (2, 0, true), (3, 3, true)]);
        let dropped: Vec<_> =
            tangled.drop_soft_edges(|soft| *soft).into_iter().map(|(f, n, _)| (f.index(), n.index())).collect();
        assert_eq!(dropped, [(1, 0), (3, 3)]);
        assert_eq!(tangled.edge_count(), 2);
        assert_eq!(tangled.cycles(), []);
        let mut hard = graph(2, &[(0, 1, false), (1, 0, false)]);
        assert!(hard.drop_soft_edges(|soft| *soft).is_empty());
        assert_eq!(hard.cycles().len(), 1);
    }

    /// Returns whether one node reaches another by at least one edge.
    fn reaches(graph: &Graph<usize, bool>, from: NodeIdx, to: NodeIdx) -> bool {
        let next: Vec<NodeIdx> = graph.needs(from).map(|(needed, _)| needed).collect();
        graph.needs_closure(next).contains(&to)
    }

    proptest! {
        #[test]
        fn cycles_are_what_reachability_says(
            edges in proptest::collection::vec((0..9_usize, 0..9_usize, any::<bool>()), 0..20),
        ) {
            let mut graph = graph(9, &edges);
            let cycles = graph.cycles();
            for cycle in &cycles {
                let path = cycle.path();
                for (node, next) in path.iter().zip(path.iter().cycle().skip(1)) {
                    prop_assert!(graph.edge(*node, *next).is_some());
                    prop_assert!(cycle.members().contains(node));
                }
                let distinct: std::collections::BTreeSet<_> = path.iter().collect();
                prop_assert_eq!(distinct.len(), path.len());
                let is_shortest = cycle.members().iter().all(|start| {
                    let inner: Vec<_> = graph.needs(*start).map(|(needed, _)| needed).collect();
                    path.len() == 1 || !inner.contains(start)
                });
                prop_assert!(is_shortest);
            }
            for node in graph.nodes() {
                let mates: Vec<NodeIdx> = graph
                    .nodes()
                    .filter(|other| reaches(&graph, node, *other) && reaches(&graph, *other, node))
                    .collect();
                let found = cycles.iter().find(|cycle| cycle.members().contains(&node));
                prop_assert_eq!(found.map(Cycle::members).unwrap_or_default(), &mates);
            }
            let before: Vec<_> = graph.edges().map(|(from, needs, soft)| (from, needs, *soft)).collect();
            let dropped = graph.drop_soft_edges(|soft| *soft);
            for (from, needs, soft) in before {
                let in_tangle = cycles.iter().any(|cycle| cycle.members().contains(&from) && cycle.members().contains(&needs));
                prop_assert_eq!(dropped.contains(&(from, needs, soft)), soft && in_tangle);
                prop_assert_eq!(graph.edge(from, needs).is_some(), !(soft && in_tangle));
            }
        }
    }
}

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    ops::{Index, IndexMut},
};

use petgraph::{
    Direction,
    stable_graph::{EdgeIndex, NodeIndex, StableDiGraph},
    visit::{EdgeRef, IntoEdgeReferences},
};

/// One node of a [`Graph`]: a number that counts nodes from 0 in the order in which they were added.
///
/// It means nothing in another graph, and it must never reach a store or a person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIdx(u32);

impl NodeIdx {
    /// Returns the number, for side tables with one entry per node.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    pub(super) fn from_index(index: usize) -> Self {
        Self(index as u32)
    }

    pub(super) const fn raw(self) -> u32 {
        self.0
    }

    pub(super) fn inner(self) -> NodeIndex<u32> {
        NodeIndex::new(self.index())
    }
}

impl fmt::Debug for NodeIdx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A directed graph with data on nodes (`N`) and edges (`E`); an edge says that `from` needs `needs`.
///
/// A node that is asked about must come from this graph; one with a number that this graph does not have makes
/// methods panic or answer as if it stood alone.
///
/// # Examples
/// ```
/// use stackwright::graph::Graph;
///
/// let mut graph = Graph::new();
/// let [vpc, subnet] = [graph.add_node("vpc"), graph.add_node("subnet")];
/// graph.add_edge(subnet, vpc, ());
/// let order = graph.topological_order().expect("no cycle");
/// assert_eq!(order, [vpc, subnet]);
/// ```
#[derive(Clone)]
pub struct Graph<N, E> {
    pub(super) inner: StableDiGraph<N, E, u32>,
    edge_by_ends: HashMap<(u32, u32), EdgeIndex<u32>>,
}

impl<N, E> Graph<N, E> {
    /// Returns a graph without nodes.
    pub fn new() -> Self {
        Self::with_capacity(0, 0)
    }

    /// Returns a graph without nodes that has room for so many.
    pub fn with_capacity(node_count: usize, edge_count: usize) -> Self {
        Self {
            inner: StableDiGraph::with_capacity(node_count, edge_count),
            edge_by_ends: HashMap::with_capacity(edge_count),
        }
    }

    /// Adds a node.
    pub fn add_node(&mut self, node: N) -> NodeIdx {
        NodeIdx::from_index(self.inner.add_node(node).index())
    }

    /// Adds "`from` needs `needs`", unless that edge is there; returns whether it was added.
    ///
    /// An edge from a node to itself is allowed, and is a cycle.
    ///
    /// # Complexity
    /// O(1) on average.
    pub fn add_edge(&mut self, from: NodeIdx, needs: NodeIdx, edge: E) -> bool {
        self.merge_edge(from, needs, edge, |_, _| ())
    }

    /// Adds "`from` needs `needs`", or lets `merge` put the new data into those of the edge that is there; returns
    /// whether it was added.
    ///
    /// # Complexity
    /// O(1) on average.
    pub fn merge_edge(&mut self, from: NodeIdx, needs: NodeIdx, edge: E, merge: impl FnOnce(&mut E, E)) -> bool {
        match self.edge_by_ends.entry((from.raw(), needs.raw())) {
            Entry::Vacant(vacant) => {
                vacant.insert(self.inner.add_edge(from.inner(), needs.inner(), edge));
                true
            }
            Entry::Occupied(occupied) => {
                if let Some(present) = self.inner.edge_weight_mut(*occupied.get()) {
                    merge(present, edge);
                }
                false
            }
        }
    }

    /// Removes "`from` needs `needs`"; returns what it carried.
    pub fn remove_edge(&mut self, from: NodeIdx, needs: NodeIdx) -> Option<E> {
        let edge = self.edge_by_ends.remove(&(from.raw(), needs.raw()))?;
        self.inner.remove_edge(edge)
    }

    /// Returns the number of nodes.
    pub fn node_count(&self) -> usize {
        self.inner.node_count()
    }

    /// Returns the number of edges.
    pub fn edge_count(&self) -> usize {
        self.inner.edge_count()
    }

    /// Returns what a node carries.
    pub fn get(&self, node: NodeIdx) -> Option<&N> {
        self.inner.node_weight(node.inner())
    }

    /// Returns what a node carries, to be changed.
    pub fn get_mut(&mut self, node: NodeIdx) -> Option<&mut N> {
        self.inner.node_weight_mut(node.inner())
    }

    /// Returns what the edge "`from` needs `needs`" carries.
    pub fn edge(&self, from: NodeIdx, needs: NodeIdx) -> Option<&E> {
        self.inner.edge_weight(*self.edge_by_ends.get(&(from.raw(), needs.raw()))?)
    }

    /// Returns the nodes in the order in which they were added.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeIdx> + use<N, E> {
        (0..self.node_count()).map(NodeIdx::from_index)
    }

    /// Returns the edges as (`from`, `needs`, what the edge carries), in the order in which they were added as long
    /// as none was removed.
    pub fn edges(&self) -> impl Iterator<Item = (NodeIdx, NodeIdx, &E)> {
        self.inner.edge_references().map(|edge| {
            (NodeIdx::from_index(edge.source().index()), NodeIdx::from_index(edge.target().index()), edge.weight())
        })
    }

    /// Returns what a node needs directly, with what the edges carry, latest added first.
    pub fn needs(&self, node: NodeIdx) -> impl Iterator<Item = (NodeIdx, &E)> {
        self.inner
            .edges_directed(node.inner(), Direction::Outgoing)
            .map(|edge| (NodeIdx::from_index(edge.target().index()), edge.weight()))
    }

    /// Returns what needs a node directly, with what the edges carry, latest added first.
    pub fn dependents(&self, node: NodeIdx) -> impl Iterator<Item = (NodeIdx, &E)> {
        self.inner
            .edges_directed(node.inner(), Direction::Incoming)
            .map(|edge| (NodeIdx::from_index(edge.source().index()), edge.weight()))
    }

    /// Returns a graph of the same shape, with other data; nodes keep their numbers.
    pub fn map<'a, N2, E2>(
        &'a self,
        mut node: impl FnMut(NodeIdx, &'a N) -> N2,
        mut edge: impl FnMut(&'a E) -> E2,
    ) -> Graph<N2, E2> {
        let mut mapped = Graph::with_capacity(self.node_count(), self.edge_count());
        for (position, weight) in self.inner.node_weights().enumerate() {
            mapped.add_node(node(NodeIdx::from_index(position), weight));
        }
        for (from, needs, weight) in self.edges() {
            mapped.add_edge(from, needs, edge(weight));
        }
        mapped
    }
}

impl<N, E> Default for Graph<N, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N, E> Index<NodeIdx> for Graph<N, E> {
    type Output = N;

    /// Returns what a node of this graph carries.
    ///
    /// # Panics
    /// When this graph has no node of that number.
    fn index(&self, node: NodeIdx) -> &N {
        &self.inner[node.inner()]
    }
}

impl<N, E> IndexMut<NodeIdx> for Graph<N, E> {
    /// Returns what a node of this graph carries, to be changed.
    ///
    /// # Panics
    /// When this graph has no node of that number.
    fn index_mut(&mut self, node: NodeIdx) -> &mut N {
        &mut self.inner[node.inner()]
    }
}

impl<N: fmt::Debug, E: fmt::Debug> fmt::Debug for Graph<N, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<(NodeIdx, &N)> = self.nodes().zip(self.inner.node_weights()).collect();
        let edges: Vec<(NodeIdx, NodeIdx, &E)> = self.edges().collect();
        write!(f, "Graph {{ nodes: {nodes:?}, edges: {edges:?} }}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_is_there_once() {
        let mut graph = Graph::new();
        let [a, b] = ["a", "b"].map(|name| graph.add_node(name));
        assert!(graph.add_edge(a, b, 1));
        assert!(!graph.add_edge(a, b, 2));
        assert_eq!((graph.edge_count(), graph.edge(a, b), graph.edge(b, a)), (1, Some(&1), None));
        assert!(!graph.merge_edge(a, b, 5, |present, new| *present = new.max(*present)));
        assert_eq!(graph.edge(a, b), Some(&5));
        assert!(graph.add_edge(b, a, 3), "the other direction is another edge");
        assert_eq!(graph.remove_edge(a, b), Some(5));
        assert_eq!(graph.remove_edge(a, b), None);
        assert!(graph.add_edge(a, b, 7));
        assert_eq!(graph.edge(b, a), Some(&3), "removing one edge leaves the others alone");
    }

    #[test]
    fn neighbours_are_seen_from_both_ends() {
        let mut graph = Graph::new();
        let [a, b, c] = ["a", "b", "c"].map(|name| graph.add_node(name));
        graph.add_edge(c, a, 'x');
        graph.add_edge(c, b, 'y');
        assert_eq!(graph.needs(c).collect::<Vec<_>>(), [(b, &'y'), (a, &'x')]);
        assert_eq!(graph.dependents(a).collect::<Vec<_>>(), [(c, &'x')]);
        assert_eq!(graph.needs(a).count(), 0);
        let named = graph.map(|node, name| format!("{name}{}", node.index()), |edge| edge.to_string());
        assert_eq!(
            format!("{named:?}"),
            r#"Graph { nodes: [(#0, "a0"), (#1, "b1"), (#2, "c2")], edges: [(#2, #0, "x"), (#2, #1, "y")] }"#
        );
    }
}

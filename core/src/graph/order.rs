use std::{cmp::Reverse, collections::BinaryHeap};

use super::{Cycle, Graph, NodeIdx};

impl<N, E> Graph<N, E> {
    /// Returns all nodes, what is needed before what needs it; of those that could come next, the one added first.
    ///
    /// # Errors
    /// The cycles, if there are any; never empty then.
    ///
    /// # Complexity
    /// O((n + e) log n).
    pub fn topological_order(&self) -> Result<Vec<NodeIdx>, Vec<Cycle>> {
        let mut waits_for: Vec<usize> = self.nodes().map(|node| self.needs(node).count()).collect();
        let mut free: BinaryHeap<Reverse<NodeIdx>> =
            self.nodes().filter(|node| waits_for.get(node.index()) == Some(&0)).map(Reverse).collect();
        let mut order = Vec::with_capacity(self.node_count());
        while let Some(Reverse(node)) = free.pop() {
            order.push(node);
            for (dependent, _) in self.dependents(node) {
                if let Some(count) = waits_for.get_mut(dependent.index()) {
                    *count -= 1;
                    if *count == 0 {
                        free.push(Reverse(dependent));
                    }
                }
            }
        }
        if order.len() == self.node_count() { Ok(order) } else { Err(self.cycles()) }
    }

    /// Returns these nodes and everything that they need, directly or not, in the order in which nodes were added.
    ///
    /// # Complexity
    /// O(n + e).
    pub fn needs_closure(&self, starts: impl IntoIterator<Item = NodeIdx>) -> Vec<NodeIdx> {
        self.closure(starts, |node, found| found.extend(self.needs(node).map(|(needed, _)| needed)))
    }

    /// Returns these nodes and everything that needs them, directly or not, in the order in which nodes were added.
    ///
    /// # Complexity
    /// O(n + e).
    pub fn dependents_closure(&self, starts: impl IntoIterator<Item = NodeIdx>) -> Vec<NodeIdx> {
        self.closure(starts, |node, found| found.extend(self.dependents(node).map(|(dependent, _)| dependent)))
    }

    fn closure(
        &self,
        starts: impl IntoIterator<Item = NodeIdx>,
        next: impl Fn(NodeIdx, &mut Vec<NodeIdx>),
    ) -> Vec<NodeIdx> {
        let mut seen = vec![false; self.node_count()];
        let mut open: Vec<NodeIdx> = starts.into_iter().collect();
        while let Some(node) = open.pop() {
            if let Some(seen) = seen.get_mut(node.index())
                && !std::mem::replace(seen, true)
            {
                next(node, &mut open);
            }
        }
        self.nodes().filter(|node| seen.get(node.index()) == Some(&true)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph(node_count: usize, edges: &[(usize, usize)]) -> Graph<usize, ()> {
        let mut graph = Graph::new();
        let nodes: Vec<NodeIdx> = (0..node_count).map(|number| graph.add_node(number)).collect();
        for &(from, needs) in edges {
            graph.add_edge(nodes[from], nodes[needs], ());
        }
        graph
    }

    fn numbers(nodes: Vec<NodeIdx>) -> Vec<usize> {
        nodes.into_iter().map(NodeIdx::index).collect()
    }

    #[test]
    fn needed_first_then_as_added() {
        let check = |node_count, edges: &[_], expect: &[usize]| {
            assert_eq!(numbers(graph(node_count, edges).topological_order().expect("no cycle")), expect);
        };
        check(0, &[], &[]);
        check(3, &[], &[0, 1, 2]);
        check(3, &[(0, 2)], &[1, 2, 0]);
        check(4, &[(0, 3), (3, 1), (1, 2)], &[2, 1, 3, 0]);
    }

    #[test]
    fn closures_go_one_way() {
        let graph = graph(6, &[(1, 0), (2, 1), (3, 1), (5, 4), (2, 0)]);
        let at = NodeIdx::from_index;
        assert_eq!(numbers(graph.needs_closure([at(2)])), [0, 1, 2]);
        assert_eq!(numbers(graph.dependents_closure([at(1)])), [1, 2, 3]);
        assert_eq!(numbers(graph.dependents_closure([at(4), at(3)])), [3, 4, 5]);
        assert_eq!(numbers(graph.needs_closure([])), [] as [usize; 0]);
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let length = 200_000;
        let edges: Vec<(usize, usize)> = (1..length).map(|number| (number, number - 1)).collect();
        let chain = graph(length, &edges);
        assert_eq!(chain.topological_order().expect("no cycle").len(), length);
        assert_eq!(chain.cycles(), []);
        assert_eq!(chain.needs_closure([NodeIdx::from_index(length - 1)]).len(), length);
    }

    proptest! {
        #[test]
        fn an_order_puts_what_is_needed_first(edges in proptest::collection::vec((0..12_usize, 0..12_usize), 0..24)) {
            let graph = graph(12, &edges);
            match graph.topological_order() {
                Ok(order) => {
                    let place: Vec<usize> = graph
                        .nodes()
                        .map(|node| order.iter().position(|other| *other == node).expect("every node is in the order"))
                        .collect();
                    prop_assert_eq!(order.len(), 12);
                    for (from, needs) in edges {
                        prop_assert!(place[needs] < place[from]);
                    }
                    prop_assert_eq!(graph.cycles(), []);
                }
                Err(cycles) => {
                    prop_assert!(!cycles.is_empty());
                    prop_assert_eq!(cycles, graph.cycles());
                }
            }
        }
    }
}

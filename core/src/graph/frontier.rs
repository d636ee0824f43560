use std::{cmp::Reverse, collections::BinaryHeap};

use super::{Cycle, Graph, NodeIdx};

/// Which nodes of a graph may start now, and which of them first.
///
/// Each edge asks for a *level* of what it needs: a number that grows as a node gets on (1 applied, 2 ready, 3 done,
/// say; the frontier only compares). Level 0 holds from the start. A node becomes ready when every edge to what it
/// needs holds, and is given out exactly once. First comes the node that heads the costliest chain of dependents
/// (the critical path), then the one that was added first.
///
/// A *passage* is never given out: when everything that it needs holds, it counts as having got to every level at once.
/// That is how n nodes that each wait for the same m others cost n + m edges.
///
/// It is a pure machine: no clock, no threads. The same calls give the same answers.
///
/// # Complexity
/// O((n + e) log n) for everything together, from building to the last node.
///
/// # Examples
/// ```
/// use stackwright::graph::{Frontier, Graph};
///
/// let mut graph = Graph::new();
/// let [vpc, disk, vm] = ["vpc", "disk", "vm"].map(|name| graph.add_node(name));
/// graph.add_edge(vm, vpc, 2_u8); // needs it ready
/// graph.add_edge(vm, disk, 1_u8); // needs it applied
/// let mut frontier = Frontier::new(&graph, |_, _| 1, |level| *level).expect("no cycle");
/// assert_eq!(frontier.pop_ready(), Some(vpc));
/// assert_eq!(frontier.pop_ready(), Some(disk));
/// frontier.reached(disk, 1);
/// frontier.reached(vpc, 1);
/// assert_eq!(frontier.pop_ready(), None);
/// frontier.reached(vpc, 2);
/// assert_eq!(frontier.pop_ready(), Some(vm));
/// assert!(frontier.is_exhausted());
/// ```
#[derive(Clone, Debug)]
pub struct Frontier {
    nodes: Vec<Node>,
    /// What waits for each node, node by node, lowest level first.
    waiters: Vec<Waiter>,
    /// Priority, then the earlier node; may hold nodes that were skipped since.
    ready: BinaryHeap<(u64, Reverse<NodeIdx>)>,
    /// Nodes that were neither given out nor skipped.
    left: usize,
    /// Passages that hold and whose waiters were not told yet; empty between calls.
    passing: Vec<NodeIdx>,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    node: NodeIdx,
    level: u8,
}

#[derive(Clone, Debug)]
struct Node {
    /// The first waiter whose level was not reached.
    next_waiter: usize,
    /// One past the last waiter.
    end_waiter: usize,
    /// How many edges do not hold yet.
    unmet: usize,
    priority: u64,
    phase: Phase,
    is_passage: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    GivenOut,
    Skipped,
}

impl Frontier {
    /// Returns the frontier of a graph of which nothing has run and in which no node is a passage.
    ///
    /// `cost` estimates a node's duration, in any unit (1 for all if nothing is known); `level` says what an edge asks
    /// of what it needs.
    ///
    /// # Errors
    /// The cycles, if there are any.
    pub fn new<N, E>(
        graph: &Graph<N, E>,
        cost: impl Fn(NodeIdx, &N) -> u64,
        level: impl Fn(&E) -> u8,
    ) -> Result<Self, Vec<Cycle>> {
        Self::with_passages(graph, cost, level, |_, _| false)
    }

    /// Returns the frontier of a graph of which nothing has run; `is_passage` says which nodes are passages.
    ///
    /// # Errors
    /// The cycles, if there are any.
    pub fn with_passages<N, E>(
        graph: &Graph<N, E>,
        cost: impl Fn(NodeIdx, &N) -> u64,
        level: impl Fn(&E) -> u8,
        is_passage: impl Fn(NodeIdx, &N) -> bool,
    ) -> Result<Self, Vec<Cycle>> {
        let order = graph.topological_order()?;
        let mut nodes = Vec::with_capacity(graph.node_count());
        let mut waiters = Vec::with_capacity(graph.edge_count());
        for node in graph.nodes() {
            let first = waiters.len();
            let counted = graph.dependents(node).map(|(node, edge)| Waiter { node, level: level(edge) });
            waiters.extend(counted.filter(|waiter| waiter.level > 0));
            if let Some(mine) = waiters.get_mut(first..) {
                mine.sort_unstable_by_key(|waiter| (waiter.level, waiter.node));
            }
            let unmet = graph.needs(node).filter(|(_, edge)| level(edge) > 0).count();
            let (next_waiter, end_waiter) = (first, waiters.len());
            let is_passage = is_passage(node, &graph[node]);
            nodes.push(Node { next_waiter, end_waiter, unmet, priority: 0, phase: Phase::Waiting, is_passage });
        }
        let mut frontier = Self { left: nodes.len(), nodes, waiters, ready: BinaryHeap::new(), passing: Vec::new() };
        for &node in order.iter().rev() {
            let behind = graph.dependents(node).map(|(dependent, _)| frontier.priority(dependent)).max().unwrap_or(0);
            if let Some(own) = frontier.nodes.get_mut(node.index()) {
                own.priority = cost(node, &graph[node]).saturating_add(behind);
            }
        }
        for node in graph.nodes() {
            frontier.offer(node);
        }
        frontier.pass();
        Ok(frontier)
    }

    /// Returns the most urgent node that may start, and gives it out.
    pub fn pop_ready(&mut self) -> Option<NodeIdx> {
        while let Some((_, Reverse(node))) = self.ready.pop() {
            if let Some(own) = self.nodes.get_mut(node.index())
                && own.phase == Phase::Waiting
            {
                own.phase = Phase::GivenOut;
                self.left -= 1;
                return Some(node);
            }
        }
        None
    }

    /// Notes that a node got as far as a level (and so past all lower ones), which may make others ready.
    ///
    /// A node that gets on without having been given out counts as given out: this is how a resumed run says what
    /// happened before. A level that was reached already, and anything about a skipped node, changes nothing.
    pub fn reached(&mut self, node: NodeIdx, level: u8) {
        let Some(own) = self.nodes.get_mut(node.index()) else { return };
        match own.phase {
            Phase::Skipped => return,
            Phase::GivenOut => {}
            Phase::Waiting => {
                own.phase = Phase::GivenOut;
                self.left -= 1;
            }
        }
        self.tell(node, level);
        self.pass();
    }

    /// Returns whether everything that a passage needs holds.
    pub fn has_passed(&self, passage: NodeIdx) -> bool {
        self.nodes.get(passage.index()).is_some_and(|own| own.is_passage && own.phase == Phase::GivenOut)
    }

    /// Counts a level down from what waits for it.
    fn tell(&mut self, node: NodeIdx, level: u8) {
        while let Some(waiter) = self.take_waiter(node, level) {
            if let Some(other) = self.nodes.get_mut(waiter.index()) {
                other.unmet -= 1;
            }
            self.offer(waiter);
        }
    }

    /// Lets the passages that hold now pass, and those behind them.
    fn pass(&mut self) {
        while let Some(passage) = self.passing.pop() {
            self.tell(passage, u8::MAX);
        }
    }

    /// Notes that a node gets no further than it got; returns the others that therefore never start.
    ///
    /// Those are the nodes that wait for more of it, directly or not. Neither they nor the node itself, if it has not
    /// been given out, will be. The others are listed with the nearest first.
    pub fn skip(&mut self, node: NodeIdx) -> Vec<NodeIdx> {
        let Some(own) = self.nodes.get_mut(node.index()) else { return Vec::new() };
        if own.phase == Phase::Waiting {
            self.left -= 1;
        }
        own.phase = Phase::Skipped;
        let closure = self.dependents_closure(node);
        for skipped in &closure {
            if let Some(other) = self.nodes.get_mut(skipped.index()) {
                other.phase = Phase::Skipped;
                self.left -= 1;
            }
        }
        closure
    }

    /// Returns the nodes that wait for a node to get on, directly or not, nearest first; without the node itself, and
    /// without those that were given out or skipped.
    ///
    /// # Complexity
    /// O(m) expected, m nodes found and the edges between them.
    pub fn dependents_closure(&self, node: NodeIdx) -> Vec<NodeIdx> {
        let mut seen = std::collections::HashSet::from([node]);
        let mut found = vec![node];
        let mut at = 0;
        while let Some(current) = found.get(at).copied() {
            at += 1;
            for waiter in self.waiters_of(current) {
                let waits = self.nodes.get(waiter.node.index()).is_some_and(|other| other.phase == Phase::Waiting);
                if waits && seen.insert(waiter.node) {
                    found.push(waiter.node);
                }
            }
        }
        found.remove(0);
        found
    }

    /// Returns the cost of the costliest chain that begins with this node and follows its dependents.
    pub fn priority(&self, node: NodeIdx) -> u64 {
        self.nodes.get(node.index()).map_or(0, |own| own.priority)
    }

    /// Returns the cost of the costliest chain in the graph: no amount of parallel work ends sooner.
    pub fn critical_path_cost(&self) -> u64 {
        self.nodes.iter().map(|node| node.priority).max().unwrap_or(0)
    }

    /// Returns how many nodes were neither given out nor skipped.
    pub fn left_count(&self) -> usize {
        self.left
    }

    /// Returns whether every node was given out or skipped.
    pub fn is_exhausted(&self) -> bool {
        self.left == 0
    }

    /// Returns the waiters of a node whose level it has not reached.
    fn waiters_of(&self, node: NodeIdx) -> &[Waiter] {
        let range = self.nodes.get(node.index()).map(|own| own.next_waiter..own.end_waiter);
        range.and_then(|range| self.waiters.get(range)).unwrap_or_default()
    }

    /// Takes the next waiter of a node that asks for no more than a level.
    fn take_waiter(&mut self, node: NodeIdx, level: u8) -> Option<NodeIdx> {
        let waiter = *self.waiters_of(node).first()?;
        if waiter.level > level {
            return None;
        }
        self.nodes.get_mut(node.index())?.next_waiter += 1;
        Some(waiter.node)
    }

    /// Queues a node if nothing is in its way.
    fn offer(&mut self, node: NodeIdx) {
        let Some(own) = self.nodes.get_mut(node.index()).filter(|own| own.unmet == 0 && own.phase == Phase::Waiting)
        else {
            return;
        };
        if own.is_passage {
            own.phase = Phase::GivenOut;
            self.left -= 1;
            self.passing.push(node);
        } else {
            self.ready.push((own.priority, Reverse(node)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const DONE: u8 = 3;

    /// Makes nodes of these costs and edges (from, needs, level).
    fn graph(costs: &[u64], edges: &[(usize, usize, u8)]) -> Graph<u64, u8> {
        let mut graph = Graph::new();
        let nodes: Vec<NodeIdx> = costs.iter().map(|cost| graph.add_node(*cost)).collect();
        for &(from, needs, level) in edges {
            graph.add_edge(nodes[from], nodes[needs], level);
        }
        graph
    }

    fn frontier(graph: &Graph<u64, u8>) -> Frontier {
        Frontier::new(graph, |_, cost| *cost, |level| *level).expect("no cycle")
    }

    fn at(number: usize) -> NodeIdx {
        NodeIdx::from_index(number)
    }

    #[test]
    fn the_critical_path_goes_first() {
        // 0 alone; 1 heads a chain of three; 2 is dear itself.
        let graph = graph(&[1, 1, 5, 1, 1], &[(3, 1, DONE), (4, 3, DONE)]);
        let mut frontier = frontier(&graph);
        assert_eq!(frontier.critical_path_cost(), 5);
        let first: Vec<_> = std::iter::from_fn(|| frontier.pop_ready()).collect();
        assert_eq!(first, [at(2), at(1), at(0)]);
        frontier.reached(at(1), DONE);
        assert_eq!(frontier.pop_ready(), Some(at(3)));
        assert_eq!(frontier.pop_ready(), None);
        assert_eq!(frontier.left_count(), 1);
    }

    #[test]
    fn edges_wait_for_their_level_alone() {
        let graph = graph(&[1; 4], &[(1, 0, 1), (2, 0, 2), (3, 0, 0)]);
        let mut frontier = frontier(&graph);
        assert_eq!(frontier.pop_ready(), Some(at(0)));
        assert_eq!(frontier.pop_ready(), Some(at(3)), "level 0 holds from the start");
        assert_eq!(frontier.pop_ready(), None);
        frontier.reached(at(0), 1);
        frontier.reached(at(0), 1);
        assert_eq!(frontier.pop_ready(), Some(at(1)));
        assert_eq!(frontier.pop_ready(), None);
        frontier.reached(at(0), DONE);
        assert_eq!(frontier.pop_ready(), Some(at(2)));
        assert!(frontier.is_exhausted());
    }

    #[test]
    fn a_failure_stops_only_what_still_waits() {
        // 1 needs 0 applied, 2 needs 0 ready, 3 needs 2, 4 is apart.
        let graph = graph(&[1; 5], &[(1, 0, 1), (2, 0, 2), (3, 2, 1)]);
        let mut frontier = frontier(&graph);
        assert_eq!(frontier.pop_ready(), Some(at(0)));
        frontier.reached(at(0), 1);
        assert_eq!(frontier.dependents_closure(at(0)), [at(2), at(3)]);
        assert_eq!(frontier.skip(at(0)), [at(2), at(3)]);
        assert_eq!(frontier.skip(at(0)), []);
        frontier.reached(at(0), DONE);
        let rest: Vec<_> = std::iter::from_fn(|| frontier.pop_ready()).collect();
        assert_eq!(rest, [at(1), at(4)]);
        assert!(frontier.is_exhausted());
    }

    #[test]
    fn a_resumed_run_says_what_happened_before() {
        let graph = graph(&[1; 3], &[(1, 0, 2), (2, 1, 2)]);
        let mut frontier = frontier(&graph);
        frontier.reached(at(0), DONE);
        frontier.reached(at(1), 1);
        assert_eq!(frontier.pop_ready(), None);
        frontier.reached(at(1), 2);
        assert_eq!(frontier.pop_ready(), Some(at(2)));
        assert!(frontier.is_exhausted());
    }

    #[test]
    fn a_passage_passes_by_itself() {
        // 2 is a passage between 0, 1 and 3; 4 is one behind it, 5 one that needs nothing.
        let graph =
            graph(&[1, 1, 0, 1, 0, 0, 1], &[(2, 0, 2), (2, 1, DONE), (3, 2, 1), (4, 2, 1), (6, 4, 1), (6, 5, 1)]);
        let is_passage = |node: NodeIdx, _: &u64| [2, 4, 5].contains(&node.index());
        let mut frontier =
            Frontier::with_passages(&graph, |_, cost| *cost, |level| *level, is_passage).expect("no cycle");
        let first: Vec<_> = std::iter::from_fn(|| frontier.pop_ready()).collect();
        assert_eq!(first, [at(0), at(1)]);
        assert_eq!(frontier.priority(at(0)), 2, "passages cost nothing and lead on");
        frontier.reached(at(1), DONE);
        frontier.reached(at(0), 1);
        assert!(!frontier.has_passed(at(2)) && frontier.has_passed(at(5)) && !frontier.has_passed(at(0)));
        assert_eq!(frontier.pop_ready(), None);
        frontier.reached(at(0), 2);
        assert!(frontier.has_passed(at(2)) && frontier.has_passed(at(4)));
        assert_eq!([frontier.pop_ready(), frontier.pop_ready()], [Some(at(3)), Some(at(6))]);
        assert!(frontier.is_exhausted());
    }

    #[test]
    fn a_failure_stops_what_waits_behind_a_passage() {
        let graph = graph(&[1, 1, 0, 1], &[(2, 0, DONE), (2, 1, DONE), (3, 2, 1)]);
        let is_passage = |node: NodeIdx, _: &u64| node == at(2);
        let mut frontier =
            Frontier::with_passages(&graph, |_, cost| *cost, |level| *level, is_passage).expect("no cycle");
        frontier.reached(at(0), DONE);
        assert_eq!(frontier.skip(at(1)), [at(2), at(3)]);
        assert!(frontier.is_exhausted() && !frontier.has_passed(at(2)));
    }

    #[test]
    fn a_cycle_has_no_frontier() {
        let graph = graph(&[1; 2], &[(1, 0, 1), (0, 1, 1)]);
        let cycles = Frontier::new(&graph, |_, _| 1, |level| *level).expect_err("a cycle");
        assert_eq!(cycles, graph.cycles());
    }

    #[test]
    fn many_nodes_come_out_once_each() {
        let node_count = 100_000;
        let edges: Vec<_> =
            (1..node_count).flat_map(|n| [(n, n / 2, DONE), (n, n - n.min(7), 1)]).filter(|(n, m, _)| n != m).collect();
        let graph = graph(&vec![1; node_count], &edges);
        let mut frontier = frontier(&graph);
        let mut given_out = 0;
        while let Some(node) = frontier.pop_ready() {
            given_out += 1;
            frontier.reached(node, DONE);
        }
        assert_eq!(given_out, node_count);
        assert!(frontier.is_exhausted());
    }

    proptest! {
        /// Runs a random graph with a random executor beside a naive model of the rules.
        #[test]
        fn nodes_start_when_every_edge_holds_and_never_twice(
            costs in proptest::collection::vec(0..9_u64, 1..14),
            pairs in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..=DONE), 0..30),
            moves in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 0..120),
        ) {
            let edges: Vec<_> = pairs
                .iter()
                .map(|(one, other, level)| (one.index(costs.len()), other.index(costs.len()), *level))
                .filter(|(one, other, _)| one != other)
                .map(|(one, other, level)| (one.max(other), one.min(other), level))
                .collect();
            let graph = graph(&costs, &edges);
            let mut frontier = frontier(&graph);
            let priority = priorities(&graph);
            let mut level = vec![0_u8; costs.len()];
            let mut given_out = BTreeSet::new();
            let mut skipped = BTreeSet::new();
            // Random moves first, then everything that can still run does.
            let finish = (0..costs.len() * 8).map(|turn| (None, if turn % 2 == 0 { 0 } else { 4 }));
            for (pick, action) in moves.iter().map(|(pick, action)| (Some(pick), *action)).chain(finish) {
                let ready = |node: &NodeIdx| {
                    !given_out.contains(node)
                        && !skipped.contains(node)
                        && graph.needs(*node).all(|(needed, asked)| level[needed.index()] >= *asked)
                };
                if action < 3 {
                    let urgent = graph.nodes().filter(ready).max_by_key(|node| (priority[node.index()], Reverse(*node)));
                    let popped = frontier.pop_ready();
                    prop_assert_eq!(popped, urgent);
                    given_out.extend(popped);
                    continue;
                }
                let unfinished: Vec<NodeIdx> = given_out
                    .iter()
                    .filter(|node| level[node.index()] < DONE && !skipped.contains(*node))
                    .copied()
                    .collect();
                if unfinished.is_empty() {
                    continue;
                }
                let node = pick.map_or(unfinished[0], |pick| *pick.get(&unfinished));
                if action == 7 {
                    let mut stuck: Vec<NodeIdx> = frontier.skip(node);
                    stuck.sort();
                    skipped.insert(node);
                    prop_assert_eq!(&stuck, &stuck_behind(&graph, &level, &given_out, &skipped));
                    skipped.extend(stuck);
                } else {
                    let slot = &mut level[node.index()];
                    *slot = if pick.is_some() { (*slot + action - 3).min(DONE) } else { DONE };
                    frontier.reached(node, *slot);
                }
            }
            prop_assert!(frontier.is_exhausted(), "nothing starves");
            prop_assert!(graph.nodes().all(|node| given_out.contains(&node) || skipped.contains(&node)));
        }
    }

    fn priorities(graph: &Graph<u64, u8>) -> Vec<u64> {
        let mut priority = vec![0; graph.node_count()];
        // Dependents have higher numbers in these tests.
        for node in graph.nodes().rev() {
            let behind = graph.dependents(node).map(|(other, _)| priority[other.index()]).max().unwrap_or(0);
            priority[node.index()] = graph[node] + behind;
        }
        priority
    }

    /// Returns what can never start once these nodes are skipped, and is not among them.
    fn stuck_behind(
        graph: &Graph<u64, u8>,
        level: &[u8],
        given_out: &BTreeSet<NodeIdx>,
        skipped: &BTreeSet<NodeIdx>,
    ) -> Vec<NodeIdx> {
        let mut all = skipped.clone();
        // What is needed has lower numbers in these tests, so one pass is enough.
        for node in graph.nodes().filter(|node| !given_out.contains(node)) {
            if graph.needs(node).any(|(needed, asked)| all.contains(&needed) && level[needed.index()] < *asked) {
                all.insert(node);
            }
        }
        all.difference(skipped).copied().collect()
    }
}

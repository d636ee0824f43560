use super::{
    Ordered, Sequence,
    steps::{Force, Node},
};
use crate::{
    graph::{Graph, NodeIdx},
    plan::{Join, JoinId, Level, Need, StepId},
};

/// What somebody waits for.
#[derive(Clone, Debug, Default)]
struct Waits {
    needs: Vec<Need>,
    joins: Vec<JoinId>,
}

impl Waits {
    fn len(&self) -> usize {
        self.needs.len() + self.joins.len()
    }

    fn add(&mut self, other: &Self) {
        self.needs.extend(&other.needs);
        self.joins.extend(&other.joins);
    }

    /// Leaves each step once, with the highest level that is asked of it.
    fn tidy(&mut self) {
        self.needs.sort_unstable_by_key(|need| (need.step, std::cmp::Reverse(need.level)));
        self.needs.dedup_by_key(|need| need.step);
        self.joins.sort_unstable();
        self.joins.dedup();
    }
}

/// Numbers the steps of a graph in their order, and makes joins of the relays that save words.
///
/// A relay with one user, or that waits for one thing, is put into its users instead: that takes no more words than it
/// does. O(n + e).
pub(super) fn join(graph: &Graph<Node, (Level, Force)>, order: &[NodeIdx]) -> Sequence {
    let user_counts = user_counts(graph, order);
    let mut sequence = Sequence::default();
    // What stands for each node: a step or a join as one wait, a relay that is put into its users as all of its waits.
    let mut stand_ins: Vec<Waits> = vec![Waits::default(); graph.node_count()];
    for &node in order {
        let user_count = user_counts.get(node.index()).copied().unwrap_or_default();
        let is_relay = matches!(graph.get(node), Some(Node::Relay(_)));
        if is_relay && user_count == 0 {
            continue;
        }
        let mut waits = Waits::default();
        for (needed, (level, _)) in graph.needs(node) {
            match (graph.get(needed), stand_ins.get(needed.index())) {
                (Some(Node::Step(..)), Some(step)) => {
                    waits.needs.extend(step.needs.iter().map(|need| Need { level: *level, ..*need }));
                }
                (Some(Node::Relay(_)), Some(relay)) => waits.add(relay),
                _ => {}
            }
        }
        waits.tidy();
        let stand_in = match graph.get(node) {
            Some(Node::Step(item, half)) => {
                let need = Need { step: StepId(sequence.steps.len() as u32), level: Level::Applied };
                sequence.steps.push(Ordered { item: *item, half: *half, needs: waits.needs, joins: waits.joins });
                Waits { needs: vec![need], joins: Vec::new() }
            }
            _ if user_count == 1 || waits.len() <= 1 => waits,
            _ => {
                let id = JoinId(sequence.joins.len() as u32);
                sequence.joins.push(Join { needs: waits.needs, joins: waits.joins });
                Waits { needs: Vec::new(), joins: vec![id] }
            }
        };
        if let Some(slot) = stand_ins.get_mut(node.index()) {
            *slot = stand_in;
        }
    }
    sequence
}

/// Returns for each node how many others wait for it that lead to a step.
fn user_counts(graph: &Graph<Node, (Level, Force)>, order: &[NodeIdx]) -> Vec<usize> {
    let mut counts = vec![0_usize; graph.node_count()];
    for &node in order.iter().rev() {
        let leads = |other: NodeIdx| {
            matches!(graph.get(other), Some(Node::Step(..)))
                || counts.get(other.index()).is_some_and(|count| *count > 0)
        };
        let count = graph.dependents(node).filter(|(other, _)| leads(*other)).count();
        if let Some(slot) = counts.get_mut(node.index()) {
            *slot = count;
        }
    }
    counts
}

use std::collections::HashMap;

use super::Planner;
use crate::{
    error::Diagnostic,
    graph::{Graph, NodeIdx},
    plan::node::NodeId,
};

impl Planner {
    /// Reports nodes that wait for one another.
    pub(super) fn explain_cycles(&mut self) {
        let mut graph: Graph<NodeId, ()> = Graph::new();
        let mut places: HashMap<NodeId, NodeIdx> = HashMap::new();
        let stuck: Vec<(NodeId, Vec<NodeId>)> =
            self.table.stuck().map(|(node, waits)| (node, waits.to_vec())).collect();
        for (node, _) in &stuck {
            places.insert(*node, graph.add_node(*node));
        }
        for (node, waits) in &stuck {
            for other in waits {
                if let (Some(from), Some(needs)) = (places.get(node), places.get(other)) {
                    graph.add_edge(*from, *needs, ());
                }
            }
        }
        for cycle in graph.cycles() {
            let mut path: Vec<NodeId> = cycle.path().iter().filter_map(|idx| graph.get(*idx)).copied().collect();
            // The same circle is told from the same start.
            let start = (0..path.len()).min_by_key(|at| path.get(*at).map(|node| self.table.label(*node)));
            path.rotate_left(start.unwrap_or(0));
            // One thing may stand on the path as several nodes: its instances, and all of them as one value.
            let mut names: Vec<String> = path.iter().map(|node| self.table.label(*node)).collect();
            names.dedup();
            if names.len() > 1 && names.first() == names.last() {
                names.pop();
            }
            let message = match names.as_slice() {
                [only] => format!("`{only}` needs itself"),
                [first, rest @ ..] => {
                    let rest: Vec<String> = rest.iter().chain([first]).map(|name| format!("`{name}`")).collect();
                    format!("`{first}` needs {}", rest.join(", which needs "))
                }
                [] => "something needs itself".to_owned(),
            };
            let mut problem = Diagnostic::error("plan.cycle", message)
                .help("take one of these references away, or split one of the blocks so that each part needs only what comes before it");
            let mut spans = Vec::new();
            for node in &path {
                if let Some(span) = self.table.span(*node)
                    && !spans.contains(&span)
                {
                    spans.push(span);
                    problem = problem.label(span, format!("`{}`", self.table.label(*node)));
                }
            }
            self.problems.push(problem);
        }
    }
}

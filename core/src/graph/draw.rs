use super::{Graph, NodeIdx};

impl<N, E> Graph<N, E> {
    /// Returns the graph in Graphviz's language, with arrows from a node to what it needs.
    pub fn dot<L: AsRef<str>>(&self, label: impl Fn(&N) -> L) -> String {
        let mut text = "digraph {\n  rankdir = \"RL\";\n  node [shape = \"box\"];\n".to_owned();
        for node in self.nodes() {
            let quoted = label(&self[node]).as_ref().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            text.push_str(&format!("  n{} [label = \"{quoted}\"];\n", node.index()));
        }
        for (from, needs, _) in self.edges() {
            text.push_str(&format!("  n{} -> n{};\n", from.index(), needs.index()));
        }
        text.push_str("}\n");
        text
    }

    /// Returns the graph in Mermaid's language, with arrows from a node to what it needs.
    pub fn mermaid<L: AsRef<str>>(&self, label: impl Fn(&N) -> L) -> String {
        let mut text = "flowchart RL\n".to_owned();
        for node in self.nodes() {
            let mut quoted = String::new();
            for letter in label(&self[node]).as_ref().chars() {
                match letter {
                    '"' | '#' | '<' | '>' | '&' | '`' | '\\' | '\n' => {
                        quoted.push_str(&format!("#{};", u32::from(letter)));
                    }
                    letter => quoted.push(letter),
                }
            }
            text.push_str(&format!("  n{}[\"{quoted}\"]\n", node.index()));
        }
        for (from, needs, _) in self.edges() {
            text.push_str(&format!("  n{} --> n{}\n", from.index(), needs.index()));
        }
        text
    }

    /// Returns the graph without the edges that follow from others, for drawing; nothing if it has a cycle or more
    /// than `node_limit` nodes.
    ///
    /// # Complexity
    /// O(n · e / 64) time and n² / 8 bytes: this is why there is a limit. Everything else here is linear.
    pub fn reduced(&self, node_limit: usize) -> Option<Graph<&N, &E>> {
        if self.node_count() > node_limit {
            return None;
        }
        let order = self.topological_order().ok()?;
        let mut place = vec![0; order.len()];
        for (position, node) in order.iter().enumerate() {
            *place.get_mut(node.index())? = position;
        }
        let mut reachable: Vec<Vec<u64>> = vec![Vec::new(); order.len()];
        let mut reduced = self.map(|_, node| node, |edge| edge);
        for &node in &order {
            let mut needed: Vec<NodeIdx> = self.needs(node).map(|(needed, _)| needed).collect();
            // What comes last in the order may reach the others, never the other way round.
            needed.sort_by_key(|needed| std::cmp::Reverse(place.get(needed.index()).copied()));
            let mut mine = vec![0_u64; order.len().div_ceil(64)];
            for needed in needed {
                let (word, bit) = (needed.index() / 64, 1 << (needed.index() % 64));
                if mine.get(word).is_some_and(|bits| bits & bit != 0) {
                    reduced.remove_edge(node, needed);
                    continue;
                }
                for (mine, theirs) in mine.iter_mut().zip(reachable.get(needed.index())?) {
                    *mine |= theirs;
                }
                *mine.get_mut(word)? |= bit;
            }
            *reachable.get_mut(node.index())? = mine;
        }
        Some(reduced)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn drawings_quote_labels() {
        let mut graph = Graph::new();
        let [a, b] = ["t.a[\"x\"]", "b\\<c>"].map(|name| graph.add_node(name));
        graph.add_edge(b, a, ());
        assert_eq!(
            graph.dot(|name| *name),
            "digraph {\n  rankdir = \"RL\";\n  node [shape = \"box\"];\n  n0 [label = \"t.a[\\\"x\\\"]\"];\n  n1 [label = \"b\\\\<c>\"];\n  n1 -> n0;\n}\n"
        );
        assert_eq!(
            graph.mermaid(|name| *name),
            "flowchart RL\n  n0[\"t.a[#34;x#34;]\"]\n  n1[\"b#92;#60;c#62;\"]\n  n1 --> n0\n"
        );
    }

    #[test]
    fn a_limit_and_cycles_refuse_reduction() {
        let mut graph = Graph::new();
        let [a, b] = ["a", "b"].map(|name| graph.add_node(name));
        graph.add_edge(a, b, ());
        assert!(graph.reduced(1).is_none());
        assert!(graph.reduced(2).is_some());
        graph.add_edge(b, a, ());
        assert!(graph.reduced(2).is_none());
    }

    proptest! {
        #[test]
        fn a_reduction_reaches_the_same_with_no_edge_to_spare(
            edges in proptest::collection::vec((0..70_usize, 0..70_usize), 0..120),
        ) {
            let mut graph = Graph::new();
            let nodes: Vec<NodeIdx> = (0..70).map(|number| graph.add_node(number)).collect();
            for (one, other) in edges {
                if one != other {
                    graph.add_edge(nodes[one.max(other)], nodes[one.min(other)], ());
                }
            }
            let mut reduced = graph.reduced(70).expect("small and without cycles");
            for node in nodes {
                prop_assert_eq!(graph.needs_closure([node]), reduced.needs_closure([node]));
            }
            let kept: Vec<_> = reduced.edges().map(|(from, needs, ())| (from, needs)).collect();
            for (from, needs) in kept {
                let edge = reduced.remove_edge(from, needs).expect("just listed");
                prop_assert!(!reduced.needs_closure([from]).contains(&needs));
                reduced.add_edge(from, needs, edge);
            }
        }
    }
}

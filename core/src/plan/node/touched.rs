use std::sync::Arc;

use super::NodeId;

/// What a value was made with: nodes of instances, and nodes that stand for many of them (see
/// [`Table::parts`](super::Table::parts)), sorted. Cheap to clone, shared wherever two sets are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::plan) struct Touched(Option<Arc<[NodeId]>>);

impl Touched {
    /// Returns the set of one.
    pub(in crate::plan) fn one(node: NodeId) -> Self {
        Self(Some(Arc::from([node])))
    }

    /// Returns the nodes, sorted.
    pub(in crate::plan) fn nodes(&self) -> &[NodeId] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Returns what all of them hold; a set that holds the others is shared, not copied.
    pub(in crate::plan) fn union<'a>(sets: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut list: Vec<&Arc<[NodeId]>> = Vec::new();
        for set in sets.into_iter().filter_map(|set| set.0.as_ref()) {
            if !set.is_empty() && !list.last().is_some_and(|last| Arc::ptr_eq(last, set)) {
                list.push(set);
            }
        }
        let Some(largest) = list.iter().max_by_key(|set| set.len()).copied() else { return Self::default() };
        if list.iter().all(|set| Arc::ptr_eq(set, largest)) {
            return Self(Some(Arc::clone(largest)));
        }
        let mut all: Vec<NodeId> = list.iter().flat_map(|set| set.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        if all.len() == largest.len() { Self(Some(Arc::clone(largest))) } else { Self(Some(Arc::from(all))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unions_are_sorted_distinct_and_shared() {
        let one = |idx: u32| Touched::one(NodeId(idx));
        let both = Touched::union([&one(2), &one(1), &one(2)]);
        assert_eq!(both.nodes(), [NodeId(1), NodeId(2)]);
        let again = Touched::union([&both, &one(1), &Touched::default()]);
        assert!(std::ptr::eq(again.nodes(), both.nodes()));
        assert!(Touched::union([]).nodes().is_empty());
    }
}

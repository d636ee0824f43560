use std::collections::HashMap;

use super::{Planner, entry::Entry};
use crate::plan::node::NodeId;

/// What entries use, by place: first the entries, then what stands for many of them.
///
/// A block as a whole, a module, or a value that was made with many instances has a place of its own, so that all lists
/// together are no longer than what is referred to.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// For each place the places that the template says it uses; sorted.
    pub wants: Vec<Vec<u32>>,
    /// The nodes of the places behind the entries.
    pub groups: Vec<NodeId>,
    entry_count: usize,
}

impl Uses {
    /// Returns what one place uses.
    pub(super) fn of(&self, at: u32) -> &[u32] {
        self.wants.get(at as usize).map_or(&[], Vec::as_slice)
    }

    /// Returns the node of a place that stands for others; nothing for entries.
    pub(super) fn group(&self, at: u32) -> Option<NodeId> {
        self.groups.get((at as usize).checked_sub(self.entry_count)?).copied()
    }

    /// Returns the places that stand for others.
    pub(super) fn group_places(&self) -> impl Iterator<Item = u32> + use<> {
        self.entry_count as u32..(self.entry_count + self.groups.len()) as u32
    }
}

impl Planner {
    /// Collects what the entries use.
    pub(super) fn uses(&self, entries: &[Entry]) -> Uses {
        let mut places: HashMap<NodeId, u32> =
            (0..).zip(entries).filter_map(|(at, entry): (u32, &Entry)| Some((entry.node?, at))).collect();
        let mut uses = Uses { entry_count: entries.len(), ..Uses::default() };
        for (at, entry) in (0..).zip(entries) {
            let touched = self.of(entry).map(|instance| instance.touched.as_slice()).unwrap_or_default();
            let nodes = touched.iter().flat_map(|touched| touched.nodes());
            let list = self.places(at, nodes, &mut places, &mut uses);
            uses.wants.push(list);
        }
        let mut next = 0;
        while let Some(node) = uses.groups.get(next).copied() {
            let at = (entries.len() + next) as u32;
            let parts = self.table.parts(node).map(crate::plan::node::Touched::nodes).unwrap_or_default();
            let list = self.places(at, parts.iter(), &mut places, &mut uses);
            uses.wants.push(list);
            next += 1;
        }
        uses
    }

    /// Returns the places of nodes, sorted; what stands for others gets one when it is first met.
    fn places<'a>(
        &self,
        own: u32,
        nodes: impl Iterator<Item = &'a NodeId>,
        places: &mut HashMap<NodeId, u32>,
        uses: &mut Uses,
    ) -> Vec<u32> {
        let place = |node: &NodeId| {
            if let Some(at) = places.get(node) {
                return Some(*at);
            }
            // Instances that nothing is planned for have no place.
            self.table.parts(*node)?;
            let at = (uses.entry_count + uses.groups.len()) as u32;
            uses.groups.push(*node);
            places.insert(*node, at);
            Some(at)
        };
        let mut list: Vec<u32> = nodes.filter_map(place).filter(|other| *other != own).collect();
        list.sort_unstable();
        list.dedup();
        list
    }
}

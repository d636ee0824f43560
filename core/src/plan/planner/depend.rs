use std::{collections::HashMap, sync::Arc};

use super::{Planner, entry::Entry};
use crate::state::ObjectId;

impl Planner {
    /// Tells for each row the objects that it refers to directly; data sources are looked through.
    pub(super) fn depend(&self, entries: &mut [Entry], wants: &[Vec<u32>]) {
        let mut through: HashMap<u32, Arc<[ObjectId]>> = HashMap::new();
        for at in 0..entries.len() as u32 {
            if entries.get(at as usize).is_some_and(Entry::is_data) {
                self.look_through(at, entries, wants, &mut through);
            }
        }
        let lists: Vec<Vec<ObjectId>> = wants.iter().map(|used| objects(used, entries, &through)).collect();
        for (entry, list) in entries.iter_mut().zip(lists) {
            if entry.node.is_some() && !entry.is_data() {
                let own = entry.object;
                entry.dependencies = list.into_iter().filter(|object| Some(*object) != own).collect();
            }
        }
    }

    fn look_through(
        &self,
        start: u32,
        entries: &[Entry],
        wants: &[Vec<u32>],
        through: &mut HashMap<u32, Arc<[ObjectId]>>,
    ) {
        let is_data = |at: u32| entries.get(at as usize).is_some_and(Entry::is_data);
        let mut stack = vec![start];
        while let Some(&at) = stack.last() {
            if through.contains_key(&at) {
                stack.pop();
                continue;
            }
            let used = wants.get(at as usize).map_or(&[][..], |used| used);
            let missing: Vec<u32> =
                used.iter().copied().filter(|other| is_data(*other) && !through.contains_key(other)).collect();
            // Data sources that wait for one another were reported as a cycle long before.
            if missing.is_empty() || stack.len() > entries.len() {
                through.insert(at, objects(used, entries, through).into());
                stack.pop();
            } else {
                stack.extend(missing);
            }
        }
    }
}

/// Returns the objects of entries; data sources stand for what they refer to.
fn objects(used: &[u32], entries: &[Entry], through: &HashMap<u32, Arc<[ObjectId]>>) -> Vec<ObjectId> {
    let mut list: Vec<ObjectId> = Vec::new();
    for at in used {
        match through.get(at) {
            Some(objects) => list.extend(objects.iter()),
            None => list.extend(entries.get(*at as usize).and_then(|entry| entry.object)),
        }
    }
    list.sort_unstable();
    list.dedup();
    list
}

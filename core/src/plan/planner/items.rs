use std::collections::HashMap;

use super::{Planner, entry::Entry, uses::Uses};
use crate::{
    plan::{Action, order::Item},
    state::{ObjectId, Wholes},
};

impl Planner {
    /// Returns what the order of steps depends on: an item for each entry and each place behind them, then one for each row
    /// that is no entry and for each whole that rows name.
    pub(super) fn items(&self, entries: &[Entry], uses: Uses) -> Vec<Item> {
        let mut items: Vec<Item> = uses.wants.into_iter().map(|wants| Item { wants, ..Item::default() }).collect();
        for (item, entry) in items.iter_mut().zip(entries) {
            item.make = entry.makes();
            item.delete = entry.deletes();
            item.create_first = entry.outcome.action == Action::ReplaceCreateFirst;
            item.checked = entry.outcome.checks;
        }
        // What was made with what matters only where something goes.
        if items.iter().any(|item| item.delete) {
            self.add_records(entries, &mut items);
        }
        items
    }

    /// Adds what state remembers. Rows that are no entries (gone, or outside of the targets) still lead from their users to
    /// what they were made with.
    fn add_records(&self, entries: &[Entry], items: &mut Vec<Item>) {
        let mut places: Vec<Option<u32>> = vec![None; self.rows.list.len()];
        let mut by_object: HashMap<ObjectId, u32> = HashMap::with_capacity(places.len());
        for (at, entry) in (0..).zip(entries) {
            by_object.extend(entry.prior.map(|object| (object, at)));
            if let Some(place) = entry.row.and_then(|row| places.get_mut(row as usize)) {
                *place = Some(at);
            }
        }
        for (place, known) in places.iter_mut().zip(&self.rows.list) {
            let at = *place.get_or_insert_with(|| {
                items.push(Item::default());
                items.len() as u32 - 1
            });
            by_object.entry(known.stored.object_id).or_insert(at);
        }
        let place = |row: usize| places.get(row).copied().flatten();
        for (row, known) in self.rows.list.iter().enumerate() {
            if let Some(item) = place(row).and_then(|at| items.get_mut(at as usize)) {
                item.had.extend(known.stored.dependencies.iter().filter_map(|object| by_object.get(object)));
            }
        }
        for whole in Wholes::of_rows(self.rows.list.iter().map(|known| &*known.stored)).list() {
            let at = items.len() as u32;
            let had = whole.members.iter().filter_map(|row| place(*row)).collect();
            items.push(Item { had, whole: true, ..Item::default() });
            for item in whole.users.iter().filter_map(|row| place(*row)) {
                if let Some(item) = items.get_mut(item as usize) {
                    item.had.push(at);
                }
            }
        }
        for (at, item) in (0..).zip(items.iter_mut()) {
            item.had.retain(|other| *other != at);
            item.had.sort_unstable();
            item.had.dedup();
        }
    }
}

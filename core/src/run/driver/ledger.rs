use std::collections::{BTreeSet, HashMap};

use super::writer::RowChange;
use crate::{
    plan::RowUpdate,
    run::{Calls, RowRef, uses::counted},
    state::{ObjectId, Row, RowStatus},
};

/// The rows of the stack as they will be once everything handed to the writer is durable.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    rows: HashMap<ObjectId, Row>,
    /// For each object those whose rows name it as a dependency. What is depended on as a whole has no entry here: who
    /// refers to a block as such still does when one of its objects goes, and what lies behind that is the plan's to say.
    dependents: HashMap<ObjectId, BTreeSet<ObjectId>>,
}

impl Ledger {
    pub(super) fn new(rows: Vec<Row>) -> Self {
        let mut ledger = Self::default();
        for row in rows {
            ledger.insert(row);
        }
        ledger
    }

    pub(super) fn get(&self, object_id: ObjectId) -> Option<&Row> {
        self.rows.get(&object_id)
    }

    pub(super) fn rows(&self) -> &HashMap<ObjectId, Row> {
        &self.rows
    }

    /// Writes a row with the next version; returns what names it.
    pub(super) fn put(&mut self, mut row: Row, changes: &mut Vec<RowChange>) -> RowRef {
        row.version = self.rows.get(&row.object_id).map_or(0, |old| old.version) + 1;
        let reference = RowRef { object_id: row.object_id, version: row.version };
        changes.push(RowChange::Put(row.clone()));
        self.insert(row);
        reference
    }

    /// Removes a row; those that depended on its object depend on what it depended on from now on, so that the order
    /// in which things are deleted later stays known.
    ///
    /// O(rows that depended on it).
    pub(super) fn remove(&mut self, object_id: ObjectId, changes: &mut Vec<RowChange>) {
        let Some(gone) = self.rows.remove(&object_id) else { return };
        for needed in &gone.dependencies {
            if let Some(set) = self.dependents.get_mut(needed) {
                set.remove(&object_id);
            }
        }
        for dependent in self.dependents.remove(&object_id).unwrap_or_default() {
            let Some(mut row) = self.rows.get(&dependent).cloned() else { continue };
            if row.inherit(&gone) {
                self.put(row, changes);
            }
        }
        changes.push(RowChange::Delete(object_id));
    }

    /// Marks the object that a new one took the address of, if it is still there.
    pub(super) fn depose(&mut self, object_id: ObjectId, changes: &mut Vec<RowChange>) {
        let old = self.rows.get(&object_id).filter(|row| row.status != RowStatus::Deposed);
        if let Some(old) = old.cloned() {
            self.put(Row { status: RowStatus::Deposed, ..old }, changes);
        }
    }

    /// Makes the changes that need no call. What objects use is told anew: what was read of them may be news.
    pub(super) fn update(&mut self, updates: &[RowUpdate], calls: &dyn Calls, changes: &mut Vec<RowChange>) {
        for update in updates {
            match update {
                RowUpdate::Put(row) => {
                    self.put(counted(calls, row.clone()), changes);
                }
                RowUpdate::Remove(object_id) => self.remove(*object_id, changes),
            }
        }
    }

    fn insert(&mut self, row: Row) {
        if let Some(old) = self.rows.get(&row.object_id) {
            for needed in &old.dependencies {
                if let Some(set) = self.dependents.get_mut(needed) {
                    set.remove(&row.object_id);
                }
            }
        }
        for needed in &row.dependencies {
            self.dependents.entry(*needed).or_default().insert(row.object_id);
        }
        self.rows.insert(row.object_id, row);
    }
}

use std::sync::Arc;

use super::{Planner, entry::Entry, record::Records};
use crate::{
    plan::{Mode, RowUpdate},
    state::{ObjectId, Row, RowStatus},
};

impl Planner {
    /// Returns the changes to rows that need no call: read, moved, adopted, gone, or with other dependencies.
    pub(super) fn row_updates(&self, entries: &[Entry]) -> Vec<RowUpdate> {
        let mut updates: Vec<(ObjectId, RowUpdate)> = Vec::new();
        for known in &self.rows.list {
            if known.gone && self.table.is_done(known.task) {
                let object = known.stored.object_id;
                updates.push((object, RowUpdate::Remove(object)));
            }
        }
        let records = self.records(entries);
        for entry in entries {
            let Some(row) = self.updated(entry, &records) else { continue };
            updates.push((row.object_id, RowUpdate::Put(row)));
        }
        // Rows that no entry is about: outside of the targets, or nothing is made at all.
        let about: std::collections::BTreeSet<u32> = entries.iter().filter_map(|entry| entry.row).collect();
        for (number, known) in (0_u32..).zip(&self.rows.list) {
            if !about.contains(&number)
                && !known.gone
                && self.table.is_done(known.task)
                && !same(&known.row, &known.stored)
            {
                updates.push((
                    known.row.object_id,
                    RowUpdate::Put(Row { version: known.stored.version + 1, ..known.row.clone() }),
                ));
            }
        }
        updates.sort_by_key(|(object, _)| *object);
        updates.into_iter().map(|(_, update)| update).collect()
    }

    /// Returns the row of an entry as it is before any step runs, where that is not what state has.
    fn updated(&self, entry: &Entry, records: &Records<'_>) -> Option<Row> {
        let instance = entry.node.and_then(|node| self.instances.get(node));
        if let (Some(instance), Some((_, Some(object)))) =
            (instance, instance.and_then(|instance| instance.import.as_ref()))
        {
            return Some(Row {
                object_id: entry.prior?,
                address: entry.address.clone(),
                status: RowStatus::Current,
                type_name: Arc::clone(&entry.address.resource.type_name),
                provider: instance.named_provider(),
                schema_version: instance.schema.version,
                remote_id: Some(object.id.clone()),
                attributes: match &entry.outcome.after {
                    Some(after) if entry.outcome.marks_only => after.clone(),
                    _ => object.attributes.clone(),
                },
                private: object.private.clone(),
                dependencies: entry.dependencies.clone(),
                wholes: entry.wholes.clone(),
                order_lines: Vec::new(),
                uses: crate::state::Uses::default(),
                create_before_destroy: entry.create_first,
                prevent_destroy: instance.block.lifecycle.prevent_destroy.is_some(),
                ready: true,
                version: 1,
            });
        }
        let known = self.rows.get(entry.row?)?;
        let mut row = known.row.clone();
        if let Some(instance) = instance
            && self.input.options.mode == Mode::Normal
            && entry.outcome.leaves_row()
        {
            (row.dependencies, row.wholes) = records.of(entry, &row);
            row.create_before_destroy = entry.create_first;
            row.prevent_destroy = instance.block.lifecycle.prevent_destroy.is_some();
            row.provider = instance.named_provider();
            if entry.outcome.marks_only {
                row.attributes = entry.outcome.after.clone()?;
            }
        }
        if same(&row, &known.stored) {
            return None;
        }
        row.version = known.stored.version + 1;
        Some(row)
    }
}

fn same(row: &Row, stored: &Row) -> bool {
    Row { version: stored.version, ..row.clone() } == *stored
}

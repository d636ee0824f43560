use std::{collections::BTreeMap, sync::Arc};

use super::{Planner, entry::Entry};
use crate::{
    plan::{Action, Inputs, PlannedReadOf, RowBase},
    template::FileKind,
    value::{Marks, Value},
};

/// What a plan carries beside changes and steps.
impl Planner {
    pub(super) fn base(&self) -> Vec<RowBase> {
        let base =
            |known: &super::rows::Known| RowBase { object_id: known.stored.object_id, version: known.stored.version };
        let mut list: Vec<RowBase> = self.rows.list.iter().map(base).collect();
        list.sort_unstable();
        list
    }

    pub(super) fn drift(&self) -> Vec<crate::plan::Drift> {
        let drift = |known: &super::rows::Known| {
            let drift = known.drift.clone()?;
            Some(crate::plan::Drift { address: known.row.address.clone(), ..drift })
        };
        let mut list: Vec<_> = self.rows.list.iter().filter_map(drift).collect();
        list.sort_by(|a, b| (&a.address, a.object_id).cmp(&(&b.address, b.object_id)));
        list
    }

    pub(super) fn reads(&self, entries: &[Entry]) -> Vec<PlannedReadOf> {
        let read = |entry: &Entry| PlannedReadOf {
            address: entry.address.clone(),
            type_name: Arc::clone(&entry.address.resource.type_name),
            value: entry.outcome.after.clone().filter(|_| entry.outcome.action != Action::Read),
            check: self.of(entry).and_then(|instance| instance.block.check.clone()),
        };
        entries.iter().filter(|entry| entry.is_data()).map(read).collect()
    }

    pub(super) fn provider_configs(&self) -> BTreeMap<Arc<str>, Value> {
        let configs = self
            .table
            .provider_nodes()
            .filter(|(_, node)| self.table.is_done(*node) && !self.table.value(*node).is_null());
        configs.map(|(name, node)| (Arc::clone(name), without_ephemeral(self.table.value(node)))).collect()
    }

    /// Returns the root's variables, marked where the template says so, whoever gave them: those that may be stored, and
    /// those that may not.
    pub(super) fn variables(&self) -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
        let declared = &self.input.template.root().variables;
        let marked = |(name, value): (&String, &Value)| {
            let marks = declared.get(name.as_str()).map_or(Marks::NONE, crate::template::Variable::marks);
            (name.clone(), value.clone().with_marks(marks))
        };
        let all = self.input.variables.iter().map(marked);
        all.partition(|(_, value)| !value.marks_deep().contains(Marks::EPHEMERAL))
    }

    pub(super) fn inputs(&self) -> Inputs {
        let seen = self.files.seen();
        // Values are kept as they were resolved, and those that must not be stored are not.
        let files = self.input.template.files().iter().filter(|(path, _)| FileKind::of(path) != FileKind::Values);
        let (variables, ephemeral) = self.variables();
        Inputs {
            ephemeral_given: ephemeral.keys().filter(|name| self.input.given.contains(*name)).cloned().collect(),
            files: files.map(|(path, text)| (path.to_string(), Arc::clone(text))).collect(),
            read_files: seen.contents,
            existing_files: seen.exists,
            listed_files: seen.lists,
            absolute_paths: seen.absolute,
            variables,
            ephemeral,
            edition: self.input.template.edition(),
            tags: self.input.options.tags.clone(),
            workspace: self.input.workspace.clone(),
            root: self.input.root.clone(),
            timestamp: self.input.timestamp,
        }
    }
}

/// Returns a value with unknowns in place of ephemeral parts, which are computed again where they are needed.
fn without_ephemeral(value: &Value) -> Value {
    if !value.marks_deep().contains(Marks::EPHEMERAL) {
        return value.clone();
    }
    let without = value.transform::<std::convert::Infallible>(|_, part| {
        let marks = part.marks();
        Ok(match marks.contains(Marks::EPHEMERAL) {
            true => Value::unknown(part.ty()).with_marks(marks.without(Marks::EPHEMERAL)),
            false => part,
        })
    });
    match without {
        Ok(without) => without,
        Err(never) => match never {},
    }
}

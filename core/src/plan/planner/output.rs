use std::collections::BTreeMap;

use super::Planner;
use crate::plan::{Mode, OutputChange};

impl Planner {
    pub(super) fn outputs(&mut self) -> BTreeMap<String, OutputChange> {
        let destroys = self.input.options.mode == Mode::Destroy;
        let before = std::mem::take(&mut self.input.outputs);
        let mut outputs = BTreeMap::new();
        let root = self.table.root();
        for (name, value) in &before {
            let keeps = destroys && self.targets.any();
            let sensitive = value.is_sensitive();
            let after = keeps.then(|| value.clone());
            outputs.insert(name.clone(), OutputChange { before: Some(value.clone()), after, sensitive });
        }
        if destroys {
            return outputs;
        }
        for (name, output) in &root.module.outputs {
            let known = root
                .outputs
                .get(name)
                .copied()
                .filter(|node| self.table.is_done(*node) && !self.table.has_failed(*node));
            let old = before.get(&**name).cloned();
            let after = match known.map(|node| self.table.value(node).clone()) {
                // Where nothing is made, what is not known stays as it was.
                Some(value) if self.input.options.mode == Mode::RefreshOnly && !value.is_wholly_known() => old.clone(),
                Some(value) => Some(value),
                None => old.clone(),
            };
            if old.is_some() || after.is_some() {
                outputs.insert(name.to_string(), OutputChange { before: old, after, sensitive: output.sensitive });
            }
        }
        outputs
    }
}

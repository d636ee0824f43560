use std::collections::BTreeMap;

use super::Planner;
use crate::{
    address::{Address, ModulePath, ResourcePath},
    error::{Diagnostic, Span},
    template::{Removed, RemovedFrom, Template},
};

/// What `removed` blocks say about what is not declared any more.
#[derive(Debug, Default)]
pub(super) struct Removals {
    modules: BTreeMap<ModulePath, Removal>,
    resources: BTreeMap<ResourcePath, Removal>,
}

#[derive(Clone, Copy, Debug)]
struct Removal {
    destroy: bool,
    span: Span,
}

impl Removals {
    /// Collects what a template says; of two blocks about the same, the first counts.
    pub(super) fn new(template: &Template) -> Self {
        let mut removals = Self::default();
        for (path, module) in template.modules() {
            for Removed { from, destroy, span, .. } in &module.removed {
                let removal = Removal { destroy: *destroy, span: *span };
                let below =
                    |inner: &ModulePath| ModulePath::from_names(path.names().iter().chain(inner.names()).cloned());
                match from {
                    RemovedFrom::Module(module) => _ = removals.modules.entry(below(module)).or_insert(removal),
                    RemovedFrom::Resource(resource) => {
                        let resource = ResourcePath { module: below(&resource.module), ..resource.clone() };
                        removals.resources.entry(resource).or_insert(removal);
                    }
                }
            }
        }
        removals
    }

    /// Returns the block that says that the object of an address is let go; nothing where it is deleted.
    ///
    /// Where one block is about the resource and another about its module, it is enough that one of them says so.
    pub(super) fn lets_go(&self, address: &Address) -> Option<Span> {
        if self.modules.is_empty() && self.resources.is_empty() {
            return None;
        }
        let path = address.resource.path();
        let names = path.module.names();
        let modules = (1..=names.len())
            .filter_map(|depth| self.modules.get(&ModulePath::from_names(names.iter().take(depth).cloned())));
        self.resources
            .get(&path)
            .into_iter()
            .chain(modules)
            .find(|removal| !removal.destroy)
            .map(|removal| removal.span)
    }
}

impl Planner {
    /// Says which objects nobody will look after any more.
    pub(super) fn warn_of_forgotten(&mut self, forgotten: &[(Span, Address)]) {
        let mut by_block: BTreeMap<Span, Vec<String>> = BTreeMap::new();
        for (span, address) in forgotten {
            by_block.entry(*span).or_default().push(format!("`{address}`"));
        }
        for (span, mut names) in by_block {
            /// More than this many fill the page.
            const MOST: usize = 10;
            let more = names.len().saturating_sub(MOST);
            names.truncate(MOST);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            self.problems.push(
                Diagnostic::warning(
                    "plan.forgotten",
                    format!(
                        "{}{more} will be forgotten: what is there stays, and nobody manages it any more",
                        names.join(", ")
                    ),
                )
                .at(span)
                .help("to manage it again later, write its block and adopt it with an `import` block"),
            );
        }
    }
}

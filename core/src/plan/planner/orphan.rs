use std::sync::Arc;

use super::{Planner, removed::Removals, rows::Known};
use crate::{
    address::{Address, InstanceKey},
    error::Diagnostic,
    plan::{
        Action, Mode, Reason,
        node::{Keys, ModuleIdx},
    },
    state::RowStatus,
};

/// A row without an instance.
#[derive(Clone, Debug)]
pub(super) struct Orphan {
    pub row: u32,
    pub reason: Reason,
    /// Whether its object is deleted or let go.
    pub action: Action,
}

impl Planner {
    /// Returns the rows whose objects are to be deleted or let go.
    pub(super) fn orphans(&mut self) -> Vec<Orphan> {
        if self.input.options.mode == Mode::RefreshOnly {
            return Vec::new();
        }
        let mut orphans = Vec::new();
        let mut problems = Vec::new();
        let removals = Removals::new(&self.input.template);
        let mut forgotten = Vec::new();
        for (number, known) in (0..).zip(&self.rows.list) {
            let destroys = self.input.options.mode == Mode::Destroy;
            // A row that nobody looked at lies outside of the targets.
            if known.gone || !self.table.is_done(known.task) || known.claimed && !destroys {
                continue;
            }
            let reason = if known.row.status == RowStatus::Deposed {
                Reason::Deposed
            } else if destroys {
                Reason::Destroying
            } else if self.targets.any() && !self.targets.contains(&known.row.address) {
                continue;
            } else {
                match self.why_orphaned(&known.row.address) {
                    Some(Reason::NotInTemplate) if known.previous.is_some() => Reason::NoMoveTarget,
                    Some(reason) => reason,
                    None => continue,
                }
            };
            if !destroys
                && !self.is_declared(&known.row.address)
                && let Some(span) = removals.lets_go(&known.row.address)
            {
                forgotten.push((span, known.row.address.clone()));
                orphans.push(Orphan { row: number, reason, action: Action::Forget });
                continue;
            }
            if known.row.status != RowStatus::Deposed
                && let Some(problem) = self.protected(known)
            {
                problems.push(problem);
                continue;
            }
            orphans.push(Orphan { row: number, reason, action: Action::Delete });
        }
        self.problems.append(&mut problems);
        self.warn_of_forgotten(&forgotten);
        orphans
    }

    /// Returns the problem with deleting an object that must not go.
    fn protected(&self, known: &Known) -> Option<Diagnostic> {
        let address = &known.row.address;
        let module = self.input.template.module(&address.module().path());
        let key = crate::template::ResourceKey {
            mode: address.mode(),
            type_name: Arc::clone(&address.resource.type_name),
            name: Arc::clone(&address.resource.name),
        };
        let block = module.and_then(|module| module.resources.get(&key));
        match block {
            // What the template says now counts, whatever it said when the object was made.
            Some(block) => block.lifecycle.prevent_destroy.map(|span| {
                Diagnostic::error("plan.prevent_destroy", format!("`{address}` would have to be deleted, which `prevent_destroy` forbids"))
                    .label(span, "set here")
                    .address(address.to_string())
                    .help("keep what declares this instance, or take `prevent_destroy` away, if the object may go")
            }),
            None => known.row.prevent_destroy.then(|| {
                Diagnostic::error(
                    "plan.prevent_destroy",
                    format!("`{address}` is not in the template any more, but its `prevent_destroy` still holds"),
                )
                .address(address.to_string())
                .help(format!(
                    "put the block back without `prevent_destroy`, apply, and then remove it; or let go of the object with `stackwright state rm {address}`"
                ))
            }),
        }
    }

    /// Returns whether the template declares the resource of an address, whatever its instances.
    fn is_declared(&self, address: &Address) -> bool {
        let key = crate::template::ResourceKey {
            mode: address.mode(),
            type_name: Arc::clone(&address.resource.type_name),
            name: Arc::clone(&address.resource.name),
        };
        let module = self.input.template.module(&address.module().path());
        module.is_some_and(|module| module.resources.contains_key(&key))
    }

    /// Returns why the template has no instance of this address; nothing where it has one.
    fn why_orphaned(&self, address: &Address) -> Option<Reason> {
        let mut module = ModuleIdx::ROOT;
        for step in address.module().steps() {
            let Some(nodes) = self.table.module(module).calls.get(&step.name) else {
                return Some(Reason::NotInTemplate);
            };
            let expansion = self.table.calls(nodes.call)?;
            module = match expansion.keys.get(step.key.as_ref()) {
                Some(inner) => *inner,
                None if self.is_declared(address) => return Some(Reason::ModuleRemoved),
                None => return Some(Reason::NotInTemplate),
            };
        }
        let resource = &address.resource;
        let Some(nodes) = self.table.module(module).block(resource.mode, &resource.type_name, &resource.name) else {
            return Some(Reason::NotInTemplate);
        };
        let expansion = self.table.expansion(nodes.block)?;
        match (&expansion.keys, &address.key) {
            (keys, key) if keys.get(key.as_ref()).is_some() => None,
            (Keys::Count(list), Some(InstanceKey::Int(_))) => Some(Reason::CountTooSmall { count: list.len() as u64 }),
            (Keys::Each(_), Some(InstanceKey::Str(_))) => Some(Reason::KeyRemoved),
            _ => Some(Reason::WrongRepetition),
        }
    }
}

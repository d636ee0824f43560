use super::{Planner, instance::Instance, orphan::Orphan, outcome::Outcome, uses::Uses};
use crate::{
    address::{Address, Mode as AddressMode, Target},
    plan::{Action, Reason, node::NodeId},
    state::ObjectId,
    value::Value,
};

/// One line of the plan: an instance, or an object that goes.
pub(super) struct Entry {
    pub address: Address,
    /// The instance of the template; nothing for an object that goes.
    pub node: Option<NodeId>,
    /// The row of the object that is there.
    pub row: Option<u32>,
    pub outcome: Outcome,
    pub deposed: bool,
    /// Whether a replacement is made first; decided for all entries together.
    pub create_first: bool,
    /// The object that is there.
    pub prior: Option<ObjectId>,
    /// The object that there will be.
    pub object: Option<ObjectId>,
    /// Objects that it refers to directly, for its row.
    pub dependencies: Vec<ObjectId>,
    /// Blocks and modules that it refers to as a whole, for its row.
    pub wholes: Vec<Target>,
}

impl Entry {
    pub(super) fn is_data(&self) -> bool {
        self.address.mode() == AddressMode::Data
    }

    pub(super) fn makes(&self) -> bool {
        let makes = matches!(
            self.outcome.action,
            Action::Create
                | Action::Update
                | Action::Read
                | Action::Replace
                | Action::ReplaceCreateFirst
                | Action::Wait
        );
        makes && self.outcome.needs_step()
    }

    /// Returns whether the object that is there goes: from the world, or from care.
    pub(super) fn deletes(&self) -> bool {
        matches!(self.outcome.action, Action::Delete | Action::Forget) || self.outcome.replaces()
    }
}

impl Planner {
    /// Collects instances and objects that go, sorted by address; deposed objects after the one of their address.
    pub(super) fn entries(&mut self) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.instances.iter().count());
        for instance in self.instances.iter() {
            let node = instance.node;
            if let (Some(outcome), false) = (&instance.outcome, self.table.has_failed(node)) {
                let row = instance.row.filter(|number| self.rows.get(*number).is_some_and(|known| !known.gone));
                entries.push(Entry {
                    address: instance.address.clone(),
                    node: Some(node),
                    row,
                    outcome: outcome.clone(),
                    deposed: false,
                    create_first: false,
                    prior: row.and_then(|number| self.rows.get(number)).map(|known| known.row.object_id),
                    object: None,
                    dependencies: Vec::new(),
                    wholes: Vec::new(),
                });
            }
        }
        for Orphan { row: number, reason, action } in self.orphans() {
            let Some(known) = self.rows.get(number) else { continue };
            let outcome = Outcome {
                action,
                reasons: vec![reason.clone()],
                before: Some(known.row.attributes.clone()),
                after: None,
                replace_paths: Vec::new(),
                config: Value::null(crate::value::Type::Any),
                private: None,
                marks_only: false,
                checks: false,
            };
            entries.push(Entry {
                address: known.row.address.clone(),
                node: None,
                row: Some(number),
                outcome,
                deposed: reason == Reason::Deposed,
                create_first: false,
                prior: Some(known.row.object_id),
                object: None,
                dependencies: Vec::new(),
                wholes: Vec::new(),
            });
        }
        entries.sort_by(|a, b| (&a.address, a.deposed, a.prior).cmp(&(&b.address, b.deposed, b.prior)));
        entries
    }

    pub(super) fn of(&self, entry: &Entry) -> Option<&Instance> {
        self.instances.get(entry.node?)
    }

    /// Whatever is used by something that is replaced new one first must be so too: the old ones go in reverse order.
    pub(super) fn decide_create_first(&self, entries: &mut [Entry], uses: &Uses) {
        let first =
            |entry: &Entry| self.of(entry).is_some_and(|instance| instance.block.lifecycle.create_before_destroy);
        let mut open: Vec<u32> =
            (0..).zip(entries.iter()).filter(|(_, entry)| first(entry)).map(|(at, _)| at).collect();
        let mut seen = vec![false; uses.wants.len()];
        while let Some(at) = open.pop() {
            if seen.get_mut(at as usize).is_none_or(|seen| std::mem::replace(seen, true)) {
                continue;
            }
            if let Some(entry) = entries.get_mut(at as usize) {
                entry.create_first = true;
                if entry.outcome.action == Action::Replace {
                    entry.outcome.action = Action::ReplaceCreateFirst;
                }
            }
            open.extend(uses.of(at));
        }
    }

    /// Gives every entry the object that it will have; new ones in order of address.
    pub(super) fn mint(&mut self, entries: &mut [Entry]) {
        for entry in entries {
            if entry.is_data() || matches!(entry.outcome.action, Action::Delete | Action::Forget) {
                continue;
            }
            let adopted =
                entry.node.and_then(|node| self.instances.get(node)).is_some_and(|instance| instance.import.is_some());
            if adopted && entry.prior.is_none() {
                entry.prior = Some(self.input.object_ids.mint());
            }
            entry.object = match (entry.outcome.action, entry.prior) {
                (Action::Create | Action::Replace | Action::ReplaceCreateFirst, _) | (_, None) => {
                    Some(self.input.object_ids.mint())
                }
                (_, prior) => prior,
            };
        }
    }
}

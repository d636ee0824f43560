use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Installation, OperationId};
use crate::{
    error::Result,
    event::Timestamp,
    order::OrderFact,
    plan::{Plan, Step, StepAction},
    pricing::Money,
    run::{Fact, RowFate},
    state::{ObjectId, RunId},
    value::Value,
};

/// What became of an object in a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectFate {
    /// It is there from then on.
    Made,
    /// It was changed in place.
    Changed,
    /// It is gone.
    Gone,
    /// It was let go: it may be there still, and is nobody's here.
    Forgotten,
}

/// What a change did to an object: who owned which object of a provider when, and what comes of its prices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectChange {
    /// The instance.
    pub address: Arc<str>,
    /// Its type.
    pub type_name: Arc<str>,
    /// The object.
    pub object_id: ObjectId,
    /// The provider's id of it, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<Arc<str>>,
    /// What became of it.
    pub fate: ObjectFate,
    /// When that was written down in the run's journal.
    pub at: Timestamp,
    /// Whether it undid what the same change did before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_undo: bool,
    /// What the seller paid back for it; `None` where it paid nothing back, or nothing was ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refunded: Option<Vec<Money>>,
}

impl Installation {
    /// Returns what an operation did to objects, as far as its run came; `None` where it has none.
    pub(super) async fn objects_changed(&self, operation: OperationId) -> Result<Option<Vec<ObjectChange>>> {
        let folded = self.load().await?;
        let Some(change) = folded.view.operations.iter().find(|one| one.operation == operation) else {
            return Ok(None);
        };
        if !self.has_run(change.run).await? {
            return Ok(None);
        }
        self.objects_of(change.run).await.map(Some)
    }

    /// Returns what a run did to objects until now, in order.
    pub(super) async fn objects_of(&self, run: RunId) -> Result<Vec<ObjectChange>> {
        let segments = self.stack.segments(run).await?;
        let rows = self.stack.state().await?.rows;
        let remote = rows.into_iter().filter_map(|row| Some((row.object_id, Arc::from(row.remote_id?))));
        let mut reader = Reader { remote: remote.collect(), ..Reader::default() };
        let mut plan = segments.first();
        for entry in self.stack.journal(run).await? {
            match &entry.fact {
                Fact::RollbackStarted { .. } => {
                    plan = segments.get(1);
                    reader.is_undo = true;
                }
                Fact::Order { fact } => reader.order(fact),
                fact => reader.step(plan, fact, entry.at),
            }
        }
        Ok(reader.end())
    }
}

/// Reads a journal for what became of objects.
#[derive(Default)]
struct Reader {
    changes: Vec<ObjectChange>,
    /// The providers' ids, as far as they are known.
    remote: BTreeMap<ObjectId, Arc<str>>,
    is_undo: bool,
    /// The object of each order line, by the line's key, then as the seller calls it.
    keys: BTreeMap<Arc<str>, ObjectId>,
    lines: BTreeMap<Arc<str>, ObjectId>,
    refunded: BTreeMap<ObjectId, Vec<Money>>,
}

impl Reader {
    fn step(&mut self, plan: Option<&Plan>, fact: &Fact, at: Timestamp) {
        let found = fact.step().zip(plan).and_then(|(id, plan)| Some((plan, plan.step(id)?)));
        let Some((plan, step)) = found else { return };
        if let Fact::Checkpointed { id, .. } = fact {
            self.remote.extend(step.object_id.map(|object| (object, Arc::from(id.as_str()))));
        }
        let Some(fate) = fate(step, fact) else { return };
        let Some(object_id) = step.object_id.or(step.prior) else { return };
        let change = plan.change(step.change);
        if let Some(id) = change
            .and_then(|change| change.before.as_ref())
            .and_then(id_of)
            .filter(|_| step.action != StepAction::Create)
        {
            self.remote.entry(object_id).or_insert(id);
        }
        self.changes.push(ObjectChange {
            address: step.address.to_string().into(),
            type_name: change
                .map_or_else(|| Arc::clone(&step.address.resource.type_name), |change| Arc::clone(&change.type_name)),
            object_id,
            remote_id: None,
            fate,
            at,
            is_undo: self.is_undo,
            refunded: None,
        });
    }

    fn order(&mut self, fact: &OrderFact) {
        match fact {
            OrderFact::Accepted { orders, held } => {
                let lines = orders.iter().flat_map(|order| &order.lines);
                self.keys.extend(lines.map(|line| (Arc::clone(&line.key), line.object_id)));
                self.lines.extend(held.iter().map(|held| (Arc::clone(&held.line), held.object_id)));
            }
            OrderFact::Placed { lines, .. } => {
                let object = |key| self.keys.get(key).copied();
                self.lines.extend(lines.iter().filter_map(|(key, line)| Some((Arc::clone(line), object(key)?))));
            }
            OrderFact::Refunded { line, amount } => {
                if let Some(object) = self.lines.get(line) {
                    self.refunded.entry(*object).or_default().extend(amount.iter().cloned());
                }
            }
            _ => {}
        }
    }

    /// Adds what is only known in the end. What was paid back for something that was never made stands nowhere: nothing is left
    /// of either.
    fn end(mut self) -> Vec<ObjectChange> {
        for change in &mut self.changes {
            change.remote_id = self.remote.get(&change.object_id).cloned();
        }
        for change in self.changes.iter_mut().rev() {
            if change.fate == ObjectFate::Gone || (change.fate == ObjectFate::Changed && change.is_undo) {
                change.refunded = self.refunded.remove(&change.object_id);
            }
        }
        self.changes
    }
}

fn fate(step: &Step, fact: &Fact) -> Option<ObjectFate> {
    let is_applied = match fact {
        Fact::Applied { .. } => true,
        Fact::Failed { row: RowFate::Saved(_), .. } => false,
        Fact::Failed { row: RowFate::Removed, .. } => {
            return matches!(step.action, StepAction::Update | StepAction::Wait).then_some(ObjectFate::Gone);
        }
        _ => return None,
    };
    match step.action {
        // Half of it is there, too.
        StepAction::Create => Some(ObjectFate::Made),
        StepAction::Update if is_applied => Some(ObjectFate::Changed),
        StepAction::Delete if is_applied => Some(ObjectFate::Gone),
        StepAction::Forget if is_applied => Some(ObjectFate::Forgotten),
        _ => None,
    }
}

/// Returns the id that an object has among its attributes, unless it is secret.
fn id_of(object: &Value) -> Option<Arc<str>> {
    let id = object.attribute("id").filter(|id| id.marks_deep().is_empty())?;
    id.as_str().map(Arc::from)
}

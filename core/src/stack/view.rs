use std::collections::BTreeMap;

use crate::{
    address::Address,
    event::Timestamp,
    plan::StepAction,
    state::{CheckResult, Lineage, ObjectId, Row, RowStatus, RunId, RunStatus, codec::Output},
};

/// What exists, as a value.
#[derive(Clone, Debug, PartialEq)]
pub struct StateView {
    /// The stack's history; `None` where nothing was ever applied.
    pub lineage: Option<Lineage>,
    /// Counts the commits that changed rows or outputs.
    pub serial: u64,
    /// One row for each object, in no particular order.
    pub rows: Vec<Row>,
    /// The root outputs by name.
    pub outputs: BTreeMap<String, Output>,
    /// What became of the conditions of the template when it was last applied.
    pub checks: Vec<CheckResult>,
}

impl StateView {
    /// Returns the rows sorted by address, current ones before deposed ones.
    pub fn sorted(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by_key(|row| (row.address.clone(), row.status == RowStatus::Deposed, row.object_id));
        rows
    }

    /// Returns the row of an address; not a deposed one.
    pub fn row(&self, address: &Address) -> Option<&Row> {
        self.rows.iter().find(|row| row.status != RowStatus::Deposed && row.address == *address)
    }
}

/// One run in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct RunView {
    /// Which run.
    pub id: RunId,
    /// How it stands.
    pub status: RunStatus,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Who started it, where that was said.
    pub who: String,
    /// Why, where that was said.
    pub why: String,
    /// How many steps its plan has.
    pub step_count: u32,
    /// Steps that ended well; 0 until it ended, as the next two.
    pub done_count: u32,
    /// Steps that failed or are uncertain.
    pub failed_count: u32,
    /// Steps that did not start.
    pub skipped_count: u32,
}

/// A call of a run that had begun and whose end nobody noted.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenCall {
    /// Which instance.
    pub address: Address,
    /// What was to be done.
    pub action: StepAction,
    /// Which object: the key that the call was made with.
    pub object_id: Option<ObjectId>,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// When it began.
    pub began: Timestamp,
}

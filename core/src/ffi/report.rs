use std::collections::BTreeMap;

use serde::Serialize;

use super::{Failure, Shown};
use crate::{
    plan::{Action, Plan},
    run::RunReport,
    stack::StateView,
    state::{Row, RowStatus},
};

/// What a plan comes to, for a host to look at; the plan itself stays with the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanData {
    /// Whether nothing is to be done.
    pub is_empty: bool,
    /// What is done to whom, without those left alone: address and action.
    pub changes: Vec<(String, String)>,
    /// The plan as a page for people; holds no value that is sensitive.
    pub text: String,
}

impl From<&Plan> for PlanData {
    fn from(plan: &Plan) -> Self {
        let changes = plan.changes.iter().filter(|change| change.action != Action::NoOp);
        Self {
            is_empty: plan.is_empty(),
            changes: changes.map(|change| (change.address.to_string(), change.action.as_str().to_owned())).collect(),
            text: plan.to_string(),
        }
    }
}

/// How a run ended; see [`RunReport`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportData {
    /// Which run.
    pub run: String,
    /// How it stands, such as `succeeded`.
    pub status: &'static str,
    /// What went wrong, in the order in which it happened.
    pub problems: Vec<StepProblemData>,
    /// The root outputs by name; those that are sensitive are hidden.
    pub outputs: BTreeMap<String, Shown>,
    /// Steps that ended well.
    pub done_count: usize,
    /// Steps that failed or are uncertain.
    pub failed_count: usize,
    /// Steps that did not start.
    pub skipped_count: usize,
}

/// A problem of a run; see [`crate::run::StepProblem`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepProblemData {
    /// The address of the instance, or the name of the output.
    pub address: String,
    /// What went wrong.
    pub error: Failure,
}

impl From<&RunReport> for ReportData {
    fn from(report: &RunReport) -> Self {
        let problems = report.problems.iter();
        let outputs = report.outputs.iter().map(|(name, value)| (name.clone(), Shown::of(value)));
        Self {
            run: report.run.to_string(),
            status: report.status.as_str(),
            problems: problems
                .map(|problem| StepProblemData { address: problem.address.clone(), error: (&problem.error).into() })
                .collect(),
            outputs: outputs.collect(),
            done_count: report.done_count,
            failed_count: report.failed_count,
            skipped_count: report.skipped_count,
        }
    }
}

/// One object that exists, without its attributes; see [`crate::state::Row`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowData {
    /// Where it stands in the template.
    pub address: String,
    /// The identity of the object, and the idempotency key that it was made with.
    pub object_id: String,
    /// The id that the remote system uses.
    pub id: Option<String>,
    /// What is known of it, such as `current` or `tainted`.
    pub status: RowStatus,
    /// Whether it was seen to work after its last change.
    pub ready: bool,
}

impl RowData {
    /// Returns what exists, sorted by address.
    pub fn all(state: &StateView) -> Vec<Self> {
        let row = |row: &Row| Self {
            address: row.address.to_string(),
            object_id: row.object_id.to_string(),
            id: row.remote_id.clone(),
            status: row.status,
            ready: row.ready,
        };
        state.sorted().into_iter().map(row).collect()
    }
}

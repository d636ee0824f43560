use std::{collections::BTreeMap, convert::Infallible};

use serde::Serialize;
use serde_json::Value as Json;

use super::{Document, Problem};
use crate::{
    plan::{Action, Change, Join, Mode, Need, OutputChange, Plan, Reason, StepAction},
    stack::{RunView, StateView},
    state::{Row, RowStatus, codec::Output},
    value::{Path, Value},
};

/// A value as people may see it: what is marked is null and named beside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Shown {
    /// The value as plain JSON.
    pub value: Json,
    /// The parts that are not known yet; outermost only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Path>,
    /// The parts that are sensitive or ephemeral; outermost only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<Path>,
}

impl Shown {
    /// Returns what may be seen of a value. O(size).
    pub fn of(value: &Value) -> Self {
        if value.marks_deep().is_empty() {
            let Document { value, unknown } = Document::of(value);
            return Self { value, unknown, hidden: Vec::new() };
        }
        let (_, marked) = value.unmark_deep_with_paths();
        let mut hidden: Vec<Path> = marked.into_iter().map(|(path, _)| path).collect();
        hidden.sort();
        // What lies within something hidden is not named again.
        hidden.dedup_by(|inner, outer| inner.starts_with(outer));
        let Ok(open) = value.transform(|_, part| {
            Ok::<_, Infallible>(if part.marks().is_empty() { part } else { Value::null(part.ty()) })
        });
        let Document { value, unknown } = Document::of(&open.unmark_deep().0);
        Self { value, unknown, hidden }
    }
}

/// How many objects a plan makes, changes and deletes; see [`crate::plan::Counts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CountsView {
    /// Objects that are made.
    pub add: usize,
    /// Objects that are changed in place.
    pub change: usize,
    /// Objects that are deleted.
    pub delete: usize,
    /// Objects that are adopted.
    pub import: usize,
    /// Objects that are let go.
    pub forget: usize,
    /// Objects that are only waited for.
    pub wait: usize,
}

/// What a plan comes to; the plan itself stays with the session, under its number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanView {
    /// The number that the session knows it by.
    pub plan: u64,
    /// Whose it is, as `tenant/name`.
    pub stack: String,
    /// What it is for.
    pub mode: Mode,
    /// Whether nothing is to be done.
    pub is_empty: bool,
    /// How many objects are concerned.
    pub counts: CountsView,
    /// What planning warns of.
    pub warnings: Vec<Problem>,
}

impl PlanView {
    /// Returns what a plan comes to, without the warnings, whose texts are elsewhere.
    pub fn of(number: u64, plan: &Plan, warnings: Vec<Problem>) -> Self {
        let counts = plan.counts();
        Self {
            plan: number,
            stack: plan.stack.to_string(),
            mode: plan.mode,
            is_empty: plan.is_empty(),
            counts: CountsView {
                add: counts.add,
                change: counts.change,
                delete: counts.delete,
                import: counts.import,
                forget: counts.forget,
                wait: counts.wait,
            },
            warnings,
        }
    }
}

/// One change of a plan; see [`Change`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangeView {
    /// The instance.
    pub address: String,
    /// Where the object stood before, if it moved.
    pub previous_address: Option<String>,
    /// The registered type.
    pub type_name: String,
    /// What is to be done.
    pub action: Action,
    /// Why, the strongest reason first.
    pub reasons: Vec<Reason>,
    /// The same, in words that hold no value.
    pub paths: Vec<String>,
    /// The object before.
    pub before: Option<Shown>,
    /// The object as it will be.
    pub after: Option<Shown>,
    /// The paths that force replacement, as text.
    pub replace_paths: Vec<String>,
    /// The id to import, when the object is adopted.
    pub importing: Option<String>,
}

impl From<&Change> for ChangeView {
    fn from(change: &Change) -> Self {
        let changed = change.reasons.iter().flat_map(|reason| match reason {
            Reason::Changed { paths } | Reason::ForcesReplacement { paths } => paths.as_slice(),
            _ => &[],
        });
        Self {
            address: change.address.to_string(),
            previous_address: change.previous_address.as_ref().map(ToString::to_string),
            type_name: change.type_name.to_string(),
            action: change.action,
            reasons: change.reasons.clone(),
            paths: changed.map(ToString::to_string).collect(),
            before: change.before.as_ref().map(Shown::of),
            after: change.after.as_ref().map(Shown::of),
            replace_paths: change.replace_paths.iter().map(ToString::to_string).collect(),
            importing: change.importing.clone(),
        }
    }
}

/// How an output changes; see [`OutputChange`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputView {
    /// Its value; hidden where it is sensitive.
    pub value: Shown,
    /// Whether the template declares it sensitive.
    pub sensitive: bool,
}

impl OutputView {
    pub(super) fn of(output: &Output, is_revealed: bool) -> Self {
        let value = if is_revealed {
            Shown { value: Document::of(&output.value).value, ..Shown::default() }
        } else if output.sensitive {
            Shown { hidden: vec![Path::root()], ..Shown::default() }
        } else {
            Shown::of(&output.value)
        };
        Self { value, sensitive: output.sensitive }
    }

    pub(super) fn planned(change: &OutputChange) -> Option<Self> {
        let after = change.after.as_ref()?;
        let hidden = || Shown { hidden: vec![Path::root()], ..Shown::default() };
        Some(Self { value: if change.sensitive { hidden() } else { Shown::of(after) }, sensitive: change.sensitive })
    }
}

/// The steps of a plan and what they wait for, for drawing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GraphView {
    /// The steps; a step's number is its place.
    pub steps: Vec<StepView>,
    /// Where waits come together.
    pub joins: Vec<Join>,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepView {
    /// The instance.
    pub address: String,
    /// What it does.
    pub action: StepAction,
    /// The steps that it waits for.
    pub needs: Vec<Need>,
    /// The joins that it waits for, by their places.
    pub joins: Vec<u32>,
}

impl From<&Plan> for GraphView {
    fn from(plan: &Plan) -> Self {
        let step = |step: &crate::plan::Step| StepView {
            address: step.address.to_string(),
            action: step.action,
            needs: step.needs.clone(),
            joins: step.joins.iter().map(|join| join.0).collect(),
        };
        Self { steps: plan.steps.iter().map(step).collect(), joins: plan.joins.clone() }
    }
}

/// One object that exists, with what may be seen of its attributes; see [`Row`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowView {
    /// Where it stands in the template.
    pub address: String,
    /// The registered type.
    pub type_name: String,
    /// The identity of the object, and the idempotency key that it was made with.
    pub object_id: String,
    /// The id that the remote system uses.
    pub id: Option<String>,
    /// What is known of it.
    pub status: RowStatus,
    /// Whether it was seen to work after its last change.
    pub ready: bool,
    /// Its attributes.
    pub attributes: Shown,
    /// The object ids of those that it refers to directly.
    pub dependencies: Vec<String>,
}

impl From<&Row> for RowView {
    fn from(row: &Row) -> Self {
        Self {
            address: row.address.to_string(),
            type_name: row.type_name.to_string(),
            object_id: row.object_id.to_string(),
            id: row.remote_id.clone(),
            status: row.status,
            ready: row.ready,
            attributes: Shown::of(&row.attributes),
            dependencies: row.dependencies.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What exists; see [`StateView`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateData {
    /// Counts the commits that changed rows or outputs.
    pub serial: u64,
    /// One row for each object, sorted by address.
    pub rows: Vec<RowView>,
    /// The root outputs by name.
    pub outputs: BTreeMap<String, OutputView>,
}

impl From<&StateView> for StateData {
    fn from(state: &StateView) -> Self {
        let outputs = state.outputs.iter().map(|(name, output)| (name.clone(), OutputView::of(output, false)));
        Self {
            serial: state.serial,
            rows: state.sorted().into_iter().map(RowView::from).collect(),
            outputs: outputs.collect(),
        }
    }
}

/// One run in a list; see [`RunView`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunData {
    /// Which run.
    pub id: String,
    /// How it stands.
    pub status: &'static str,
    /// When it began, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// When it ended.
    pub finished_ms: Option<u64>,
    /// Who started it, where that was said.
    pub who: String,
    /// Why, where that was said.
    pub why: String,
}

impl From<&RunView> for RunData {
    fn from(run: &RunView) -> Self {
        Self {
            id: run.id.to_string(),
            status: run.status.as_str(),
            started_ms: run.started.0,
            finished_ms: run.finished.map(|finished| finished.0),
            who: run.who.clone(),
            why: run.why.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Marks, Type};

    #[test]
    fn what_is_marked_is_null_and_named() {
        let value = Value::object([
            ("name", Value::string("assets")),
            ("token", Value::string("hunter2").with_marks(Marks::SENSITIVE)),
            ("id", Value::unknown(Type::String)),
            ("keys", Value::map(Type::String, [("a", Value::string("hunter2"))]).with_marks(Marks::SENSITIVE)),
        ]);
        let text = serde_json::to_string(&Shown::of(&value)).expect("it is JSON");
        assert_eq!(
            text,
            r#"{"value":{"id":null,"keys":null,"name":"assets","token":null},"unknown":[[{"attr":"id"}]],"hidden":[[{"attr":"keys"}],[{"attr":"token"}]]}"#
        );
        let whole = Shown::of(&Value::string("hunter2").with_marks(Marks::SENSITIVE));
        assert_eq!((whole.value, whole.hidden), (Json::Null, vec![Path::root()]));
    }
}

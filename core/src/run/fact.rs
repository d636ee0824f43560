use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Before;
use crate::{
    error::{Effect, Error, ErrorKind},
    order::OrderFact,
    plan::StepId,
    state::{ObjectId, RunStatus},
    value::Value,
};

/// What to do about the rest of a run when a step failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Finish what runs, start nothing new.
    #[default]
    Stop,
    /// Go on with everything that does not need the failed step.
    Continue,
    /// Finish what runs, start nothing new, then undo what was done: what was made is deleted, what was changed is changed
    /// back, what was deleted is made anew. Where that fails too the run is stuck, and every cause is told.
    Rollback,
}

/// A row as a fact names it; the row itself is written in the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowRef {
    /// The object.
    pub object_id: ObjectId,
    /// The version that was written.
    pub version: u64,
}

/// What became of a failed step's row; written in the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RowFate {
    /// Nothing was written.
    Untouched,
    /// The row was written: half made, or whole but not as asked.
    Saved(RowRef),
    /// The row was removed: the object is gone.
    Removed,
}

/// An error as the journal keeps it: no causes, no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepError {
    /// What the caller can do.
    pub kind: ErrorKind,
    /// The stable code.
    pub code: String,
    /// The message, with the causes' messages.
    pub message: String,
    /// What it may have done to the world.
    pub effect: Effect,
    /// Facts, in the order in which they were added.
    pub context: Vec<(String, String)>,
}

impl StepError {
    /// Returns the error as one that can be thrown.
    pub fn to_error(&self) -> Error {
        let mut error = Error::new(self.kind, self.code.clone(), self.message.clone()).effect(self.effect);
        for (key, value) in &self.context {
            error = error.context(key.clone(), value);
        }
        error
    }
}

impl From<&Error> for StepError {
    fn from(error: &Error) -> Self {
        let mut message = error.message().to_owned();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        Self {
            kind: error.kind(),
            code: error.code().to_owned(),
            message,
            effect: error.effect_on_world(),
            context: error.facts().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        }
    }
}

/// What a call is made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Input<V = Value> {
    /// Exactly what the stored plan says.
    AsPlanned,
    /// What the plan's residue came to.
    Finalised {
        /// The configuration, wholly known; `None` for a delete.
        config: Option<V>,
        /// The planned object, unknown only where the type computes values.
        planned: Option<V>,
        /// Bytes that the type's `plan` handed out.
        private: Option<Arc<[u8]>>,
        /// Whether parts were left out because they must not be stored; a repeat evaluates the residue again.
        ephemeral: bool,
    },
}

/// What asking the world after a lost call came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Conclusion {
    /// The step's change is in the world; `Applied` or `Failed` follows in the same transaction.
    Found,
    /// It certainly is not; it is made (again), with the same key.
    Missing,
    /// Nobody asked: the type promises that a repeat is harmless.
    Repeatable,
    /// Not to be told; a person has to settle it.
    CannotTell {
        /// Why, for people.
        reason: String,
    },
}

/// Something that happened in a run. Facts are appended to the journal and never change; a run's state is their fold.
///
/// `V` is how values are held: [`Value`] in memory, sealed text in the store (see [`Entry`](super::Entry)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fact<V = Value> {
    /// The run began; written with its first segment.
    RunStarted {
        /// How many steps its plan has.
        step_count: u32,
        /// What to do when a step fails.
        on_failure: OnFailure,
    },
    /// A step's call is about to be made. Durable before it is.
    Started {
        /// The step.
        step: StepId,
        /// The object; `None` for data sources.
        object_id: Option<ObjectId>,
        /// Which attempt, from 1.
        attempt: u32,
        /// What the call is made with.
        input: Input<V>,
    },
    /// A row as it was, written before the first step that may change it, in a run that may be rolled back.
    Remembered {
        /// The step.
        step: StepId,
        /// The row.
        before: Before<V>,
    },
    /// An unfinished call knows its object's remote id.
    Checkpointed {
        /// The step.
        step: StepId,
        /// The remote id.
        id: String,
        /// What else is known.
        partial: Option<V>,
    },
    /// An attempt ended and nobody knows what it did; the world is asked.
    Interrupted {
        /// The step.
        step: StepId,
        /// Why.
        error: StepError,
    },
    /// The world was asked what became of a lost call.
    Recovered {
        /// The step.
        step: StepId,
        /// What it came to.
        conclusion: Conclusion,
        /// The row that was written as uncertain.
        row: Option<RowRef>,
    },
    /// The change is made. Written with the row.
    Applied {
        /// The step.
        step: StepId,
        /// The row; `None` when it was removed.
        row: Option<RowRef>,
    },
    /// The object works and the template's conditions hold. Written with the row.
    Ready {
        /// The step.
        step: StepId,
    },
    /// A data source was read.
    Observed {
        /// The step.
        step: StepId,
        /// What was read; marked.
        value: V,
    },
    /// Evaluation drew something that another time would come out differently (a time, a random number).
    Drawn {
        /// What was drawn, in the evaluator's own words; unique in the run.
        key: String,
        /// What came out; marked.
        value: V,
    },
    /// A step ended badly.
    Failed {
        /// The step.
        step: StepId,
        /// Why; at least one, the first is the cause of the failure.
        errors: Vec<StepError>,
        /// What became of its row.
        row: RowFate,
    },
    /// A step will not start: something that it needs did not end well, or the run was stopped.
    Skipped {
        /// The step.
        step: StepId,
    },
    /// The run failed and undoes what it did. Written with the segment that says how; steps that facts name from here on
    /// are those of that segment.
    RollbackStarted {
        /// How many steps the segment has.
        step_count: u32,
    },
    /// Something happened to its orders.
    Order {
        /// What.
        fact: OrderFact,
    },
    /// Somebody asked the run to stop.
    CancelRequested,
    /// Another process took the run up.
    Resumed,
    /// The run ended. Written with its record and its outputs.
    Finished {
        /// How.
        status: RunStatus,
    },
}

impl<V> Fact<V> {
    /// Returns the step that it is about; `None` where it is about the run.
    pub fn step(&self) -> Option<StepId> {
        match self {
            Self::Started { step, .. }
            | Self::Remembered { step, .. }
            | Self::Checkpointed { step, .. }
            | Self::Interrupted { step, .. }
            | Self::Recovered { step, .. }
            | Self::Applied { step, .. }
            | Self::Ready { step }
            | Self::Observed { step, .. }
            | Self::Failed { step, .. }
            | Self::Skipped { step } => Some(*step),
            Self::RunStarted { .. }
            | Self::RollbackStarted { .. }
            | Self::Drawn { .. }
            | Self::Order { .. }
            | Self::CancelRequested
            | Self::Resumed
            | Self::Finished { .. } => None,
        }
    }

    /// Returns the name used in messages and in storage.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RunStarted { .. } => "run_started",
            Self::Started { .. } => "started",
            Self::Remembered { .. } => "remembered",
            Self::Checkpointed { .. } => "checkpointed",
            Self::Interrupted { .. } => "interrupted",
            Self::Recovered { .. } => "recovered",
            Self::Applied { .. } => "applied",
            Self::Ready { .. } => "ready",
            Self::Observed { .. } => "observed",
            Self::Drawn { .. } => "drawn",
            Self::Failed { .. } => "failed",
            Self::Skipped { .. } => "skipped",
            Self::RollbackStarted { .. } => "rollback_started",
            Self::Order { .. } => "order",
            Self::CancelRequested => "cancel_requested",
            Self::Resumed => "resumed",
            Self::Finished { .. } => "finished",
        }
    }

    /// Rebuilds the fact with its values held another way.
    ///
    /// # Errors
    /// Whatever `convert` returns first.
    pub fn try_map<W, E>(self, mut convert: impl FnMut(V) -> Result<W, E>) -> Result<Fact<W>, E> {
        Ok(match self {
            Self::RunStarted { step_count, on_failure } => Fact::RunStarted { step_count, on_failure },
            Self::Started { step, object_id, attempt, input } => {
                Fact::Started { step, object_id, attempt, input: input.try_map(convert)? }
            }
            Self::Remembered { step, before } => Fact::Remembered { step, before: before.try_map(convert)? },
            Self::Checkpointed { step, id, partial } => {
                Fact::Checkpointed { step, id, partial: partial.map(convert).transpose()? }
            }
            Self::Interrupted { step, error } => Fact::Interrupted { step, error },
            Self::Recovered { step, conclusion, row } => Fact::Recovered { step, conclusion, row },
            Self::Applied { step, row } => Fact::Applied { step, row },
            Self::Ready { step } => Fact::Ready { step },
            Self::Observed { step, value } => Fact::Observed { step, value: convert(value)? },
            Self::Drawn { key, value } => Fact::Drawn { key, value: convert(value)? },
            Self::Failed { step, errors, row } => Fact::Failed { step, errors, row },
            Self::Skipped { step } => Fact::Skipped { step },
            Self::RollbackStarted { step_count } => Fact::RollbackStarted { step_count },
            Self::Order { fact } => Fact::Order { fact },
            Self::CancelRequested => Fact::CancelRequested,
            Self::Resumed => Fact::Resumed,
            Self::Finished { status } => Fact::Finished { status },
        })
    }
}

impl<V> Input<V> {
    fn try_map<W, E>(self, mut convert: impl FnMut(V) -> Result<W, E>) -> Result<Input<W>, E> {
        Ok(match self {
            Self::AsPlanned => Input::AsPlanned,
            Self::Finalised { config, planned, private, ephemeral } => Input::Finalised {
                config: config.map(&mut convert).transpose()?,
                planned: planned.map(&mut convert).transpose()?,
                private,
                ephemeral,
            },
        })
    }
}

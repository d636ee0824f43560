use std::fmt;

use crate::{
    error::{Error, ErrorKind},
    plan::StepId,
    state::RunStatus,
};

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It waits for others, or for its turn.
    Waiting,
    /// Its call is being made, or was when the journal ends.
    Running {
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// Its call ended and nobody knows what it did.
    Lost {
        /// Which attempt.
        attempt: u32,
    },
    /// Its last attempt certainly left nothing behind; another one follows.
    Again {
        /// The last attempt.
        attempt: u32,
    },
    /// The world was asked and has its change; the row follows in the same transaction.
    Found {
        /// The attempt that made it.
        attempt: u32,
    },
    /// The change is made; the object does not work yet.
    Applied,
    /// Nothing is left to do.
    Done,
    /// It ended badly.
    Failed,
    /// Nobody can tell what it did; a person has to settle it.
    Uncertain,
    /// It will not start.
    Skipped,
}

impl Phase {
    /// Returns the name used in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running { .. } => "running",
            Self::Lost { .. } => "lost",
            Self::Again { .. } => "again",
            Self::Found { .. } => "found",
            Self::Applied => "applied",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Uncertain => "uncertain",
            Self::Skipped => "skipped",
        }
    }

    /// Returns whether no fact can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Uncertain | Self::Skipped)
    }

    /// Returns whether something of the step is in the air.
    pub(super) const fn is_active(self) -> bool {
        matches!(self, Self::Running { .. } | Self::Lost { .. } | Self::Found { .. } | Self::Applied)
    }
}

/// What the driver must do next. Commands are never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make the step's call: for the first time, or again with the same input.
    Start(StepId),
    /// Ask the world what became of the step's call.
    Recover(StepId),
    /// Wait until the step's object works.
    AwaitReady(StepId),
    /// Skip what is left, and end the run so.
    Finish(RunStatus),
}

/// A fact that cannot follow the facts before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IllegalFact {
    /// The step, where it is about one.
    pub step: Option<StepId>,
    /// The name of the fact.
    pub fact: &'static str,
    /// How the step (or the run) stands.
    pub state: &'static str,
    /// What speaks against it.
    pub why: &'static str,
}

impl fmt::Display for IllegalFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, fact, state, why } = self;
        match step {
            Some(step) => write!(f, "fact `{fact}` of step {} cannot follow while it is {state}: {why}", step.0),
            None => write!(f, "fact `{fact}` cannot follow while the run is {state}: {why}"),
        }
    }
}

impl std::error::Error for IllegalFact {}

impl From<IllegalFact> for Error {
    fn from(illegal: IllegalFact) -> Self {
        Self::new(ErrorKind::Bug, "run.illegal_fact", illegal.to_string())
    }
}

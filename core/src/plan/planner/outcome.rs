use std::sync::Arc;

use crate::{
    plan::{Action, Reason},
    value::{Path, Type, Value},
};

/// What is to become of one instance.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub action: Action,
    pub reasons: Vec<Reason>,
    /// The object as it is; marked.
    pub before: Option<Value>,
    /// The object as it will be; marked.
    pub after: Option<Value>,
    pub replace_paths: Vec<Path>,
    /// What the template says; marked.
    pub config: Value,
    pub private: Option<Arc<[u8]>>,
    /// Nothing but marks change: no call is needed.
    pub marks_only: bool,
    /// Conditions are left to be checked when it runs.
    pub checks: bool,
}

impl Outcome {
    /// Returns that nothing becomes of an object that is there.
    pub(super) fn unchanged(value: Value) -> Self {
        Self {
            action: Action::NoOp,
            reasons: Vec::new(),
            before: Some(value.clone()),
            after: Some(value),
            replace_paths: Vec::new(),
            config: Value::null(Type::Any),
            private: None,
            marks_only: false,
            checks: false,
        }
    }

    /// Returns whether something is done, if it be to wait.
    pub(super) fn needs_step(&self) -> bool {
        match self.action {
            Action::NoOp => false,
            Action::Wait => true,
            _ => !self.marks_only,
        }
    }

    /// Returns whether the row already says what becomes of the object, whatever a step still does.
    pub(super) fn leaves_row(&self) -> bool {
        self.action == Action::Wait || !self.needs_step()
    }

    /// Returns whether a new object is made where there is one.
    pub(super) fn replaces(&self) -> bool {
        matches!(self.action, Action::Replace | Action::ReplaceCreateFirst)
    }
}

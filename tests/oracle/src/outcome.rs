//! What an expression comes to.

use crate::canon::canon;
use stackwright::value::Value;

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A value, in the words of [`canon`].
    Value(String),
    /// An error; the message is for people, and not compared.
    Error(String),
}

impl Outcome {
    /// Returns the outcome that is a value.
    pub fn of(value: &Value) -> Self {
        Self::Value(canon(value))
    }

    /// Returns the outcome with another name for the folder of the files: that is another one each time.
    pub fn within(self, folder: &str) -> Self {
        match self {
            Self::Value(text) => Self::Value(text.replace(folder, "/the/world")),
            error @ Self::Error(_) => error,
        }
    }

    /// Returns whether it is an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}

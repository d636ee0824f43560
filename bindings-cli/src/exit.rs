//! How the program ends: Terraform's codes.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well (0).
    Success,
    /// Something failed (1).
    Failure,
    /// `plan -detailed-exitcode` found changes, or the command line is wrong (2).
    Two,
    /// `fmt -check` found a file in another layout (3).
    Three,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => Self::SUCCESS,
            Exit::Failure => Self::FAILURE,
            Exit::Two => Self::from(2),
            Exit::Three => Self::from(3),
        }
    }
}

use crate::error::ErrorKind;

/// Why a text is no address.
///
/// Every variant has the code `address.invalid`. Positions count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something else was expected at a place.
    #[error("`{input}` is not an address: expected {expected} at character {position}, found {found}")]
    Unexpected {
        /// The text, shortened if it is long.
        input: String,
        /// Where, counted in characters from 1.
        position: usize,
        /// What may stand there.
        expected: &'static str,
        /// What stands there: a character in backticks, or the end.
        found: String,
    },
    /// The address is whole, but text follows it.
    #[error("`{input}` is not an address: it should end before character {position}, where {found} follows")]
    Trailing {
        /// The text, shortened if it is long.
        input: String,
        /// Where the rest begins, counted in characters from 1.
        position: usize,
        /// What follows: a character in backticks.
        found: String,
    },
    /// A number in brackets is larger than any instance key.
    #[error("`{input}` is not an address: the key at character {position} is too large a number")]
    KeyTooLarge {
        /// The text, shortened if it is long.
        input: String,
        /// Where the number begins, counted in characters from 1.
        position: usize,
    },
    /// It is an address, but of another sort than the one asked for.
    #[error("`{input}` names {found}, but {expected} is needed")]
    WrongSort {
        /// The text, shortened if it is long.
        input: String,
        /// What it names, with its article.
        found: &'static str,
        /// What is needed, with its article.
        expected: &'static str,
    },
}

impl Error {
    /// Returns the stable code, `address.invalid`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unexpected { .. } | Self::Trailing { .. } | Self::KeyTooLarge { .. } | Self::WrongSort { .. } => {
                "address.invalid"
            }
        }
    }
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let (input, position) = match &error {
            Error::Unexpected { input, position, .. }
            | Error::Trailing { input, position, .. }
            | Error::KeyTooLarge { input, position } => (input.clone(), Some(*position)),
            Error::WrongSort { input, .. } => (input.clone(), None),
        };
        let public = Self::new(ErrorKind::InvalidInput, error.code(), error.to_string()).context("address", input);
        match position {
            Some(position) => public.context("position", position),
            None => public,
        }
    }
}

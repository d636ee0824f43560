use crate::error::ErrorKind;

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It contradicts itself.
    #[error("the schema contradicts itself: {}", problems.join("; "))]
    Inconsistent {
        /// What is wrong, each as a lower-case fragment that names its place. Never empty.
        problems: Vec<String>,
    },
}

impl Error {
    /// Returns the stable code, `schema.invalid`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Inconsistent { .. } => "schema.invalid",
        }
    }
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        Self::new(ErrorKind::Bug, error.code(), error.to_string())
    }
}

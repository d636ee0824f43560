use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::Diagnostic;

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// Mend the input: a template, a variable, an argument.
    InvalidInput,
    /// Name something that exists.
    NotFound,
    /// Choose another name, or adopt what is there.
    AlreadyExists,
    /// Somebody else was faster: look again, then repeat.
    Conflict,
    /// Ask for permission or fix the credentials.
    Denied,
    /// Try again later: a service, a disk or a network does not answer.
    Unavailable,
    /// Try again more slowly.
    RateLimited,
    /// Use another way; this one is not offered.
    Unsupported,
    /// The caller asked to stop.
    Cancelled,
    /// Report it: the engine or a resource type broke its own contract.
    Bug,
}

impl ErrorKind {
    /// Returns the name used in every language, such as `invalid_input`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::Denied => "denied",
            Self::Unavailable => "unavailable",
            Self::RateLimited => "rate_limited",
            Self::Unsupported => "unsupported",
            Self::Cancelled => "cancelled",
            Self::Bug => "bug",
        }
    }
}

/// Whether and when the same call may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Repeating gives the same answer.
    #[default]
    No,
    /// The other side named a time to wait.
    After(Duration),
    /// Repeat with growing pauses.
    WithBackoff,
}

/// What a failed call may have done to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing was changed; repeating is safe.
    #[default]
    None,
    /// Nobody knows (a time-out, a lost connection, a panic): ask the world before repeating.
    Unknown,
}

/// Why a call failed.
///
/// `Display` prints the message alone (never the source); walk [`std::error::Error::source`] for the chain, or
/// use [`Error::report`]. Built with [`Error::new`] and the setters below it.
///
/// # Examples
/// ```
/// use stackwright::error::{Effect, Error, ErrorKind, Retry};
///
/// let error = Error::new(ErrorKind::Unavailable, "resource.failed", "the bucket service timed out")
///     .retry(Retry::WithBackoff)
///     .effect(Effect::Unknown)
///     .context("bucket", "assets");
/// assert_eq!(error.code(), "resource.failed");
/// assert_eq!(error.to_string(), "the bucket service timed out");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    code: Cow<'static, str>,
    message: String,
    retry: Retry,
    effect: Effect,
    context: Vec<(Cow<'static, str>, String)>,
    diagnostics: Vec<Diagnostic>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Returns an error that had no effect and is not worth repeating.
    pub fn new(kind: ErrorKind, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            code: code.into(),
            message: message.into(),
            retry: Retry::No,
            effect: Effect::None,
            context: Vec::new(),
            diagnostics: Vec::new(),
            source: None,
        }))
    }

    /// Returns an `InvalidInput` error that carries diagnostics.
    pub fn from_diagnostics(code: &'static str, diagnostics: Vec<Diagnostic>) -> Self {
        let count = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
        let message = match diagnostics.iter().find(|diagnostic| diagnostic.is_error()) {
            Some(first) if count == 1 => first.message.clone(),
            Some(first) => format!("{} (and {} more)", first.message, count - 1),
            None => "the input has problems".to_owned(),
        };
        let mut error = Self::new(ErrorKind::InvalidInput, code, message);
        error.0.diagnostics = diagnostics;
        error
    }

    /// Returns an error for a broken promise inside the engine.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Bug, "engine.bug", message)
    }

    /// Sets whether repeating helps.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Sets what may have happened to the world.
    pub fn effect(mut self, effect: Effect) -> Self {
        self.0.effect = effect;
        self
    }

    /// Adds a fact: a key and what it was. Never a secret.
    pub fn context(mut self, key: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        self.0.context.push((key.into(), value.to_string()));
        self
    }

    /// Adds diagnostics.
    pub fn with_diagnostics(mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) -> Self {
        self.0.diagnostics.extend(diagnostics);
        self
    }

    /// Sets the cause.
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns what the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the stable code, such as `plan.cycle`.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// Returns the message without its causes.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns whether repeating helps.
    pub fn retry_advice(&self) -> Retry {
        self.0.retry
    }

    /// Returns what may have happened to the world.
    pub fn effect_on_world(&self) -> Effect {
        self.0.effect
    }

    /// Returns the facts, in the order in which they were added.
    pub fn facts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.context.iter().map(|(key, value)| (key.as_ref(), value.as_str()))
    }

    /// Returns the problems in the input, if those caused it.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.0.diagnostics
    }

    /// Returns message, facts and causes as one line.
    pub fn report(&self) -> String {
        let mut text = self.0.message.clone();
        for (key, value) in &self.0.context {
            text.push_str(&format!(" [{key}={value}]"));
        }
        let mut source = self.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.0.code, self.0.kind.as_str(), self.report())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

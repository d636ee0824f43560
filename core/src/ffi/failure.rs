use std::{error::Error as _, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Diagnostic, Effect, Error, ErrorKind, RenderOptions, Result, Retry, Severity, Sources, render},
    run::StepError,
};

/// Whether and when a failed call may be repeated, with units that every language has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAdvice {
    /// Repeating gives the same answer.
    #[default]
    No,
    /// The other side named a time to wait, in milliseconds.
    AfterMs(u64),
    /// Repeat with growing pauses.
    WithBackoff,
}

impl From<Retry> for RetryAdvice {
    fn from(retry: Retry) -> Self {
        match retry {
            Retry::No => Self::No,
            Retry::After(pause) => Self::AfterMs(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)),
            Retry::WithBackoff => Self::WithBackoff,
        }
    }
}

impl From<RetryAdvice> for Retry {
    fn from(advice: RetryAdvice) -> Self {
        match advice {
            RetryAdvice::No => Self::No,
            RetryAdvice::AfterMs(pause) => Self::After(Duration::from_millis(pause)),
            RetryAdvice::WithBackoff => Self::WithBackoff,
        }
    }
}

/// An [`Error`] as data, both ways.
///
/// From a host, `kind` and `message` are enough: the code is then `host.failed`, nothing is worth repeating, and
/// nothing was done. A host that is not sure of that says `"effect": "unknown"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What the caller can do.
    pub kind: ErrorKind,
    /// The stable code.
    #[serde(default = "unnamed")]
    pub code: String,
    /// What happened, for people; no secrets.
    pub message: String,
    /// Whether repeating helps.
    #[serde(default)]
    pub retry: RetryAdvice,
    /// What it may have done to the world.
    #[serde(default)]
    pub effect: Effect,
    /// Facts, in the order in which they were added: key and value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<(String, String)>,
    /// Problems in the input, each as text with its code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Problem>,
    /// The messages of the causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

/// Where something stands in a text, as people count it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The name of the file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in Unicode scalar values.
    pub column: u32,
}

/// One problem in the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// How bad it is.
    #[serde(default = "severe")]
    pub severity: Severity,
    /// The stable code.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// A way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The instance concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Where it stands, where the text is at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The problem with the lines that it is about, for people; where the text is at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<String>,
}

fn severe() -> Severity {
    Severity::Error
}

fn unnamed() -> String {
    "host.failed".to_owned()
}

impl From<&Diagnostic> for Problem {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            code: diagnostic.code.clone().into_owned(),
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
            severity: diagnostic.severity,
            address: diagnostic.address.clone(),
            place: None,
            rendered: None,
        }
    }
}

impl Problem {
    /// Returns a diagnostic with its place in these texts.
    pub fn within(diagnostic: &Diagnostic, sources: &Sources) -> Self {
        let place = diagnostic.span().map(|span| {
            let start = sources.position(span);
            Place { file: sources.name(span.source).to_owned(), line: start.line, column: start.column }
        });
        let rendered = render(diagnostic, sources, RenderOptions::default());
        Self { place, rendered: Some(rendered), ..Self::from(diagnostic) }
    }
}

impl Failure {
    /// Returns an error whose diagnostics have their places in these texts.
    pub fn within(error: &Error, sources: &Sources) -> Self {
        let diagnostics = error.diagnostics().iter().map(|diagnostic| Problem::within(diagnostic, sources)).collect();
        Self { diagnostics, ..Self::from(error) }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Self {
            kind: error.kind(),
            code: error.code().to_owned(),
            message: error.message().to_owned(),
            retry: error.retry_advice().into(),
            effect: error.effect_on_world(),
            context: error.facts().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            diagnostics: error.diagnostics().iter().map(Problem::from).collect(),
            causes,
        }
    }
}

impl From<&StepError> for Failure {
    fn from(error: &StepError) -> Self {
        Self {
            kind: error.kind,
            code: error.code.clone(),
            message: error.message.clone(),
            retry: RetryAdvice::No,
            effect: error.effect,
            context: error.context.clone(),
            diagnostics: Vec::new(),
            causes: Vec::new(),
        }
    }
}

impl From<Failure> for Error {
    /// Diagnostics stay on the host's side: spans of a template mean nothing there.
    fn from(failure: Failure) -> Self {
        let Failure { kind, code, mut message, retry, effect, context, diagnostics, causes } = failure;
        for part in causes.iter().chain(diagnostics.iter().map(|problem| &problem.message)) {
            message.push_str(": ");
            message.push_str(part);
        }
        let error = Self::new(kind, code, message).retry(retry.into()).effect(effect);
        context.into_iter().fold(error, |error, (key, value)| error.context(key, value))
    }
}

/// Returns what came of a call as JSON text: `{"ok": …}` or `{"error": …}`, the latter a [`Failure`].
///
/// # Examples
/// ```
/// use stackwright::{error::{Error, ErrorKind}, ffi::envelope};
///
/// assert_eq!(envelope(Ok(7)), r#"{"ok":7}"#);
/// let error = Error::new(ErrorKind::NotFound, "run.unknown", "there is no run 7");
/// assert!(envelope::<()>(Err(error)).starts_with(r#"{"error":{"kind":"not_found","code":"run.unknown""#));
/// ```
pub fn envelope<T: Serialize>(result: Result<T>) -> String {
    enveloped(result.map_err(|error| Failure::from(&error)))
}

/// As [`envelope`], of a failure that is data already.
pub(super) fn enveloped<T: Serialize>(result: Result<T, Failure>) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Envelope<T> {
        Ok(T),
        Error(Failure),
    }
    let failed = |failure: Failure| serde_json::to_string(&Envelope::<()>::Error(failure));
    let text = match result {
        Ok(value) => serde_json::to_string(&Envelope::Ok(value))
            .or_else(|error| failed((&Error::bug("an answer has no form in JSON").because(error)).into())),
        Err(failure) => failed(failure),
    };
    // A failure is texts and enums, which always have a form.
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_cross_with_all_that_they_say() {
        let error = Error::new(ErrorKind::RateLimited, "acme.slow", "too many requests")
            .retry(Retry::After(Duration::from_millis(1500)))
            .effect(Effect::Unknown)
            .context("bucket", "assets")
            .because(std::io::Error::other("429"));
        let text = serde_json::to_string(&Failure::from(&error)).expect("a failure is JSON");
        let back: Error = serde_json::from_str::<Failure>(&text).expect("JSON is a failure").into();
        assert_eq!((back.kind(), back.code()), (ErrorKind::RateLimited, "acme.slow"));
        assert_eq!(back.message(), "too many requests: 429");
        assert_eq!(back.retry_advice(), Retry::After(Duration::from_millis(1500)));
        assert_eq!(back.effect_on_world(), Effect::Unknown);
        assert_eq!(back.facts().collect::<Vec<_>>(), [("bucket", "assets")]);
    }

    #[test]
    fn a_host_need_not_say_much() {
        let failure: Failure = serde_json::from_str(r#"{"kind":"denied","message":"no"}"#).expect("it is enough");
        let error = Error::from(failure);
        assert_eq!(
            (error.code(), error.effect_on_world(), error.retry_advice()),
            ("host.failed", Effect::None, Retry::No)
        );
        assert!(serde_json::from_str::<Failure>(r#"{"kind":"denied","mesage":"no"}"#).is_err());
    }
}

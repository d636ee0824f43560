use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Span;

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is done while it stands.
    Error,
    /// Worth knowing; work goes on.
    Warning,
}

/// A text beside a span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// What the text is about.
    pub span: Span,
    /// What to say of it: a lower-case fragment; empty when the message says all.
    pub text: String,
}

/// One problem in a document, with where, why and a way out.
///
/// The first label is the primary one. `help` says what to do about it. Neither holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The stable code, such as `template.reference`; has a page in `docs/errors/`.
    pub code: Cow<'static, str>,
    /// What is wrong: a lower-case fragment without a full stop, user input in backticks.
    pub message: String,
    /// Where; the first is primary.
    pub labels: Vec<Label>,
    /// A way out.
    pub help: Option<String>,
    /// The address of the instance concerned, where there is one.
    pub address: Option<String>,
}

impl Diagnostic {
    /// Returns an error diagnostic without a place; add one with [`Diagnostic::at`].
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code: Cow::Borrowed(code),
            message: message.into(),
            labels: Vec::new(),
            help: None,
            address: None,
        }
    }

    /// Returns a warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Adds a place without words of its own.
    pub fn at(self, span: Span) -> Self {
        self.label(span, "")
    }

    /// Adds a place and what to say of it.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Sets the way out.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Names the instance concerned.
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Returns the primary place.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }

    /// Returns whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Questions asked of many diagnostics.
pub trait Diagnostics {
    /// Returns whether at least one is an error.
    fn has_errors(&self) -> bool;
    /// Orders by source and place, errors before warnings at the same place, and drops exact duplicates.
    fn tidy(&mut self);
}

impl Diagnostics for Vec<Diagnostic> {
    fn has_errors(&self) -> bool {
        self.iter().any(Diagnostic::is_error)
    }

    fn tidy(&mut self) {
        self.sort_by(|a, b| {
            (a.span(), a.severity, &a.code, &a.message).cmp(&(b.span(), b.severity, &b.code, &b.message))
        });
        self.dedup();
    }
}

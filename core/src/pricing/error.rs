use super::Currency;
use crate::error::ErrorKind;

/// What is wrong with prices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A text is no decimal number.
    #[error("`{text}` is not a decimal number with at most nine digits behind the point")]
    NotANumber {
        /// The text, shortened.
        text: String,
    },
    /// A number is too large.
    #[error("an amount is too large to be computed with")]
    Overflow,
    /// There is no such currency.
    #[error("`{code}` is neither a code of ISO 4217 nor `virtual:` and a name")]
    Currency {
        /// What was given, shortened.
        code: String,
    },
    /// Two currencies meet.
    #[error("{one} and {other} cannot be added or compared")]
    Mixed {
        /// The one.
        one: Currency,
        /// The other.
        other: Currency,
    },
    /// A line of a quote cannot be.
    #[error("the price `{component}` of `{address}` {problem}")]
    Line {
        /// The instance.
        address: String,
        /// The component.
        component: String,
        /// What is wrong.
        problem: String,
    },
    /// Somebody asks for the costs of no time.
    #[error("{problem}")]
    Window {
        /// What is wrong.
        problem: String,
    },
    /// Rows of a bill cannot be.
    #[error("the bill cannot be read: {}", problems.join("; "))]
    Bill {
        /// What is wrong, by line; in that order.
        problems: Vec<String>,
    },
    /// Rules for shared costs cannot be.
    #[error("costs cannot be shared so: {}", problems.join("; "))]
    Shared {
        /// What is wrong, by rule; in the order of the rules.
        problems: Vec<String>,
    },
    /// A bundle rule cannot be.
    #[error("the bundle `{rule}` {problem}")]
    Rule {
        /// The rule.
        rule: String,
        /// What is wrong.
        problem: String,
    },
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::NotANumber { .. } => "pricing.number",
            Error::Overflow => "pricing.overflow",
            Error::Currency { .. } | Error::Mixed { .. } => "pricing.currency",
            Error::Line { .. } => "pricing.line",
            Error::Rule { .. } => "pricing.rule",
            Error::Window { .. } => "cost.period",
            Error::Bill { .. } => "cost.bill",
            Error::Shared { .. } => "cost.shared",
        };
        Self::new(ErrorKind::InvalidInput, code, error.to_string())
    }
}

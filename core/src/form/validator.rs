use std::sync::Arc;

use regex::Regex;

use super::{Condition, Expression, Format, Text};
use crate::error::{Severity, Span};

/// A rule about what a field holds. Empty values are looked at by no rule but "required".
#[derive(Clone, Debug)]
pub struct Validator {
    /// What is asked.
    pub check: Check,
    /// When the rule counts; always, where nothing is said.
    pub when: Option<Condition>,
    /// What to say where it does not hold.
    pub message: Option<Text>,
    /// Whether a breach keeps the form from being ready.
    pub severity: Severity,
    /// Where it stands.
    pub span: Span,
}

/// What a rule asks of a value.
#[derive(Clone, Debug)]
pub enum Check {
    /// A number lies within bounds, both included.
    Range {
        /// The least.
        min: Option<Expression>,
        /// The most.
        max: Option<Expression>,
    },
    /// A text has so many characters (Unicode scalar values), or a list or map so many elements; both included.
    Length {
        /// The fewest.
        min: Option<u64>,
        /// The most.
        max: Option<u64>,
    },
    /// A text matches a regular expression somewhere; `^` and `$` make it the whole text. Matched in linear time.
    Pattern(Arc<Regex>),
    /// The value (each one, in a list) is one of these.
    Enum(Expression),
    /// A text (each one, in a list) looks like this.
    Format(Format),
    /// The elements of a list are all different; with a path, what is there in each of them.
    Unique(Option<Arc<str>>),
    /// Something holds, of this field and of others.
    Condition(Condition),
}

impl Check {
    /// Returns the code of the problem where it does not hold.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Range { .. } | Self::Length { .. } => "form.limit",
            Self::Pattern(_) | Self::Format(_) => "form.format",
            Self::Enum(_) => "form.option",
            Self::Unique(_) => "form.unique",
            Self::Condition(_) => "form.rule",
        }
    }

    /// Calls `f` with every expression in it.
    pub fn for_each_expression<'a>(&'a self, f: &mut dyn FnMut(&'a Expression)) {
        match self {
            Self::Range { min, max } => min.iter().chain(max).for_each(f),
            Self::Enum(list) => f(list),
            Self::Condition(condition) => condition.for_each_expression(f),
            Self::Length { .. } | Self::Pattern(_) | Self::Format(_) | Self::Unique(_) => {}
        }
    }

    pub(super) fn for_each_expression_mut(&mut self, f: &mut dyn FnMut(&mut Expression)) {
        match self {
            Self::Range { min, max } => min.iter_mut().chain(max).for_each(f),
            Self::Enum(list) => f(list),
            Self::Condition(condition) => condition.for_each_expression_mut(f),
            Self::Length { .. } | Self::Pattern(_) | Self::Format(_) | Self::Unique(_) => {}
        }
    }
}

use std::{collections::BTreeMap, sync::Arc};

use super::{Condition, Expression, Text};
use crate::error::Span;

/// What can be chosen.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the options come from.
    pub from: OptionSource,
    /// What is chosen while nobody did.
    pub auto_select: AutoSelect,
    /// What becomes of a choice that is no option any more.
    pub on_stale: OnStale,
    /// Whether values that are no options may be given.
    pub allow_other: bool,
    /// Where they stand.
    pub span: Span,
}

/// Where options come from.
#[derive(Clone, Debug)]
pub enum OptionSource {
    /// They are written out.
    Inline(Vec<OptionItem>),
    /// An expression gives a list of values, or of objects with `value`, `label`, `disabled` and `group`.
    Computed(Expression),
    /// Somebody must be asked.
    Data(DataSource),
}

/// An option that is written out.
#[derive(Clone, Debug)]
pub struct OptionItem {
    /// The value.
    pub value: Expression,
    /// What people see; the value, where nothing is said.
    pub label: Option<Text>,
    /// What it is.
    pub description: Option<Text>,
    /// When it is an option; always, where nothing is said.
    pub when: Option<Condition>,
    /// When it is shown and cannot be chosen.
    pub disabled: Option<Condition>,
    /// Where it stands.
    pub span: Span,
}

/// Whom to ask for options, and what for.
#[derive(Clone, Debug)]
pub struct DataSource {
    /// The name of the source, which the host knows.
    pub source: Arc<str>,
    /// What narrows the answer. Nothing is asked before all of them are known.
    pub params: BTreeMap<Arc<str>, Expression>,
    /// How long an answer is good, in seconds.
    pub ttl_seconds: Option<u64>,
    /// The path to an option's value in an item of the answer; `value` where items have that, else the whole item.
    pub value: Option<Arc<str>>,
    /// The path to what people see; `label` where items have that.
    pub label: Option<Arc<str>>,
    /// The path to a bool: shown, and cannot be chosen.
    pub disabled: Option<Arc<str>>,
    /// The path to the name of a group of options.
    pub group: Option<Arc<str>>,
}

/// What is chosen while nobody did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AutoSelect {
    /// Nothing.
    #[default]
    None,
    /// The first option that can be chosen.
    First,
    /// The only option that can be chosen, if there is only one.
    Only,
}

/// What becomes of a choice that is no option any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnStale {
    /// It is forgotten.
    Clear,
    /// It stays, with a warning.
    Keep,
    /// It is an error.
    #[default]
    Error,
}

use std::sync::Arc;

use crate::error::Span;

use super::{Ident, Literal};

/// A variable and the steps into it, all known from the text: `var.a`, `aws_vpc.main["x"].id`, `a.0.b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Traversal {
    /// The variable.
    pub root: Ident,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

impl Traversal {
    /// Returns the name of the variable.
    pub fn root_name(&self) -> &str {
        &self.root.name
    }

    /// Returns the span from the variable to the last step.
    pub fn span(&self) -> Span {
        self.steps.last().map_or(self.root.span, |step| self.root.span.to(step.span))
    }

    /// Returns the name, if it is a single word without steps.
    pub fn as_keyword(&self) -> Option<&str> {
        self.steps.is_empty().then_some(&*self.root.name)
    }

    /// Returns the attribute name of the step at `idx` (from 0), if that is an attribute step.
    pub fn attr(&self, idx: usize) -> Option<&str> {
        self.steps.get(idx).and_then(Step::as_attr)
    }
}

/// One step into a value, known from the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it asks for.
    pub kind: StepKind,
    /// From the dot or bracket to the end of the name or the bracket.
    pub span: Span,
}

impl Step {
    /// Returns the name of an attribute step.
    pub fn as_attr(&self) -> Option<&str> {
        match &self.kind {
            StepKind::Attr(name) => Some(name),
            StepKind::Index(_) | StepKind::LegacyIndex(_) => None,
        }
    }

    /// Returns the key of an index step, of either spelling.
    pub fn as_index(&self) -> Option<Literal> {
        match &self.kind {
            StepKind::Attr(_) => None,
            StepKind::Index(key) => Some(key.clone()),
            StepKind::LegacyIndex(number) => Some(Literal::Number(Arc::clone(number))),
        }
    }
}

/// What a step asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    /// `.name`.
    Attr(Arc<str>),
    /// `[0]`, `["key"]`: an index that is a literal.
    Index(Literal),
    /// `.0`: the old spelling of `[0]`; means the same.
    LegacyIndex(Arc<str>),
}

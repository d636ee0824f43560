use std::sync::Arc;

use crate::error::Span;

/// A value of a JSON or YAML text and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    /// As JSON writes it.
    Number(Arc<str>),
    String(Text),
    /// An expression, which only YAML can tell from a string.
    Code(Text),
    Array(Vec<Node>),
    /// In order; a name may be there several times.
    Object(Vec<(Text, Node)>),
}

impl Node {
    pub(crate) fn kind_name(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "a bool",
            Kind::Number(_) => "a number",
            Kind::String(_) => "a string",
            Kind::Code(_) => "an expression",
            Kind::Array(_) => "an array",
            Kind::Object(_) => "an object",
        }
    }
}

/// A string, and how places in it correspond to places in the text that it was read from.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) decoded: Arc<str>,
    /// Quotes included.
    pub(crate) span: Span,
    /// Runs of bytes that stand in the text as they are: where each begins in `decoded`, and where in the text. The first
    /// begins at 0; there are more after escapes and line breaks.
    pub(crate) runs: Vec<(u32, u32)>,
}

impl Text {
    /// Returns where an offset in the decoded text stands in the text that it was read from; inside of it in any case.
    pub(crate) fn place(&self, offset: u32) -> u32 {
        let idx = self.runs.partition_point(|(from, _)| *from <= offset);
        let (from, at) = idx.checked_sub(1).and_then(|idx| self.runs.get(idx)).copied().unwrap_or((0, self.span.start));
        (at + (offset - from)).clamp(self.span.start, self.span.end)
    }
}

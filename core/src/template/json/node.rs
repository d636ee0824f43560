use std::sync::Arc;

use crate::error::Span;

/// A JSON value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    /// As written.
    Number(Arc<str>),
    String(Text),
    Array(Vec<Node>),
    /// In order; a name may be there several times.
    Object(Vec<(Text, Node)>),
}

impl Node {
    pub(super) fn kind_name(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "a bool",
            Kind::Number(_) => "a number",
            Kind::String(_) => "a string",
            Kind::Array(_) => "an array",
            Kind::Object(_) => "an object",
        }
    }
}

/// A string, and how places in it correspond to places in the JSON text.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) decoded: Arc<str>,
    /// Quotes included.
    pub(super) span: Span,
    /// After each escape: the offset in `decoded`, and how many bytes more the JSON text has up to there.
    pub(super) shifts: Vec<(u32, u32)>,
}

impl Text {
    /// Returns where an offset in the decoded text stands in the JSON text.
    pub(super) fn place(&self, offset: u32) -> u32 {
        let idx = self.shifts.partition_point(|(from, _)| *from <= offset);
        let shift = idx.checked_sub(1).and_then(|idx| self.shifts.get(idx)).map_or(0, |(_, shift)| *shift);
        self.span.start + 1 + offset + shift
    }
}

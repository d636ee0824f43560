use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// Names one text in a [`Sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceId(pub u32);

/// A range of bytes in one source; `start` is included, `end` is not.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The text that the range is in.
    pub source: SourceId,
    /// Offset of the first byte, from the start of the text.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// Returns the span of `start..end` (bytes) in `source`.
    pub const fn new(source: SourceId, start: u32, end: u32) -> Self {
        Self { source, start, end }
    }

    /// Returns the smallest span that covers both; `other` must be in the same source.
    pub fn to(self, other: Self) -> Self {
        Self { source: self.source, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Returns the number of bytes.
    pub const fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Returns whether the span covers no byte.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}..{}", self.source.0, self.start, self.end)
    }
}

/// A place in a text as people count it: both numbers start at 1, columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in Unicode scalar values.
    pub column: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Source {
    name: Arc<str>,
    text: Arc<str>,
}

/// The texts that spans point into, in the order in which they were added.
///
/// Cloning is cheap: texts are shared.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sources {
    list: Vec<Source>,
}

impl Sources {
    /// Returns an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text under a name that people recognise (a path relative to the template) and returns its id.
    pub fn add(&mut self, name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> SourceId {
        let id = SourceId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        self.list.push(Source { name: name.into(), text: text.into() });
        id
    }

    /// Returns the name of a source, or `?` where the id is unknown.
    pub fn name(&self, id: SourceId) -> &str {
        self.list.get(id.0 as usize).map_or("?", |source| &source.name)
    }

    /// Returns the text of a source; empty where the id is unknown.
    pub fn text(&self, id: SourceId) -> &str {
        self.list.get(id.0 as usize).map_or("", |source| &source.text)
    }

    /// Returns the text of a source, shared.
    pub fn shared_text(&self, id: SourceId) -> Arc<str> {
        self.list.get(id.0 as usize).map_or_else(|| Arc::from(""), |source| Arc::clone(&source.text))
    }

    /// Returns the bytes that `span` covers; empty where the span does not fit the text.
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.source).get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// Returns where `span` starts. O(bytes before it).
    pub fn position(&self, span: Span) -> LineColumn {
        self.locate(span.source, span.start)
    }

    /// Returns where `span` ends (one past its last character). O(bytes before it).
    pub fn end_position(&self, span: Span) -> LineColumn {
        self.locate(span.source, span.end)
    }

    fn locate(&self, id: SourceId, offset: u32) -> LineColumn {
        let text = self.text(id);
        let mut end = (offset as usize).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = text.get(..end).unwrap_or("");
        let line = memchr::memchr_iter(b'\n', before.as_bytes()).count();
        let start = before.rfind('\n').map_or(0, |idx| idx + 1);
        let column = before.get(start..).map_or(0, |rest| rest.chars().count());
        LineColumn { line: line as u32 + 1, column: column as u32 + 1 }
    }

    /// Returns the ids in the order in which the sources were added.
    pub fn ids(&self) -> impl Iterator<Item = SourceId> + use<> {
        (0..self.list.len() as u32).map(SourceId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let mut sources = Sources::new();
        let id = sources.add("main.tf", "a = 1\nbé = 2\n");
        assert_eq!(sources.position(Span::new(id, 0, 1)), LineColumn { line: 1, column: 1 });
        assert_eq!(sources.position(Span::new(id, 10, 11)), LineColumn { line: 2, column: 4 });
        assert_eq!(sources.position(Span::new(id, 99, 99)), LineColumn { line: 3, column: 1 });
        assert_eq!(sources.slice(Span::new(id, 6, 9)), "bé");
    }
}

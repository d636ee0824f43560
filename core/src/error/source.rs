use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Diagnostic;

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
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    withheld: bool,
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
        self.push(Source { name: name.into(), text: text.into(), withheld: false })
    }

    /// Adds a text that may hold secrets, such as a file of values: places in it are told, its lines are never drawn.
    pub fn add_withheld(&mut self, name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> SourceId {
        self.push(Source { name: name.into(), text: text.into(), withheld: true })
    }

    fn push(&mut self, source: Source) -> SourceId {
        let id = SourceId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        self.list.push(source);
        id
    }

    /// Returns whether the lines of a source must not be drawn.
    pub fn is_withheld(&self, id: SourceId) -> bool {
        self.list.get(id.0 as usize).is_some_and(|source| source.withheld)
    }

    /// Takes out of a problem's words what they quote of a withheld source; what its reader makes of the source's text may
    /// be part of a secret. Other problems stay as they are.
    ///
    /// # Complexity
    /// O(bytes of the source) for each quotation.
    pub fn conceal(&self, problem: &mut Diagnostic) {
        let spans: Vec<Span> = problem.labels.iter().map(|label| label.span).collect();
        for span in spans.into_iter().filter(|span| self.is_withheld(span.source)) {
            let (text, part) = (self.text(span.source), self.slice(span));
            let words = problem.labels.iter_mut().map(|label| &mut label.text).chain(problem.help.as_mut());
            for words in words.chain([&mut problem.message]) {
                *words = without_quotations(words, text, part);
            }
        }
    }

    /// Puts a folder before the names of all sources that there are: `main.tf` becomes `template/main.tf`.
    pub(crate) fn prefix_names(&mut self, folder: &str) {
        for source in &mut self.list {
            source.name = format!("{folder}/{}", source.name).into();
        }
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

/// Returns words without what stands between backticks in them and in a text as well, or is a part of it.
fn without_quotations(words: &str, text: &str, part: &str) -> String {
    let is_telling = |quoted: &str| quoted.chars().any(char::is_alphanumeric);
    let pieces = words.split('`').enumerate().map(|(idx, piece)| match idx % 2 {
        1 if is_telling(piece) && text.contains(piece) => "…".to_owned(),
        1 if is_telling(part) => piece.replace(part, "…"),
        _ => piece.to_owned(),
    });
    pieces.collect::<Vec<_>>().join("`")
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

    #[test]
    fn what_is_withheld_is_not_quoted() {
        let mut sources = Sources::new();
        let open = sources.add("main.tf", "hunter2");
        let shut = sources.add_withheld("x.tfvars", "hunter2\ntoken = }");
        let check = |span: Span, message: &str, expect: &str| {
            let mut problem = Diagnostic::error("x", message).label(span, message).help(message);
            sources.conceal(&mut problem);
            assert_eq!((&*problem.message, problem.help.as_deref()), (expect, Some(expect)));
            assert_eq!(problem.labels[0].text, expect);
        };
        check(Span::new(open, 0, 7), "`hunter2` stands alone", "`hunter2` stands alone");
        check(Span::new(shut, 0, 7), "write `hunter2 = value`", "write `… = value`");
        check(Span::new(shut, 3, 3), "`hunter2` and `token`, not `}` or `a`", "`…` and `…`, not `}` or `a`");
        assert!(sources.is_withheld(shut) && !sources.is_withheld(open) && !sources.is_withheld(SourceId(9)));
    }
}

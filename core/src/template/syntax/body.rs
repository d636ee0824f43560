use std::sync::Arc;

use crate::error::Span;

use super::Expr;

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    /// The name, shared between nodes of one parse.
    pub name: Arc<str>,
    /// Where it stands.
    pub span: Span,
}

impl Ident {
    /// Returns an identifier.
    pub fn new(name: impl Into<Arc<str>>, span: Span) -> Self {
        Self { name: name.into(), span }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

/// What a file or a block holds.
///
/// Both lists are in source order; the order between an attribute and a block follows from their spans.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// The attributes; a name that was set twice is here once (its first value).
    pub attributes: Vec<Attribute>,
    /// The blocks, however many of one kind.
    pub blocks: Vec<Block>,
    /// The whole file, or the text between the braces of a block.
    pub span: Span,
    /// Whether it was read from JSON, which does not tell the blocks of a schema from arguments: those are among
    /// [`attributes`](Self::attributes) until [`with_schema_blocks`](crate::template::with_schema_blocks) sorts them out.
    pub is_json: bool,
}

impl Body {
    /// Returns the attribute called `name`. O(attributes).
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| &*attribute.name.name == name)
    }

    /// Returns the blocks of one kind, in source order.
    pub fn blocks_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Block> + 'a {
        self.blocks.iter().filter(move |block| &*block.kind.name == kind)
    }

    /// Returns whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.blocks.is_empty()
    }
}

/// `name = expression`.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// The name on the left.
    pub name: Ident,
    /// The expression on the right; shared, so that a model can keep it without copying.
    pub expr: Arc<Expr>,
    /// From the name to the end of the expression.
    pub span: Span,
}

/// `kind "label" "label" { body }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The word in front.
    pub kind: Ident,
    /// The labels, in order.
    pub labels: Vec<Label>,
    /// What stands between the braces.
    pub body: Body,
    /// From the kind to the closing brace.
    pub span: Span,
    /// The opening brace.
    pub open: Span,
    /// The closing brace; empty where it is missing.
    pub close: Span,
}

impl Block {
    /// Returns the text of the label at `idx`, counted from 0.
    pub fn label(&self, idx: usize) -> Option<&str> {
        self.labels.get(idx).map(|label| &*label.text)
    }

    /// Returns the span of the kind and the labels, which is what most messages point at.
    pub fn header_span(&self) -> Span {
        self.labels.last().map_or(self.kind.span, |label| self.kind.span.to(label.span))
    }
}

/// A label of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The text without quotes, escapes resolved.
    pub text: Arc<str>,
    /// Whether it was written in quotes.
    pub quoted: bool,
    /// Where it stands, quotes included.
    pub span: Span,
}

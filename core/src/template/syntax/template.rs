use std::{
    fmt::{self, Write},
    sync::Arc,
};

use crate::error::Span;

use super::{Expr, Ident};

/// Text with sequences in it: `"a ${b} c"`, a heredoc, or a bare template.
///
/// Escapes are resolved, `~` has eaten its white space, and `<<-` has lost its indentation; what is left is
/// text and expressions, in order. Neighbouring texts are joined, and none is empty, but for the one case that
/// [`Template::unwrapped`] tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The parts, in order.
    pub parts: Vec<TemplatePart>,
    /// How it was written, where it was a heredoc.
    pub heredoc: Option<Heredoc>,
}

impl Template {
    /// Returns the expression whose value, of whatever type, is the value of the template: that of a template
    /// that is one interpolation and nothing else (`"${x}"`).
    ///
    /// An empty text that `~` has left beside it counts as something else, and stands in front of it: the value of
    /// `" ${~ x}"` is a string. Bodies of directives are never unwrapped.
    pub fn unwrapped(&self) -> Option<&Expr> {
        match self.parts.as_slice() {
            [TemplatePart::Interpolation { expr, .. }] => Some(expr),
            _ => None,
        }
    }

    /// Returns the text of a template without sequences.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [TemplatePart::Literal { text, .. }] => Some(text),
            _ => None,
        }
    }
}

/// How a heredoc was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The word that ends it.
    pub marker: Arc<str>,
    /// Whether it was opened by `<<-`, which removes the common indentation.
    pub indented: bool,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum TemplatePart {
    /// Text as it is.
    Literal {
        /// The text, escapes resolved.
        text: Arc<str>,
        /// Where it stands, before trimming.
        span: Span,
    },
    /// `${ expr }`.
    Interpolation {
        /// The expression; its value is converted to a string.
        expr: Expr,
        /// From `${` to `}`.
        span: Span,
    },
    /// `%{ if … } … %{ else } … %{ endif }`.
    If(Box<TemplateIf>),
    /// `%{ for … } … %{ endfor }`.
    For(Box<TemplateFor>),
}

impl TemplatePart {
    /// Returns where it stands, from the first sequence to the last.
    pub fn span(&self) -> Span {
        match self {
            Self::Literal { span, .. } | Self::Interpolation { span, .. } => *span,
            Self::If(part) => part.span,
            Self::For(part) => part.span,
        }
    }
}

/// `%{ if condition } then %{ else } otherwise %{ endif }`.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateIf {
    /// What is asked.
    pub condition: Expr,
    /// The parts for true.
    pub then: Vec<TemplatePart>,
    /// The parts for false; empty where there is no `else`.
    pub otherwise: Vec<TemplatePart>,
    /// From `%{ if` to the end of `%{ endif }`.
    pub span: Span,
}

/// `%{ for key, value in collection } body %{ endfor }`.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateFor {
    /// The variable for the key, where it was named.
    pub key: Option<Ident>,
    /// The variable for the value.
    pub value: Ident,
    /// What is walked.
    pub collection: Expr,
    /// The parts, once per element.
    pub body: Vec<TemplatePart>,
    /// From `%{ for` to the end of `%{ endfor }`.
    pub span: Span,
}

/// Writes `text` so that it means itself between double quotes.
pub(crate) fn write_escaped(out: &mut dyn Write, text: &str) -> fmt::Result {
    let mut rest = text.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '$' | '%' if rest.peek() == Some(&'{') => {
                out.write_char(char)?;
                out.write_char(char)?;
            }
            char if char.is_control() => write!(out, "\\u{:04x}", u32::from(char))?,
            char => out.write_char(char)?,
        }
    }
    Ok(())
}

use std::sync::Arc;

use crate::error::Span;

use super::{Expr, ExprKind, Ident, Literal, ObjectKey, StepKind, Traversal};

/// A call that is read, not evaluated, such as `list(string)`.
#[derive(Clone, Copy, Debug)]
pub struct StaticCall<'a> {
    /// The single word in front of the parenthesis.
    pub name: &'a Ident,
    /// The arguments.
    pub args: &'a [Expr],
}

/// An item of an object that is read, not evaluated.
#[derive(Clone, Debug)]
pub struct StaticItem<'a> {
    /// The key, which may be a traversal: `aws.east = …` in `providers`.
    pub key: StaticKey<'a>,
    /// The value.
    pub value: &'a Expr,
}

/// The key of a [`StaticItem`].
#[derive(Clone, Debug)]
pub enum StaticKey<'a> {
    /// A bare word.
    Ident(&'a Ident),
    /// Anything else.
    Expr(&'a Expr),
}

impl<'a> StaticKey<'a> {
    /// Returns where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Ident(ident) => ident.span,
            Self::Expr(expr) => expr.span,
        }
    }

    /// Returns the text of a word or a plain string.
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Self::Ident(ident) => Some(&ident.name),
            Self::Expr(expr) => expr.as_string(),
        }
    }

    /// Returns the key as a traversal.
    pub fn as_traversal(&self) -> Option<Traversal> {
        match self {
            Self::Ident(ident) => Some(Traversal { root: (*ident).clone(), steps: Vec::new() }),
            Self::Expr(expr) => expr.as_traversal(),
        }
    }
}

/// Ways to read an expression as a form, for arguments that are never evaluated (`depends_on`,
/// `ignore_changes`, `providers`, type constraints). None of them looks through parentheses.
impl Expr {
    /// Returns the text of a plain string: quotes without sequences, or a heredoc without sequences.
    pub fn as_string(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Literal(literal) => literal.as_str(),
            ExprKind::Template(template) => template.as_literal(),
            _ => None,
        }
    }

    /// Returns the traversal that the text spells; `true`, `false` and `null` count as variables here.
    pub fn as_traversal(&self) -> Option<Traversal> {
        match &self.kind {
            ExprKind::Traversal(traversal) => Some(traversal.clone()),
            ExprKind::Literal(literal @ (Literal::Null | Literal::Bool(_))) => {
                Some(Traversal { root: Ident::new(literal.to_string(), self.span), steps: Vec::new() })
            }
            ExprKind::Relative(relative) => match relative.source.kind {
                ExprKind::Literal(Literal::Null | Literal::Bool(_)) => {
                    let mut traversal = relative.source.as_traversal()?;
                    traversal.steps.clone_from(&relative.steps);
                    Some(traversal)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the word, if the expression is a single bare word such as `all`.
    pub fn as_keyword(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Traversal(traversal) => traversal.as_keyword(),
            ExprKind::Literal(Literal::Null) => Some("null"),
            ExprKind::Literal(Literal::Bool(true)) => Some("true"),
            ExprKind::Literal(Literal::Bool(false)) => Some("false"),
            _ => None,
        }
    }

    /// Returns the elements of a tuple that is written out.
    pub fn static_list(&self) -> Option<&[Expr]> {
        match &self.kind {
            ExprKind::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the items of an object that is written out, in order.
    pub fn static_map(&self) -> Option<Vec<StaticItem<'_>>> {
        let ExprKind::Object(items) = &self.kind else { return None };
        let items = items.iter().map(|item| StaticItem {
            key: match &item.key {
                ObjectKey::Ident(ident) => StaticKey::Ident(ident),
                ObjectKey::Expr(expr) => StaticKey::Expr(expr),
            },
            value: &item.value,
        });
        Some(items.collect())
    }

    /// Returns the call that is written out, if its name is a single word and nothing is expanded.
    pub fn static_call(&self) -> Option<StaticCall<'_>> {
        match &self.kind {
            ExprKind::Call(call) if !call.expand_final => match call.name.as_slice() {
                [name] => Some(StaticCall { name, args: &call.args }),
                _ => None,
            },
            _ => None,
        }
    }

    /// Reads a string as the traversal that it spells, for arguments that old templates write in quotes.
    ///
    /// Only dotted words and digits are understood; the spans of all parts are that of the string.
    pub fn quoted_traversal(&self) -> Option<Traversal> {
        let text = self.as_string()?;
        let mut words = text.split('.');
        let is_word = |word: &str| {
            word.chars().next().is_some_and(|first| first == '_' || unicode_ident::is_xid_start(first))
                && word.chars().all(|char| char == '-' || unicode_ident::is_xid_continue(char))
        };
        let root = words.next().filter(|word| is_word(word))?;
        let mut traversal = Traversal { root: Ident::new(root, self.span), steps: Vec::new() };
        for word in words {
            let kind = if is_word(word) {
                StepKind::Attr(Arc::from(word))
            } else if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
                StepKind::LegacyIndex(Arc::from(word))
            } else {
                return None;
            };
            traversal.steps.push(super::Step { kind, span: self.span });
        }
        Some(traversal)
    }
}

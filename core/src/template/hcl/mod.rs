//! The native syntax: HCL.
//!
//! [`parse`] turns text into a [`Body`](super::syntax::Body) and all that is wrong with the text. Hand-written:
//! a lexer that is asked for one token at a time and a recursive descent that tells it where strings begin.
//!
//! ```text
//! bytes ─▶ lexer ─▶ body ─▶ expr ─▶ postfix, collection
//!                            └──▶ template, heredoc ─▶ pair (directives)
//! ```
//!
//! Invariants: any text is read to its end in linear time (a broken one twice), within a bounded stack
//! (200 levels) and without a panic; one mistake is one diagnostic, and a broken item hides no other item's
//! problems: the parser gives up an item, not a file (`recover`).
//!
//! It is deliberately no place for meaning: block kinds, references and types are not known here.

mod body;
mod collection;
mod complain;
mod expr;
mod heredoc;
mod lexer;
mod names;
mod pair;
mod parse;
mod parser;
mod postfix;
mod recover;
mod template;
#[cfg(test)]
mod tests;

pub use parse::{parse, parse_expression, parse_template, parse_traversal};

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
mod edit;
mod expr;
mod format;
mod heredoc;
mod lexer;
mod names;
mod pair;
mod parse;
mod parser;
mod postfix;
mod print;
mod recover;
mod template;
#[cfg(test)]
mod tests;

pub use edit::{Edit, apply_edits, insert_block, remove_attribute, remove_block, set_attribute};
pub use format::format;
pub use parse::{parse, parse_expression, parse_template, parse_traversal};
pub use print::{print, print_expression};

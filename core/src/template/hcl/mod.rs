//! The native syntax: HCL.
//!
//! [`parse`] turns text into a [`Body`](super::syntax::Body) and all that is wrong with the text. Hand-written:
//! a lexer that is asked for one token at a time and a recursive descent that tells it where strings begin.
//!
//! ```text
//! text ─▶ lexer ─▶ body ─▶ expr ─▶ postfix, collection          ─▶ Body, Diagnostics
//!                          └──▶ template, heredoc ─▶ pair
//! Body ─▶ print ─▶ text      text ─▶ format ─▶ text      text, Body ─▶ edit ─▶ text
//! ```
//!
//! Invariants: any text is read to its end in linear time (a broken one twice), within a bounded stack
//! (200 levels) and without a panic; one mistake is one diagnostic, and a broken item hides no other item's
//! problems: the parser gives up an item, not a file (`recover`). Where a bracket lacks its partner, and nowhere else,
//! indentation is believed.
//!
//! What is accepted is what Terraform accepts, with few liberties: `a.0.e2` is read as two steps, a carriage return
//! without a line feed may stand in a heredoc, and `[` and `*` of a splat may stand on two lines.
//!
//! It is deliberately no place for meaning: block kinds, references and types are not known here, but for the layout,
//! which modernises old spellings as Terraform's does.

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
pub(in crate::template) use print::{print_bare, print_inline};

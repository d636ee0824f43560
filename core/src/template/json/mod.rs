//! The JSON syntax: what programs write where people write HCL.
//!
//! A JSON text says less than an HCL text: nothing in it tells a block from an argument, or a string from an expression.
//! What the language itself defines (kinds of blocks, their labels, `lifecycle`, types, lists of references) is told
//! apart here. The blocks of a resource type are only known from its schema: they stay arguments, in a body that says
//! [`is_json`](super::syntax::Body::is_json), until [`with_schema_blocks`] sorts them out.
//!
//! ```text
//! bytes ─▶ reader ─▶ node ─┬─▶ body    a part of a module: strings in places of expressions are templates
//!                          └─▶ values  a file of values: strings mean themselves
//! ```
//!
//! The way back is [`print()`]: a [`Body`](super::syntax::Body) becomes a `document` of what JSON can hold, which YAML is printed from, too.
//!
//! Spans, those inside templates too, are places in the JSON text. A property `//` is a comment.

mod body;
mod document;
mod node;
mod print;
mod reader;
mod schema;
mod values;

#[cfg(test)]
mod tests;

pub(in crate::template) use body::{body_of, code_of, expression_of, parse_body, repeated};
pub(in crate::template) use document::{Document, document};
pub(crate) use node::{Kind, Node, Text};
pub use print::print;
pub(in crate::template) use print::write_string;
pub(in crate::template) use reader::read;
pub use schema::with_schema_blocks;
pub(in crate::template) use values::parse_values;

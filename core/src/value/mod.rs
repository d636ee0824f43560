//! Typed data: what templates compute with, what resources are made of.
//!
//! The type system is Terraform's (cty), so that a template means here what it means there: bools, numbers with 512 bits
//! of mantissa, text in normal form C; lists, sets, maps, tuples and objects; values that are null, and values that are
//! not known yet but about which something may be ([`Refinement`]). A [`Value`] may carry [`Marks`] (`sensitive`,
//! `ephemeral`), which survive every operation.
//!
//! ```text
//! Rust data ──from_serde──▶         ──to_serde──▶ Rust data
//! JSON      ──from_json───▶  Value  ──to_json───▶ JSON            (known values; no types, no marks)
//! storage   ──decode──────▶         ──encode────▶ storage         (everything; secrets sealed by a hook)
//!                              │
//!                              ├── convert, unify: to other types, as Terraform does
//!                              ├── index, get_attr, at_path, walk, transform: into parts
//!                              └── repl: for people, marked parts hidden
//! ```
//!
//! Values are immutable and cheap to clone. There is no arithmetic on values here and no function library: those are the
//! evaluator's, in `template::eval`; a [`Number`] does compute. There is no `Serialize` for [`Value`] either: whoever
//! stores one decides what happens to its secrets.
//!
//! Invariants: nothing that is marked gets into `Debug`, [`repl`], or an error; a set is sorted and distinct, and its
//! elements carry no marks, the set carries them; whether anything inside a container is unknown or marked is an O(1)
//! question; a list, set or map knows its element type, also when it is empty; text and names are normalised on entry.
//!
//! # Examples
//! ```
//! use stackwright::value::{Marks, Type, Value, convert, repl, to_json};
//!
//! // What a template wrote is a tuple; the schema wants a set of strings.
//! let written = Value::tuple(vec![Value::string("b"), Value::number(1), Value::string("b")]);
//! let zones = convert(&written, &Type::set(Type::String))?;
//! assert_eq!(repl(&zones), "toset([\n  \"1\",\n  \"b\",\n])");
//! assert_eq!(to_json(&zones)?, r#"["1","b"]"#);
//!
//! // A mark goes wherever the value goes.
//! let key = Value::string("b").with_marks(Marks::SENSITIVE);
//! let found = Value::object([("b", Value::number(2))]).index(&key)?;
//! assert_eq!(repl(&found), "(sensitive value)");
//! assert_eq!(found.equals(&Value::number(2)), Value::bool(true).with_marks(Marks::SENSITIVE));
//!
//! // What is not known yet still has a type.
//! let id = Value::unknown(Type::String);
//! assert_eq!(id.equals(&Value::number(1)), Value::bool(false));
//! assert!(!id.equals(&Value::string("i-1")).is_known());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod bridge;
mod container;
mod convert;
mod data;
mod display;
mod elements;
mod encoding;
mod equal;
mod error;
mod json;
mod marking;
mod marks;
mod number;
mod order;
mod path;
mod refinement;
#[cfg(test)]
mod testing;
mod text;
mod ty;
mod unify;
mod walk;

pub use bridge::{from_serde, to_serde};
pub use container::{Fields, Items};
pub use convert::{Safety, can_convert, convert, mismatch_message};
pub use data::{Kind, Unknown, Value};
pub use display::{repl, type_repl};
pub use encoding::{Encoded, Seal, Unseal, decode, decode_typed, decode_with, encode, encode_typed, encode_with};
pub use error::{ConvertError, ValueError};
pub use json::{JsonError, from_json, from_json_value, implied_type, to_json, to_json_value};
pub use marks::Marks;
pub use number::{NotANumber, Number, NumberParseError};
pub use path::{Path, Step};
pub use refinement::{Bound, Refinement};
pub(crate) use text::combines;
pub use ty::{ObjectType, Type};
pub use unify::{unify, unify_values, unify_with};

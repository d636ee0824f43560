//! Typed data: what templates compute with, what resources are made of.
//!
//! The type system is Terraform's: bools, numbers with 512 bits of mantissa, text in normal form C; lists, sets, maps,
//! tuples and objects; values that are null, and values that are not known yet but about which something may be
//! ([`Refinement`]). A [`Value`] may carry [`Marks`], which survive every operation.
//!
//! Values are immutable and cheap to clone. There is no arithmetic on values here and no function library: that is the
//! evaluator's, in `template::eval`; a [`Number`] does compute.
//!
//! Invariants: a marked value has no way into `Debug`; a set is sorted and distinct, and its elements carry no marks;
//! whether anything inside a container is unknown or marked is an O(1) question.

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
pub use encoding::{Seal, Unseal, decode, decode_typed, decode_with, encode, encode_typed, encode_with};
pub use error::{ConvertError, ValueError};
pub use json::{JsonError, from_json, from_json_value, implied_type, to_json, to_json_value};
pub use marks::Marks;
pub use number::{NotANumber, Number, NumberParseError};
pub use path::{Path, Step};
pub use refinement::{Bound, Refinement};
pub use ty::{ObjectType, Type};
pub use unify::{unify, unify_values, unify_with};

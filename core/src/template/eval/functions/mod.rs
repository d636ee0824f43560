//! The functions that expressions can call.
//!
//! A [`Function`] is a row of a table: name, parameters, type of the result, code. What is the same for all of them
//! happens in one place, [`Function::call`]: the number of arguments, conversion to the parameters' types, nulls, values
//! that are not known yet, marks. The code then sees plain, known data, unless a parameter asks for more.
//!
//! ```text
//! arguments ─▶ count ─▶ convert ─▶ null? ─▶ take marks ─▶ unknown? ─▶ code ─▶ put marks back
//! ```
//!
//! One file per group of functions registers them ([`Functions::standard`] lists the groups); the files beside those
//! hold what needs no values: addresses, clocks, patterns, YAML. `try`, `can` and the template functions decide by
//! themselves what to evaluate, so the evaluator carries them out.
//!
//! Names that were removed from the language are in the table too: calling one says so. What only a later edition has
//! ([`Function::since`]) is refused in an earlier one.

mod call;
mod charset;
mod cidr;
mod clock;
mod collection;
mod encoding;
mod extra;
mod filesystem;
mod float;
mod format;
mod function;
mod glob;
mod hash;
mod network;
mod numeric;
mod pattern;
#[cfg(feature = "rsa")]
mod pem;
mod secret;
mod sequence;
mod set;
mod special;
mod string;
mod table;
mod text;
mod tfvars;
mod time;
mod types;
mod yaml_decode;
mod yaml_encode;

#[cfg(test)]
mod tests;

pub(super) use clock::timestamp_at;
pub(super) use function::{Action, Special};
pub use function::{Body, Call, Function, Parameter, TypeOf};
pub(super) use pattern::Pattern;
pub(crate) use pattern::compile_pattern;
pub use table::Functions;
pub use tfvars::builtin_functions;

//! Values for the variables of the root module: where they come from, which wins, and what they become.
//!
//! ```text
//! environment ─▶ terraform.tfvars ─▶ *.auto.tfvars ─▶ arguments, in order ─▶ host   (later wins)
//!        └──────────────────────── gather_variables ─────────────────────┘
//!                                         │ RawVariables: text, expression or value, by name
//!                                         ▼
//!                     resolve_variables: declared? converted, defaults, marks, missing
//! ```
//!
//! Raw values may be secret before anybody knows it, so nothing here prints them, and problems with the value of a
//! sensitive variable point at its declaration.

mod gather;
mod resolve;

pub use gather::{Origin, RawValue, RawVariable, RawVariables, VariableArgument, VariableSources, gather_variables};
pub use resolve::resolve_variables;

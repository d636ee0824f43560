//! The derive macro of `stackwright`'s typed layer: `#[derive(Attributes)]`.
//!
//! Use it through `stackwright::resource::typed`, where examples stand. It turns a struct into a list of schema fields,
//! and an enum without data into text that is one of its variants. It reads what serde reads (`rename`, `rename_all`,
//! `skip`), so that the schema and the data agree on every name, and refuses what would make them differ.
//!
//! ```text
//! DeriveInput ──setting──▶ settings of each field ──┐
//!             ──naming───▶ names as serde has them ─┴─expand─▶ impl Attributes, impl AttributeType
//! ```
//!
//! Everything that is wrong with a struct is reported at once, each at its own place.

mod case;
mod expand;
mod naming;
mod setting;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Derives the schema of a struct with named fields, or of an enum without data.
///
/// Doc comments become descriptions. A field is required unless it is an `Option` or has a default. Names are those
/// that serde uses. `#[attribute(...)]` on a field of a struct takes, separated by commas:
///
/// | setting | meaning |
/// |---|---|
/// | `force_new` | another value makes a new object |
/// | `sensitive` | the value is never shown |
/// | `write_only` | the value reaches the resource and is never stored; the field is an `Option` |
/// | `required` | the template must set it although the field is an `Option` |
/// | `default` | not set, it is the field type's `Default` |
/// | `default = 80` | not set, it is this: any expression that serialises |
/// | `pattern = "^[a-z]+$"` | a regular expression that the text, or each element, matches |
/// | `one_of = ["a", "b"]` | the values that are allowed |
/// | `min = 1`, `max = 9` | bounds of a number, both included |
/// | `min_length = 1`, `max_length = 63` | characters of a text, or elements of a collection |
/// | `stable` | of an output: it keeps its value when the object is changed in place |
/// | `takes_tags` | of a map of texts: the object bears its tags there, and the engine puts the locked ones among them |
/// | `block` | it is written as nested blocks, not as an attribute |
/// | `min_items = 1`, `max_items = 3` | of a block: how often it stands |
/// | `deprecated = "use `x`"` | advises against it |
///
/// Integers are bounded by what their type holds. Fields with `#[serde(skip)]` are no attributes.
///
/// # Errors
/// A compile error at the place of each setting that is unknown, given twice or contradicts another, and of each serde
/// setting that makes the data differ from the struct (`flatten`, `tag`, names for one direction only).
#[proc_macro_derive(Attributes, attributes(attribute))]
pub fn attributes(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

//! The JSON syntax: what programs write where people write HCL.

mod node;
mod reader;
mod values;

pub(in crate::template) use values::{parse_body, parse_values};

//! `stackwright` is an orchestration engine that other programs embed.
//!
//! A host hands it a template and a set of resource types; it works out what to create, change and delete,
//! does it in the right order and as parallel as the graph allows, remembers what it did, and never loses or
//! doubles anything when the machine dies half-way.

// Derived code names the crate by its name, in the tests within it too.
#[cfg(test)]
extern crate self as stackwright;

pub mod address;
pub mod application;
pub mod catalog;
pub mod error;
pub mod event;
pub mod ffi;
pub mod form;
pub mod graph;
pub mod order;
pub mod plan;
pub mod pricing;
pub mod resource;
pub mod run;
pub mod schema;
pub mod stack;
pub mod state;
pub mod template;
pub mod tenant;
pub mod value;

pub use error::{Error, ErrorKind, Result};

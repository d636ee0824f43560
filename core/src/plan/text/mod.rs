//! A plan as a page that people like to read.
//!
//! One paragraph for each change: a sign, the address, what happens and why in words, then only what differs, with a
//! count of what does not. Texts of many lines and JSON in strings are compared inside. What is marked is never
//! written; what is not known yet says so.

mod lines;
mod page;
mod paint;
mod parts;
mod quote;
mod value;

pub use page::{Counts, TextOptions};

#[cfg(test)]
mod tests;

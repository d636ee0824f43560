//! What the benchmarks share: generated templates, and an engine set up as the program `stackwright` sets up its own.
//!
//! The templates come in the shapes that peers are measured with, seeded and the same every time. All use the builtin
//! `terraform_data`, so that the same text runs through `terraform`, and so that what is measured is the engine and not
//! a cloud.

mod host;
mod random;
mod shape;

pub use host::{Host, read, sizes};
pub use random::Random;
pub use shape::{Shape, realistic};

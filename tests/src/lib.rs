//! What tests that span crates share: a fake cloud, plans made by hand, and processes that can die.

pub mod process;
pub mod scene;
pub mod world;

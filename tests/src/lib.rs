//! What tests that span crates share: a fake cloud, plans made by hand, processes that can die, and a
//! PostgreSQL server, a platform with packages.

pub mod apps;
pub mod calls;
#[cfg(unix)]
pub mod postgres;
pub mod process;
pub mod scene;
pub mod shop;
pub mod thing;
pub mod world;

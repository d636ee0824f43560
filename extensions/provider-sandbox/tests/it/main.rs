//! The sandbox cloud as a process of its own, and its resource types through an engine, as a host embeds it.

mod cloud;
mod docs;
mod host;
mod life;
mod memory;
mod orders;
mod reticent;
mod rules;
mod trouble;

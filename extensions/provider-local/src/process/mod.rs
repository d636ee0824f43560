//! `local_process`.
//!
//! A process is started in a session of its own, so that it outlives the engine, with two marks in its environment:
//! the object id and a digest of what it was started with. The marks are how it is found again when the engine died
//! between starting it and writing that down. A process is *identified* by its number and its start time: a number
//! alone may be given to another process later.

mod probe;
mod resource;
mod world;

pub(crate) use resource::Process;

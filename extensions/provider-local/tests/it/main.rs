//! The provider with real effects: files in temporary folders, processes that the tests start, sockets on loopback.

mod directory;
mod file;
mod process;
mod support;

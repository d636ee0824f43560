//! The provider with real effects: files in temporary folders, processes that the tests start, sockets on loopback.

mod command;
mod directory;
mod file;
mod http;
mod process;
mod random;
mod support;
mod tls;

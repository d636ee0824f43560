//! The provider with real effects: files in temporary folders, processes that the tests start, sockets on loopback.

mod command;
mod conformance;
mod contract;
mod directory;
mod docs;
mod environment;
mod file;
mod host;
mod http;
mod process;
mod random;
mod support;
mod tls;

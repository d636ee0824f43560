//! HTTP: the data source `http_request`, and the client of `local_process`'s probes.

mod client;
mod request;

pub(crate) use client::{Client, place};
pub(crate) use request::HttpRequest;

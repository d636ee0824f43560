//! Resources with real effects on this machine.
//!
//! | type | what it makes |
//! |---|---|
//! | `local_file` | a file with given content and mode |
//! | `local_directory` | a directory |
//! | `local_process` | a program that runs in a session of its own and outlives the engine |
//! | `random_id`, `random_password` | random values; passwords are sensitive |
//! | `random_port` | a TCP port that nobody listens on |
//! | `tls_self_signed_cert` | a key and a certificate; the key is sensitive |
//! | `data.http_request` | the answer to an HTTP request |
//! | `data.local_command` | what a program prints |
//! | `ephemeral.random_password` | a random value that is stored nowhere |
//! | `ephemeral.local_command` | what a program prints, stored nowhere |
//!
//! ```
//! let engine = stackwright::stack::Engine::builder().provider(stackwright_provider_local::provider());
//! # let _ = engine;
//! ```
//!
//! What each attribute means, and what an id to import looks like, says `docs/providers/local.md`.
//!
//! All makes are safe to repeat: a file that is there with the wanted content is adopted, a process is found again by
//! a mark in its environment. Nothing is changed behind the plan's back: a process that died stays dead until a plan
//! says that it is to be started again.

mod attributes;
mod command;
mod directory;
mod disk;
mod encoding;
mod file;
mod http;
mod import;
mod log;
mod process;
mod random;
mod tls;

use stackwright::resource::Provider;

/// Returns the provider `local` with all types.
pub fn provider() -> Provider {
    let client = http::Client::default();
    Provider::new("local")
        .resource("local_file", file::File)
        .resource("local_directory", directory::Directory)
        .resource("local_process", process::Process::new(client.clone()))
        .resource("random_id", random::Id)
        .resource("random_password", random::Password)
        .resource("random_port", random::Port::default())
        .resource("tls_self_signed_cert", tls::SelfSignedCert)
        .data_source("http_request", http::HttpRequest::new(client))
        .data_source("local_command", command::LocalCommand)
        .ephemeral("random_password", random::EphemeralPassword)
        .ephemeral("local_command", command::LocalCommand)
}

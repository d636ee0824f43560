//! A pretend cloud: a process of its own that keeps networks, machines, buckets and more in a file, and has the manners of
//! a real cloud. It is slow, limits rates, forgets to answer and shows what it made only later, as far as its knobs say.
//!
//! ```text
//! HTTP/JSON ──▶ http ──▶ cloud (rules, states, tokens, knobs) ──▶ log (one line per change, flushed before the reply)
//! ```
//!
//! What it deliberately is not: something that runs machines. An instance is an entry that says `running` after a while.
//!
//! Invariants: what was acknowledged survives the end of the process; ids and draws depend on the seed and on what is
//! asked, never on the order of requests; nothing is ever forgotten, so that tests can count what was made twice.

mod catalogue;
mod chance;
mod cloud;
mod http;
mod kind;
mod knobs;
mod log;
mod object;
mod price;
mod problem;
mod progress;
mod rules;
mod shop;

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use clap::Parser;
use tokio::net::TcpListener;

use crate::{cloud::Cloud, http::Shared, knobs::Knobs, log::Log};

/// A pretend cloud for tests and demonstrations. Prints its address once it listens.
#[derive(Parser)]
#[command(name = "stackwright-sandbox", version)]
struct Arguments {
    /// Where to listen; port 0 is any that is free.
    #[arg(long, default_value = "127.0.0.1:7070")]
    listen: SocketAddr,
    /// The file that it keeps everything in.
    #[arg(long, default_value = "sandbox.jsonl")]
    memory: PathBuf,
    /// What all that looks random is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The token that clients have to bear; nobody has to where it is empty.
    #[arg(long, env = "SANDBOX_TOKEN", default_value = "", hide_env_values = true, hide_default_value = true)]
    token: String,
    /// How it behaves from the start, as `PATCH /admin/knobs` takes it: `{"latency_ms": 20, "lag_ms": 500}`.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    knobs: String,
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

async fn run(arguments: Arguments) -> io::Result<()> {
    let knobs = serde_json::from_str(&arguments.knobs).map_err(|error| invalid(format!("--knobs: {error}")))?;
    let knobs = Knobs::default().with(&knobs).map_err(|problem| invalid(format!("--knobs: {}", problem.message)))?;
    let (log, memory) = Log::open(&arguments.memory)?;
    let shared = Shared::new(Cloud::new(log, memory, knobs, arguments.seed), arguments.token);
    let listener = TcpListener::bind(arguments.listen).await?;
    let mut output = io::stdout().lock();
    writeln!(output, "listening on http://{}", listener.local_addr()?)?;
    output.flush()?;
    drop(output);
    match http::serve(listener, Arc::new(shared)).await? {}
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "stackwright-sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

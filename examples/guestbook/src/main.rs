//! A guestbook: replicas that share a data directory, and a front that spreads requests over them.
//!
//! `guestbook replica --config app.json --port 8081` serves pages; `guestbook front --config front.json --port 8080`
//! hands requests to the replicas in turn and goes on to the next one when one does not answer. It is an ordinary
//! program: nothing in it knows of the engine that deploys it (see `main.tf` beside `src`).

mod book;
mod front;
mod page;
mod replica;

use std::{net::Ipv4Addr, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves pages from the shared data directory.
    Replica(Listen),
    /// Spreads requests over the replicas.
    Front(Listen),
}

#[derive(clap::Args)]
struct Listen {
    /// The configuration file (JSON).
    #[arg(long)]
    config: PathBuf,
    /// The TCP port on 127.0.0.1.
    #[arg(long)]
    port: u16,
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Replica(listen) => serve(&listen, replica::router(&listen.config, listen.port)).await,
        Command::Front(listen) => serve(&listen, front::router(&listen.config)).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("guestbook: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(listen: &Listen, router: Result<axum::Router, String>) -> Result<(), String> {
    let router = router?;
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, listen.port))
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:{}: {error}", listen.port))?;
    println!("guestbook: listening on http://127.0.0.1:{}", listen.port);
    axum::serve(listener, router).with_graceful_shutdown(stopped()).await.map_err(|error| error.to_string())
}

/// Ends when the program is asked to stop.
async fn stopped() {
    let interrupt = tokio::signal::ctrl_c();
    let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        let _ = interrupt.await;
        return;
    };
    tokio::select! {
        _ = interrupt => (),
        _ = terminate.recv() => (),
    }
    println!("guestbook: stopping");
}

/// Reads a JSON configuration file.
fn read_config<T: serde::de::DeserializeOwned>(path: &std::path::Path) -> Result<T, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

//! The engine for the shell: plan, apply, refresh, import and destroy from a terminal or a script.
//!
//! Commands, flags and exit codes are Terraform's, because that is what people's hands know. The engine runs in this
//! process; nothing is spawned and nothing stays behind.

#[macro_use]
mod terminal;
mod arguments;
mod command;
mod exit;
mod location;
mod lock;
mod modules;
mod private;
mod session;
mod show;
mod variables;

use std::process::ExitCode;

use arguments::Invocation;

fn main() -> ExitCode {
    quieten_panics();
    let invocation = match Invocation::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(code) => return code,
    };
    start_log();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("stackwright: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(command::run(invocation));
    // A store's own thread may still be closing its file; nothing that matters waits for it.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    code.into()
}

/// Says where a panic was and not what it said: a message may quote a value, and a value may be a secret.
///
/// `STACKWRIGHT_SHOW_PANICS` brings the usual message back, for whoever looks for the mistake.
fn quieten_panics() {
    if std::env::var_os("STACKWRIGHT_SHOW_PANICS").is_some() {
        return;
    }
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        eprintln!(
            "stackwright: internal error at {place}. Its message is hidden, since it may quote a secret; \
             STACKWRIGHT_SHOW_PANICS=1 shows it."
        );
    }));
}

/// Writes what the engine logs to standard error, when `STACKWRIGHT_LOG` asks for it (such as `debug`).
fn start_log() {
    let Ok(filter) = std::env::var("STACKWRIGHT_LOG") else { return };
    let filter = tracing_subscriber::EnvFilter::new(filter);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

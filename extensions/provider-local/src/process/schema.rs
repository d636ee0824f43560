//! What a `local_process` is made of.

use std::sync::{Arc, OnceLock};

use stackwright::{
    error::{Error, ErrorKind, Result},
    schema::{Attribute, Block, NestedBlock, Schema},
    value::{Type, Value},
};

use super::{
    launch::{DIGEST, MARK},
    probe,
};
use crate::attributes::{check_words, text};

/// How long a process may take until it answers, unless it says otherwise.
pub(super) const READY_TIMEOUT_SECONDS: u32 = 60;
/// The longest that it can ask for.
pub(super) const LONGEST_READY_SECONDS: u64 = 3600;

/// What a change of makes a restart necessary. The rest concerns the engine alone.
pub(super) const STARTED_WITH: [&str; 5] = ["command", "environment", "working_directory", "log_file", "triggers"];

pub(super) fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| Arc::new(build())))
}

fn build() -> Schema {
    let ready = Block::new()
        .describe("How it shows that it works; without it, that it stays up is enough.")
        .attribute("tcp", Attribute::optional(Type::String).describe("It accepts connections here, as `host:port`."))
        .attribute("http", Attribute::optional(Type::String).describe("It answers a GET of this URL."))
        .attribute(
            "status",
            Attribute::optional(Type::Number).between(100, 599).describe("With this status; 200 to 399 without it."),
        )
        .attribute(
            "timeout_seconds",
            Attribute::optional(Type::Number)
                .default(i64::from(READY_TIMEOUT_SECONDS))
                .between(1, LONGEST_READY_SECONDS)
                .describe("How long that may take before the apply fails; the process stays."),
        );
    Schema::new(1)
        .describe(
            "A program that runs on this machine in a session of its own and outlives the engine. One that died is \
             started again by the next apply, never behind a plan's back.",
        )
        .attribute("id", Attribute::computed(Type::String).describe("The process number as text."))
        .attribute(
            "command",
            Attribute::required(Type::list(Type::String)).describe(
                "The program and its arguments; no shell reads them. It has to stay in the foreground. Another one \
                 restarts it.",
            ),
        )
        .attribute(
            "environment",
            Attribute::optional(Type::map(Type::String)).describe(
                "Variables beside the engine's own; null takes one away. `STACKWRIGHT_…` of the engine are not handed on. \
                 A change restarts it.",
            ),
        )
        .attribute(
            "working_directory",
            Attribute::optional(Type::String).describe("Where it runs; the engine's own without it. A change restarts it."),
        )
        .attribute(
            "log_file",
            Attribute::optional(Type::String).describe(
                "Where what it prints is added, made with mode 0600; thrown away without it. A change restarts it.",
            ),
        )
        .attribute(
            "triggers",
            Attribute::optional(Type::map(Type::String)).describe(
                "Any values, such as the checksum of its configuration. A change restarts it.",
            ),
        )
        .attribute(
            "stop_timeout_seconds",
            Attribute::optional(Type::Number)
                .default(10)
                .between(0, 3600)
                .describe("How long it and what it started may take to end after SIGTERM, before SIGKILL."),
        )
        .attribute("pid", Attribute::computed(Type::Number).describe("The process number."))
        .block("ready", NestedBlock::single(ready))
}

/// Checks a configuration beyond the schema.
///
/// # Errors
/// `local.process`, `local.conflict`.
pub(super) fn check(config: &Value) -> Result<()> {
    check_words(config, "command", "local.process")?;
    let invalid = |message: String| Err(Error::new(ErrorKind::InvalidInput, "local.process", message));
    let environment = config.attribute("environment").filter(|map| map.is_known());
    for (name, value) in environment.into_iter().flat_map(Value::entries) {
        if name.is_empty() || name.contains(['=', '\0']) {
            return invalid(format!("`{name}` cannot be the name of a variable"));
        }
        if [MARK, DIGEST].contains(&&**name) {
            return invalid(format!("the variable `{name}` is how the process is found again; use another name"));
        }
        if value.as_str().is_some_and(|value| value.contains('\0')) {
            return invalid(format!("the variable `{name}` holds a zero byte"));
        }
    }
    for name in ["working_directory", "log_file"] {
        if text(config, name).is_some_and(str::is_empty) {
            return invalid(format!("`{name}` is empty; leave it out"));
        }
    }
    probe::check(config)
}

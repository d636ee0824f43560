//! Whether a process answers.

use std::time::Duration;

use stackwright::{
    error::{Error, ErrorKind, Result},
    value::Value,
};
use tokio::net::TcpStream;

use crate::{
    attributes::{number, text},
    http::Client,
};

/// How long one try to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a process has to stay up where nothing is asked of it: most that fail do so at once.
const STAYS_UP: Duration = Duration::from_millis(100);

/// How a process shows that it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// It stays up.
    Alive,
    /// It accepts connections at `host:port`.
    Tcp(String),
    /// It answers a GET with a status in this range.
    Http { url: String, least: u16, most: u16 },
}

fn block(process: &Value) -> Option<&Value> {
    process.attribute("ready").filter(|block| !block.is_null() && block.is_known())
}

/// Returns how long it may take until the process answers.
pub(super) fn patience(process: &Value) -> Duration {
    let seconds = block(process).and_then(|block| number(block, "timeout_seconds"));
    Duration::from_secs(seconds.unwrap_or(u64::from(super::schema::READY_TIMEOUT_SECONDS)))
}

/// Checks a `ready` block.
///
/// # Errors
/// `local.conflict` and `local.process` for what makes no sense together or cannot be asked.
pub(super) fn check(process: &Value) -> Result<()> {
    let Some(block) = block(process) else { return Ok(()) };
    let is_set = |name: &str| block.attribute(name).is_some_and(|value| !value.is_null());
    let conflict = |message: &str| Err(Error::new(ErrorKind::InvalidInput, "local.conflict", message));
    if is_set("tcp") && is_set("http") {
        return conflict("`ready` has both `tcp` and `http`; keep one of them");
    }
    if is_set("status") && !is_set("http") {
        return conflict("`ready` has a `status` without `http`");
    }
    let invalid = |message: String| Err(Error::new(ErrorKind::InvalidInput, "local.process", message));
    if let Some(address) = text(block, "tcp") {
        let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
        if !matches!(port, Some(Ok(1..))) {
            return invalid(format!("`ready` cannot ask `{address}`; write `host:port`"));
        }
    }
    if let Some(url) = text(block, "http")
        && !url.starts_with("http://")
        && !url.starts_with("https://")
    {
        return invalid("`ready` cannot ask its `http`; write a URL with `http://` or `https://`".to_owned());
    }
    Ok(())
}

impl Probe {
    /// Returns the probe of a `ready` block.
    pub(super) fn of(process: &Value) -> Self {
        let Some(block) = block(process) else { return Self::Alive };
        if let Some(url) = text(block, "http") {
            let status = number(block, "status").and_then(|status| u16::try_from(status).ok());
            let (least, most) = status.map_or((200, 399), |status| (status, status));
            return Self::Http { url: url.to_owned(), least, most };
        }
        match text(block, "tcp") {
            Some(address) => Self::Tcp(address.to_owned()),
            None => Self::Alive,
        }
    }

    /// Asks once; returns why it is not ready yet. `awaited` is how long it has been asked already.
    pub(super) async fn ask(&self, client: &Client, awaited: Duration) -> Result<(), String> {
        match self {
            Self::Alive if awaited < STAYS_UP => Err("it was started just now".to_owned()),
            Self::Alive => Ok(()),
            Self::Tcp(address) => match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(format!("{address}: {}", error.kind())),
                Err(_) => Err(format!("{address}: no answer")),
            },
            Self::Http { url, least, most } => {
                let client = client.for_probes().map_err(|error| error.report())?;
                // A URL may carry a password or a token; what people need to see is where it leads.
                let place = crate::http::place(url);
                match client.get(url).timeout(ANSWER_TIMEOUT).send().await {
                    Ok(answer) if (*least..=*most).contains(&answer.status().as_u16()) => Ok(()),
                    Ok(answer) => Err(format!("{place} answers {}", answer.status())),
                    Err(error) if error.is_timeout() => Err(format!("{place}: no answer")),
                    Err(error) if error.is_connect() => Err(format!("{place}: nobody listens yet")),
                    Err(error) => Err(format!("{place}: {}", error.without_url())),
                }
            }
        }
    }
}

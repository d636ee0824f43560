//! Whether a process answers.

use std::time::Duration;

use stackwright::value::Value;
use tokio::net::TcpStream;

use crate::{
    attributes::{number, text},
    http::Client,
};

/// How a process shows that it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// It runs.
    Alive,
    /// It accepts connections at `host:port`.
    Tcp(String),
    /// It answers a GET with a status in this range.
    Http { url: String, least: u16, most: u16 },
}

impl Probe {
    /// Returns the probe of a `ready` block.
    pub(super) fn of(process: &Value) -> Self {
        let Some(block) = process.attribute("ready").filter(|block| !block.is_null()) else { return Self::Alive };
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

    /// Asks once; returns why it is not ready yet.
    pub(super) async fn ask(&self, client: &Client) -> Result<(), String> {
        match self {
            Self::Alive => Ok(()),
            Self::Tcp(address) => match tokio::time::timeout(Duration::from_secs(2), TcpStream::connect(address)).await
            {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(format!("{address}: {}", error.kind())),
                Err(_) => Err(format!("{address}: no answer")),
            },
            Self::Http { url, least, most } => {
                let client = client.get().map_err(|error| error.report())?;
                match client.get(url).timeout(Duration::from_secs(5)).send().await {
                    Ok(answer) if (*least..=*most).contains(&answer.status().as_u16()) => Ok(()),
                    Ok(answer) => Err(format!("{url} answers {}", answer.status())),
                    Err(error) if error.is_connect() => Err(format!("{url}: nobody listens yet")),
                    Err(error) => Err(format!("{url}: {}", error.without_url())),
                }
            }
        }
    }
}

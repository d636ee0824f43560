//! HTTP: the data source `http_request`, and the probe of `local_process`.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use rustls_platform_verifier::BuilderVerifierExt as _;
use stackwright::{
    error::{Error, ErrorKind, Result, Retry},
    resource::{Context, DataSource},
    schema::{Attribute, Schema},
    value::{Type, Value},
};

use crate::attributes::{number, required, text, variables, with};

/// A body larger than this is refused.
const LARGEST_BODY_BYTES: usize = 16 * 1024 * 1024;

/// The HTTP clients of a provider; each is made when it is first needed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    /// Follows redirects, goes through the proxies that the environment names.
    outside: Arc<OnceLock<reqwest::Client>>,
    /// Follows redirects; for this machine, which no proxy reaches.
    loopback: Arc<OnceLock<reqwest::Client>>,
    /// Takes a redirect for an answer; no proxies.
    probe: Arc<OnceLock<reqwest::Client>>,
}

impl Client {
    /// Returns the client for a URL.
    fn for_url(&self, url: &str) -> Result<&reqwest::Client> {
        let is_loopback = reqwest::Url::parse(url).is_ok_and(|url| match url.host_str() {
            Some("localhost") => true,
            Some(host) => host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
            None => false,
        });
        match is_loopback {
            true => once(&self.loopback, |builder| builder.no_proxy()),
            false => once(&self.outside, |builder| builder),
        }
    }

    /// Returns the client for readiness probes.
    pub(crate) fn for_probes(&self) -> Result<&reqwest::Client> {
        once(&self.probe, |builder| builder.no_proxy().redirect(reqwest::redirect::Policy::none()))
    }
}

fn once(
    cell: &OnceLock<reqwest::Client>,
    refine: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<&reqwest::Client> {
    if let Some(client) = cell.get() {
        return Ok(client);
    }
    let made = make(refine)?;
    Ok(cell.get_or_init(|| made))
}

/// Makes a client with a TLS configuration of its own, so that no process-wide default is needed or changed.
fn make(refine: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> Result<reqwest::Client> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Unavailable, "local.http", "no HTTP client can be made here").because(error)
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(|error| failed(error.into()))?
        .with_no_client_auth();
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("stackwright/", env!("CARGO_PKG_VERSION")));
    refine(builder).build().map_err(|error| failed(error.into()))
}

/// Returns where a URL leads, without what may be secret in it: user, password, query.
pub(crate) fn place(url: &str) -> String {
    let Ok(url) = reqwest::Url::parse(url) else { return "what is no URL".to_owned() };
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

/// Looks something up over HTTP.
#[derive(Clone, Debug)]
pub(crate) struct HttpRequest {
    client: Client,
}

impl HttpRequest {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }
}

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        Arc::new(
            Schema::new(1)
                .describe(
                    "The answer to an HTTP request. Any status is an answer; check `status_code` in a postcondition.",
                )
                .attribute("id", Attribute::computed(Type::String).describe("The URL."))
                .attribute("url", Attribute::required(Type::String).describe("What to ask, `http://` or `https://`."))
                .attribute(
                    "method",
                    Attribute::optional(Type::String)
                        .default("GET")
                        .one_of(["GET", "HEAD", "POST"])
                        .describe("How to ask."),
                )
                .attribute("request_headers", Attribute::optional(Type::map(Type::String)).describe("Headers to send."))
                .attribute("request_body", Attribute::optional(Type::String).describe("Text to send."))
                .attribute(
                    "timeout_seconds",
                    Attribute::optional(Type::Number)
                        .default(30)
                        .between(1, 3600)
                        .describe("How long the answer may take."),
                )
                .attribute("status_code", Attribute::computed(Type::Number).describe("The status."))
                .attribute(
                    "response_headers",
                    Attribute::computed(Type::map(Type::String))
                        .describe("Headers by name; several of one name are joined with commas."),
                )
                .attribute(
                    "response_body",
                    Attribute::computed(Type::String).describe("The body as text, at most 16 MiB."),
                ),
        )
    }))
}

fn failed(url: &str, error: reqwest::Error) -> Error {
    // The URL may carry credentials; the error has no need to repeat it.
    let error = error.without_url();
    let place = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let retry = if error.is_builder() { Retry::No } else { Retry::WithBackoff };
    Error::new(ErrorKind::Unavailable, "local.http", format!("no answer from `{place}`")).retry(retry).because(error)
}

#[async_trait]
impl DataSource for HttpRequest {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    async fn read(&self, _ctx: &Context, config: Value) -> Result<Value> {
        let url = required(&config, "url")?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "local.http",
                "`url` begins with neither `http://` nor `https://`",
            ));
        }
        let method = match text(&config, "method") {
            Some("HEAD") => reqwest::Method::HEAD,
            Some("POST") => reqwest::Method::POST,
            _ => reqwest::Method::GET,
        };
        let limit = Duration::from_secs(number(&config, "timeout_seconds").unwrap_or(30));
        let mut request = self.client.for_url(url)?.request(method, url).timeout(limit);
        for (name, value) in variables(&config, "request_headers") {
            request = request.header(name, value.unwrap_or_default());
        }
        if let Some(body) = text(&config, "request_body") {
            request = request.body(body.to_owned());
        }
        let mut answer = request.send().await.map_err(|error| failed(url, error))?;
        let mut headers: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
        for (name, value) in answer.headers() {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let joined = headers.entry(name.as_str().to_owned()).or_default();
            *joined = if joined.is_empty() { value } else { format!("{joined}, {value}") };
        }
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(url, error))? {
            if body.len() + chunk.len() > LARGEST_BODY_BYTES {
                return Err(Error::new(ErrorKind::InvalidInput, "local.http", "the answer is longer than 16 MiB"));
            }
            body.extend_from_slice(&chunk);
        }
        let headers = headers.into_iter().map(|(name, value)| (name, Value::string(value)));
        Ok(with(
            &config,
            [
                ("id", Value::string(url)),
                ("status_code", Value::number(u64::from(status))),
                ("response_headers", Value::map(Type::String, headers)),
                ("response_body", Value::string(String::from_utf8_lossy(&body).into_owned())),
            ],
        ))
    }
}

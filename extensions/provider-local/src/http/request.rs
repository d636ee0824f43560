use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use stackwright::{
    error::{Error, ErrorKind, Result, Retry},
    resource::{Context, DataSource},
    schema::{Attribute, Schema},
    value::{Type, Value},
};

use super::{Client, place};
use crate::attributes::{number, required, text, variables, with};

/// A body larger than this is refused.
const LARGEST_BODY_BYTES: usize = 16 * 1024 * 1024;
/// The longest that a request may take: what the engine gives a call.
const LONGEST_SECONDS: u64 = 1200;

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
    Arc::clone(SCHEMA.get_or_init(|| Arc::new(build())))
}

fn build() -> Schema {
    Schema::new(1)
        .describe("The answer to an HTTP request. Any status is an answer; check `status_code` in a postcondition.")
        .attribute("id", Attribute::computed(Type::String).describe("The URL without user, password and query."))
        .attribute("url", Attribute::required(Type::String).describe("What to ask, `http://` or `https://`."))
        .attribute(
            "method",
            Attribute::optional(Type::String)
                .default("GET")
                .one_of(["GET", "HEAD", "POST"])
                .describe("How to ask. It is asked at every plan, so it should only look."),
        )
        .attribute("request_headers", Attribute::optional(Type::map(Type::String)).describe("Headers to send."))
        .attribute("request_body", Attribute::optional(Type::String).describe("Text to send."))
        .attribute(
            "ca_cert_pem",
            Attribute::optional(Type::String)
                .describe("Certificates in PEM that are trusted beside those that the system trusts."),
        )
        .attribute(
            "timeout_seconds",
            Attribute::optional(Type::Number)
                .default(30)
                .between(1, LONGEST_SECONDS)
                .describe("How long the whole answer may take."),
        )
        .attribute("status_code", Attribute::computed(Type::Number).describe("The status."))
        .attribute(
            "response_headers",
            Attribute::computed(Type::map(Type::String))
                .describe("Headers by name in lower case; several of one name are joined with commas."),
        )
        .attribute(
            "response_body",
            Attribute::computed(Type::String)
                .describe("The body as text, at most 16 MiB; what is not UTF-8 in it becomes U+FFFD."),
        )
        .attribute("response_body_base64", Attribute::computed(Type::String).describe("The body's bytes in Base64."))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, "local.http", message)
}

/// Says why there is no answer. What reqwest says of it may hold the URL, and with it secrets.
fn failed(url: &str, limit: Duration, error: reqwest::Error) -> Error {
    let error = error.without_url();
    let place = place(url);
    let unavailable = |message: String| Error::new(ErrorKind::Unavailable, "local.http", message);
    if error.is_timeout() {
        let message = format!("`{place}` did not answer within {} s", limit.as_secs());
        return unavailable(message).retry(Retry::WithBackoff);
    }
    if error.is_builder() {
        return invalid(format!("`{place}` cannot be asked like this")).because(error);
    }
    if error.is_redirect() {
        return unavailable(format!("`{place}` leads around in circles, or nowhere")).because(error);
    }
    match refused_by_tls(&error) {
        Some(refusal @ rustls::Error::InvalidCertificate(_)) => {
            let message = format!("`{place}` is not trusted: {refusal}");
            return Error::new(ErrorKind::Denied, "local.http", message);
        }
        Some(refusal) => return unavailable(format!("`{place}` does not speak TLS: {refusal}")),
        None => {}
    }
    unavailable(format!("no answer from `{place}`")).retry(Retry::WithBackoff).because(error)
}

/// Returns why TLS refused a connection, if that is the cause.
fn refused_by_tls<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    // An error of the system that wraps another one hides it from its chain of causes.
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error
        .downcast_ref::<rustls::Error>()
        .or_else(|| wrapped.and_then(|inner| refused_by_tls(inner)))
        .or_else(|| error.source().and_then(refused_by_tls))
}

fn headers(config: &Value) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in variables(config, "request_headers") {
        let Some(value) = value else { return Err(invalid(format!("the header `{name}` is null"))) };
        let key = HeaderName::from_bytes(name.as_bytes());
        let key = key.map_err(|_| invalid(format!("`{name}` cannot be the name of a header")))?;
        let mut value = HeaderValue::from_str(&value)
            .map_err(|_| invalid(format!("the header `{name}` holds what no header may")))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

/// Returns the headers of an answer by name.
fn joined(headers: &HeaderMap) -> BTreeMap<String, Value> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str().to_owned())
            .and_modify(|before| before.push_str(&format!(", {value}")))
            .or_insert_with(|| value.into_owned());
    }
    joined.into_iter().map(|(name, value)| (name, Value::string(value))).collect()
}

async fn ask(client: &Client, config: &Value) -> Result<Value> {
    let url = required(config, "url")?;
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(invalid("`url` begins with neither `http://` nor `https://`"));
    }
    let method = match text(config, "method") {
        Some("HEAD") => Method::HEAD,
        Some("POST") => Method::POST,
        _ => Method::GET,
    };
    let limit = Duration::from_secs(number(config, "timeout_seconds").unwrap_or(30));
    let client = client.for_url(url, text(config, "ca_cert_pem"))?;
    let mut request = client.request(method, url).timeout(limit).headers(headers(config)?);
    if let Some(body) = text(config, "request_body") {
        request = request.body(body.to_owned());
    }
    let unanswered = |error| failed(url, limit, error);
    let mut answer = request.send().await.map_err(unanswered)?;
    let headers = joined(answer.headers());
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unanswered)? {
        if body.len() + chunk.len() > LARGEST_BODY_BYTES {
            return Err(invalid(format!("the answer of `{}` is longer than 16 MiB", place(url))));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(with(
        config,
        [
            ("id", Value::string(place(url))),
            ("status_code", Value::number(u64::from(status))),
            ("response_headers", Value::map(Type::String, headers)),
            ("response_body", Value::string(String::from_utf8_lossy(&body).into_owned())),
            ("response_body_base64", Value::string(STANDARD.encode(&body))),
        ],
    ))
}

#[async_trait]
impl DataSource for HttpRequest {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    async fn read(&self, ctx: &Context, config: Value) -> Result<Value> {
        tokio::select! {
            answer = ask(&self.client, &config) => answer,
            () = ctx.cancellation().cancelled() => {
                Err(Error::new(ErrorKind::Cancelled, "run.cancelled", "the request was ended early"))
            }
        }
    }
}

//! Requests to the cloud.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request,
    body::Bytes,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use stackwright::{
    error::{Error, ErrorKind, Result},
    resource::Context,
    value::Value,
};

use crate::error::{Purpose, garbled, refused, unanswered, unreached};

/// An answer that is longer is refused.
const LARGEST_BODY_BYTES: usize = 16 * 1024 * 1024;

/// The connections of a provider, shared by its types.
#[derive(Clone, Debug, Default)]
pub(crate) struct Api {
    client: Arc<OnceLock<Client<HttpConnector, Full<Bytes>>>>,
}

/// A thing in the cloud, as the cloud shows it.
#[derive(Debug, Deserialize)]
pub(crate) struct Remote {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) properties: Map<String, Json>,
    pub(crate) operation: Option<String>,
}

/// The cloud as one provider block configures it. Shows no token.
pub(crate) struct Connection {
    client: Client<HttpConnector, Full<Bytes>>,
    endpoint: String,
    authorization: Option<HeaderValue>,
    timeout: Duration,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

fn misconfigured(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "sandbox.endpoint", message)
}

impl Api {
    /// Returns the cloud that the provider's configuration names.
    ///
    /// # Errors
    /// `sandbox.endpoint` where it names none.
    pub(crate) fn connect(&self, ctx: &Context) -> Result<Connection> {
        let config = ctx.info().provider_config.as_ref().map(|config| config.unmark_deep().0);
        let get = |name: &str| config.as_ref().and_then(|config| config.attribute(name)).cloned();
        let endpoint = get("endpoint");
        let Some(endpoint) = endpoint.as_ref().and_then(Value::as_str) else {
            return Err(misconfigured("set `endpoint` in a block `provider \"sandbox\"`"));
        };
        let token = get("token");
        let seconds = get("request_timeout").and_then(|limit| limit.as_number().and_then(|number| number.to_u64()));
        self.connect_to(endpoint, token.as_ref().and_then(Value::as_str), seconds)
    }

    /// Returns the cloud that listens somewhere.
    pub(crate) fn connect_to(&self, endpoint: &str, token: Option<&str>, seconds: Option<u64>) -> Result<Connection> {
        // Nothing of it is repeated: what stands before an `@` may be secret.
        let endpoint = endpoint.trim_end_matches('/');
        let is_sound =
            endpoint.strip_prefix("http://").is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', '/', '?']));
        if !is_sound {
            return Err(misconfigured("`endpoint` is not of the form `http://HOST:PORT`"));
        }
        let authorization = token.map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| misconfigured("`token` holds what no header may"))?;
            value.set_sensitive(true);
            Ok::<_, Error>(value)
        });
        Ok(Connection {
            client: self.client.get_or_init(|| Client::builder(TokioExecutor::new()).build_http()).clone(),
            endpoint: endpoint.to_owned(),
            authorization: authorization.transpose()?,
            timeout: Duration::from_secs(seconds.unwrap_or(30)),
        })
    }
}

/// Spells a text so that it can be part of a path or a query.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte.into()),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

impl Connection {
    /// Asks and returns what is answered.
    async fn ask(&self, purpose: Purpose, method: Method, path: &str, body: Option<&Json>) -> Result<Json> {
        let mut request = Request::builder().method(method).uri(format!("{}/v1/{path}", self.endpoint));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|_| misconfigured("`endpoint` is not of the form `http://HOST:PORT`"))?;
        let lost = || unanswered(&self.endpoint, purpose);
        let exchange = async {
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|error| match error.is_connect() {
                true => unreached(&self.endpoint, error),
                false => lost().because(error),
            })?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), LARGEST_BODY_BYTES).collect().await;
            let body = body.map_err(|error| lost().because(error))?.to_bytes();
            Ok::<_, Error>((status, body))
        };
        let (status, body) = tokio::time::timeout(self.timeout, exchange).await.map_err(|_| lost())??;
        let body: Option<Json> = serde_json::from_slice(&body).ok();
        match (status.is_success(), body) {
            (true, Some(body)) => Ok(body),
            (true, None) => Err(garbled("not in JSON", purpose)),
            (false, body) => Err(refused(status.as_u16(), &body.unwrap_or_default())),
        }
    }

    /// Has something done that is no thing of the cloud, and returns what is answered.
    pub(crate) async fn post(&self, path: &str, body: &Json) -> Result<Json> {
        self.ask(Purpose::Change, Method::POST, path, Some(body)).await
    }

    async fn change(&self, method: Method, path: &str, body: Option<&Json>) -> Result<Remote> {
        let answer = self.ask(Purpose::Change, method, path, body).await?;
        serde_json::from_value(answer).map_err(|_| garbled("not with a thing of the cloud", Purpose::Change))
    }

    /// Makes a thing. Asked again with the same token it returns what was made the first time.
    pub(crate) async fn create(&self, kind: &str, body: &Json) -> Result<Remote> {
        self.change(Method::POST, kind, Some(body)).await
    }

    /// Sets properties of a thing.
    pub(crate) async fn update(&self, kind: &str, id: &str, body: &Json) -> Result<Remote> {
        self.change(Method::PATCH, &format!("{kind}/{}", escape(id)), Some(body)).await
    }

    /// Begins to delete a thing; `None` where there is none.
    pub(crate) async fn delete(&self, kind: &str, id: &str) -> Result<Option<Remote>> {
        if_any(self.change(Method::DELETE, &format!("{kind}/{}", escape(id)), None).await)
    }

    /// Reads a thing; `None` where there is none.
    pub(crate) async fn read(&self, kind: &str, id: &str) -> Result<Option<Remote>> {
        let answer = self.ask(Purpose::Look, Method::GET, &format!("{kind}/{}", escape(id)), None).await;
        if_any(answer)?.map(understand).transpose()
    }

    /// Returns the things whose properties are these.
    pub(crate) async fn list(&self, kind: &str, filters: &[(&str, &str)]) -> Result<Vec<Remote>> {
        let filters: Vec<_> =
            filters.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
        self.items(&format!("{kind}?{}", filters.join("&"))).await?.into_iter().map(understand).collect()
    }

    /// Returns the items of a list.
    pub(crate) async fn items(&self, path: &str) -> Result<Vec<Json>> {
        match self.ask(Purpose::Look, Method::GET, path, None).await?.get_mut("items").map(Json::take) {
            Some(Json::Array(items)) => Ok(items),
            _ => Err(garbled("not with a list", Purpose::Look)),
        }
    }

    /// Returns how an operation stands: `running`, `done` or `failed`.
    pub(crate) async fn operation(&self, id: &str) -> Result<String> {
        let answer = self.ask(Purpose::Look, Method::GET, &format!("operations/{}", escape(id)), None).await?;
        let status = answer["status"].as_str().map(str::to_owned);
        status.ok_or_else(|| garbled("not with an operation", Purpose::Look))
    }
}

fn understand(answer: Json) -> Result<Remote> {
    serde_json::from_value(answer).map_err(|_| garbled("not with a thing of the cloud", Purpose::Look))
}

/// Takes "there is none" for an answer.
fn if_any<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == "sandbox.missing" => Ok(None),
        Err(error) => Err(error),
    }
}

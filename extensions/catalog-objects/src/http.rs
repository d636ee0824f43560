use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::{
    StatusCode, Url,
    header::{ETAG, IF_MATCH, IF_NONE_MATCH},
    redirect::Policy,
};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use stackwright::{
    catalog::{Expect, Objects, Stored},
    error::{Error, ErrorKind, Result, Retry},
};

/// A catalog behind a server that keeps what it is sent, as object stores do.
///
/// An object is read with `GET` and written with `PUT`; the server answers with an `ETag`, and honours `If-Match` and
/// `If-None-Match: *`. What it cannot do is list. Nothing that it says is believed without a signature, so that plain HTTP
/// within a network will do.
#[derive(Clone)]
pub struct Http {
    base: Url,
    client: reqwest::Client,
    token: Option<Arc<str>>,
}

impl Http {
    /// Returns the catalog at an address.
    ///
    /// # Errors
    /// `catalog.unavailable` where that is no address of HTTP.
    pub fn new(address: &str) -> Result<Self> {
        let mut base =
            Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if let Some(base) = &mut base
            && !base.path().ends_with('/')
        {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        let base = base.ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "catalog.unavailable", "the catalog's address is none of HTTP")
        })?;
        Ok(Self { base, client: client()?, token: None })
    }

    /// Sets what is shown to the server with every request: a bearer token. A secret.
    pub fn with_token(mut self, token: impl Into<Arc<str>>) -> Self {
        self.token = Some(token.into());
        self
    }

    fn url(&self, key: &str) -> Result<Url> {
        let is_plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let url = if key.split('/').all(is_plain) { self.base.join(key).ok() } else { None };
        url.filter(|url| url.path().starts_with(self.base.path())).ok_or_else(|| {
            let message = format!("`{}` is no key of a catalog", key.escape_debug());
            Error::new(ErrorKind::InvalidInput, "catalog.name", message)
        })
    }

    async fn send(&self, request: reqwest::RequestBuilder, what: &str) -> Result<reqwest::Response> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.map_err(|error| lost(what, error))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("host", &self.base.host_str()).finish_non_exhaustive()
    }
}

/// The address may hold a password: it is not repeated.
fn lost(what: &str, error: reqwest::Error) -> Error {
    let message = format!("the catalog's server did not answer when `{what}` was asked for");
    Error::new(ErrorKind::Unavailable, "catalog.unavailable", message)
        .retry(Retry::WithBackoff)
        .because(error.without_url())
}

fn refused(what: &str, status: StatusCode) -> Error {
    let kind = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    };
    let error = Error::new(kind, "catalog.unavailable", format!("the catalog's server answers {status} for `{what}`"));
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        error.retry(Retry::WithBackoff)
    } else {
        error
    }
}

#[async_trait]
impl Objects for Http {
    async fn get(&self, key: &str, limit: u64) -> Result<Option<Stored>> {
        let mut response = self.send(self.client.get(self.url(key)?), key).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
            status => return Err(refused(key, status)),
        }
        let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(Arc::<str>::from);
        let mut bytes = Vec::new();
        // What the server says of the length is not believed.
        while let Some(chunk) = response.chunk().await.map_err(|error| lost(key, error))? {
            if bytes.len() as u64 + chunk.len() as u64 > limit {
                let message = format!("`{key}` has more than {limit} bytes");
                return Err(Error::new(ErrorKind::InvalidInput, "catalog.too_large", message));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(Stored { bytes: bytes.into(), tag: tag.unwrap_or_default() }))
    }

    async fn put(&self, key: &str, bytes: Arc<[u8]>, expect: Expect) -> Result<bool> {
        let request = self.client.put(self.url(key)?).body(bytes.to_vec());
        let request = match &expect {
            Expect::Absent => request.header(IF_NONE_MATCH, "*"),
            Expect::Tag(tag) if tag.is_empty() => {
                let message = "the catalog's server names no `ETag`, so that nothing can be changed safely";
                return Err(Error::new(ErrorKind::Unsupported, "catalog.unsupported", message));
            }
            Expect::Tag(tag) => request.header(IF_MATCH, &**tag),
        };
        let response = self.send(request, key).await?;
        match response.status() {
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => Ok(false),
            status if status.is_success() => Ok(true),
            status => Err(refused(key, status)),
        }
    }

    async fn list(&self, _: &str) -> Result<Vec<String>> {
        let message = "a catalog behind HTTP cannot be listed; name the package";
        Err(Error::new(ErrorKind::Unsupported, "catalog.unsupported", message))
    }
}

/// Makes a client with a TLS configuration of its own, so that no process-wide default is needed or changed.
fn client() -> Result<reqwest::Client> {
    let unmade = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Unavailable, "catalog.unavailable", "no HTTP client can be made here").because(error)
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| unmade(error.into()))?;
    let tls = match Verifier::new(provider) {
        Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth(),
        // A machine that trusts nobody can still ask without TLS.
        Err(_) => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
    };
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .connect_timeout(Duration::from_secs(20))
        .read_timeout(Duration::from_secs(60))
        .user_agent(concat!("stackwright/", env!("CARGO_PKG_VERSION")));
    client.build().map_err(|error| unmade(error.into()))
}

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use reqwest::{ClientBuilder, redirect::Policy};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use rustls_platform_verifier::Verifier;
use stackwright::error::{Error, ErrorKind, Result};

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
    /// Returns the client for a URL; one that trusts more than the system does where `roots` are given.
    pub(super) fn for_url(&self, url: &str, roots: Option<&str>) -> Result<reqwest::Client> {
        let is_loopback = is_loopback(url);
        let refine = |builder: ClientBuilder| if is_loopback { builder.no_proxy() } else { builder };
        match roots {
            Some(roots) => make(&parse(roots)?, refine),
            None => once(if is_loopback { &self.loopback } else { &self.outside }, refine),
        }
    }

    /// Returns the client for readiness probes.
    pub(crate) fn for_probes(&self) -> Result<reqwest::Client> {
        once(&self.probe, |builder| builder.no_proxy().redirect(Policy::none()))
    }
}

fn is_loopback(url: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| match url.host_str() {
        Some("localhost") => true,
        Some(host) => host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    })
}

/// Returns where a URL leads, without what may be secret in it: user, password, query.
pub(crate) fn place(url: &str) -> String {
    let Ok(url) = reqwest::Url::parse(url) else { return "what is no URL".to_owned() };
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

fn once(
    cell: &OnceLock<reqwest::Client>,
    refine: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<reqwest::Client> {
    if let Some(client) = cell.get() {
        return Ok(client.clone());
    }
    let made = make(&[], refine)?;
    Ok(cell.get_or_init(|| made).clone())
}

fn parse(roots: &str) -> Result<Vec<CertificateDer<'static>>> {
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(roots.as_bytes()).collect();
    found
        .ok()
        .filter(|roots| !roots.is_empty())
        .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "local.http", "`ca_cert_pem` holds no certificate in PEM"))
}

/// Makes a client with a TLS configuration of its own, so that no process-wide default is needed or changed.
fn make(
    roots: &[CertificateDer<'static>],
    refine: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<reqwest::Client> {
    let unmade = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Unavailable, "local.http", "no HTTP client can be made here").because(error)
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| unmade(error.into()))?;
    let tls = match verifier(roots, provider) {
        Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth(),
        Err(error) if !roots.is_empty() => {
            let message = "`ca_cert_pem` holds a certificate that cannot be trusted";
            return Err(Error::new(ErrorKind::InvalidInput, "local.http", message).because(error));
        }
        // A machine that trusts nobody can still ask without TLS.
        Err(_) => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
    };
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("stackwright/", env!("CARGO_PKG_VERSION")));
    refine(client).build().map_err(|error| unmade(error.into()))
}

fn verifier(roots: &[CertificateDer<'static>], provider: Arc<CryptoProvider>) -> Result<Verifier, rustls::Error> {
    match roots {
        [] => Verifier::new(provider),
        roots => Verifier::new_with_extra_roots(roots.iter().cloned(), provider),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_is_asked_for_this_machine() {
        for url in ["http://localhost:80/", "http://127.0.0.1/", "https://127.8.9.1:8443/x", "http://[::1]:80/"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["http://example.org/", "http://10.0.0.1/", "http://localhost.example.org/", "nonsense"] {
            assert!(!is_loopback(url), "{url}");
        }
    }

    #[test]
    fn a_place_is_a_url_without_secrets() {
        assert_eq!(place("https://me:hunter2@host:8443/a/b?token=hunter2#x"), "https://host:8443/a/b");
        assert_eq!(place("http://host"), "http://host/");
        assert_eq!(place("hunter2"), "what is no URL");
    }
}

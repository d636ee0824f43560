use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
};
use rustls_platform_verifier::Verifier;
use stackwright::Result;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{error::unusable, options::PostgresOptions};

/// How far the server is believed to be who it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Trust {
    /// No TLS.
    Plain,
    /// TLS where the server offers it, unchecked.
    #[default]
    WhateverThere,
    /// TLS, unchecked.
    Unchecked,
    /// TLS with a certificate of somebody who is believed.
    Authority,
    /// And of this very host.
    Full,
}

impl Trust {
    pub(crate) fn parse(name: &str) -> Result<Self> {
        match name {
            "disable" => Ok(Self::Plain),
            "prefer" => Ok(Self::WhateverThere),
            "require" => Ok(Self::Unchecked),
            "verify-ca" => Ok(Self::Authority),
            "verify-full" => Ok(Self::Full),
            _ => Err(unusable("`sslmode` is one of disable, prefer, require, verify-ca, verify-full")),
        }
    }

    pub(crate) fn mode(self) -> SslMode {
        match self {
            Self::Plain => SslMode::Disable,
            Self::WhateverThere => SslMode::Prefer,
            Self::Unchecked | Self::Authority | Self::Full => SslMode::Require,
        }
    }
}

/// What TLS needs to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    pub(crate) trust: Trust,
    pub(crate) roots: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

impl Tls {
    /// Refuses what makes no sense together: nobody shall believe a server to be checked that is not.
    pub(crate) fn check(&self) -> Result<()> {
        if self.certificate.is_some() != self.key.is_some() {
            return Err(unusable("`sslcert` and `sslkey` come together"));
        }
        let is_checked = matches!(self.trust, Trust::Authority | Trust::Full);
        if self.roots.is_some() && !is_checked {
            return Err(unusable(
                "`sslrootcert` is of use with `sslmode=verify-ca` or `verify-full` only; set one of these",
            ));
        }
        Ok(())
    }
}

/// Returns what makes TLS connections as the options say.
pub(crate) fn connector(options: &PostgresOptions) -> Result<MakeRustlsConnect> {
    let tls = &options.tls;
    let provider = Arc::new(ring::default_provider());
    let failed = |error: rustls::Error| unusable("TLS cannot be set up").because(error.to_string());
    let verifier: Arc<dyn ServerCertVerifier> = match tls.trust {
        Trust::Plain | Trust::WhateverThere | Trust::Unchecked => Arc::new(Anybody(Arc::clone(&provider))),
        Trust::Authority => Arc::new(AnyName(authority(tls, &provider)?)),
        Trust::Full => authority(tls, &provider)?,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => {
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unreadable("`sslkey`", key).because(error.to_string()))?;
            builder.with_client_auth_cert(certificates("`sslcert`", certificate)?, key).map_err(failed)?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

/// Returns who checks certificates and names: against the authorities in a file, or against the system's.
fn authority(tls: &Tls, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    let Some(path) = &tls.roots else {
        let verifier = Verifier::new(Arc::clone(provider));
        return Ok(Arc::new(
            verifier.map_err(|error| unusable("the system's authorities cannot be read").because(error.to_string()))?,
        ));
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("`sslrootcert`", path)? {
        roots.add(certificate).map_err(|error| unreadable("`sslrootcert`", path).because(error.to_string()))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    Ok(verifier.map_err(|error| unreadable("`sslrootcert`", path).because(error.to_string()))?)
}

fn certificates(what: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let list = read.map_err(|error| unreadable(what, path).because(error.to_string()))?;
    match list.is_empty() {
        true => Err(unreadable(what, path)),
        false => Ok(list),
    }
}

fn unreadable(what: &str, path: &Path) -> stackwright::Error {
    unusable(format!("the file that {what} names cannot be used")).context("path", path.display())
}

/// Believes anybody; the connection is still encrypted.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

/// Believes whoever is certified, whatever the name.
#[derive(Debug)]
struct AnyName(Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(certificate, others, name, ocsp, now) {
            // The name is looked at last: everything else was fine.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

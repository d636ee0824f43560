//! `tls_self_signed_cert`.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use sha2::{Digest as _, Sha256};
use stackwright::{
    error::{Error, ErrorKind, Result},
    event::Timestamp,
    resource::{Context, Evidence, Object, Outcome, Recovery, Resource, Traits},
    schema::{Attribute, Schema},
    value::{Type, Value},
};

use crate::{
    attributes::{blocking, flag, number, text, texts, with},
    encoding::hex,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A key pair and a certificate that it signed itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SelfSignedCert;

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        let names = || Attribute::optional(Type::list(Type::String)).forces_replacement();
        Arc::new(
            Schema::new(1)
                .describe("An ECDSA P-256 key and a certificate that it signed itself.")
                .attribute("id", Attribute::computed(Type::String).describe("The certificate's fingerprint."))
                .attribute(
                    "common_name",
                    Attribute::required(Type::String).forces_replacement().describe("Whose certificate it is."),
                )
                .attribute(
                    "organization",
                    Attribute::optional(Type::String).forces_replacement().describe("Of which organization."),
                )
                .attribute("dns_names", names().describe("Host names that it is good for."))
                .attribute("ip_addresses", names().describe("Addresses that it is good for."))
                .attribute(
                    "validity_days",
                    Attribute::optional(Type::Number)
                        .default(365)
                        .between(1, 36_500)
                        .forces_replacement()
                        .describe("How many days it is good for."),
                )
                .attribute(
                    "early_renewal_days",
                    Attribute::optional(Type::Number).default(0).between(0, 36_500).describe(
                        "How many days before its end it counts as gone, so that the next plan makes a new one.",
                    ),
                )
                .attribute(
                    "is_ca",
                    Attribute::optional(Type::Bool)
                        .default(false)
                        .forces_replacement()
                        .describe("Whether it may sign other certificates."),
                )
                .attribute(
                    "private_key_pem",
                    Attribute::computed(Type::String).sensitive().describe("The key, PKCS #8 in PEM."),
                )
                .attribute("public_key_pem", Attribute::computed(Type::String).describe("The public key in PEM."))
                .attribute("cert_pem", Attribute::computed(Type::String).describe("The certificate in PEM."))
                .attribute(
                    "fingerprint",
                    Attribute::computed(Type::String).describe("SHA-256 of the certificate, hexadecimal."),
                )
                .attribute("not_before", Attribute::computed(Type::String).describe("From when it is good (RFC 3339)."))
                .attribute("not_after", Attribute::computed(Type::String).describe("Until when it is good (RFC 3339)."))
                .attribute(
                    "not_after_ms",
                    Attribute::computed(Type::Number).describe("The same in milliseconds since the Unix epoch."),
                ),
        )
    }))
}

fn failed(error: rcgen::Error) -> Error {
    Error::new(ErrorKind::InvalidInput, "local.certificate", "the certificate cannot be made").because(error)
}

/// Returns whole seconds: certificates count no smaller ones.
fn whole_seconds(moment: Timestamp) -> Timestamp {
    Timestamp(moment.0 / 1000 * 1000)
}

fn date(moment: Timestamp) -> Result<time::OffsetDateTime> {
    i64::try_from(moment.0 / 1000)
        .ok()
        .and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "local.certificate", "the certificate would end too late"))
}

fn make(config: &Value, now: Timestamp) -> Result<Object> {
    let from = whole_seconds(now);
    let days = u32::try_from(number(config, "validity_days").unwrap_or(365)).unwrap_or(u32::MAX);
    let until = from.plus(DAY.saturating_mul(days));
    let mut params = CertificateParams::new(texts(config, "dns_names")).map_err(failed)?;
    for address in texts(config, "ip_addresses") {
        let parsed: IpAddr = address.parse().map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "local.certificate", format!("`{address}` is not an IP address"))
                .because(error)
        })?;
        params.subject_alt_names.push(SanType::IpAddress(parsed));
    }
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text(config, "common_name").unwrap_or(""));
    if let Some(organization) = text(config, "organization") {
        name.push(DnType::OrganizationName, organization);
    }
    params.distinguished_name = name;
    params.not_before = date(from)?;
    params.not_after = date(until)?;
    if flag(config, "is_ca") {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    let fingerprint = hex(&Sha256::digest(certificate.der()));
    let attributes = with(
        config,
        [
            ("id", Value::string(fingerprint.as_str())),
            ("private_key_pem", Value::string(key.serialize_pem())),
            ("public_key_pem", Value::string(key.public_key_pem())),
            ("cert_pem", Value::string(certificate.pem())),
            ("fingerprint", Value::string(fingerprint.as_str())),
            ("not_before", Value::string(from.to_string())),
            ("not_after", Value::string(until.to_string())),
            ("not_after_ms", Value::number(until.0)),
        ],
    );
    Ok(Object::new(fingerprint, attributes))
}

#[async_trait]
impl Resource for SelfSignedCert {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    fn traits(&self) -> Traits {
        Traits { idempotent_create: true, ..Traits::default() }
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        let now = ctx.clock().now();
        blocking(move || make(&planned, now)).await.into()
    }

    /// One that is due for renewal counts as gone.
    async fn read(&self, ctx: &Context, object: &Object) -> Result<Option<Object>> {
        let until = Timestamp(number(&object.attributes, "not_after_ms").unwrap_or(u64::MAX));
        let early = DAY
            .saturating_mul(u32::try_from(number(&object.attributes, "early_renewal_days").unwrap_or(0)).unwrap_or(0));
        Ok((ctx.clock().now().plus(early) < until).then(|| object.clone()))
    }

    async fn update(&self, _ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        Outcome::complete(Object::new(prior.id.clone(), planned))
    }

    async fn delete(&self, _ctx: &Context, _prior: &Object) -> Outcome {
        Outcome::gone()
    }

    async fn import(&self, _ctx: &Context, _id: &str) -> Result<Option<Object>> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "resource.import_unsupported",
            "a certificate lives in state alone, together with its key; let the engine make a new one",
        ))
    }

    async fn recover(&self, _ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        Ok(evidence.prior.clone().map_or(Recovery::Absent, Recovery::Found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_a_certificate_for_what_was_asked() {
        let given = Value::object([
            (Arc::from("common_name"), Value::string("localhost")),
            (Arc::from("dns_names"), Value::tuple(vec![Value::string("localhost")])),
            (Arc::from("ip_addresses"), Value::tuple(vec![Value::string("127.0.0.1")])),
            (Arc::from("validity_days"), Value::number(2)),
        ]);
        let config = schema().coerce(&given).expect("a good configuration");
        let object = make(&config, Timestamp(1_700_000_000_999)).expect("a certificate");
        assert_eq!(text(&object.attributes, "not_after"), Some("2023-11-16T22:13:20.000Z"));
        assert!(text(&object.attributes, "cert_pem").is_some_and(|pem| pem.starts_with("-----BEGIN CERTIFICATE-----")));
        assert_eq!(object.id.len(), 64);
    }

    #[test]
    fn a_bad_address_is_named() {
        let given = Value::object([
            (Arc::from("common_name"), Value::string("x")),
            (Arc::from("ip_addresses"), Value::tuple(vec![Value::string("300.0.0.1")])),
        ]);
        let config = schema().coerce(&given).expect("a good configuration");
        let error = make(&config, Timestamp(0)).expect_err("not an address");
        assert_eq!((error.code(), error.message()), ("local.certificate", "`300.0.0.1` is not an IP address"));
    }
}

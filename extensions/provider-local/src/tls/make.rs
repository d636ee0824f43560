use std::net::IpAddr;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use sha2::{Digest as _, Sha256};
use stackwright::{
    error::{Error, ErrorKind, Result},
    event::Timestamp,
    resource::Object,
    value::Value,
};

use super::resource::DAY;
use crate::{
    attributes::{flag, number, text, texts, with},
    encoding::hex,
};

fn failed(error: rcgen::Error) -> Error {
    invalid("the certificate cannot be made".to_owned()).because(error)
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "local.certificate", message)
}

/// Checks a configuration as far as it is known.
///
/// # Errors
/// `local.certificate` for names that are none, `local.conflict` for what makes no sense together.
pub(super) fn check(config: &Value) -> Result<()> {
    names(config)?;
    let [validity, early] = ["validity_days", "early_renewal_days"].map(|name| number(config, name));
    match (validity, early) {
        (Some(validity), Some(early)) if early >= validity => {
            let message = format!(
                "`early_renewal_days` ({early}) is not less than `validity_days` ({validity}), so that every plan would \
                 make another certificate"
            );
            Err(Error::new(ErrorKind::InvalidInput, "local.conflict", message))
        }
        _ => Ok(()),
    }
}

fn names(config: &Value) -> Result<Vec<SanType>> {
    let mut names = Vec::new();
    for name in texts(config, "dns_names") {
        if name.parse::<IpAddr>().is_ok() {
            return Err(invalid(format!("`{name}` in `dns_names` is an address; it belongs into `ip_addresses`")));
        }
        let is_name = !name.is_empty() && name.chars().all(|character| character.is_ascii_graphic());
        let encoded = name.as_str().try_into().ok().filter(|_| is_name);
        let encoded = encoded.ok_or_else(|| invalid(format!("`{name}` in `dns_names` is not a host name")))?;
        names.push(SanType::DnsName(encoded));
    }
    for address in texts(config, "ip_addresses") {
        let parsed: IpAddr =
            address.parse().map_err(|error| invalid(format!("`{address}` is not an IP address")).because(error))?;
        names.push(SanType::IpAddress(parsed));
    }
    Ok(names)
}

fn date(moment: Timestamp) -> Result<time::OffsetDateTime> {
    i64::try_from(moment.0 / 1000)
        .ok()
        .and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or_else(|| invalid("the certificate would end too late".to_owned()))
}

/// Makes a key and its certificate.
pub(super) fn make(config: &Value, now: Timestamp) -> Result<Object> {
    check(config)?;
    // Certificates count whole seconds.
    let from = Timestamp(now.0 / 1000 * 1000);
    let days = u32::try_from(number(config, "validity_days").unwrap_or(365)).unwrap_or(u32::MAX);
    let until = from.plus(DAY.saturating_mul(days));
    let mut params = CertificateParams::default();
    params.subject_alt_names = names(config)?;
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
    Ok(object(config, certificate.der(), certificate.pem(), &key, from, until))
}

/// Returns an object with what follows from a certificate and its key.
pub(super) fn object(
    config: &Value,
    der: &[u8],
    pem: String,
    key: &KeyPair,
    from: Timestamp,
    until: Timestamp,
) -> Object {
    let fingerprint = hex(&Sha256::digest(der));
    let attributes = with(
        config,
        [
            ("id", Value::string(fingerprint.as_str())),
            ("private_key_pem", Value::string(key.serialize_pem())),
            ("public_key_pem", Value::string(key.public_key_pem())),
            ("cert_pem", Value::string(pem)),
            ("fingerprint", Value::string(fingerprint.as_str())),
            ("not_before", Value::string(from.to_string())),
            ("not_after", Value::string(until.to_string())),
            ("not_after_ms", Value::number(until.0)),
        ],
    );
    Object::new(fingerprint, attributes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stackwright::value::Type;

    use super::*;
    use crate::tls::resource::schema;

    fn config(entries: &[(&str, Value)]) -> Value {
        let common = [("common_name", Value::string("localhost"))];
        let entries = common.iter().chain(entries);
        let given = Value::object(entries.map(|(name, value)| (Arc::from(*name), value.clone())));
        schema().coerce(&given).expect("a good configuration")
    }

    fn list(words: &[&str]) -> Value {
        Value::tuple(words.iter().map(|word| Value::string(*word)).collect())
    }

    #[test]
    fn is_good_for_what_was_asked() {
        let config = config(&[
            ("dns_names", list(&["localhost", "*.example.org"])),
            ("ip_addresses", list(&["127.0.0.1", "::1"])),
            ("validity_days", Value::number(2)),
        ]);
        let object = make(&config, Timestamp(1_700_000_000_999)).expect("a certificate");
        assert_eq!(text(&object.attributes, "not_before"), Some("2023-11-14T22:13:20.000Z"));
        assert_eq!(text(&object.attributes, "not_after"), Some("2023-11-16T22:13:20.000Z"));
        assert!(text(&object.attributes, "cert_pem").is_some_and(|pem| pem.starts_with("-----BEGIN CERTIFICATE-----")));
        assert_eq!(object.id.len(), 64);
    }

    #[test]
    fn names_that_are_none_are_named() {
        let check = |entries: &[(&str, Value)]| {
            let error = check(&config(entries)).expect_err("it makes no sense");
            (error.code().to_owned(), error.message().to_owned())
        };
        let certificate = |message: &str| ("local.certificate".to_owned(), message.to_owned());
        assert_eq!(
            check(&[("ip_addresses", list(&["::1", "300.0.0.1"]))]),
            certificate("`300.0.0.1` is not an IP address")
        );
        assert_eq!(
            check(&[("dns_names", list(&["10.0.0.1"]))]),
            certificate("`10.0.0.1` in `dns_names` is an address; it belongs into `ip_addresses`")
        );
        for name in ["", "a b", "grün.example"] {
            assert_eq!(
                check(&[("dns_names", list(&[name]))]),
                certificate(&format!("`{name}` in `dns_names` is not a host name"))
            );
        }
        let (code, _) = check(&[("validity_days", Value::number(30)), ("early_renewal_days", Value::number(30))]);
        assert_eq!(code, "local.conflict");
        super::check(&config(&[("dns_names", Value::unknown(Type::list(Type::String)))])).expect("it may yet be good");
    }
}

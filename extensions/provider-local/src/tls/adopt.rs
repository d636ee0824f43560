use std::{fs, io, net::IpAddr, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{KeyPair, PublicKeyData as _};
use rustls::pki_types::PrivatePkcs8KeyDer;
use stackwright::{
    error::Result,
    event::Timestamp,
    value::{Type, Value},
};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, pem::Pem, prelude::FromDer as _};

use super::{
    make,
    resource::{DAY, MOST_DAYS, schema},
};
use crate::{
    attributes::{io_error, with},
    import::{decode, refuse},
};

/// What is larger is no PEM file of one certificate.
const LARGEST_FILE_BYTES: u64 = 1 << 20;

/// Reads the certificate and key that an id names: fingerprint and attributes. `None` where there is no such file.
///
/// # Errors
/// `resource.import_id` when they are not what this type makes: one certificate, signed with the key beside it.
pub(super) fn read(paths: &str) -> Result<Option<(String, Value)>> {
    let mut blocks = Vec::new();
    for path in paths.split(',') {
        let path = decode(path)?;
        match load(Path::new(&path))? {
            Some(found) => blocks.extend(found),
            None => return Ok(None),
        }
    }
    let (certificate, key) = sort(&blocks)?;
    let (rest, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| refuse("the certificate is not well formed"))?;
    if !rest.is_empty() {
        return Err(refuse("something follows the certificate in its block"));
    }
    if parsed.public_key().subject_public_key.data != key.der_bytes() {
        return Err(refuse("the key does not belong to the certificate"));
    }
    if parsed.subject().as_raw() != parsed.issuer().as_raw() || parsed.verify_signature(None).is_err() {
        return Err(refuse("the certificate was not signed with its own key"));
    }
    let moment = |time: x509_parser::time::ASN1Time| {
        u64::try_from(time.timestamp())
            .map(|seconds| Timestamp(seconds.saturating_mul(1000)))
            .map_err(|_| refuse("the certificate is from before 1970"))
    };
    let (from, until) = (moment(parsed.validity().not_before)?, moment(parsed.validity().not_after)?);
    let object = make::object(&attributes(&parsed, from, until)?, certificate, pem(certificate), &key, from, until);
    Ok(Some((object.id, object.attributes)))
}

fn load(path: &Path) -> Result<Option<Vec<Pem>>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("look at", path, error)),
    };
    if !metadata.is_file() || metadata.len() > LARGEST_FILE_BYTES {
        return Err(refuse(format!("`{}` is not a PEM file", path.display())));
    }
    let bytes = fs::read(path).map_err(|error| io_error("read", path, error))?;
    let blocks: std::result::Result<Vec<Pem>, _> = Pem::iter_from_buffer(&bytes).collect();
    blocks.map(Some).map_err(|_| refuse(format!("`{}` is not a PEM file", path.display())))
}

/// Returns the only certificate and the only key.
fn sort(blocks: &[Pem]) -> Result<(&[u8], KeyPair)> {
    let (mut certificates, mut keys) = (Vec::new(), Vec::new());
    for block in blocks {
        match block.label.as_str() {
            "CERTIFICATE" => certificates.push(block.contents.as_slice()),
            "PRIVATE KEY" => keys.push(block.contents.as_slice()),
            "EC PRIVATE KEY" | "RSA PRIVATE KEY" => {
                return Err(refuse("the key is not PKCS #8; `openssl pkcs8 -topk8 -nocrypt` makes it so"));
            }
            "ENCRYPTED PRIVATE KEY" => return Err(refuse("the key is encrypted; decrypt it first")),
            // Curve parameters and the like.
            _ => {}
        }
    }
    let ([certificate], [key]) = (certificates.as_slice(), keys.as_slice()) else {
        let message = format!(
            "found {} certificates and {} keys where one of each is wanted; write the path of a PEM file with both, or \
             `CERTIFICATE_PATH,KEY_PATH`",
            certificates.len(),
            keys.len()
        );
        return Err(refuse(message));
    };
    let key = KeyPair::try_from(&PrivatePkcs8KeyDer::from(*key))
        .map_err(|_| refuse("the key is of a kind that is not known here"))?;
    Ok((*certificate, key))
}

/// Returns what a certificate was asked for.
fn attributes(certificate: &X509Certificate<'_>, from: Timestamp, until: Timestamp) -> Result<Value> {
    let unread = |what: &str| refuse(format!("the certificate's {what} cannot be read"));
    let word = |text: std::result::Result<&str, x509_parser::error::X509Error>, what: &str| {
        text.map(Value::string).map_err(|_| unread(what))
    };
    let subject = certificate.subject();
    let name = subject.iter_common_name().next().ok_or_else(|| refuse("the certificate has no common name"))?;
    let name = word(name.as_str(), "common name")?;
    let organization = match subject.iter_organization().next() {
        Some(organization) => word(organization.as_str(), "organization")?,
        None => Value::null(Type::String),
    };
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    let extension = certificate.subject_alternative_name().map_err(|_| unread("list of names"))?;
    for name in extension.iter().flat_map(|extension| &extension.value.general_names) {
        match name {
            GeneralName::DNSName(name) => names.push(Value::string(*name)),
            GeneralName::IPAddress(bytes) => {
                let address = address(bytes).ok_or_else(|| unread("list of addresses"))?;
                addresses.push(Value::string(address.to_string()));
            }
            // What this type cannot ask for stays in the certificate.
            _ => {}
        }
    }
    let is_ca = certificate.basic_constraints().map_err(|_| unread("constraints"))?.is_some_and(|found| found.value.ca);
    // Some count the last second in, some do not.
    let days = (until.since(from).as_secs() + DAY.as_secs() / 2) / DAY.as_secs();
    let list = |words: Vec<Value>| match words.is_empty() {
        true => Value::null(Type::list(Type::String)),
        false => Value::list(Type::String, words),
    };
    Ok(with(
        &schema().block.empty_value(),
        [
            ("common_name", name),
            ("organization", organization),
            ("dns_names", list(names)),
            ("ip_addresses", list(addresses)),
            ("validity_days", Value::number(days.clamp(1, MOST_DAYS))),
            ("early_renewal_days", Value::number(0_u64)),
            ("is_ca", Value::bool(is_ca)),
        ],
    ))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Returns a certificate in PEM.
fn pem(certificate: &[u8]) -> String {
    let encoded = STANDARD.encode(certificate);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

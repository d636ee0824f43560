//! RSA keys as programs write them: PKCS #1, PKCS #8 and OpenSSH's own form, in PEM.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rsa::{BigUint, RsaPrivateKey, pkcs1::DecodeRsaPrivateKey as _, pkcs8::DecodePrivateKey as _};

/// Reads the first key in a text. What precedes it is skipped, as other programs do.
pub(super) fn private_key(text: &str) -> Result<RsaPrivateKey, &'static str> {
    let (label, lines) = block(text).ok_or("it holds no key in PEM (`-----BEGIN … KEY-----`)")?;
    let mut body = String::new();
    for line in lines {
        if line.contains(':') {
            if line.contains("ENCRYPTED") {
                return Err("the key is protected by a password; decrypt it first");
            }
            continue;
        }
        body.push_str(line.trim());
    }
    let bytes = STANDARD.decode(body).map_err(|_| "the key is damaged: it is not Base64")?;
    let damaged = "the key is damaged";
    match label {
        "RSA PRIVATE KEY" => RsaPrivateKey::from_pkcs1_der(&bytes).map_err(|_| damaged),
        "PRIVATE KEY" => RsaPrivateKey::from_pkcs8_der(&bytes).map_err(|_| "the key is damaged, or no RSA key"),
        "OPENSSH PRIVATE KEY" => openssh(&bytes),
        _ => Err("it is no RSA private key"),
    }
}

/// Returns the label and the lines of the first block.
fn block(text: &str) -> Option<(&str, Vec<&str>)> {
    let mut lines = text.lines().skip_while(|line| !line.trim_end().starts_with("-----BEGIN "));
    let label = lines.next()?.trim_end().strip_prefix("-----BEGIN ")?.strip_suffix("-----")?;
    let mut inside = Vec::new();
    for line in lines {
        if let Some(end) = line.trim_end().strip_prefix("-----END ") {
            return (end.strip_suffix("-----")? == label).then_some((label, inside));
        }
        inside.push(line);
    }
    None
}

/// Reads the form that `ssh-keygen` writes: fields with a length of four bytes before each.
fn openssh(bytes: &[u8]) -> Result<RsaPrivateKey, &'static str> {
    const MAGIC: &[u8] = b"openssh-key-v1\0";
    let damaged = "the key is damaged";
    let mut outer = Fields(bytes.strip_prefix(MAGIC).ok_or(damaged)?);
    if outer.next().ok_or(damaged)? != b"none" || outer.next().ok_or(damaged)? != b"none" {
        return Err("the key is protected by a password; decrypt it first");
    }
    outer.next().ok_or(damaged)?;
    if outer.number().ok_or(damaged)? != 1 {
        return Err("it holds more than one key");
    }
    outer.next().ok_or(damaged)?;
    let mut inner = Fields(outer.next().ok_or(damaged)?);
    // The same random number twice: what a wrong password would give differs.
    if inner.number().ok_or(damaged)? != inner.number().ok_or(damaged)? {
        return Err(damaged);
    }
    if inner.next().ok_or(damaged)? != b"ssh-rsa" {
        return Err("it is no RSA private key");
    }
    let mut whole = || inner.next().map(BigUint::from_bytes_be).ok_or(damaged);
    let (modulus, public, private) = (whole()?, whole()?, whole()?);
    whole()?;
    let primes = vec![whole()?, whole()?];
    RsaPrivateKey::from_components(modulus, public, private, primes).map_err(|_| damaged)
}

/// What is left to read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u32> {
        let (head, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*head))
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }
}

use stackwright::{Error, Result};

use crate::error::unusable;

/// What may stand after the `?` of a connection string and is ours to read.
const OURS: &[&str] = &["schema", "connections", "sslmode", "sslrootcert", "sslcert", "sslkey", "passfile"];

/// Takes from a connection string what is ours: names with decoded values. The rest is a connection string again.
pub(crate) fn split(text: &str) -> Result<(String, Vec<(&'static str, String)>)> {
    if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
        return Err(unusable("a connection string begins with `postgres://`"));
    }
    let Some((head, query)) = text.split_once('?') else { return Ok((text.to_owned(), Vec::new())) };
    let mut ours = Vec::new();
    let mut rest = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(unreadable)?;
        match OURS.iter().find(|known| **known == name) {
            Some(known) => ours.push((*known, decode(value)?)),
            None => rest.push(pair),
        }
    }
    let head = if rest.is_empty() { head.to_owned() } else { format!("{head}?{}", rest.join("&")) };
    Ok((head, ours))
}

fn unreadable() -> Error {
    unusable(
        "what follows `?` in the connection string of the database cannot be read; percent-encode what is not plain in it",
    )
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = str::from_utf8(&digits).ok().filter(|digits| digits.len() == 2).ok_or_else(unreadable)?;
                u8::from_str_radix(digits, 16).map_err(|_| unreadable())?
            }
            plain => plain,
        };
        bytes.push(decoded);
    }
    String::from_utf8(bytes).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_is_ours() {
        let (rest, ours) = split("postgres://h/d?a=1&schema=x&sslrootcert=%2Fa%20b&b=%41").expect("reads");
        assert_eq!(rest, "postgres://h/d?a=1&b=%41");
        assert_eq!(ours, [("schema", "x".to_owned()), ("sslrootcert", "/a b".to_owned())]);
        assert_eq!(split("postgresql://h/d?schema=x").expect("reads").0, "postgresql://h/d");
        for text in [
            "http://h",
            "postgres://h?schema",
            "postgres://h?schema=%",
            "postgres://h?schema=%4",
            "postgres://h?schema=%ff",
        ] {
            split(text).expect_err(text);
        }
    }
}

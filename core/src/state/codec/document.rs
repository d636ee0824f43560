use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use crate::{
    error::{Error, Result},
    state::failure,
};

/// A kind of document: its name and the newest version that this program writes and reads.
///
/// A version is raised whenever an older program could misread what a newer one writes. Payload types deny unknown
/// fields; a new field needs a new version.
///
/// # Examples
/// ```
/// use stackwright::state::codec::Format;
///
/// const NOTE: Format = Format::new("stackwright.note", 1);
/// let body = NOTE.write("run 7", &["hello"])?;
/// let text: Vec<String> = NOTE.read("run 7", &body)?.payload()?;
/// assert_eq!(text, ["hello"]);
/// assert_eq!(NOTE.read("run 8", &body).unwrap_err().code(), "store.corrupt");
/// # Ok::<(), stackwright::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    name: &'static str,
    version: u32,
}

impl Format {
    /// Returns the format `name` (without white space) at `version`, from 1.
    pub const fn new(name: &'static str, version: u32) -> Self {
        Self { name, version }
    }

    /// Returns `payload` as a document about `subject`: whatever names the record, such as `run/17`.
    ///
    /// The subject is not stored; [`read`](Self::read) has to be told the same.
    ///
    /// # Errors
    /// `engine.bug` where the payload has no JSON form.
    pub fn write<T: Serialize + ?Sized>(&self, subject: &str, payload: &T) -> Result<Arc<[u8]>> {
        // The line is as long for every checksum, so that the payload is serialised right behind it.
        let mut body = Vec::with_capacity(TYPICAL_BYTES);
        body.extend_from_slice(format!("{} {} ", self.name, self.version).as_bytes());
        let sum_at = body.len();
        body.resize(sum_at + 2 * CHECKSUM_BYTES, b'0');
        body.push(b'\n');
        let start = body.len();
        serde_json::to_writer(&mut body, payload).map_err(|error| {
            Error::bug(format!("a `{}` document has no JSON form", self.name))
                .context("category", format_args!("{:?}", error.classify()))
        })?;
        let sum = self.checksum(self.version, subject, body.get(start..).unwrap_or_default());
        body.iter_mut().skip(sum_at).zip(hex(&sum)).for_each(|(place, digit)| *place = digit);
        Ok(body.into())
    }

    /// Opens a document about `subject`: checks name, version and checksum, not yet the payload.
    ///
    /// # Errors
    /// `store.corrupt` where it is not this document, or not as it was written; `store.version` where a newer program
    /// wrote it.
    pub fn read<'a>(&self, subject: &str, body: &'a [u8]) -> Result<Document<'a>> {
        let corrupt = |what: &str| {
            failure::corrupt(format!("a stored `{}` document {what}", self.name)).context("subject", subject)
        };
        let end = memchr::memchr(b'\n', body).ok_or_else(|| corrupt("has no first line"))?;
        let (line, rest) = body.split_at(end);
        let payload = rest.get(1..).unwrap_or_default();
        let line = std::str::from_utf8(line).map_err(|_| corrupt("has an unreadable first line"))?;
        let mut words = line.split(' ');
        let (Some(name), Some(version), Some(sum), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(corrupt("has a strange first line"));
        };
        if name != self.name {
            return Err(corrupt("is a document of another kind"));
        }
        let version: u32 = version.parse().map_err(|_| corrupt("has a strange version"))?;
        // A later version may count its checksum otherwise: say that it is later before looking at the checksum.
        if version > self.version {
            return Err(failure::too_new(format_args!("`{}`", self.name), version.into(), self.version.into())
                .context("subject", subject));
        }
        if version == 0 || sum.as_bytes() != hex(&self.checksum(version, subject, payload)) {
            return Err(corrupt("is not as it was written: its checksum does not match"));
        }
        Ok(Document { format: *self, version, payload })
    }

    fn checksum(&self, version: u32, subject: &str, payload: &[u8]) -> Checksum {
        let mut hash = Sha256::new();
        for part in [self.name.as_bytes(), &version.to_be_bytes(), subject.as_bytes()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update(payload);
        let digest: [u8; 32] = hash.finalize().into();
        let mut sum = [0; CHECKSUM_BYTES];
        sum.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        sum
    }
}

const CHECKSUM_BYTES: usize = 16;

/// Rows and facts seldom need more.
const TYPICAL_BYTES: usize = 768;

type Checksum = [u8; CHECKSUM_BYTES];

/// Returns lower-case digits.
fn hex(sum: &Checksum) -> [u8; 2 * CHECKSUM_BYTES] {
    let mut digits = [0; 2 * CHECKSUM_BYTES];
    let halves = sum.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' - 10 + half };
    digits.iter_mut().zip(halves).for_each(|(place, half)| *place = digit(half));
    digits
}

/// A document whose checksum holds.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    format: Format,
    version: u32,
    payload: &'a [u8],
}

impl Document<'_> {
    /// Returns the version that it was written in: at most the format's.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Returns what it says.
    ///
    /// # Errors
    /// `store.corrupt` where the payload is not a `T`: a program with a mistake wrote it, for the checksum holds.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(self.payload).map_err(|error| {
            // The message of the error may quote the document; its place does not.
            failure::corrupt(format!("a stored `{}` document says something impossible", self.format.name))
                .context("line", error.line())
                .context("column", error.column())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: Format = Format::new("stackwright.note", 2);

    fn note() -> Vec<u8> {
        NOTE.write("a/1", &serde_json::json!({"text": "grüß dich"})).expect("JSON").to_vec()
    }

    #[test]
    fn looks_as_documented() {
        insta::assert_snapshot!(String::from_utf8(note()).expect("UTF-8"), @r#"
        stackwright.note 2 15ce758087d67963f2e977219a6cf454
        {"text":"grüß dich"}
        "#);
    }

    #[test]
    fn notices_every_changed_bit_and_every_cut() {
        let whole = note();
        assert!(NOTE.read("a/1", &whole).is_ok());
        for idx in 0..whole.len() {
            for bit in 0..8 {
                let mut bad = whole.clone();
                bad[idx] ^= 1 << bit;
                let error = NOTE.read("a/1", &bad).expect_err("changed");
                assert!(matches!(error.code(), "store.corrupt" | "store.version"), "{idx} {error:?}");
            }
            assert_eq!(NOTE.read("a/1", &whole[..idx]).expect_err("cut").code(), "store.corrupt");
        }
        let longer = [&whole[..], b" "].concat();
        assert_eq!(NOTE.read("a/1", &longer).expect_err("longer").code(), "store.corrupt");
    }

    #[test]
    fn belongs_to_its_subject_and_format() {
        assert_eq!(NOTE.read("a/2", &note()).expect_err("another subject").code(), "store.corrupt");
        let other = Format::new("stackwright.other", 2);
        assert_eq!(other.read("a/1", &note()).expect_err("another format").code(), "store.corrupt");
    }

    #[test]
    fn old_and_new_programs() {
        let old = Format::new("stackwright.note", 1);
        let error = old.read("a/1", &note()).expect_err("newer data");
        assert_eq!(error.code(), "store.version");
        let written = old.write("a/1", "x").expect("JSON");
        let document = NOTE.read("a/1", &written).expect("older data");
        assert_eq!(document.version(), 1);
        assert_eq!(document.payload::<String>().expect("text"), "x");
    }

    #[test]
    fn errors_do_not_quote_the_document() {
        let body = NOTE.write("a/1", "hunter2").expect("JSON");
        let error = NOTE.read("a/1", &body).expect("a document").payload::<u32>().expect_err("text is no number");
        assert_eq!(error.code(), "store.corrupt");
        assert!(!error.report().contains("hunter2"), "{error:?}");
    }
}

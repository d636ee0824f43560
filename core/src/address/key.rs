use std::{fmt, sync::Arc};

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Which of several instances: the number that `count` gave, or the string that `for_each` gave.
///
/// Prints as it stands in an address: `[0]`, `["k"]`, with the escapes of HCL (`\n`, `\"`, `$${`, `\u200b`).
/// Orders numbers by size before strings, and strings by their UTF-8 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceKey {
    /// From `count`.
    Int(u64),
    /// From `for_each`; in Unicode normalisation form C, as all strings of the language are.
    Str(Arc<str>),
}

impl From<u64> for InstanceKey {
    fn from(index: u64) -> Self {
        Self::Int(index)
    }
}

impl From<&str> for InstanceKey {
    /// Returns a string key, normalised to form C.
    fn from(text: &str) -> Self {
        if text.is_ascii() {
            return Self::Str(Arc::from(text));
        }
        Self::Str(Arc::from(text.nfc().collect::<String>()))
    }
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(index) => write!(f, "[{index}]"),
            Self::Str(text) => {
                f.write_str("[\"")?;
                write_quoted(f, text)?;
                f.write_str("\"]")
            }
        }
    }
}

/// Writes the inside of a quoted HCL string: what cannot be seen is escaped, and no template begins in it.
fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    use fmt::Write;

    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '$' | '%' if letters.peek() == Some(&'{') => {
                f.write_char(letter)?;
                f.write_char(letter)?;
            }
            letter if is_visible(letter) => f.write_char(letter)?,
            letter if u32::from(letter) > 0xFFFF => write!(f, "\\U{:08x}", u32::from(letter))?,
            letter => write!(f, "\\u{:04x}", u32::from(letter))?,
        }
    }
    Ok(())
}

/// Returns whether a character shows on a page; text direction marks and the like do not, and would deceive.
fn is_visible(letter: char) -> bool {
    letter.escape_debug().len() == 1 || is_combining_mark(letter) || letter == '\''
}

use std::{fmt, sync::Arc};

/// A value that is written out in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it was written: digits, perhaps a fraction, perhaps an exponent; never a sign. Checked: it
    /// is a decimal number, of any size.
    Number(Arc<str>),
    /// A quoted string without sequences, escapes resolved; not yet normalised.
    String(Arc<str>),
}

impl Literal {
    /// Returns the string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Literal {
    /// Writes the literal as HCL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(true) => f.write_str("true"),
            Self::Bool(false) => f.write_str("false"),
            Self::Number(text) => f.write_str(text),
            Self::String(text) => {
                f.write_str("\"")?;
                super::template::write_escaped(f, text)?;
                f.write_str("\"")
            }
        }
    }
}

use std::{fmt, sync::Arc};

use crate::value::{Number, Type, Value};

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

impl Literal {
    /// Returns the value: a number in full precision, a string in normal form.
    ///
    /// Returns `None` for a number out of range, which no front end lets pass.
    pub fn to_value(&self) -> Option<Value> {
        Some(match self {
            Self::Null => Value::null(Type::Any),
            Self::Bool(value) => Value::bool(*value),
            Self::Number(text) => Value::number(Number::parse(text).ok()?),
            Self::String(text) => Value::string(Arc::clone(text)),
        })
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

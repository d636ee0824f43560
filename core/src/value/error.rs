use std::fmt;

use super::{JsonError, NotANumber, NumberParseError, Path, Type};
use crate::error::{Error, ErrorKind};

/// Why a part of a value cannot be reached.
///
/// `Display` is a sentence for people; [`summary`](Self::summary) is a headline for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// Parts of null were asked for by key.
    #[error("this value is null, so it does not have any indices")]
    IndexOfNull,
    /// The key is null.
    #[error("can't use a null value as an indexing key")]
    NullKey,
    /// The key is of the wrong type, or not one that a part has. `reason` may be empty.
    #[error("the given key does not identify an element in this collection value{reason}")]
    NoElement {
        /// Why, beginning with `: ` or `. `.
        reason: &'static str,
    },
    /// The key is of a type that this container does not have.
    #[error("the given key does not identify an element in this collection value: {source}")]
    WrongKey {
        /// Why the key is not of the right type.
        #[source]
        source: ConvertError,
    },
    /// Sets have no keys.
    #[error(
        "elements of a set are identified only by their value and don't have any separate index or key to select with, so it's only possible to perform operations across all elements of the set"
    )]
    IndexOfSet,
    /// A value of this type has no parts.
    #[error("this value does not have any indices")]
    NotIndexable,
    /// An attribute of null was asked for.
    #[error("this value is null, so it does not have any attributes")]
    AttributeOfNull,
    /// The object has no such attribute.
    #[error("this object does not have an attribute named {name:?}")]
    NoAttribute {
        /// What was asked for.
        name: String,
    },
    /// The map has no such element.
    #[error("this map does not have an element with the key {key:?}")]
    NoMapElement {
        /// What was asked for.
        key: String,
    },
    /// An attribute of a list or set of objects was asked for.
    #[error(
        "can't access attributes on a {collection} of objects. Did you mean to access {attribute} for a specific element of the {collection}, or across all elements of the {collection}?"
    )]
    AttributeOfCollection {
        /// `list` or `set`.
        collection: &'static str,
        /// `attribute "name"` if the elements have it, otherwise `an attribute`.
        attribute: String,
    },
    /// An attribute of a bool, number or string was asked for.
    #[error("can't access attributes on a primitive-typed value ({})", ty.friendly_name())]
    AttributeOfPrimitive {
        /// The type of the value.
        ty: Type,
    },
    /// A value of this type has no attributes.
    #[error("this value does not have any attributes")]
    NoAttributes,
}

impl ValueError {
    /// Returns a headline, such as `Unsupported attribute`.
    pub fn summary(&self) -> &'static str {
        match self {
            Self::IndexOfNull => "Attempt to index null value",
            Self::AttributeOfNull => "Attempt to get attribute from null value",
            Self::NoMapElement { .. } => "Missing map element",
            Self::NullKey | Self::NoElement { .. } | Self::WrongKey { .. } | Self::IndexOfSet | Self::NotIndexable => {
                "Invalid index"
            }
            Self::NoAttribute { .. }
            | Self::AttributeOfCollection { .. }
            | Self::AttributeOfPrimitive { .. }
            | Self::NoAttributes => "Unsupported attribute",
        }
    }
}

/// Why a value cannot be made one of another type.
///
/// The message never holds the value itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertError {
    /// Where in the value; the root where the types as a whole do not fit.
    pub path: Path,
    /// What is required there, such as `string required`.
    pub message: String,
}

impl ConvertError {
    pub(super) fn new(path: &Path, message: impl Into<String>) -> Self {
        Self { path: path.clone(), message: message.into() }
    }
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConvertError {}

impl From<ValueError> for Error {
    fn from(error: ValueError) -> Self {
        Self::new(ErrorKind::InvalidInput, "value.part", error.to_string())
    }
}

impl From<ConvertError> for Error {
    fn from(error: ConvertError) -> Self {
        Self::new(ErrorKind::InvalidInput, "value.convert", error.to_string())
    }
}

impl From<NumberParseError> for Error {
    fn from(error: NumberParseError) -> Self {
        Self::new(ErrorKind::InvalidInput, "value.convert", error.to_string())
    }
}

impl From<NotANumber> for Error {
    fn from(error: NotANumber) -> Self {
        Self::new(ErrorKind::InvalidInput, "value.arithmetic", error.to_string())
    }
}

impl From<JsonError> for Error {
    fn from(error: JsonError) -> Self {
        Self::new(ErrorKind::InvalidInput, "value.json", error.to_string())
    }
}

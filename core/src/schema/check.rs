use std::sync::Arc;

use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use unicode_segmentation::UnicodeSegmentation;

use crate::value::{Kind, Number, Value, convert};

/// What a value must satisfy beyond its type, so that a bad one is found while planning.
///
/// [`Length`](Self::Length) looks at the attribute itself, a string or a collection. The others look at a string or
/// number, or at each element (at any depth) if the attribute is a collection of those. Nulls and unknown values
/// satisfy every check.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// One of these strings, numbers or bools.
    OneOf(Vec<Value>),
    /// A number from `min` to `max`, both included.
    Range {
        /// The least, if there is one.
        min: Option<Number>,
        /// The most, if there is one.
        max: Option<Number>,
    },
    /// So many characters (grapheme clusters) of a string, or elements of a collection.
    Length {
        /// The fewest.
        min: u64,
        /// The most, if there is a limit.
        max: Option<u64>,
    },
    /// A string that a regular expression matches somewhere.
    Pattern(Pattern),
}

impl Check {
    /// Returns what is wrong with a value, as a fragment that does not hold the value: `must be at least 1`.
    ///
    /// Nothing if the value satisfies the check, or may once it is known.
    pub fn verdict(&self, value: &Value) -> Option<String> {
        if value.is_null() {
            return None;
        }
        match self {
            Self::Length { min, max } => length_verdict(value, *min, *max),
            Self::OneOf(values) => leaf_fails(value, &|leaf| !values.iter().any(|allowed| same_leaf(allowed, leaf)))
                .then(|| format!("must be one of {}", listed(values))),
            Self::Range { min, max } => {
                let outside = |number: &Number| {
                    min.as_ref().is_some_and(|min| number < min) || max.as_ref().is_some_and(|max| number > max)
                };
                leaf_fails(value, &|leaf| leaf.as_number().is_some_and(outside)).then(|| match (min, max) {
                    (Some(min), Some(max)) => format!("must be from {min} to {max}"),
                    (Some(min), None) => format!("must be at least {min}"),
                    (None, Some(max)) => format!("must be at most {max}"),
                    (None, None) => "must be a number".to_owned(),
                })
            }
            Self::Pattern(pattern) => {
                leaf_fails(value, &|leaf| leaf.as_str().is_some_and(|text| !pattern.is_match(text)))
                    .then(|| format!("must match `{}`", pattern.as_str()))
            }
        }
    }
}

/// Returns whether a known string, number or bool in a value fails.
fn leaf_fails(value: &Value, fails: &dyn Fn(&Value) -> bool) -> bool {
    match value.kind() {
        Kind::Null(_) | Kind::Unknown(_) => false,
        Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => fails(value),
        Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => items.iter().any(|part| leaf_fails(part, fails)),
        Kind::Map(fields) | Kind::Object(fields) => fields.iter().any(|(_, part)| leaf_fails(part, fails)),
    }
}

/// Returns whether an allowed value is a given one, though it may be written as another primitive type.
fn same_leaf(allowed: &Value, leaf: &Value) -> bool {
    convert(allowed, &leaf.ty()).is_ok_and(|allowed| allowed.unmark().0.same(&leaf.unmark().0))
}

fn listed(values: &[Value]) -> String {
    let shown = |value: &Value| match value.kind() {
        _ if !value.marks().is_empty() => "a hidden value".to_owned(),
        Kind::String(text) => format!("`{text}`"),
        Kind::Number(number) => format!("`{number}`"),
        Kind::Bool(truth) => format!("`{truth}`"),
        _ => "another value".to_owned(),
    };
    values.iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn length_verdict(value: &Value, min: u64, max: Option<u64>) -> Option<String> {
    let (least, most, unit) = match value.as_str() {
        Some(text) => {
            let count = text.graphemes(true).count();
            (count, Some(count), "character")
        }
        None => {
            let (least, most) = value.length_bounds()?;
            (least, most, "element")
        }
    };
    // A value that is not wholly known fails only if no length that it may come to have is right.
    let too_short = most.is_some_and(|most| (most as u64) < min);
    let too_long = max.is_some_and(|max| least as u64 > max);
    let units = |count: u64| if count == 1 { unit.to_owned() } else { format!("{unit}s") };
    (too_short || too_long).then(|| match max {
        Some(max) if max == min => format!("must have {min} {}", units(min)),
        Some(max) => format!("must have {min} to {max} {}", units(max)),
        None => format!("must have at least {min} {}", units(min)),
    })
}

/// A regular expression, compiled once.
///
/// Its syntax is that of the `regex` crate (RE2's without flags of its own): no look-around, linear time.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: Arc<str>,
    compiled: Result<Regex, String>,
}

impl Pattern {
    /// Returns a pattern; one that does not parse matches nothing, and [`Schema::check`](super::Schema::check) says so.
    pub fn new(expression: impl Into<String>) -> Self {
        let source = expression.into();
        let compiled = Regex::new(&source).map_err(|error| error.to_string());
        Self { source: source.into(), compiled }
    }

    /// Returns the expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Returns whether it matches somewhere in a text.
    pub fn is_match(&self, text: &str) -> bool {
        self.compiled.as_ref().is_ok_and(|regex| regex.is_match(text))
    }

    /// Returns why the expression does not parse, if it does not.
    pub fn problem(&self) -> Option<&str> {
        self.compiled.as_ref().err().map(String::as_str)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        schema::testing::{n, none, o, s, t, unknown},
        value::Type,
    };

    fn check(check: &Check, good: &[Value], bad: &[(Value, &str)]) {
        for value in good {
            assert_eq!(check.verdict(value), None, "{value:?}");
        }
        for (value, expect) in bad {
            assert_eq!(check.verdict(value).as_deref(), Some(*expect), "{value:?}");
        }
    }

    #[test]
    fn one_of() {
        let one_of = Check::OneOf(vec![s("a"), n(1)]);
        let message = "must be one of `a`, `1`";
        check(
            &one_of,
            &[s("a"), n(1), s("1"), none(), unknown(), t([s("a"), unknown()]), t([])],
            &[(s("b"), message), (n(2), message), (t([s("a"), s("b")]), message)],
        );
    }

    #[test]
    fn ranges() {
        let range =
            |min: Option<i64>, max: Option<i64>| Check::Range { min: min.map(Into::into), max: max.map(Into::into) };
        check(
            &range(Some(1), Some(3)),
            &[n(1), n(3), none()],
            &[(n(0), "must be from 1 to 3"), (n(4), "must be from 1 to 3")],
        );
        check(&range(Some(1), None), &[n(1), n(99)], &[(n(0), "must be at least 1")]);
        check(
            &range(None, Some(3)),
            &[n(-9), Value::unknown(Type::Number)],
            &[(o([("k", n(4))]), "must be at most 3")],
        );
    }

    #[test]
    fn lengths() {
        let length = |min, max| Check::Length { min, max };
        check(
            &length(2, Some(3)),
            &[s("né"), s("👩‍👩‍👧👩‍👩‍👧"), none(), unknown(), t([n(1), n(2)])],
            &[(s("é"), "must have 2 to 3 characters"), (t([n(1)]), "must have 2 to 3 elements")],
        );
        check(&length(1, None), &[s("a")], &[(s(""), "must have at least 1 character")]);
        check(&length(1, Some(1)), &[s("a")], &[(s("ab"), "must have 1 character")]);
        let set = Value::set(Type::String, vec![unknown(), s("a"), s("b")]);
        check(&length(1, Some(1)), std::slice::from_ref(&set), &[]);
        check(&length(4, None), &[Value::unknown(Type::list(Type::String))], &[(set, "must have at least 4 elements")]);
    }

    #[test]
    fn patterns() {
        let pattern = Check::Pattern(Pattern::new("^[a-z]+$"));
        check(
            &pattern,
            &[s("abc"), none()],
            &[(s("A"), "must match `^[a-z]+$`"), (t([s("a"), s("")]), "must match `^[a-z]+$`")],
        );
        let broken = Pattern::new("(");
        assert!(broken.problem().is_some());
        assert!(!broken.is_match("("));
    }
}

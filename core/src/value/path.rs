use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Kind, Value};

/// One step from a value into a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// An attribute of an object, by name.
    Attr(Arc<str>),
    /// An element of a map, by key.
    Key(Arc<str>),
    /// An element of a list or tuple, from 0.
    Index(usize),
    /// An element of a set, by its place in the set's order, from 0.
    ///
    /// A set's elements have no names; naming them by value would put that value, perhaps a secret, into messages.
    Element(usize),
}

/// Where a part stands inside a value; the empty path is the value itself.
///
/// `Display` prints `.attribute[0]["key"]`, and `[...]` for an element of a set.
///
/// # Examples
/// ```
/// use stackwright::value::Path;
///
/// let path = Path::root().attr("rules").index(0).key("from port");
/// assert_eq!(path.to_string(), r#".rules[0]["from port"]"#);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Path {
    steps: Vec<Step>,
}

impl Path {
    /// Returns the path of the value itself.
    pub const fn root() -> Self {
        Self { steps: Vec::new() }
    }

    /// Returns the steps, outermost first.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns the number of steps.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Returns whether it is the root.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Adds a step to an attribute.
    pub fn attr(self, name: impl Into<Arc<str>>) -> Self {
        self.step(Step::Attr(name.into()))
    }

    /// Adds a step to a map element.
    pub fn key(self, key: impl Into<Arc<str>>) -> Self {
        self.step(Step::Key(key.into()))
    }

    /// Adds a step to a list or tuple element, from 0.
    pub fn index(self, idx: usize) -> Self {
        self.step(Step::Index(idx))
    }

    /// Adds a step to the set element at that place in the set's order, from 0.
    pub fn element(self, idx: usize) -> Self {
        self.step(Step::Element(idx))
    }

    /// Adds a step that a key value selects: a number or a string. `None` for any other value.
    pub fn index_by(self, key: &Value) -> Option<Self> {
        match key.kind() {
            Kind::String(text) => Some(self.key(Arc::clone(text))),
            Kind::Number(number) => Some(self.index(number.as_usize()?)),
            _ => None,
        }
    }

    /// Adds a step.
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Adds a step in place.
    pub fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Removes the innermost step.
    pub fn pop(&mut self) -> Option<Step> {
        self.steps.pop()
    }

    /// Returns the steps of `self` and then those of `other`.
    pub fn join(&self, other: &Self) -> Self {
        Self { steps: self.steps.iter().chain(&other.steps).cloned().collect() }
    }

    /// Returns whether `prefix` is the start of this path, or all of it.
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.steps.starts_with(&prefix.steps)
    }
}

impl From<Vec<Step>> for Path {
    fn from(steps: Vec<Step>) -> Self {
        Self { steps }
    }
}

impl FromIterator<Step> for Path {
    fn from_iter<I: IntoIterator<Item = Step>>(iter: I) -> Self {
        Self { steps: iter.into_iter().collect() }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attr(name) => write!(f, ".{name}"),
            Self::Key(key) => write!(f, "[{:?}]", &**key),
            Self::Index(idx) => write!(f, "[{idx}]"),
            Self::Element(_) => f.write_str("[...]"),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| step.fmt(f))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_orders_and_travels_as_json() {
        let path = Path::root().attr("a").index(0).key("k\"").element(3);
        assert_eq!(path.to_string(), r#".a[0]["k\""][...]"#);
        let json = serde_json::to_string(&path).expect("a path is JSON");
        assert_eq!(json, r#"[{"attr":"a"},{"index":0},{"key":"k\""},{"element":3}]"#);
        assert_eq!(serde_json::from_str::<Path>(&json).expect("JSON is a path"), path);
        assert!(path.starts_with(&Path::root().attr("a")) && !path.starts_with(&Path::root().attr("b")));
        assert!(Path::root().index(2) < Path::root().index(10));
        assert_eq!(Path::root().attr("a").join(&Path::root().index(1)), Path::root().attr("a").index(1));
        assert_eq!(Path::root().index_by(&Value::number(3)), Some(Path::root().index(3)));
        assert_eq!(Path::root().index_by(&Value::bool(true)), None);
    }
}

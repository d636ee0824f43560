use std::{collections::BTreeMap, sync::Arc};

use crate::value::{Kind, Type, Value};

/// The type of a variable: what a value must be convertible to, and what fills in for attributes that it leaves out.
///
/// The default takes anything.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeConstraint {
    /// The type; attributes that may be left out are optional in it.
    pub ty: Type,
    /// What `optional(…, default)` says at any depth; `None` where it says nothing.
    pub defaults: Option<Arc<Defaults>>,
}

impl TypeConstraint {
    /// Returns the constraint that takes any value.
    pub const fn any() -> Self {
        Self { ty: Type::Any, defaults: None }
    }

    /// Returns the value with inner defaults in place of attributes that are null or missing. It is not converted yet:
    /// containers that were touched are tuples and objects, which the conversion to [`ty`](Self::ty) makes into what they
    /// should be.
    pub fn apply_defaults(&self, value: &Value) -> Value {
        match &self.defaults {
            Some(defaults) => defaults.apply(value),
            None => value.clone(),
        }
    }
}

impl Default for TypeConstraint {
    fn default() -> Self {
        Self::any()
    }
}

/// The defaults of optional attributes, as a tree beside the type.
#[derive(Clone, Debug, PartialEq)]
pub enum Defaults {
    /// Of an object type.
    Object {
        /// Defaults of its own attributes, each of the attribute's type.
        values: BTreeMap<Arc<str>, Value>,
        /// Defaults inside its attributes.
        inner: BTreeMap<Arc<str>, Defaults>,
    },
    /// Of each element of a list, set or map.
    Elements(Box<Defaults>),
    /// Of the elements of a tuple, by place from 0.
    Tuple(BTreeMap<usize, Defaults>),
}

impl Defaults {
    /// Returns the value with defaults filled in; nulls and unknowns, as wholes, stay as they are.
    ///
    /// # Complexity
    /// O(size of the value).
    pub fn apply(&self, value: &Value) -> Value {
        let applied = match (self, value.kind()) {
            (Self::Object { values, inner }, Kind::Object(fields) | Kind::Map(fields)) => {
                let mut attributes: BTreeMap<Arc<str>, Value> = fields.iter().cloned().collect();
                for (name, default) in values {
                    if attributes.get(name).is_none_or(Value::is_null) {
                        // A null that is secret is no less so for what replaces it.
                        let marks = attributes.get(name).map(Value::marks).unwrap_or_default();
                        attributes.insert(Arc::clone(name), default.clone().with_marks(marks));
                    }
                }
                for (name, defaults) in inner {
                    if let Some(attribute) = attributes.get_mut(name) {
                        *attribute = defaults.apply(attribute);
                    }
                }
                Value::object(attributes)
            }
            (Self::Elements(defaults), Kind::List(items) | Kind::Set(items) | Kind::Tuple(items)) => {
                Value::tuple(items.iter().map(|item| defaults.apply(item)).collect())
            }
            (Self::Elements(defaults), Kind::Map(fields) | Kind::Object(fields)) => {
                Value::object(fields.iter().map(|(name, value)| (Arc::clone(name), defaults.apply(value))))
            }
            (Self::Tuple(places), Kind::List(items) | Kind::Tuple(items)) => {
                let filled = items.iter().enumerate().map(|(place, item)| match places.get(&place) {
                    Some(defaults) => defaults.apply(item),
                    None => item.clone(),
                });
                Value::tuple(filled.collect())
            }
            _ => return value.clone(),
        };
        applied.with_marks(value.marks())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Marks;

    fn defaults() -> Defaults {
        let inner =
            Defaults::Object { values: BTreeMap::from([("port".into(), Value::number(80))]), inner: BTreeMap::new() };
        Defaults::Elements(Box::new(Defaults::Object {
            values: BTreeMap::from([("name".into(), Value::from("web")), ("net".into(), Value::empty_object())]),
            inner: BTreeMap::from([("net".into(), inner)]),
        }))
    }

    #[test]
    fn fills_what_is_null_or_missing_at_any_depth() {
        let given = Value::tuple(vec![
            Value::empty_object(),
            Value::object([
                ("name", Value::null(Type::String)),
                ("net", Value::object([("port", Value::number(8080))])),
            ]),
            Value::null(Type::Any),
            Value::unknown(Type::Any),
        ]);
        let expect = Value::tuple(vec![
            Value::object([("name", Value::from("web")), ("net", Value::object([("port", Value::number(80))]))]),
            Value::object([("name", Value::from("web")), ("net", Value::object([("port", Value::number(8080))]))]),
            Value::null(Type::Any),
            Value::unknown(Type::Any),
        ]);
        assert_eq!(defaults().apply(&given), expect);
    }

    #[test]
    fn marks_stay() {
        let given =
            Value::object([("a", Value::object([("name", Value::null(Type::String).with_marks(Marks::SENSITIVE))]))]);
        let filled = defaults().apply(&given.with_marks(Marks::SENSITIVE));
        assert!(filled.is_sensitive());
        let name = filled.attribute("a").and_then(|a| a.attribute("name"));
        assert!(name.is_some_and(|name| name.is_sensitive() && name.as_str() == Some("web")));
    }
}

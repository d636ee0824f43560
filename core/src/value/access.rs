use std::sync::Arc;

use super::{Kind, Number, Path, Step, Type, Value, ValueError, convert::convert};

impl Value {
    /// Returns the element that a key selects: `self[key]`.
    ///
    /// The key is converted to what the container needs. The result is unknown where container or key is. It carries the
    /// marks of the container, and those of the key where that chose an element.
    ///
    /// # Errors
    /// [`ValueError`] where the key leads nowhere.
    pub fn index(&self, key: &Self) -> Result<Self, ValueError> {
        let is_chosen = key.is_known() && (self.is_known() || self.ty().as_tuple().is_some());
        let marks = if is_chosen { self.marks() | key.marks() } else { self.marks() };
        self.index_unmarked(key).map(|value| value.with_marks(marks))
    }

    fn index_unmarked(&self, key: &Self) -> Result<Self, ValueError> {
        if self.is_null() {
            return Err(ValueError::IndexOfNull);
        }
        if key.is_null() {
            return Err(ValueError::NullKey);
        }
        // Whatever it is: what it will be is not known, either.
        if key.as_unknown().is_some_and(|unknown| unknown.ty == Type::Any) {
            return Ok(Self::unknown(Type::Any));
        }
        let want = match self.kind() {
            Kind::List(_) | Kind::Tuple(_) => Type::Number,
            Kind::Map(_) | Kind::Object(_) => Type::String,
            Kind::Set(_) => return Err(ValueError::IndexOfSet),
            Kind::Unknown(unknown) => match &unknown.ty {
                Type::Any => return Ok(Self::unknown(Type::Any)),
                Type::List(_) | Type::Tuple(_) => Type::Number,
                Type::Map(_) | Type::Object(_) => Type::String,
                Type::Set(_) => return Err(ValueError::IndexOfSet),
                _ => return Err(ValueError::NotIndexable),
            },
            _ => return Err(ValueError::NotIndexable),
        };
        let by_number = key.as_number().is_some();
        let key = convert(key, &want).map_err(|source| ValueError::WrongKey { source })?;
        if let Some(number) = key.as_number() {
            return self.index_number(number);
        }
        if let Some(name) = key.as_str() {
            return self.index_name(name, by_number);
        }
        // The key is not known yet.
        Ok(Self::unknown(match self.kind() {
            Kind::List(items) => items.element_type().clone(),
            Kind::Map(fields) => fields.element_type().clone(),
            Kind::Unknown(unknown) => unknown.ty.element().cloned().unwrap_or(Type::Any),
            _ => Type::Any,
        }))
    }

    fn index_number(&self, number: &Number) -> Result<Self, ValueError> {
        // Of a list that is not known nothing is said, whatever the number.
        if let Kind::Unknown(unknown) = self.kind()
            && let Type::List(element) = &unknown.ty
        {
            return Ok(Self::unknown((**element).clone()));
        }
        let no_element = |reason| Err(ValueError::NoElement { reason });
        if number.is_negative() && !number.is_zero() {
            return no_element(": a negative number is not a valid index for a sequence");
        }
        if !number.is_integer() && !number.is_infinite() {
            return no_element(
                ": indexing a sequence requires a whole number, but the given index has a fractional part",
            );
        }
        let beyond = ": the given index is greater than or equal to the length of the collection";
        let idx = number.as_usize();
        match self.kind() {
            Kind::Unknown(unknown) => match &unknown.ty {
                Type::Tuple(types) => match idx.and_then(|idx| types.get(idx)) {
                    Some(ty) => Ok(Self::unknown(ty.clone())),
                    None => no_element(beyond),
                },
                ty => Ok(Self::unknown(ty.element().cloned().unwrap_or(Type::Any))),
            },
            _ if self.len() == 0 => no_element(": the collection has no elements"),
            _ => match idx.and_then(|idx| self.element_at(idx)) {
                Some(element) => Ok(element.clone()),
                None => no_element(beyond),
            },
        }
    }

    fn index_name(&self, name: &str, by_number: bool) -> Result<Self, ValueError> {
        match self.kind() {
            Kind::Unknown(unknown) => Ok(Self::unknown(match &unknown.ty {
                Type::Map(element) => (**element).clone(),
                // As in Terraform: `x["name"]` says nothing, whereas `x.name` of an object that is not known does.
                _ => Type::Any,
            })),
            _ => self.attribute(name).cloned().ok_or(ValueError::NoElement {
                reason: if by_number && matches!(self.kind(), Kind::Object(_)) {
                    ". An object only supports looking up attributes by name, not by numeric index"
                } else {
                    ""
                },
            }),
        }
    }

    /// Returns an attribute of an object or an element of a map: `self.name`.
    ///
    /// The result carries the marks of the container; it is unknown where the container is.
    ///
    /// # Errors
    /// [`ValueError`] where there is none of that name.
    pub fn get_attr(&self, name: &str) -> Result<Self, ValueError> {
        let found = match self.kind() {
            Kind::Null(_) => return Err(ValueError::AttributeOfNull),
            Kind::Object(fields) => {
                fields.get(name).cloned().ok_or_else(|| ValueError::NoAttribute { name: name.to_owned() })?
            }
            Kind::Map(fields) => {
                fields.get(name).cloned().ok_or_else(|| ValueError::NoMapElement { key: name.to_owned() })?
            }
            Kind::Unknown(unknown) => Self::unknown(attr_of_type(&unknown.ty, name)?),
            _ => return attr_of_type(&self.ty(), name).map(Self::unknown),
        };
        Ok(found.with_marks(self.marks()))
    }

    /// Returns the part at a path, with the marks of everything on the way.
    ///
    /// # Errors
    /// [`ValueError`] of the first step that leads nowhere.
    pub fn at_path(&self, path: &Path) -> Result<Self, ValueError> {
        path.steps().iter().try_fold(self.clone(), |value, step| value.at_step(step))
    }

    fn at_step(&self, step: &Step) -> Result<Self, ValueError> {
        match step {
            Step::Attr(name) => self.get_attr(name),
            Step::Key(key) => self.index(&Self::from_kind(Kind::String(Arc::clone(key)))),
            Step::Index(idx) => self.index(&Self::number(*idx)),
            Step::Element(idx) => match self.kind() {
                Kind::Set(items) => items
                    .get(*idx)
                    .map(|element| element.clone().with_marks(self.marks()))
                    .ok_or(ValueError::NoElement { reason: "" }),
                Kind::Unknown(unknown) => {
                    Ok(Self::unknown(unknown.ty.element().cloned().unwrap_or(Type::Any)).with_marks(self.marks()))
                }
                _ => Err(ValueError::NotIndexable),
            },
        }
    }
}

/// The type of an attribute of a value of type `ty`, or why it has none.
fn attr_of_type(ty: &Type, name: &str) -> Result<Type, ValueError> {
    let (collection, element) = match ty {
        Type::Any => return Ok(Type::Any),
        Type::Map(element) => return Ok((**element).clone()),
        Type::Object(object) => {
            let found = object.attributes.get(name).cloned();
            return found.ok_or_else(|| ValueError::NoAttribute { name: name.to_owned() });
        }
        Type::Bool | Type::Number | Type::String => return Err(ValueError::AttributeOfPrimitive { ty: ty.clone() }),
        Type::List(element) => ("list", element),
        Type::Set(element) => ("set", element),
        Type::Tuple(_) => return Err(ValueError::NoAttributes),
    };
    let object = element.as_object().ok_or(ValueError::NoAttributes)?;
    let known = object.attributes.contains_key(name);
    let attribute = if known { format!("attribute {name:?}") } else { "an attribute".to_owned() };
    Err(ValueError::AttributeOfCollection { collection, attribute })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::testing::{l, m, n, null, o, s, secret, set, t, unknown};

    fn check(value: &Value, key: &Value, expect: &Value) {
        assert_eq!(&value.index(key).expect("it is there"), expect);
    }

    fn check_error(value: &Value, key: &Value, expect: &str) {
        let error = value.index(key).expect_err("it is not there");
        assert_eq!(format!("{}: {error}", error.summary()), expect);
    }

    #[test]
    fn indexes() {
        let list = l(Type::String, [s("a"), s("b")]);
        check(&list, &n("1"), &s("b"));
        check(&list, &s("1"), &s("b"));
        check(&list, &unknown(Type::Number), &unknown(Type::String));
        check(&list, &unknown(Type::Any), &unknown(Type::Any));
        check(&t([n("1"), s("x")]), &n("1"), &s("x"));
        check(&t([n("1"), s("x")]), &unknown(Type::Number), &unknown(Type::Any));
        check(&m(Type::Number, [("a", n("1"))]), &s("a"), &n("1"));
        check(&o([("true", n("1"))]), &Value::bool(true), &n("1"));
        check(&o([("1", n("1"))]), &n("1"), &n("1"));
        check(&unknown(Type::tuple([Type::Bool])), &n("0"), &unknown(Type::Bool));
        check(&unknown(Type::object([("a", Type::Bool)])), &s("a"), &unknown(Type::Any));
        check(&unknown(Type::empty_object()), &s("a"), &unknown(Type::Any));
        check(&set(Type::String, [s("a")]), &unknown(Type::Any), &unknown(Type::Any));
        check(&list, &secret(unknown(Type::Number)), &unknown(Type::String));
        check(&unknown(Type::list(Type::Bool)), &secret(n("0")), &unknown(Type::Bool));
        check(&unknown(Type::tuple([Type::Bool])), &secret(n("0")), &secret(unknown(Type::Bool)));
        check(&unknown(Type::Any), &s("a"), &unknown(Type::Any));
        check(&secret(list.clone()), &n("0"), &secret(s("a")));
        check(&list, &secret(n("0")), &secret(s("a")));

        let no = "Invalid index: the given key does not identify an element in this collection value";
        check_error(&list, &n("-1"), &format!("{no}: a negative number is not a valid index for a sequence"));
        let fraction = "indexing a sequence requires a whole number, but the given index has a fractional part";
        check_error(&list, &n("1.5"), &format!("{no}: {fraction}"));
        let beyond = "the given index is greater than or equal to the length of the collection";
        check_error(&list, &n("2"), &format!("{no}: {beyond}"));
        check_error(&list, &n("Inf"), &format!("{no}: {beyond}"));
        check_error(&t([]), &n("0"), &format!("{no}: the collection has no elements"));
        check_error(&list, &s("x"), &format!("{no}: a number is required"));
        check_error(&list, &Value::bool(true), &format!("{no}: number required"));
        check_error(&m(Type::Number, []), &s("a"), no);
        let by_name = "An object only supports looking up attributes by name, not by numeric index";
        check_error(&o([]), &n("0"), &format!("{no}. {by_name}"));
        check_error(
            &null(Type::list(Type::String)),
            &n("0"),
            "Attempt to index null value: this value is null, so it does not have any indices",
        );
        check_error(&list, &null(Type::Number), "Invalid index: can't use a null value as an indexing key");
        check_error(&s("x"), &n("0"), "Invalid index: this value does not have any indices");
        assert_eq!(set(Type::String, []).index(&n("0")), Err(ValueError::IndexOfSet));
    }

    #[test]
    fn attributes() {
        let list = l(Type::object([("a", Type::Number)]), []);
        assert_eq!(secret(o([("a", n("1"))])).get_attr("a"), Ok(secret(n("1"))));
        assert_eq!(m(Type::Number, [("a", n("1"))]).get_attr("a"), Ok(n("1")));
        assert_eq!(unknown(Type::Any).get_attr("a"), Ok(unknown(Type::Any)));
        assert_eq!(unknown(Type::object([("a", Type::Number)])).get_attr("a"), Ok(unknown(Type::Number)));
        for (value, name, expect) in [
            (o([]), "a", "Unsupported attribute: this object does not have an attribute named \"a\""),
            (m(Type::Any, []), "a", "Missing map element: this map does not have an element with the key \"a\""),
            (
                null(Type::Any),
                "a",
                "Attempt to get attribute from null value: this value is null, so it does not have any attributes",
            ),
            (n("1"), "a", "Unsupported attribute: can't access attributes on a primitive-typed value (number)"),
            (t([]), "a", "Unsupported attribute: this value does not have any attributes"),
            (
                list.clone(),
                "a",
                "Unsupported attribute: can't access attributes on a list of objects. Did you mean to access attribute \"a\" for a specific element of the list, or across all elements of the list?",
            ),
            (
                list,
                "b",
                "Unsupported attribute: can't access attributes on a list of objects. Did you mean to access an attribute for a specific element of the list, or across all elements of the list?",
            ),
        ] {
            let error = value.get_attr(name).expect_err("it is not there");
            assert_eq!(format!("{}: {error}", error.summary()), expect);
        }
    }

    #[test]
    fn paths_collect_marks() {
        let value = o([("a", secret(t([m(Type::String, [("k", s("x"))])])))]);
        let path = Path::root().attr("a").index(0).key("k");
        assert_eq!(value.at_path(&path), Ok(secret(s("x"))));
        assert_eq!(value.at_path(&Path::root()), Ok(value.clone()));
        assert!(value.at_path(&Path::root().attr("a").index(1)).is_err());
        let letters = secret(set(Type::String, [s("b"), s("a")]));
        assert_eq!(letters.at_path(&Path::root().element(1)), Ok(secret(s("b"))));
        assert!(letters.at_path(&Path::root().element(2)).is_err());
        assert_eq!(value.part(&Step::Attr("a".into())).map(Value::is_sensitive), Some(true));
    }
}

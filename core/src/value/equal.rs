use std::cmp::Ordering;

use super::{Kind, Refinement, Type, Unknown, Value};

impl Value {
    /// Returns what a template's `==` gives: true, false, or not known yet, with the marks of both at any depth.
    ///
    /// Nulls of any types are equal; other values of different types are not. An unknown value makes the result unknown
    /// unless what is known of it rules equality out. Lists and tuples are compared in order, up to the first difference
    /// or the first pair that cannot be told.
    pub fn equals(&self, other: &Self) -> Self {
        let marks = self.marks_deep() | other.marks_deep();
        let result = match equality(self, other) {
            Some(equal) => Self::bool(equal),
            None => Self::unknown_with(Type::Bool, Refinement::not_null()),
        };
        result.with_marks(marks)
    }
}

/// `None`: cannot be told yet.
fn equality(a: &Value, b: &Value) -> Option<bool> {
    if a.is_null() && b.is_definitely_not_null() || b.is_null() && a.is_definitely_not_null() {
        return Some(false);
    }
    match (a.as_unknown(), b.as_unknown()) {
        (Some(_), Some(_)) => return None,
        (Some(unknown), None) => return if excludes(unknown, b) { Some(false) } else { None },
        (None, Some(unknown)) => return if excludes(unknown, a) { Some(false) } else { None },
        (None, None) => {}
    }
    if a.is_null() || b.is_null() {
        return Some(a.is_null() && b.is_null());
    }
    if has_open_part(a) || has_open_part(b) {
        let (x, y) = (a.ty(), b.ty());
        return if conforms(&x, &y) || conforms(&y, &x) { None } else { Some(false) };
    }
    match (a.kind(), b.kind()) {
        (Kind::Bool(a), Kind::Bool(b)) => Some(a == b),
        (Kind::Number(a), Kind::Number(b)) => Some(a == b),
        (Kind::String(a), Kind::String(b)) => Some(a == b),
        (Kind::List(x), Kind::List(y)) => {
            if x.element_type() != y.element_type() || x.len() != y.len() {
                return Some(false);
            }
            in_order(x, y)
        }
        // Types are compared before contents: a later element of another type outweighs an unknown one.
        (Kind::Tuple(x), Kind::Tuple(_)) => {
            if !b.has_type(&a.ty()) {
                return Some(false);
            }
            in_order(x, b.items()?)
        }
        (Kind::Set(x), Kind::Set(y)) => {
            if x.element_type() != y.element_type() {
                return Some(false);
            }
            if !a.is_wholly_known() || !b.is_wholly_known() {
                return None;
            }
            Some(x.len() == y.len() && x.iter().zip(y.iter()).all(|(x, y)| x.set_order(y) == Ordering::Equal))
        }
        (Kind::Map(x), Kind::Map(y)) => {
            if x.element_type() != y.element_type() || !x.names().eq(y.names()) {
                return Some(false);
            }
            in_any_order(x.iter().zip(y.iter()).map(|((_, x), (_, y))| (x, y)))
        }
        (Kind::Object(x), Kind::Object(y)) => {
            if !b.has_type(&a.ty()) {
                return Some(false);
            }
            in_any_order(x.iter().zip(y.iter()).map(|((_, x), (_, y))| (x, y)))
        }
        _ => Some(false),
    }
}

fn in_order(a: &[Value], b: &[Value]) -> Option<bool> {
    for (a, b) in a.iter().zip(b) {
        match equality(a, b) {
            Some(true) => {}
            other => return other,
        }
    }
    Some(true)
}

fn in_any_order<'a>(pairs: impl Iterator<Item = (&'a Value, &'a Value)>) -> Option<bool> {
    let mut result = Some(true);
    for (a, b) in pairs {
        match equality(a, b) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => result = None,
        }
    }
    result
}

/// Whether the unknown can never become `known`, for what is known of it.
fn excludes(unknown: &Unknown, known: &Value) -> bool {
    let refinement = &unknown.refinement;
    if known.is_null() {
        return refinement.not_null;
    }
    // The unknown may also become null; that does not equal `known` either.
    if !conforms(&known.ty(), &unknown.ty) && (!has_open_part(known) || !unknown.ty.has_any()) {
        return !unknown.ty.has_any() || !conforms(&unknown.ty, &known.ty());
    }
    match known.kind() {
        Kind::String(text) => refinement.prefix.as_ref().is_some_and(|prefix| !text.starts_with(&**prefix)),
        Kind::Number(number) => !refinement.admits_number(number),
        Kind::List(_) | Kind::Set(_) | Kind::Map(_) => known.length_bounds().is_some_and(|(min, max)| {
            max.is_some_and(|max| max < refinement.min_length) || refinement.max_length.is_some_and(|most| min > most)
        }),
        _ => false,
    }
}

/// Whether some part is unknown and has no type yet.
fn has_open_part(value: &Value) -> bool {
    match value.kind() {
        Kind::Unknown(unknown) => unknown.ty == Type::Any,
        _ if value.is_wholly_known() => false,
        Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => items.iter().any(has_open_part),
        Kind::Map(fields) | Kind::Object(fields) => fields.iter().any(|(_, value)| has_open_part(value)),
        _ => false,
    }
}

/// Whether values of type `ty` meet a constraint in which [`Type::Any`] stands for anything.
pub(super) fn conforms(ty: &Type, constraint: &Type) -> bool {
    match (ty, constraint) {
        (_, Type::Any) => true,
        (Type::List(a), Type::List(b)) | (Type::Set(a), Type::Set(b)) | (Type::Map(a), Type::Map(b)) => conforms(a, b),
        (Type::Tuple(a), Type::Tuple(b)) => a.len() == b.len() && a.iter().zip(&**b).all(|(a, b)| conforms(a, b)),
        (Type::Object(a), Type::Object(b)) => {
            a.attributes.len() == b.attributes.len()
                && a.attributes.iter().zip(&b.attributes).all(|((x, a), (y, b))| x == y && conforms(a, b))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::{
        Number,
        testing::{Shape, any_value, l, m, n, null, o, s, secret, set, t, unknown},
    };

    /// `None` stands for a result that is not known yet.
    fn check(a: &Value, b: &Value, expect: Option<bool>) {
        for (a, b) in [(a, b), (b, a)] {
            let result = a.equals(b);
            assert!(result.is_definitely_not_null());
            assert_eq!(result.as_bool(), expect, "{a:?} == {b:?}");
        }
    }

    #[test]
    fn known_values() {
        check(&n("1"), &s("1"), Some(false));
        check(&n("1"), &n("1.0"), Some(true));
        check(&n("-0"), &n("0"), Some(true));
        check(&Value::bool(true), &s("true"), Some(false));
        check(&s("e\u{301}"), &s("é"), Some(true));
        check(&null(Type::Any), &null(Type::String), Some(true));
        check(&null(Type::String), &s(""), Some(false));
        check(&l(Type::Number, [n("1")]), &t([n("1")]), Some(false));
        check(&t([n("1"), n("2")]), &t([n("1"), n("2")]), Some(true));
        check(&m(Type::Number, [("a", n("1"))]), &o([("a", n("1"))]), Some(false));
        check(&m(Type::Number, [("a", n("1"))]), &m(Type::Number, [("b", n("1"))]), Some(false));
        check(&set(Type::Number, [n("1"), n("2")]), &set(Type::Number, [n("2"), n("1")]), Some(true));
        check(&set(Type::Number, [n("1")]), &set(Type::Number, [n("2")]), Some(false));
        check(&set(Type::Number, []), &set(Type::String, []), Some(false));
        check(&o([("a", null(Type::Any))]), &o([("a", s("x"))]), Some(false));
        check(&o([("a", null(Type::Any))]), &o([("a", null(Type::Any))]), Some(true));
    }

    #[test]
    fn unknown_values() {
        let later = unknown(Type::String);
        check(&later, &s("x"), None);
        check(&later, &later, None);
        check(&later, &n("1"), Some(false));
        check(&later, &null(Type::String), None);
        check(&unknown(Type::Any), &n("1"), None);
        check(&unknown(Type::list(Type::Any)), &l(Type::String, []), None);
        check(&unknown(Type::list(Type::Any)), &t([]), Some(false));
        check(&t([later.clone(), n("1")]), &t([s("x"), n("1")]), None);
        check(&t([n("1"), later.clone()]), &t([n("2"), s("x")]), Some(false));
        check(&o([("a", later.clone()), ("b", n("1"))]), &o([("a", s("x")), ("b", n("2"))]), Some(false));
        check(&t([unknown(Type::Any)]), &t([n("1")]), None);
        check(&t([unknown(Type::Any), n("1")]), &t([n("1"), s("x")]), Some(false));
        check(&set(Type::String, [later.clone()]), &set(Type::String, [s("x")]), None);
        check(&set(Type::String, [later]), &set(Type::Number, [n("1")]), Some(false));
    }

    #[test]
    fn refinements_rule_out() {
        let id = Value::unknown_with(Type::String, Refinement::not_null().with_full_prefix("vpc-"));
        check(&id, &null(Type::Any), Some(false));
        check(&id, &s("subnet-1"), Some(false));
        check(&id, &s("vpc-1"), None);
        let count = Refinement::none().with_min(Number::from(1), true).with_max(Number::from(9), false);
        let count = Value::unknown_with(Type::Number, count);
        check(&count, &n("0"), Some(false));
        check(&count, &n("1"), None);
        check(&count, &n("9"), Some(false));
        check(&count, &null(Type::Number), None);
        let list = Value::unknown_with(Type::list(Type::Number), Refinement::none().with_length(1, Some(2)));
        check(&list, &l(Type::Number, []), Some(false));
        check(&list, &l(Type::Number, [n("1"), n("2"), n("3")]), Some(false));
        check(&list, &l(Type::Number, [n("1")]), None);
    }

    #[test]
    fn marks_of_both_stay() {
        assert_eq!(secret(n("1")).equals(&n("1")), secret(Value::bool(true)));
        assert_eq!(o([("a", secret(n("1")))]).equals(&null(Type::Any)), secret(Value::bool(false)));
    }

    proptest! {
        #[test]
        fn is_symmetric_and_never_denies_a_copy(a in any_value(Shape::EVERYTHING), b in any_value(Shape::EVERYTHING)) {
            prop_assert_eq!(a.equals(&b), b.equals(&a));
            let copy = a.equals(&a.clone());
            prop_assert_eq!(copy.as_bool(), if a.is_wholly_known() { Some(true) } else { None });
        }

        #[test]
        fn agrees_with_the_order_of_sets(a in any_value(Shape::PLAIN), b in any_value(Shape::PLAIN)) {
            prop_assert_eq!(a.set_order(&b), b.set_order(&a).reverse());
            if a.ty() == b.ty() {
                prop_assert_eq!(a.equals(&b).as_bool() == Some(true), a.set_order(&b) == Ordering::Equal);
            }
        }
    }
}

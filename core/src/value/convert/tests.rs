use proptest::prelude::*;

use super::*;
use crate::value::{
    Marks,
    testing::{Shape, any_type, any_value, l, m, n, null, o, s, secret, set, t, unknown},
    unify, unify_values,
};

fn check(value: &Value, to: &Type, expect: &Value) {
    match convert(value, to) {
        Ok(got) => assert_eq!(&got, expect, "{value:?} to {to}"),
        Err(error) => panic!("{value:?} to {to}: {error}"),
    }
}

fn check_error(value: &Value, to: &Type, expect: &str) {
    match convert(value, to) {
        Ok(got) => panic!("{value:?} to {to} gave {got:?}"),
        Err(error) => assert_eq!(error.to_string(), expect, "{value:?} to {to}"),
    }
}

#[test]
fn primitives() {
    check(&n("1.50"), &Type::String, &s("1.5"));
    check(&n("1e21"), &Type::String, &s("1000000000000000000000"));
    check(&s("1e3"), &Type::Number, &n("1000"));
    check(&Value::bool(true), &Type::String, &s("true"));
    check(&s("1"), &Type::Bool, &Value::bool(true));
    check(&s("false"), &Type::Bool, &Value::bool(false));
    check_error(&s("0x10"), &Type::Number, "a number is required");
    check_error(&s("yes"), &Type::Bool, "a bool is required");
    check_error(&s("TRUE"), &Type::Bool, "a bool is required; to convert from string, use lowercase \"true\"");
    check_error(&n("1"), &Type::Bool, "bool required");
    check_error(&Value::bool(true), &Type::Number, "number required");
    check_error(&t([]), &Type::String, "string required");
    check_error(&s("x"), &Type::list(Type::String), "list of string required");
}

#[test]
fn nulls_unknowns_and_marks_stay() {
    check(&null(Type::Any), &Type::String, &null(Type::String));
    check(&null(Type::tuple([Type::Number])), &Type::list(Type::Any), &null(Type::list(Type::Number)));
    check(&unknown(Type::Number), &Type::String, &unknown(Type::String));
    check(&unknown(Type::Any), &Type::list(Type::Any), &unknown(Type::list(Type::Any)));
    check(&secret(n("1")), &Type::String, &secret(s("1")));
    check(&t([secret(n("1"))]), &Type::list(Type::String), &l(Type::String, [secret(s("1"))]));
    check(&t([secret(n("1"))]), &Type::set(Type::String), &secret(set(Type::String, [s("1")])));
    let some = Value::unknown_with(Type::tuple([Type::Number, Type::Number]), Refinement::not_null());
    let list = l(Type::Number, [unknown(Type::Number), unknown(Type::Number)]);
    check(&some, &Type::list(Type::Number), &list);
    let as_set = Value::unknown_with(Type::set(Type::Number), Refinement::not_null().with_length(1, Some(2)));
    check(&some, &Type::set(Type::Number), &as_set);
    let at_least = Value::unknown_with(Type::list(Type::Number), Refinement::not_null().with_length(2, Some(5)));
    let as_set = Value::unknown_with(Type::set(Type::String), Refinement::not_null().with_length(1, Some(5)));
    check(&at_least, &Type::set(Type::String), &as_set);
}

#[test]
fn sequences() {
    check(
        &t([n("1"), s("a"), Value::bool(true)]),
        &Type::list(Type::Any),
        &l(Type::String, [s("1"), s("a"), s("true")]),
    );
    check(&t([n("1"), s("1"), Value::bool(true)]), &Type::set(Type::Any), &set(Type::String, [s("1"), s("true")]));
    check(&t([]), &Type::list(Type::Any), &l(Type::Any, []));
    check(&t([s("a"), null(Type::Any)]), &Type::list(Type::Any), &l(Type::String, [s("a"), null(Type::String)]));
    check(&t([null(Type::Any)]), &Type::list(Type::Any), &l(Type::Any, [null(Type::Any)]));
    check(&l(Type::Number, [n("2"), n("1"), n("2")]), &Type::set(Type::String), &set(Type::String, [s("1"), s("2")]));
    check(&set(Type::String, [s("b"), s("a")]), &Type::list(Type::String), &l(Type::String, [s("a"), s("b")]));
    check(&t([n("1"), s("2")]), &Type::tuple([Type::String, Type::Number]), &t([s("1"), n("2")]));
    check(
        &t([o([("a", n("1"))]), o([("a", s("x"))])]),
        &Type::list(Type::Any),
        &l(Type::object([("a", Type::String)]), [o([("a", s("1"))]), o([("a", s("x"))])]),
    );
    check(
        &t([o([("a", n("1"))]), o([("b", n("2"))])]),
        &Type::list(Type::Any),
        &l(Type::map(Type::Number), [m(Type::Number, [("a", n("1"))]), m(Type::Number, [("b", n("2"))])]),
    );
    check(
        &t([t([n("1")]), t([s("x"), s("y")])]),
        &Type::list(Type::list(Type::Any)),
        &l(Type::list(Type::String), [l(Type::String, [s("1")]), l(Type::String, [s("x"), s("y")])]),
    );
    check_error(&t([s("a"), s("b")]), &Type::list(Type::Number), "[0]: a number is required");
    check_error(&t([s("a"), t([])]), &Type::list(Type::Any), "all list elements must have the same type");
    check_error(&t([s("a"), t([])]), &Type::set(Type::Any), "all set elements must have the same type");
    check_error(&t([s("a"), t([])]), &Type::list(Type::String), "element 1: string required");
    check_error(&l(Type::String, []), &Type::tuple([]), "tuple required");
    check_error(&t([n("1")]), &Type::tuple([]), "tuple required");
    check_error(&o([]), &Type::list(Type::Any), "list of any single type required");
    check_error(
        &l(Type::map(Type::String), []),
        &Type::list(Type::String),
        "incorrect list element type: string required",
    );
    let open = set(Type::String, [s("a"), unknown(Type::String)]);
    check(&open, &Type::list(Type::String), &unknown(Type::list(Type::String)));
}

#[test]
fn objects_and_maps() {
    let person = Type::object_with_optional(
        [("name", Type::String), ("age", Type::Number), ("tags", Type::set(Type::String))],
        ["age", "tags"],
    );
    let absent = [("age", null(Type::Number)), ("tags", null(Type::set(Type::String)))];
    let [age, tags] = absent.clone();
    check(&o([("name", n("7")), ("zip", n("1"))]), &person, &o([("name", s("7")), age.clone(), tags.clone()]));
    check(&m(Type::String, [("name", s("x")), ("zip", s("1"))]), &person, &o([("name", s("x")), age, tags]));
    check_error(&o([]), &person, "attribute \"name\" is required");
    check_error(&m(Type::String, []), &person, "map has no element for required attribute \"name\"");
    check_error(
        &m(Type::String, [("name", s("x")), ("tags", s("x"))]),
        &person,
        "map element type is incompatible with attribute \"tags\": set of string required",
    );
    check_error(&o([("name", s("x")), ("age", s("old"))]), &person, ".age: a number is required");
    check_error(&o([("name", t([]))]), &person, "attribute \"name\": string required");
    let strict = Type::object([("a", Type::Any), ("b", Type::Any), ("c", Type::Any)]);
    check_error(&o([]), &strict, "attributes \"a\", \"b\", and \"c\" are required");
    check_error(&o([("a", n("1"))]), &strict, "attributes \"b\" and \"c\" are required");
    check(&o([("a", n("1")), ("b", s("x"))]), &Type::map(Type::Any), &m(Type::String, [("a", s("1")), ("b", s("x"))]));
    check(&o([]), &Type::map(Type::Any), &m(Type::Any, []));
    check(
        &o([("a", t([n("1")])), ("b", t([s("x"), s("y")]))]),
        &Type::map(Type::list(Type::Any)),
        &m(Type::list(Type::String), [("a", l(Type::String, [s("1")])), ("b", l(Type::String, [s("x"), s("y")]))]),
    );
    check_error(&o([("a", n("1")), ("b", t([]))]), &Type::map(Type::Any), "all map elements must have the same type");
    check_error(&o([("a", n("1")), ("b", t([]))]), &Type::map(Type::String), "element \"b\": string required");
    check_error(&t([]), &Type::map(Type::String), "map of string required");
    check_error(&s("x"), &Type::empty_object(), "object required");
    check_error(&o([("a", t([s("x")]))]), &Type::map(Type::list(Type::Number)), "[\"a\"][0]: a number is required");
    // An unknown or null object loses what is optional, too.
    let plain = person.without_optional();
    check(&unknown(Type::Any), &person, &unknown(plain.clone()));
    check(&t([null(Type::Any)]), &Type::list(person), &l(plain.clone(), [null(plain)]));
}

#[test]
fn safe_conversions_never_fail() {
    assert!(can_convert(&Type::Number, &Type::String, Safety::Safe));
    assert!(!can_convert(&Type::String, &Type::Number, Safety::Safe));
    assert!(can_convert(&Type::set(Type::Number), &Type::list(Type::String), Safety::Safe));
    assert!(!can_convert(&Type::list(Type::Number), &Type::set(Type::Number), Safety::Safe));
    assert!(!can_convert(&Type::map(Type::String), &Type::object([("a", Type::String)]), Safety::Safe));
    assert!(can_convert(&Type::map(Type::String), &Type::object([("a", Type::String)]), Safety::Unsafe));
}

#[test]
fn unifies_as_terraform_does() {
    let check = |a: Value, b: Value, expect: Option<&str>| {
        let types = [a.ty(), b.ty()];
        assert_eq!(unify(&types).map(|ty| ty.to_string()).as_deref(), expect, "{types:?}");
    };
    check(n("1"), s("a"), Some("string"));
    check(n("1"), Value::bool(true), None);
    check(t([]), t([s("a")]), Some("list(string)"));
    check(o([("a", n("1"))]), o([("a", n("1")), ("b", n("2"))]), Some("map(number)"));
    check(o([("a", n("1"))]), o([("b", s("x"))]), Some("map(string)"));
    check(t([n("1")]), t([s("a"), Value::bool(true)]), Some("list(string)"));
    check(t([n("1")]), t([s("a")]), Some("tuple([string])"));
    check(o([("a", n("1"))]), o([("a", s("x"))]), Some("object({a=string})"));
    check(o([("a", n("1"))]), o([("a", t([]))]), None);
    check(o([("a", n("1"))]), o([("b", t([]))]), None);
    check(l(Type::Number, []), l(Type::String, []), Some("list(string)"));
    check(l(Type::Number, []), set(Type::Number, []), Some("list(number)"));
    check(l(Type::Number, []), t([s("a")]), Some("list(string)"));
    check(m(Type::Number, []), o([("a", s("x"))]), Some("map(string)"));
    check(t([]), o([]), None);
    check(s("a"), t([]), None);
    check(s("a"), null(Type::Any), Some("string"));
    check(l(Type::String, []), null(Type::Any), Some("any"));
    check(null(Type::Any), null(Type::Any), Some("any"));
    check(t([]), t([]), Some("tuple([])"));
    assert_eq!(unify(&[]), None);
    let (ty, values) = unify_values(&[t([]), t([secret(n("1"))])]).expect("lists");
    assert_eq!((ty, values), (Type::list(Type::Number), vec![l(Type::Number, []), l(Type::Number, [secret(n("1"))])]));
    let (_, values) = unify_values(&[l(Type::String, [s("a")]), null(Type::Any)]).expect("open");
    assert_eq!(values, [unknown(Type::Any), unknown(Type::Any)]);
    assert!(unify_values(&[t([]), o([])]).is_err());
}

#[test]
fn many_types_unify_fast() {
    let objects: Vec<Value> =
        (0..20_000).map(|idx| o([("a", n("1")), ("b", if idx % 2 == 0 { s("x") } else { n("1") })])).collect();
    let list = convert(&Value::tuple(objects), &Type::list(Type::Any)).expect("a list");
    assert_eq!(list.ty(), Type::list(Type::object([("a", Type::Number), ("b", Type::String)])));
}

proptest! {
    #[test]
    fn converting_twice_is_converting_once(value in any_value(Shape::EVERYTHING), to in any_type(true)) {
        if let Ok(once) = convert(&value, &to) {
            prop_assert_eq!(convert(&once, &to).expect("it is of the type"), once.clone());
            if !to.has_any() {
                prop_assert!(once.has_type(&to) && once.ty() == to);
            }
            // An attribute that is left out takes its marks along; nothing else does.
            prop_assert!(value.marks_deep().contains(once.marks_deep()) && once.marks().contains(value.marks()));
        }
    }

    #[test]
    fn own_type_changes_nothing(value in any_value(Shape::EVERYTHING)) {
        prop_assert!(value.has_type(&value.ty()));
        prop_assert_eq!(convert(&value, &value.ty()).expect("its own type"), value.clone());
        prop_assert_eq!(convert(&value, &Type::Any).expect("any type"), value.clone());
    }

    #[test]
    fn safe_means_it_works(value in any_value(Shape::EVERYTHING), to in any_type(false)) {
        if can_convert(&value.ty(), &to, Safety::Safe) {
            prop_assert!(convert(&value, &to).is_ok());
        }
        if convert(&value, &to).is_ok() {
            prop_assert!(can_convert(&value.ty(), &to, Safety::Unsafe));
        }
    }

    #[test]
    fn all_convert_to_what_they_unify_to(a in any_type(true), b in any_type(true), c in any_type(true)) {
        let types = [a, b, c];
        // An open type is taken to fit, as in Terraform, and so are others that it speaks for (objects that become maps);
        // converting says it then.
        let is_open = types.iter().any(Type::has_any);
        if let Some(ty) = unify(&types) {
            for own in &types {
                let fits = own == &ty || is_open || can_convert(own, &ty, Safety::Unsafe);
                prop_assert!(fits, "{} to {}", own, ty);
            }
        }
        if let Some(safe) = crate::value::unify_with(&types, Safety::Safe) {
            for own in &types {
                let fits = own == &safe || is_open || can_convert(own, &safe, Safety::Safe);
                prop_assert!(fits, "{} to {}", own, safe);
            }
        }
    }
}

#[test]
fn names_inside_of_what_is_secret_are_not_told() {
    let secret = |value: Value| value.with_marks(Marks::SENSITIVE);
    let told = |value: &Value, ty: &Type| convert(value, ty).expect_err("it does not fit").to_string();
    let numbers = Type::map(Type::Number);
    let object = || Value::object([("canary", Value::string("x"))]);
    assert_eq!(told(&object(), &numbers), "[\"canary\"]: a number is required");
    assert_eq!(told(&secret(object()), &numbers), "map of number required");
    assert_eq!(
        told(&Value::tuple(vec![secret(object())]), &Type::list(numbers.clone())),
        "list of map of number required"
    );
    let map = Value::map(Type::list(Type::String), [("canary", Value::null(Type::list(Type::String)))]);
    assert_eq!(told(&secret(map), &numbers), "map of number required");
    // Secret values have names that are none.
    let value = Value::object([("a", secret(Value::string("x")))]);
    assert_eq!(told(&value, &numbers), "[\"a\"]: a number is required");
}

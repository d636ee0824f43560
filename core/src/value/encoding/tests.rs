use proptest::prelude::*;

use super::*;
use crate::{
    error::{Error, ErrorKind},
    value::{
        Number, Refinement,
        testing::{Shape, any_type, any_value, l, m, n, null, o, s, secret, set, t, unknown, value_of},
    },
};

fn check(value: &Value, expect: &str) {
    assert_eq!(encode(value).to_string(), expect);
    assert_eq!(&decode(&encode(value)).expect("own output"), value);
}

#[test]
fn writes_what_is_needed_and_no_more() {
    check(&s("x"), r#"{"t":"string","v":"x"}"#);
    check(&n("1"), r#"{"t":"number","v":1}"#);
    check(&n("0.1"), r#"{"t":"number","v":"0.1"}"#);
    check(&n("-0"), r#"{"t":"number","v":"-0"}"#);
    check(&n("9007199254740993"), r#"{"t":"number","v":"9007199254740993"}"#);
    check(&n("-Inf"), r#"{"t":"number","v":"-Inf"}"#);
    check(&Value::number(Number::from_f64(0.1).expect("a number")), r#"{"t":"number","v":"0.1f"}"#);
    check(&null(Type::Any), r#"{"t":"dynamic","v":null}"#);
    check(&unknown(Type::Any), r#"{"t":"dynamic","v":{"$u":{}}}"#);
    check(&set(Type::Number, [n("2"), n("1")]), r#"{"t":["set","number"],"v":[1,2]}"#);
    check(
        &o([("a", null(Type::String)), ("b", secret(null(Type::Bool))), ("$c", Value::bool(true))]),
        r#"{"t":["object",{"$c":"bool","a":"string","b":"bool"}],"v":{"$$c":true,"b":{"$m":1,"v":null}}}"#,
    );
    check(&m(Type::Any, [("$u", null(Type::Any))]), r#"{"t":["map","dynamic"],"v":{"$$u":null}}"#);
    let refinement = Refinement::not_null().with_full_prefix("vpc-");
    check(&Value::unknown_with(Type::String, refinement), r#"{"t":"string","v":{"$u":{"n":true,"p":"vpc-"}}}"#);
    let refinement = Refinement::none().with_min(Number::from(1), true).with_max(Number::from(9), false);
    check(
        &Value::unknown_with(Type::Number, refinement),
        r#"{"t":"number","v":{"$u":{"hi":[9,false],"lo":[1,true]}}}"#,
    );
    let refinement = Refinement::none().with_length(1, None);
    check(
        &Value::unknown_with(Type::list(Type::Bool), refinement),
        r#"{"t":["list","bool"],"v":{"$u":{"len":[1,null]}}}"#,
    );
}

#[test]
fn parts_of_open_types_carry_theirs() {
    let ty = Type::object([("a", Type::Any), ("b", Type::list(Type::Any))]);
    let value = o([("a", t([n("1")])), ("b", l(Type::String, [s("x")]))]);
    let json = encode_typed(&value, &ty);
    assert_eq!(json.to_string(), r#"{"a":{"$t":["tuple",["number"]],"v":[1]},"b":{"$t":["list","string"],"v":["x"]}}"#);
    assert_eq!(decode_typed(&json, &ty).expect("own output"), value);
}

/// Stands for a cipher: keeps the sealed values aside and stores their number.
fn seal_all(value: &Value) -> (Json, Vec<(Path, Value)>) {
    let mut kept = Vec::new();
    let json = encode_with(value, &mut |path, part| {
        kept.push((path.clone(), part.clone()));
        Ok(Some(Json::from(kept.len() - 1)))
    });
    (json.expect("the seal does not fail"), kept)
}

fn unseal_all(json: &Json, kept: &[(Path, Value)]) -> Result<Value> {
    decode_with(json, &mut |path, sealed| {
        let (sealed_at, value) = sealed.as_u64().and_then(|idx| kept.get(idx as usize)).expect("a number of ours");
        assert_eq!(path, sealed_at);
        Ok(value.clone())
    })
}

#[test]
fn sensitive_parts_are_sealed_once_and_their_types_hidden() {
    let inner = o([("question", secret(s("pet?")))]);
    let value = o([("a", secret(inner.clone())), ("b", l(Type::String, [s("x"), secret(s("y"))])), ("c", n("1"))]);
    let (json, kept) = seal_all(&value);
    assert_eq!(
        json.to_string(),
        r#"{"t":["object",{"a":"dynamic","b":["list","string"],"c":"number"}],"v":{"a":{"$s":0},"b":["x",{"$s":1}],"c":1}}"#
    );
    assert_eq!(kept, [(Path::root().attr("a"), secret(inner)), (Path::root().attr("b").index(1), secret(s("y")))]);
    assert_eq!(unseal_all(&json, &kept).expect("own output"), value);
    assert_eq!(decode(&json).expect_err("no key").code(), "value.encoding");
}

#[test]
fn a_host_may_leave_secrets_open_or_fail() {
    let value = o([("a", secret(t([secret(s("y"))])))]);
    let json = encode_with(&value, &mut |_, _| Ok(None)).expect("no failure");
    assert_eq!(decode(&json).expect("nothing is sealed"), value);
    let refused = encode_with(&value, &mut |_, _| Err(Error::new(ErrorKind::Denied, "test.key", "no key")));
    assert_eq!(refused.expect_err("the seal fails").code(), "test.key");
}

#[test]
fn refuses_what_it_did_not_write() {
    for text in [
        "1",
        "{}",
        r#"{"t":"string"}"#,
        r#"{"t":"string","v":"x","w":1}"#,
        r#"{"t":"text","v":"x"}"#,
        r#"{"t":"string","v":1}"#,
        r#"{"t":"number","v":"0x10"}"#,
        r#"{"t":"number","v":1.5}"#,
        r#"{"t":"number","v":"nanf"}"#,
        r#"{"t":"bool","v":"true"}"#,
        r#"{"t":["tuple",["string"]],"v":[]}"#,
        r#"{"t":["object",{}],"v":{"a":1}}"#,
        r#"{"t":["map","string"],"v":{"$a":"x"}}"#,
        r#"{"t":"string","v":{"$m":4,"v":"x"}}"#,
        r#"{"t":"string","v":{"$m":1}}"#,
        r#"{"t":"string","v":{"$m":1,"v":"x","w":"y"}}"#,
        r#"{"t":"string","v":{"$u":{"z":1}}}"#,
        r#"{"t":"string","v":{"$u":1}}"#,
        r#"{"t":"dynamic","v":"x"}"#,
        r#"{"t":"string","v":{"$s":0}}"#,
    ] {
        let json = serde_json::from_str(text).expect("JSON");
        assert_eq!(decode(&json).expect_err(text).code(), "value.encoding", "{text}");
    }
    let json = serde_json::from_str(r#"{"t":["object",{"a":["list","number"]}],"v":{"a":[1,"x"]}}"#).expect("JSON");
    let error = decode(&json).expect_err("text");
    assert_eq!(error.report(), "a stored value of type `number` holds text [path=.a[1]]");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_is_lost(value in any_value(Shape::EVERYTHING)) {
        let json = encode(&value);
        let text = json.to_string();
        let again = decode(&serde_json::from_str(&text).expect("JSON")).expect("own output");
        prop_assert_eq!(&again, &value);
        prop_assert_eq!(encode(&again).to_string(), text);
        // Equal numbers may print differently; these must not.
        prop_assert_eq!(format!("{again:?}"), format!("{value:?}"));
    }

    #[test]
    fn nothing_is_lost_with_any_type_given(
        (ty, value) in any_type(true).prop_flat_map(|ty| (any_type(true), value_of(ty, Shape::EVERYTHING)))
    ) {
        prop_assert_eq!(&decode_typed(&encode_typed(&value, &value.ty()), &value.ty()).expect("own output"), &value);
        prop_assert_eq!(&decode_typed(&encode_typed(&value, &ty), &ty).expect("own output"), &value);
    }

    #[test]
    fn sealing_is_undone(value in any_value(Shape::EVERYTHING)) {
        let (json, kept) = seal_all(&value);
        prop_assert!(kept.iter().all(|(path, part)| part.is_sensitive() && value.at_path(path).is_ok_and(|at| at.is_sensitive())));
        prop_assert_eq!(unseal_all(&json, &kept).expect("own output"), value);
    }

    #[test]
    fn the_text_is_that_of_the_tree(value in any_value(Shape::EVERYTHING)) {
        prop_assert_eq!(&encode(&value)["t"], &value.ty().to_json());
        let text = |encoded: &Encoded<'_>| serde_json::to_string(encoded).expect("a form");
        prop_assert_eq!(text(&Encoded::new(&value)), encode(&value).to_string());
        let mut count = 0;
        let sealed = Encoded::sealed(&value, &mut |_, _| {
            count += 1;
            Ok(Some(Json::from(count - 1)))
        });
        prop_assert_eq!(text(&sealed.expect("no failure")), seal_all(&value).0.to_string());
    }
}

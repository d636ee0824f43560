//! `random_id`, `random_password` and `random_port`.

use std::{collections::BTreeSet, fs, net::TcpListener};

use futures_util::future::join_all;
use stackwright::{
    ErrorKind,
    error::Retry,
    resource::{Evidence, Recovery},
    value::{Type, Value},
};

use crate::support::{Driven, Yard, attribute, given, map, refused, text, with};

fn number(value: u64) -> Value {
    Value::number(value)
}

#[tokio::test]
async fn choices_are_kept_until_they_are_to_be_made_anew() {
    for (name, config) in [
        ("random_id", given([("byte_length", number(8))])),
        ("random_password", given([("length", number(20))])),
        ("random_port", given([])),
    ] {
        let driven = Driven::new(name);
        let object = driven.create(&config).await;
        assert_eq!(driven.read(&object).await, Some(object.clone()), "{name}");
        assert_eq!(driven.changes(&object, &config).await, Vec::<String>::new(), "{name}");
        let kept = with(&config, [("keepers", map([("release", "7")]))]);
        let planned = driven.plan(Some(&object), &kept).await.expect("a plan").planned;
        let forcing = driven.resource.schema().forces_replacement(&object.attributes, &planned);
        assert_eq!(forcing.iter().map(ToString::to_string).collect::<Vec<_>>(), [".keepers"], "{name}");
        assert_ne!(
            driven.create(&kept).await.attributes,
            with(&object.attributes, [("keepers", map([("release", "7")]))])
        );
        let lost = Evidence { id: None, partial: None, prior: None, planned: None };
        assert_eq!(driven.recover(&lost).await, Recovery::Absent, "nobody learnt of it");
        let deleting = Evidence { prior: Some(object.clone()), ..lost };
        assert_eq!(driven.recover(&deleting).await, Recovery::Found(object.clone()));
        driven.delete(&object).await;
        driven.delete(&object).await;
    }
}

#[tokio::test]
async fn choices_differ() {
    let driven = Driven::new("random_id");
    let mut seen = BTreeSet::new();
    for _ in 0..50 {
        let object = driven.create(&given([("byte_length", number(16)), ("prefix", text("p-"))])).await;
        let hex = attribute(&object, "hex").to_owned();
        assert_eq!((hex.len(), hex.starts_with("p-")), (34, true));
        assert!(seen.insert(hex));
    }
}

#[tokio::test]
async fn an_id_is_adopted_in_any_form() {
    let driven = Driven::new("random_id");
    for config in [
        given([("byte_length", number(5))]),
        given([("byte_length", number(1)), ("prefix", text("a,b-"))]),
        given([("byte_length", number(5)), ("keepers", map([("release", "7&8"), ("a.b", "")]))]),
    ] {
        let object = driven.create(&config).await;
        let prefix = object.attributes.attribute("prefix").and_then(Value::as_str);
        let mut id = prefix.map_or(object.id.clone(), |prefix| format!("{prefix},{}", object.id));
        if config.attribute("keepers").is_some() {
            id.push_str("?keepers.release=7%268&keepers.a.b=");
        }
        let adopted = driven.import(&id).await.expect("an answer").expect("always there");
        assert_eq!(adopted, object, "{id}");
    }
    for id in ["", "p,", "not base64!", "AQI=", "AQI?min=1", &"A".repeat(1400)] {
        assert_eq!(driven.import(id).await.expect_err("not an id").code(), "resource.import_id", "{id}");
    }
}

#[tokio::test]
async fn a_password_is_sensitive_and_adopted_without_being_named() {
    let (yard, driven) = (Yard::new(), Driven::new("random_password"));
    assert!(driven.resource.schema().block.attributes["result"].sensitive);
    fs::write(yard.path("secret"), "hunter2-grüße\n").expect("a file");
    let id = format!("file:{}", yard.place("secret"));
    let adopted = driven.import(&id).await.expect("an answer").expect("a file");
    assert_eq!((adopted.id.as_str(), attribute(&adopted, "result")), ("none", "hunter2-grüße"));
    assert_eq!(driven.changes(&adopted, &given([("length", number(13))])).await, Vec::<String>::new());
    let exact = given([
        ("length", number(13)),
        ("special", Value::bool(false)),
        ("min_lower", number(2)),
        ("keepers", map([("release", "7")])),
    ]);
    let adopted = driven.import(&format!("{id}?special=false&min_lower=2&keepers.release=7")).await;
    let adopted = adopted.expect("an answer").expect("a file");
    assert_eq!(driven.changes(&adopted, &exact).await, Vec::<String>::new());
    // A variable that is certainly there: cargo sets it, and its value is known.
    let adopted = driven.import("env:CARGO_PKG_NAME").await.expect("an answer").expect("a variable");
    assert_eq!(attribute(&adopted, "result"), "stackwright-provider-local");
    for missing in ["env:NO_SUCH_VARIABLE_HERE", &format!("file:{}", yard.place("nothing"))] {
        assert_eq!(driven.import(missing).await.expect("an answer"), None, "{missing}");
    }
    fs::write(yard.path("empty"), "\n").expect("a file");
    fs::write(yard.path("long"), "x".repeat(5000)).expect("a file");
    for id in ["hunter2", "", &format!("file:{}", yard.place("empty")), &format!("file:{}", yard.place("long"))] {
        let error = driven.import(id).await.expect_err("not to be adopted");
        assert_eq!(error.code(), "resource.import_id", "{id}");
        assert!(!error.report().contains("hunter2"), "{}", error.report());
    }
}

#[test]
fn bad_passwords_are_refused_while_planning() {
    let driven = Driven::new("random_password");
    let schema = driven.resource.schema();
    for given in [
        given([("length", number(0))]),
        given([("length", number(5000))]),
        given([("length", number(5)), ("override_special", text("é"))]),
    ] {
        let config = schema.coerce(&given).expect("the right types");
        assert_eq!(schema.validate_values(&config).len(), 1, "{given:?}");
    }
    let error = driven.config(&given([("length", number(1)), ("min_lower", number(2))])).expect_err("too short");
    assert_eq!((error.code(), error.kind()), ("local.conflict", ErrorKind::InvalidInput));
}

#[tokio::test]
async fn ports_are_free_and_differ() {
    let driven = Driven::new("random_port");
    let mut seen = BTreeSet::new();
    let default = Value::empty_object();
    for object in join_all((0..50).map(|_| driven.create(&default))).await {
        let port: u16 = object.id.parse().expect("a port");
        assert!((20_000..=29_999).contains(&port));
        TcpListener::bind(("127.0.0.1", port)).expect("nobody else listens");
        assert!(seen.insert(port), "two got {port}");
    }
}

#[tokio::test]
async fn a_port_is_nobody_elses_while_it_is_known() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = u64::from(listener.local_addr().expect("an address").port());
    let range = given([("min", number(port)), ("max", number(port))]);
    let driven = Driven::new("random_port");
    let error = refused(driven.try_create(&range).await);
    assert_eq!((error.code(), error.retry_advice()), ("local.no_port", Retry::WithBackoff));
    drop(listener);
    let object = driven.create(&range).await;
    assert_eq!(refused(driven.try_create(&range).await).code(), "local.no_port", "it is given out once");
    driven.delete(&object).await;
    let object = driven.create(&range).await;
    // An engine that was started anew learns of it from state, by import, and not otherwise.
    let after_reading = Driven::new("random_port");
    after_reading.read(&object).await;
    assert_eq!(refused(after_reading.try_create(&range).await).code(), "local.no_port");
    let after_import = Driven::new("random_port");
    after_import.import(&object.id).await.expect("an answer");
    assert_eq!(refused(after_import.try_create(&range).await).code(), "local.no_port");
    Driven::new("random_port").create(&range).await;
}

#[tokio::test]
async fn a_port_is_adopted_with_its_range() {
    let driven = Driven::new("random_port");
    let adopted = driven.import("25000").await.expect("an answer").expect("always there");
    assert_eq!(driven.changes(&adopted, &Value::empty_object()).await, Vec::<String>::new());
    let config = given([("min", number(8000)), ("max", number(8999)), ("keepers", map([("a", "b")]))]);
    let adopted = driven.import("8080?min=8000&max=8999&keepers.a=b").await.expect("an answer").expect("always there");
    assert_eq!(adopted.attributes.attribute("port"), Some(&number(8080)));
    assert_eq!(driven.changes(&adopted, &config).await, Vec::<String>::new());
    for id in ["0", "65536", "http", "", "80?port=81", "80?min=0"] {
        assert_eq!(driven.import(id).await.expect_err("not a port").code(), "resource.import_id", "{id}");
    }
}

#[tokio::test]
async fn an_empty_range_is_refused_early_and_late() {
    let driven = Driven::new("random_port");
    let range = given([("min", number(9)), ("max", number(8))]);
    assert_eq!(driven.config(&range).expect_err("empty").code(), "local.range");
    // Where one of them is known only later.
    driven.config(&given([("min", number(9)), ("max", Value::unknown(Type::Number))])).expect("it may yet be good");
    let planned = with(&driven.resource.schema().block.empty_value(), [("min", number(9)), ("max", number(8))]);
    assert_eq!(refused(driven.resource.create(&driven.context(), planned).await).code(), "local.range");
}

use std::{collections::BTreeMap, sync::Arc};

use super::TextOptions;
use crate::{
    plan::*,
    state::{ObjectId, StackKey},
    value::{Marks, Path, Type, Value},
};

fn plan(changes: Vec<Change>) -> Plan {
    let steps = changes.iter().filter(|change| change.action != Action::NoOp).count();
    let step = |idx: usize| Step {
        id: StepId(idx as u32),
        change: ChangeIdx(0),
        action: StepAction::Create,
        address: "t.n".parse().expect("an address"),
        object_id: None,
        prior: None,
        config: StepConfig::None,
        planned: None,
        planned_private: None,
        needs: Vec::new(),
        joins: Vec::new(),
        dependencies: Vec::new(),
        wholes: Vec::new(),
        create_before_destroy: false,
        prevent_destroy: false,
        has_conditions: false,
        cost: 1,
    };
    Plan {
        stack: StackKey::new("acme", "shop"),
        lineage: None,
        mode: Mode::Normal,
        targets: Vec::new(),
        changes,
        steps: (0..steps).map(step).collect(),
        joins: Vec::new(),
        row_updates: Vec::new(),
        base: Vec::new(),
        outputs: BTreeMap::new(),
        checks: Vec::new(),
        drift: Vec::new(),
        reads: Vec::new(),
        provider_configs: BTreeMap::new(),
        inputs: Inputs::default(),
        warnings: Vec::new(),
    }
}

fn change(address: &str, action: Action, reasons: Vec<Reason>, before: Option<Value>, after: Option<Value>) -> Change {
    Change {
        address: address.parse().expect("an address"),
        previous_address: None,
        type_name: Arc::from("t"),
        provider: Arc::from(""),
        action,
        reasons,
        before,
        after,
        replace_paths: Vec::new(),
        prior_object: None,
        object: None,
        deposed: false,
        importing: None,
    }
}

fn update(before: Value, after: Value) -> String {
    plan(vec![change("t.n", Action::Update, vec![], Some(before), Some(after))]).to_string()
}

fn object<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::object(entries)
}

#[test]
fn a_page() {
    let secret = Value::string("hunter2").with_marks(Marks::SENSITIVE);
    let mut replace = change(
        "local_file.conf",
        Action::ReplaceCreateFirst,
        vec![Reason::ForcesReplacement { paths: vec![Path::root().attr("path")] }],
        Some(object([("path", Value::string("/a")), ("mode", Value::string("0600")), ("token", secret.clone())])),
        Some(object([
            ("path", Value::string("/b")),
            ("mode", Value::string("0600")),
            ("token", Value::string("other").with_marks(Marks::SENSITIVE)),
        ])),
    );
    replace.replace_paths = vec![Path::root().attr("path")];
    let mut moved = change("t.m[0]", Action::NoOp, vec![], None, None);
    moved.previous_address = Some("t.m".parse().expect("an address"));
    let mut plan = plan(vec![
        change(
            "data.t.d",
            Action::Read,
            vec![Reason::ConfigUnknown],
            None,
            Some(object([("url", Value::unknown(Type::String))])),
        ),
        replace,
        change(
            "module.a[\"x\"].t.n",
            Action::Create,
            vec![Reason::NotInState],
            None,
            Some(object([
                ("id", Value::unknown(Type::String)),
                ("name", Value::string("a ${b} \"c\"")),
                ("nothing", Value::null(Type::String)),
                ("password", secret.clone()),
                ("ports", Value::list(Type::Number, vec![Value::number(80), Value::number(443)])),
                ("tags", Value::map(Type::String, [("a b", Value::string("x"))])),
                ("text", Value::string("one\ntwo\n")),
            ])),
        ),
        moved,
        change("t.same", Action::NoOp, vec![], Some(object([])), Some(object([]))),
        change(
            "t.old[2]",
            Action::Delete,
            vec![Reason::CountTooSmall { count: 2 }],
            Some(object([("name", Value::string("old")), ("password", secret.clone())])),
            None,
        ),
    ]);
    plan.drift = vec![
        Drift {
            address: "t.gone".parse().expect("an address"),
            type_name: Arc::from("t"),
            object_id: ObjectId::from_u128(1),
            kind: DriftKind::Vanished,
            before: object([]),
            after: None,
            paths: Vec::new(),
        },
        Drift {
            address: "t.grown".parse().expect("an address"),
            type_name: Arc::from("t"),
            object_id: ObjectId::from_u128(2),
            kind: DriftKind::Changed,
            before: object([("size", Value::number(1)), ("name", Value::string("n"))]),
            after: Some(object([("size", Value::number(2)), ("name", Value::string("n"))])),
            paths: vec![Path::root().attr("size")],
        },
    ];
    let output = |before, after, sensitive| OutputChange { before, after, sensitive };
    plan.outputs = BTreeMap::from([
        ("gone".to_owned(), output(Some(Value::number(1)), None, false)),
        ("secret".to_owned(), output(None, Some(Value::string("hunter2")), true)),
        ("same".to_owned(), output(Some(Value::number(1)), Some(Value::number(1)), false)),
        ("url".to_owned(), output(Some(Value::string("a")), Some(Value::unknown(Type::String)), false)),
    ]);
    let text = plan.to_string();
    assert!(!text.contains("hunter2"));
    insta::assert_snapshot!(text);
    let colored = plan.text(TextOptions { color: true });
    let mut plain = String::new();
    let mut inside = false;
    for letter in colored.chars() {
        match letter {
            '\u{1b}' => inside = true,
            'm' if inside => inside = false,
            _ if inside => {}
            letter => plain.push(letter),
        }
    }
    assert_eq!(plain, text);
    assert_ne!(colored, text);
}

#[test]
fn containers_show_only_what_differs() {
    let strings = |list: &[&str]| Value::list(Type::String, list.iter().map(|text| Value::string(*text)).collect());
    let set = |list: &[&str]| Value::set(Type::String, list.iter().map(|text| Value::string(*text)).collect());
    let map =
        |list: &[(&str, &str)]| Value::map(Type::String, list.iter().map(|(key, text)| (*key, Value::string(*text))));
    let before = object([
        ("list", strings(&["a", "b", "c", "d"])),
        ("map", map(&[("keep", "1"), ("change", "1"), ("drop", "1")])),
        ("nested", object([("x", Value::number(1)), ("y", Value::number(1))])),
        ("set", set(&["a", "b"])),
        ("same", Value::bool(true)),
        ("lost", Value::string("x")),
        ("later", strings(&["a", "b"])),
    ]);
    let after = object([
        ("list", strings(&["a", "x", "c", "d", "e"])),
        ("map", map(&[("keep", "1"), ("change", "2"), ("add", "1")])),
        ("nested", object([("x", Value::number(1)), ("y", Value::unknown(Type::Number))])),
        ("set", set(&["b", "c"])),
        ("same", Value::bool(true)),
        ("lost", Value::null(Type::String)),
        ("later", Value::unknown(Type::list(Type::String))),
    ]);
    insta::assert_snapshot!(update(before, after));
}

#[test]
fn texts_are_compared_inside() {
    let lines = |changed: &str| {
        (0..12).map(|n| if n == 6 { format!("{changed}\n") } else { format!("line {n}\n") }).collect::<String>()
    };
    let before = object([
        ("json", Value::string(r#"{"a":1,"b":[1,2]}"#)),
        ("layout", Value::string(r#"{"a":1}"#)),
        ("text", Value::string(lines("old"))),
    ]);
    let after = object([
        ("json", Value::string(r#"{"a":2,"b":[1,2],"c":"x"}"#)),
        ("layout", Value::string(r#"{ "a": 1 }"#)),
        ("text", Value::string(lines("new"))),
    ]);
    insta::assert_snapshot!(update(before, after));
}

#[test]
fn marks_hide_and_marks_alone_are_a_change() {
    let before = object([("a", Value::string("s3cret")), ("b", Value::string("s3cret").with_marks(Marks::SENSITIVE))]);
    let after = object([
        ("a", Value::string("s3cret").with_marks(Marks::SENSITIVE)),
        ("b", Value::string("s3cret2").with_marks(Marks::SENSITIVE)),
    ]);
    let text = update(before, after);
    assert!(!text.contains("s3cret"));
    insta::assert_snapshot!(text);
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let evil = "a\u{1b}[2Jb\nc\u{7}";
    let text = update(object([("a", Value::string("x\u{1b}"))]), object([("a", Value::string(evil))]));
    assert!(!text.chars().any(|letter| letter.is_control() && letter != '\n'), "{text:?}");
}

#[test]
fn nothing_to_do_says_so() {
    let mut plan = plan(Vec::new());
    assert_eq!(plan.to_string(), "No changes. What is there matches the template.\n");
    plan.mode = Mode::Destroy;
    assert_eq!(plan.to_string(), "No changes. There is nothing to destroy.\n");
}

//! What locked tags make of plans. `thing` takes tags; its other attributes are in the way.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{super::testing::*, super::*, *};
use crate::value::Marks;

fn world(tags: &[(&str, &str)]) -> World {
    let mut world = World::default();
    lock(&mut world, tags);
    world
}

fn lock(world: &mut World, tags: &[(&str, &str)]) {
    world.options.tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
}

fn thing(name: &str, body: &str) -> String {
    format!("resource \"thing\" \"{name}\" {{\n{body}\n}}\n")
}

fn map(tags: &[(&str, &str)]) -> Value {
    Value::map(Type::String, tags.iter().map(|(key, value)| (*key, Value::string(*value))))
}

/// Returns the tags that an object really has.
fn borne(world: &World, address: &str) -> BTreeMap<String, String> {
    let object = &world.objects[&world.object(address)];
    let tags = object.attribute("tags").expect("tags").entries();
    tags.map(|(key, value)| (key.to_string(), value.as_str().expect("a text").to_owned())).collect()
}

fn expect(tags: &[(&str, &str)]) -> BTreeMap<String, String> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

const LOCKED: [(&str, &str); 2] = [("stackwright-stack", "shop"), ("team", "red")];

#[test]
fn every_object_bears_them() {
    let mut world = world(&LOCKED);
    let text = thing("bare", "")
        + &thing("own", "tags = { of = \"mine\" }")
        + &thing("same", "tags = { team = \"red\" }")
        + &thing("each", "for_each = toset([\"x\", \"y\"])\ntags = { of = each.key }")
        + "resource \"free\" \"none\" {\n input = 1\n}\n\
           module \"m\" {\n source = \"./m\"\n}\n# file: m/main.tf\nresource \"thing\" \"deep\" {\n}\n";
    let plan = world.settle(&text);
    let locked = expect(&LOCKED);
    let with =
        |of: &str| locked.clone().into_iter().chain([("of".to_owned(), of.to_owned())]).collect::<BTreeMap<_, _>>();
    for address in ["thing.bare", "thing.same", "module.m.thing.deep"] {
        assert_eq!(borne(&world, address), locked, "{address}");
    }
    assert_eq!(borne(&world, "thing.own"), with("mine"));
    assert_eq!(borne(&world, "thing.each[\"y\"]"), with("y"));
    let shown = plan.to_string();
    assert!(shown.contains("team") && shown.contains("\"red\""), "{shown}");
    assert_eq!(plan.inputs.tags, locked);
}

#[test]
fn other_locked_tags_are_an_update_in_place_and_another_plan() {
    let mut world = world(&LOCKED);
    let text = thing("a", "tags = { of = \"mine\" }") + "resource \"free\" \"b\" {\n}\n";
    world.settle(&text);
    let hash = |world: &mut World, text: &str| codec::hash(&world.plan(text)).expect("a hash").to_string();
    let before = hash(&mut world, &text);
    lock(&mut world, &[("stackwright-stack", "shop"), ("team", "blue")]);
    let plan = world.plan(&text);
    assert_eq!(changes(&plan), ["update thing.a"]);
    assert_ne!(codec::hash(&plan).expect("a hash").to_string(), before);
    world.settle(&text);
    assert_eq!(borne(&world, "thing.a"), expect(&[("of", "mine"), ("stackwright-stack", "shop"), ("team", "blue")]));
    // Where nothing takes tags, they are a part of the plan all the same.
    let text = "resource \"free\" \"b\" {\n}\n";
    world.settle(text);
    let one = hash(&mut world, text);
    lock(&mut world, &LOCKED);
    assert_ne!(hash(&mut world, text), one);
}

#[test]
fn what_somebody_took_away_is_put_back() {
    let mut world = world(&LOCKED);
    let text = thing("a", "") + &thing("b", "lifecycle {\n ignore_changes = [tags]\n}\ntags = { of = \"mine\" }");
    world.settle(&text);
    for address in ["thing.a", "thing.b"] {
        world.drift(address, "tags", map(&[("team", "green"), ("by", "hand")]));
    }
    let plan = world.plan(&text);
    assert_eq!(changes(&plan), ["update thing.a", "update thing.b"]);
    assert_eq!(plan.drift.len(), 2);
    world.settle(&text);
    assert_eq!(borne(&world, "thing.a"), expect(&LOCKED));
    // What is ignored is as it is; what is locked is not ignored.
    assert_eq!(borne(&world, "thing.b"), expect(&[("by", "hand"), ("stackwright-stack", "shop"), ("team", "red")]));
}

#[test]
fn ignoring_everything_ignores_no_locked_tag() {
    let text = |ignored: &str| {
        thing("a", &format!("name = \"n\"\ntags = {{ of = \"mine\" }}\nlifecycle {{\n ignore_changes = {ignored}\n}}"))
    };
    for ignored in ["all", "[tags[\"team\"], name]"] {
        let mut world = world(&[("team", "red"), ("stackwright-app", "one")]);
        world.settle(&text(ignored));
        lock(&mut world, &LOCKED);
        let plan = world.settle(&text(ignored).replace("\"n\"", "\"other\""));
        assert_eq!(changes(&plan), ["update thing.a"]);
        // A tag of the engine's that is locked no more goes.
        assert_eq!(
            borne(&world, "thing.a"),
            expect(&[("of", "mine"), ("stackwright-stack", "shop"), ("team", "red")]),
            "{ignored}"
        );
    }
}

#[test]
fn everything_against_them_is_told_at_once() {
    let mut world = world(&LOCKED);
    let text = "variable \"team\" {\n default = \"blue\"\n}\n".to_owned()
        + &thing("a", "tags = {\n  team = \"blue\"\n  stackwright-app = \"x\"\n}")
        + &thing("b", "count = 3\nname = thing.a.id\ntags = merge({ Stackwright-Mine = 1 }, { team = var.team })");
    let (plan, problems) = world.try_plan(&text);
    assert!(plan.is_none());
    let told: Vec<_> = problems
        .iter()
        .map(|problem| {
            let span = problem.span().expect("a place");
            (
                &*problem.code,
                problem.address.as_deref().unwrap_or_default(),
                &text[span.start as usize..span.end as usize],
            )
        })
        .collect();
    let whole = "tags = merge({ Stackwright-Mine = 1 }, { team = var.team })";
    assert_eq!(
        told,
        [
            ("plan.tag_locked", "thing.a", "team = \"blue\""),
            ("plan.tag_reserved", "thing.a", "stackwright-app = \"x\""),
            ("plan.tag_locked", "thing.b[0]", whole),
            ("plan.tag_reserved", "thing.b[0]", whole),
        ]
    );
    assert_eq!(problems[0].message, "the tag `team` is locked, and the template sets it to another value");
    assert!(problems.iter().all(|problem| problem.help.is_some()));
}

#[test]
fn a_secret_map_is_not_told_in_messages() {
    let mut world = world(&LOCKED);
    let text = thing("a", "tags = sensitive({ team = \"hunter2\", stackwright-code = \"x\" })");
    let (_, problems) = world.try_plan(&text);
    let told = format!("{problems:?}");
    assert_eq!(problems.len(), 2, "{told}");
    assert!(!told.contains("hunter2") && !told.contains("`team`") && !told.contains("stackwright-code"), "{told}");
}

#[test]
fn marks_stay_where_the_template_puts_them() {
    let schema = Schema::new(0).attribute("tags", Attribute::optional(Type::map(Type::String)).takes_tags());
    let tags: Tags = expect(&LOCKED);
    let config = |tags: Value| Value::object([("tags", tags)]);
    let of = |config: &Value| with_locked(&tags, &schema, config).attribute("tags").cloned().expect("tags");
    let all = of(&config(map(&[("a", "1")]).with_marks(Marks::SENSITIVE)));
    assert!(all.is_sensitive() && all.len() == 3);
    let one = Value::map(Type::String, [("a", Value::string("1").with_marks(Marks::SENSITIVE))]);
    let all = of(&config(one));
    let secret: Vec<&str> = all.entries().filter(|(_, value)| value.is_sensitive()).map(|(key, _)| &**key).collect();
    assert_eq!((secret, all.marks().is_empty()), (vec!["a"], true));
    assert!(of(&config(Value::null(Type::map(Type::String)))).same(&map(&LOCKED)));
    // A bound of the template's map is none of both.
    let bounded = crate::value::Refinement { max_length: Some(1), ..crate::value::Refinement::default() };
    let open = of(&config(Value::unknown_with(Type::map(Type::String), bounded)));
    assert!(open.as_unknown().is_some_and(|unknown| unknown.refinement.max_length.is_none()), "{open:?}");
}

#[test]
fn what_is_not_known_yet_is_merged_and_judged_later() {
    let text = |tags: &str| {
        thing("a", "name = \"n\"") + &thing("b", &format!("tags = {tags}\nlifecycle {{\n ignore_changes = [size]\n}}"))
    };
    for tags in [
        "{ for key in [\"of\"] : key => thing.a.id }",
        "{ (thing.a.id) = \"x\" }",
        "thing.a.id == \"\" ? null : { of = thing.a.id }",
    ] {
        let mut world = world(&LOCKED);
        world.settle(&text(tags));
        let all = borne(&world, "thing.b");
        assert_eq!((all.len(), all.get("team").map(String::as_str)), (3, Some("red")), "{tags}: {all:?}");
    }
    for (tags, code) in [
        ("{ team = thing.a.id }", "plan.tag_locked"),
        ("{ team = thing.a.id == \"\" ? \"red\" : \"blue\" }", "plan.tag_locked"),
        ("{ (thing.a.id == \"\" ? \"of\" : \"stackwright-of\") = \"x\" }", "plan.tag_reserved"),
    ] {
        let mut world = world(&LOCKED);
        let text = text(tags);
        let plan = world.plan(&text);
        let error = world.fails_at(&plan, "thing.b");
        assert_eq!(error.diagnostics().iter().map(|problem| &*problem.code).collect::<Vec<_>>(), [code], "{tags}");
        assert!(error.diagnostics()[0].span().is_some());
    }
    // And where it comes out as it is locked, nothing is wrong.
    let mut world = world(&LOCKED);
    world.settle(&text("{ team = thing.a.id == \"\" ? \"blue\" : \"red\" }"));
    assert_eq!(borne(&world, "thing.b"), expect(&LOCKED));
}

#[test]
fn what_is_adopted_gets_them() {
    let mut world = world(&LOCKED);
    let text = "import {\n to = thing.a\n id = \"i-1\"\n}\n".to_owned() + &thing("a", "name = \"found\"");
    let plan = world.settle(&text);
    assert_eq!(changes(&plan), ["update thing.a"]);
    assert_eq!(borne(&world, "thing.a"), expect(&LOCKED));
}

#[test]
fn limits_of_the_type_hold_for_all_of_them() {
    let tags = expect(&LOCKED);
    let schema =
        Schema::new(0).attribute("tags", Attribute::optional(Type::map(Type::String)).length(0, Some(3)).takes_tags());
    let span = Span::default();
    let found = |own: &[(&str, &str)]| {
        let config = Value::object([("tags", map(own))]);
        let problems = trespasses(&tags, &schema, &config, &Body::default(), span);
        problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>()
    };
    assert!(found(&[("a", "1")]).is_empty());
    assert_eq!(found(&[("a", "1"), ("b", "2")]), ["with the locked tags, `tags` must have 0 to 3 elements"]);
}

#[test]
fn keys_that_nobody_can_lock() {
    assert!(check_keys(["team", "stack"].into_iter()).is_ok());
    let error = check_keys(["team", "", "Stackwright-x"].into_iter()).expect_err("two are wrong");
    assert_eq!(error.code(), "engine.tag_invalid");
    assert!(error.message().starts_with("``, `Stackwright-x` cannot be locked"), "{}", error.message());
}

fn some_tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map("[a-d]", "[x-z]", 0..4)
}

fn literal(tags: &BTreeMap<String, String>) -> String {
    let items: Vec<String> = tags.iter().map(|(key, value)| format!("{key} = \"{value}\"")).collect();
    format!("{{ {} }}", items.join(", "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever templates say and however it changes, all objects end with the locked tags and their own, and nothing is
    /// left to do; or the plan says what is wrong.
    #[test]
    fn objects_end_with_what_is_locked_and_what_is_theirs(
        rounds in prop::collection::vec((some_tags(), prop::collection::vec(some_tags(), 3), any::<[bool; 3]>()), 1..4),
    ) {
        let mut world = World::default();
        for (locked, own, late) in rounds {
            world.options.tags = locked.clone();
            let mut text = thing("hub", "name = \"n\"");
            for (at, (own, late)) in own.iter().zip(late).enumerate() {
                // Known at once, or only when the hub is there.
                let keep = if late { " if thing.hub.id != key" } else { "" };
                text += &thing(&format!("t{at}"), &format!("tags = {{ for key, value in {} : key => value{keep} }}", literal(own)));
            }
            let wrong = own.iter().any(|own| own.iter().any(|(key, value)| locked.get(key).is_some_and(|text| text != value)));
            if wrong {
                let (plan, problems) = world.try_plan(&text);
                match plan {
                    // What is not known, as nothing is there, is judged when it is.
                    Some(_) => prop_assert!(world.rows.is_empty() && late.contains(&true)),
                    None => prop_assert!(problems.iter().all(|problem| problem.code == "plan.tag_locked"), "{problems:?}"),
                }
                continue;
            }
            world.settle(&text);
            for (at, own) in own.iter().enumerate() {
                let all: BTreeMap<_, _> = own.clone().into_iter().chain(locked.clone()).collect();
                prop_assert_eq!(borne(&world, &format!("thing.t{at}")), all);
            }
            prop_assert_eq!(borne(&world, "thing.hub"), locked);
        }
    }
}

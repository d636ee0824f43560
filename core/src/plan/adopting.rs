//! `removed` and `import` blocks: each case was tried with Terraform 1.11, and comes to the same.

use super::{testing::*, *};

fn free(name: &str, body: &str) -> String {
    format!("resource \"free\" \"{name}\" {{\n{body}\n}}\n")
}

fn removed(from: &str, destroy: bool) -> String {
    format!("removed {{\n from = {from}\n lifecycle {{\n  destroy = {destroy}\n }}\n}}\n")
}

fn import(to: &str, id: &str) -> String {
    format!("import {{\n to = {to}\n id = {id}\n}}\n")
}

fn each(to: &str, for_each: &str, id: &str) -> String {
    format!("import {{\n for_each = {for_each}\n to = {to}\n id = {id}\n}}\n")
}

const INNER: &str = "# file: m/main.tf\nresource \"free\" \"x\" {\n}\n";

fn codes(plan: &Plan) -> Vec<&str> {
    plan.warnings.iter().map(|warning| &*warning.code).collect()
}

/// Returns what is adopted, with what is done besides and by which id.
fn adopted(plan: &Plan) -> Vec<String> {
    let line = |change: &Change| {
        let id = change.importing.as_ref()?;
        Some(format!("{} {} {id}", change.action.as_str(), change.address))
    };
    plan.changes.iter().filter_map(line).collect()
}

#[test]
fn what_is_let_go_stays_as_it_is() {
    let mut world = World::default();
    world.settle(&(free("a", "count = 2") + &free("b", "input = free.a[0].id")));
    let plan = world.settle(&(removed("free.a", false) + &free("b", "input = 1")));
    assert_eq!(changes(&plan), ["forget free.a[0]", "forget free.a[1]", "update free.b"]);
    // What is used goes after who uses it.
    assert_eq!(world.done, ["forget free.a[1]", "update free.b", "forget free.a[0]"]);
    assert_eq!(codes(&plan), ["plan.forgotten"]);
    assert_eq!(plan.changes[0].reasons, [Reason::NotInTemplate]);
    assert!(plan.changes[0].after.is_none());
    let text = plan.text(TextOptions::default());
    assert!(text.contains(". free.a[0] will be forgotten; the object stays"), "{text}");
    assert!(text.contains("Plan: 0 to add, 1 to change, 0 to destroy, 2 to forget."), "{text}");
    assert_eq!(world.rows.len(), 1);
    // The row of `b` does not depend on what is gone from state.
    assert!(world.rows.values().all(|row| row.dependencies.is_empty()));
}

#[test]
fn destroying_is_what_happens_without_a_word() {
    for rest in [removed("free.a", true), "removed {\n from = free.a\n}\n".to_owned()] {
        let mut world = World::default();
        world.settle(&free("a", ""));
        let plan = world.settle(&rest);
        assert_eq!(changes(&plan), ["delete free.a"]);
        assert!(plan.warnings.is_empty());
    }
}

#[test]
fn modules_are_let_go_with_all_that_is_in_them() {
    let module = |name: &str| format!("module \"{name}\" {{\n source = \"./m\"\n count = 2\n}}\n");
    for from in ["module.a", "module.a.free.x"] {
        let mut world = World::default();
        world.settle(&(module("a") + INNER));
        let plan = world.settle(&removed(from, false));
        assert_eq!(changes(&plan), ["forget module.a[0].free.x", "forget module.a[1].free.x"]);
    }
    // A block in the module is about every instance of that.
    let mut world = World::default();
    world.settle(&(module("a") + INNER));
    let plan = world.settle(&(module("a") + "# file: m/main.tf\n" + &removed("free.x", false)));
    assert_eq!(changes(&plan), ["forget module.a[0].free.x", "forget module.a[1].free.x"]);
    // One block of two is enough, in whatever order.
    for blocks in [
        removed("module.a", true) + &removed("module.a.free.x", false),
        removed("module.a.free.x", true) + &removed("module.a", false),
    ] {
        let mut world = World::default();
        world.settle(&(module("a") + INNER));
        assert_eq!(changes(&world.settle(&blocks)), ["forget module.a[0].free.x", "forget module.a[1].free.x"]);
    }
}

#[test]
fn letting_go_follows_moves_and_needs_no_permission() {
    let mut world = World::default();
    world.settle(&free("a", "lifecycle {\n prevent_destroy = true\n}"));
    let moved = "moved {\n from = free.a\n to = free.b\n}\n";
    let plan = world.settle(&(moved.to_owned() + &removed("free.b", false)));
    assert_eq!(changes(&plan), ["forget free.b"]);
    assert_eq!(plan.changes[0].reasons, [Reason::NoMoveTarget]);
    assert_eq!(plan.changes[0].previous_address.as_ref().map(ToString::to_string), Some("free.a".to_owned()));
}

#[test]
fn destroying_the_stack_destroys_all_the_same() {
    let mut world = World::default();
    world.settle(&(free("a", "") + &free("b", "")));
    world.options.mode = Mode::Destroy;
    let plan = world.plan(&(free("b", "") + &removed("free.a", false)));
    assert_eq!(changes(&plan), ["delete free.a", "delete free.b"]);
    world.options.mode = Mode::RefreshOnly;
    assert!(world.plan(&(free("b", "") + &removed("free.a", false))).is_empty());
}

#[test]
fn an_object_is_adopted_and_brought_into_shape_in_one_go() {
    let thing = |body: &str| format!("resource \"thing\" \"a\" {{\n{body}\n}}\n");
    let mut world = World::default();
    let same = thing("name = \"found\"") + &import("thing.a", "\"x-1\"");
    let plan = world.plan(&same);
    assert_eq!((adopted(&plan), plan.steps.len()), (vec!["no-op thing.a x-1".to_owned()], 0));
    assert!(plan.text(TextOptions::default()).contains("Plan: 1 to import, 0 to add"));
    let plan = world.settle(&same);
    assert_eq!(plan.counts().import, 1);
    // The block may stay, and may even say something else: state has the instance.
    assert!(world.plan(&(thing("name = \"found\"") + &import("thing.a", "\"other\""))).is_empty());

    let mut world = World::default();
    let plan = world.settle(&(thing("name = \"web\"") + &import("thing.a", "\"x-1\"")));
    assert_eq!(adopted(&plan), ["update thing.a x-1"]);
    assert_eq!(world.done, ["update thing.a"]);
    let mut world = World::default();
    let plan = world.settle(&(thing("kind = \"k\"") + &import("thing.a", "\"x-1\"")));
    assert_eq!(adopted(&plan), ["replace thing.a x-1"]);
    assert_eq!(world.done, ["delete thing.a", "create thing.a"]);
}

#[test]
fn many_objects_are_adopted_by_their_keys() {
    let many = free("a", "for_each = toset([\"p\", \"q\"])");
    for (for_each, to, id) in [
        ("toset([\"p\", \"q\"])", "free.a[each.key]", "\"id-${each.value}\""),
        ("{ x = \"p\", y = \"q\" }", "free.a[each.value]", "\"id-${each.value}\""),
        ("[\"p\", \"q\"]", "free.a[each.value]", "\"id-${[\"p\", \"q\"][each.key]}\""),
        ("local.m", "free.a[each.key]", "each.value.id"),
    ] {
        let locals = "locals {\n m = { p = { id = \"id-p\" }, q = { id = \"id-q\" } }\n}\n";
        let plan = World::default().settle(&(many.clone() + locals + &each(to, for_each, id)));
        assert_eq!(adopted(&plan), ["no-op free.a[\"p\"] id-p", "no-op free.a[\"q\"] id-q"], "{for_each}");
    }
    let plan =
        World::default().settle(&(free("a", "count = 2") + &each("free.a[each.value]", "{ x = 1 }", "each.key")));
    assert_eq!(changes(&plan), ["create free.a[0]"]);
    assert_eq!(adopted(&plan), ["no-op free.a[1] x"]);
    for nothing in ["toset([])", "null"] {
        let plan = World::default().settle(&(many.clone() + &each("free.a[each.key]", nothing, "each.key")));
        assert_eq!(plan.counts().import, 0, "{nothing}");
    }
    // Of several about one instance the last counts.
    let twice = free("a", "") + &each("free.a", "toset([\"p\", \"q\"])", "each.key");
    assert_eq!(adopted(&World::default().settle(&twice)), ["no-op free.a q"]);
}

#[test]
fn ids_come_from_whatever_is_known() {
    let data = "data \"lookup\" \"l\" {\n query = \"q\"\n}\n";
    for (rest, id, expect) in [
        ("variable \"v\" {\n default = \"z\"\n}\n".to_owned(), "\"${var.v}-x\"", "z-x"),
        (free("b", "input = \"in\""), "free.b.input", "in"),
        (data.to_owned(), "data.lookup.l.answer", "answer to q"),
        (String::new(), "5", "5"),
    ] {
        let plan = World::default().plan(&(free("a", "") + &rest + &import("free.a", id)));
        assert_eq!(adopted(&plan), [format!("no-op free.a {expect}")]);
    }
    let module = "module \"m\" {\n source = \"./m\"\n for_each = toset([\"k\"])\n}\n".to_owned();
    let plan = World::default().plan(&(module + &import("module.m[\"k\"].free.x", "\"y\"") + INNER));
    assert_eq!(adopted(&plan), ["no-op module.m[\"k\"].free.x y"]);
}

#[test]
fn a_secret_id_is_used_and_not_shown() {
    let mut world = World::default();
    let plan = world.settle(&(free("a", "") + &import("free.a", "sensitive(\"hunter2\")")));
    assert_eq!(adopted(&plan), ["no-op free.a (sensitive value)"]);
    assert_eq!(world.rows.values().next().and_then(|row| row.remote_id.as_deref()), Some("hunter2"));
    let text = plan.text(TextOptions::default());
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn what_cannot_be_adopted_is_told() {
    let a = || free("a", "");
    for (text, expect) in [
        (free("b", "") + &a() + &import("free.a", "free.b.id"), "the id of `free.a` is not known before apply"),
        (a() + &import("free.a", "null"), "the id of `free.a` is null"),
        (a() + &import("free.a", "\"\""), "the id of `free.a` is empty"),
        (a() + &import("free.a", "[1]"), "the id of `free.a` is tuple, not a text"),
        (a() + &each("free.a", "3", "each.key"), "the `for_each` of an `import` block has no elements"),
        (
            a() + &free("b", "") + &each("free.a", "toset([free.b.id])", "each.key"),
            "the `for_each` of an `import` block holds something that is no text, or is not known before apply",
        ),
        (
            a() + &each("free.a[each.value]", "{ k = sensitive(\"x\") }", "each.key"),
            "a key is sensitive, and would show in addresses",
        ),
        (a() + &each("free.a[each.value]", "{ k = true }", "each.key"), "a key is neither a number nor a text"),
        (free("a", "count = 1") + &import("free.a[1]", "\"x\""), "the template has no `free.a[1]`"),
        (free("a", "count = 1") + &import("free.a", "\"x\""), "the template has no `free.a`"),
    ] {
        assert_eq!(World::default().fail(&text), [format!("plan.import_invalid: {expect}")], "{text}");
    }
    assert_eq!(
        World::default().fail(&(a() + &import("free.a", "\"missing\""))),
        ["plan.import_missing: there is no `free` with the id `missing`"]
    );
    let circle = free("a", "") + &free("b", "input = free.a.id") + &import("free.a", "free.b.input");
    assert!(World::default().fail(&circle).iter().any(|problem| problem.starts_with("plan.cycle")));
}

#[test]
fn state_comes_before_the_block_and_moves_before_state() {
    let mut world = World::default();
    world.settle(&free("b", "input = 1"));
    let moved = "moved {\n from = free.b\n to = free.a\n}\n";
    let plan = world.settle(&(free("a", "input = 1") + moved + &import("free.a", "\"x\"")));
    assert!(adopted(&plan).is_empty());
    // An id that is wrong is told all the same.
    assert_eq!(world.fail(&(free("a", "input = 1") + &import("free.a", "null"))).len(), 1);
    // Where nothing is made, nothing is adopted.
    for mode in [Mode::Destroy, Mode::RefreshOnly] {
        let mut world = World::default();
        world.settle(&free("b", ""));
        world.options.mode = mode;
        assert_eq!(world.plan(&(free("a", "") + &free("b", "") + &import("free.a", "\"x\""))).counts().import, 0);
    }
    let mut world = World::default();
    world.settle(&free("b", ""));
    world.options.targets = vec!["free.b".parse().expect("a target")];
    assert_eq!(world.plan(&(free("a", "") + &free("b", "") + &import("free.a", "\"x\""))).counts().import, 0);
    world.options.targets = vec!["free.a".parse().expect("a target")];
    assert_eq!(world.plan(&(free("a", "") + &free("b", "") + &import("free.a", "\"x\""))).counts().import, 1);
}

#[test]
fn json_tells_of_moves_of_what_is_let_go_and_of_what_is_adopted() {
    let mut world = World::default();
    world.settle(&(free("a", "input = 1") + &free("gone", "")));
    let text = free("b", "input = 1")
        + &free("new", "")
        + &removed("free.gone", false)
        + "moved {\n from = free.a\n to = free.b\n}\n"
        + &import("free.new", "\"x\"");
    let plan = world.plan(&text);
    let json = plan_json(&plan, &*world.types);
    let changes: Vec<String> = json["resource_changes"]
        .as_array()
        .expect("changes")
        .iter()
        .map(|change| {
            let part = |name: &str| change.get(name).map(ToString::to_string).unwrap_or_default();
            format!(
                "{} {} {} {} {}",
                part("address"),
                part("previous_address"),
                change["change"]["actions"],
                part("action_reason"),
                change["change"].get("importing").map(ToString::to_string).unwrap_or_default()
            )
        })
        .collect();
    assert_eq!(
        changes,
        [
            r#""free.b" "free.a" ["no-op"]  "#,
            r#""free.gone"  ["forget"] "delete_because_no_resource_config" "#,
            r#""free.new"  ["no-op"]  {"id":"x"}"#,
        ]
    );
    assert_eq!(json["applyable"], true);
}

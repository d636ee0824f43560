//! Moves: each case was tried with Terraform 1.11, and comes to the same.

use super::{testing::*, *};

fn free(name: &str, body: &str) -> String {
    format!("resource \"free\" \"{name}\" {{\n{body}\n}}\n")
}

fn moved(from: &str, to: &str) -> String {
    format!("moved {{\n from = {from}\n to   = {to}\n}}\n")
}

fn module(name: &str, body: &str) -> String {
    format!("module \"{name}\" {{\n source = \"./m\"\n {body}\n}}\n")
}

const INNER: &str = "# file: m/main.tf\nresource \"free\" \"x\" {\n}\n";

/// Returns the changes with where each came from, no-ops that did not move left out.
fn lines(plan: &Plan) -> Vec<String> {
    let moved_or_changed = |change: &&Change| change.previous_address.is_some() || change.action != Action::NoOp;
    let line = |change: &Change| {
        let from = change.previous_address.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
        format!("{} {}{from}", change.action.as_str(), change.address)
    };
    plan.changes.iter().filter(moved_or_changed).map(line).collect()
}

/// Applies one template after the other, and compares what the second plan says. Nothing is left to do then.
#[track_caller]
fn check(before: &str, after: &str, expect: &[&str]) -> World {
    let mut world = World::default();
    world.settle(before);
    let plan = world.settle(after);
    assert_eq!(lines(&plan), expect, "{after}");
    world
}

#[test]
fn a_move_alone_changes_nothing_but_the_address_of_the_row() {
    let mut world = World::default();
    world.settle(&free("a", "input = 1"));
    let (id, before) = (world.object("free.a"), world.rows.values().next().expect("a row").clone());
    let plan = world.plan(&(free("b", "input = 1") + &moved("free.a", "free.b")));
    assert!(plan.steps.is_empty());
    assert_eq!(lines(&plan), ["no-op free.b from free.a"]);
    let [RowUpdate::Put(row)] = plan.row_updates.as_slice() else { panic!("{:?}", plan.row_updates) };
    assert_eq!(row.address.to_string(), "free.b");
    assert_eq!(*row, crate::state::Row { address: row.address.clone(), version: before.version + 1, ..before });
    world.run(&plan);
    assert_eq!(world.object("free.b"), id);
    // The block may stay: nothing moves twice.
    assert!(world.plan(&(free("b", "input = 1") + &moved("free.a", "free.b"))).is_empty());
}

#[test]
fn what_moves_is_also_changed() {
    check(
        &free("a", "input = 1"),
        &(free("b", "input = 2") + &moved("free.a", "free.b")),
        &["update free.b from free.a"],
    );
    check(
        &free("a", "replace = 1"),
        &(free("b", "replace = 2") + &moved("free.a", "free.b")),
        &["replace free.b from free.a"],
    );
}

#[test]
fn a_resource_moves_with_all_of_its_instances_and_an_instance_alone() {
    check(
        &free("a", "count = 2"),
        &(free("b", "count = 2") + &moved("free.a", "free.b")),
        &["no-op free.b[0] from free.a[0]", "no-op free.b[1] from free.a[1]"],
    );
    check(
        &free("a", "count = 2"),
        &(free("a", "for_each = toset([\"x\", \"y\"])")
            + &moved("free.a[0]", "free.a[\"x\"]")
            + &moved("free.a[1]", "free.a[\"y\"]")),
        &["no-op free.a[\"x\"] from free.a[0]", "no-op free.a[\"y\"] from free.a[1]"],
    );
    check(
        &free("a", ""),
        &(free("b", "count = 2") + &moved("free.a", "free.b[1]")),
        &["create free.b[0]", "no-op free.b[1] from free.a"],
    );
    check(
        &free("a", "count = 3"),
        &(free("c", "") + &free("b", "count = 3") + &moved("free.a", "free.b") + &moved("free.a[0]", "free.c")),
        &[
            "create free.b[0]",
            "no-op free.b[1] from free.a[1]",
            "no-op free.b[2] from free.a[2]",
            "no-op free.c from free.a[0]",
        ],
    );
}

#[test]
fn moves_are_followed_one_after_the_other() {
    check(
        &free("a", "input = 1"),
        // Not in the order in which they happened.
        &(free("c", "input = 1") + &moved("free.b", "free.c") + &moved("free.a", "free.b")),
        &["no-op free.c from free.a"],
    );
    check(
        &free("a", "count = 2"),
        &(free("c", "")
            + &free("b", "for_each = toset([\"z\"])")
            + &moved("free.b[0]", "free.c")
            + &moved("free.b[1]", "free.b[\"z\"]")
            + &moved("free.a", "free.b")),
        &["no-op free.b[\"z\"] from free.a[1]", "no-op free.c from free.a[0]"],
    );
}

#[test]
fn modules_move_with_what_is_in_them() {
    check(
        &(module("a", "") + INNER),
        &(module("b", "") + &moved("module.a", "module.b") + INNER),
        &["no-op module.b.free.x from module.a.free.x"],
    );
    check(
        &(module("a", "count = 2") + INNER),
        &(module("b", "count = 2") + &moved("module.a", "module.b") + INNER),
        &["no-op module.b[0].free.x from module.a[0].free.x", "no-op module.b[1].free.x from module.a[1].free.x"],
    );
    check(
        &(module("a", "") + INNER),
        &(module("b", "count = 2") + &moved("module.a", "module.b[1]") + INNER),
        &["create module.b[0].free.x", "no-op module.b[1].free.x from module.a.free.x"],
    );
    // Only one of the instances is meant; the other goes.
    check(
        &(module("a", "count = 2") + INNER),
        &(module("b", "") + &moved("module.a[0]", "module.b") + INNER),
        &["delete module.a[1].free.x", "no-op module.b.free.x from module.a[0].free.x"],
    );
}

#[test]
fn what_is_inside_moves_by_its_old_name_before_and_by_its_new_name_after() {
    let renamed = "# file: m/main.tf\nresource \"free\" \"y\" {\n}\nmoved {\n from = free.x\n to = free.y\n}\n";
    check(
        &(module("a", "") + INNER),
        &(module("b", "") + &moved("module.a", "module.b") + renamed),
        &["no-op module.b.free.y from module.a.free.x"],
    );
    check(
        &(module("a", "") + INNER),
        &(module("b", "")
            + &free("z", "")
            + &moved("module.a", "module.b")
            + &moved("module.a.free.x", "free.z")
            + INNER),
        &["no-op free.z from module.a.free.x", "create module.b.free.x"],
    );
    // What the module says is about the instance that it was and about the one that it becomes.
    check(
        &(module("a", "") + INNER),
        &(module("a", "count = 2") + &moved("module.a", "module.a[1]") + renamed),
        &["create module.a[0].free.y", "no-op module.a[1].free.y from module.a.free.x"],
    );
    check(
        &free("a", ""),
        &(module("m", "") + &moved("free.a", "module.m.free.x") + INNER),
        &["no-op module.m.free.x from free.a"],
    );
    check(
        &(module("a", "count = 2") + INNER),
        &(module("a", "count = 2")
            + &free("z", "")
            + &moved("module.a[1].free.x", "free.z")
            + "# file: m/main.tf\nresource \"free\" \"y\" {\n}\n"),
        &[
            "no-op free.z from module.a[1].free.x",
            "delete module.a[0].free.x",
            "create module.a[0].free.y",
            "create module.a[1].free.y",
        ],
    );
}

#[test]
fn a_count_that_is_added_or_removed_is_followed_unless_a_block_says_otherwise() {
    check(&free("a", ""), &free("a", "count = 1"), &["no-op free.a[0] from free.a"]);
    check(&free("a", "count = 2"), &free("a", ""), &["no-op free.a from free.a[0]", "delete free.a[1]"]);
    check(&free("a", ""), &free("a", "count = 0"), &["delete free.a[0] from free.a"]);
    check(
        &free("a", "count = 2"),
        &(free("a", "") + &moved("free.a[1]", "free.a")),
        &["no-op free.a from free.a[1]", "delete free.a[0]"],
    );
    // A block is about the resource, though not about this instance.
    check(
        &free("a", ""),
        &(free("a", "count = 2") + &moved("free.q", "free.a[1]")),
        &["delete free.a", "create free.a[0]", "create free.a[1]"],
    );
    // What moves in the same go is not followed further, and modules are not followed at all.
    check(
        &free("a", ""),
        &(free("b", "count = 1") + &moved("free.a", "free.b")),
        &["delete free.b from free.a", "create free.b[0]"],
    );
    check(
        &(module("a", "") + INNER),
        &(module("a", "count = 1") + INNER),
        &["delete module.a.free.x", "create module.a[0].free.x"],
    );
}

#[test]
fn what_moves_to_nothing_is_deleted_and_says_why() {
    let mut world = World::default();
    world.settle(&free("a", ""));
    let plan = world.settle(&moved("free.a", "free.b"));
    assert_eq!(lines(&plan), ["delete free.b from free.a"]);
    assert_eq!(plan.changes[0].reasons, [Reason::NoMoveTarget]);
    assert!(plan.text(TextOptions::default()).contains("it moved to where the template declares nothing"));
    assert!(world.rows.is_empty());
}

#[test]
fn what_is_in_the_way_stays_and_what_would_have_moved_goes() {
    let blocked = |before: &str, after: &str, expect: &[&str], warnings: &[&str]| {
        let mut world = World::default();
        world.settle(before);
        let plan = world.apply(after);
        assert_eq!(lines(&plan), expect);
        let found: Vec<String> = plan.warnings.iter().map(|one| format!("{}: {}", one.code, one.message)).collect();
        assert_eq!(found, warnings);
        assert!(plan.warnings.iter().all(|one| !one.labels.is_empty()), "a warning says where");
    };
    blocked(
        &(free("a", "") + &free("b", "")),
        &(free("b", "") + &moved("free.a", "free.b")),
        &["delete free.a"],
        &["plan.move_blocked: `free.a` cannot move to `free.b`: another object is there"],
    );
    blocked(
        &(free("a", "input = 1") + &free("b", "input = 2")),
        &(free("c", "input = 2") + &moved("free.a", "free.b") + &moved("free.b", "free.c")),
        &["delete free.a", "no-op free.c from free.b"],
        &["plan.move_blocked: `free.a` cannot move to `free.b`: another object is there"],
    );
    blocked(
        &(free("a", "count = 2") + &free("b", "")),
        &(free("b", "count = 2") + &moved("free.a", "free.b")),
        &["delete free.a[0]", "delete free.a[1]", "delete free.b", "create free.b[0]", "create free.b[1]"],
        &["plan.move_blocked: `free.a` cannot move to `free.b`: another object is there"],
    );
    blocked(
        &(module("a", "") + &module("b", "") + INNER),
        &(module("b", "") + &moved("module.a", "module.b") + INNER),
        &["delete module.a.free.x"],
        &["plan.move_blocked: `module.a` cannot move to `module.b`: another object is there"],
    );
}

#[test]
fn an_instance_that_is_still_there_did_not_move() {
    let mut world = World::default();
    world.settle(&free("a", "count = 2"));
    let both = free("b", "") + &moved("free.a[1]", "free.b");
    assert_eq!(
        world.fail(&(free("a", "count = 2") + &both)),
        ["plan.move_declared: `free.a[1]` is said to have moved, but the template still has it"]
    );
    assert_eq!(lines(&world.settle(&(free("a", "count = 1") + &both))), ["no-op free.b from free.a[1]"]);
    let mut world = World::default();
    world.settle(&(module("a", "count = 2") + INNER));
    assert_eq!(
        world.fail(&(module("a", "count = 2") + &module("b", "") + &moved("module.a[1]", "module.b") + INNER)),
        ["plan.move_declared: `module.a[1]` is said to have moved, but the template still has it"]
    );
}

#[test]
fn no_type_takes_over_objects_of_another() {
    let thing = |name: &str| format!("resource \"thing\" \"{name}\" {{\n}}\n") + &moved("free.a", "thing.b");
    let mut world = World::default();
    // Where there is nothing to move, nobody minds.
    world.settle(&thing("b"));
    let mut world = World::default();
    world.settle(&free("a", ""));
    assert_eq!(world.fail(&thing("b")), ["plan.move_type: a `free` cannot become a `thing`"]);
}

#[test]
fn deposed_objects_move_along_and_destroying_and_refreshing_follow_moves_too() {
    let mut world = World::default();
    world.settle(&(free("a", "input = 1") + &free("u", "input = free.a.id")));
    let id = world.object("free.a");
    let deposed = crate::state::Row {
        object_id: crate::state::ObjectId::from_u128(77),
        status: crate::state::RowStatus::Deposed,
        ..world.rows[&id].clone()
    };
    world.objects.insert(deposed.object_id, deposed.attributes.clone());
    world.rows.insert(deposed.object_id, deposed);
    let after = free("b", "input = 1") + &free("u", "input = free.b.id") + &moved("free.a", "free.b");
    world.options.mode = Mode::RefreshOnly;
    let plan = world.plan(&after);
    assert!(plan.steps.is_empty() && plan.row_updates.len() == 2);
    world.options.mode = Mode::Destroy;
    let plan = world.plan(&after);
    assert_eq!(lines(&plan), ["delete free.b from free.a", "delete free.b from free.a", "delete free.u"]);
    world.options.mode = Mode::Normal;
    let plan = world.settle(&after);
    assert_eq!(lines(&plan), ["no-op free.b from free.a", "delete free.b from free.a"]);
    assert_eq!(world.object("free.b"), id);
}

#[test]
fn many_moves_cost_no_more_than_there_are() {
    let many = |name: &str| (0..2_000).map(|at| free(&format!("{name}{at}"), "")).collect::<String>();
    let mut world = World::default();
    world.apply(&many("a"));
    let moves: String = (0..2_000).map(|at| moved(&format!("free.a{at}"), &format!("free.b{at}"))).collect();
    let plan = world.plan(&(many("b") + &moves));
    assert!(plan.steps.is_empty());
    assert_eq!(plan.row_updates.len(), 2_000);
}

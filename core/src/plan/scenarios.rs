//! What happens in which order: the scenarios that were tried with Terraform, and where we mean to differ.

use super::{testing::*, *};
use crate::{state::Row, value::Value};

fn free(name: &str, body: &str) -> String {
    format!("resource \"free\" \"{name}\" {{\n{body}\n}}\n")
}

#[track_caller]
fn check(before: &str, after: &str, expect_changes: &[&str], expect_order: &[&str]) -> World {
    let mut world = World::default();
    world.settle(before);
    let plan = world.settle(after);
    assert_eq!(changes(&plan), expect_changes);
    assert_eq!(world.done, expect_order);
    world
}

#[test]
fn replacing_both() {
    let both = |kind: &str| free("a", &format!("replace = {kind}")) + &free("b", "replace = free.a.id");
    check(
        &both("1"),
        &both("2"),
        &["delete/create free.a", "delete/create free.b"],
        &["delete free.b", "delete free.a", "create free.a", "create free.b"],
    );
}

#[test]
fn create_before_destroy_is_forced_on_what_it_uses() {
    let both = |kind: &str| {
        free("a", &format!("replace = {kind}"))
            + &free("b", "replace = free.a.id\nlifecycle {\n create_before_destroy = true\n}")
    };
    check(
        &both("1"),
        &both("2"),
        &["create/delete free.a", "create/delete free.b"],
        &["create free.a", "create free.b", "delete free.b", "delete free.a"],
    );
}

#[test]
fn the_old_object_goes_after_its_users_were_updated() {
    let both = |kind: &str| {
        free("a", &format!("replace = {kind}\nlifecycle {{\n create_before_destroy = true\n}}"))
            + &free("b", "input = free.a.id")
    };
    check(
        &both("1"),
        &both("2"),
        &["create/delete free.a", "update free.b"],
        &["create free.a", "update free.b", "delete free.a"],
    );
}

#[test]
fn what_is_removed_goes_after_its_users_let_go_of_it() {
    // Terraform deletes first.
    check(
        &(free("a", "input = 1") + &free("b", "input = free.a.id")),
        &free("b", "input = \"x\""),
        &["delete free.a", "update free.b"],
        &["update free.b", "delete free.a"],
    );
}

#[test]
fn destroying_goes_backwards_even_without_the_template() {
    let template = free("a", "input = 1") + &free("b", "input = free.a.id") + &free("c", "depends_on = [free.b]");
    let mut world = World::default();
    world.settle(&template);
    world.options.mode = Mode::Destroy;
    let plan = world.apply("");
    assert_eq!(changes(&plan), ["delete free.a", "delete free.b", "delete free.c"]);
    assert_eq!(world.done, ["delete free.c", "delete free.b", "delete free.a"]);
    assert!(world.rows.is_empty() && world.outputs.is_empty());
    assert!(world.plan("").is_empty());
}

#[test]
fn a_trigger_replaces() {
    let both = |input: &str| {
        free("a", &format!("input = {input}")) + &free("b", "lifecycle {\n replace_triggered_by = [free.a.input]\n}")
    };
    let world = check(
        &both("1"),
        &both("2"),
        &["update free.a", "delete/create free.b"],
        &["update free.a", "delete free.b", "create free.b"],
    );
    assert_eq!(world.rows.len(), 2);
}

#[test]
fn ignored_changes_change_nothing() {
    for ignore in ["[input]", "all"] {
        check(
            &free("a", "input = 1"),
            &free("a", &format!("input = 2\nlifecycle {{\n ignore_changes = {ignore}\n}}")),
            &[],
            &[],
        );
    }
}

#[test]
fn prevent_destroy_holds_even_when_the_block_is_gone() {
    let guarded = |kind: &str| free("a", &format!("replace = {kind}\nlifecycle {{\n prevent_destroy = true\n}}"));
    let mut world = World::default();
    world.settle(&guarded("1"));
    assert_eq!(
        world.fail(&guarded("2")),
        ["plan.prevent_destroy: `free.a` would have to be replaced, which `prevent_destroy` forbids"]
    );
    assert_eq!(
        world.fail(""),
        ["plan.prevent_destroy: `free.a` is not in the template any more, but its `prevent_destroy` still holds"]
    );
    world.options.mode = Mode::Destroy;
    assert_eq!(world.fail(&guarded("1")).len(), 1);
    world.options.mode = Mode::Normal;
    // Taking the switch away is a change of the row alone; then the block may go.
    let plan = world.settle(&free("a", "replace = 1"));
    assert!(plan.steps.is_empty() && plan.row_updates.len() == 1);
    world.settle("");
    assert!(world.rows.is_empty());
}

#[test]
fn count_is_added_and_removed_without_a_change() {
    let mut world = World::default();
    world.settle(&free("a", "input = 1"));
    let id = world.object("free.a");
    let plan = world.settle(&free("a", "count = 2\ninput = 1"));
    assert_eq!(changes(&plan), ["create free.a[1]"]);
    assert_eq!(world.object("free.a[0]"), id);
    let moved = plan.changes.iter().find(|change| change.address.to_string() == "free.a[0]").expect("a change");
    assert_eq!(moved.previous_address.as_ref().map(ToString::to_string), Some("free.a".to_owned()));
    let plan = world.settle(&free("a", "input = 1"));
    assert_eq!(changes(&plan), ["delete free.a[1]"]);
    assert_eq!(world.object("free.a"), id);
}

#[test]
fn reasons_of_deletes() {
    let reason = |before: &str, after: &str| {
        let mut world = World::default();
        world.settle(before);
        let plan = world.settle(after);
        let deleted = plan.changes.iter().find(|change| change.action == Action::Delete).expect("a delete");
        deleted.reasons.clone()
    };
    assert_eq!(reason(&free("a", "count = 3"), &free("a", "count = 2")), [Reason::CountTooSmall { count: 2 }]);
    let each = |keys: &str| free("a", &format!("for_each = toset({keys})"));
    assert_eq!(reason(&each("[\"x\", \"y\"]"), &each("[\"x\"]")), [Reason::KeyRemoved]);
    assert_eq!(reason(&each("[\"x\"]"), &free("a", "count = 1")), [Reason::WrongRepetition]);
    assert_eq!(reason(&free("a", ""), ""), [Reason::NotInTemplate]);
    let module = |count: u32| {
        format!(
            "module \"m\" {{\n source = \"./m\"\n count = {count}\n}}\n# file: m/main.tf\nresource \"free\" \"a\" {{\n}}\n"
        )
    };
    assert_eq!(reason(&module(2), &module(1)), [Reason::ModuleRemoved]);
    assert_eq!(reason(&module(1), ""), [Reason::NotInTemplate]);
}

#[test]
fn asking_for_a_new_one() {
    let both = free("a", "input = 1") + &free("b", "input = free.a.id");
    let mut world = World::default();
    world.settle(&both);
    world.options.replace.insert("free.a".parse().expect("an address"));
    let plan = world.apply(&both);
    assert_eq!(changes(&plan), ["delete/create free.a", "update free.b"]);
    assert_eq!(plan.changes[0].reasons, [Reason::Requested]);
    assert_eq!(world.done, ["delete free.a", "create free.a", "update free.b"]);
}

#[test]
fn targets_take_what_they_need_along() {
    let three = |n: u32| {
        free("a", &format!("input = {n}")) + &free("b", "input = free.a.output") + &free("c", &format!("input = {n}"))
    };
    let mut world = World::default();
    world.settle(&three(1));
    world.options.targets = vec!["free.b".parse().expect("a target")];
    let plan = world.apply(&three(2));
    assert_eq!(changes(&plan), ["update free.a", "update free.b"]);
    assert_eq!(world.done, ["update free.a", "update free.b"]);
    world.options.targets.clear();
    assert_eq!(changes(&world.plan(&three(2))), ["update free.c"]);
    world.options.targets = vec!["free.zzz".parse().expect("a target")];
    let plan = world.plan(&three(2));
    assert!(plan.steps.is_empty());
    assert_eq!(plan.warnings.iter().map(|warning| &*warning.code).collect::<Vec<_>>(), ["plan.target_unused"]);
}

#[test]
fn destroying_a_target_takes_its_users_along() {
    let three = free("a", "input = 1") + &free("b", "input = free.a.id") + &free("c", "input = 1");
    let mut world = World::default();
    world.settle(&three);
    world.options.mode = Mode::Destroy;
    world.options.targets = vec!["free.a".parse().expect("a target")];
    let plan = world.apply(&three);
    assert_eq!(changes(&plan), ["delete free.a", "delete free.b"]);
    assert_eq!(world.done, ["delete free.b", "delete free.a"]);
}

#[test]
fn repetitions_that_cannot_be_told() {
    let mut world = World::default();
    let unknown = "`free.b` is not known before apply";
    assert_eq!(
        world.fail(&(free("a", "input = 1") + &free("b", "count = length(free.a.id)"))),
        [format!("plan.unknown_repetition: the `count` of {unknown}")]
    );
    assert_eq!(
        world.fail(&(free("a", "input = 1") + &free("b", "for_each = toset([free.a.id])"))),
        [format!("plan.unknown_repetition: the `for_each` of {unknown}")]
    );
    world.plan(&(free("a", "input = 1") + &free("b", "for_each = { k = free.a.id }\ninput = each.value")));
    assert_eq!(
        world.fail(&free("b", "for_each = toset([sensitive(\"a\")])")),
        ["plan.repetition: the `for_each` of `free.b` is sensitive"]
    );
    assert_eq!(world.fail(&free("b", "for_each = null")), ["plan.repetition: the `for_each` of `free.b` is null"]);
    assert_eq!(world.fail(&free("b", "for_each = [1]")).len(), 1);
    assert_eq!(world.fail(&free("b", "count = -1")), ["plan.repetition: the `count` of `free.b` is negative"]);
    assert_eq!(world.fail(&free("b", "count = 1.5")), ["plan.repetition: the `count` of `free.b` is no whole number"]);
    assert_eq!(world.fail(&free("b", "count = 1e9")), ["plan.budget: the template has more than 1000000 instances"]);
}

#[test]
fn conditions() {
    let mut world = World::default();
    let pre = |condition: &str| {
        free("z", "input = 1")
            + &free(
                "a",
                &format!(
                    "input = 1\nlifecycle {{\n precondition {{\n condition = {condition}\n error_message = \"no\"\n }}\n}}"
                ),
            )
    };
    assert_eq!(world.fail(&pre("free.z.input == 2")), ["plan.condition_failed: no"]);
    world.settle(&pre("free.z.input == 1"));
    // Not known before apply: checked then.
    world.settle(&pre("free.z.id != \"\""));
    let post = |condition: &str| {
        free(
            "a",
            &format!(
                "input = 2\nlifecycle {{\n postcondition {{\n condition = {condition}\n error_message = \"bad ${{self.input}}\"\n }}\n}}"
            ),
        )
    };
    assert_eq!(world.fail(&post("self.input == 1")), ["plan.condition_failed: bad 2"]);
    world.settle(&post("self.id != \"\""));
}

#[test]
fn circles_are_explained() {
    let mut world = World::default();
    assert_eq!(
        world.fail(&(free("a", "input = free.b.id") + &free("b", "input = local.x") + "locals {\n x = free.a.id\n}\n")),
        ["plan.cycle: `free.a` needs `free.b`, which needs `local.x`, which needs `free.a`"]
    );
    assert_eq!(world.fail(&free("a", "input = free.a.id")), ["plan.cycle: `free.a` needs itself"]);
    // An instance may refer to a sibling.
    world.settle(&free("a", "count = 2\ninput = [for i in range(count.index) : free.a[i].id]"));
    assert_eq!(world.rows[&world.object("free.a[1]")].dependencies, [world.object("free.a[0]")]);
}

#[test]
fn the_arm_that_is_not_taken_is_not_waited_for() {
    let thing = |name: &str, body: &str| format!("resource \"thing\" \"{name}\" {{\n{body}\n}}\n");
    let mut world = World::default();
    let row = |world: &World, address: &str| world.rows[&world.object(address)].clone();
    let both = thing("a", "") + &thing("b", "count = 2") + &thing("c", "for_each = toset([\"k\"])");
    // By the schema alone, whichever way it is written.
    for other in [
        "thing.a.id",
        "thing.b[1].id",
        "thing.b[9].id",
        "join(\",\", thing.b[*].id)",
        "thing.c[\"k\"].name",
        "local.x",
        "module.m.x",
        "data.lookup.d.answer",
    ] {
        let text = format!(
            "{both}{}locals {{\n x = thing.a.id\n}}\ndata \"lookup\" \"d\" {{\n query = thing.a.id\n}}\n\
             module \"m\" {{\n source = \"./m\"\n}}\n# file: m/main.tf\nresource \"thing\" \"i\" {{\n}}\noutput \"x\" {{\n value = thing.i.id\n}}\n",
            thing("z", &format!("name = false ? {other} : \"x\""))
        );
        let plan = world.settle(&text);
        assert_eq!(row(&world, "thing.z").dependencies, [], "{other}");
        let step = plan.steps.iter().find(|step| step.address.to_string() == "thing.z");
        assert!(step.is_none_or(|step| step.needs.is_empty() && step.joins.is_empty()), "{other}");
        assert!(row(&world, "thing.z").wholes.is_empty(), "{other}");
    }
    // Values of any type are looked at: they say what becomes of the other arm.
    world.settle(&(free("a", "input = 7") + &free("z", "input = false ? free.a.output : \"x\"")));
    assert_eq!(row(&world, "free.z").dependencies, [world.object("free.a")]);
    // Where nobody knows yet, both count.
    world.settle(&(both + &thing("z", "name = thing.a.id == \"none\" ? thing.b[0].id : \"x\"")));
    let mut expect = vec![world.object("thing.a"), world.object("thing.b[0]")];
    expect.sort();
    assert_eq!(row(&world, "thing.z").dependencies, expect);
}

#[test]
fn what_an_arm_that_is_not_taken_looked_at_too_early_is_computed_again() {
    let thing = |name: &str, body: &str| format!("resource \"thing\" \"{name}\" {{\n{body}\n}}\n");
    // Each says the same of the two instances of `thing.m`, and is evaluated for `thing.b` before these exist.
    for late in [
        "local.one",
        "local.all",
        "local.splat",
        "module.n.out",
        "thing.m[1].id",
        "join(\",\", thing.m[*].id)",
        "join(\",\", [for m in thing.m : m.id])",
    ] {
        let text = thing("a", "")
            + &thing("b", &format!("count = 2\nname = \"${{thing.a.id}} ${{count.index == 0 ? \"x\" : {late}}}\""))
            + &thing("m", "count = 2")
            + &thing("z", &format!("name = {late}"))
            + "locals {\n one = thing.m[1].id\n all = join(\",\", local.splat_ids)\n splat = local.all\n\
               splat_ids = thing.m[*].id\n}\n\
               module \"n\" {\n source = \"./n\"\n in = local.all\n}\n\
               # file: n/main.tf\nvariable \"in\" {\n}\noutput \"out\" {\n value = var.in\n}\n";
        let mut world = World::default();
        world.settle(&text);
        let order = |address: &str| world.done.iter().position(|done| done == &format!("create {address}"));
        assert!(order("thing.b[0]") < order("thing.m[0]"), "nothing is looked at too early: {:?}", world.done);
        let name = |address: &str| {
            let name = world.rows[&world.object(address)].attributes.attribute("name").cloned();
            name.and_then(|name| name.as_str().map(str::to_owned)).expect("a name")
        };
        assert!(name("thing.b[0]").ends_with(" x"), "{late}");
        let z = name("thing.z");
        assert!(name("thing.b[1]").ends_with(&format!(" {z}")), "{late}: {} {z}", name("thing.b[1]"));
        let id = format!("id-{}", world.object("thing.m[1]").as_u128());
        assert!(z.ends_with(&id), "{late}: {z}");
    }
}

#[test]
fn what_may_be_wanted_once_more_is_known_comes_first() {
    let thing = |name: &str, body: &str| format!("resource \"thing\" \"{name}\" {{\n{body}\n}}\n");
    let base = thing("y", "") + &thing("z", "count = 2");
    // All of them hang on an id that is known only after apply.
    for value in [
        "join(\",\", [for i in range(length(thing.y.id) > 0 ? 2 : 0) : thing.z[i].id])",
        "join(\",\", [for i in [0, 1] : thing.z[i].id if thing.y.id != \"\"])",
        "join(\",\", keys({ for i in [0, 1] : thing.z[i].id => i if thing.y.id != \"\" }))",
        "\"%{ for i in range(length(thing.y.id) > 0 ? 2 : 0) }${thing.z[i].id}%{ endfor }\"",
        "try(split(\"-\", thing.y.id)[7], thing.z[1].id)",
        "thing.y.id == \"\" ? \"x\" : thing.z[1].id",
        "thing.z[length(thing.y.id) > 0 ? 1 : 0].id",
    ] {
        let mut world = World::default();
        world.settle(&(base.clone() + &thing("a", &format!("name = {value}"))));
        assert_eq!(world.done.last().map(String::as_str), Some("create thing.a"), "{value}: {:?}", world.done);
        // What is recorded covers what is used, before and after.
        let a = &world.rows[&world.object("thing.a")];
        let z = world.object("thing.z[1]");
        let covered = a.dependencies.contains(&z) || a.wholes.contains(&"thing.z".parse().expect("a target"));
        assert!(covered, "{value}: {a:?}");
        // The template refers to it no more: now the row says so.
        let plan = world.settle(&(base.clone() + &thing("a", "name = \"x\"")));
        assert_eq!(changes(&plan), ["update thing.a"]);
        let a = &world.rows[&world.object("thing.a")];
        assert!(a.dependencies.is_empty() && a.wholes.is_empty(), "{value}: {a:?}");
    }
}

#[test]
fn the_arm_that_is_not_taken_still_says_what_type_it_is() {
    let mut world = World::default();
    let thing =
        "resource \"thing\" \"s\" {\n name = \"str\"\n}\nresource \"thing\" \"l\" {\n count = 2\n}\n".to_owned();
    let output = |name: &str, value: &str| format!("output \"{name}\" {{\n value = {value}\n}}\n");
    world.settle(
        &(thing
            + &free("d", "input = \"str\"")
            + &output("id", "true ? 1 : thing.s.id")
            + &output("name", "true ? 1 : thing.s.name")
            + &output("dynamic", "true ? 1 : free.d.output")
            + &output("tuple", "true ? [1, 2] : thing.l[*].id")
            + &output("kept", "true ? 1 : tonumber(thing.s.name)")),
    );
    let one = || Value::string("1");
    assert_eq!([&world.outputs["id"], &world.outputs["name"], &world.outputs["dynamic"]], [&one(), &one(), &one()]);
    assert_eq!(world.outputs["tuple"], Value::tuple(vec![one(), Value::string("2")]));
    assert_eq!(world.outputs["kept"], Value::number(1));
}

#[test]
fn instances_may_follow_one_another() {
    let mut world = World::default();
    let text = |index: &str, first: &str| {
        free("a", &format!("count = 3\ninput = count.index == {first} ? \"x\" : free.a[{index}].id"))
    };
    world.settle(&text("count.index - 1", "0"));
    assert_eq!(world.done, ["create free.a[0]", "create free.a[1]", "create free.a[2]"]);
    assert_eq!(world.rows[&world.object("free.a[1]")].dependencies, [world.object("free.a[0]")]);
    let mut world = World::default();
    world.settle(&text("count.index + 1", "2"));
    assert_eq!(world.done, ["create free.a[2]", "create free.a[1]", "create free.a[0]"]);
    // From block to block and back, instance by instance.
    let mut world = World::default();
    world.settle(
        &(free("a", "count = 2\ninput = count.index == 0 ? \"x\" : free.b[count.index - 1].id")
            + &free("b", "count = 2\ninput = free.a[count.index].id")),
    );
    assert_eq!(world.done, ["create free.a[0]", "create free.b[0]", "create free.a[1]", "create free.b[1]"]);
}

#[test]
fn modules_that_refer_to_each_other_criss_cross_are_no_circle() {
    let mut world = World::default();
    world.settle(
        r#"
module "l" {
  source = "./m"
  in     = module.r.first
}
module "r" {
  source = "./m"
  in     = "x"
  late   = module.l.first
}
output "o" {
  value = module.r.second
}
# file: m/main.tf
variable "in" {}
variable "late" {
  default = "none"
}
resource "free" "a" {
  input = var.in
}
resource "free" "b" {
  input = var.late
}
output "first" {
  value = free.a.id
}
output "second" {
  value = free.b.output
}
"#,
    );
    assert_eq!(world.outputs["o"].as_str(), world.rows[&world.object("module.l.free.a")].remote_id.as_deref());
}

#[test]
fn an_index_that_is_not_there() {
    let mut world = World::default();
    let problems = world.fail(&(free("a", "count = 1") + &free("b", "input = free.a[3].id")));
    assert_eq!(problems, ["eval.part: there is no instance `free.a[3]`"]);
}

#[test]
fn adopting() {
    let mut world = World::default();
    world.options.imports.insert("thing.a".parse().expect("an address"), "abc".to_owned());
    let plan = world.apply("resource \"thing\" \"a\" {\n name = \"found\"\n size = 2\n}\n");
    assert_eq!(changes(&plan), ["update thing.a"]);
    assert_eq!(plan.changes[0].importing.as_deref(), Some("abc"));
    assert_eq!(world.done, ["update thing.a"]);
    world.options.imports.clear();
    assert!(world.plan("resource \"thing\" \"a\" {\n name = \"found\"\n size = 2\n}\n").is_empty());
    world.options.imports.insert("thing.a".parse().expect("an address"), "abc".to_owned());
    assert_eq!(world.fail("resource \"thing\" \"a\" {\n}\n"), ["plan.import_invalid: `thing.a` is in state already"]);
    world.options.imports.clear();
    world.options.imports.insert("thing.b".parse().expect("an address"), "missing".to_owned());
    let problems = world.fail("resource \"thing\" \"b\" {\n}\n");
    assert_eq!(problems, ["plan.import_missing: there is no `thing` with the id `missing`"]);
    let problems = world.fail("");
    assert_eq!(problems[0], "plan.import_invalid: the template has no `thing.b`");
}

#[test]
fn what_is_adopted_is_as_secret_as_the_template_says() {
    for (name, expect) in [("found", Vec::new()), ("other", vec!["update thing.a"])] {
        let mut world = World::default();
        world.options.imports.insert("thing.a".parse().expect("an address"), "abc".to_owned());
        let plan = world.plan(&format!("resource \"thing\" \"a\" {{\n name = sensitive({name:?})\n}}\n"));
        let is_secret = |object: &Value| object.attribute("name").is_some_and(Value::is_sensitive);
        assert_eq!(changes(&plan), expect);
        assert!(plan.changes.iter().filter_map(|change| change.before.as_ref()).all(is_secret), "{plan:?}");
        let rows: Vec<&Row> = plan
            .row_updates
            .iter()
            .filter_map(|update| match update {
                RowUpdate::Put(row) => Some(row),
                RowUpdate::Remove(_) => None,
            })
            .collect();
        assert!(rows.len() == 1 && rows.iter().all(|row| is_secret(&row.attributes)), "{rows:?}");
    }
}

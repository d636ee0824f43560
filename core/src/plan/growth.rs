//! What grows with the number of instances, counted: words of plans and rows, not time.

use super::{testing::*, *};

/// How many words a plan and the rows that it leads to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Words {
    waits: usize,
    dependencies: usize,
}

fn words(plan: &Plan, world: &World) -> Words {
    let steps = plan.steps.iter().map(|step| step.needs.len() + step.joins.len());
    let joins = plan.joins.iter().map(|join| join.needs.len() + join.joins.len());
    let dependencies = world.rows.values().map(|row| row.dependencies.len() + row.wholes.len());
    Words { waits: steps.chain(joins).sum(), dependencies: dependencies.sum() }
}

/// Counts what making, replacing and deleting takes with so many instances of each block. `@` stands for the number.
fn count(text: &str, size: usize) -> [Words; 3] {
    let mut world = World::default();
    let at = |size: usize, kind: &str| text.replace('@', &size.to_string()).replace("KIND", kind);
    let made = world.apply(&at(size, "a"));
    let made = words(&made, &world);
    let replaced = world.apply(&at(size, "b"));
    let replaced = words(&replaced, &world);
    world.options.mode = Mode::Destroy;
    let gone = world.apply("");
    assert!(world.rows.is_empty());
    [made, replaced, words(&gone, &world)]
}

#[track_caller]
fn check(text: &str) {
    let [small, middle, large] = [count(text, 20), count(text, 40), count(text, 80)];
    for ((small, middle), large) in small.iter().zip(&middle).zip(&large) {
        let even = |of: fn(&Words) -> usize| (of(middle) - of(small)) * 2 == of(large) - of(middle);
        assert!(even(|words| words.waits) && even(|words| words.dependencies), "{small:?} {middle:?} {large:?}");
        // No more than a few words for each of the two blocks' instances.
        assert!(large.waits <= 80 * 8 && large.dependencies <= 80 * 4, "{large:?}");
    }
}

const A: &str = "resource \"thing\" \"a\" {\n count = @\n kind = \"KIND\"\n}\n";
const FIRST: &str = "lifecycle {\n create_before_destroy = true\n}";

fn b(body: &str) -> String {
    format!("{A}resource \"thing\" \"b\" {{\n count = @\n{body}\n}}\n")
}

#[test]
fn all_of_a_block_is_one_word() {
    check(&b("name = join(\",\", thing.a[*].id)"));
    check(&b("size = length(thing.a)\nname = thing.a[0].id"));
    check(&b("name = \"${thing.a[count.index].id} ${length(thing.a[*].id)}\""));
    check(&b("depends_on = [thing.a]"));
    check(&b("name = join(\",\", [for one in thing.a : one.id])"));
    check(&b(&format!("name = join(\",\", thing.a[*].id)\n{FIRST}")));
    check(&b("lifecycle {\n replace_triggered_by = [thing.a]\n}"));
}

#[test]
fn what_instances_share_is_computed_once() {
    let computed = |body: &str| {
        let text = b(body).replace('@', "30").replace("KIND", "a");
        let mut world = World::default();
        let plan = world.plan(&text);
        let first = world.shared_count;
        world.run(&plan);
        assert!(world.plan(&text).is_empty());
        (first, world.shared_count)
    };
    assert_eq!(computed("name = join(\",\", thing.a[*].id)"), (1, 1));
    assert_eq!(computed("name = \"${count.index} ${length(thing.a[*].id)}\""), (1, 1));
    assert_eq!(computed("name = join(tostring(count.index), [for one in thing.a : one.id])"), (1, 1));
    // Of an arm that is not taken the type is.
    assert_eq!(computed("name = true ? \"x\" : join(\",\", thing.a[*].id)"), (1, 1));
    // What differs from instance to instance is not.
    assert_eq!(computed("name = join(tostring(count.index), [thing.a[count.index].id])"), (0, 0));
    let condition =
        "lifecycle {\n precondition {\n condition = length(thing.a[*].id) == 30\n error_message = \"\"\n }\n}";
    assert_eq!(computed(condition), (1, 1));
}

#[test]
fn nothing_is_walked_for_what_comes_out_as_planned() {
    let mut world = World::default();
    let text = b("name = \"${thing.a[count.index].id} ${true ? 1 : length(thing.a[*].id)}\"").replace('@', "30");
    for kind in ["a", "b"] {
        world.apply(&text.replace("KIND", kind));
        assert_eq!(world.done.len(), if kind == "a" { 60 } else { 90 });
        assert_eq!(world.walk_count, 0);
    }
}

#[test]
fn what_instances_share_and_failed_fails_all_of_them() {
    let a = "resource \"thing\" \"a\" {\n count = 2\n lifecycle {\n precondition {\n condition = count.index < 0\n error_message = \"no\"\n }\n }\n}\n";
    // Nobody is asked about an instance that would be made with what failed.
    let b = "resource \"thing\" \"b\" {\n count = 3\n name = \"forbidden\"\n size = length(thing.a[*].id)\n}\n";
    let problems = World::default().fail(&format!("{a}{b}"));
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.starts_with("plan.condition_failed")), "{problems:?}");
}

#[test]
fn what_was_made_with_many_is_one_word() {
    let locals = "locals {\n ids = [for i in range(@) : thing.a[i].id]\n some = slice(local.ids, 0, 2)\n}\n";
    check(&(b("name = join(\",\", local.ids)") + locals));
    check(&(b("name = join(\",\", local.some)") + locals));
    let data = "data \"lookup\" \"d\" {\n count = @\n query = thing.a[count.index].id\n}\n";
    check(&(b("name = join(\",\", data.lookup.d[*].answer)") + data));
    check(&(b("name = data.lookup.e.answer") + "data \"lookup\" \"e\" {\n query = join(\",\", thing.a[*].id)\n}\n"));
}

#[test]
fn modules_are_one_word() {
    let module = "module \"m\" {\n source = \"./m\"\n count = @\n}\n";
    let file =
        "# file: m/main.tf\nresource \"thing\" \"x\" {\n kind = \"KIND\"\n}\noutput \"id\" {\n value = thing.x.id\n}\n";
    let user = |body: &str| format!("{module}resource \"thing\" \"b\" {{\n count = @\n{body}\n}}\n{file}");
    check(&user("depends_on = [module.m]"));
}

#[test]
fn an_unchanged_hub_is_one_word() {
    let hub = |size: &str, kind: &str| {
        format!(
            "resource \"thing\" \"a\" {{\n count = {size}\n tags = {{ kind = \"{kind}\" }}\n}}\n\
             resource \"thing\" \"hub\" {{\n name = join(\",\", [for i in range({size}) : thing.a[i].id])\n}}\n\
             resource \"thing\" \"b\" {{\n count = {size}\n name = thing.hub.id\n tags = {{ kind = \"{kind}\" }}\n}}\n"
        )
    };
    let waits = |size: &str| {
        let mut world = World::default();
        world.settle(&hub(size, "a"));
        let plan = world.settle(&hub(size, "b"));
        assert_eq!(plan.steps.len(), 2 * size.parse::<usize>().expect("a number"));
        words(&plan, &world).waits
    };
    assert_eq!((waits("30"), waits("60")), (60, 120));
}

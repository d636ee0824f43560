//! What planning makes of rows, answers and marks.

use std::sync::Arc;

use super::{testing::*, *};
use crate::{
    state::RowStatus,
    value::{Marks, Type, Value},
};

fn thing(name: &str, body: &str) -> String {
    format!("resource \"thing\" \"{name}\" {{\n{body}\n}}\n")
}

#[test]
fn drift_is_told_and_mended() {
    let mut world = World::default();
    let text = thing("a", "name = \"n\"\nsize = 3") + &thing("b", "name = thing.a.id");
    world.settle(&text);
    world.drift("thing.a", "size", Value::number(9));
    let plan = world.plan(&text);
    assert_eq!(changes(&plan), ["update thing.a"]);
    assert_eq!(plan.drift.len(), 1);
    assert_eq!((plan.drift[0].kind, plan.drift[0].paths.len()), (DriftKind::Changed, 1));
    // The row is brought up to the world first, so that the update starts from what is there.
    assert!(
        matches!(&plan.row_updates[..], [RowUpdate::Put(row)] if row.attributes.attribute("size") == Some(&Value::number(9)))
    );
    world.settle(&text);
    // Nobody looks: nothing is seen.
    world.drift("thing.a", "size", Value::number(9));
    world.options.refresh = false;
    assert!(world.plan(&text).is_empty());
}

#[test]
fn what_vanished_is_made_again() {
    let mut world = World::default();
    let text = thing("a", "name = \"n\"") + &thing("b", "name = thing.a.id");
    world.settle(&text);
    let old = world.object("thing.a");
    world.objects.remove(&old);
    let plan = world.settle(&text);
    assert_eq!(changes(&plan), ["create thing.a", "update thing.b"]);
    assert_eq!(plan.changes[0].reasons, [Reason::Vanished]);
    assert_eq!(plan.row_updates, [RowUpdate::Remove(old)]);
    assert_ne!(world.object("thing.a"), old);
    // And where nothing is wanted any more, only the row goes.
    let old = world.object("thing.b");
    world.objects.remove(&old);
    let plan = world.settle(&thing("a", "name = \"n\""));
    assert!(plan.steps.is_empty());
    assert_eq!(plan.row_updates, [RowUpdate::Remove(old)]);
}

#[test]
fn adopting_alone_changes_nothing_but_state() {
    let mut world = World::default();
    let text = "variable \"name\" {\n default = \"wanted\"\n sensitive = true\n}\n".to_owned()
        + &thing("b", "")
        + &thing("a", "count = 2\n name = \"${var.name}${thing.b.size}\"");
    world.settle(&thing("b", ""));
    world.done.clear();
    world.options.mode = Mode::RefreshOnly;
    world.options.targets = vec!["thing.a[1]".parse().expect("a target")];
    world.options.imports.insert("thing.a[1]".parse().expect("an address"), "abc".to_owned());
    let plan = world.apply(&text);
    assert!(plan.steps.is_empty() && world.done.is_empty());
    assert_eq!(plan.changes[0].importing.as_deref(), Some("abc"));
    let row = world.rows[&world.object("thing.a[1]")].clone();
    assert_eq!(row.remote_id.as_deref(), Some("abc"));
    assert_eq!(row.dependencies, [world.object("thing.b")]);
    assert!(row.attributes.attribute("name").is_some_and(Value::is_sensitive), "the template's marks are kept");
    world.options = PlanOptions::default();
    assert_eq!(changes(&world.plan(&text)), ["create thing.a[0]", "update thing.a[1]"]);
}

#[test]
fn refreshing_alone_changes_rows_and_outputs() {
    let mut world = World::default();
    let text = thing("a", "size = 3") + "output \"size\" {\n value = thing.a.size\n}\n";
    world.settle(&text);
    world.drift("thing.a", "size", Value::number(9));
    world.options.mode = Mode::RefreshOnly;
    let plan = world.settle(&text);
    assert!(plan.steps.is_empty() && plan.changes_outputs());
    assert_eq!(world.outputs["size"], Value::number(9));
}

#[test]
fn tainted_objects_are_replaced() {
    let mut world = World::default();
    let text = thing("a", "name = \"n\"");
    world.settle(&text);
    let object = world.object("thing.a");
    world.rows.get_mut(&object).expect("a row").status = RowStatus::Tainted;
    let plan = world.settle(&text);
    assert_eq!(
        (changes(&plan), &plan.changes[0].reasons[..]),
        (vec!["delete/create thing.a".to_owned()], &[Reason::Tainted][..])
    );
}

#[test]
fn what_did_not_work_yet_is_waited_for() {
    let mut world = World::default();
    let text = |size: u32| thing("a", &format!("size = {size}")) + &thing("b", "name = thing.a.id");
    world.apply(&thing("a", "size = 1"));
    let object = world.object("thing.a");
    world.rows.get_mut(&object).expect("a row").ready = false;
    let plan = world.plan(&text(1));
    assert_eq!(changes(&plan), ["wait thing.a", "create thing.b"]);
    assert_eq!((&plan.changes[0].reasons[..], plan.counts().wait), (&[Reason::NotReady][..], 1));
    assert!(plan.row_updates.is_empty() && !plan.is_empty());
    assert!(
        plan.to_string().starts_with(
            " .. thing.a stays as it is and will be waited for: it did not work yet when the last run ended\n"
        ),
        "{plan}"
    );
    assert!(plan.to_string().contains("Plan: 1 to add, 0 to change, 0 to destroy, 1 to wait for."), "{plan}");
    world.settle(&text(1));
    assert_eq!(world.done, ["wait thing.a", "create thing.b"]);
    // Whatever is changed is waited for anyway.
    world.rows.get_mut(&object).expect("a row").ready = false;
    assert_eq!(changes(&world.settle(&text(2))), ["update thing.a"]);
    // Marks and dependencies are brought up to the template all the same.
    let marked = "variable \"v\" {\n sensitive = true\n}\n".to_owned()
        + &thing("a", "size = var.v\ndepends_on = [thing.c]")
        + &thing("c", "");
    world.variables.insert("v".to_owned(), Value::number(2).with_marks(Marks::SENSITIVE));
    world.settle(&(thing("a", "size = 2") + &thing("c", "")));
    world.rows.get_mut(&object).expect("a row").ready = false;
    let plan = world.settle(&marked);
    let change = plan.changes.iter().find(|change| change.action == Action::Wait).expect("a wait");
    assert_eq!(change.reasons, [Reason::NotReady, Reason::SensitivityChanged]);
    let row = &world.rows[&object];
    assert!(row.ready && row.attributes.attribute("size").is_some_and(Value::is_sensitive));
    assert_eq!(row.dependencies, [world.object("thing.c")]);
    // What goes is not waited for.
    world.rows.get_mut(&object).expect("a row").ready = false;
    assert_eq!(changes(&world.settle(&thing("c", ""))), ["delete thing.a"]);
}

#[test]
fn uncertain_rows_stop_planning() {
    let mut world = World::default();
    let text = thing("a", "name = \"n\"") + &thing("b", "name = thing.a.id") + &thing("c", "");
    world.settle(&text);
    let object = world.object("thing.a");
    world.rows.get_mut(&object).expect("a row").status = RowStatus::Uncertain;
    assert_eq!(world.fail(&text), ["plan.uncertain: nobody knows what became of `thing.a`"]);
    world.options.targets = vec!["thing.b".parse().expect("a target")];
    assert_eq!(world.fail(&text).len(), 1);
    // What has nothing to do with it can be planned.
    world.options.targets = vec!["thing.c".parse().expect("a target")];
    assert!(world.plan(&text).steps.is_empty());
}

#[test]
fn deposed_objects_are_deleted() {
    let mut world = World::default();
    let text = thing("a", "name = \"n\"");
    world.settle(&text);
    let current = world.rows[&world.object("thing.a")].clone();
    let old = crate::state::ObjectId::from_u128(999);
    let deposed = crate::state::Row { object_id: old, status: RowStatus::Deposed, ..current };
    world.objects.insert(old, deposed.attributes.clone());
    world.rows.insert(old, deposed);
    let plan = world.settle(&text);
    assert_eq!(changes(&plan), ["delete thing.a (deposed)"]);
    assert!(plan.steps[0].create_before_destroy);
    assert_eq!(plan.changes.iter().map(|change| change.deposed).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn unknown_types_are_named() {
    let mut world = World::default();
    assert_eq!(
        world.fail("resource \"thin\" \"a\" {\n count = 3\n}\n"),
        ["plan.type_unknown: no resource type `thin` is registered"]
    );
    world.settle(&thing("a", ""));
    let object = world.object("thing.a");
    world.rows.get_mut(&object).expect("a row").type_name = Arc::from("lost");
    assert_eq!(world.fail(""), ["plan.type_unknown: state has `thing.a`, but no resource type `lost` is registered"]);
}

#[test]
fn newer_schemas_upgrade_rows_and_older_ones_refuse() {
    let mut world = World::default();
    world.settle(&thing("a", ""));
    world.types = Arc::new(Types { thing_version: 3 });
    let plan = world.settle(&thing("a", ""));
    assert!(plan.steps.is_empty());
    assert!(matches!(&plan.row_updates[..], [RowUpdate::Put(row)] if row.schema_version == 3));
    world.types = Arc::new(Types { thing_version: 1 });
    assert!(world.fail(&thing("a", ""))[0].starts_with("plan.schema_newer: "));
}

#[test]
fn what_a_type_upgrades_is_planned_with_and_kept() {
    let mut world = World::default();
    world.settle(&thing("a", "secret = \"s3cret\""));
    world.types = Arc::new(Types { thing_version: 1 });
    world.options.refresh = false;
    let plan = world.plan(&thing("a", "secret = \"s3cret\""));
    assert!(plan.steps.is_empty());
    let [RowUpdate::Put(row)] = &plan.row_updates[..] else { panic!("{:?}", plan.row_updates) };
    assert_eq!((row.schema_version, row.attributes.attribute("note")), (1, Some(&Value::string("from 0"))));
    assert!(row.attributes.attribute("secret").is_some_and(Value::is_sensitive));
    world.settle(&thing("a", "secret = \"s3cret\""));
    world.types = Arc::new(Types { thing_version: 2 });
    assert_eq!(
        world.fail(&thing("a", "secret = \"s3cret\"")),
        ["resource.upgrade_unsupported: nobody knows version 1"]
    );
}

#[test]
fn marks_follow_values() {
    let mut world = World::default();
    let text = |sensitive: bool| {
        format!("variable \"v\" {{\n sensitive = {sensitive}\n}}\n")
            + &thing("a", "name = \"x-${var.v}\"\nsecret = \"open\"")
            // Triggered by what changes, not by who may see it.
            + &thing("b", "lifecycle {\n replace_triggered_by = [thing.a]\n}")
    };
    world.variables.insert("v".to_owned(), Value::string("hunter2"));
    let plan = world.settle(&text(true));
    let shown = plan.to_string();
    assert!(!shown.contains("hunter2") && !shown.contains("open"), "{shown}");
    assert!(world.rows[&world.object("thing.a")].attributes.attribute("name").is_some_and(Value::is_sensitive));
    // Marks alone are a change without a step.
    let plan = world.settle(&text(false));
    assert_eq!(changes(&plan), ["update thing.a"]);
    assert_eq!(plan.changes[0].reasons, [Reason::SensitivityChanged]);
    assert!(plan.steps.is_empty() && plan.row_updates.len() == 1);
    assert!(!world.rows[&world.object("thing.a")].attributes.attribute("name").is_some_and(Value::is_sensitive));
}

#[test]
fn sensitive_outputs_must_say_so() {
    let mut world = World::default();
    let text =
        |rest: &str| thing("a", "secret = \"s\"") + &format!("output \"o\" {{\n value = thing.a.secret\n {rest}\n}}\n");
    assert_eq!(world.fail(&text("")), ["plan.sensitive_output: output `o` would show a sensitive value"]);
    world.settle(&text("sensitive = true"));
    assert!(world.outputs["o"].is_sensitive());
}

#[test]
fn data_is_read_while_planning_where_that_can_be() {
    let mut world = World::default();
    let text = "data \"lookup\" \"d\" {\n query = \"q\"\n}\n".to_owned() + &thing("a", "name = data.lookup.d.answer");
    let plan = world.settle(&text);
    assert_eq!(changes(&plan), ["create thing.a"]);
    assert_eq!(
        plan.reads[0].value.as_ref().and_then(|value| value.attribute("answer")),
        Some(&Value::string("answer to q"))
    );
    world.answers.insert("q".to_owned(), "new".to_owned());
    assert_eq!(changes(&world.settle(&text)), ["update thing.a"]);
}

#[test]
fn data_is_read_later_where_its_configuration_is_not_known() {
    let mut world = World::default();
    let text = thing("a", "name = \"n\"")
        + "data \"lookup\" \"d\" {\n query = thing.a.id\n}\n"
        + &thing("b", "name = data.lookup.d.answer")
        + "output \"o\" {\n value = data.lookup.d.answer\n}\n";
    let plan = world.settle(&text);
    assert_eq!(changes(&plan), ["create thing.a", "create thing.b", "read data.lookup.d"]);
    assert_eq!(plan.changes[2].reasons, [Reason::ConfigUnknown]);
    assert_eq!(world.done, ["create thing.a", "read data.lookup.d", "create thing.b"]);
    let a = &world.rows[&world.object("thing.a")];
    let b = &world.rows[&world.object("thing.b")];
    assert_eq!(
        b.attributes.attribute("name"),
        Some(&Value::string(format!("answer to {}", a.remote_id.clone().expect("an id"))))
    );
    // What uses the data source uses what that uses: deletes go the other way round.
    assert_eq!(b.dependencies, [a.object_id]);
}

#[test]
fn data_that_waits_for_a_change_is_read_after_it() {
    let mut world = World::default();
    let text = |size: u32| {
        thing("a", &format!("size = {size}")) + "data \"lookup\" \"d\" {\n query = \"q\"\n depends_on = [thing.a]\n}\n"
    };
    let plan = world.settle(&text(1));
    assert_eq!(changes(&plan), ["create thing.a", "read data.lookup.d"]);
    assert_eq!(plan.changes[1].reasons, [Reason::DependencyPending { addresses: vec!["thing.a".to_owned()] }]);
    assert_eq!(world.done, ["create thing.a", "read data.lookup.d"]);
    assert_eq!(changes(&world.settle(&text(2))), ["update thing.a", "read data.lookup.d"]);
}

#[test]
fn a_module_waits_as_a_whole() {
    let mut world = World::default();
    let text = thing("z", "name = \"n\"")
        + "module \"m\" {\n source = \"./m\"\n depends_on = [thing.z]\n}\n"
        + &thing("a", "depends_on = [module.m]")
        + "# file: m/main.tf\nresource \"thing\" \"x\" {\n}\ndata \"lookup\" \"d\" {\n}\n";
    let plan = world.settle(&text);
    assert_eq!(
        world.done,
        ["create thing.z", "create module.m.thing.x", "read module.m.data.lookup.d", "create thing.a"]
    );
    let row = |address: &str| &world.rows[&world.object(address)];
    assert_eq!(row("module.m.thing.x").dependencies, [world.object("thing.z")]);
    assert_eq!(row("thing.a").wholes, ["module.m".parse().expect("a target")]);
    // The data source in it leads out of it.
    assert_eq!(row("thing.a").dependencies, [world.object("thing.z")]);
    assert_eq!(plan.changes.len(), 4);
}

#[test]
fn providers_are_configured() {
    let mut world = World::default();
    let strict = "resource \"strict_thing\" \"s\" {\n}\n";
    let problems = world.fail(strict);
    assert!(
        problems.len() == 1 && problems[0].starts_with("plan.provider_missing: provider `strict` is not configured"),
        "{problems:?}"
    );
    let text = |region: &str| format!("provider \"strict\" {{\n region = {region}\n}}\n{strict}");
    let plan = world.settle(&text("\"gz\""));
    assert_eq!(plan.provider_configs["strict"].attribute("region"), Some(&Value::string("gz")));
    // A configuration that is not known yet: what it needs comes first.
    let mut world = World::default();
    let text = thing("a", "name = \"n\"") + &text("thing.a.id");
    world.settle(&text);
    assert_eq!(world.done, ["create thing.a", "create strict_thing.s"]);
    assert_eq!(world.rows[&world.object("strict_thing.s")].dependencies, [world.object("thing.a")]);
    world.options.mode = Mode::Destroy;
    let plan = world.apply(&text);
    assert_eq!(world.done, ["delete strict_thing.s", "delete thing.a"]);
    assert!(plan.provider_configs["strict"].is_wholly_known());
}

#[test]
fn for_each_over_a_block_follows_it_key_by_key() {
    let mut world = World::default();
    let text = "resource \"thing\" \"a\" {\n for_each = toset([\"x\", \"y\"])\n name = each.key\n}\n\
                resource \"thing\" \"b\" {\n for_each = thing.a\n name = \"${each.key} ${each.value.id}\"\n}\n";
    world.settle(text);
    for key in ["x", "y"] {
        let dependencies = &world.rows[&world.object(&format!("thing.b[\"{key}\"]"))].dependencies;
        assert_eq!(*dependencies, [world.object(&format!("thing.a[\"{key}\"]"))]);
    }
}

#[test]
fn a_reference_touches_one_instance() {
    let mut world = World::default();
    let text = "resource \"thing\" \"a\" {\n count = 3\n}\n\
                resource \"thing\" \"b\" {\n count = length(thing.a)\n name = thing.a[count.index].id\n}\n\
                resource \"thing\" \"c\" {\n name = join(\",\", thing.a[*].id)\n}\n";
    world.settle(text);
    assert_eq!(world.rows[&world.object("thing.b[1]")].dependencies, [world.object("thing.a[1]")]);
    // All of them are one word, which holds however many there are.
    let c = &world.rows[&world.object("thing.c")];
    assert_eq!((c.dependencies.len(), &c.wholes[..]), (0, &["thing.a".parse().expect("a target")][..]));
    let plan = world.settle(&text.replace("count = 3", "count = 4"));
    assert!(plan.row_updates.is_empty());
}

#[test]
fn what_tells_the_number_of_instances_comes_first() {
    let text = "resource \"thing\" \"z\" {\n size = 2\n tags = { k = \"v\" }\n}\n\
                resource \"thing\" \"y\" {\n count = 1\n}\n\
                resource \"thing\" \"a\" {\n count = thing.z.size\n}\n\
                resource \"thing\" \"b\" {\n for_each = thing.z.tags\n}\n\
                resource \"thing\" \"c\" {\n count = length([for y in thing.y : y.size])\n}\n\
                module \"m\" {\n source = \"./m\"\n count = thing.z.size\n}\n\
                data \"lookup\" \"d\" {\n count = thing.z.size\n query = \"q\"\n}\n\
                resource \"thing\" \"e\" {\n name = data.lookup.d[0].answer\n}\n\
                # file: m/main.tf\nresource \"thing\" \"x\" {\n}\nmodule \"n\" {\n source = \"./n\"\n}\n\
                # file: m/n/main.tf\nresource \"thing\" \"x\" {\n}\n";
    let mut world = World::default();
    world.settle(text);
    let z = world.object("thing.z");
    let users = ["thing.a[1]", "thing.b[\"k\"]", "module.m[1].thing.x", "module.m[0].module.n.thing.x", "thing.e"];
    let place =
        |world: &World, address: &str| world.done.iter().position(|done| done.ends_with(&format!(" {address}")));
    for user in users {
        assert_eq!(world.rows[&world.object(user)].dependencies, [z], "{user}");
        assert!(place(&world, "thing.z") < place(&world, user), "{user}: {:?}", world.done);
    }
    assert_eq!(world.rows[&world.object("thing.c[0]")].wholes, ["thing.y".parse().expect("a target")]);
    world.options.mode = Mode::Destroy;
    world.apply("");
    for user in users {
        assert!(place(&world, user) < place(&world, "thing.z"), "{user}: {:?}", world.done);
    }
}

#[test]
fn counting_instances_waits_for_none_of_them() {
    let text = "resource \"thing\" \"z\" {\n for_each = toset([\"k\"])\n}\n\
                resource \"thing\" \"a\" {\n count = length(thing.z)\n}\n\
                resource \"thing\" \"b\" {\n for_each = toset(keys(thing.z))\n}\n\
                resource \"thing\" \"c\" {\n for_each = (thing.z)\n}\n\
                module \"m\" {\n source = \"./m\"\n count = length(thing.z)\n}\n\
                # file: m/main.tf\nresource \"thing\" \"x\" {\n}\n";
    let mut world = World::default();
    let plan = world.settle(text);
    assert!(plan.steps.iter().all(|step| step.needs.is_empty() && step.joins.is_empty()));
    assert!(world.rows.values().all(|row| row.dependencies.is_empty() && row.wholes.is_empty()));
}

#[test]
fn dependencies_are_kept_up_even_when_nothing_else_changes() {
    let mut world = World::default();
    let text = |list: &str| thing("a", "") + &thing("b", "") + &thing("c", &format!("depends_on = [{list}]"));
    world.settle(&text("thing.a"));
    let plan = world.settle(&text("thing.b"));
    assert!(plan.steps.is_empty() && plan.row_updates.len() == 1);
    assert_eq!(world.rows[&world.object("thing.c")].dependencies, [world.object("thing.b")]);
}

#[test]
fn variables_of_modules_are_converted_and_checked() {
    let mut world = World::default();
    let text = |input: &str| {
        format!("module \"m\" {{\n source = \"./m\"\n n = {input}\n}}\noutput \"o\" {{\n value = module.m.n\n}}\n")
            + "# file: m/main.tf\nvariable \"n\" {\n type = number\n nullable = false\n default = 7\n validation {\n condition = var.n < 10\n error_message = \"too large: ${var.n}\"\n }\n}\noutput \"n\" {\n value = var.n\n}\n"
    };
    world.settle(&text("\"5\""));
    assert_eq!(world.outputs["o"], Value::number(5));
    world.settle(&text("null"));
    assert_eq!(world.outputs["o"], Value::number(7));
    assert_eq!(world.fail(&text("11")), ["plan.validation_failed: too large: 11"]);
    let problems = world.fail(&text("\"x\""));
    assert!(problems[0].starts_with("plan.variable: the value for `n` does not fit"), "{problems:?}");
}

#[test]
fn every_problem_is_told_once() {
    let mut world = World::default();
    let text = "locals {\n x = 1 + \"a\"\n}\n".to_owned()
        + &thing("a", "name = local.x\nsize = -1")
        + &thing("b", "count = local.x\nname = \"forbidden\"")
        + &thing("c", "name = \"forbidden\"");
    let problems = world.fail(&text);
    assert_eq!(problems.len(), 3, "{problems:#?}");
}

#[test]
fn answers_of_types_are_checked() {
    let template = template(&thing("a", "name = \"n\""));
    let types: Arc<dyn TypeSource> = Arc::new(Types::default());
    let mut input = PlanInput::new(crate::state::StackKey::new("t", "s"), template, types);
    input.object_ids = ObjectIds::counting_from(1);
    let mut planner = Planner::new(input).expect("a planner");
    let [(id, request)] = <[_; 1]>::try_from(planner.requests()).expect("one request");
    let Ask::Plan(plan) = request.ask else { panic!("a plan is asked for") };
    let parts = plan.proposed.entries().map(|(name, value)| {
        let value = match &**name {
            "name" => Value::string("other"),
            "kind" => Value::string("made up"),
            _ => value.clone(),
        };
        (Arc::clone(name), value)
    });
    let planned = Value::object(parts.collect::<Vec<_>>());
    planner.answer(
        id,
        Answer::Plan(Ok(crate::resource::PlanResponse { planned, requires_replace: vec![], private: None })),
    );
    let (plan, problems) = planner.finish();
    assert!(plan.is_none());
    let message = &problems[0].message;
    assert_eq!(problems[0].code, "resource.plan_invalid");
    assert!(
        message.contains("`name` is planned otherwise") && message.contains("`kind` is planned although"),
        "{message}"
    );
}

#[test]
fn unanswered_and_wrong_answers_are_bugs_of_the_caller() {
    let make = || {
        let types: Arc<dyn TypeSource> = Arc::new(Types::default());
        Planner::new(PlanInput::new(crate::state::StackKey::new("t", "s"), template(&thing("a", "")), types))
            .expect("a planner")
    };
    let (plan, problems) = make().finish();
    assert!(plan.is_none() && problems.iter().any(|problem| problem.code == "engine.bug"));
    let mut planner = make();
    let (id, _) = planner.requests().remove(0);
    planner.answer(id, Answer::Read(Ok(None)));
    assert!(planner.finish().0.is_none());
    let mut planner = make();
    planner.answer(RequestId(77), Answer::Read(Ok(None)));
    assert!(planner.finish().0.is_none());
}

#[test]
fn write_only_values_are_in_no_plan() {
    let mut world = World::default();
    let plan = world.plan(&thing("a", "token = \"hunter2\""));
    assert!(!format!("{:?}", plan.steps).contains("hunter2") && !format!("{:?}", plan.changes).contains("hunter2"));
    assert!(matches!(plan.steps[0].config, StepConfig::Residual(_)));
    let mut residue = Residue::open(Arc::new(plan.clone()), &[], Arc::clone(&world.types) as _).expect("a residue");
    let finalized = residue.finalize(&plan.steps[0]).expect("a configuration");
    assert_eq!(finalized.config.attribute("token"), Some(&Value::string("hunter2")));
}

#[test]
fn a_secret_that_is_write_only_leaves_nothing_to_do() {
    for set in ["\"hunter2\"", "sensitive(\"hunter2\")", "null"] {
        World::default().settle(&thing("a", &format!("token = {set}")));
        let plan = World::default().settle(&format!("resource \"free\" \"a\" {{\n pin = {set}\n}}"));
        let after = plan.changes[0].after.as_ref().expect("an object");
        assert_eq!(after.attribute("pin"), Some(&Value::null(Type::String).with_marks(Marks::SENSITIVE)), "{set}");
    }
}

#[test]
fn what_was_made_with_an_older_value_is_made_again() {
    let mut world = World::default();
    let m = "resource \"thing\" \"m\" {\n count = 2\n}\n";
    for used in [
        "thing.m[0].id",
        "join(\",\", thing.m[*].id)",
        "join(\",\", [for m in thing.m : m.id])",
        "local.all",
        "module.n.out",
    ] {
        let text = m.to_owned()
            + &thing("z", &format!("count = 2\nname = \"${{count.index}} ${{{used}}}\""))
            + "locals {\n all = join(\",\", thing.m[*].id)\n}\nmodule \"n\" {\n source = \"./n\"\n in = local.all\n}\n\
               # file: n/main.tf\nvariable \"in\" {\n}\noutput \"out\" {\n value = var.in\n}\n";
        let plan = world.plan(&text);
        let step = |address: &str| {
            plan.steps.iter().find(|step| step.address.to_string() == address).expect("a step of that address")
        };
        let mut residue = Residue::open(Arc::new(plan.clone()), &[], Arc::clone(&world.types) as _).expect("a residue");
        let apply = |residue: &mut Residue, address: &str, id: &str| {
            let step = step(address);
            let value = complete(&step.planned.clone().expect("planned"), id);
            residue.applied(&step.address, step.object_id, value);
        };
        let name = |residue: &mut Residue, address: &str| {
            let config = residue.finalize(step(address)).expect("a configuration").config;
            config.attribute("name").and_then(|name| name.as_str().map(str::to_owned)).expect("a name")
        };
        apply(&mut residue, "thing.m[0]", "early");
        apply(&mut residue, "thing.m[1]", "other");
        let first = name(&mut residue, "thing.z[0]");
        assert!(first.starts_with("0 early"), "{used}: {first}");
        assert_eq!(residue.walk_count(), 0);
        // It became something else while it got ready.
        apply(&mut residue, "thing.m[0]", "late");
        for address in ["thing.z[0]", "thing.z[1]"] {
            let again = name(&mut residue, address);
            assert!(again.contains("late") && !again.contains("early"), "{used}: {again}");
        }
        assert_eq!(residue.walk_count(), 1);
    }
}

#[test]
fn drawings_are_replayed() {
    let mut world = World::default();
    let plan = world.plan(&thing("a", "name = uuid()\nnote = timestamp()"));
    let open = || Residue::open(Arc::new(plan.clone()), &[], Arc::clone(&world.types) as _).expect("a residue");
    let mut first = open();
    let config = first.finalize(&plan.steps[0]).expect("a configuration").config;
    let drawings = first.take_drawings();
    assert_eq!(drawings.len(), 2);
    assert!(first.take_drawings().is_empty());
    let mut second = open();
    drawings.into_iter().for_each(|drawing| second.drawn(drawing));
    assert!(second.finalize(&plan.steps[0]).expect("a configuration").config.same(&config));
    assert!(second.take_drawings().is_empty());
    assert!(!open().finalize(&plan.steps[0]).expect("a configuration").config.same(&config));
}

#[test]
fn outputs_come_and_go() {
    let mut world = World::default();
    let output = |name: &str, value: &str| format!("output \"{name}\" {{\n value = {value}\n}}\n");
    let plan = world.settle(&(output("a", "1") + &output("b", "[1]")));
    assert!(plan.steps.is_empty() && plan.changes_outputs());
    let plan = world.settle(&output("a", "2"));
    assert_eq!(plan.outputs["b"].after, None);
    assert_eq!(world.outputs.keys().collect::<Vec<_>>(), ["a"]);
    assert!(!Marks::SENSITIVE.is_empty());
}

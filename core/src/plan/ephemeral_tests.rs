//! What is used and never stored. Terraform 1.11.4 takes and refuses the same.

use std::sync::Arc;

use super::{testing::*, *};
use crate::value::{Marks, Value};

const TOKEN: &str = "variable \"token\" {\n ephemeral = true\n default = \"hunter2\"\n}\n";

/// Returns the problems of a template with an ephemeral variable.
fn fail(text: &str) -> Vec<String> {
    World::default().fail(&format!("{TOKEN}{text}"))
}

#[test]
fn ephemeral_values_stand_where_nothing_is_stored() {
    let refuse = |text: &str, expect: &str| {
        let problems = fail(text);
        assert!(problems.len() == 1 && problems[0].starts_with(expect), "{text}: {problems:?}");
    };
    refuse("output \"o\" {\n value = var.token\n}\n", "plan.ephemeral: the output `o` is not declared as ephemeral");
    refuse(
        "locals {\n x = [for c in split(\"t\", var.token) : 1]\n}\noutput \"o\" {\n value = length(local.x)\n}\n",
        "plan.ephemeral: the output `o` is not declared as ephemeral",
    );
    refuse("output \"o\" {\n value = terraform.applying\n}\n", "plan.ephemeral: the output `o`");
    refuse(
        "resource \"thing\" \"a\" {\n name = \"x${var.token}\"\n}\n",
        "plan.ephemeral: `name` cannot take an ephemeral value",
    );
    refuse(
        "resource \"thing\" \"a\" {\n tags = { a = var.token }\n}\n",
        "plan.ephemeral: `tags` cannot take an ephemeral value",
    );
    refuse("data \"lookup\" \"a\" {\n query = var.token\n}\n", "plan.ephemeral: `query` cannot take");
    refuse(
        "resource \"thing\" \"a\" {\n count = length(var.token)\n}\n",
        "plan.ephemeral: the `count` of `thing.a` is ephemeral",
    );
    refuse(
        "resource \"thing\" \"a\" {\n for_each = toset([var.token])\n}\n",
        "plan.ephemeral: the `for_each` of `thing.a` is ephemeral",
    );
    let called = "module \"m\" {\n source = \"./m\"\n x = var.token\n}\n# file: m/main.tf\n";
    refuse(&format!("{called}variable \"x\" {{\n}}\n"), "plan.ephemeral: the variable `x` takes no ephemeral value");
    refuse(
        &format!("{called}variable \"x\" {{\n ephemeral = true\n}}\noutput \"o\" {{\n value = var.x\n}}\n"),
        "plan.ephemeral: the output `o` is not declared as ephemeral",
    );
    refuse(
        &format!(
            "{called}variable \"x\" {{\n ephemeral = true\n}}\noutput \"o\" {{\n value = 1\n ephemeral = true\n}}\n"
        ),
        "plan.ephemeral: the output `o` is declared as ephemeral",
    );
}

#[test]
fn modules_hand_ephemeral_values_on() {
    let text = TOKEN.to_owned()
        + "module \"m\" {\n source = \"./m\"\n x = var.token\n}\n\
           resource \"thing\" \"a\" {\n token = module.m.o\n lifecycle {\n precondition {\n condition = var.token != \"\"\n error_message = \"No.\"\n }\n }\n}\n\
           # file: m/main.tf\nvariable \"x\" {\n ephemeral = true\n}\noutput \"o\" {\n value = \"${var.x}!\"\n ephemeral = true\n}\n";
    let mut world = World::default();
    let plan = world.plan(&text);
    // Beside what stays in memory, nothing of the plan has it.
    let stored =
        Plan { inputs: Inputs { ephemeral: std::collections::BTreeMap::new(), ..plan.inputs.clone() }, ..plan.clone() };
    let files = stored.inputs.files.clone();
    let bare =
        Plan { inputs: Inputs { files: std::collections::BTreeMap::new(), ..stored.inputs.clone() }, ..stored.clone() };
    assert!(!files.is_empty() && !format!("{bare:?}").contains("hunter2"));
    let marks = |plan: &Plan| {
        let values = plan.changes.iter().filter_map(|change| change.after.clone());
        let configs = plan.provider_configs.values().cloned();
        let inputs = plan.inputs.variables.values().cloned();
        values.chain(configs).chain(inputs).any(|value| value.marks_deep().contains(Marks::EPHEMERAL))
    };
    assert!(!marks(&plan));
    // It is there again when the step runs.
    let mut residue = Residue::open(Arc::new(plan.clone()), &[], Arc::clone(&world.types) as _).expect("a residue");
    let config = residue.finalize(&plan.steps[0]).expect("a configuration").config;
    assert_eq!(config.unmark_deep().0.attribute("token"), Some(&Value::string("hunter2!")));
}

#[test]
fn a_stored_plan_is_given_its_ephemeral_variables_again() {
    let text = "variable \"token\" {\n ephemeral = true\n}\nresource \"thing\" \"a\" {\n token = var.token\n}\n";
    let mut world = World::default();
    world.variables.insert("token".to_owned(), Value::string("one"));
    let mut plan = world.plan(text);
    assert!(plan.inputs.variables.is_empty() && plan.inputs.ephemeral.len() == 1);
    let finalize = |plan: &Plan| {
        let mut residue = Residue::open(Arc::new(plan.clone()), &[], Arc::clone(&world.types) as _).expect("a residue");
        residue.finalize(&plan.steps[0]).map(|finalized| finalized.config.unmark_deep().0)
    };
    plan.inputs.ephemeral.clear();
    let error = finalize(&plan).expect_err("nobody knows the token");
    assert!(error.diagnostics().iter().any(|problem| problem.code == "variable.missing"), "{error:?}");
    plan.inputs.ephemeral.insert("token".to_owned(), Value::string("two"));
    assert_eq!(finalize(&plan).expect("a configuration").attribute("token"), Some(&Value::string("two")));
}

#[test]
fn providers_take_ephemeral_values() {
    let text = TOKEN.to_owned()
        + "provider \"strict\" {\n region = terraform.applying ? var.token : \"none\"\n}\nresource \"strict_thing\" \"a\" {\n}\n";
    let mut world = World::default();
    let plan = world.plan(&text);
    assert!(!plan.provider_configs["strict"].is_wholly_known());
    let mut residue = Residue::open(Arc::new(plan.clone()), &[], Arc::clone(&world.types) as _).expect("a residue");
    let config = residue.provider_config(&plan.steps[0]).expect("it evaluates").expect("a configuration");
    assert_eq!(config.unmark_deep().0.attribute("region"), Some(&Value::string("hunter2")));
}

/// Opens what a residue misses for a step, as often as it takes; returns what was opened.
fn lend(residue: &mut Residue, step: &Step) -> Vec<String> {
    let mut opened = Vec::new();
    loop {
        let missing = residue.missing(step).expect("a readable plan");
        if missing.is_empty() {
            return opened;
        }
        for request in missing {
            let Ask::Open(config) = &request.ask else { panic!("{request:?}") };
            assert!(config.is_wholly_known());
            let of = config.attribute("of").cloned().expect("an attribute");
            let value = Value::string(format!("loan of {}", of.as_str().unwrap_or("nothing")));
            residue.opened(&request.address, &Value::object([("of", of), ("value", value)])).expect("it fits");
            opened.push(request.address.to_string());
        }
    }
}

#[test]
fn ephemeral_resources_are_opened_while_planning_and_are_no_part_of_the_plan() {
    let text = "ephemeral \"loan\" \"a\" {\n of = \"hunter2\"\n}\nephemeral \"loan\" \"b\" {\n for_each = toset([\"x\", \"y\"])\n \
                of = \"${ephemeral.loan.a.value} for ${each.key}\"\n}\n\
                resource \"thing\" \"t\" {\n name = \"n\"\n token = ephemeral.loan.b[\"x\"].value\n}\n\
                output \"keys\" {\n value = keys(ephemeral.loan.b)\n}\n";
    let mut world = World::default();
    let plan = world.plan(text);
    assert_eq!(
        *world.opened.lock().expect("no panic"),
        ["ephemeral.loan.a", "ephemeral.loan.b[\"x\"]", "ephemeral.loan.b[\"y\"]"]
    );
    assert_eq!((changes(&plan), plan.reads.len(), plan.steps.len()), (vec!["create thing.t".to_owned()], 0, 1));
    // Nothing that was lent is in the plan, nor that there was anything to lend.
    let stored = Plan { inputs: Inputs::default(), ..plan.clone() };
    let shown = format!("{stored:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("loan"), "{shown}");
    // The run opens only what it needs, and in order.
    let mut residue = Residue::open(Arc::new(plan.clone()), &[], Arc::clone(&world.types) as _).expect("a residue");
    assert_eq!(lend(&mut residue, &plan.steps[0]), ["ephemeral.loan.a", "ephemeral.loan.b[\"x\"]"]);
    let config = residue.finalize(&plan.steps[0]).expect("a configuration").config.unmark_deep().0;
    assert_eq!(config.attribute("token"), Some(&Value::string("loan of loan of hunter2 for x")));
    // What is closed has to be opened again.
    residue.closed(&"ephemeral.loan.a".parse().expect("an address"));
    assert_eq!(lend(&mut residue, &plan.steps[0]), Vec::<String>::new(), "what was made with it is still open");
    residue.closed(&"ephemeral.loan.b[\"x\"]".parse().expect("an address"));
    assert_eq!(lend(&mut residue, &plan.steps[0]), ["ephemeral.loan.a", "ephemeral.loan.b[\"x\"]"]);
}

#[test]
fn what_is_not_known_yet_is_opened_later() {
    let text = "resource \"thing\" \"t\" {\n name = \"n\"\n}\nephemeral \"loan\" \"a\" {\n of = thing.t.id\n lifecycle {\n precondition {\n \
                condition = thing.t.id != \"\"\n error_message = \"No.\"\n }\n postcondition {\n condition = self.value != \"\"\n error_message = \"No.\"\n }\n }\n}\n\
                ephemeral \"loan\" \"b\" {\n depends_on = [thing.t]\n of = \"b\"\n}\n\
                resource \"thing\" \"u\" {\n token = ephemeral.loan.a.value\n}\n\
                resource \"thing\" \"v\" {\n token = ephemeral.loan.b.value\n}\n\
                provider \"strict\" {\n region = ephemeral.loan.a.value\n}\nresource \"strict_thing\" \"w\" {\n}\n";
    let mut world = World::default();
    let plan = world.plan(text);
    assert_eq!(*world.opened.lock().expect("no panic"), Vec::<String>::new());
    assert!(!plan.provider_configs["strict"].is_wholly_known());
    // Whoever uses it waits for what it is opened with, and is deleted before that.
    let step = |address: &str| plan.steps.iter().find(|step| step.address.to_string() == address).expect("a step");
    let needed = step("thing.t").id;
    for user in ["thing.u", "thing.v", "strict_thing.w"] {
        assert!(step(user).needs.iter().any(|need| need.step == needed), "{user}: {:?}", step(user).needs);
    }
    let object = step("thing.t").object_id.expect("an object");
    assert_eq!((&step("thing.u").dependencies, &step("thing.v").dependencies), (&vec![object], &vec![object]));
    let status = |name: &str| plan.checks.iter().find(|check| check.name == name).expect("conditions").status;
    assert_eq!(status("a"), crate::state::CheckStatus::Unknown);
    let mut residue = Residue::open(Arc::new(plan.clone()), &[], Arc::clone(&world.types) as _).expect("a residue");
    let made = Value::object([("id", Value::string("id-1")), ("name", Value::string("n"))]);
    residue.applied(&step("thing.t").address, step("thing.t").object_id, made);
    let status_of_a = |residue: &mut Residue| {
        let (checks, _) = residue.checks(&std::collections::BTreeMap::new());
        checks.iter().find(|check| check.name == "a").expect("conditions").status
    };
    assert_eq!(status_of_a(&mut residue), crate::state::CheckStatus::Unknown);
    assert_eq!(lend(&mut residue, step("thing.u")), ["ephemeral.loan.a"]);
    assert_eq!(status_of_a(&mut residue), crate::state::CheckStatus::Pass);
    let config = residue.finalize(step("thing.u")).expect("a configuration").config.unmark_deep().0;
    assert_eq!(config.attribute("token"), Some(&Value::string("loan of id-1")));
    let config = residue.provider_config(step("strict_thing.w")).expect("it evaluates").expect("a configuration");
    assert_eq!(config.unmark_deep().0.attribute("region"), Some(&Value::string("loan of id-1")));
    assert_eq!(residue.missing(step("thing.t")).expect("readable").len(), 0);
    let uses = |residue: &mut Residue, address: &str| {
        residue.ephemeral_uses(step(address)).expect("readable").iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(uses(&mut residue, "thing.t"), Vec::<String>::new());
    assert_eq!(uses(&mut residue, "thing.v"), ["ephemeral.loan.b"]);
    assert_eq!(uses(&mut residue, "strict_thing.w"), ["ephemeral.loan.a"]);
}

#[test]
fn ephemeral_resources_that_cannot_be_opened_end_the_plan() {
    assert_eq!(fail("ephemeral \"loan\" \"a\" {\n of = \"broken\"\n}\n"), ["resource.failed: nobody lends"]);
    let condition = |kind: &str, condition: &str| {
        format!(
            "ephemeral \"loan\" \"a\" {{\n lifecycle {{\n {kind} {{\n condition = {condition}\n error_message = \"No loan.\"\n }}\n }}\n}}\n"
        )
    };
    assert_eq!(fail(&condition("precondition", "var.token == \"\"")), ["plan.condition_failed: No loan."]);
    assert_eq!(fail(&condition("postcondition", "self.value == \"\"")), ["plan.condition_failed: No loan."]);
    let problems =
        fail("ephemeral \"loan\" \"a\" {\n}\nresource \"thing\" \"t\" {\n name = ephemeral.loan.a.value\n}\n");
    assert_eq!(problems, ["plan.ephemeral: `name` cannot take an ephemeral value: what it is set to is stored"]);
}

#[test]
fn destroying_opens_what_configurations_of_providers_need() {
    let text = "ephemeral \"loan\" \"a\" {\n}\nephemeral \"loan\" \"unused\" {\n}\nprovider \"strict\" {\n region = ephemeral.loan.a.value\n}\n\
                resource \"strict_thing\" \"w\" {\n}\n";
    let mut world = World::default();
    let plan = world.plan(text);
    let mut residue = Residue::open(Arc::new(plan.clone()), &[], Arc::clone(&world.types) as _).expect("a residue");
    assert_eq!(lend(&mut residue, &plan.steps[0]), ["ephemeral.loan.a"]);
    let step = &plan.steps[0];
    let object = step.object_id.expect("an object");
    let attributes = Value::object([("id", Value::string("x"))]);
    let schema = world.types.resource("strict_thing").expect("a type").schema;
    let attributes = schema.conform(&schema.block.empty_value()).map_or(attributes, |value| value);
    world.rows.insert(
        object,
        crate::state::Row {
            object_id: object,
            address: step.address.clone(),
            status: crate::state::RowStatus::Current,
            type_name: "strict_thing".into(),
            provider: "".into(),
            schema_version: 0,
            remote_id: Some("x".to_owned()),
            attributes: attributes.clone(),
            private: None,
            dependencies: Vec::new(),
            wholes: Vec::new(),
            order_lines: Vec::new(),
            uses: crate::state::Uses::default(),
            create_before_destroy: false,
            prevent_destroy: false,
            ready: true,
            version: 1,
        },
    );
    world.objects.insert(object, attributes);
    world.options.mode = Mode::Destroy;
    world.opened.lock().expect("no panic").clear();
    let plan = world.plan(text);
    assert_eq!(*world.opened.lock().expect("no panic"), ["ephemeral.loan.a"]);
    let rows: Vec<_> = world.rows.values().cloned().collect();
    let mut residue = Residue::open(Arc::new(plan.clone()), &rows, Arc::clone(&world.types) as _).expect("a residue");
    assert_eq!(lend(&mut residue, &plan.steps[0]), ["ephemeral.loan.a"]);
}

#[test]
fn what_turns_out_ephemeral_is_not_stored_either() {
    // Nobody can tell yet whether the token has a say.
    let text = TOKEN.to_owned()
        + "resource \"thing\" \"a\" {\n name = \"a\"\n}\n\
           resource \"thing\" \"b\" {\n name = tostring(thing.a.id == \"id-1\" && var.token == \"hunter2\")\n}\n";
    let world_types = World::default().types;
    let plan = World::default().plan(&text);
    let step = |address: &str| plan.steps.iter().find(|step| step.address.to_string() == address).expect("a step");
    let mut residue = Residue::open(Arc::new(plan.clone()), &[], world_types as _).expect("a residue");
    let made = complete(&step("thing.a").planned.clone().expect("planned"), "id-1");
    residue.applied(&step("thing.a").address, step("thing.a").object_id, made);
    let error = residue.finalize(step("thing.b")).expect_err("it would be stored");
    assert_eq!((error.code(), &*error.diagnostics()[0].code), ("plan.evaluation", "plan.ephemeral"));
    assert!(error.diagnostics()[0].span().is_some());
}

#[test]
fn what_is_opened_in_a_run_keeps_its_conditions() {
    let text = "resource \"thing\" \"t\" {\n name = \"n\"\n}\nephemeral \"loan\" \"a\" {\n of = thing.t.id\n lifecycle {\n postcondition {\n \
                condition = self.value != \"loan of id-1\"\n error_message = \"No loan.\"\n }\n }\n}\n\
                resource \"thing\" \"u\" {\n token = ephemeral.loan.a.value\n}\n";
    let mut world = World::default();
    let plan = world.plan(text);
    let step = |address: &str| plan.steps.iter().find(|step| step.address.to_string() == address).expect("a step");
    let mut residue = Residue::open(Arc::new(plan.clone()), &[], Arc::clone(&world.types) as _).expect("a residue");
    let made = complete(&step("thing.t").planned.clone().expect("planned"), "id-1");
    residue.applied(&step("thing.t").address, step("thing.t").object_id, made);
    let missing = residue.missing(step("thing.u")).expect("a readable plan");
    let value = Value::object([("of", Value::string("id-1")), ("value", Value::string("loan of id-1"))]);
    let error = residue.opened(&missing[0].address, &value).expect_err("its condition does not hold");
    assert_eq!((error.code(), &*error.diagnostics()[0].message), ("plan.condition_failed", "No loan."));
}

#[test]
fn what_left_the_template_is_deleted_with_what_its_provider_borrows() {
    let provider = "ephemeral \"loan\" \"a\" {\n}\nprovider \"strict\" {\n region = ephemeral.loan.a.value\n}\n";
    let mut world = World::default();
    world.settle("provider \"strict\" {\n region = \"gz\"\n}\nresource \"strict_thing\" \"w\" {\n}\n");
    let plan = world.plan(provider);
    let rows: Vec<_> = world.rows.values().cloned().collect();
    let mut residue = Residue::open(Arc::new(plan.clone()), &rows, Arc::clone(&world.types) as _).expect("a residue");
    assert_eq!(lend(&mut residue, &plan.steps[0]), ["ephemeral.loan.a"]);
}

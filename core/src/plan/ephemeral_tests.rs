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

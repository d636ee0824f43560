//! Infinite numbers: fine in expressions, refused where they would be stored.

use std::sync::Arc;

use super::{testing::*, *};
use crate::value::Value;

const REFUSED: &str = "eval.infinite: an infinite number cannot be stored";

#[test]
fn nothing_that_is_stored_is_infinite() {
    let refuse = |text: &str| assert_eq!(World::default().fail(text), [REFUSED], "{text}");
    refuse("output \"o\" {\n value = 1 / 0\n}\n");
    refuse("locals {\n x = { a = [1, -1 / 0] }\n}\noutput \"o\" {\n value = local.x\n}\n");
    refuse("output \"o\" {\n sensitive = true\n value = sensitive(1 / 0)\n}\n");
    refuse("resource \"thing\" \"a\" {\n size = 1 / 0\n}\n");
    refuse("resource \"free\" \"a\" {\n input = { a = tolist([1, 1 / 0]), b = 1 / 0 }\n}\n");
    refuse("resource \"free\" \"a\" {\n input = tomap({ a = 1 / 0 })\n}\n");
    refuse("resource \"thing\" \"a\" {\n rule {\n port = 1 / 0\n }\n}\n");
    refuse(
        "resource \"free\" \"a\" {\n input = module.m.o\n}\nmodule \"m\" {\n source = \"./m\"\n}\n# file: m/main.tf\noutput \"o\" {\n value = 1 / 0\n}\n",
    );
}

#[test]
fn what_is_not_stored_may_be() {
    let text = "module \"m\" {\n source = \"./m\"\n x = 1 / 0\n}\noutput \"o\" {\n value = min(module.m.o, 7)\n}\n\
                resource \"free\" \"a\" {\n input = \"${-1 / 0 < 3}\"\n}\n\
                # file: m/main.tf\nvariable \"x\" {\n}\noutput \"o\" {\n value = var.x\n}\n";
    let plan = World::default().plan(text);
    assert_eq!(plan.outputs["o"].after, Some(Value::number(7)));
}

#[test]
fn what_becomes_infinite_later_is_refused_then() {
    let text = "resource \"thing\" \"a\" {\n name = \"a\"\n}\nresource \"thing\" \"b\" {\n size = 1 / length(thing.a.id)\n}\n\
                output \"o\" {\n value = [1 / length(thing.a.id)]\n}\n";
    let mut world = World::default();
    let plan = world.plan(text);
    let step = |address: &str| plan.steps.iter().find(|step| step.address.to_string() == address).expect("a step");
    let after = |id: &str| {
        let mut residue = Residue::open(Arc::new(plan.clone()), &[], Arc::clone(&world.types) as _).expect("a residue");
        let made = complete(&step("thing.a").planned.clone().expect("planned"), id);
        residue.applied(&step("thing.a").address, step("thing.a").object_id, made);
        residue
    };
    let codes = |error: &crate::Error| {
        let problems = error.diagnostics().iter().map(|problem| format!("{}: {}", problem.code, problem.message));
        (error.code().to_owned(), problems.collect::<Vec<_>>())
    };
    let expect = ("plan.evaluation".to_owned(), vec![REFUSED.to_owned()]);
    let mut residue = after("");
    assert_eq!(codes(&residue.finalize(step("thing.b")).expect_err("it is infinite")), expect);
    assert_eq!(codes(&residue.outputs().expect_err("it is infinite")), expect);
    let config = after("id-1").finalize(step("thing.b")).expect("a configuration").config;
    assert_eq!(config.attribute("size").and_then(Value::as_number).map(ToString::to_string).as_deref(), Some("0.25"));
}

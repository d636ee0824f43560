//! Which configuration of a provider is used for what, and what state remembers of it.

use std::sync::Arc;

use super::{testing::*, *};
use crate::value::Value;

const ALIASES: &str = "provider \"strict\" {\n region = \"gz\"\n}\n\
                       provider \"strict\" {\n alias = \"east\"\n region = \"sh\"\n}\n";

fn strict(name: &str, body: &str) -> String {
    format!("resource \"strict_thing\" \"{name}\" {{\n{body}\n}}\n")
}

/// Returns the region that each step is carried out with, as `address region`.
fn regions(world: &World, plan: &Plan) -> Vec<String> {
    let mut residue = Residue::open(Arc::new(plan.clone()), &[], Arc::clone(&world.types) as _).expect("a residue");
    let region = |step: &Step| {
        let config = residue.provider_config(step).expect("a configuration");
        let region = config.and_then(|config| config.attribute("region").cloned());
        format!("{} {}", step.address, region.as_ref().and_then(Value::as_str).unwrap_or("none"))
    };
    plan.steps.iter().map(region).collect()
}

#[test]
fn aliases_choose_a_configuration_and_rows_remember_it() {
    let mut world = World::default();
    let text = ALIASES.to_owned() + &strict("a", "") + &strict("b", "provider = strict.east");
    let plan = world.settle(&text);
    assert_eq!(regions(&world, &plan), ["strict_thing.a gz", "strict_thing.b sh"]);
    let provider = |world: &World, address: &str| world.rows[&world.object(address)].provider.to_string();
    assert_eq!(provider(&world, "strict_thing.a"), "");
    assert_eq!(provider(&world, "strict_thing.b"), "provider.strict.east");
    // What left the template is deleted with what made it.
    let plan = world.plan(ALIASES);
    assert_eq!(regions(&world, &plan), ["strict_thing.a gz", "strict_thing.b sh"]);
    // Without that, nobody can delete it.
    let problems = world.fail("provider \"strict\" {\n region = \"gz\"\n}\n");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("plan.provider_gone: objects in state are managed by `provider.strict.east`"));
    // A block that names another configuration is enough; the row follows.
    let moved = "provider \"strict\" {\n region = \"gz\"\n}\n".to_owned() + &strict("b", "") + &strict("a", "");
    let plan = world.settle(&moved);
    assert!(plan.steps.is_empty());
    assert_eq!(provider(&world, "strict_thing.b"), "");
}

#[test]
fn modules_are_handed_configurations_or_inherit_the_default_one() {
    let mut world = World::default();
    let required = "terraform {\n required_providers {\n strict = {\n source = \"x/strict\"\n configuration_aliases = [strict.two]\n }\n }\n}\n";
    let text = ALIASES.to_owned()
        + "module \"plain\" {\n source = \"./plain\"\n}\n\
           module \"handed\" {\n source = \"./plain\"\n count = 1\n providers = { strict = strict.east }\n}\n\
           module \"both\" {\n source = \"./both\"\n providers = {\n strict.two = strict.east\n }\n}\n\
           # file: plain/main.tf\nresource \"strict_thing\" \"a\" {\n}\nmodule \"n\" {\n source = \"./n\"\n}\n\
           # file: plain/n/main.tf\nresource \"strict_thing\" \"a\" {\n}\n\
           # file: both/main.tf\n"
        + required
        + &strict("a", "")
        + &strict("b", "provider = strict.two");
    let plan = world.settle(&text);
    assert_eq!(
        regions(&world, &plan),
        [
            "module.both.strict_thing.a gz",
            "module.both.strict_thing.b sh",
            "module.handed[0].strict_thing.a sh",
            "module.handed[0].module.n.strict_thing.a sh",
            "module.plain.strict_thing.a gz",
            "module.plain.module.n.strict_thing.a gz",
        ]
    );
    let row = &world.rows[&world.object("module.handed[0].module.n.strict_thing.a")];
    assert_eq!(&*row.provider, "provider.strict.east");
    // With the modules gone, their objects still know who made them.
    let plan = world.plan(ALIASES);
    let mut deleted = regions(&world, &plan);
    deleted.sort();
    assert_eq!(deleted[0], "module.both.strict_thing.a gz");
    assert_eq!(deleted.iter().filter(|line| line.ends_with(" sh")).count(), 3, "{deleted:?}");
}

#[test]
fn a_module_may_configure_a_provider_itself() {
    let mut world = World::default();
    let module = "module \"m\" {\n source = \"./m\"\n region = \"bj\"\n}\n";
    let body = "# file: m/main.tf\nvariable \"region\" {\n}\nprovider \"strict\" {\n region = var.region\n}\n";
    let plan = world.settle(&(ALIASES.to_owned() + module + body + &strict("a", "")));
    assert_eq!(regions(&world, &plan), ["module.m.strict_thing.a bj"]);
    assert_eq!(&*world.rows[&world.object("module.m.strict_thing.a")].provider, "module.m.provider.strict");
    let plan = world.plan(&(ALIASES.to_owned() + module + body));
    assert_eq!(regions(&world, &plan), ["module.m.strict_thing.a bj"]);
    // The module went, and with it the configuration.
    let problems = world.fail(ALIASES);
    assert!(problems[0].starts_with("plan.provider_gone"), "{problems:?}");
}

#[test]
fn local_names_lead_to_providers_by_their_source() {
    let mut world = World::default();
    let text = "terraform {\n required_providers {\n mine = { source = \"x/strict\" }\n }\n}\n\
                provider \"mine\" {\n region = \"gz\"\n}\n"
        .to_owned()
        + &strict("a", "provider = mine")
        + &strict("b", "");
    let plan = world.settle(&text);
    assert_eq!(regions(&world, &plan), ["strict_thing.a gz", "strict_thing.b gz"]);
    assert_eq!(&*world.rows[&world.object("strict_thing.a")].provider, "");
}

#[test]
fn data_waits_for_the_configuration_that_it_uses() {
    let mut world = World::default();
    let text = "provider \"strict\" {\n alias = \"east\"\n region = thing.z.id\n}\n\
                resource \"thing\" \"z\" {\n}\n\
                data \"lookup\" \"now\" {\n query = \"q\"\n}\n\
                data \"lookup\" \"later\" {\n provider = strict.east\n query = \"q\"\n}\n";
    let plan = world.settle(text);
    assert_eq!(changes(&plan), ["create thing.z", "read data.lookup.later"]);
    assert_eq!(world.done, ["create thing.z", "read data.lookup.later"]);
}

/// One configuration for each region, and a thing in each.
fn regional(regions: &str, things: &str) -> String {
    format!(
        "terraform {{\n language = stackwright\n}}\nlocals {{\n regions = {regions}\n}}\n\
         provider \"strict\" {{\n alias = \"by\"\n for_each = local.regions\n region = \"${{each.key}}-${{each.value}}\"\n}}\n"
    ) + things
}

#[test]
fn a_provider_may_be_configured_once_for_each_key() {
    let mut world = World::default();
    let each = strict("a", "for_each = local.regions\nprovider = strict.by[each.key]");
    let two = "{ east = 1, west = 2 }";
    let plan = world.settle(&regional(two, &each));
    assert_eq!(regions(&world, &plan), ["strict_thing.a[\"east\"] east-1", "strict_thing.a[\"west\"] west-2"]);
    let east = world.object("strict_thing.a[\"east\"]");
    assert_eq!(&*world.rows[&east].provider, "provider.strict.by[\"east\"]");
    assert!(world.plan(&regional(two, &each)).steps.is_empty());
    // A key that leaves takes its thing along only as long as somebody can delete it.
    let problems = world.fail(&regional("{ west = 2 }", &each));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("plan.provider_gone: objects in state are managed by `provider.strict.by[\"east\"]`")
    );
    let west = strict("a", "for_each = { west = 2 }\nprovider = strict.by[each.key]");
    let plan = world.settle(&regional(two, &west));
    assert_eq!(regions(&world, &plan), ["strict_thing.a[\"east\"] east-1"]);
    assert!(world.plan(&regional("{ west = 2 }", &west)).steps.is_empty());
    // Another value of a key is another configuration of the same address.
    let more = strict("b", "provider = strict.by[\"west\"]");
    let plan = world.settle(&regional("{ west = 3 }", &(west + &more)));
    assert_eq!(regions(&world, &plan), ["strict_thing.b west-3"]);
    // Nothing is left when the blocks are gone.
    let plan = world.settle(&regional("{ west = 3 }", ""));
    assert_eq!(regions(&world, &plan), ["strict_thing.a[\"west\"] west-3", "strict_thing.b west-3"]);
    assert!(world.settle("").steps.is_empty());
}

#[test]
fn destroying_uses_the_configuration_of_each_object() {
    let mut world = World::default();
    let text =
        regional("toset([\"n\", \"s\"])", &strict("a", "for_each = local.regions\nprovider = strict.by[each.value]"));
    world.settle(&text);
    world.options.mode = Mode::Destroy;
    let plan = world.plan(&text);
    assert_eq!(regions(&world, &plan), ["strict_thing.a[\"n\"] n-n", "strict_thing.a[\"s\"] s-s"]);
}

#[test]
fn modules_are_handed_one_of_several_configurations() {
    let mut world = World::default();
    let module = "module \"m\" {\n source = \"./m\"\n for_each = local.regions\n providers = { strict = strict.by[each.key] }\n}\n\
                  # file: m/main.tf\nresource \"strict_thing\" \"a\" {\n}\n";
    let plan = world.settle(&regional("{ east = 1, west = 2 }", module));
    assert_eq!(
        regions(&world, &plan),
        ["module.m[\"east\"].strict_thing.a east-1", "module.m[\"west\"].strict_thing.a west-2"]
    );
}

#[test]
fn a_key_leads_to_a_configuration_that_is_known() {
    let mut world = World::default();
    let problems = world.fail(&regional("{ west = 2 }", &strict("a", "provider = strict.by[\"east\"]")));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("plan.provider_missing: there is no configuration `provider.strict.by[\"east\"]`"));
    let text = strict("z", "provider = strict.by[\"k\"]") + "resource \"thing\" \"t\" {\n name = \"t\"\n}\n";
    let problems = world.fail(&regional("toset([thing.t.id])", &text));
    assert!(problems.iter().any(|problem| problem.contains("must be known while planning")), "{problems:?}");
}

#[test]
fn one_of_several_configurations_is_named_by_its_key() {
    let refused = |text: &str, expect: &str| {
        let problems = World::default().fail(text);
        assert!(problems.iter().any(|problem| problem.contains(expect)), "{problems:?}");
    };
    let a = |body: &str| strict("a", body);
    refused(&regional("{ n = 1 }", &a("provider = strict.by")), "is several configurations");
    let language = "terraform {\n language = stackwright\n}\n";
    let one = format!("{language}{ALIASES}{}", a("provider = strict.east[\"n\"]"));
    refused(&one, "is one configuration, not several");
    // One that a module is handed is chosen already.
    let module = "module \"m\" {\n source = \"./m\"\n providers = { strict = strict.by[\"n\"] }\n}\n\
                  # file: m/main.tf\nresource \"strict_thing\" \"a\" {\n provider = strict[\"m\"]\n}\n";
    refused(&regional("{ n = 1, m = 2 }", module), "handed one configuration of `strict`, not several");
}

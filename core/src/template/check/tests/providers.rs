//! Configurations of providers. Terraform 1.11.4 refuses and warns of the same.

use super::problems;

const EAST: &str = "provider \"acme\" {\n  alias = \"east\"\n  region = \"r\"\n}\n";

fn module(root: &str, child: &str, expect: &[&str]) {
    let root = format!("{EAST}{root}");
    assert_eq!(problems(&[("main.tf", &root), ("m/main.tf", child)]), expect, "{root}\n{child}");
}

fn root(text: &str, expect: &[&str]) {
    let text = format!("{EAST}{text}");
    assert_eq!(problems(&[("main.tf", &text)]), expect, "{text}");
}

fn vpc(provider: &str) -> String {
    format!("resource \"acme_vpc\" \"a\" {{\n  provider = {provider}\n}}\n")
}

#[test]
fn aliases_must_be_there() {
    root(&vpc("acme.east"), &[]);
    root(
        &vpc("acme.eest"),
        &["6 template.provider <acme.eest> there is no configuration `acme.eest` of a provider (`acme.east`?)"],
    );
    root(&vpc("\"acme.east\""), &["6 template.quoted <\"acme.east\"> a reference in `provider` is written in quotes"]);
    root(
        &vpc("acme.east.x"),
        &["6 template.provider <acme.east.x> `provider` takes a provider, or a provider and an alias"],
    );
    root(EAST, &["5 template.duplicate <provider \"acme\"> the provider `acme.east` is declared twice"]);
    root(
        "provider \"acme\" {\n  region = \"r\"\n  alias = \"1x\"\n}\nprovider \"acme\" {\n  region = \"r\"\n  count = 1\n  version = \"1\"\n}\n",
        &[
            "7 template.name <\"1x\"> `1x` is not a valid alias",
            "9 template.duplicate <provider \"acme\"> the provider `acme` is declared twice",
            "11 template.name <count> the name `count` is reserved in a `provider` block",
            "12 template.deprecated <version> `version` in a `provider` block says nothing any more",
        ],
    );
    root("provider \"acme\" {\n  _ {\n    region = \"r\"\n  }\n}\n", &[]);
    root(
        "terraform {\n  required_providers {\n    acme = {\n      source = \"x/acme\"\n      configuration_aliases = [acme.east, acme.west]\n    }\n  }\n}\n",
        &["9 template.provider <acme.west> nobody hands in the configuration `acme.west`"],
    );
    root(
        "terraform {\n  required_providers {\n    acme = {\n      source = \"x/acme\"\n      configuration_aliases = [other.east, acme]\n    }\n  }\n}\n",
        &[
            "9 template.provider <other.east> this names no configuration of the provider",
            "9 template.provider <acme> this names no configuration of the provider",
        ],
    );
}

#[test]
fn what_is_handed_in_must_fit() {
    let call = |rest: &str| format!("module \"m\" {{\n  source = \"./m\"\n  {rest}\n}}\n");
    let asks = "terraform {\n  required_providers {\n    acme = {\n      source = \"x/acme\"\n      configuration_aliases = [acme.two]\n    }\n  }\n}\n";
    module(&call("providers = { acme.two = acme.east }"), &(asks.to_owned() + &vpc("acme.two")), &[]);
    module(
        &call(""),
        &(asks.to_owned() + &vpc("acme.two")),
        &["5 template.provider <module \"m\"> the module `m` needs a configuration `acme.two` of a provider"],
    );
    module(
        &call("providers = { acme.x = acme.east }"),
        "",
        &["7 template.provider <acme.x> the module `m` does not ask for a configuration `acme.x`"],
    );
    module(
        &call("providers = { acme = acme.west }"),
        asks.replace("configuration_aliases = [acme.two]", "").as_str(),
        &["7 template.provider <acme.west> there is no configuration `acme.west` of a provider (`acme.east`?)"],
    );
    // Only a warning: the default configuration is there anyway.
    module(
        &call("providers = { acme = acme.east }"),
        &vpc("acme"),
        &["7 template.provider <acme> the module `m` does not ask for a configuration `acme`"],
    );
    module(
        &call("providers = { other = acme.east }"),
        "terraform {\n  required_providers {\n    other = { source = \"x/other\" }\n  }\n}\n",
        &["7 template.provider <acme.east> `acme.east` is of provider `acme`, `other` is of provider `other`"],
    );
    module(
        &call("providers = { acme = acme.east, acme = acme.east }"),
        asks.replace("configuration_aliases = [acme.two]", "").as_str(),
        &["7 template.duplicate <acme> `acme` is handed in twice"],
    );
    module(&call("providers = [acme]"), "", &["7 template.static <[acme]> `providers` is a map that is written out"]);
    // A module sees the default configuration of its caller, and no other.
    module(
        &call(""),
        &vpc("acme.east"),
        &["2 template.provider <acme.east> there is no configuration `acme.east` of a provider"],
    );
}

#[test]
fn a_module_with_a_configuration_of_its_own_is_called_once() {
    let own = "provider \"acme\" {\n  region = \"r\"\n}\n";
    let call = |rest: &str| format!("module \"m\" {{\n  source = \"./m\"\n  {rest}\n}}\n");
    module(&call(""), own, &[]);
    let refused =
        "5 template.provider <module \"m\"> the module `m` configures a provider, so it cannot be repeated or wait";
    module(&call("count = 1"), own, &[refused]);
    module(&call("for_each = {}"), own, &[refused]);
    module(&(call("depends_on = [acme_vpc.x]") + "resource \"acme_vpc\" \"x\" {\n}\n"), own, &[refused]);
    module(
        &call("providers = { acme = acme.east }"),
        own,
        &["7 template.provider <acme> the module `m` has a configuration `acme` of its own"],
    );
    // An empty block declares, as old templates do.
    let empty = "1 template.deprecated <provider \"acme\"> an empty `provider` block in a module says little";
    module(&call("count = 1\n  providers = { acme = acme.east }"), "provider \"acme\" {\n}\n", &[empty]);
}

#[test]
fn several_configurations_belong_to_our_edition() {
    let several = "provider \"acme\" {\n  alias = \"by\"\n  for_each = toset([\"k\"])\n  region = each.key\n}\n";
    let ours = format!("terraform {{\n  language = stackwright\n}}\n{several}");
    root(
        &format!("{several}{}", vpc("acme.by[\"k\"]")),
        &["7 template.unsupported <toset([\"k\"])> a `provider` block has no `for_each` in this edition"],
    );
    root(&format!("{ours}{}", vpc("acme.by[\"k\"]")), &[]);
    root(
        &format!(
            "{ours}resource \"acme_vpc\" \"a\" {{\n  for_each = toset([\"k\"])\n  provider = acme.by[each.key]\n}}\n"
        ),
        &[],
    );
    root(&format!("{ours}{}", vpc("acme.by")), &["14 template.provider <acme.by> `acme.by` is several configurations"]);
    root(
        &format!("{ours}{}", vpc("acme.by[each.key]")),
        &["14 template.context <each.key> `each.key` means nothing here"],
    );
    root(&format!("{ours}{}", vpc("acme.by[[]]")), &["14 template.value <[]> the key does not fit: string required"]);
    root(
        &ours.replace("toset([\"k\"])", "[\"k\"]"),
        &["10 template.value <[\"k\"]> `for_each` takes a map, an object or a set of strings"],
    );
    root(
        &ours.replace("each.key", "count.index"),
        &["11 template.context <count.index> `count.index` means nothing here"],
    );
    let call = "module \"m\" {\n  source = \"./m\"\n  providers = { acme = acme.by[\"k\"] }\n}\n";
    module(
        &format!("{ours}{call}"),
        "resource \"acme_vpc\" \"a\" {}\n",
        &["15 template.provider <acme> the module `m` does not ask for a configuration `acme`"],
    );
}

#[test]
fn keys_need_several_configurations() {
    for named in ["acme.east[\"k\"]", "acme.east[0]", "acme[\"k\"]"] {
        let name = named.split('[').next().unwrap_or_default();
        let expect = format!("6 template.provider <{named}> `{name}` is one configuration, not several");
        root(&vpc(named), &[&expect]);
    }
}

//! What override files change. Terraform 1.11.4 answered each of these the same way: the same values, and an error where
//! there is one here.

use crate::template::{
    IgnoreChanges, ProviderName, Repetition, ResourceKey, Template,
    testing::{lines, parse_files},
};

fn check(files: &[(&str, &str)], expect: &[&str]) -> Template {
    let (template, problems) = parse_files(files);
    assert_eq!(lines(template.sources(), &problems), expect, "{files:?}");
    template
}

/// Lays one text over another.
fn over(base: &str, over: &str, expect: &[&str]) -> Template {
    check(&[("main.tf", base), ("override.tf", over)], expect)
}

/// Returns the text of an expression of a local or an output.
fn local<'a>(template: &'a Template, name: &str) -> &'a str {
    template.sources().slice(template.root().locals[name].expr.span)
}

fn thing<'a>(template: &'a Template, name: &str) -> &'a crate::template::ResourceBlock {
    &template.root().resources[&ResourceKey::managed("acme_vpc", name)]
}

#[test]
fn files_are_laid_over_one_another_in_order_of_their_names() {
    let template = check(
        &[
            ("main.tf", "locals {\n  a = 1\n  b = 2\n}\n"),
            ("z_override.tf.json", "{\"locals\": {\"b\": \"json\"}}"),
            ("override.tf", "locals {\n  b = \"plain\"\n}\n"),
            ("b_override.tf", "locals {\n  a = \"b\"\n}\n"),
            ("a_override.tf", "locals {\n  a = \"a\"\n}\n"),
        ],
        &[],
    );
    assert_eq!((local(&template, "a"), local(&template, "b")), ("\"b\"", "\"json\""));
    let place = template.root().locals["a"].expr.span;
    assert_eq!(template.sources().name(place.source), "b_override.tf");
}

#[test]
fn arguments_win_one_by_one_and_blocks_by_kind() {
    let base = "resource \"acme_vpc\" \"a\" {\n  cidr = 1\n  size = 2\n  count = 2\n  rule {\n    port = 1\n  }\n  \
                rule {\n    port = 2\n  }\n  disk {\n  }\n  dynamic \"net\" {\n    for_each = []\n    content {}\n  }\n}\n";
    let text = "resource \"acme_vpc\" \"a\" {\n  cidr = null\n  rule {\n    port = 3\n  }\n  net {\n  }\n}\n";
    let template = over(base, text, &[]);
    let body = &thing(&template, "a").body;
    let slice = |name: &str| body.attribute(name).map(|attribute| template.sources().slice(attribute.expr.span));
    assert_eq!((slice("cidr"), slice("size")), (Some("null"), Some("2")));
    let kinds: Vec<&str> = body.blocks.iter().map(|block| block.kind.as_str()).collect();
    assert_eq!(kinds, ["disk", "rule", "net"]);
    let template = over(
        base,
        "resource \"acme_vpc\" \"a\" {\n  dynamic \"rule\" {\n    for_each = []\n    content {}\n  }\n}\n",
        &[],
    );
    let body = &thing(&template, "a").body;
    assert!(body.blocks_of("rule").next().is_none() && body.blocks_of("dynamic").count() == 2);
}

#[test]
fn json_and_native_text_override_each_other() {
    let native = "resource \"acme_vpc\" \"a\" {\n  cidr = 1\n  rule {\n    port = 1\n  }\n}\n";
    let json = "{\"resource\": {\"acme_vpc\": {\"a\": {\"//\": \"c\", \"rule\": [{\"port\": 2}]}}}}";
    let template = check(&[("main.tf", native), ("override.tf.json", json)], &[]);
    let body = &thing(&template, "a").body;
    assert!(
        body.is_json && body.attribute("cidr").is_some() && body.attribute("rule").is_some() && body.blocks.is_empty()
    );
    let template = check(&[("main.tf.json", json), ("override.tf", native)], &[]);
    let body = &thing(&template, "a").body;
    assert!(body.attribute("rule").is_none() && body.blocks.len() == 1);
}

#[test]
fn of_count_and_for_each_in_different_files_count_holds() {
    let count = "resource \"acme_vpc\" \"a\" {\n  count = 2\n}\n";
    let each = "resource \"acme_vpc\" \"a\" {\n  for_each = {}\n}\n";
    for (base, text) in [(count, each), (each, count)] {
        assert!(matches!(thing(&over(base, text, &[]), "a").repetition, Repetition::Count(_)), "{base}");
    }
    let both = "resource \"acme_vpc\" \"a\" {\n  count = 2\n  for_each = {}\n}\n";
    over(
        "resource \"acme_vpc\" \"a\" {\n}\n",
        both,
        &["3 template.repetition <for_each> a block has `count` or `for_each`, not both"],
    );
}

#[test]
fn lifecycle_is_overridden_argument_by_argument() {
    let block = |body: &str| format!("resource \"acme_vpc\" \"a\" {{\n  lifecycle {{\n    {body}\n  }}\n}}\n");
    let template = over(&block("create_before_destroy = true"), &block("prevent_destroy = true"), &[]);
    let lifecycle = &thing(&template, "a").lifecycle;
    assert!(lifecycle.create_before_destroy && lifecycle.prevent_destroy.is_some());
    let template = over("resource \"acme_vpc\" \"a\" {\n}\n", &block("create_before_destroy = true"), &[]);
    assert!(thing(&template, "a").lifecycle.create_before_destroy);
    let template = over(&block("prevent_destroy = true"), &block("prevent_destroy = false"), &[]);
    assert!(thing(&template, "a").lifecycle.prevent_destroy.is_none());

    let ignored = |base: &str, text: &str| {
        let template = over(&block(base), &block(text), &[]);
        match &thing(&template, "a").lifecycle.ignore_changes {
            IgnoreChanges::None => "none".to_owned(),
            IgnoreChanges::All => "all".to_owned(),
            IgnoreChanges::Only(paths) => paths.iter().map(|path| path.root_name()).collect::<Vec<_>>().join(","),
        }
    };
    assert_eq!(ignored("ignore_changes = all", "ignore_changes = [cidr]"), "all");
    assert_eq!(ignored("ignore_changes = [cidr]", "ignore_changes = all"), "all");
    assert_eq!(ignored("ignore_changes = [cidr]", "ignore_changes = []"), "cidr");
    assert_eq!(ignored("ignore_changes = [cidr]", "ignore_changes = [size]"), "size");
    assert_eq!(ignored("ignore_changes = []", "ignore_changes = [size]"), "size");

    let nothing = "3 template.override <replace_triggered_by> `replace_triggered_by` in an override file does nothing";
    let base = block("replace_triggered_by = [acme_vpc.b]");
    let template = over(&base, &block("replace_triggered_by = []"), &[nothing]);
    assert_eq!(thing(&template, "a").lifecycle.replace_triggered_by.len(), 1);
    let template = over(&block(""), &block("replace_triggered_by = [acme_vpc.b]"), &[nothing]);
    assert!(thing(&template, "a").lifecycle.replace_triggered_by.is_empty());
}

#[test]
fn what_does_not_exist_cannot_be_overridden() {
    over(
        "locals {\n}\nprovider \"acme\" {\n}\n",
        "locals {\n  a = 1\n}\nvariable \"v\" {\n}\noutput \"o\" {\n}\nmodule \"m\" {\n}\ndata \"acme_zone\" \"z\" {\n}\n",
        &[
            "2 template.override <a> there is no local `a` to override",
            "4 template.override <variable \"v\"> there is no `variable` block `v` to override",
            "6 template.override <output \"o\"> there is no `output` block `o` to override",
            "8 template.override <module \"m\"> there is no `module` block `m` to override",
            "10 template.override <data \"acme_zone\" \"z\"> there is no `data` block `acme_zone.z` to override",
        ],
    );
    // A provider without a block is configured all the same.
    let template = over("", "provider \"acme\" {\n  region = \"gz\"\n}\n", &[]);
    assert!(template.root().providers.contains_key(&ProviderName::of_default("acme")));
}

#[test]
fn some_things_cannot_be_overridden() {
    over(
        "output \"o\" {\n  value = 1\n}\nvariable \"v\" {\n}\nresource \"acme_vpc\" \"a\" {\n}\n",
        "output \"o\" {\n  depends_on = [acme_vpc.a]\n  precondition {\n  }\n}\nvariable \"v\" {\n  validation {\n  }\n}\n\
         resource \"acme_vpc\" \"a\" {\n  depends_on = []\n  lifecycle {\n    postcondition {\n    }\n  }\n}\n\
         moved {\n}\nimport {\n}\nremoved {\n}\n",
        &[
            "2 template.override <depends_on> `depends_on` cannot be overridden",
            "3 template.override <precondition> `precondition` blocks cannot be overridden",
            "7 template.override <validation> `validation` blocks cannot be overridden",
            "13 template.override <postcondition> `postcondition` blocks cannot be overridden",
            "17 template.override <moved> `moved` blocks cannot be overridden",
            "19 template.override <import> `import` blocks cannot be overridden",
            "21 template.override <removed> a `removed` block in an override file does nothing",
        ],
    );
}

#[test]
fn variables_are_checked_as_a_whole_and_alone() {
    let variable = |body: &str| format!("variable \"v\" {{\n  {body}\n}}\n");
    let template = over(&variable("default = 1"), &variable("type = string"), &[]);
    assert_eq!(template.root().variables["v"].default.as_ref().and_then(|value| value.as_str()), Some("1"));
    over(
        &variable("default = \"x\""),
        &variable("type = number"),
        &["2 template.default <\"x\"> the default of `v` does not fit its type: a number is required"],
    );
    over(
        &variable("type = string\n  default = null"),
        &variable("nullable = false"),
        &["3 template.default <null> the default of `v` cannot be null"],
    );
    // What is laid over it does not mend a base that is wrong.
    over(
        &variable("type = number\n  default = \"x\""),
        &variable("default = 5"),
        &["3 template.default <\"x\"> the default of `v` does not fit its type: a number is required"],
    );
    over(
        "output \"o\" {\n}\n",
        "output \"o\" {\n  value = 1\n}\n",
        &["1 template.missing <output \"o\"> the argument `value` is missing in an `output` block"],
    );
}

#[test]
fn settings_are_overridden_by_name() {
    let version = |text: &str| format!("terraform {{\n  required_version = \"{text}\"\n}}\n");
    over(&version(">= 99"), &version(">= 1"), &[]);
    over(
        &version(">= 1"),
        &version(">= 99"),
        &["2 template.version <\">= 99\"> the module asks for another version: >= 99"],
    );
    let providers = |text: &str| format!("terraform {{\n  required_providers {{\n    {text}\n  }}\n}}\n");
    let template = over(
        &providers("a = { source = \"x/a\" }\n    b = { source = \"x/b\" }"),
        &providers("a = { source = \"y/a\" }"),
        &[],
    );
    let required = &template.root().settings.required_providers;
    assert_eq!((required["a"].source.as_deref(), required["b"].source.as_deref()), (Some("y/a"), Some("x/b")));
}

#[test]
fn a_call_may_lead_elsewhere() {
    let template = check(
        &[
            ("main.tf", "module \"m\" {\n  source = \"./m\"\n  x = 1\n}\n"),
            ("override.tf", "module \"m\" {\n  source = \"./n\"\n}\n"),
            ("n/main.tf", "variable \"x\" {\n}\n"),
        ],
        &[],
    );
    let call = &template.root().calls["m"];
    assert_eq!((&*call.dir, call.inputs.len()), ("n", 1));
}

#[test]
fn what_is_unknown_in_an_override_is_told_where_it_stands() {
    over(
        "output \"o\" {\n  value = 1\n}\n",
        "wibble \"x\" {\n}\noutput \"o\" {\n  valu = 1\n}\n",
        &[
            "1 template.block <wibble \"x\"> there is no block `wibble` in a template",
            "4 template.argument <valu> there is no argument `valu` in an `output` block",
        ],
    );
}

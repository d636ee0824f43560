mod overrides;

use crate::{
    address::{Mode, ModulePath},
    template::{
        Edition, Files, IgnoreChanges, Options, ProviderName, Referent, Repetition, ResourceKey, Template,
        testing::{lines, parse_files},
    },
    value::{Marks, Type, Value},
};

/// Reads one file and compares all that is wrong with it: line, code, what is pointed at, message.
#[track_caller]
fn check(text: &str, expect: &[&str]) {
    let (template, problems) = parse_files(&[("main.tf", text)]);
    assert_eq!(lines(template.sources(), &problems), expect, "{text}");
}

const GOOD: &str = r#"
terraform {
  required_version = ">= 1.5, < 2.0"
  required_providers {
    acme = { source = "example/acme", version = "~> 3.0" }
    old  = "1.0"
  }
}

provider "acme" {
  region = var.region
}

variable "region" {
  type        = string
  description = "Where."
  default     = "north"
  nullable    = false

  validation {
    condition     = length(var.region) > 2
    error_message = "Too short."
  }
}

variable "rules" {
  type      = list(object({ port = number, name = optional(string, "web") }))
  default   = [{ port = "80" }]
  sensitive = true
}

variable "token" {}

locals {
  a = 1
  b = local.a
}

resource "acme_vpc" "main" {
  count      = 2
  depends_on = [data.acme_zone.zone, module.net, local.a]
  provider   = acme

  cidr = "10.0.0.0/8"
  rule {
    port = 1
  }

  lifecycle {
    create_before_destroy = true
    prevent_destroy       = "true"
    ignore_changes        = [tags["x"], rule[0].port]
    replace_triggered_by  = [acme_key.k.id, acme_key.m[each.key]]

    precondition {
      condition     = local.a > 0
      error_message = "no"
    }
    postcondition {
      condition     = self.id != ""
      error_message = "no"
    }
  }
}

data "acme_zone" "zone" {
  for_each = toset(["a"])
}

module "net" {
  source = "./net"
  size   = 3
}

output "id" {
  value      = acme_vpc.main[0].id
  sensitive  = true
  depends_on = [acme_vpc.main]
}
"#;

#[test]
fn everything_that_is_said_is_read() {
    let (template, problems) = parse_files(&[("main.tf", GOOD), ("net/main.tf", "variable \"size\" {}\n")]);
    assert_eq!(lines(template.sources(), &problems), Vec::<String>::new());
    let root = template.root();
    assert_eq!(root.settings.required_version[0].constraint.as_str(), ">= 1.5, < 2.0");
    assert_eq!(root.settings.required_providers["acme"].source.as_deref(), Some("example/acme"));
    assert_eq!(root.settings.required_providers["old"].version.as_ref().map(|version| version.as_str()), Some("1.0"));
    assert!(root.providers[&ProviderName::of_default("acme")].body.attribute("region").is_some());

    let region = &root.variables["region"];
    assert_eq!((&region.constraint.ty, region.nullable, region.sensitive), (&Type::String, false, false));
    assert_eq!((region.description.as_deref(), region.validations.len()), (Some("Where."), 1));
    let rules = &root.variables["rules"];
    let rule = Value::object([("port", Value::number(80)), ("name", Value::from("web"))]);
    assert_eq!(rules.default, Some(Value::list(rule.ty(), vec![rule]).with_marks(Marks::SENSITIVE)));
    assert!(root.variables["token"].is_required() && root.variables["token"].constraint.ty == Type::Any);

    let vpc = &root.resources[&ResourceKey::managed("acme_vpc", "main")];
    assert!(matches!(vpc.repetition, Repetition::Count(_)));
    let names: Vec<String> = vpc.depends_on.iter().map(|dependency| dependency.referent.to_string()).collect();
    assert_eq!(names, ["data.acme_zone.zone", "module.net", "local.a"]);
    assert_eq!(vpc.provider.as_ref().map(|provider| provider.name.to_string()).as_deref(), Some("acme"));
    assert!(vpc.lifecycle.create_before_destroy && vpc.lifecycle.prevent_destroy.is_some());
    let IgnoreChanges::Only(ignored) = &vpc.lifecycle.ignore_changes else { panic!("a list") };
    assert_eq!(ignored.iter().map(|path| path.root_name()).collect::<Vec<_>>(), ["tags", "rule"]);
    assert_eq!(vpc.lifecycle.replace_triggered_by.len(), 2);
    assert_eq!((vpc.lifecycle.preconditions.len(), vpc.lifecycle.postconditions.len()), (1, 1));
    let left: Vec<&str> = vpc.body.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
    assert_eq!((left, vpc.body.blocks.len()), (vec!["cidr"], 1));
    assert_eq!(root.resources[&ResourceKey::data("acme_zone", "zone")].key.mode, Mode::Data);

    let call = &root.calls["net"];
    assert_eq!((&*call.dir, call.inputs.keys().map(|name| &**name).collect::<Vec<_>>()), ("net", vec!["size"]));
    let path = ModulePath::root().child("net");
    assert!(template.module(&path).is_some_and(|module| module.variables.contains_key("size")));
    assert_eq!(template.call(&path).map(|call| &*call.name), Some("net"));
    assert!(root.outputs["id"].sensitive);
    assert_eq!(root.outputs["id"].depends_on[0].referent, Referent::Resource(vpc.key.clone()));
}

#[test]
fn providers_are_required_by_name_and_source() {
    let providers = |text: &str| format!("terraform {{\n  required_providers {{\n    {text}\n  }}\n}}\n");
    for name in ["Acme", "acme_x", "acme--x", "acme-"] {
        let expect = format!("3 template.provider <{name}> a provider cannot be called `{name}`");
        check(&providers(&format!("{name} = {{ source = \"a/b\" }}")), &[&expect]);
    }
    check(&providers("acme-2 = { source = \"a/b\" }"), &[]);
    check(&providers("acme = { source = 1 }"), &["3 template.static <1> `source` takes a text in quotes"]);
    check(
        &providers("acme = { source = \"a/b/c/d\" }"),
        &["3 template.provider <\"a/b/c/d\"> this is no source of a provider"],
    );
    check(
        &(providers("a = { source = \"x/a\" }") + &providers("b = { source = \"x/b\" }"))
            .replace("}\n}\nterraform {\n", "}\n"),
        &["5 template.duplicate <required_providers> a module says what it requires in one block"],
    );
    check(&providers("acme = { version = 1.0 }"), &["3 template.static <1.0> `version` takes a text in quotes"]);
}

#[test]
fn what_comes_later_is_refused_where_it_stands() {
    check(
        r#"
action "a" "b" {}
terraform {
  backend "s3" {}
  required_providers {
    acme = { configuration_aliases = [acme.x] }
  }
}
provider "acme" {
  alias = "x"
}
variable "v" {
  ephemeral = true
}
module "remote" {
  source = "example/net/acme"
}
module "local" {
  source    = "."
  providers = {}
  version   = "1"
}
resource "acme_vpc" "x" {
  provider = acme.x
  provisioner "local-exec" {}
  connection {}
}
"#,
        &[
            "2 template.unsupported <action \"a\" \"b\"> a `action` block is not supported yet",
            "4 template.unsupported <backend \"s3\"> `backend` in a `terraform` block is not supported yet",
            "16 template.source <\"example/net/acme\"> the module `example/net/acme` is not there yet",
            "19 template.source <\".\"> the module `local` calls itself",
            "21 template.version <version> a module beside its caller has no version",
            "25 template.unsupported <provisioner \"local-exec\"> `provisioner` in a `resource` block is not supported yet",
            "26 template.unsupported <connection> `connection` in a `resource` block is not supported yet",
        ],
    );
}

#[test]
fn ephemeral_blocks_are_read_from_every_notation() {
    let hcl = r#"
ephemeral "acme_token" "t" {
  for_each   = toset(["a"])
  provider   = acme
  depends_on = [acme_vpc.main]
  scope      = each.key
  lifecycle {
    precondition {
      condition     = each.key != ""
      error_message = "No scope."
    }
    postcondition {
      condition     = self.token != ""
      error_message = "No token."
    }
  }
}
resource "acme_vpc" "main" {}
"#;
    let json = r#"{
  "ephemeral": { "acme_token": { "t": {
    "for_each": "${toset([\"a\"])}",
    "provider": "acme",
    "depends_on": ["acme_vpc.main"],
    "scope": "${each.key}",
    "lifecycle": {
      "precondition": { "condition": "${each.key != \"\"}", "error_message": "No scope." },
      "postcondition": { "condition": "${self.token != \"\"}", "error_message": "No token." }
    }
  } } },
  "resource": { "acme_vpc": { "main": {} } }
}"#;
    let yaml = "ephemeral:\n  acme_token:\n    t:\n      for_each: ${toset([\"a\"])}\n      provider: acme\n      \
                depends_on: [acme_vpc.main]\n      scope: ${each.key}\n      lifecycle:\n        precondition:\n          \
                condition: ${each.key != \"\"}\n          error_message: No scope.\n        postcondition:\n          \
                condition: ${self.token != \"\"}\n          error_message: No token.\nresource:\n  acme_vpc:\n    main: {}\n";
    for (name, text) in [("main.tf", hcl), ("main.tf.json", json), ("main.tf.yaml", yaml)] {
        let (template, problems) = parse_files(&[(name, text)]);
        assert_eq!(lines(template.sources(), &problems), Vec::<String>::new(), "{name}");
        let token = &template.root().resources[&ResourceKey::ephemeral("acme_token", "t")];
        assert_eq!((token.key.mode, token.key.to_string()), (Mode::Ephemeral, "ephemeral.acme_token.t".to_owned()));
        assert!(matches!(token.repetition, Repetition::ForEach(_)) && token.provider.is_some(), "{name}");
        assert_eq!(token.depends_on.len(), 1, "{name}");
        let lifecycle = &token.lifecycle;
        assert_eq!((lifecycle.preconditions.len(), lifecycle.postconditions.len()), (1, 1), "{name}");
        let left: Vec<&str> = token.body.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
        assert_eq!(left, ["scope"], "{name}");
    }
    check(
        r#"
ephemeral "acme_token" "t" {
  connection {}
  lifecycle {
    ignore_changes = all
  }
}
ephemeral "acme_token" {}
removed {
  from = ephemeral.acme_token.gone
  lifecycle {
    destroy = false
  }
}
"#,
        &[
            "3 template.name <connection> the name `connection` is reserved in an `ephemeral` block",
            "5 template.argument <ignore_changes> `ignore_changes` means nothing for an ephemeral resource",
            "8 template.label <ephemeral \"acme_token\"> a `ephemeral` block has 2 labels, not 1",
            "10 template.removed <ephemeral.acme_token.gone> an ephemeral resource has no object that could be removed",
        ],
    );
}

#[test]
fn what_does_not_belong_is_refused() {
    check(
        r#"
a = 1
resorce "acme_vpc" "x" {}
resource "acme_vpc" {}
resource "acme_vpc" "1x" {}
variable "count" {}
variable "v" {
  tipe = string
  type = strin
  validation = []
  default {}
}
variable "w" {
  type     = number
  default  = "x"
}
variable "y" {
  nullable = false
  default  = null
}
variable "z" {
  default = [var.v]
}
variable "u" {
  default   = upper("x")
  sensitive = "maybe"
}
variable "v" {}
output "o" {}
output "p" {
  value = 1
  postcondition {}
}
data "acme_zone" "z" {
  lifecycle {
    prevent_destroy = true
    precondition {
      condition = true
    }
  }
  provisioner "x" {}
}
resource "acme_vpc" "y" {
  count    = 1
  for_each = {}
  depends_on = [acme_vpc.x.id, each.key, upper("x"), "acme_vpc.z"]
  lifecycle {
    ignore_changes       = [all]
    replace_triggered_by = [data.a.b, local.c, acme_vpc.x[var.v]]
  }
  lifecycle {}
}
module "m" {
  source = "./nowhere"
}
module "n" {
  source = "../outside"
  lifecycle {}
}
terraform {
  required_version = ">= 99"
  required_providers {
    acme = "latest"
  }
}
"#,
        &[
            "2 template.argument <a> the argument `a` stands in no block",
            "3 template.block <resorce \"acme_vpc\" \"x\"> there is no block `resorce` in a template",
            "4 template.label <resource \"acme_vpc\"> a `resource` block has 2 labels, not 1",
            "5 template.name <\"1x\"> `1x` is not a valid name",
            "6 template.name <\"count\"> a variable cannot be called `count`",
            "8 template.argument <tipe> there is no argument `tipe` in a `variable` block",
            "9 template.type <strin> there is no type `strin`",
            "10 template.block <validation> `validation` is a block, not an argument",
            "11 template.argument <default> `default` is an argument, not a block",
            "15 template.default <\"x\"> the default of `w` does not fit its type: a number is required",
            "19 template.default <null> the default of `y` cannot be null",
            "22 template.static <var.v> nothing can be referred to here",
            "25 template.static <upper> no function can be called here",
            "26 template.static <\"maybe\"> `sensitive` is not a bool: a bool is required",
            "28 template.duplicate <variable \"v\"> the variable `v` is declared twice",
            "29 template.missing <output \"o\"> the argument `value` is missing in an `output` block",
            "32 template.block <postcondition> an output has no `postcondition`",
            "36 template.argument <prevent_destroy> `prevent_destroy` means nothing for a data source",
            "37 template.missing <precondition> the argument `error_message` is missing in a `precondition` block",
            "41 template.name <provisioner> the name `provisioner` is reserved in a `data` block",
            "45 template.repetition <for_each> a block has `count` or `for_each`, not both",
            "46 template.dependency <acme_vpc.x.id> `depends_on` names whole objects, not parts of them",
            "46 template.dependency <each.key> `each.key` is nothing that can be waited for",
            "46 template.static <upper(\"x\")> `depends_on` takes references that are written out",
            "46 template.quoted <\"acme_vpc.z\"> a reference in `depends_on` is written in quotes",
            "48 template.static <all> `all` stands alone, not in a list",
            "49 template.trigger <data.a.b> only changes of managed resources can trigger a replacement",
            "49 template.trigger <local.c> only changes of managed resources can trigger a replacement",
            "49 template.trigger <acme_vpc.x[var.v]> an index here is made of `count.index`, `each.key` or `each.value` only",
            "51 template.duplicate <lifecycle> a second `lifecycle` block in a `resource` block",
            "54 template.source <\"./nowhere\"> there is no module at `./nowhere`",
            "57 template.source <\"../outside\"> there is no module at `../outside`",
            "58 template.name <lifecycle> the name `lifecycle` is reserved in a `module` block",
            "61 template.version <\">= 99\"> the module asks for another version: >= 99",
            "63 template.version <\"latest\"> `latest` is not a condition on a version; write one such as `>= 1.2.0`",
        ],
    );
}

#[test]
fn a_broken_text_is_not_blamed_twice() {
    check(
        "output \"o\" {\n  value = 1 +\n}\n",
        &["2 syntax.unexpected <> expected a value, found the end of the line"],
    );
}

#[test]
fn modules_that_call_each_other_end() {
    let call = |source: &str| format!("module \"x\" {{\n  source = \"{source}\"\n}}\n");
    let (template, problems) =
        parse_files(&[("main.tf", &call("./a")), ("a/main.tf", &call("../b")), ("b/main.tf", &call("../a"))]);
    assert_eq!(lines(template.sources(), &problems), ["2 template.source <\"../a\"> the module `x` calls itself"]);
    assert_eq!(template.modules().count(), 3);
}

#[test]
fn modules_that_double_end() {
    let mut files = Files::new();
    for level in 0..40 {
        let source = format!("{}l{}", if level == 0 { "./" } else { "../" }, level + 1);
        let text =
            format!("module \"a\" {{\n  source = \"{source}\"\n}}\nmodule \"b\" {{\n  source = \"{source}\"\n}}\n");
        files.insert(&if level == 0 { "main.tf".into() } else { format!("l{level}/main.tf") }, text);
    }
    files.insert("l40/main.tf", "");
    let (template, problems) = Template::parse(&files, &Options::default());
    assert_eq!(problems.iter().map(|problem| &*problem.code).collect::<Vec<_>>(), ["template.budget"]);
    assert!(template.modules().count() <= Options::default().module_limit);
}

#[test]
fn what_a_syntax_error_took_away_is_not_missed() {
    let text = "output \"o\" {\n  value @ 1\n}\nmodule \"m\" {\n  source @ \"./m\"\n}\nlocals {\n  a = 1\n}\n";
    let (template, problems) = parse_files(&[("main.tf", text)]);
    assert!(problems.iter().all(|problem| problem.code.starts_with("syntax.")), "{problems:?}");
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(template.root().locals.contains_key("a"));
}

#[test]
fn the_root_module_decides_on_the_edition() {
    let check = |given: Edition, files: &[(&str, &str)], expect: Edition, problem: &str| {
        let files = Files::from_texts(files.iter().copied());
        let (template, problems) = Template::parse(&files, &Options::default().edition(given));
        assert_eq!(template.edition(), expect, "{files:?}");
        assert_eq!(lines(template.sources(), &problems).join("\n"), problem, "{files:?}");
    };
    let settings = |line: &str| format!("terraform {{\n  {line}\n}}\n");
    let (first, second, ours) = (Edition::V1_11, Edition::V1_12, Edition::Stackwright);
    check(first, &[("main.tf", "")], first, "");
    check(second, &[("main.tf", "")], second, "");
    check(first, &[("main.tf", &settings("language = TF2021"))], first, "");
    check(first, &[("main.tf", &settings("language = stackwright"))], ours, "");
    check(first, &[("main.tf", &settings("required_version = \">= 1.5\""))], first, "");
    check(first, &[("main.tf", &settings("required_version = \">= 1.12\""))], second, "");
    check(first, &[("main.tf", &settings("required_version = \"~> 1.13.0\""))], second, "");
    check(ours, &[("main.tf", &settings("required_version = \">= 1.12\""))], ours, "");
    check(
        second,
        &[("main.tf", &settings("required_version = \"< 1.12\""))],
        second,
        "2 template.version <\"< 1.12\"> the module asks for another version: < 1.12",
    );
    check(
        first,
        &[("main.tf", &settings("language = TF2099"))],
        first,
        "2 template.version <TF2099> the language of the template is not known",
    );
    let call = "module \"m\" {\n  source = \"./m\"\n}\n";
    check(first, &[("main.tf", call), ("m/main.tf", &settings("required_version = \">= 1.12\""))], second, "");
    check(
        first,
        &[("main.tf", call), ("m/main.tf", &settings("language = stackwright"))],
        first,
        "2 template.version <stackwright> the module is written in edition `stackwright`, the root module is not",
    );
}

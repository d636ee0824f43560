mod providers;

use std::sync::Arc;

use super::{SchemaSource, check};
use crate::{
    error::{Diagnostics, RenderOptions, render_all},
    schema::{Attribute, Block, NestedBlock, Schema},
    template::testing::{lines, parse_files},
    value::Type,
};

/// One provider, `acme`, with a resource type, a data source, and a type all of whose parts are required.
struct Acme;

impl SchemaSource for Acme {
    fn resource(&self, type_name: &str) -> Option<Arc<Schema>> {
        let port = Block::new()
            .attribute("port", Attribute::required(Type::Number).between(1, 65535))
            .attribute("label", Attribute::optional(Type::String));
        let schema = match type_name {
            "acme_vpc" => Schema::new(0)
                .attribute("id", Attribute::computed(Type::String))
                .attribute("cidr", Attribute::optional(Type::String))
                .attribute("size", Attribute::optional(Type::Number))
                .attribute("tags", Attribute::optional(Type::map(Type::String)))
                .attribute("password", Attribute::optional(Type::String).write_only())
                .block("rule", NestedBlock::list(port).max_items(2)),
            "acme_strict" => Schema::new(0)
                .attribute("name", Attribute::required(Type::String))
                .block("disk", NestedBlock::list(Block::new()).min_items(1))
                .block("tag", NestedBlock::map(Block::new().attribute("v", Attribute::optional(Type::String)))),
            _ => return None,
        };
        Some(Arc::new(schema))
    }

    fn data_source(&self, type_name: &str) -> Option<Arc<Schema>> {
        let schema = Schema::new(0)
            .attribute("name", Attribute::required(Type::String))
            .attribute("id", Attribute::computed(Type::String));
        (type_name == "acme_zone").then(|| Arc::new(schema))
    }

    fn ephemeral(&self, type_name: &str) -> Option<Arc<Schema>> {
        let schema = Schema::new(0)
            .attribute("scope", Attribute::optional(Type::String))
            .attribute("token", Attribute::computed(Type::String));
        (type_name == "acme_token").then(|| Arc::new(schema))
    }

    fn ephemeral_names(&self) -> Vec<Arc<str>> {
        vec!["acme_token".into()]
    }

    fn provider(&self, name: &str) -> Option<Option<Arc<Schema>>> {
        let schema = Schema::new(0).attribute("region", Attribute::required(Type::String));
        (name == "acme").then(|| Some(Arc::new(schema)))
    }

    fn resource_names(&self) -> Vec<Arc<str>> {
        vec!["acme_strict".into(), "acme_vpc".into()]
    }

    fn data_source_names(&self) -> Vec<Arc<str>> {
        vec!["acme_zone".into()]
    }

    fn provider_names(&self) -> Vec<Arc<str>> {
        vec!["acme".into()]
    }
}

pub(super) fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let (template, found) = parse_files(files);
    let mut all = lines(template.sources(), &found);
    let checked = check(&template, &Acme);
    let helps = checked.iter().map(|problem| problem.help.as_deref().unwrap_or_default());
    let texts = lines(template.sources(), &checked);
    // A suggestion is part of what is compared; other ways out are not.
    all.extend(texts.into_iter().zip(helps).map(|(line, help)| match help.strip_prefix("did you mean ") {
        Some(near) => format!("{line} ({near})"),
        None => line,
    }));
    all
}

#[track_caller]
fn refuse(text: &str, expect: &[&str]) {
    assert_eq!(problems(&[("main.tf", text)]), expect, "{text}");
}

#[test]
fn a_sound_template_has_no_problem() {
    let net = "variable \"a\" {}\nvariable \"b\" {\n  default = 1\n}\n\
        resource \"acme_vpc\" \"x\" {\n  cidr = var.a\n}\noutput \"x\" {\n  value = acme_vpc.x.id\n}\noutput \"y\" {\n  value = var.b\n}\n";
    let main = r#"
provider "acme" {
  region = var.region
}
variable "region" {
  default = "x"
  validation {
    condition     = var.region != local.one
    error_message = "no ${var.region}"
  }
}
locals {
  one  = "a"
  all  = [for k, v in module.many : v.x]
  many = acme_vpc.many[*].id
  key  = acme_vpc.keyed["a"].id
  ix   = acme_vpc.many[local.n].tags.x
  n    = 0
  sp   = acme_vpc.single[*].id
  dir  = "${path.module}/${terraform.workspace}"
}
resource "acme_vpc" "many" {
  count = 2
  cidr  = "${count.index}"
  rule {
    port = 1
  }
}
resource "acme_vpc" "keyed" {
  for_each = { a = 1 }
  cidr     = each.key
  tags     = { v = each.value }
  dynamic "rule" {
    for_each = [1]
    content {
      port  = rule.value
      label = "${rule.key}${each.key}"
    }
  }
  dynamic "rule" {
    for_each = [1]
    iterator = item
    content {
      port = item.value
    }
  }
}
resource "acme_vpc" "single" {
  cidr       = data.acme_zone.z.id
  depends_on = [module.crossing]
  lifecycle {
    ignore_changes       = [tags["x"], rule]
    replace_triggered_by = [acme_vpc.keyed["a"].id]
    postcondition {
      condition     = self.id != ""
      error_message = "${self.id} is empty"
    }
  }
}
resource "acme_strict" "s" {
  name = "n"
  disk {}
  tag "a" {
    v = "1"
  }
  dynamic "tag" {
    for_each = {}
    labels   = [tag.key]
    content {}
  }
}
data "acme_zone" "z" {
  name = "x"
}
module "many" {
  source   = "./net"
  for_each = toset(["a"])
  a        = each.key
}
module "crossing" {
  source = "./net"
  a      = module.other.y
}
module "other" {
  source = "./net"
  a      = module.crossing.x
}
"#;
    assert_eq!(problems(&[("main.tf", main), ("net/main.tf", net)]), Vec::<String>::new());
}

#[test]
fn what_is_not_declared_is_named() {
    refuse(
        r#"
variable "region" {
  default = 1
}
locals {
  colour = 1
  a      = var.regoin
  b      = local.color
  c      = acme_vpc.mian.id
  d      = acme_vcp.main.id
  e      = data.acme_vpc.main.id
  f      = module.nope.x
  g      = acme_vpc.main.idd
  h      = vra.region
  i      = path.modul
  j      = nothing
  k      = var
  l      = terraform.applying
}
resource "acme_vpc" "main" {
  lifecycle {
    ignore_changes = [tgas]
  }
  depends_on = [acme_vpc.gone]
}
"#,
        &[
            "7 template.reference <var.regoin> there is no variable `regoin` (`var.region`?)",
            "8 template.reference <local.color> there is no local `color` (`local.colour`?)",
            "9 template.reference <acme_vpc.mian.id> there is no resource `acme_vpc.mian` (`acme_vpc.main`?)",
            "10 template.reference <acme_vcp.main.id> there is no resource `acme_vcp.main` (`acme_vpc.main`?)",
            "11 template.reference <data.acme_vpc.main.id> there is no data source `data.acme_vpc.main` (`acme_vpc.main`?)",
            "12 template.reference <module.nope.x> there is no module call `nope`",
            "13 template.attribute <acme_vpc.main.idd> `acme_vpc.main` has no attribute `idd` (`id`?)",
            "14 template.reference <vra.region> there is no resource `vra.region` (`var.region`?)",
            "15 template.reference <path.modul> `path` has only `path.module`, `path.root` and `path.cwd`",
            "16 template.reference <nothing> `nothing` refers to nothing",
            "17 template.reference <var> `var` is followed by the name of a variable: `var.name`",
            "22 template.attribute <tgas> `acme_vpc.main` has no attribute `tgas` (`tags`?)",
            "24 template.reference <acme_vpc.gone> there is no resource `acme_vpc.gone`",
        ],
    );
}

#[test]
fn what_stands_in_the_wrong_place_is_named() {
    refuse(
        r#"
locals {
  a = each.key
  b = count.index
  c = self.id
  d = acme_vpc.many.id
  e = acme_vpc.one[0].id
  f = acme_vpc.one[local.g].id
  g = acme_vpc.keyed.id
  h = acme_vpc.many[0].idd
  i = acme_vpc.many[*].idd
  j = each.keys
}
resource "acme_vpc" "many" {
  count = count.index
  cidr  = each.key
  size  = acme_vpc.many[0].size
}
resource "acme_vpc" "keyed" {
  for_each   = { a = each.key }
  size       = count.index
  depends_on = [acme_vpc.keyed]
}
resource "acme_vpc" "one" {
  cidr = self.id
  lifecycle {
    precondition {
      condition     = self.id == ""
      error_message = "no"
    }
    postcondition {
      condition     = acme_vpc.one.id == "" && self.idd == ""
      error_message = "no"
    }
    precondition {
      condition     = 1 == 1
      error_message = "no"
    }
  }
}
variable "v" {
  default = 1
  validation {
    condition     = local.a == 1
    error_message = "no"
  }
}
"#,
        &[
            "3 template.context <each.key> `each.key` means nothing here",
            "4 template.context <count.index> `count.index` means nothing here",
            "5 template.context <self.id> `self` means nothing here",
            "6 template.instance <acme_vpc.many.id> `acme_vpc.many` has several instances, because `count` is set",
            "7 template.instance <acme_vpc.one[0].id> `acme_vpc.one` has one instance, without a key",
            "8 template.instance <acme_vpc.one> `acme_vpc.one` has one instance, without a key",
            "9 template.instance <acme_vpc.keyed.id> `acme_vpc.keyed` has several instances, because `for_each` is set",
            "10 template.attribute <acme_vpc.many[0].idd> `acme_vpc.many` has no attribute `idd` (`id`?)",
            "11 template.attribute <acme_vpc.many> `acme_vpc.many` has no attribute `idd` (`id`?)",
            "12 template.reference <each.keys> `each` has only `each.key` and `each.value`",
            "15 template.context <count.index> `count.index` means nothing here",
            "16 template.context <each.key> `each.key` means nothing here",
            "17 template.self_reference <acme_vpc.many[0].size> `acme_vpc.many` refers to itself",
            "20 template.context <each.key> `each.key` means nothing here",
            "21 template.context <count.index> `count.index` means nothing here",
            "22 template.self_reference <acme_vpc.keyed> `acme_vpc.keyed` refers to itself",
            "25 template.context <self.id> `self` means nothing here",
            "28 template.context <self.id> `self` means nothing here",
            "32 template.self_reference <acme_vpc.one.id> `acme_vpc.one` refers to itself",
            "32 template.attribute <self.idd> `acme_vpc.one` has no attribute `idd` (`id`?)",
            "36 template.condition <1 == 1> the condition always has the same result",
            "44 template.condition <local.a == 1> the condition does not look at `var.v`",
        ],
    );
}

#[test]
fn what_does_not_fit_the_schema_is_named() {
    refuse(
        r#"
resource "acme_vcp" "a" {
  anything = 1
}
data "acme_vpc" "b" {}
resource "acme_vpc" "c" {
  provider = acne
  id       = "x"
  cdir     = "x"
  rule     = []
  tags {}
  rul {}
  rule {
    prt = 1
  }
  dynamic "rule" {
    for_eech = []
    content {
      label = 1
    }
  }
  dynamic "nope" {
    for_each = []
    content {}
  }
}
resource "acme_strict" "d" {
  tag {}
}
resource "acme_vpc" "e" {
  rule {
    port = 1
  }
  rule {
    port = 2
  }
  rule "x" {
    port = 3
  }
}
provider "acme" {
  regions = 1
}
provider "other" {}
"#,
        &[
            "2 template.resource_type <resource \"acme_vcp\" \"a\"> there is no resource type `acme_vcp` (`acme_vpc`?)",
            "5 template.resource_type <data \"acme_vpc\" \"b\"> there is no data source type `acme_vpc` (a `resource` block?)",
            "7 template.provider <acne> there is no provider `acne` (`acme`?)",
            "8 template.argument <id> `id` is decided by `acme_vpc.c` itself and cannot be set",
            "9 template.argument <cdir> there is no argument `cdir` in `acme_vpc.c` (`cidr`?)",
            "10 template.block <rule> `rule` is a block, not an argument",
            "11 template.argument <tags> `tags` is an argument, not a block",
            "12 template.block <rul> there is no block `rul` in `acme_vpc.c` (`rule`?)",
            "13 template.missing <rule> the argument `port` is missing in `rule` in `acme_vpc.c`",
            "14 template.argument <prt> there is no argument `prt` in `rule` in `acme_vpc.c` (`port`?)",
            "16 template.missing <dynamic \"rule\"> `for_each` is missing in a `dynamic` block",
            "17 template.argument <for_eech> there is no argument `for_eech` in a `dynamic` block (`for_each`?)",
            "18 template.missing <content> the argument `port` is missing in `rule` in `acme_vpc.c`",
            "22 template.block <\"nope\"> there is no block `nope` in `acme_vpc.c`",
            "27 template.missing <resource \"acme_strict\" \"d\"> a block `disk` is missing in `acme_strict.d`",
            "27 template.missing <resource \"acme_strict\" \"d\"> the argument `name` is missing in `acme_strict.d`",
            "28 template.label <tag> a `tag` block has 1 labels, not 0",
            "37 template.block <rule> `acme_vpc.e` has at most 2 blocks `rule`, not 3",
            "37 template.label <rule \"x\"> a `rule` block has 0 labels, not 1",
            "41 template.missing <provider \"acme\"> the argument `region` is missing in the provider `acme`",
            "42 template.argument <regions> there is no argument `regions` in the provider `acme` (`region`?)",
            "44 template.provider <provider \"other\"> there is no provider `other`",
        ],
    );
}

#[test]
fn calls_set_what_modules_need() {
    let main = "module \"net\" {\n  source = \"./net\"\n  siez   = 1\n}\nlocals {\n  a = module.net.idd\n  b = module.net[0].id\n}\n";
    let net = "variable \"size\" {}\noutput \"id\" {\n  value = var.sise\n}\n";
    assert_eq!(
        problems(&[("main.tf", main), ("net/main.tf", net)]),
        [
            "1 template.missing <module \"net\"> the module `net` needs a value for its variable `size`",
            "3 template.argument <siez> there is no variable `siez` in the module `net` (`size`?)",
            "6 template.reference <module.net.idd> the module `net` has no output `idd` (`module.net.id`?)",
            "7 template.instance <module.net[0].id> `module.net` has one instance, without a key",
            "3 template.reference <var.sise> there is no variable `sise` (`var.size`?)",
        ]
    );
}

#[test]
fn loops_are_explained() {
    refuse(
        "locals {\n  a = local.b\n  b = [local.c]\n  c = local.a\n  d = local.d\n}\n",
        &[
            "2 template.cycle <local.b> `local.a` refers to `local.b`, which refers to `local.c`, which refers to `local.a`",
            "5 template.cycle <local.d> `local.d` refers to itself",
        ],
    );
    refuse(
        "resource \"acme_vpc\" \"a\" {\n  cidr = acme_vpc.b.id\n}\nresource \"acme_vpc\" \"b\" {\n  depends_on = [acme_vpc.a]\n}\n",
        &["2 template.cycle <acme_vpc.b.id> `acme_vpc.a` refers to `acme_vpc.b`, which refers to `acme_vpc.a`"],
    );
    // Arms that are never taken, and instances that are others, count as they do in Terraform.
    refuse(
        "resource \"acme_vpc\" \"a\" {\n  count = 2\n  cidr  = count.index == 0 ? \"x\" : acme_vpc.b[count.index - 1].id\n}\n\
         resource \"acme_vpc\" \"b\" {\n  count = 2\n  cidr  = acme_vpc.a[count.index].id\n}\n",
        &["3 template.cycle <acme_vpc.b> `acme_vpc.a` refers to `acme_vpc.b`, which refers to `acme_vpc.a`"],
    );
    refuse(
        "resource \"acme_vpc\" \"a\" {\n  count = 2\n  cidr  = count.index == 0 ? \"x\" : acme_vpc.a[count.index - 1].id\n}\n",
        &["3 template.self_reference <acme_vpc.a> `acme_vpc.a` refers to itself"],
    );
    let net = "variable \"in\" {}\noutput \"out\" {\n  value = var.in\n}\n";
    let main = "module \"a\" {\n  source = \"./net\"\n  in     = module.b.out\n}\n\
        module \"b\" {\n  source = \"./net\"\n  in     = module.a.out\n}\n";
    assert_eq!(
        problems(&[("main.tf", main), ("net/main.tf", net)]),
        [
            "3 template.cycle <module.b.out> `module.a.var.in` refers to `module.b.out`, which refers to `module.b.var.in`, \
          which refers to `module.a.out`, which refers to `module.a.var.in`"
        ]
    );
    let main = "module \"a\" {\n  source   = \"./net\"\n  in       = 1\n  for_each = toset([module.a[\"x\"].out])\n}\n";
    assert_eq!(
        problems(&[("main.tf", main), ("net/main.tf", net)]),
        ["4 template.cycle <module.a[\"x\"].out> the repetition of `module.a` refers to itself"]
    );
}

#[test]
fn a_swallowed_block_is_not_missed() {
    let (template, found) = parse_files(&[("main.tf", "variable \"a {\n  default = 1\n}\nlocals {\n  b = var.a\n}\n")]);
    assert!(!found.is_empty());
    assert_eq!(lines(template.sources(), &check(&template, &Acme)), Vec::<String>::new());
}

#[test]
fn types_are_checked_whatever_the_values() {
    let main = r#"
variable "n" {
  type = number
}
variable "l" {
  type    = list(object({ a = string }))
  default = []
}
locals {
  a = "a" + 1
  b = local.a + 1
  c = var.n.x
  d = var.l[0].b
  e = nosuch(1)
  f = upper(["x"])
  g = upper(file("motd.txt"))
  h = acme_vpc.one.id.x
  i = acme_vpc.one.tags.any
  j = module.net.text + 1
  k = [for x in var.n : x]
  l = var.l[*].a
  m = acme_vpc.one.rule[0].prt
  o = local.undeclared + 1
}
resource "acme_vpc" "one" {
  cidr  = ["x"]
  size  = "big"
  tags  = { a = [] }
  rule {
    port  = 70000
    label = null
  }
  dynamic "rule" {
    for_each = 1
    content {
      port = rule.key
    }
  }
  lifecycle {
    precondition {
      condition     = "${var.n} apples"
      error_message = ["no"]
    }
  }
}
resource "acme_strict" "two" {
  for_each = ["a"]
  name     = null
  disk {}
}
resource "acme_vpc" "three" {
  for_each = { a = 1, b = 2 }
  size     = each.value
  cidr     = each.value.x
}
resource "acme_vpc" "four" {
  count = -1
}
resource "acme_vpc" "five" {
  count = "many"
}
module "net" {
  source = "./net"
  sizes  = { a = "x" }
}
output "sum" {
  value = 1 + true
  precondition {
    condition     = var.n
    error_message = "no"
  }
}
"#;
    let net = "variable \"sizes\" {\n  type = map(number)\n}\noutput \"text\" {\n  value = \"t\"\n}\n";
    assert_eq!(
        problems(&[("main.tf", main), ("net/main.tf", net)]),
        [
            "10 eval.operand <\"a\"> `+` takes a number, not a string",
            "12 eval.part <.x> can't access attributes on a primitive-typed value (number)",
            "13 eval.part <.b> this object does not have an attribute named \"b\"",
            "14 eval.function_unknown <nosuch> there is no function `nosuch`",
            "15 eval.function <[\"x\"]> `upper`, argument `str`: string required",
            "17 eval.part <.x> can't access attributes on a primitive-typed value (string)",
            "19 eval.operand <module.net.text> `+` takes a number, not a string",
            "20 eval.iteration <var.n> a number has no elements to walk",
            "22 eval.part <.prt> this object does not have an attribute named \"prt\" (`port`?)",
            "23 template.reference <local.undeclared> there is no local `undeclared`",
            "26 template.value <[\"x\"]> `cidr` does not fit: string required",
            "27 template.value <\"big\"> `size` does not fit: a number is required",
            "28 template.value <{ a = [] }> `tags` does not fit: element \"a\": string required",
            "30 template.value <70000> `port` must be from 1 to 65535",
            "34 template.value <1> `for_each` of a `dynamic` block takes a collection",
            "42 template.value <[\"no\"]> the message does not fit: string required",
            "47 template.value <[\"a\"]> `for_each` takes a map, an object or a set of strings",
            "48 template.value <null> `name` is required and cannot be null",
            "54 eval.part <.x> can't access attributes on a primitive-typed value (number)",
            "57 template.value <-1> `count` is a whole number from 0 on",
            "60 template.value <\"many\"> `count` does not fit: a number is required",
            "64 template.value <{ a = \"x\" }> `sizes` does not fit the module's variable: [\"a\"]: a number is required",
            "67 eval.operand <true> `+` takes a number, not a bool",
            "69 template.value <var.n> the condition does not fit: bool required",
        ]
    );
}

#[test]
fn what_outputs_would_show_is_told_before_anything_is_planned() {
    let main = "variable \"s\" {\n sensitive = true\n}\noutput \"a\" {\n value = [upper(var.s)]\n}\n\
                output \"b\" {\n value = nonsensitive(var.s)\n}\noutput \"c\" {\n value = var.s\n sensitive = true\n}\n\
                output \"d\" {\n value = module.net.inner\n}\nmodule \"net\" {\n source = \"./net\"\n s = var.s\n}\n";
    let net = "variable \"s\" {}\noutput \"inner\" {\n value = sensitive(var.s)\n}\n";
    assert_eq!(
        problems(&[("main.tf", main), ("net/main.tf", net)]),
        [
            "5 plan.sensitive_output <[upper(var.s)]> output `a` would show a sensitive value",
            "15 plan.sensitive_output <module.net.inner> output `d` would show a sensitive value",
        ]
    );
}

/// What a module hands out may have a type in common with what is only known later: nothing is refused for half of the truth.
#[test]
fn what_modules_hand_out_is_judged_once_the_rest_is_known() {
    let main = "variable \"l\" {\n type = list(number)\n}\nmodule \"m\" {\n source = \"./m\"\n}\noutput \"o\" {\n \
                value = tolist([[for v in var.l : !false], module.m.flags])\n}\noutput \"q\" {\n value = module.m.flag + 1\n}\n";
    let module = "output \"flags\" {\n value = [true]\n}\noutput \"flag\" {\n value = \"x\"\n}\n";
    let found = problems(&[("main.tf", main), ("m/main.tf", module)]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("11 eval.operand <module.m.flag>"), "what is certain is told: {found:?}");
}

#[test]
fn what_would_show_in_addresses_is_told_before_anything_is_planned() {
    let text = "variable \"s\" {\n sensitive = true\n type = string\n}\nvariable \"n\" {\n sensitive = true\n type = number\n}\n\
                resource \"acme_vpc\" \"a\" {\n for_each = toset([\"x-${var.s}\"])\n}\nresource \"acme_vpc\" \"b\" {\n count = var.n\n}\n\
                resource \"acme_vpc\" \"c\" {\n for_each = { k = var.s }\n cidr = each.value\n}\n";
    refuse(
        text,
        &[
            "10 plan.repetition <toset([\"x-${var.s}\"])> the `for_each` of `acme_vpc.a` is sensitive",
            "13 plan.repetition <var.n> the `count` of `acme_vpc.b` is sensitive",
        ],
    );
}

#[test]
fn no_instance_has_a_key_that_is_neither_a_number_nor_a_text() {
    let text = |key: &str| {
        format!("resource \"acme_vpc\" \"a\" {{\n count = 2\n}}\noutput \"o\" {{\n value = acme_vpc.a[{key}].id\n}}\n")
    };
    for key in ["0.5", "null", "true"] {
        let expect = format!("5 eval.part <[{key}]> the key of an instance is a whole number or a text");
        refuse(&text(key), &[&expect]);
    }
    refuse(&text("1"), &[]);
}

#[test]
fn twenty_mistakes_are_twenty_diagnostics() {
    let text = include_str!("testdata/twenty_mistakes.tf");
    let (template, mut found) = parse_files(&[("main.tf", text)]);
    found.extend(check(&template, &Acme));
    found.tidy();
    insta::assert_snapshot!(render_all(&found, template.sources(), RenderOptions::default()));
    assert!(found.iter().all(|problem| problem.is_error() && problem.span().is_some()));
    assert_eq!(found.len(), 20);
}

/// A random number generator that is the same everywhere (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Broken templates end in diagnostics, never in a panic.
#[test]
fn mutations_end_in_diagnostics() {
    let good = [
        include_str!("testdata/twenty_mistakes.tf").to_owned(),
        "locals {\n  a = local.b\n  b = { for k, v in var.x : k => v... if v }\n}\nvariable \"x\" {\n  type = \
         map(object({ a = optional(list(string), []) }))\n  default = { k = {} }\n}\n"
            .to_owned(),
    ];
    let pieces =
        ["{", "}", "[", "]", "\"", "${", "=", "\n", "each.key", "count", "for_each", "var.", "null", "(", ")", "*"];
    let mut dice = Dice(0x5EED);
    for round in 0..400 {
        let mut text: Vec<char> = good[round % good.len()].chars().collect();
        for _ in 0..=dice.below(4) {
            let at = dice.below(text.len());
            match dice.below(3) {
                0 => drop(text.drain(at..(at + dice.below(12)).min(text.len()))),
                1 => {
                    let piece = pieces[dice.below(pieces.len())].chars();
                    text.splice(at..at, piece);
                }
                _ => {
                    let other = dice.below(text.len());
                    text.swap(at, other);
                }
            }
        }
        let text: String = text.into_iter().collect();
        for name in ["main.tf", "main.tf.json"] {
            let (template, found) = parse_files(&[(name, &text)]);
            let checked = check(&template, &Acme);
            assert!(name == "main.tf" || found.has_errors(), "{text}");
            drop(render_all(&checked, template.sources(), RenderOptions::default()));
        }
    }
}

/// A thousand locals in a row take no stack, and what is not linear would be felt.
#[test]
fn long_chains_are_checked() {
    let mut text = String::from("locals {\n  a0 = 1\n");
    for idx in 1..20_000 {
        text.push_str(&format!("  a{idx} = local.a{} + 1\n", idx - 1));
    }
    text.push_str("}\n");
    refuse(&text, &[]);
}

const TOKEN: &str = "variable \"e\" {\n ephemeral = true\n default = \"x\"\n}\nvariable \"p\" {}\n\
                     ephemeral \"acme_token\" \"t\" {\n scope = var.e\n}\nlocals {\n l = \"${ephemeral.acme_token.t.token}!\"\n}\n";

#[test]
fn ephemeral_values_stand_where_nothing_is_stored() {
    let good = format!(
        "{TOKEN}ephemeral \"acme_token\" \"u\" {{\n count = 2\n scope = local.l\n}}\n\
         provider \"acme\" {{\n region = var.e\n}}\n\
         resource \"acme_vpc\" \"a\" {{\n password = local.l\n cidr = ephemeralasnull(var.e)\n lifecycle {{\n precondition {{\n \
         condition = var.e != \"\"\n error_message = \"No.\"\n }}\n }}\n}}\n\
         module \"m\" {{\n source = \"./m\"\n x = local.l\n}}\noutput \"o\" {{\n value = length(ephemeral.acme_token.u)\n}}\n"
    );
    let called = "variable \"x\" {\n ephemeral = true\n}\noutput \"o\" {\n value = var.x\n ephemeral = true\n}\n";
    assert_eq!(problems(&[("main.tf", &good), ("m/main.tf", called)]), Vec::<String>::new());
}

#[test]
fn ephemeral_values_are_refused_where_something_is_stored() {
    let first = |text: &str| format!("{TOKEN}{text}");
    let refused = |text: &str| {
        let module = "variable \"x\" {\n default = 1\n}\noutput \"o\" {\n value = var.x\n}\n";
        let found = problems(&[("main.tf", &first(text)), ("m/main.tf", module)]);
        found.iter().map(|line| line.split_once(' ').map_or("", |(_, rest)| rest).to_owned()).collect::<Vec<_>>()
    };
    let vpc = |line: &str| format!("resource \"acme_vpc\" \"a\" {{\n {line}\n}}\n");
    let what = "cannot take an ephemeral value: what it is set to is stored";
    assert_eq!(refused(&vpc("cidr = local.l")), [format!("plan.ephemeral <local.l> `cidr` {what}")]);
    assert_eq!(
        refused(&vpc("tags = { a = ephemeral.acme_token.t.token }")),
        [format!("plan.ephemeral <{{ a = ephemeral.acme_token.t.token }}> `tags` {what}")]
    );
    assert_eq!(
        refused(&vpc("rule {\n port = 1\n label = var.e\n }")),
        [format!("plan.ephemeral <var.e> `label` {what}")]
    );
    assert_eq!(
        refused(&vpc(
            "dynamic \"rule\" {\n for_each = [for c in split(\"\", var.e) : 1]\n content {\n port = 1\n }\n }"
        )),
        [format!("plan.ephemeral <[for c in split(\"\", var.e) : 1]> `rule` {what}")]
    );
    assert_eq!(
        refused(&vpc("dynamic \"rule\" {\n for_each = [1]\n content {\n port = 1\n label = var.e\n }\n }")),
        [format!("plan.ephemeral <var.e> `label` {what}")]
    );
    assert_eq!(
        refused(
            "resource \"acme_vpc\" \"b\" {\n}\nresource \"acme_vpc\" \"a\" {\n cidr = coalesce(acme_vpc.b.id, var.e)\n}\n"
        ),
        [format!("plan.ephemeral <coalesce(acme_vpc.b.id, var.e)> `cidr` {what}")]
    );
    assert_eq!(
        refused("data \"acme_zone\" \"z\" {\n name = var.e\n}\n"),
        [format!("plan.ephemeral <var.e> `name` {what}")]
    );
    assert_eq!(
        refused(&vpc("count = length(var.e)")),
        ["plan.ephemeral <length(var.e)> the `count` of `acme_vpc.a` is ephemeral"]
    );
    assert_eq!(
        refused(&vpc("for_each = toset([local.l])")),
        ["plan.ephemeral <toset([local.l])> the `for_each` of `acme_vpc.a` is ephemeral"]
    );
    assert_eq!(
        refused("module \"m\" {\n source = \"./m\"\n count = length(var.e)\n x = \"${var.p}${var.e}\"\n}\n"),
        [
            "plan.ephemeral <length(var.e)> the `count` of `module.m` is ephemeral",
            "plan.ephemeral <\"${var.p}${var.e}\"> the variable `x` takes no ephemeral value"
        ]
    );
    assert_eq!(
        refused("output \"o\" {\n value = local.l\n}\n"),
        ["plan.ephemeral <local.l> the output `o` is not declared as ephemeral"]
    );
    assert_eq!(
        problems(&[
            ("main.tf", "module \"m\" {\n source = \"./m\"\n}\n"),
            ("m/main.tf", "variable \"v\" {\n default = 1\n}\noutput \"o\" {\n value = var.v\n ephemeral = true\n}\n"),
        ]),
        ["5 plan.ephemeral <var.v> the output `o` is declared as ephemeral"]
    );
}

#[test]
fn ephemeral_blocks_are_checked_as_others_are() {
    refuse(
        "ephemeral \"acme_tokn\" \"a\" {}\nephemeral \"acme_token\" \"b\" {\n token = 1\n}\nephemeral \"acme_vpc\" \"c\" {}\n\
         locals {\n a = ephemeral.acme_token.b.tokn\n b = ephemeral.acme_token.zz.token\n c = acme_token.b.token\n d = ephemeral.acme_token\n}\n",
        &[
            "1 template.resource_type <ephemeral \"acme_tokn\" \"a\"> there is no ephemeral resource type `acme_tokn` (`acme_token`?)",
            "3 template.argument <token> `token` is decided by `ephemeral.acme_token.b` itself and cannot be set",
            "5 template.resource_type <ephemeral \"acme_vpc\" \"c\"> there is no ephemeral resource type `acme_vpc` (a `resource` block?)",
            "7 template.attribute <ephemeral.acme_token.b.tokn> `ephemeral.acme_token.b` has no attribute `tokn` (`token`?)",
            "8 template.reference <ephemeral.acme_token.zz.token> there is no ephemeral resource `ephemeral.acme_token.zz`",
            "9 template.reference <acme_token.b.token> there is no resource `acme_token.b` (`ephemeral.acme_token.b`?)",
            "10 template.reference <ephemeral.acme_token> `ephemeral` is followed by a type and a name: `ephemeral.type.name`",
        ],
    );
}

#[test]
fn infinite_numbers_are_refused_where_they_are_stored() {
    refuse(
        "locals {\n n = 1 / 0\n}\noutput \"a\" {\n value = { x = local.n }\n}\noutput \"b\" {\n value = local.n > 3\n}\n\
         resource \"acme_vpc\" \"a\" {\n size = -local.n\n}\n",
        &[
            "5 eval.infinite <{ x = local.n }> an infinite number cannot be stored",
            "11 eval.infinite <-local.n> an infinite number cannot be stored",
        ],
    );
    let module = "output \"o\" {\n value = 1 / 0\n}\n";
    let main = "module \"m\" {\n source = \"./m\"\n}\noutput \"o\" {\n value = min(1, module.m.o)\n}\n";
    assert_eq!(problems(&[("main.tf", main), ("m/main.tf", module)]), Vec::<String>::new());
}

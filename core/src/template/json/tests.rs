use super::*;
use crate::{
    error::SourceId,
    schema::{Attribute, Block, NestedBlock, Nesting, Schema},
    template::{
        hcl,
        syntax::{Body, Expr},
        testing::{lines, parse_files},
    },
    value::Type,
};

const TEXT: &str = r#"{
  "//": "a comment",
  "terraform": {
    "required_version": ">= 1.0",
    "required_providers": { "acme": { "source": "a/acme", "version": "~> 1.0" } }
  },
  "variable": {
    "rules": {
      "type": "list(object({ port = number }))",
      "default": [{ "port": -80 }],
      "description": "not ${a} template",
      "validation": { "condition": "${length(var.rules) > 0}", "error_message": "none" }
    }
  },
  "locals": { "a": 1, "b": "x ${local.a} \"y\" ${upper(local.a)}", "c": ["${local.b}", null, true] },
  "resource": {
    "acme_vpc": {
      "main": [{
        "//": "a comment",
        "count": 2,
        "cidr": "${local.a}",
        "tags": { "${local.a}": "t", "//": "no comment here" },
        "depends_on": ["acme_vpc.other", "module.net"],
        "provider": "acme",
        "rule": [{ "port": 1, "//": "a comment" }, { "port": "${local.a}", "inner": { "x": 1 } }],
        "disk": { "a": { "size": 1 }, "b": { "size": 2 } },
        "dynamic": { "rule": { "for_each": "${local.c}", "iterator": "it", "content": { "port": "${it.value}" } } },
        "lifecycle": {
          "create_before_destroy": true,
          "ignore_changes": ["tags[\"x\"]", "cidr"],
          "replace_triggered_by": ["acme_vpc.other[0].id"],
          "precondition": [{ "condition": "${local.a == 1}", "error_message": "no" }]
        }
      }],
      "other": { "count": 1, "lifecycle": { "ignore_changes": "all" } }
    }
  },
  "module": { "net": { "source": "./net", "size": "${local.a}" } },
  "output": { "id": { "value": "${acme_vpc.main[0].id}" } }
}"#;

/// What the text above says, in HCL.
const SAME: &str = r#"
terraform {
  required_version = ">= 1.0"
  required_providers {
    acme = { "source" = "a/acme", "version" = "~> 1.0" }
  }
}
variable "rules" {
  type        = list(object({ port = number }))
  default     = [{ "port" = -80 }]
  description = "not $${a} template"
  validation {
    condition     = length(var.rules) > 0
    error_message = "none"
  }
}
locals {
  a = 1
  b = "x ${local.a} \"y\" ${upper(local.a)}"
  c = [local.b, null, true]
}
resource "acme_vpc" "main" {
  count      = 2
  cidr       = local.a
  tags       = { "${local.a}" = "t", "//" = "no comment here" }
  depends_on = [acme_vpc.other, module.net]
  provider   = acme
  rule {
    port = 1
  }
  rule {
    port = local.a
    inner {
      x = 1
    }
  }
  disk "a" {
    size = 1
  }
  disk "b" {
    size = 2
  }
  dynamic "rule" {
    for_each = local.c
    iterator = it
    content {
      port = it.value
    }
  }
  lifecycle {
    create_before_destroy = true
    ignore_changes        = [tags["x"], cidr]
    replace_triggered_by  = [acme_vpc.other[0].id]
    precondition {
      condition     = local.a == 1
      error_message = "no"
    }
  }
}
resource "acme_vpc" "other" {
  count = 1
  lifecycle {
    ignore_changes = all
  }
}
module "net" {
  source = "./net"
  size   = local.a
}
output "id" {
  value = acme_vpc.main[0].id
}
"#;

fn vpc() -> Schema {
    let number = || Attribute::optional(Type::Number);
    let inner = Block::new().attribute("x", number());
    let rule = Block::new().attribute("port", number()).block("inner", NestedBlock::single(inner));
    Schema::new(0)
        .attribute("cidr", Attribute::optional(Type::String))
        .block("rule", NestedBlock::list(rule))
        .block("disk", NestedBlock::map(Block::new().attribute("size", number())))
}

/// Prints a body so that the same content gives the same text, whichever syntax it was read from.
fn show(body: &Body, schema: Option<&Block>, out: &mut Vec<String>, indent: &str) {
    let empty = Block::new();
    let sorted = with_schema_blocks(body, schema.unwrap_or(&empty));
    for attribute in &sorted.attributes {
        out.push(format!("{indent}{} = {}", attribute.name.as_str(), plain(&attribute.expr)));
    }
    let mut blocks: Vec<_> = sorted.blocks.iter().collect();
    blocks.sort_by_key(|block| block.kind.name.clone());
    for block in blocks {
        let labels: Vec<&str> = block.labels.iter().map(|label| &*label.text).collect();
        out.push(format!("{indent}{} {labels:?}", block.kind.as_str()));
        let is_vpc = labels.first() == Some(&"acme_vpc");
        let vpc = vpc();
        let known = schema.and_then(|schema| schema.blocks.get(block.kind.as_str())).map(|nested| &nested.block);
        show(&block.body, if is_vpc { Some(&vpc.block) } else { known }, out, &format!("{indent}  "));
    }
}

/// A template that is one expression is worth what that is worth, and a string without sequences is a literal.
fn plain(expr: &Expr) -> String {
    use crate::template::syntax::{ExprKind, Literal};
    let mut expr = expr.clone();
    expr.for_each_span(&mut |span| *span = crate::error::Span::default());
    fn unwrap(expr: &Expr) -> Expr {
        let kind = match &expr.kind {
            ExprKind::Template(template) => match (template.unwrapped(), template.as_literal()) {
                (Some(inner), _) => return unwrap(inner),
                (None, Some(text)) => ExprKind::Literal(Literal::String(text.into())),
                _ => expr.kind.clone(),
            },
            ExprKind::Tuple(items) => ExprKind::Tuple(items.iter().map(unwrap).collect()),
            kind => kind.clone(),
        };
        Expr::new(kind, expr.span)
    }
    format!("{:?}", unwrap(&expr))
}

#[test]
fn json_says_what_hcl_says() {
    let (json, problems) = parse_body(SourceId(0), TEXT);
    assert!(problems.is_empty(), "{problems:?}");
    let (native, problems) = hcl::parse(SourceId(0), SAME);
    assert!(problems.is_empty(), "{problems:?}");
    let (mut left, mut right) = (Vec::new(), Vec::new());
    show(&json, None, &mut left, "");
    show(&native, None, &mut right, "");
    assert_eq!(left.join("\n"), right.join("\n"));
    assert!(right.len() > 40);
}

#[test]
fn the_model_is_the_same() {
    let net = ("net/main.tf", "variable \"size\" {}\n");
    let (json, problems) = parse_files(&[("main.tf.json", TEXT), net]);
    assert_eq!(lines(json.sources(), &problems), Vec::<String>::new());
    let (native, problems) = parse_files(&[("main.tf", SAME), net]);
    assert_eq!(lines(native.sources(), &problems), Vec::<String>::new());
    let (json, native) = (json.root(), native.root());
    assert_eq!(json.variables["rules"].default, native.variables["rules"].default);
    assert_eq!(json.variables["rules"].constraint, native.variables["rules"].constraint);
    assert_eq!(json.calls["net"].dir, native.calls["net"].dir);
    assert_eq!(json.settings.required_providers["acme"].version, native.settings.required_providers["acme"].version);
    for (key, resource) in &native.resources {
        let other = &json.resources[key];
        assert_eq!(other.lifecycle.create_before_destroy, resource.lifecycle.create_before_destroy);
        let names = |list: &[crate::template::Dependency]| list.iter().map(|d| d.referent.clone()).collect::<Vec<_>>();
        assert_eq!(names(&other.depends_on), names(&resource.depends_on));
    }
}

#[test]
fn places_are_those_in_the_json_text() {
    let text = "{\"locals\": {\"a\": \"\\t${local.b}\", \"c\": \"${1 +}\", \"d\": 1, \"d\": 2}, \"output\": [1], \"variable\": {\"v\": {\"type\": \"strin\"}}}";
    let (template, problems) = parse_files(&[("main.tf.json", text)]);
    assert_eq!(
        lines(template.sources(), &problems),
        [
            "1 syntax.unexpected <}> expected a value, found `}`",
            "1 syntax.duplicate_attribute <\"d\"> `d` is set twice",
            "1 syntax.unexpected <1> a number stands where an object is expected",
            "1 template.type <strin> there is no type `strin`",
        ]
    );
    let local = &template.root().locals["a"].expr;
    let reference = local.references()[0].span;
    assert_eq!(template.sources().slice(reference), "local.b");
}

#[test]
fn blocks_of_another_form_stay_arguments() {
    let (body, problems) =
        parse_body(SourceId(0), r#"{"provider": {"acme": {"rule": "${x}", "disk": [{"a": null}]}}}"#);
    assert!(problems.is_empty(), "{problems:?}");
    let schema = vpc();
    assert_eq!(schema.block.blocks["disk"].nesting, Nesting::Map);
    let inner = &body.blocks[0].body;
    let sorted = with_schema_blocks(inner, &schema.block);
    assert_eq!(sorted.attributes.len(), 1);
    assert!(sorted.blocks.is_empty());
}

/// Terraform 1.11.4 takes each of these, or refuses it, the same way.
#[test]
fn some_strings_mean_themselves() {
    let accept = |text: &str| {
        let (template, problems) = parse_files(&[("main.tf.json", text)]);
        assert_eq!(lines(template.sources(), &problems), Vec::<String>::new(), "{text}");
        template
    };
    let refuse = |text: &str, expect: &str| {
        let (template, problems) = parse_files(&[("main.tf.json", text)]);
        assert_eq!(lines(template.sources(), &problems), [expect], "{text}");
    };
    let template = accept(
        r#"{"variable": {"a": {"type": "string", "default": "${x}", "sensitive": "true"}},
            "output": {"o": {"value": 1, "description": "d ${y}", "sensitive": "true"}}}"#,
    );
    assert!(template.root().variables["a"].sensitive && template.root().outputs["o"].sensitive);
    assert_eq!(template.root().outputs["o"].description.as_deref(), Some("d ${y}"));
    accept(r#"{"resource": {"acme_vpc": {"a": {"lifecycle": {"create_before_destroy": "true"}}}}}"#);
    refuse(
        r#"{"resource": {"acme_vpc": {"a": {"lifecycle": {"create_before_destroy": "${true}"}}}}}"#,
        "1 template.static <\"${true}\"> `create_before_destroy` is not a bool: a bool is required",
    );
    refuse(
        r#"{"resource": {"acme_vpc": {"b": {"depends_on": ["${acme_vpc.a}"]}}}}"#,
        "1 syntax.unexpected <$> expected a value, found `$`",
    );
    refuse(
        r#"{"resource": {"acme_vpc": {"b": {"depends_on": "acme_vpc.a"}}}}"#,
        "1 template.static <acme_vpc.a> `depends_on` is a list of references in brackets",
    );
    refuse(
        r#"{"variable": {"a": {"type": "\"string\""}}}"#,
        "1 template.type <\"\\\"string\\\"\"> the type `string` is written in quotes",
    );
}

#[test]
fn a_file_may_be_an_array_and_only_bodies_have_comments() {
    let text = r#"[{"locals": {"//": "c", "a": 1}}, {"locals": [{"b": 2}, null]}, {"output": null}]"#;
    let (template, problems) = parse_files(&[("main.tf.json", text)]);
    assert_eq!(lines(template.sources(), &problems), Vec::<String>::new());
    assert_eq!(template.root().locals.len(), 2);
    let (template, problems) = parse_files(&[("main.tf.json", r#"{"output": {"//": {"value": 1}}}"#)]);
    assert_eq!(lines(template.sources(), &problems), ["1 template.name <\"//\"> `//` is not a valid name"]);
}

#[test]
fn a_property_of_a_value_is_there_once() {
    for text in [
        r#"{"output": {"o": {"value": [{"a": 1, "a": 2}]}}}"#,
        r#"{"variable": {"o": {"default": [{"a": 1, "a": 2}]}}}"#,
    ] {
        let (template, problems) = parse_files(&[("main.tf.json", text)]);
        assert_eq!(lines(template.sources(), &problems), ["1 syntax.duplicate_attribute <\"a\"> `a` is set twice"]);
    }
    let (_, problems) = parse_values(SourceId(0), r#"{"a": {"b": 1, "b": 2}}"#);
    assert_eq!(problems.len(), 1);
}

#[test]
fn blocks_inside_blocks_may_be_dynamic() {
    let inner = Block::new().attribute("x", Attribute::optional(Type::Number));
    let rule = Block::new().block("inner", NestedBlock::list(inner));
    let schema = Schema::new(0).block("rule", NestedBlock::list(rule));
    let text = r#"{"rule": {"dynamic": {"inner": {"for_each": "${local.a}", "iterator": "it", "content": {"x": "${it.value}"}}}}}"#;
    let (body, problems) = parse_body(SourceId(0), &format!(r#"{{"provider": {{"acme": {text}}}}}"#));
    assert!(problems.is_empty(), "{problems:?}");
    let native = "rule {\n  dynamic \"inner\" {\n    for_each = local.a\n    iterator = it\n    content {\n      x = it.value\n    }\n  }\n}\n";
    let (native, problems) = hcl::parse(SourceId(0), native);
    assert!(problems.is_empty(), "{problems:?}");
    let (mut left, mut right) = (Vec::new(), Vec::new());
    show(&body.blocks[0].body, Some(&schema.block), &mut left, "");
    show(&native, Some(&schema.block), &mut right, "");
    assert_eq!(left.join("\n"), right.join("\n"));
    assert!(left.len() == 6, "{left:?}");
}

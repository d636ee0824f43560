use super::{parse_body, print};
use crate::{
    error::{Diagnostic, Diagnostics as _, SourceId, Sources},
    template::{
        Files, Notation, Options, Template, hcl,
        json::{self, document},
        syntax::{Body, Expr, ExprKind},
    },
};

fn yaml(text: &str) -> Body {
    let (body, problems) = parse_body(SourceId(0), text);
    assert_eq!(problems, [], "{text}");
    body
}

fn problems(text: &str) -> String {
    let (_, mut problems) = parse_body(SourceId(0), text);
    problems.tidy();
    let mut sources = Sources::new();
    sources.add("main.tf.yaml", text);
    let line = |problem: &Diagnostic| {
        let place = sources.position(problem.span().expect("a place"));
        format!("{}:{} {}: {}\n", place.line, place.column, problem.code, problem.message)
    };
    problems.iter().map(line).collect()
}

#[test]
fn it_says_what_json_says() {
    let text = r#"
# A comment.
terraform:
  required_providers: {acme: {source: a/acme, version: "~> 1.0"}}
variable:
  rules:
    type: list(object({ port = number }))
    default: [{port: -80}]
    description: not ${a} template
locals:
  a: 1
  b: x ${local.a} "y" ${upper(local.a)}
  c: ["${local.b}", null, true, yes, 0x10]
resource:
  acme_vpc:
    main:
      count: 2
      tags:
        ${local.a}: t
        80: u
      depends_on: [acme_vpc.other]
      rule:
        - port: 1
        - port: ${local.a}
      text: |
        one ${local.a}
          two
      folded: >-
        one
        two

        three
"#;
    let same = r#"{
      "terraform": {"required_providers": {"acme": {"source": "a/acme", "version": "~> 1.0"}}},
      "variable": {"rules": {"type": "list(object({ port = number }))", "default": [{"port": -80}], "description": "not ${a} template"}},
      "locals": {"a": 1, "b": "x ${local.a} \"y\" ${upper(local.a)}", "c": ["${local.b}", null, true, "yes", 16]},
      "resource": {"acme_vpc": {"main": {
        "count": 2, "tags": {"${local.a}": "t", "80": "u"}, "depends_on": ["acme_vpc.other"],
        "rule": [{"port": 1}, {"port": "${local.a}"}],
        "text": "one ${local.a}\n  two\n", "folded": "one two\nthree"}}}
    }"#;
    let (json, problems) = json::parse_body(SourceId(0), same);
    assert_eq!(problems, []);
    assert_eq!(json::print(&yaml(text)), json::print(&json));
}

#[test]
fn a_tag_makes_an_expression() {
    let body = yaml("locals:\n  a: !expr 1 + var.b\n  b: [!expr var.c, var.c]\n  c: !expr |\n    [\n      1,\n    ]\n");
    assert_eq!(hcl::print(&body), "locals {\n  a = 1 + var.b\n  b = [var.c, \"var.c\"]\n  c = [1]\n}\n");
    assert_eq!(
        problems("variable:\n  a:\n    default: [!expr 1 + 1]\n"),
        "3:15 template.static: an expression cannot stand where only a constant can\n"
    );
    assert_eq!(
        problems("locals:\n  a: !expr 1 +\n"),
        "2:15 syntax.unexpected: expected a value, found the end of the text\n"
    );
}

#[test]
fn anchors_are_repeated_and_merged() {
    let body = yaml(
        "locals:\n  a: &a {x: 1, y: 2}\n  b: *a\n  c:\n    <<: *a\n    y: 3\n  d:\n    <<: [{z: 1, x: 9}, *a]\n  e: &e name\n  *e : f\n",
    );
    assert_eq!(
        json::print(&body).split_whitespace().collect::<String>(),
        r#"{"locals":{"a":{"x":1,"y":2},"b":{"x":1,"y":2},"c":{"y":3,"x":1},"d":{"z":1,"x":9,"y":2},"e":"name","name":"f"}}"#
    );
    assert!(problems("locals:\n  a: &a [*a]\n").contains("inside of what it repeats"));
    assert!(problems("locals:\n  a: *b\n").contains("2:6 syntax.yaml"));
    // Ten aliases of ten aliases of ten: as many values as if they were written out.
    let mut bomb = "locals:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let again = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("  a{level}: &a{level} [{again}]\n"));
    }
    assert!(problems(&bomb).contains("syntax.size: the text has more than 1000000 values"));
}

/// Returns the text that each reference of a body stands for, in order.
fn referred(body: &Body, text: &str) -> Vec<String> {
    fn walk(expr: &Expr, text: &str, found: &mut Vec<String>) {
        if let ExprKind::Traversal(_) = expr.kind {
            found.push(text[expr.span.start as usize..expr.span.end as usize].to_owned());
        }
        expr.for_each_child(&mut |child, _| walk(child, text, found));
    }
    let mut found = Vec::new();
    for attribute in body.blocks.iter().flat_map(|block| &block.body.attributes) {
        walk(&attribute.expr, text, &mut found);
    }
    found
}

#[test]
fn places_in_every_style_are_places_in_the_text() {
    let text = "é: # ü\n  plain: é ${var.a} and\n    more ${var.b}\n  single: 'it''s ${var.c} ''x'' ${var.d}'\n  double: \"é\\n\\\"q\\\" \\u00e9\\t${var.e} \\\n    on ${var.f}\"\n  literal: |\n    one ${var.g}\n      two\n\n    three ${var.h}\n  folded: >-\n    one\n\n    é ${var.i}\n    ${var.j}\n  tagged: !expr upper(var.k) # x\n  flow: {x: [a, \"${var.l}\"], \"${var.m}\": 1}\n";
    let wanted: Vec<String> = ('a'..='m').map(|name| format!("var.{name}")).collect();
    let found = referred(&yaml(text), text);
    // In a flow mapping the key comes first.
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(sorted, wanted, "{found:?}");
}

#[test]
fn mistakes_have_a_place_and_a_way_out() {
    let check = |text: &str, expect: &str| assert_eq!(problems(text), format!("{expect}\n"), "{text}");
    check("a: 1\n---\nb: 1\n", "2:1 syntax.yaml: a second document in one file");
    check(
        "locals:\n  mode: 0644\n",
        "2:9 syntax.yaml: `0644` starts with a zero: it may be meant as an octal number, or as a text",
    );
    check("locals:\n  a: .inf\n", "2:6 syntax.yaml: `.inf` is no number that a template can hold");
    check("locals:\n  a: !x 1\n", "2:6 syntax.yaml: there is no tag `!x`");
    check("locals:\n  a: !!int 1.5\n", "2:6 syntax.yaml: this does not fit its tag `!!int`");
    check("locals:\n  ~: 1\n", "2:3 syntax.yaml: null cannot be a key");
    check("locals:\n  [a]: 1\n", "2:3 syntax.yaml: a sequence cannot be a key");
    check("locals:\n  <<: 1\n", "2:7 syntax.yaml: `<<` takes a mapping, or a list of mappings, not a number");
    check("locals: [", "1:10 syntax.yaml: this is not YAML: while parsing a node, did not find expected node content");
    check("locals:\n  a: \"\u{1}\"\n", "2:7 syntax.yaml: a control character, which YAML does not allow");
    check("- 1\n", "1:3 syntax.unexpected: a number stands where an object is expected");
    check("locals:\n  a: ${\n", "2:8 syntax.unexpected: expected a value, found the end of the text");
    assert!(problems(&format!("locals:\n  a: {}1{}\n", "[".repeat(220), "]".repeat(220))).contains("syntax.nesting"));
    assert_eq!(problems("# nothing\n"), "");
    assert_eq!(problems(""), "");
    assert_eq!(problems("~\n"), "");
}

const TEMPLATE: &str = r#"
terraform {
  required_version = ">= 1.0"
  required_providers {
    acme = {
      source                = "a/acme"
      configuration_aliases = [acme.east]
    }
  }
}
variable "a" {
  type    = object({ x = optional(number, -1.50), y = list(string) })
  default = { x = -007, y = ["${"$"}{x}", "%%{"] }
  validation {
    condition     = var.a.x != 1
    error_message = "no ${var.a.x}"
  }
}
locals {
  text    = "a\t\"b\" $${c} %%{d} ${1 + 2} $"
  dollars = "\u0024${local.text}\u0025%{ if true }x%{ endif }"
  doc     = <<-EOT
    one ${local.text}
      two
  EOT
  words   = ["yes", "no", "0644", "1.5", "null", "~", "true", "- a", "a: b", "a #b", " a", "a ", "", "é", "😀", "\u0007", "'", "{", "a\n", "a\nb", "a\n\n", "\na", " a\nb", "a \nb", "10.0.0.0/16"]
  numbers = [0, 1.50, 1e3, 0.000000000000000001, 123456789012345678901234567890]
  object  = { a = 1, "b c" = 2, (local.text) = 3, "${local.text}-x" = 4, 5 = 6, "$${y}" = 7, null = 8, true = 9 }
  twice   = { a = 1, "a" = 2 }
  loops   = [for k, v in local.object : "${k}=${v}" if v > 1]
  map     = { for k, v in local.object : k => v... }
  nested  = [[], {}, [[1]], [{ a = [] }]]
  if      = local.text == "" ? null : { a = -local.object.a }
  splat   = local.nested[*].a[0]
  call    = merge({ a = 1 }, [{ b = 2 }]...)
  neg     = [-1, -(1), !true, -local.numbers[0]]
}
resource "acme_thing" "one" {
  count      = length(local.words)
  provider   = acme.east
  depends_on = [acme_thing.two, module.m]
  name       = "one-${count.index}"
  lifecycle {
    ignore_changes       = [name, tags["a"]]
    replace_triggered_by = [acme_thing.two[count.index].id]
    precondition {
      condition     = count.index >= 0
      error_message = "never"
    }
  }
}
resource "acme_thing" "two" {
  for_each = toset(local.words)
  lifecycle {
    ignore_changes = all
  }
}
provider "acme" {
}
provider "acme" {
  alias = "east"
}
module "m" {
  source    = "./m"
  providers = { acme = acme.east, acme.west = acme.east }
  x         = local.object
}
variable "token" {
  type      = string
  ephemeral = true
}
ephemeral "acme_session" "all" {
  for_each = toset(["a", "b"])
  provider = acme.east
  token    = var.token
  options {
    minutes = 5
  }
  lifecycle {
    postcondition {
      condition     = self.id != ""
      error_message = "no session"
    }
  }
}
ephemeral "acme_session" "one" {
  depends_on = [ephemeral.acme_session.all]
}
provider "acme" {
  alias = "west"
  token = ephemeral.acme_session.all["a"].id
}
output "o" {
  value     = module.m
  sensitive = true
}
output "e" {
  value = ephemeralasnull(ephemeral.acme_session.one.id)
}
"#;

#[test]
fn every_notation_says_the_same() {
    let (body, problems) = Notation::Hcl.parse(SourceId(0), TEMPLATE);
    assert_eq!(problems, []);
    let expected = json::print(&body);
    for from in Notation::ALL {
        let text = from.print(&body);
        let (read, problems) = from.parse(SourceId(0), &text);
        assert_eq!(problems, [], "{from:?}:\n{text}");
        assert_eq!(json::print(&read), expected, "{from:?}:\n{text}");
        // What was read is printed as it was.
        assert_eq!(from.print(&read), text, "{from:?}");
    }
}

#[test]
fn every_notation_makes_the_same_model() {
    let (body, _) = Notation::Hcl.parse(SourceId(0), TEMPLATE);
    let model = |path: &str, text: &str| {
        let files = Files::from_texts([(path, text), ("m/main.tf", "variable \"x\" {}\n")]);
        let (template, problems) = Template::parse(&files, &Options::default());
        let problems: Vec<_> =
            problems.iter().map(|problem| (problem.code.to_string(), problem.message.clone())).collect();
        (crate::template::drawn_graph(&template).dot(crate::template::StaticNode::label), problems)
    };
    let expected = model("main.tf", TEMPLATE);
    assert_eq!(model("main.tf.json", &Notation::Json.print(&body)), expected);
    assert_eq!(model("main.tf.yaml", &Notation::Yaml.print(&body)), expected);
    assert_eq!(model("main.stack.yml", &Notation::Yaml.print(&body)), expected);
}

#[test]
fn printed_yaml_is_what_people_write() {
    let (body, _) = Notation::Hcl.parse(
        SourceId(0),
        "locals {\n  a = \"x: y\"\n  b = [{ c = 1, d = [] }, \"yes\"]\n  e = \"one\\ntwo\\n\"\n  f = var.g\n}\nresource \"a\" \"b\" {\n  rule {\n    x = 1\n  }\n  rule {\n    x = 2\n  }\n}\n",
    );
    assert_eq!(
        print(&body),
        "locals:\n  a: \"x: y\"\n  b:\n    - c: 1\n      d: []\n    - \"yes\"\n  e: |\n    one\n    two\n  f: ${var.g}\nresource:\n  a:\n    b:\n      rule:\n        - x: 1\n        - x: 2\n"
    );
    assert_eq!(print(&Body::default()), "{}\n");
    assert_eq!(document(&Body::default()), json::Document::Map(Vec::new()));
}

/// A key of more than 1,024 characters needs a mark in front, in any reader.
#[test]
fn long_keys_are_marked() {
    for (length, start) in [(900, "locals:\n  a"), (1100, "locals:\n  ? a")] {
        for value in ["1", "{ x = 1, y = [2] }", "[1, 2]"] {
            let name = "a".repeat(length);
            let (body, problems) =
                Notation::Hcl.parse(SourceId(0), &format!("locals {{\n  {name} = {value}\n  after = 1\n}}\n"));
            assert_eq!(problems, []);
            let printed = Notation::Yaml.print(&body);
            assert!(printed.starts_with(start), "{printed}");
            let (read, problems) = Notation::Yaml.parse(SourceId(0), &printed);
            assert_eq!(problems, [], "{printed}");
            assert_eq!(Notation::Json.print(&read), Notation::Json.print(&body));
        }
    }
}

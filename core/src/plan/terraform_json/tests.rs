use super::{plan_json, state_json};
use crate::{plan::testing::World, value::Value};

const TEXT: &str = r#"
variable "v" {
  sensitive = true
}
resource "thing" "a" {
  name = "n ${var.v}"
  kind = "x"
  tags = { a = "b" }
}
module "m" {
  source   = "./m"
  for_each = toset(["k"])
  name     = thing.a.id
}
output "o" {
  value     = var.v
  sensitive = true
}
output "names" {
  value = [thing.a.id, "x"]
}
# file: m/main.tf
variable "name" {}
resource "thing" "b" {
  count = 1
  name  = var.name
}
"#;

#[test]
fn plans_have_terraforms_shape() {
    let mut world = World::default();
    world.variables.insert("v".to_owned(), Value::string("hunter2"));
    let types = world.types.clone();
    let first = world.plan(TEXT);
    let json = plan_json(&first, &*types);
    assert!(!json.to_string().contains("hunter2"));
    insta::assert_snapshot!("create", pretty(&json));
    world.run(&first);
    world.drift("thing.a", "size", Value::number(3));
    let second = world.plan(&TEXT.replace("\"x\"\n", "\"y\"\n").replace("[\"k\"]", "[]"));
    insta::assert_snapshot!("replace", pretty(&plan_json(&second, &*types)));
}

#[test]
fn an_output_that_is_null_is_not_there() {
    let mut world = World::default();
    let actions = |plan: &crate::plan::Plan, world: &World| {
        plan_json(plan, &*world.types)["output_changes"]["o"]["actions"][0].as_str().map(str::to_owned)
    };
    for (text, action) in [
        ("output \"o\" {\n value = null\n}\n", "no-op"),
        ("output \"o\" {\n value = 1\n}\n", "create"),
        ("output \"o\" {\n value = null\n}\n", "delete"),
    ] {
        let plan = world.settle(text);
        assert_eq!(actions(&plan, &world).as_deref(), Some(action), "{text}");
    }
    assert!(state_json(&[], &world.outputs, &*world.types)["values"]["outputs"].is_null());
}

#[test]
fn configurations_have_terraforms_shape() {
    let text = r#"
terraform {
  required_providers {
    strict = { version = "~> 1.2" }
  }
}
provider "strict" {
  region = var.plain
}
variable "v" {
  description = "a thing"
  sensitive   = true
  default     = "hunter2"
}
variable "plain" {
  default = 2
}
variable "obj" {
  type    = object({ a = string, b = optional(number, 3) })
  default = { a = "x" }
}
locals {
  x = "y"
}
resource "free" "a" {
  input      = "n ${var.v} ${local.x} ${var.obj.a}"
  replace    = [1, "two", { three = true }]
  depends_on = [free.c]
}
resource "free" "c" {
  for_each = toset(["k"])
  input    = { key = each.key, other = path.module, ws = terraform.workspace, called = upper("x") }
}
resource "free" "d" {
  count   = var.plain
  input   = free.c["k"].output.key
  replace = upper("x")
}
resource "free" "e" {
  input   = null
  replace = free.d[*].id
}
resource "free" "f" {
  input   = free.d[var.plain - 1].id
  replace = [for k, v in free.c : v.output]
}
resource "thing" "t" {
  name   = data.lookup.l.answer
  secret = "hunter2"
  token  = "hunter2"
  rule {
    port = 1 + 1
  }
  rule {
    port = var.plain
  }
}
resource "strict_thing" "s" {
}
data "lookup" "l" {
  query = free.d.0.id
}
module "m" {
  source     = "./m"
  for_each   = { k = 1 }
  name       = free.a.id
  password   = "hunter2"
  depends_on = [free.e, module.n]
}
module "n" {
  source   = "./m"
  name     = 5
  password = null
}
output "o" {
  value       = "hunter2"
  sensitive   = true
  description = "out"
}
output "names" {
  value = [free.a.id, "x", module.m["k"].id, module.m["k"], module.n.id, free.a.id]
}
output "const" {
  value      = 5
  depends_on = [free.a]
}
# file: m/main.tf
variable "name" {}
variable "password" {
  sensitive = true
}
variable "list" {
  type    = list(string)
  default = ["a"]
}
resource "free" "b" {
  count = 1
  input = var.name
}
output "id" {
  value = free.b[0].id
}
"#;
    let mut world = World::default();
    let files = crate::plan::testing::template(text)
        .files()
        .iter()
        .map(|(path, text)| (path.to_string(), text.clone()))
        .collect();
    let inputs = crate::plan::Inputs { files, ..crate::plan::Inputs::default() };
    let json = super::configuration::configuration(&inputs, &*world.types);
    assert!(!json.to_string().contains("hunter2"));
    insta::assert_snapshot!("configuration", pretty(&json));
    // It is part of a plan's JSON.
    let plan = world.plan("output \"x\" {\n value = 5\n}\n");
    let json = plan_json(&plan, &*world.types);
    assert_eq!(json["configuration"]["root_module"]["outputs"]["x"]["expression"]["constant_value"], 5);
}

#[test]
fn state_has_terraforms_shape() {
    let mut world = World::default();
    world.variables.insert("v".to_owned(), Value::string("hunter2"));
    world.settle(TEXT);
    let rows: Vec<_> = world.rows.values().cloned().collect();
    let json = state_json(&rows, &world.outputs, &*world.types);
    assert!(!json.to_string().contains("hunter2"));
    insta::assert_snapshot!("state", pretty(&json));
}

fn pretty(json: &serde_json::Value) -> String {
    serde_json::to_string_pretty(json).expect("JSON")
}

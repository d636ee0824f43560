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

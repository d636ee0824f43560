//! `check` blocks, and what became of all other conditions: each case was tried with Terraform 1.11.

use super::{testing::*, *};
use crate::state::CheckStatus;

fn free(name: &str, body: &str) -> String {
    format!("resource \"free\" \"{name}\" {{\n{body}\n}}\n")
}

fn assert(condition: &str, message: &str) -> String {
    format!(" assert {{\n  condition = {condition}\n  error_message = {message}\n }}\n")
}

fn check(name: &str, body: &str) -> String {
    format!("check \"{name}\" {{\n{body}}}\n")
}

fn lookup(query: &str) -> String {
    format!(" data \"lookup\" \"l\" {{\n  query = {query}\n }}\n")
}

/// Returns the results, one word for each instance, and what they say.
fn results(results: &[crate::state::CheckResult]) -> Vec<String> {
    let line = |result: &crate::state::CheckResult| {
        let instances = result.instances.iter().map(|instance| {
            let problems = instance.problems.iter().map(|problem| format!(" {problem}")).collect::<String>();
            format!("{} {}{problems}", instance.address, instance.status.as_str())
        });
        let instances: Vec<String> = instances.collect();
        if instances.is_empty() { vec![format!("{} {}", result.name, result.status.as_str())] } else { instances }
    };
    results.iter().flat_map(line).collect()
}

fn warnings(list: &[crate::error::Diagnostic]) -> Vec<String> {
    list.iter().map(|warning| format!("{}: {}", warning.code, warning.message)).collect()
}

#[test]
fn what_does_not_hold_is_a_warning_in_plan_and_run() {
    let text = free("a", "input = 1")
        + &check(
            "c",
            &(assert("free.a.input == 1", "\"one\"")
                + &assert("free.a.input == 2", "\"two\"")
                + &assert("free.a.input == 3", "\"three\"")),
        )
        + &check("d", &assert("free.a.input == 1", "\"one\""));
    let mut world = World::default();
    let plan = world.apply(&text);
    assert_eq!(changes(&plan), ["create free.a"]);
    assert_eq!(warnings(&plan.warnings), ["plan.check_failed: two", "plan.check_failed: three"]);
    let expect = ["check.c fail two three", "check.d pass"];
    assert_eq!(results(&plan.checks), expect);
    assert_eq!(results(&world.checks), expect);
    assert_eq!(warnings(&world.warnings), ["plan.check_failed: two", "plan.check_failed: three"]);
    // Nothing is left to do: a check changes nothing.
    let plan = world.plan(&text);
    assert!(plan.is_empty());
    assert_eq!(plan.warnings.len(), 2);
}

#[test]
fn what_is_not_known_yet_is_decided_by_the_run() {
    let text = free("a", "")
        + &check("c", &assert("free.a.id == \"x\"", "\"it is ${free.a.id}\""))
        + &check("d", &assert("free.a.id != \"\"", "\"no\""));
    let mut world = World::default();
    let plan = world.apply(&text);
    assert!(plan.warnings.is_empty());
    assert_eq!(results(&plan.checks), ["check.c unknown", "check.d unknown"]);
    assert_eq!(results(&world.checks), ["check.c fail it is id-1", "check.d pass"]);
    assert_eq!(warnings(&world.warnings), ["plan.check_failed: it is id-1"]);
}

#[test]
fn a_condition_that_is_none_is_an_error() {
    for (condition, expect) in [
        ("free.a.input", "plan.check_failed: a condition of `check.c` is number, neither true nor false"),
        ("free.a.replace", "plan.check_failed: a condition of `check.c` is null, neither true nor false"),
        ("free.a.input.x", "eval.part: can't access attributes on a primitive-typed value (number)"),
    ] {
        assert_eq!(
            World::default().fail(&(free("a", "input = 1") + &check("c", &assert(condition, "\"m\"")))),
            [expect]
        );
    }
}

#[test]
fn a_secret_message_is_not_told() {
    let text = free("a", "input = 1") + &check("c", &assert("free.a.input == 2", "\"x ${sensitive(\"hunter2\")}\""));
    let mut world = World::default();
    let plan = world.apply(&text);
    assert_eq!(results(&plan.checks), ["check.c fail"]);
    assert!(!format!("{:?} {:?} {:?}", plan.warnings, world.checks, world.warnings).contains("hunter2"));
}

#[test]
fn blanks_around_a_message_are_not_told() {
    let said = |text: &str| format!("\"{text}${{free.a.input == 1 ? \"\" : \"x\"}}\"");
    let message = said("\\u00a0\\n two\\t");
    let text = free("a", "input = 1")
        + &check("c", &(assert("free.a.input == 2", &message) + &assert("free.a.input == 3", &said("\\n"))));
    let plan = World::default().apply(&text);
    assert_eq!(results(&plan.checks), ["check.c fail two"]);
    assert_eq!(warnings(&plan.warnings), ["plan.check_failed: two", "plan.check_failed: a condition does not hold"]);
}

#[test]
fn the_data_source_of_a_check_may_fail() {
    let broken = free("a", "input = 1")
        + &check("c", &(lookup("\"broken\"") + &assert("data.lookup.l.answer == \"x\"", "\"m\"")));
    let mut world = World::default();
    let plan = world.apply(&broken);
    let message = "`data.lookup.l` could not be read: nobody answers";
    assert_eq!(warnings(&plan.warnings), [format!("plan.check_failed: {message}")]);
    assert_eq!(results(&plan.checks), [format!("check.c fail {message}")]);
    assert_eq!(changes(&plan), ["create free.a", "read data.lookup.l"]);
    assert_eq!(world.done, ["create free.a", "read data.lookup.l"]);
    assert_eq!(results(&world.checks), ["check.c fail nobody answers"]);
    // Where nothing else is done, it is not read once more.
    let plan = world.plan(&broken);
    assert!(plan.is_empty(), "{plan}");
    assert_eq!(plan.warnings.len(), 1);
}

#[test]
fn the_data_source_of_a_check_is_read_when_what_it_needs_is_there() {
    let text = |query: &str| {
        free("a", "input = 1")
            + &check("c", &(lookup(query) + &assert("data.lookup.l.answer == \"x\"", "data.lookup.l.answer")))
    };
    let mut world = World::default();
    let plan = world.apply(&text("free.a.id"));
    assert_eq!(results(&plan.checks), ["check.c unknown"]);
    assert_eq!(world.done, ["create free.a", "read data.lookup.l"]);
    assert_eq!(results(&world.checks), ["check.c fail answer to id-1"]);
    // Known while planning: it is looked at then, and once more when the world has changed.
    let mut world = World::default();
    let plan = world.plan(&text("\"q\""));
    assert_eq!(results(&plan.checks), ["check.c fail answer to q"]);
    let change = plan.changes.iter().find(|change| change.action == Action::Read).expect("a read");
    assert_eq!(change.reasons, [Reason::CheckNested]);
    world.answers.insert("q".to_owned(), "x".to_owned());
    world.run(&plan);
    assert_eq!(results(&world.checks), ["check.c pass"]);
    assert!(world.warnings.is_empty());
}

#[test]
fn every_instance_of_a_module_is_checked() {
    let text =
        "module \"m\" {\n source = \"./m\"\n count = 2\n n = count.index\n}\n# file: m/main.tf\nvariable \"n\" {}\n"
            .to_owned()
            + &free("x", "input = var.n")
            + &check("c", &assert("free.x.input == 0", "\"n is ${var.n}\""));
    let mut world = World::default();
    let plan = world.apply(&text);
    let expect = ["module.m[0].check.c pass", "module.m[1].check.c fail n is 1"];
    assert_eq!(results(&plan.checks), expect);
    assert_eq!(results(&world.checks), expect);
    assert_eq!(plan.checks[0].status, CheckStatus::Fail);
    assert_eq!(plan.checks[0].module.as_deref(), Some("module.m"));
}

const ALL: &str = r#"
variable "v" {
  default = 1
  validation {
    condition     = var.v == 1
    error_message = "v"
  }
}
output "o" {
  value = free.a[0].id
  precondition {
    condition     = free.a[0].id != ""
    error_message = "o"
  }
}
resource "free" "a" {
  count = 2
  input = 1
  lifecycle {
    postcondition {
      condition     = self.id != ""
      error_message = "post"
    }
  }
}
resource "free" "b" {
  for_each = toset(["k"])
  input    = 1
  lifecycle {
    precondition {
      condition     = var.v == 1
      error_message = "pre"
    }
  }
}
resource "free" "none" {
  count = 0
  lifecycle {
    precondition {
      condition     = var.v == 1
      error_message = "pre"
    }
  }
}
check "c" {
  assert {
    condition     = free.b["k"].input == 1
    error_message = "c"
  }
}
"#;

#[test]
fn all_conditions_are_told() {
    let mut world = World::default();
    let plan = world.apply(ALL);
    assert_eq!(
        results(&plan.checks),
        [
            "check.c pass",
            "output.o unknown",
            "free.a[0] unknown",
            "free.a[1] unknown",
            "free.b[\"k\"] pass",
            "none pass",
            "var.v pass"
        ]
    );
    let after = [
        "check.c pass",
        "output.o pass",
        "free.a[0] pass",
        "free.a[1] pass",
        "free.b[\"k\"] pass",
        "none pass",
        "var.v pass",
    ];
    assert_eq!(results(&world.checks), after);
    assert_eq!(results(&world.plan(ALL).checks), after);
    let json = checks_json(&plan.checks);
    assert_eq!(
        json[1].to_string(),
        r#"{"address":{"kind":"resource","mode":"managed","name":"a","to_display":"free.a","type":"free"},"instances":[{"address":{"instance_key":0,"to_display":"free.a[0]"},"status":"unknown"},{"address":{"instance_key":1,"to_display":"free.a[1]"},"status":"unknown"}],"status":"unknown"}"#
    );
    assert_eq!(
        json[3].to_string(),
        r#"{"address":{"kind":"resource","mode":"managed","name":"none","to_display":"free.none","type":"free"},"status":"pass"}"#
    );
    assert_eq!(plan_json(&plan, &*world.types)["checks"], json);
    world.options.mode = Mode::Destroy;
    let plan = world.plan(ALL);
    assert!(plan.checks.iter().all(|result| result.status == CheckStatus::Unknown && result.instances.is_empty()));
}

#[test]
fn a_stored_plan_knows_its_checks() {
    let plan = World::default()
        .plan(&(ALL.to_owned() + &check("d", &(lookup("\"q\"") + &assert("data.lookup.l.answer == \"\"", "\"d\"")))));
    let sealer = crate::state::testing::fixed_sealer(crate::state::StackKey::new("acme", "shop"));
    let bytes = codec::encode(&plan, &sealer).expect("encodes");
    let back = codec::decode(&bytes, &sealer).expect("decodes");
    assert_eq!(back.checks, plan.checks);
    assert_eq!(back.reads, plan.reads);
}

//! A secret goes through every command; nothing that is printed, logged or stored holds it in any usual form.
#![cfg(unix)]

mod canary;

use std::fs;

use canary::{Database, Stage, base64, leaks};

const TEMPLATE: &str = r#"
variable "token" {
  type      = string
  sensitive = true

  validation {
    condition     = length(var.token) > 5
    error_message = "Tokens are longer."
  }
}

variable "mode" {
  default = "good"
}

locals {
  derived = { header = "Bearer ${var.token}", list = [var.token, "open"] }
}

resource "terraform_data" "holder" {
  input            = local.derived
  triggers_replace = base64encode(var.token)
}

resource "random_password" "made" {
  length = 30
}

resource "local_file" "sink" {
  path    = "${path.cwd}/sink/config.txt"
  content = "token ${var.token}\n"
  mode    = "0600"
}

resource "local_process" "user" {
  command     = ["sh", "-c", var.mode == "dies" ? "exit 3" : "exec sleep 1000"]
  environment = { TOKEN = var.token, MADE = random_password.made.result }
  log_file    = "${path.cwd}/sink/user.log"
}

data "local_command" "echo" {
  command     = ["sh", "-c", "printf %s $${#TOKEN}"]
  environment = { TOKEN = var.token }
}

resource "terraform_data" "told" {
  input = data.local_command.echo.stdout

  lifecycle {
    precondition {
      condition     = var.mode != "refused"
      error_message = "not with ${nonsensitive("this")} token"
    }
  }
}

output "token" {
  value     = var.token
  sensitive = true
}

output "made" {
  value     = random_password.made.result
  sensitive = true
}

output "length" {
  value = nonsensitive(length(var.token))
}

output "open" {
  value = "open-to-all-7c1f"
}
"#;

/// Stands in the templates for everybody to see.
const OPEN: &str = "open-to-all-7c1f";

/// The token is no secret to be marked as such: it must not be stored, nor shown.
const EPHEMERAL: &str = r#"
variable "token" {
  type      = string
  ephemeral = true

  validation {
    condition     = length(var.token) > 5
    error_message = "Tokens are longer than ${var.token}."
  }
}

variable "mode" {
  default = "good"
}

ephemeral "local_command" "session" {
  command     = ["sh", "-c", "printf 'session of %s' \"$TOKEN\""]
  environment = { TOKEN = var.token }
}

locals {
  session = "${ephemeral.local_command.session.stdout}!"
}

module "guest" {
  source  = "./guest"
  session = local.session
}

resource "terraform_data" "user" {
  input = { name = "open-to-all-7c1f", session = ephemeralasnull(local.session) }

  lifecycle {
    precondition {
      condition     = local.session == "session of ${var.token}!" && var.mode == "good"
      error_message = "This is no session: ${local.session}."
    }
  }
}

# Evaluated while the plan runs, too.
resource "terraform_data" "later" {
  input = terraform_data.user.id

  lifecycle {
    postcondition {
      condition     = "${self.output} ${var.token}" != local.session
      error_message = "This is the session: ${local.session}."
    }
  }
}

output "nothing" {
  value = ephemeralasnull(module.guest.session)
}
"#;

const GUEST: &str = r#"
variable "session" {
  ephemeral = true
}

output "session" {
  value     = upper(var.session) == "" ? "" : var.session
  ephemeral = true
}
"#;

#[test]
fn no_command_tells_or_stores_a_secret() {
    sensitive(Stage::new(&[("main.tf", TEMPLATE)], None));
}

#[test]
fn no_command_tells_or_stores_a_secret_in_postgres() {
    let Some(database) = Database::start() else { return };
    sensitive(Stage::new(&[("main.tf", TEMPLATE)], Some(database)));
}

fn sensitive(mut stage: Stage) {
    stage.check(&["validate", "-json"], "", 0);
    stage.check(&["plan", "-detailed-exitcode"], "", 2);
    stage.check(&["plan", "-json", "-out=saved.plan"], "", 0);
    stage.check(&["show", "saved.plan"], "", 0);
    stage.check(&["show", "-json", "saved.plan"], "", 0);
    stage.check(&["apply", "-json", "saved.plan"], "", 0);
    let sink = stage.folder.path().join("sink/config.txt");
    assert!(
        fs::read_to_string(&sink).expect("the file").contains(&stage.secret),
        "the file that the template names has it"
    );
    let made = stage.output("made");
    assert_eq!(made.len(), 30, "{made}");
    stage.made.push(made);
    look(&stage);
    for arguments in [
        &["state", "show", "terraform_data.holder"][..],
        &["state", "show", "terraform_data.told"],
        &["state", "show", "local_file.sink"],
        &["state", "show", "local_process.user"],
        &["state", "show", "random_password.made"],
    ] {
        stage.check(arguments, "", 0);
    }
    stage.check_store(OPEN);
    // What people do wrong around a secret.
    for wrong in
        ["var.token + 1", "parseint(var.token, 10)", "local.derived[var.token]", "terraform_data.holder.output.nothing"]
    {
        stage.check(&["console"], wrong, 1);
    }
    stage.check(&["console"], "[var.token, local.derived, terraform_data.holder]", 0);
    stage.check(&["plan", "-var", "mode=refused"], "", 1);
    stage.check(&["apply", "-auto-approve", "-var", "mode=dies"], "", 1);
    // Behind the engine's back: drift is told without what it was.
    fs::write(&sink, format!("changed {}", stage.secret)).expect("a file");
    stage.check(&["plan", "-detailed-exitcode"], "", 2);
    stage.check(&["refresh", "-json"], "", 0);
    stage.check(&["apply", "-auto-approve"], "", 0);
    // What is undone was written down first.
    let rollback = ["apply", "-auto-approve", "-on-failure=rollback", "-replace=terraform_data.holder"];
    let undone = stage.check(&[&rollback[..], &["-var", "mode=dies", "-parallelism=1"]].concat(), "", 1);
    assert!(undone.contains("was undone") || undone.contains("could be undone"), "{undone}");
    look(&stage);
    stage.check(&["state", "mv", "terraform_data.told", "terraform_data.tale"], "", 0);
    stage.check(&["state", "mv", "terraform_data.tale", "terraform_data.told"], "", 0);
    stage.check(&["state", "rm", "terraform_data.told"], "", 0);
    stage.check(&["rotate-key"], "", 0);
    stage.check(&["apply", "-auto-approve"], "", 0);
    stage.check(&["import", "local_file.sink", &sink.to_string_lossy()], "", 1);
    stage.check(&["force-unlock", "-force"], "", 0);
    stage.check(&["plan", "-destroy"], "", 0);
    stage.check_store(OPEN);
    // Named by the person, so it is shown.
    assert_eq!(stage.output("token"), stage.secret);
    stage.check(&["destroy", "-auto-approve"], "", 0);
    stage.search_store();
}

/// Looks at all that is remembered, in every format.
fn look(stage: &Stage) {
    for arguments in [
        &["show"][..],
        &["show", "-json"],
        &["output"],
        &["state", "list"],
        &["graph"],
        &["graph", "-format=mermaid"],
        &["runs", "list"],
        &["runs", "list", "-json"],
        &["runs", "show"],
        &["runs", "show", "-json"],
    ] {
        stage.check(arguments, "", 0);
    }
}

#[test]
fn no_command_tells_or_stores_what_is_ephemeral() {
    ephemeral(&Stage::new(&[("main.tf", EPHEMERAL), ("guest/main.tf", GUEST)], None));
}

#[test]
fn no_command_tells_or_stores_what_is_ephemeral_in_postgres() {
    let Some(database) = Database::start() else { return };
    ephemeral(&Stage::new(&[("main.tf", EPHEMERAL), ("guest/main.tf", GUEST)], Some(database)));
}

fn ephemeral(stage: &Stage) {
    // The values stand in a file that is none of the template's.
    stage.write("sink/given.tfvars", &format!("token    = \"{}\"\n", stage.secret));
    for arguments in [
        &["init"][..],
        &["fmt", "-check", "-diff"],
        &["fmt", "-recursive"],
        &["fmt", "sink/given.tfvars"],
        &["convert", "-to=json", "main.tf"],
        &["convert", "-to=yaml", "main.tf"],
        &["validate", "-json"],
    ] {
        stage.check(arguments, "", 0);
    }
    // Files of values are not shown where something is wrong with them.
    for (broken, of_fmt) in [
        ("token = \"{}\" x", 1),
        ("token = \"{}", 1),
        ("token = {}", 1),
        ("\"{}\" = token", 1),
        ("token = [\"{}\", 1 + \"x\"]", 0),
    ] {
        let name = "sink/broken.tfvars";
        stage.write(name, &(broken.replace("{}", &stage.secret) + "\n"));
        stage.check(&["plan", &format!("-var-file={name}")], "", 1);
        stage.check(&["plan", "-json", &format!("-var-file={name}")], "", 1);
        stage.check(&["fmt", name], "", of_fmt);
    }
    stage.check(&["plan", "-detailed-exitcode"], "", 2);
    stage.check(&["plan", "-json", "-var-file=sink/given.tfvars", "-out=saved.plan"], "", 0);
    stage.check(&["show", "saved.plan"], "", 0);
    stage.check(&["show", "-json", "saved.plan"], "", 0);
    stage.check(&["apply", "-json", "-var-file=sink/given.tfvars", "saved.plan"], "", 0);
    look(stage);
    let told = stage.check(&["console"], "[var.token, local.session, module.guest]", 0);
    assert!(told.contains("(ephemeral value)"), "{told}");
    for wrong in ["var.token + 1", "parseint(var.token, 10)", "{}[var.token]"] {
        stage.check(&["console"], wrong, 1);
    }
    // What conditions say is kept to themselves, where they fail before anything is done and while it is.
    stage.check(&["plan", "-var", "mode=bad"], "", 1);
    stage.write("main.tf", &EPHEMERAL.replace("!= local.session", "== local.session"));
    stage.check(&["apply", "-auto-approve", "-replace=terraform_data.user"], "", 1);
    stage.write("main.tf", EPHEMERAL);
    stage.check(&["apply", "-auto-approve"], "", 0);
    stage.check_store(OPEN);
    stage.check(&["destroy", "-auto-approve"], "", 0);
    stage.search_store();
}

/// Connection strings and keys that come from the environment are nobody's to see.
#[test]
fn help_tells_no_variable() {
    let stage = Stage::new(&[("main.tf", EPHEMERAL), ("guest/main.tf", GUEST)], None);
    let told = stage.every_help();
    assert!(told.contains("STACKWRIGHT_STATE") && told.contains("stackwright runs abandon"), "{told}");
}

#[test]
fn a_leak_would_be_noticed() {
    const SECRET: &str = "c4n/ry+T0ken=?&zQ~9";
    let percent = "c4n%2Fry%2BT0ken%3D%3F%26zQ%7E9";
    for text in [SECRET, percent, &base64(format!("ab{SECRET}").as_bytes()), &base64(format!("a{SECRET}b").as_bytes())]
    {
        assert!(leaks(format!("x {text} y").as_bytes(), SECRET), "{text}");
    }
    assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
    assert!(!leaks(b"nothing of the sort", SECRET));
}

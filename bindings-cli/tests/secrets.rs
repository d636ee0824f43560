//! A secret goes through every command; nothing that is printed, logged or stored holds it in any usual form.
#![cfg(unix)]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// Letters, digits and signs that look different in each form that is searched for.
const SECRET: &str = "c4n/ry+T0ken=?&zQ~9";

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

output "length" {
  value = nonsensitive(length(var.token))
}
"#;

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
  input = { name = "ann", session = ephemeralasnull(local.session) }

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

/// Returns the secret in the forms in which it could leak.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = secret
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let json = secret.replace('/', "\\/").replace('&', "\\u0026");
    let mut forms: Vec<String> = vec![secret.to_owned(), hex.to_uppercase(), hex, percent, json];
    // In Base64 a text looks different by where it begins; the first and last letters depend on what is around.
    for skip in 0..3 {
        let padded = base64(&[&vec![b'x'; skip], secret.as_bytes()].concat());
        let inner = &padded[if skip == 0 { 0 } else { 4 }..padded.len() - 4];
        forms.push(inner.to_owned());
        forms.push(inner.replace('+', "-").replace('/', "_"));
    }
    forms.into_iter().map(String::into_bytes).collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32, shift: u32| char::from(LETTERS[((bits >> shift) & 63) as usize]);
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        text.extend([18, 12, 6, 0].iter().take(chunk.len() + 1).map(|shift| letter(bits, *shift)));
        text.extend(std::iter::repeat_n('=', 3 - chunk.len()));
    }
    text
}

fn leaks(bytes: &[u8], secret: &str) -> bool {
    forms(secret).iter().any(|form| bytes.windows(form.len()).any(|window| window == form))
}

struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        Self { folder }
    }

    /// Runs a command with every log level on; returns its exit code and all that it wrote.
    fn run(&self, arguments: &[&str], stdin: &str) -> (Option<i32>, Vec<u8>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stackwright"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("TF_VAR_token", SECRET).env("STACKWRIGHT_LOG", "trace").env("RUST_BACKTRACE", "full");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut pipe, stdin.as_bytes()).expect("it reads");
        drop(pipe);
        let output = child.wait_with_output().expect("it ends");
        (output.status.code(), [output.stdout, output.stderr].concat())
    }

    fn files(&self) -> Vec<std::path::PathBuf> {
        fn walk(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
            for entry in fs::read_dir(folder).expect("a folder").flatten() {
                match entry.path() {
                    path if path.is_dir() => walk(&path, found),
                    path => found.push(path),
                }
            }
        }
        let mut found = Vec::new();
        walk(self.folder.path(), &mut found);
        found.retain(|path| !path.components().any(|part| part.as_os_str() == "sink"));
        found
    }

    #[track_caller]
    fn check(&self, arguments: &[&str], stdin: &str, code: i32) -> String {
        let (found, written) = self.run(arguments, stdin);
        let text = String::from_utf8_lossy(&written).into_owned();
        assert_eq!(found, Some(code), "{arguments:?}: {text}");
        assert!(!leaks(&written, SECRET), "{arguments:?} tells the secret: {text}");
        for path in self.files() {
            let bytes = fs::read(&path).expect("a file");
            assert!(!leaks(&bytes, SECRET), "{} holds the secret after {arguments:?}", path.display());
        }
        text
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // No process stays behind, whatever failed.
        let _ = self.run(&["destroy", "-auto-approve"], "");
    }
}

#[test]
fn no_command_tells_or_stores_a_secret() {
    let stage = Stage::new(&[("main.tf", TEMPLATE)]);
    stage.check(&["validate", "-json"], "", 0);
    stage.check(&["plan", "-detailed-exitcode"], "", 2);
    stage.check(&["plan", "-json", "-out=saved.plan"], "", 0);
    stage.check(&["show", "saved.plan"], "", 0);
    stage.check(&["show", "-json", "saved.plan"], "", 0);
    stage.check(&["apply", "-json", "saved.plan"], "", 0);
    let sink = fs::read_to_string(stage.folder.path().join("sink/config.txt")).expect("the file");
    assert!(sink.contains(SECRET), "the file that the template names has it");
    for arguments in [
        &["show"][..],
        &["show", "-json"],
        &["output"],
        &["state", "list"],
        &["state", "show", "terraform_data.holder"],
        &["state", "show", "terraform_data.told"],
        &["state", "show", "local_file.sink"],
        &["state", "show", "local_process.user"],
        &["graph"],
        &["runs", "list", "-json"],
    ] {
        stage.check(arguments, "", 0);
    }
    let runs = stage.check(&["runs", "list"], "", 0);
    stage.check(&["runs", "show", runs.split(' ').next().expect("a run")], "", 0);
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
    fs::write(stage.folder.path().join("sink/config.txt"), format!("changed {SECRET}")).expect("a file");
    stage.check(&["plan", "-detailed-exitcode"], "", 2);
    stage.check(&["apply", "-auto-approve"], "", 0);
    stage.check(&["plan", "-destroy"], "", 0);
    // Named by the person, so it is shown.
    let (_, written) = stage.run(&["output", "-raw", "token"], "");
    assert_eq!(String::from_utf8_lossy(&written).trim_end(), SECRET);
    stage.check(&["destroy", "-auto-approve"], "", 0);
}

#[test]
fn no_command_tells_or_stores_what_is_ephemeral() {
    // The values stand in a file that is none of the template's.
    let given = format!("token = \"{SECRET}\"\n");
    let stage = Stage::new(&[("main.tf", EPHEMERAL), ("guest/main.tf", GUEST), ("sink/given.tfvars", &given)]);
    stage.check(&["validate", "-json"], "", 0);
    stage.check(&["plan", "-detailed-exitcode"], "", 2);
    stage.check(&["plan", "-json", "-var-file=sink/given.tfvars", "-out=saved.plan"], "", 0);
    stage.check(&["show", "saved.plan"], "", 0);
    stage.check(&["show", "-json", "saved.plan"], "", 0);
    stage.check(&["apply", "-json", "-var-file=sink/given.tfvars", "saved.plan"], "", 0);
    for arguments in [&["show"][..], &["show", "-json"], &["output"], &["graph"], &["runs", "list", "-json"]] {
        stage.check(arguments, "", 0);
    }
    let runs = stage.check(&["runs", "list"], "", 0);
    stage.check(&["runs", "show", runs.split(' ').next().expect("a run")], "", 0);
    let told = stage.check(&["console"], "[var.token, local.session, module.guest]", 0);
    assert!(told.contains("(ephemeral value)"), "{told}");
    for wrong in ["var.token + 1", "parseint(var.token, 10)", "{}[var.token]"] {
        stage.check(&["console"], wrong, 1);
    }
    // What conditions say is kept to themselves, where they fail before anything is done and while it is.
    stage.check(&["plan", "-var", "mode=bad"], "", 1);
    let late = EPHEMERAL.replace("!= local.session", "== local.session");
    fs::write(stage.folder.path().join("main.tf"), late).expect("a template");
    stage.check(&["apply", "-auto-approve", "-replace=terraform_data.user"], "", 1);
    fs::write(stage.folder.path().join("main.tf"), EPHEMERAL).expect("a template");
    stage.check(&["apply", "-auto-approve"], "", 0);
    stage.check(&["destroy", "-auto-approve"], "", 0);
}

#[test]
fn a_leak_would_be_noticed() {
    let percent = "c4n%2Fry%2BT0ken%3D%3F%26zQ%7E9";
    for text in [SECRET, percent, &base64(format!("ab{SECRET}").as_bytes()), &base64(format!("a{SECRET}b").as_bytes())]
    {
        assert!(leaks(format!("x {text} y").as_bytes(), SECRET), "{text}");
    }
    assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
    assert!(!leaks(b"nothing of the sort", SECRET));
}

//! Keys are replaced, by the real program: what was sealed stays readable at every moment, and in the end without the old
//! key.
#![cfg(unix)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

const SECRET: &str = "hunter2-of-keys";

const TEMPLATE: &str = r#"
variable "token" {
  sensitive = true
}

resource "terraform_data" "holder" {
  count = 3
  input = "${count.index} ${var.token}"
}

resource "terraform_data" "plain" {
  input = "nothing to hide"
}

output "token" {
  value     = var.token
  sensitive = true
}
"#;

/// Takes thousands of writes to the disk.
const LONG: &str = r#"
resource "terraform_data" "many" {
  count = 5000
}
"#;

struct Shop {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("main.tf"), TEMPLATE).expect("a template");
        Self { folder, environment: Vec::new() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stackwright"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("TF_VAR_token", SECRET).env_remove("STACKWRIGHT_KEY").env_remove("STACKWRIGHT_OLD_KEYS");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    #[track_caller]
    fn check(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        text
    }

    /// Everything that was sealed opens, and nothing has changed.
    #[track_caller]
    fn is_readable(&self) {
        assert_eq!(self.check(&["output", "-raw", "token"], 0).trim_end(), SECRET);
        self.check(&["plan", "-detailed-exitcode"], 0);
    }

    fn older_keys(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.folder.path().join(".stackwright")).expect("the folder of state");
        let names = files.map(|file| file.expect("a file").path());
        let is_older = |path: &PathBuf| path.to_string_lossy().contains("key.old-");
        names.filter(is_older).collect()
    }
}

#[test]
fn a_key_file_is_replaced_and_the_old_one_can_go() {
    let shop = Shop::new();
    shop.check(&["apply", "-auto-approve"], 0);
    shop.check(&["apply", "-auto-approve", "-stack=other/blog"], 0);
    shop.check(&["plan", "-out=before.plan", "-replace=terraform_data.plain"], 0);
    let key = || fs::read(shop.folder.path().join(".stackwright/key")).expect("a key");
    let first = key();
    let told = shop.check(&["rotate-key"], 0);
    assert!(told.contains("local/default: sealed again, 4 rows"), "{told}");
    assert!(told.contains("other/blog: sealed again, 4 rows"), "{told}");
    assert_ne!(key(), first);
    let [old] = shop.older_keys().try_into().expect("one older key");
    assert_eq!(fs::read(&old).expect("the old key"), first);
    shop.is_readable();
    // A plan that was saved before can be read, as long as the old key is there; its rows were written since.
    shop.check(&["show", "before.plan"], 0);
    let refused = shop.check(&["apply", "before.plan"], 1);
    assert!(refused.contains("plan.stale"), "{refused}");
    fs::remove_file(&old).expect("removed");
    shop.is_readable();
    assert_eq!(shop.check(&["output", "-raw", "-stack=other/blog", "token"], 0).trim_end(), SECRET);
    let refused = shop.check(&["show", "before.plan"], 1);
    assert!(refused.contains("a key that this program does not have"), "{refused}");
    shop.check(&["destroy", "-auto-approve"], 0);
}

#[test]
fn a_stack_in_the_middle_of_a_run_is_sealed_again_later() {
    let shop = Shop::new();
    shop.check(&["apply", "-auto-approve"], 0);
    fs::write(shop.folder.path().join("long.tf"), LONG).expect("a template");
    let mut child =
        shop.command(&["apply", "-auto-approve", "-parallelism=1"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("Creating")), "it has begun");
    child.kill().expect("it is alive");
    assert_eq!(child.wait().expect("it ends").code(), None, "it was in the middle");
    let told = shop.check(&["rotate-key"], 1);
    assert!(told.contains("rotate-key -no-new-key"), "{told}");
    assert_eq!(shop.older_keys().len(), 1);
    let runs = shop.check(&["runs", "list"], 0);
    let run = runs.split(' ').next().expect("a run").to_owned();
    shop.check(&["runs", "abandon", "-force", &run], 0);
    let told = shop.check(&["rotate-key", "-no-new-key"], 0);
    assert!(told.contains("sealed again"), "{told}");
    assert_eq!(shop.older_keys().len(), 1, "no key was made");
    for old in shop.older_keys() {
        fs::remove_file(old).expect("removed");
    }
    assert_eq!(shop.check(&["output", "-raw", "token"], 0).trim_end(), SECRET);
}

#[test]
fn a_key_in_the_environment_is_replaced_by_whoever_put_it_there() {
    let (old, new) = ("07".repeat(32), "08".repeat(32));
    let mut shop = Shop::new();
    shop.environment = vec![("STACKWRIGHT_KEY", old.clone())];
    shop.check(&["apply", "-auto-approve"], 0);
    let refused = shop.check(&["rotate-key"], 1);
    assert!(refused.contains("STACKWRIGHT_OLD_KEYS") && !refused.contains(&old), "{refused}");
    shop.environment = vec![("STACKWRIGHT_KEY", new.clone())];
    let refused = shop.check(&["output", "-raw", "token"], 1);
    assert!(refused.contains("cipher.open_failed") && !refused.contains(&new), "{refused}");
    shop.environment.push(("STACKWRIGHT_OLD_KEYS", format!("{}, {old}", "09".repeat(32))));
    shop.is_readable();
    let told = shop.check(&["rotate-key"], 0);
    assert!(told.contains("sealed again, 4 rows") && !told.contains(&old) && !told.contains(&new), "{told}");
    shop.environment.truncate(1);
    shop.is_readable();
}

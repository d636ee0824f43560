//! The real program with its state in PostgreSQL: two machines, one stack; passwords that are never printed.
#![cfg(all(unix, feature = "postgres"))]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use stackwright_tests::postgres::Server;
use tempfile::TempDir;

const PASSWORD: &str = "c4n4ry-0f-p4ssw0rds";
const KEY: &str = "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e";

const TEMPLATE: &str = r#"
resource "random_password" "made" {
  length = 20
}
resource "terraform_data" "things" {
  count = 30
  input = "thing ${count.index} of ${nonsensitive(length(random_password.made.result))}"
}
output "made" {
  value     = random_password.made.result
  sensitive = true
}
"#;

/// A folder with the template on a machine of its own: no state, no key, no home.
struct Machine {
    folder: TempDir,
    home: TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine =
            Self { folder: tempfile::tempdir().expect("a folder"), home: tempfile::tempdir().expect("a home") };
        fs::write(machine.folder.path().join("main.tf"), TEMPLATE).expect("a template");
        machine
    }

    fn command(&self, state: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stackwright"));
        command.args(arguments).arg(format!("-state={state}")).current_dir(self.folder.path());
        command.env("NO_COLOR", "1").env("HOME", self.home.path()).env("STACKWRIGHT_KEY", KEY);
        command.env_remove("PGPASSWORD").env_remove("PGPASSFILE").env_remove("STACKWRIGHT_STATE");
        command
    }

    fn with_password(&self, state: &str, arguments: &[&str]) -> (Option<i32>, String) {
        said(self.command(state, arguments).env("PGPASSWORD", PASSWORD).output().expect("runs"))
    }
}

/// Returns the exit code and all that was written, in which the password never is.
fn said(output: Output) -> (Option<i32>, String) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains(PASSWORD), "{text}");
    (output.status.code(), text)
}

/// A server with the user `locked`, who needs the password.
fn server() -> Option<Server> {
    let rules = "host all locked 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
    let server = Server::start_with("fsync=off\n", &[("pg_hba.conf", rules)])?;
    let made = Command::new(server.program("psql"))
        .args(["-q", "-h", "127.0.0.1", "-p", &server.port().to_string(), "-U", "app", "postgres"])
        .args(["-c", &format!("CREATE ROLE locked LOGIN PASSWORD '{PASSWORD}'")])
        .args(["-c", "CREATE DATABASE platform OWNER locked"])
        .status();
    assert!(made.expect("psql runs").success());
    Some(server)
}

fn url(server: &Server, user: &str) -> String {
    format!("postgres://{user}@127.0.0.1:{}/platform", server.port())
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).expect("a folder").flatten().all(|entry| entry.file_name() == "main.tf")
}

#[test]
fn two_machines_share_a_stack() {
    let Some(server) = server() else { return };
    let state = url(&server, "locked");
    let (here, there) = (Machine::new(), Machine::new());
    let (code, text) = here.with_password(&state, &["apply", "-auto-approve"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(is_empty(here.folder.path()), "nothing stays on the machine");
    let (code, text) = there.with_password(&state, &["plan", "-detailed-exitcode"]);
    assert_eq!(code, Some(0), "no changes: {text}");
    let raw = |machine: &Machine| machine.with_password(&state, &["output", "-raw", "made"]);
    let (made, again) = (raw(&here), raw(&there));
    assert_eq!((made.0, made.1.len()), (Some(0), 20), "{made:?}");
    assert_eq!(made, again, "the same key opens the same secrets");
    let (code, text) = there.with_password(&format!("{state}?schema=staging"), &["state", "list"]);
    assert_eq!((code, text.contains("terraform_data")), (Some(0), false), "another schema, another state: {text}");
    let (code, text) = there.with_password(&state, &["destroy", "-auto-approve"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = here.with_password(&state, &["state", "list"]);
    assert_eq!((code, text.contains("terraform_data")), (Some(0), false), "{text}");
}

#[test]
fn the_password_comes_from_where_it_is_kept_and_is_never_printed() {
    let Some(server) = server() else { return };
    let state = url(&server, "locked");
    let machine = Machine::new();
    let list = ["state", "list"];
    let run = |command: &mut Command| said(command.output().expect("runs"));

    let (code, text) = run(&mut machine.command(&state, &list));
    assert_eq!(code, Some(1), "none: {text}");
    assert!(text.contains("user name and password"), "{text}");
    let (code, text) = run(machine.command(&state, &list).env("PGPASSWORD", "wrong"));
    assert_eq!(code, Some(1), "a wrong one: {text}");
    assert_eq!(run(machine.command(&state, &list).env("PGPASSWORD", PASSWORD)).0, Some(0));
    let inside = url(&server, &format!("locked:{PASSWORD}"));
    assert_eq!(run(machine.command(&inside, &list).env("PGPASSWORD", "wrong")).0, Some(0), "the nearest one counts");

    let line = format!("127.0.0.1:*:platform:locked:{PASSWORD}\n");
    for path in [machine.home.path().join(".pgpass"), machine.home.path().join("elsewhere")] {
        fs::write(&path, &line).expect("writes");
        let file = |machine: &Machine| {
            let mut command = machine.command(&state, &list);
            if path.ends_with("elsewhere") {
                command.env("PGPASSFILE", &path);
            }
            run(&mut command)
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        let (code, text) = file(&machine);
        assert_eq!((code, text.contains("chmod 600")), (Some(1), true), "{text}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        assert_eq!(file(&machine).0, Some(0));
        fs::remove_file(&path).expect("removes");
    }

    // What is refused is not repeated, nor is what the environment says.
    for wrong in ["?sslmode=what", "?x", "?schema=A", "?sslrootcert=/nowhere&sslmode=verify-full"] {
        let (code, text) = run(&mut machine.command(&format!("{inside}{wrong}"), &list));
        assert_eq!(code, Some(1), "{wrong}: {text}");
    }
    for arguments in [&["-help"][..], &["plan", "-help"], &["state", "list", "-what"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stackwright"));
        command.args(arguments).env("STACKWRIGHT_STATE", &inside).current_dir(machine.folder.path());
        let (_, text) = run(&mut command);
        assert!(text.contains("stackwright"), "{text}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_stackwright"));
    command.args(list).env("STACKWRIGHT_STATE", &inside).env("STACKWRIGHT_KEY", KEY).env("RUST_LOG", "trace");
    let (code, text) = run(command.current_dir(machine.folder.path()));
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn nobody_makes_a_key_for_others() {
    let Some(server) = server() else { return };
    let machine = Machine::new();
    let mut command = machine.command(&url(&server, "locked"), &["plan"]);
    let (code, text) = said(command.env("PGPASSWORD", PASSWORD).env_remove("STACKWRIGHT_KEY").output().expect("runs"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("STACKWRIGHT_KEY") && text.contains("-key-file"), "{text}");
    assert!(is_empty(machine.folder.path()));
}

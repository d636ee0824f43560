//! Packages that are signed, published, fetched and changed by strangers; and a form that is filled in on a terminal.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

fn stackwright(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stackwright"));
    command.current_dir(folder).env("NO_COLOR", "1").env_remove("STACKWRIGHT_TRUST").env_remove("STACKWRIGHT_CATALOG");
    command.args(arguments).output().expect("the program")
}

fn good(folder: &Path, arguments: &[&str]) -> String {
    let output = stackwright(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a text")
}

fn bad(folder: &Path, arguments: &[&str]) -> String {
    let output = stackwright(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("a text")
}

/// A folder with a package `shop` and the key `publisher.key`; the second is the public key.
fn shop() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    good(folder.path(), &["package", "init", "shop"]);
    let public = good(folder.path(), &["package", "key", "publisher.key"]).trim().to_owned();
    assert_eq!(good(folder.path(), &["package", "key", "publisher.key"]).trim(), public);
    (folder, public)
}

#[test]
fn a_package_reaches_those_whom_it_is_for_and_nobody_can_change_it() {
    let (folder, public) = shop();
    let folder = folder.path();
    let trust = format!("-trust={public}");
    for out in ["one", "two"] {
        good(folder, &["package", "build", "shop", "-key=publisher.key", &format!("-out={out}")]);
    }
    let archive = |out: &str| fs::read(folder.join(out).join("shop-0.1.0.tar")).expect("an archive");
    assert_eq!(archive("one"), archive("two"), "the same files give the same archive");
    good(folder, &["package", "verify", "one/shop-0.1.0.tar", &trust]);
    assert!(bad(folder, &["package", "verify", "one/shop-0.1.0.tar"]).contains("no key is trusted"));
    let stranger = good(folder, &["package", "key", "stranger.key"]);
    let strange = format!("-trust={}", stranger.trim());
    assert!(bad(folder, &["package", "verify", "one/shop-0.1.0.tar", &strange]).contains("is trusted"));
    let mut evil = archive("two");
    evil[700] ^= 1;
    fs::write(folder.join("two/shop-0.1.0.tar"), evil).expect("written");
    assert!(bad(folder, &["package", "verify", "two/shop-0.1.0.tar", &trust]).contains("catalog.tampered"));

    let publish = |more: &[&str]| {
        let all =
            [&["package", "publish", "one/shop-0.1.0.tar", "-catalog=shelf", "-key=publisher.key"], more].concat();
        stackwright(folder, &all)
    };
    assert!(publish(&[]).status.success());
    assert!(!publish(&["-stage=online"]).status.success(), "nobody tried it out");
    let form = |tenant: &str| {
        let stack = format!("-stack={tenant}/shop");
        fs::write(folder.join("values.yaml"), "domain: shop.example.com\n").expect("written");
        let arguments = ["app", "form", "shop", "-catalog=shelf", &trust, &stack, "-values=values.yaml"];
        // A folder of the name would come first.
        let away = folder.join("away");
        fs::create_dir_all(&away).expect("made");
        fs::copy(folder.join("values.yaml"), away.join("values.yaml")).expect("copied");
        let arguments: Vec<String> =
            arguments.iter().map(|word| word.replace("-catalog=shelf", "-catalog=../shelf")).collect();
        let output = stackwright(&away, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert!(form("acme").1.contains("catalog.not_found"), "it is in development");
    assert!(publish(&["-stage=trial", "-tester=acme"]).status.success());
    assert!(form("acme").0);
    assert!(form("other").1.contains("catalog.not_found"), "others do not try it out");
    assert!(publish(&["-stage=online"]).status.success());
    assert!(form("other").0);
    let listed = good(folder, &["package", "list", "shop", "-catalog=shelf", &trust]);
    assert!(listed.starts_with("0.1.0  online  sha256:"), "{listed}");
    assert_eq!(good(folder, &["package", "list", "-catalog=shelf", &trust]), "shop\n");
    assert!(publish(&["-stage=withdrawn", "-reason=it loses data"]).status.success());
    assert!(form("other").1.contains("catalog.not_found"));
}

#[test]
fn secrets_are_written_where_somebody_named_and_shown_nowhere() {
    let (folder, _) = shop();
    let folder = folder.path();
    let form = "fields:\n- { name: password, widget: password, default: { generate: password } }\n- { name: replicas, widget: number, default: 1 }\n- { name: domain, widget: domain }\n";
    fs::write(folder.join("shop/form.yaml"), form).expect("written");
    fs::write(folder.join("shop/package.yaml"), "name: shop\nversion: 0.1.0\nform: form.yaml\n").expect("written");
    let template = fs::read_to_string(folder.join("shop/template/main.tf")).expect("a template");
    let template = format!("variable \"password\" {{\n  type = string\n  sensitive = true\n}}\n{template}");
    fs::write(folder.join("shop/template/main.tf"), template).expect("written");
    fs::write(folder.join("values.yaml"), "values:\n  domain: a.example.com\n  password: hunter2-hunter2\n")
        .expect("written");
    let shown = good(folder, &["app", "form", "shop", "-values=values.yaml", "-out=values.json"]);
    assert!(shown.contains("password = (secret)") && !shown.contains("hunter2"), "{shown}");
    let json = good(folder, &["app", "form", "shop", "-values=values.yaml", "-json"]);
    assert!(json.contains("\"ready\": true") && !json.contains("hunter2"));
    let written = fs::read_to_string(folder.join("values.json")).expect("the variables");
    assert!(written.contains("hunter2-hunter2"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.join("values.json")).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "others can read it");
    }
    fs::write(folder.join("values.yaml"), "domain: a.example.com\n").expect("written");
    good(folder, &["app", "form", "shop", "-values=values.yaml", "-out=values.json"]);
    let made: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("values.json")).expect("the variables")).expect("JSON");
    assert_eq!(made["password"].as_str().map(str::len), Some(20), "it was generated");
}

#[cfg(unix)]
#[test]
fn a_form_is_filled_in_on_a_terminal() {
    use std::{fs::File, io::Write as _, os::fd::OwnedFd};

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let (folder, _) = shop();
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&master).expect("granted");
    unlockpt(&master).expect("unlocked");
    let name = ptsname(&master, Vec::new()).expect("a name");
    let open = || File::options().read(true).write(true).open(name.to_str().expect("a path")).expect("the terminal");
    let mut child = Command::new(env!("CARGO_BIN_EXE_stackwright"))
        .current_dir(folder.path())
        .args(["app", "form", "shop", "-out=values.json"])
        .env("NO_COLOR", "1")
        .stdin(Stdio::from(OwnedFd::from(open())))
        .stderr(Stdio::from(OwnedFd::from(open())))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut terminal = File::from(master);
    // What is typed ahead waits for its question. No plan; twelve replicas, which are too many, then two; a domain.
    terminal.write_all(b"\n12\nnowhere\n2\nshop.example.com\n").expect("typed");
    let reader = std::thread::spawn(move || {
        let mut shown = Vec::new();
        // It ends with an error where the other side is closed.
        let _ = std::io::Read::read_to_end(&mut terminal, &mut shown);
        String::from_utf8_lossy(&shown).into_owned()
    });
    let status = child.wait().expect("an end");
    let shown = reader.join().expect("what was shown");
    assert!(status.success(), "{shown}");
    assert!(shown.contains("one to nine") && shown.contains("Replicas [1]"), "{shown}");
    let written = fs::read_to_string(folder.path().join("values.json")).expect("the variables");
    let values: serde_json::Value = serde_json::from_str(&written).expect("JSON");
    assert_eq!(values, serde_json::json!({ "replicas": 2, "domain": "shop.example.com" }));
}

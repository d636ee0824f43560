//! `local_file`.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use stackwright::{
    ErrorKind,
    error::{Effect, Retry},
    resource::{Evidence, Object, Recovery},
    value::{Type, Value},
};

use crate::support::{Driven, Yard, attribute, given, refused, text, with};

fn file() -> Driven {
    Driven::new("local_file")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

/// Returns the names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn holds_what_it_is_told_until_it_is_deleted() {
    let (yard, driven) = (Yard::new(), file());
    let path = yard.place("a/b/file");
    let config = given([("path", text(&path)), ("content", text("hello\n")), ("mode", text("0640"))]);
    let planned = driven.plan(None, &config).await.expect("a plan").planned;
    let object = driven.create(&config).await;
    assert_eq!(planned, object.attributes, "everything is known before");
    assert_eq!(fs::read_to_string(&path).expect("a file"), "hello\n");
    assert_eq!(mode(path.as_ref()), 0o640, "whatever the umask is");
    assert_eq!(names(&yard.path("a/b")), ["file"], "nothing else is left");
    assert_eq!(object.id, path);
    // echo hello | sha256sum
    let checksum = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    assert_eq!(attribute(&object, "checksum"), checksum);
    assert_eq!(object.attributes.attribute("size"), Some(&Value::number(6)));
    assert_eq!(driven.read(&object).await, Some(object.clone()));
    assert_eq!(driven.changes(&object, &config).await, Vec::<String>::new());
    driven.delete(&object).await;
    assert_eq!(names(&yard.path("a/b")), Vec::<String>::new(), "folders above stay");
    assert_eq!(driven.read(&object).await, None);
    driven.delete(&object).await;
}

#[tokio::test]
async fn holds_bytes_and_nothing_at_all() {
    let (yard, driven) = (Yard::new(), file());
    let binary = given([("path", text(yard.place("binary"))), ("content_base64", text("AP/+Cg=="))]);
    let object = driven.create(&binary).await;
    assert_eq!(fs::read(yard.path("binary")).expect("a file"), [0, 0xff, 0xfe, b'\n']);
    assert_eq!(driven.read(&object).await, Some(object));
    let empty = given([("path", text(yard.place("empty")))]);
    let object = driven.create(&empty).await;
    assert_eq!(fs::read(yard.path("empty")).expect("a file"), Vec::<u8>::new());
    assert_eq!(mode(&yard.path("empty")), 0o644);
    assert_eq!(driven.read(&object).await, Some(object));
}

#[tokio::test]
async fn what_is_known_only_later_is_planned_as_such() {
    let (yard, driven) = (Yard::new(), file());
    let config = given([("path", text(yard.place("file"))), ("content", Value::unknown(Type::String))]);
    let planned = driven.plan(None, &config).await.expect("a plan").planned;
    assert_eq!(planned.attribute("id"), Some(&text(yard.place("file"))));
    for name in ["checksum", "size"] {
        assert!(planned.attribute(name).is_some_and(|value| !value.is_known()), "{name}");
    }
    let config = given([("path", Value::unknown(Type::String)), ("content", text("x"))]);
    let planned = driven.plan(None, &config).await.expect("a plan").planned;
    assert!(planned.attribute("id").is_some_and(|id| !id.is_known()));
    assert_eq!(planned.attribute("size"), Some(&Value::number(1)));
}

#[tokio::test]
async fn what_others_made_is_not_overwritten_unasked() {
    let (yard, driven) = (Yard::new(), file());
    let path = yard.path("file");
    let config = given([("path", text(yard.place("file"))), ("content", text("mine"))]);
    fs::write(&path, "theirs").expect("a file");
    let error = refused(driven.try_create(&config).await);
    assert_eq!((error.code(), error.kind()), ("local.exists", ErrorKind::AlreadyExists));
    assert_eq!((error.effect_on_world(), error.retry_advice()), (Effect::None, Retry::No));
    assert!(error.message().contains("import it") && error.message().contains("overwrite = true"));
    assert_eq!(fs::read_to_string(&path).expect("a file"), "theirs");
    assert_eq!(names(&yard.path("")), ["file"]);
    // The same content is what an attempt whose outcome was lost may have made.
    fs::write(&path, "mine").expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    let inode = fs::metadata(&path).expect("a file").ino();
    driven.create(&config).await;
    assert_eq!((mode(&path), fs::metadata(&path).expect("a file").ino()), (0o644, inode));
    // A way out for who means it.
    fs::write(&path, "theirs").expect("a file");
    driven.create(&with(&config, [("overwrite", Value::bool(true))])).await;
    assert_eq!(fs::read_to_string(&path).expect("a file"), "mine");
}

#[tokio::test]
async fn what_is_no_file_is_left_alone() {
    let (yard, driven) = (Yard::new(), file());
    fs::write(yard.path("target"), "theirs").expect("a file");
    let config = |name: &str| given([("path", text(yard.place(name))), ("content", text("mine"))]);
    let overwrite = |name: &str| with(&config(name), [("overwrite", Value::bool(true))]);
    fs::create_dir(yard.path("folder")).expect("a folder");
    for config in [config("folder"), overwrite("folder")] {
        assert_eq!(refused(driven.try_create(&config).await).code(), "local.exists");
    }
    for (name, target) in [("link", "target"), ("dangling", "nowhere")] {
        symlink(yard.path(target), yard.path(name)).expect("a link");
        let error = refused(driven.try_create(&config(name)).await);
        assert_eq!(error.code(), "local.exists");
        assert!(error.message().contains("is a symbolic link"), "{}", error.message());
        // What is asked for takes the place of the link and leaves its target alone.
        let object = driven.create(&overwrite(name)).await;
        assert!(fs::symlink_metadata(yard.path(name)).expect("a file").is_file());
        driven.delete(&object).await;
    }
    assert_eq!(fs::read_to_string(yard.path("target")).expect("a file"), "theirs");
    assert!(!yard.path("nowhere").exists());
    let pipe = std::process::Command::new("mkfifo").arg(yard.path("pipe")).status().expect("mkfifo");
    assert!(pipe.success());
    assert_eq!(refused(driven.try_create(&overwrite("pipe")).await).code(), "local.exists", "it does not wait for it");
}

#[tokio::test]
async fn links_in_the_path_are_followed() {
    let (yard, driven) = (Yard::new(), file());
    fs::create_dir(yard.path("real")).expect("a folder");
    symlink(yard.path("real"), yard.path("alias")).expect("a link");
    let object = driven.create(&given([("path", text(yard.place("alias/file"))), ("content", text("x"))])).await;
    assert_eq!(fs::read_to_string(yard.path("real/file")).expect("a file"), "x");
    assert_eq!(driven.read(&object).await, Some(object));
}

#[tokio::test]
async fn drift_is_seen_and_mended() {
    let (yard, driven) = (Yard::new(), file());
    let path = yard.path("file");
    let config = given([("path", text(yard.place("file"))), ("content", text("mine"))]);
    let object = driven.create(&config).await;
    fs::write(&path, "theirs").expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    let found = driven.read(&object).await.expect("a file");
    assert_eq!((attribute(&found, "content"), attribute(&found, "mode")), ("theirs", "0600"));
    assert_ne!(attribute(&found, "checksum"), attribute(&object, "checksum"));
    let mut changes = driven.changes(&found, &config).await;
    changes.sort();
    assert_eq!(changes, [".checksum", ".content", ".mode", ".size"]);
    let mended = driven.update(&found, &config).await;
    assert_eq!(mended, object);
    assert_eq!((fs::read_to_string(&path).expect("a file").as_str(), mode(&path)), ("mine", 0o644));
    // The mode alone is set without writing.
    let inode = fs::metadata(&path).expect("a file").ino();
    let other = driven.update(&mended, &with(&config, [("mode", text("600"))])).await;
    assert_eq!((mode(&path), fs::metadata(&path).expect("a file").ino()), (0o600, inode));
    assert_eq!(attribute(&driven.read(&other).await.expect("a file"), "mode"), "600", "in its own spelling");
}

#[tokio::test]
async fn drift_to_what_is_no_text_is_seen_in_base64() {
    let (yard, driven) = (Yard::new(), file());
    let config = given([("path", text(yard.place("file"))), ("content", text("mine"))]);
    let object = driven.create(&config).await;
    // Not UTF-8, and a text that is not normalised: a text attribute would change it.
    for bytes in [vec![0xff, 0xfe], "e\u{301}".as_bytes().to_vec()] {
        fs::write(yard.path("file"), &bytes).expect("a file");
        let found = driven.read(&object).await.expect("a file");
        assert_eq!(found.attributes.attribute("content"), Some(&Value::null(Type::String)));
        let base64 = attribute(&found, "content_base64").to_owned();
        let again = given([("path", text(yard.place("file"))), ("content_base64", text(base64))]);
        assert_eq!(driven.changes(&found, &again).await, Vec::<String>::new());
    }
    // One that is too large to be kept is seen by its checksum, and mended too.
    let large = fs::File::create(yard.path("file")).expect("a file");
    large.set_len(17 << 20).expect("a hole");
    let found = driven.read(&object).await.expect("a file");
    assert_eq!(found.attributes.attribute("size"), Some(&Value::number(17 << 20)));
    assert_eq!(driven.update(&found, &config).await, object);
}

#[tokio::test]
async fn what_took_its_place_means_that_it_is_gone() {
    let (yard, driven) = (Yard::new(), file());
    let path = yard.path("file");
    let config = given([("path", text(yard.place("file"))), ("content", text("mine"))]);
    let object = driven.create(&config).await;
    fs::rename(&path, yard.path("moved")).expect("a move");
    symlink(yard.path("moved"), &path).expect("a link");
    assert_eq!(driven.read(&object).await, None);
    driven.delete(&object).await;
    assert!(path.is_symlink() && yard.path("moved").exists(), "neither is ours");
    fs::remove_file(&path).expect("the link");
    fs::create_dir(&path).expect("a folder");
    assert_eq!(driven.read(&object).await, None);
    driven.delete(&object).await;
    assert!(path.is_dir());
    fs::remove_dir(&path).expect("the folder");
    // A file in place of a folder above.
    let below = Object { id: yard.place("moved/file"), ..object };
    assert_eq!(driven.read(&below).await, None);
    driven.delete(&below).await;
}

#[tokio::test]
async fn an_update_never_shows_half_a_file() {
    let (yard, driven) = (Yard::new(), file());
    let path = yard.path("file");
    let [one, other] = ["a".repeat(100_000), "b".repeat(150_000)];
    let config = |content: &str| given([("path", text(yard.place("file"))), ("content", text(content))]);
    let mut object = driven.create(&config(&one)).await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::task::spawn_blocking({
        let (done, path, lengths) = (Arc::clone(&done), path.clone(), [one.len(), other.len()]);
        move || {
            let mut count = 0_u64;
            while !done.load(Ordering::Relaxed) {
                let seen = fs::read_to_string(&path).expect("it is always there");
                let first = seen.chars().next().expect("it is never empty");
                assert!(lengths.contains(&seen.len()) && seen.chars().all(|other| other == first), "{}", seen.len());
                count += 1;
            }
            count
        }
    });
    for round in 0..40 {
        object = driven.update(&object, &config(if round % 2 == 0 { &other } else { &one })).await;
    }
    done.store(true, Ordering::Relaxed);
    assert!(reader.await.expect("no half file") > 0);
    assert_eq!(names(&yard.path("")), ["file"]);
}

#[tokio::test]
async fn what_changed_since_the_plan_is_not_overwritten() {
    let (yard, driven) = (Yard::new(), file());
    let path = yard.path("file");
    let config = given([("path", text(yard.place("file"))), ("content", text("one"))]);
    let object = driven.create(&config).await;
    let planned = driven.plan(Some(&object), &with(&config, [("content", text("two"))])).await.expect("a plan").planned;
    fs::write(&path, "theirs").expect("a file");
    let error = refused(driven.resource.update(&driven.context(), &object, planned.clone()).await);
    assert_eq!((error.code(), error.kind()), ("local.changed", ErrorKind::Conflict));
    assert_eq!(fs::read_to_string(&path).expect("a file"), "theirs");
    // What is there already as wanted is done; what vanished is made.
    fs::write(&path, "two").expect("a file");
    let done = driven.resource.update(&driven.context(), &object, planned.clone()).await;
    assert!(done.is_ok(), "{done:?}");
    fs::remove_file(&path).expect("the file");
    let made = driven.resource.update(&driven.context(), &object, planned.clone()).await;
    assert!(made.is_ok() && path.exists(), "{made:?}");
    fs::remove_file(&path).expect("the file");
    fs::create_dir(&path).expect("a folder");
    assert_eq!(refused(driven.resource.update(&driven.context(), &object, planned).await).code(), "local.changed");
}

#[tokio::test]
async fn a_changed_file_is_deleted_and_its_leftovers_too() {
    let (yard, driven) = (Yard::new(), file());
    let config = given([("path", text(yard.place("file"))), ("content", text("one"))]);
    let object = driven.create(&config).await;
    fs::write(yard.path("file"), "theirs").expect("a file");
    // What an attempt that died between writing and renaming leaves.
    let leftover = format!(".stackwright-{}", driven.key);
    fs::write(yard.path(&leftover), "half").expect("a file");
    driven.delete(&object).await;
    assert_eq!(names(&yard.path("")), Vec::<String>::new());
    fs::write(yard.path(&leftover), "half").expect("a file");
    driven.create(&config).await;
    assert_eq!(names(&yard.path("")), ["file"], "the next attempt takes its place");
}

#[tokio::test]
async fn owner_and_group_survive_an_update() {
    let (yard, driven) = (Yard::new(), file());
    let path = yard.path("file");
    let config = given([("path", text(yard.place("file"))), ("content", text("one"))]);
    let object = driven.create(&config).await;
    // Only root may give a file away; others have nothing to keep here.
    let is_given = std::os::unix::fs::chown(&path, Some(12345), Some(54321)).is_ok();
    let before = fs::metadata(&path).expect("a file");
    driven.update(&object, &with(&config, [("content", text("two"))])).await;
    let after = fs::metadata(&path).expect("a file");
    assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
    assert_eq!(is_given, after.uid() == 12345);
}

#[tokio::test]
async fn what_cannot_be_written_says_why() {
    let (yard, driven) = (Yard::new(), file());
    fs::write(yard.path("file"), "x").expect("a file");
    let config = |path: String| given([("path", text(path)), ("content", text("x"))]);
    let below_a_file = refused(driven.try_create(&config(yard.place("file/below"))).await);
    assert_eq!((below_a_file.code(), below_a_file.effect_on_world()), ("local.io", Effect::None));
    let too_long = refused(driven.try_create(&config(yard.place(&"n".repeat(300)))).await);
    assert_eq!(too_long.code(), "local.io");
    let nowhere = refused(driven.try_create(&config("/proc/no/such/file".to_owned())).await);
    assert!(["local.io", "local.denied"].contains(&nowhere.code()), "{}", nowhere.report());
    assert!(nowhere.report().contains("/proc/no/such/file"), "{}", nowhere.report());
}

#[test]
fn what_makes_no_sense_is_refused_while_planning() {
    let driven = file();
    for (config, code) in [
        (given([("path", text(""))]), "local.path"),
        (given([("path", text("/"))]), "local.path"),
        (given([("path", text("a/.."))]), "local.path"),
        (given([("path", text("a\0b"))]), "local.path"),
        (given([("path", text("a")), ("content", text("x")), ("content_base64", text("eA=="))]), "local.conflict"),
        (given([("path", text("a")), ("content_base64", text("secret, not Base64"))]), "local.base64"),
    ] {
        let error = driven.config(&config).expect_err("it makes no sense");
        assert_eq!(error.code(), code);
        assert!(!error.report().contains("secret"), "{}", error.report());
    }
    let schema = driven.resource.schema();
    for mode in ["rwx", "0888", "77777", ""] {
        let config = schema.coerce(&given([("path", text("a")), ("mode", text(mode))])).expect("the right types");
        assert_eq!(schema.validate_values(&config).len(), 1, "{mode}");
    }
}

#[tokio::test]
async fn is_adopted_by_its_path() {
    let (yard, driven) = (Yard::new(), file());
    fs::write(yard.path("file"), "hello").expect("a file");
    fs::set_permissions(yard.path("file"), fs::Permissions::from_mode(0o600)).expect("a mode");
    let object = driven.import(&yard.place("file")).await.expect("an answer").expect("a file");
    let config = given([("path", text(yard.place("file"))), ("content", text("hello")), ("mode", text("0600"))]);
    assert_eq!(driven.changes(&object, &config).await, Vec::<String>::new());
    assert_eq!(driven.read(&object).await, Some(object));
    fs::write(yard.path("binary"), [0, 255]).expect("a file");
    let object = driven.import(&yard.place("binary")).await.expect("an answer").expect("a file");
    let config = given([("path", text(yard.place("binary"))), ("content_base64", text("AP8="))]);
    assert_eq!(driven.changes(&object, &config).await, Vec::<String>::new());
    fs::write(yard.path("empty"), []).expect("a file");
    let object = driven.import(&yard.place("empty")).await.expect("an answer").expect("a file");
    let config = given([("path", text(yard.place("empty"))), ("content", text(""))]);
    assert_eq!(driven.changes(&object, &config).await, Vec::<String>::new());
    symlink(yard.path("file"), yard.path("link")).expect("a link");
    for missing in ["nothing", "link", "."] {
        assert_eq!(driven.import(&yard.place(missing)).await.expect("an answer"), None, "{missing}");
    }
    fs::File::create(yard.path("large")).expect("a file").set_len(17 << 20).expect("a hole");
    assert_eq!(driven.import(&yard.place("large")).await.expect_err("too large").code(), "resource.import_id");
}

#[tokio::test]
async fn a_lost_call_is_told_by_what_is_there() {
    let (yard, driven) = (Yard::new(), file());
    let path = yard.path("file");
    let config = given([("path", text(yard.place("file"))), ("content", text("mine"))]);
    let planned = driven.plan(None, &config).await.expect("a plan").planned;
    let lost = Evidence { id: None, partial: None, prior: None, planned: Some(planned) };
    assert_eq!(driven.recover(&lost).await, Recovery::Absent);
    // What has other content was there before: to adopt it would be to replace it, and so to delete it.
    fs::write(&path, "theirs").expect("a file");
    assert_eq!(driven.recover(&lost).await, Recovery::Absent);
    fs::remove_file(&path).expect("the file");
    let object = driven.create(&config).await;
    assert_eq!(driven.recover(&lost).await, Recovery::Found(object.clone()));
    let deleting = Evidence { id: None, partial: None, prior: Some(object.clone()), planned: None };
    assert_eq!(driven.recover(&deleting).await, Recovery::Found(object.clone()));
    fs::write(&path, "theirs").expect("a file");
    let Recovery::Found(found) = driven.recover(&deleting).await else { panic!("it is there") };
    assert_eq!(attribute(&found, "content"), "theirs");
    driven.delete(&object).await;
    assert_eq!(driven.recover(&deleting).await, Recovery::Absent);
}

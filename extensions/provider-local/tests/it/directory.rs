//! `local_directory`.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use stackwright::{
    ErrorKind,
    error::Effect,
    resource::{Evidence, Recovery},
    value::Value,
};

use crate::support::{Driven, Yard, attribute, given, refused, text, with};

fn directory() -> Driven {
    Driven::new("local_directory")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

#[tokio::test]
async fn is_made_changed_and_deleted() {
    let (yard, driven) = (Yard::new(), directory());
    let path = yard.path("a/b/home");
    let config = given([("path", text(yard.place("a/b/home"))), ("mode", text("0700"))]);
    let planned = driven.plan(None, &config).await.expect("a plan").planned;
    let object = driven.create(&config).await;
    assert_eq!(planned, object.attributes);
    assert_eq!((path.is_dir(), mode(&path)), (true, 0o700));
    assert_eq!(driven.create(&config).await, object, "made once");
    assert_eq!(driven.read(&object).await, Some(object.clone()));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o2775)).expect("a mode");
    let found = driven.read(&object).await.expect("a directory");
    assert_eq!(attribute(&found, "mode"), "2775");
    assert_eq!(driven.changes(&found, &config).await, [".mode"]);
    driven.update(&found, &config).await;
    assert_eq!(mode(&path), 0o700);
    driven.delete(&object).await;
    assert!(!path.exists() && yard.path("a/b").exists(), "folders above stay");
    assert_eq!(driven.read(&object).await, None);
    driven.delete(&object).await;
}

#[tokio::test]
async fn what_others_put_into_it_is_deleted_only_when_asked() {
    let (yard, driven) = (Yard::new(), directory());
    let config = given([("path", text(yard.place("home")))]);
    let object = driven.create(&config).await;
    fs::create_dir(yard.path("home/inner")).expect("a folder");
    fs::write(yard.path("home/inner/file"), "theirs").expect("a file");
    fs::write(yard.path("outside"), "theirs").expect("a file");
    symlink(yard.path("outside"), yard.path("home/link")).expect("a link");
    let error = refused(driven.resource.delete(&driven.context(), &object).await);
    assert_eq!((error.code(), error.kind()), ("local.not_empty", ErrorKind::Conflict));
    assert_eq!(error.effect_on_world(), Effect::None);
    assert_eq!(fs::read_to_string(yard.path("home/inner/file")).expect("a file"), "theirs");
    let asked = driven.update(&object, &with(&config, [("delete_content", Value::bool(true))])).await;
    assert!(yard.path("home/inner/file").exists(), "to allow it is not to do it");
    driven.delete(&asked).await;
    assert!(!yard.path("home").exists());
    assert_eq!(fs::read_to_string(yard.path("outside")).expect("a file"), "theirs", "links are not followed");
}

#[tokio::test]
async fn what_others_made_is_not_taken_over_unasked() {
    let (yard, driven) = (Yard::new(), directory());
    let config = |name: &str| given([("path", text(yard.place(name))), ("delete_content", Value::bool(true))]);
    fs::create_dir(yard.path("full")).expect("a folder");
    fs::set_permissions(yard.path("full"), fs::Permissions::from_mode(0o700)).expect("a mode");
    fs::write(yard.path("full/file"), "theirs").expect("a file");
    fs::write(yard.path("file"), "theirs").expect("a file");
    symlink(yard.path("full"), yard.path("link")).expect("a link");
    for name in ["full", "file", "link"] {
        let error = refused(driven.try_create(&config(name)).await);
        assert_eq!((error.code(), error.kind()), ("local.exists", ErrorKind::AlreadyExists), "{name}");
        let planned = driven.plan(None, &config(name)).await.expect("a plan").planned;
        let lost = Evidence { id: None, partial: None, prior: None, planned: Some(planned) };
        assert_eq!(driven.recover(&lost).await, Recovery::Absent, "{name}: a lost create made none of this");
    }
    assert_eq!(mode(&yard.path("full")), 0o700, "not even its mode was touched");
    let below = given([("path", text(yard.place("file/below")))]);
    assert_eq!(refused(driven.try_create(&below).await).code(), "local.io");
}

#[tokio::test]
async fn what_took_its_place_means_that_it_is_gone() {
    let (yard, driven) = (Yard::new(), directory());
    let config = given([("path", text(yard.place("home"))), ("delete_content", Value::bool(true))]);
    let object = driven.create(&config).await;
    fs::rename(yard.path("home"), yard.path("moved")).expect("a move");
    fs::write(yard.path("moved/file"), "kept").expect("a file");
    symlink(yard.path("moved"), yard.path("home")).expect("a link");
    assert_eq!(driven.read(&object).await, None);
    let planned = driven.plan(Some(&object), &with(&config, [("mode", text("0700"))])).await.expect("a plan").planned;
    let error = refused(driven.resource.update(&driven.context(), &object, planned).await);
    assert_eq!(error.code(), "local.changed");
    driven.delete(&object).await;
    assert!(yard.path("home").is_symlink() && yard.path("moved/file").exists());
}

#[tokio::test]
async fn is_adopted_by_its_path() {
    let (yard, driven) = (Yard::new(), directory());
    fs::create_dir(yard.path("home")).expect("a folder");
    fs::set_permissions(yard.path("home"), fs::Permissions::from_mode(0o750)).expect("a mode");
    fs::write(yard.path("home/file"), "theirs").expect("a file");
    let object = driven.import(&yard.place("home")).await.expect("an answer").expect("a directory");
    let config = given([("path", text(yard.place("home"))), ("mode", text("0750"))]);
    assert_eq!(driven.changes(&object, &config).await, Vec::<String>::new());
    assert_eq!(refused(driven.resource.delete(&driven.context(), &object).await).code(), "local.not_empty");
    symlink(yard.path("home"), yard.path("link")).expect("a link");
    for missing in ["nothing", "home/file", "link"] {
        assert_eq!(driven.import(&yard.place(missing)).await.expect("an answer"), None, "{missing}");
    }
    for id in ["/", "", "a/.."] {
        assert_eq!(driven.import(id).await.expect_err("not to be adopted").code(), "resource.import_id", "{id}");
    }
}

#[tokio::test]
async fn a_lost_call_is_told_by_what_is_there() {
    let (yard, driven) = (Yard::new(), directory());
    let config = given([("path", text(yard.place("home")))]);
    let planned = driven.plan(None, &config).await.expect("a plan").planned;
    let lost = Evidence { id: None, partial: None, prior: None, planned: Some(planned) };
    assert_eq!(driven.recover(&lost).await, Recovery::Absent);
    let object = driven.create(&config).await;
    assert_eq!(driven.recover(&lost).await, Recovery::Found(object.clone()));
    let deleting = Evidence { id: None, partial: None, prior: Some(object.clone()), planned: None };
    fs::write(yard.path("home/file"), "theirs").expect("a file");
    assert_eq!(driven.recover(&deleting).await, Recovery::Found(object.clone()));
    fs::remove_file(yard.path("home/file")).expect("the file");
    driven.delete(&object).await;
    assert_eq!(driven.recover(&deleting).await, Recovery::Absent);
}

#[test]
fn the_root_is_no_directory_to_make() {
    for path in ["/", "", "..", "/srv/.."] {
        let error = directory().config(&given([("path", text(path))])).expect_err("it makes no sense");
        assert_eq!(error.code(), "local.path", "{path}");
    }
}

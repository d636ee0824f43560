//! Processes that somebody else started.

use std::{fs, process::Command};

use stackwright::ErrorKind;

use super::{calm, process};
use crate::support::{Wire, Yard, attribute, given, kin, map, text, texts, with};

#[tokio::test]
async fn adopts_what_others_started() {
    let (yard, driven) = (Yard::new(), process());
    let mut child =
        Command::new("sleep").arg("1000").env(crate::support::YARD, yard.place("")).spawn().expect("a process");
    let pid = child.id();
    let reaper = std::thread::spawn(move || child.wait());
    let object = driven.import(&pid.to_string()).await.expect("an answer").expect("it runs");
    let config = given([("command", texts(["sleep", "1000"]))]);
    assert_eq!(driven.changes(&object, &config).await, Vec::<String>::new(), "the plan after an import is empty");
    assert_eq!(driven.read(&object).await, Some(object.clone()));
    driven.delete(&object).await;
    let status = reaper.join().expect("no panic").expect("its end");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15), "it was asked to end");
}

#[tokio::test]
async fn adopts_what_another_stack_started_without_a_restart() {
    let (yard, driven) = (Yard::new(), process());
    let wire = Wire::new(&yard, "wire");
    let config = with(&calm(&yard, &wire), [("working_directory", text(yard.place("")))]);
    let object = driven.create(&config).await;
    assert_eq!(wire.line(), "up");
    let adopter = process();
    let adopted = adopter.import(&object.id).await.expect("an answer").expect("it runs");
    assert_eq!(attribute(&adopted, "id"), object.id);
    let changes = adopter.changes(&adopted, &config).await;
    assert!(!changes.contains(&".pid".to_owned()), "it runs with just that already: {changes:?}");
    let updated = adopter.update(&adopted, &config).await;
    assert_eq!((updated.id.as_str(), &updated.attributes), (object.id.as_str(), &object.attributes));
    let other = with(&config, [("triggers", map([("a", "b")]))]);
    assert!(adopter.changes(&adopted, &other).await.contains(&".pid".to_owned()));
    adopter.delete(&updated).await;
    wire.end();
}

#[tokio::test]
async fn refuses_to_adopt_what_it_must_not_end() {
    let driven = process();
    let me = std::process::id();
    let [parent, ..] = kin(me);
    for id in [me.to_string(), parent.to_string(), "1".into(), "0".into(), "-5".into(), "sh".into(), String::new()] {
        let error = driven.import(&id).await.expect_err("not to be adopted");
        assert_eq!((error.code(), error.kind()), ("resource.import_id", ErrorKind::InvalidInput), "{id}");
    }
    let thread = fs::read_dir("/proc/self/task")
        .expect("threads")
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let thread = thread.filter(|thread| *thread != me.to_string()).last().expect("the runtime has threads");
    assert_eq!(driven.import(&thread).await.expect_err("a thread").code(), "resource.import_id");
    assert_eq!(driven.import("4194300").await.expect("an answer"), None, "nobody has that number");
}

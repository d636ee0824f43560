//! A cloud that behaves badly: nothing is lost, nothing is doubled, and what is wrong is said.

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::json;
use stackwright::{error::ErrorKind, run::Fact, stack::PlanOptions, state::RunStatus};

use crate::{cloud::Cloud, host::Host};

/// One of every type, each with its kind as the cloud counts it.
const KINDS: [&str; 9] =
    ["network", "subnet", "security group", "instance", "volume", "bucket", "database", "cluster", "DNS record"];

const ALL: &str = r#"
resource "sandbox_network" "x" {
  name = "x"
  cidr = "10.0.0.0/16"
}
resource "sandbox_subnet" "x" {
  network_id = sandbox_network.x.id
  cidr       = "10.0.1.0/24"
  zone       = "sandbox-1a"
}
resource "sandbox_security_group" "x" {
  network_id = sandbox_network.x.id
  name       = "x"
}
resource "sandbox_instance" "x" {
  name               = "x"
  instance_type      = "s1.nano"
  image              = "linux-12"
  subnet_id          = sandbox_subnet.x.id
  security_group_ids = [sandbox_security_group.x.id]
}
resource "sandbox_volume" "x" {
  name    = "x"
  size_gb = 1
  zone    = "sandbox-1a"
}
resource "sandbox_bucket" "x" {
  name = "x"
}
resource "sandbox_database" "x" {
  name          = "x"
  engine        = "mysql"
  instance_type = "s1.nano"
  username      = "root"
  password      = "correct horse"
}
resource "sandbox_cluster" "x" {
  name       = "x"
  version    = "1"
  node_type  = "s1.nano"
  subnet_ids = [sandbox_subnet.x.id]
}
resource "sandbox_dns_record" "x" {
  name   = "x.example"
  type   = "TXT"
  values = ["x"]
}
"#;

fn once(verb: &str) -> serde_json::Value {
    json!(KINDS.iter().map(|kind| (format!("{verb} {kind}"), 1)).collect::<BTreeMap<_, _>>())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_replies_double_nothing() {
    let cloud = Cloud::with(&json!({ "start_ms": 20, "lose_next": once("create") }), &[]);
    let host = Host::new(&cloud);
    host.apply(ALL).await;
    host.agrees_with(&cloud).await;
    host.settled(ALL).await;
    assert_eq!(cloud.objects().await.len(), KINDS.len());

    let changed = ALL.replace("\n}", "\n  tags = { of = \"late\" }\n}");
    cloud.turn(json!({ "lose_next": once("update") })).await;
    let report = host.try_apply(&changed).await;
    assert_eq!(report.status, RunStatus::Succeeded, "{report:?}");
    host.settled(&changed).await;
    host.agrees_with(&cloud).await;

    cloud.turn(json!({ "lose_next": once("delete") })).await;
    host.destroy(&changed).await;
    assert_eq!(cloud.living().await.len(), 0);
    let calls = cloud.calls().await;
    for kind in KINDS {
        // A token makes repeating a create safe; the others are looked up instead.
        let is_repeated = ["network", "instance", "volume", "database"].contains(&kind);
        assert_eq!(calls[&format!("create {kind}")], if is_repeated { 2 } else { 1 }, "{kind}: {calls:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_shown_yet_is_not_taken_for_absent() {
    let cloud = Cloud::with(&json!({ "start_ms": 20, "lag_ms": 1500, "lose_next": once("create") }), &[]);
    let host = Host::new(&cloud);
    host.apply(ALL).await;
    host.agrees_with(&cloud).await;
    assert_eq!(cloud.objects().await.len(), KINDS.len());
    let calls = cloud.calls().await;
    for kind in ["subnet", "security group", "bucket", "cluster", "DNS record"] {
        assert_eq!(calls[&format!("create {kind}")], 1, "{kind} was waited for, not asked for again: {calls:?}");
    }
    host.settled(ALL).await;
}

/// A create was lost before it was done, and meanwhile somebody else made something of the same name: that is theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stranger_made_meanwhile_is_not_taken_for_what_was_lost() {
    let mut cloud = Cloud::with(&json!({ "latency_ms": 60_000 }), &[]);
    let host = Host::new(&cloud);
    let text = "resource \"sandbox_bucket\" \"b\" {\n name = \"wanted\"\n}";
    let run = host.try_apply(text);
    let meanwhile = async {
        assert_eq!(cloud.ask(Method::GET, "admin/wait?point=taken&count=1", None).await.0, 200);
        cloud.kill();
        cloud.start_again();
        // The engine asks only after the time that the cloud may hide things for.
        cloud.turn(json!({ "latency_ms": 0 })).await;
        let (status, answer) = cloud.make("buckets", json!({ "name": "wanted" })).await;
        assert_eq!(status, 201, "{answer}");
    };
    let (report, ()) = tokio::join!(run, meanwhile);
    let codes: Vec<_> = report.problems.iter().map(|problem| problem.error.code.as_str()).collect();
    assert_eq!((report.status, &codes[..]), (RunStatus::Failed, &["sandbox.exists"][..]), "{report:?}");
    assert_eq!(host.rows().await.len(), 0, "what a stranger made is in state");
    assert_eq!(cloud.living().await.len(), 1);
}

/// What takes long to make is known by its id from the moment that the cloud says it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_are_written_down_before_the_object_is_made() {
    let cloud = Cloud::new();
    let host = Host::new(&cloud);
    host.apply(ALL).await;
    let run = host.stack.runs(1).await.expect("runs").remove(0);
    let mut checkpoints = Vec::new();
    for entry in host.stack.journal(run.id).await.expect("a journal") {
        if let Fact::Checkpointed { id, .. } = entry.fact {
            checkpoints.push(Some(id));
        }
    }
    let rows = host.rows().await;
    let cluster = rows.iter().find(|row| &*row.type_name == "sandbox_cluster").expect("a cluster");
    assert_eq!(checkpoints, std::slice::from_ref(&cluster.remote_id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_cloud_that_loses_a_third_of_its_replies_is_got_along_with() {
    let knobs = json!({ "start_ms": 20, "latency_ms": 5, "jitter_ms": 20, "lag_ms": 100, "lose_share": 0.33 });
    let cloud = Cloud::with(&knobs, &["--seed", "7"]);
    let host = Host::new(&cloud);
    host.apply(ALL).await;
    host.agrees_with(&cloud).await;
    host.destroy(ALL).await;
    assert_eq!(cloud.living().await.len(), 0);
}

/// A test that kills somebody at a moment waits for the moment, not for a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_tells_when_so_many_changes_got_so_far() {
    let cloud = Cloud::new();
    let wait = |point: &'static str| cloud.ask(Method::GET, point, None);
    let make = cloud.make("buckets", json!({ "name": "b" }));
    let (made, taken, done, answered) = tokio::join!(
        make,
        wait("admin/wait?point=taken&count=1"),
        wait("admin/wait?point=done&count=1"),
        wait("admin/wait?point=answered&count=1"),
    );
    assert_eq!(made.0, 201);
    // Whoever is told late may see more.
    assert_eq!((&taken.1["taken"], &done.1["done"]), (&json!(1), &json!(1)));
    assert_eq!(answered.1, json!({ "taken": 1, "done": 1, "answered": 1, "open": {} }));
    assert_eq!(cloud.ask(Method::GET, "admin/wait?point=begun&count=1", None).await.0, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rate_limits_are_waited_for() {
    let cloud = Cloud::with(&json!({ "rate_per_second": 40.0, "burst": 2.0, "start_ms": 20 }), &[]);
    let host = Host::new(&cloud);
    let text = "resource \"sandbox_bucket\" \"b\" {\n count = 20\n name = \"b${count.index}\"\n}";
    host.apply(text).await;
    host.agrees_with(&cloud).await;
    let calls = cloud.calls().await;
    assert!(calls["rate limited"] > 0, "the limit was never met: {calls:?}");
    assert_eq!(cloud.objects().await.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cloud_that_refuses_for_a_while_is_waited_for() {
    let cloud = Cloud::with(&json!({ "refuse_ms": 800, "start_ms": 20 }), &[]);
    let host = Host::new(&cloud);
    host.apply(ALL).await;
    host.agrees_with(&cloud).await;
    // Three things hang on nothing: each was refused at least once.
    let calls = cloud.calls().await;
    assert!(calls["create bucket"] > 1 && calls["create network"] > 1, "{calls:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_said_and_the_rest_goes_on() {
    let cloud = Cloud::with(&json!({ "start_ms": 20, "refuse_names": ["no"], "break_names": ["broken"] }), &[]);
    let (status, answer) = cloud.make("buckets", json!({ "name": "taken" })).await;
    assert_eq!(status, 201, "{answer}");
    let host = Host::new(&cloud);
    let text = r#"
    resource "sandbox_bucket" "refused" {
      name = "no"
    }
    resource "sandbox_bucket" "taken" {
      name = "taken"
    }
    resource "sandbox_bucket" "fine" {
      name = "fine"
    }
    resource "sandbox_bucket" "broken" {
      name = "broken"
    }
    resource "sandbox_network" "n" {
      name = "n"
      cidr = "10.0.0.0/16"
    }
    resource "sandbox_subnet" "s" {
      network_id = sandbox_network.n.id
      cidr       = "10.0.1.0/24"
      zone       = "sandbox-1b"
    }
    resource "sandbox_cluster" "broken" {
      name       = "broken"
      version    = "1"
      node_type  = "s1.nano"
      subnet_ids = [sandbox_subnet.s.id]
    }
    resource "sandbox_instance" "elsewhere" {
      name          = "i"
      instance_type = "m1.2xlarge"
      image         = "linux-12"
      subnet_id     = sandbox_subnet.s.id
    }
    "#;
    let report = host.try_apply(text).await;
    assert_eq!(report.status, RunStatus::Failed);
    let problems: BTreeMap<_, _> = report
        .problems
        .iter()
        .map(|problem| (problem.address.as_str(), (problem.error.code.as_str(), problem.error.kind)))
        .collect();
    assert_eq!(
        problems,
        BTreeMap::from([
            ("sandbox_bucket.broken", ("resource.not_ready", ErrorKind::Unavailable)),
            ("sandbox_bucket.refused", ("sandbox.failed", ErrorKind::Unavailable)),
            ("sandbox_bucket.taken", ("sandbox.exists", ErrorKind::AlreadyExists)),
            ("sandbox_cluster.broken", ("sandbox.failed", ErrorKind::Unavailable)),
            ("sandbox_instance.elsewhere", ("sandbox.invalid", ErrorKind::InvalidInput)),
        ]),
        "{report:?}"
    );
    // What is there is known, even where it does not work; what somebody else made is left alone.
    let mut rows: Vec<_> = host.rows().await.into_iter().map(|row| row.remote_id.expect("an id")).collect();
    let mut things: Vec<_> =
        cloud.living().await.into_iter().filter(|made| made.owner().is_some()).map(|made| made.id).collect();
    rows.sort();
    things.sort();
    assert_eq!(rows, things);
    assert_eq!(rows.len(), 5);
    host.destroy(text).await;
    assert_eq!(cloud.living().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_without_a_sound_address_is_refused() {
    let text = "resource \"sandbox_bucket\" \"b\" {\n name = \"b\"\n}";
    let error = Host::with_header("").try_plan(text, PlanOptions::default()).await.expect_err("it has no address");
    assert!(error.report().contains("`endpoint` is required"), "{}", error.report());
    // A template that uses nothing of it needs no configuration.
    Host::with_header("").apply("resource \"terraform_data\" \"t\" {\n input = 1\n}").await;
    let host = Host::with_header("provider \"sandbox\" {\n endpoint = \"http://me:hunter2@host\"\n}\n");
    let report = host.try_apply(text).await;
    let [problem] = &report.problems[..] else { panic!("{report:?}") };
    assert_eq!(problem.error.code, "sandbox.endpoint");
    assert!(!format!("{report:?}").contains("hunter2"), "{report:?}");
}

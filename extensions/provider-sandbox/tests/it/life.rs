//! Every type from its making to its end.

use std::{collections::BTreeMap, fs, path::Path};

use stackwright::plan::Action;
use stackwright::value::Value;

use crate::{cloud::Cloud, host::Host};

const PASSWORD: &str = "correct horse battery";

/// All types, with what can be changed in place as it is before or after.
fn all(is_changed: bool) -> String {
    let pick = |before: &'static str, after: &'static str| if is_changed { after } else { before };
    format!(
        r#"
        data "sandbox_instance_type" "cheapest" {{
          min_cpu = 2
          zone    = "sandbox-1c"
        }}
        resource "sandbox_network" "main" {{
          name = "{network}"
          cidr = "10.0.0.0/16"
        }}
        data "sandbox_network" "main" {{
          id = sandbox_network.main.id
        }}
        resource "sandbox_subnet" "main" {{
          network_id = sandbox_network.main.id
          cidr       = cidrsubnet(data.sandbox_network.main.cidr, 8, 1)
          zone       = "sandbox-1a"
          tags       = {subnet_tags}
        }}
        resource "sandbox_security_group" "web" {{
          network_id  = sandbox_network.main.id
          name        = "web"
          description = {description}
          rule {{
            from_port = 80
            to_port   = {to_port}
            cidr      = "0.0.0.0/0"
          }}
        }}
        resource "sandbox_instance" "web" {{
          name               = "web"
          instance_type      = {instance_type}
          image              = "linux-12"
          subnet_id          = sandbox_subnet.main.id
          security_group_ids = [sandbox_security_group.web.id]
        }}
        resource "sandbox_volume" "data" {{
          name        = "data"
          size_gb     = {size_gb}
          zone        = sandbox_subnet.main.zone
          instance_id = sandbox_instance.web.id
        }}
        resource "sandbox_bucket" "files" {{
          name      = "files"
          versioned = {versioned}
        }}
        resource "sandbox_database" "main" {{
          name          = "main"
          engine        = "postgres"
          instance_type = "s1.medium"
          storage_gb    = {storage_gb}
          username      = "root"
          password      = "{password}"
          subnet_ids    = [sandbox_subnet.main.id]
        }}
        resource "sandbox_cluster" "apps" {{
          name       = "apps"
          version    = {version}
          node_type  = "s1.large"
          subnet_ids = [sandbox_subnet.main.id]
        }}
        resource "sandbox_dns_record" "www" {{
          name   = "www.shop.example"
          type   = "A"
          values = {values}
        }}
        "#,
        network = pick("net", "renamed"),
        subnet_tags = pick("{}", r#"{ tier = "web" }"#),
        description = pick("null", r#""the web""#),
        to_port = pick("80", "443"),
        instance_type = pick("data.sandbox_instance_type.cheapest.name", r#""s1.large""#),
        size_gb = pick("10", "20"),
        versioned = pick("false", "true"),
        storage_gb = pick("20", "40"),
        password = pick(PASSWORD, "another password"),
        version = pick(r#""1.31""#, r#""1.32""#),
        values = pick("[sandbox_instance.web.public_ip]", r#"["192.0.2.1", "192.0.2.2"]"#),
    )
}

fn each(action: Action, types: &[&str]) -> BTreeMap<String, Action> {
    types.iter().map(|name| ((*name).to_owned(), action)).collect()
}

const ALL: [&str; 9] = [
    "sandbox_bucket.files",
    "sandbox_cluster.apps",
    "sandbox_database.main",
    "sandbox_dns_record.www",
    "sandbox_instance.web",
    "sandbox_network.main",
    "sandbox_security_group.web",
    "sandbox_subnet.main",
    "sandbox_volume.data",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_is_made_changed_and_deleted() {
    let cloud = Cloud::new();
    let host = Host::new(&cloud);
    assert_eq!(host.apply(&all(false)).await, each(Action::Create, &ALL));
    host.agrees_with(&cloud).await;
    host.settled(&all(false)).await;
    for made in cloud.living().await {
        assert!(["available", "running", "active"].contains(&&*made.state), "what is applied works: {made:?}");
        let takes_token = ["network", "instance", "volume", "database"].contains(&&*made.kind);
        assert_eq!(made.token.as_deref(), made.owner().filter(|_| takes_token), "{made:?}");
    }
    assert_eq!(host.get("sandbox_instance.web", "instance_type").await, Value::string("s1.medium"));
    assert_eq!(host.get("sandbox_database.main", "port").await, Value::number(5432));

    assert_eq!(host.apply(&all(true)).await, each(Action::Update, &ALL));
    host.agrees_with(&cloud).await;
    host.settled(&all(true)).await;
    let states: Vec<_> = cloud.living().await.into_iter().map(|made| made.state).collect();
    assert!(states.iter().all(|state| ["available", "running", "active"].contains(&&**state)), "{states:?}");
    let group = cloud.living().await.into_iter().find(|made| made.kind == "security_group").expect("it is there");
    assert_eq!(
        (&group.properties["rule"][0]["to_port"], &group.properties["description"]),
        (&443.into(), &"the web".into())
    );

    host.destroy(&all(true)).await;
    assert_eq!(cloud.living().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_is_imported() {
    let cloud = Cloud::new();
    let host = Host::new(&cloud);
    host.apply(&all(true)).await;
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for row in host.rows().await {
        ids.insert(row.address.to_string(), row.remote_id.expect("an id"));
    }
    // People may also write the names that are unique.
    for (address, name) in [
        ("sandbox_bucket.files", "files"),
        ("sandbox_cluster.apps", "apps"),
        ("sandbox_dns_record.www", "www.shop.example/A"),
    ] {
        ids.insert(address.to_owned(), name.to_owned());
    }
    let other = Host::new(&cloud);
    let done = other.import(&all(true), &ids).await;
    // The cloud shows no password, so that it is set; everything else is as the template says.
    assert_eq!(done, each(Action::Update, &["sandbox_database.main"]));
    let remote = |rows: Vec<stackwright::state::Row>| {
        rows.into_iter().map(|row| (row.address.to_string(), row.remote_id)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(remote(other.rows().await), remote(host.rows().await));
    other.settled(&all(true)).await;
    assert_eq!(cloud.objects().await.len(), ALL.len(), "nothing was made");
    other.destroy(&all(true)).await;
    assert_eq!(cloud.living().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_shrink_is_replaced() {
    let cloud = Cloud::new();
    let host = Host::new(&cloud);
    let volume = |size: u32| {
        format!("resource \"sandbox_volume\" \"v\" {{\n name = \"v\"\n size_gb = {size}\n zone = \"sandbox-1b\"\n}}")
    };
    host.apply(&volume(10)).await;
    assert_eq!(host.apply(&volume(11)).await, each(Action::Update, &["sandbox_volume.v"]));
    assert_eq!(host.apply(&volume(5)).await, each(Action::Replace, &["sandbox_volume.v"]));
    host.agrees_with(&cloud).await;
    assert_eq!(cloud.objects().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_deleted_is_made_anew() {
    let cloud = Cloud::new();
    let host = Host::new(&cloud);
    let text = "resource \"sandbox_bucket\" \"b\" {\n name = \"b\"\n}";
    host.apply(text).await;
    let id = cloud.living().await.remove(0).id;
    let (status, _) = cloud.ask(hyper::Method::DELETE, &format!("v1/buckets/{id}"), None).await;
    assert_eq!(status, 200);
    assert_eq!(host.apply(text).await, each(Action::Create, &["sandbox_bucket.b"]));
    host.agrees_with(&cloud).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_stay_with_the_template() {
    let cloud = Cloud::with(&serde_json::json!({ "start_ms": 20 }), &["--token", "opensesame"]);
    let header = |token: &str| {
        format!("provider \"sandbox\" {{\n endpoint = \"{}\"\n token = \"{token}\"\n}}\n", cloud.endpoint())
    };
    let host = Host::with_header(&header("opensesame"));
    let text = format!(
        "resource \"sandbox_database\" \"d\" {{\n name = \"d\"\n engine = \"mysql\"\n instance_type = \"s1.nano\"\n \
         username = \"root\"\n password = \"{PASSWORD}\"\n}}"
    );
    host.apply(&text).await;
    assert_eq!(host.get("sandbox_database.d", "password").await, Value::string(PASSWORD));
    let memory = fs::read_to_string(cloud.memory()).expect("text");
    for (place, content) in [("state", host.disk().await), ("the cloud", memory)] {
        assert!(!content.contains(PASSWORD) && !content.contains("opensesame"), "{place} shows a secret");
    }
    let plan = host.plan_with(&text.replace(PASSWORD, "another password"), Default::default()).await;
    assert!(!plan.to_string().contains("another password"), "{plan}");

    let stranger = Host::with_header(&header("hunter2"));
    let report = stranger.try_apply(&text).await;
    let [problem] = &report.problems[..] else { panic!("{report:?}") };
    assert_eq!(problem.error.code, "sandbox.denied", "{problem:?}");
    assert!(!format!("{problem:?}").contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_runs() {
    let cloud = Cloud::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sandbox/main.tf");
    let text = fs::read_to_string(path).expect("the example");
    assert!(text.contains("http://127.0.0.1:7070"), "it names the address that the server has by default");
    let text = text.replace("http://127.0.0.1:7070", &cloud.endpoint());
    let host = Host::with_header("");
    host.apply(&text).await;
    host.settled(&text).await;
    host.agrees_with(&cloud).await;
    host.destroy(&text).await;
    assert_eq!(cloud.living().await.len(), 0);
}

//! The rules of the cloud, as any client meets them.

use hyper::Method;
use serde_json::{Value, json};

use crate::cloud::Cloud;

fn code((status, answer): &(u16, Value)) -> (u16, &str) {
    (*status, answer["error"]["code"].as_str().unwrap_or_default())
}

fn id((status, answer): (u16, Value)) -> String {
    assert!([200, 201, 202].contains(&status), "{answer}");
    answer["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_makes_one_thing() {
    let cloud = Cloud::new();
    let with = |name: &str| Some(json!({ "token": "t", "properties": { "name": name, "cidr": "10.0.0.0/16" } }));
    let first = id(cloud.ask(Method::POST, "v1/networks", with("n")).await);
    assert_eq!(id(cloud.ask(Method::POST, "v1/networks", with("n")).await), first);
    let other = cloud.ask(Method::POST, "v1/networks", with("other")).await;
    assert_eq!(code(&other), (409, "token_reused"));
    assert_eq!(cloud.ask(Method::DELETE, &format!("v1/networks/{first}"), None).await.0, 200);
    assert_eq!(code(&cloud.ask(Method::POST, "v1/networks", with("n")).await), (409, "token_reused"));
    assert_eq!(cloud.objects().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_references_are_held() {
    let cloud = Cloud::with(&json!({ "lag_ms": 2000 }), &[]);
    id(cloud.make("buckets", json!({ "name": "b" })).await);
    // Names are held at once, although nobody can read the first one yet.
    assert_eq!(code(&cloud.make("buckets", json!({ "name": "b" })).await), (409, "duplicate"));
    let lost = json!({ "network_id": "net-0", "cidr": "10.0.1.0/24", "zone": "sandbox-1a" });
    assert_eq!(code(&cloud.make("subnets", lost).await), (422, "missing"));
    let network = id(cloud.make("networks", json!({ "name": "n", "cidr": "10.0.0.0/16" })).await);
    let place = format!("v1/networks/{network}");
    assert_eq!(code(&cloud.ask(Method::GET, &place, None).await), (404, "not_found"), "it is not readable yet");
    let subnet = |cidr: &str, zone: &str| json!({ "network_id": network, "cidr": cidr, "zone": zone });
    let made = id(cloud.make("subnets", subnet("10.0.1.0/24", "sandbox-1a")).await);
    assert_eq!(code(&cloud.make("subnets", subnet("10.0.1.0/24", "sandbox-1b")).await), (409, "duplicate"));
    assert_eq!(code(&cloud.make("subnets", subnet("10.0.1.128/25", "sandbox-1b")).await), (409, "in_use"));
    assert_eq!(code(&cloud.make("subnets", subnet("10.1.0.0/24", "sandbox-1a")).await), (400, "invalid"));
    assert_eq!(code(&cloud.make("subnets", subnet("10.0.2.0/24", "mars")).await), (400, "invalid"));
    assert_eq!(code(&cloud.make("subnets", json!({ "network_id": network })).await), (400, "invalid"));
    assert_eq!(code(&cloud.make("buckets", json!({ "name": "c", "colour": "red" })).await), (400, "invalid"));
    assert_eq!(code(&cloud.ask(Method::DELETE, &place, None).await), (409, "in_use"));
    let change = Some(json!({ "properties": { "cidr": "10.0.3.0/24" } }));
    assert_eq!(code(&cloud.ask(Method::PATCH, &format!("v1/subnets/{made}"), change).await), (400, "invalid"));
    assert_eq!(cloud.ask(Method::DELETE, &format!("v1/subnets/{made}"), None).await.0, 200);
    assert_eq!(cloud.ask(Method::DELETE, &place, None).await.0, 200);
    assert_eq!(code(&cloud.ask(Method::DELETE, &place, None).await), (404, "not_found"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_does_not_depend_on_the_order_of_requests() {
    let mut seen = Vec::new();
    for names in [["a", "b", "c"], ["c", "a", "b"]] {
        let cloud = Cloud::with(&json!({}), &["--seed", "5"]);
        let mut ids = Vec::new();
        for name in names {
            ids.push((name, id(cloud.make("buckets", json!({ "name": name })).await)));
        }
        ids.sort();
        seen.push(ids);
    }
    assert_eq!(seen[0], seen[1]);
    let cloud = Cloud::with(&json!({}), &["--seed", "6"]);
    assert_ne!(id(cloud.make("buckets", json!({ "name": "a" })).await), seen[0][0].1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_is_no_lost_change() {
    let cloud = Cloud::with(&json!({ "lose_next": { "create bucket": 1 } }), &[]);
    let body = || Some(json!({ "properties": { "name": "b" } }));
    assert_eq!(cloud.try_ask(Method::POST, "v1/buckets", body()).await, None);
    assert_eq!(code(&cloud.ask(Method::POST, "v1/buckets", body()).await), (409, "duplicate"));
    assert_eq!(cloud.calls().await["create bucket"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_made_by_an_operation() {
    let cloud = Cloud::with(&json!({ "start_ms": 0 }), &[]);
    let network = id(cloud.make("networks", json!({ "name": "n", "cidr": "10.0.0.0/16" })).await);
    let subnet = json!({ "network_id": network, "cidr": "10.0.1.0/24", "zone": "sandbox-1a" });
    let subnet = id(cloud.make("subnets", subnet).await);
    cloud.turn(json!({ "start_ms": 1_000_000 })).await;
    let cluster = |name: &str| json!({ "name": name, "version": "1", "node_type": "s1.nano", "node_count": 3, "subnet_ids": [subnet] });
    let (status, slow) = cloud.make("clusters", cluster("slow")).await;
    assert_eq!((status, &slow["state"]), (202, &json!("creating")));
    let operation = format!("v1/operations/{}", slow["operation"].as_str().expect("an operation"));
    assert_eq!(cloud.ask(Method::GET, &operation, None).await.1["status"], "running");
    cloud.turn(json!({ "start_ms": 0, "break_names": ["broken"] })).await;
    for (name, outcome) in [("quick", "done"), ("broken", "failed")] {
        let (_, made) = cloud.make("clusters", cluster(name)).await;
        let operation = format!("v1/operations/{}", made["operation"].as_str().expect("an operation"));
        assert_eq!(cloud.ask(Method::GET, &operation, None).await.1["status"], outcome);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn knobs_are_checked() {
    let cloud = Cloud::new();
    for wrong in [json!({ "lag_ms": 5000 }), json!({ "nonsense": 1 }), json!("x")] {
        assert_eq!(code(&cloud.ask(Method::PATCH, "admin/knobs", Some(wrong)).await), (400, "invalid"));
    }
    let (_, knobs) = cloud.ask(Method::GET, "admin/knobs", None).await;
    assert_eq!((&knobs["start_ms"], &knobs["lag_ms"]), (&json!(40), &json!(0)));
}

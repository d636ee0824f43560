//! A cloud that sells: nothing is made that is not paid, everything that is paid is used or paid back, whatever gets lost.

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::{Value, json};
use stackwright::{
    plan::Mode,
    pricing::{Bucket, Currency, Period, Quote},
    run::RunReport,
    stack::{ApplyOptions, PlanOptions, Purchase, QuoteOptions},
    state::RunStatus,
};

use crate::{
    cloud::{Cloud, PATIENCE},
    host::Host,
};

fn shop(knobs: &Value) -> Cloud {
    let mut all = json!({ "start_ms": 20, "sells": true, "delivery_ms": 5 });
    for (name, value) in knobs.as_object().expect("knobs") {
        all[name] = value.clone();
    }
    Cloud::with(&all, &[])
}

const EVERYTHING: &str = r#"
resource "sandbox_network" "main" {
  name = "main"
  cidr = "10.0.0.0/16"
}
resource "sandbox_subnet" "a" {
  network_id = sandbox_network.main.id
  zone       = "sandbox-1a"
  cidr       = "10.0.1.0/24"
}
resource "sandbox_instance" "web" {
  count         = 2
  name          = "web-${count.index}"
  image         = "debian"
  instance_type = "s1.small"
  subnet_id     = sandbox_subnet.a.id
}
resource "sandbox_database" "main" {
  name          = "main"
  engine        = "postgres"
  instance_type = "s1.medium"
  username      = "app"
  password      = "hunter2hunter2"
}
resource "sandbox_cluster" "main" {
  name       = "main"
  version    = "1.30"
  node_type  = "s1.medium"
  node_count = 2
  subnet_ids = [sandbox_subnet.a.id]
}
resource "sandbox_bucket" "files" {
  name = "files"
}
resource "sandbox_volume" "data" {
  name    = "data"
  zone    = "sandbox-1a"
  size_gb = 30
}
"#;

impl Host {
    async fn quote(&self, text: &str) -> Quote {
        let plan = self.plan_with(text, PlanOptions::default()).await;
        self.stack.quote(&plan, QuoteOptions::default()).await.expect("a quote")
    }

    async fn buy(&self, text: &str, options: PlanOptions) -> RunReport {
        let plan = self.plan_with(text, options).await;
        let accepted = self.stack.quote(&plan, QuoteOptions::default()).await.expect("a quote");
        let purchase = Some(Purchase::of(accepted, QuoteOptions::default()));
        let run =
            self.stack.apply(plan, ApplyOptions { purchase, ..ApplyOptions::default() }).await.expect("it begins");
        tokio::time::timeout(PATIENCE, run.finish()).await.expect("the run ends in time").expect("it ends")
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Checks the cloud's own books: whatever is there and has a price is paid for by one line, each paid line pays for something
/// that is there or was paid back, and no order is left unpaid.
async fn check_books(cloud: &Cloud) -> Vec<Value> {
    let (_, history) = cloud.ask(Method::GET, "admin/history", None).await;
    let sold = ["instance", "volume", "bucket", "database", "cluster"];
    let living: BTreeMap<String, String> = (history["objects"].as_array().expect("a list").iter())
        .filter(|object| text(object, "state") != "gone" && sold.contains(&text(object, "kind")))
        .map(|object| (text(object, "id").to_owned(), text(object, "kind").to_owned()))
        .collect();
    let orders = history["orders"].as_array().expect("a list").clone();
    let mut paid_for: BTreeMap<String, u32> = BTreeMap::new();
    for order in &orders {
        assert_ne!(text(order, "status"), "unpaid", "{order}");
        for line in order["lines"].as_array().expect("lines") {
            let user = line["used_by"].as_str().filter(|user| living.contains_key(*user));
            let is_paid = text(order, "status") == "paid";
            let is_back = !line["refunded"].is_null();
            assert!(!is_back || is_paid, "paid back and never paid: {line}");
            if let Some(user) = user {
                assert!(is_paid && !is_back, "{user} is not paid: {line}");
                *paid_for.entry(user.to_owned()).or_default() += 1;
            } else if is_paid && !text(line, "key").contains('/') {
                assert!(is_back, "nobody uses it, and it was not paid back: {line}");
            }
        }
    }
    for (id, kind) in &living {
        assert_eq!(paid_for.get(id), Some(&1), "the {kind} `{id}` is not paid for once");
    }
    orders
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_priced_bought_and_paid_back() {
    let cloud = shop(&json!({}));
    let host = Host::selling(&cloud);
    let quote = host.quote(EVERYTHING).await;
    assert!(quote.is_complete(), "{:?}", quote.unpriced);
    let total = |bucket| {
        let total = quote.total(bucket, &Currency::new("USD").expect("a currency")).expect("a total");
        total.net.to_string()
    };
    // A license and a setup; two small, one medium for the database and two for the cluster; bucket, disk and storage.
    assert_eq!(
        [Bucket::Once, Bucket::Every(Period::Hour), Bucket::Every(Period::Month)].map(total),
        ["29.99", "0.165", "5.9"]
    );
    assert!(!serde_json::to_string(&quote).expect("JSON").contains("hunter2"));

    let report = host.buy(EVERYTHING, PlanOptions::default()).await;
    assert_eq!((report.status, &report.problems), (RunStatus::Succeeded, &Vec::new()));
    host.agrees_with(&cloud).await;
    let orders = check_books(&cloud).await;
    assert_eq!((orders.len(), text(&orders[0], "due")), (1, "29.9900"));
    assert_eq!(report.orders[0].lines.len(), 6);

    let report = host.buy(EVERYTHING, PlanOptions::default().mode(Mode::Destroy)).await;
    assert_eq!((report.status, &report.problems), (RunStatus::Succeeded, &Vec::new()));
    let orders = check_books(&cloud).await;
    let back: Vec<&str> = (orders[0]["lines"].as_array().expect("lines").iter())
        .map(|line| text(line, "refunded"))
        .filter(|amount| *amount != "0.0000")
        .collect();
    assert_eq!(back, ["4.9950", "10.0000"], "half of what was paid once comes back");
}

/// Without an order the cloud makes nothing that costs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_paid_is_not_made() {
    let cloud = shop(&json!({}));
    let host = Host::new(&cloud);
    let report = host.try_apply("resource \"sandbox_bucket\" \"files\" {\n  name = \"files\"\n}\n").await;
    let codes: Vec<&str> = report.problems.iter().map(|problem| problem.error.code.as_str()).collect();
    assert_eq!((report.status, &codes[..]), (RunStatus::Failed, &["sandbox.unpaid"][..]));
    assert_eq!(cloud.living().await.len(), 0);
    // Nor with a line that was made up, or of another kind.
    for line in ["ord-1-0", ""] {
        let body = json!({ "properties": { "name": "files" }, "order_line": line });
        assert_eq!(cloud.ask(Method::POST, "v1/buckets", Some(body)).await.0, 402, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_replies_order_and_pay_once() {
    for what in ["place order", "pay order", "create database"] {
        let cloud = shop(&json!({ "lose_next": { what: 1 } }));
        let host = Host::selling(&cloud);
        let report = host.buy(EVERYTHING, PlanOptions::default()).await;
        assert_eq!((report.status, &report.problems), (RunStatus::Succeeded, &Vec::new()), "{what}");
        assert_eq!(check_books(&cloud).await.len(), 1, "{what}");
        cloud.turn(json!({ "lose_next": { "refund order line": 2 } })).await;
        let report = host.buy(EVERYTHING, PlanOptions::default().mode(Mode::Destroy)).await;
        assert_eq!((report.status, &report.problems), (RunStatus::Succeeded, &Vec::new()), "{what}");
        check_books(&cloud).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_had_is_paid_back() {
    let cloud = shop(&json!({ "sold_out": ["databases"] }));
    let host = Host::selling(&cloud);
    let report = host.buy(EVERYTHING, PlanOptions::default()).await;
    assert_eq!(report.status, RunStatus::Failed);
    assert_eq!(report.problems[0].error.code, "order.undelivered");
    check_books(&cloud).await;
    // It is there again: what is left is bought with an order of its own.
    cloud.turn(json!({ "sold_out": [] })).await;
    let report = host.buy(EVERYTHING, PlanOptions::default()).await;
    assert_eq!((report.status, &report.problems), (RunStatus::Succeeded, &Vec::new()));
    assert_eq!(check_books(&cloud).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_dearer_or_is_refused_is_not_bought() {
    for (knob, code) in
        [(json!({ "surcharge": "0.01" }), "pricing.changed"), (json!({ "refuse_payments": true }), "sandbox.unpaid")]
    {
        let cloud = shop(&knob);
        let host = Host::selling(&cloud);
        let report = host.buy(EVERYTHING, PlanOptions::default()).await;
        assert_eq!((report.status, report.problems[0].error.code.as_str()), (RunStatus::Failed, code));
        assert_eq!(cloud.living().await.len(), 0, "nothing was made, not even what is free");
        let orders = check_books(&cloud).await;
        assert_eq!(text(&orders[0], "status"), "cancelled");
    }
}

/// The cloud dies and comes back with its books.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_outlive_the_cloud() {
    let mut cloud = shop(&json!({}));
    let host = Host::selling(&cloud);
    let report = host.buy(EVERYTHING, PlanOptions::default()).await;
    assert_eq!(report.status, RunStatus::Succeeded, "{:?}", report.problems);
    let before = check_books(&cloud).await;
    cloud.kill();
    cloud.start_again();
    assert_eq!(check_books(&cloud).await, before);
    let report = host.buy(EVERYTHING, PlanOptions::default().mode(Mode::Destroy)).await;
    assert_eq!((report.status, &report.problems), (RunStatus::Succeeded, &Vec::new()));
    check_books(&cloud).await;
}

/// The shop keeps to the rules whoever asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shop_does_not_believe_everybody() {
    let cloud = shop(&json!({}));
    let post = async |path: &str, body: Value| cloud.ask(Method::POST, path, Some(body)).await;
    let (_, quoted) = post("v1/prices", json!({ "items": [{ "kind": "buckets", "properties": {} }] })).await;
    let price = text(&quoted["items"][0]["prices"][0], "token").to_owned();
    for wrong in [
        json!({}),
        json!({ "token": "t", "lines": [] }),
        json!({ "token": "t", "lines": [{ "key": "k", "price": "buckets:0:made-up" }] }),
    ] {
        assert_eq!(post("v1/orders", wrong.clone()).await.0, 400, "{wrong}");
    }
    let order = json!({ "token": "t", "lines": [{ "key": "k", "price": price }] });
    let (status, placed) = post("v1/orders", order.clone()).await;
    assert_eq!(status, 201);
    assert_eq!(post("v1/orders", order).await, (200, placed.clone()), "the same token, the same order");
    let (id, line) = (text(&placed, "id"), text(&placed["lines"][0], "id").to_owned());
    let bucket = |name: &str| json!({ "properties": { "name": name }, "order_line": line });
    assert_eq!(post("v1/buckets", bucket("early")).await.0, 402, "it is not paid");
    assert_eq!(post(&format!("v1/order-lines/{line}/refund"), json!({})).await.0, 409, "it is not paid");
    let (_, paid) = post(&format!("v1/orders/{id}/pay"), json!({})).await;
    assert_eq!(post(&format!("v1/orders/{id}/cancel"), json!({})).await.1["status"], paid["status"], "it stays paid");
    // It is delivered after a moment; how long that takes is the cloud's business.
    let made = loop {
        match post("v1/buckets", bucket("one")).await {
            (402, _) => tokio::task::yield_now().await,
            answer => break answer,
        }
    };
    assert_eq!(made.0, 201);
    assert_eq!(post("v1/buckets", bucket("two")).await.0, 402, "a line pays for one thing");
    assert_eq!(post(&format!("v1/order-lines/{line}/refund"), json!({})).await.0, 409, "it is used");
    cloud.ask(Method::DELETE, &format!("v1/buckets/{}", text(&made.1, "id")), None).await;
    assert_eq!(post(&format!("v1/order-lines/{line}/refund"), json!({})).await.0, 200);
    assert_eq!(post("v1/order-lines/nobody/refund", json!({})).await.0, 404);
}

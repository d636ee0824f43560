//! What the cloud acknowledged it still has after it was killed.

use serde_json::json;
use stackwright::state::RunStatus;

use crate::{
    cloud::{Cloud, PATIENCE},
    host::Host,
};

const MANY: &str = r#"
resource "sandbox_network" "n" {
  name = "n"
  cidr = "10.0.0.0/8"
}
resource "sandbox_subnet" "s" {
  count      = 12
  network_id = sandbox_network.n.id
  cidr       = cidrsubnet(sandbox_network.n.cidr, 8, count.index)
  zone       = "sandbox-1a"
}
resource "sandbox_instance" "i" {
  count         = 12
  name          = "i${count.index}"
  instance_type = "s1.nano"
  image         = "linux-12"
  subnet_id     = sandbox_subnet.s[count.index].id
}
resource "sandbox_bucket" "b" {
  count = 6
  name  = "b${count.index}"
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_again_after_a_kill() {
    let mut cloud = Cloud::new();
    let host = Host::new(&cloud);
    host.apply(MANY).await;
    let describe = |cloud: Vec<crate::cloud::Made>| cloud.iter().map(|made| format!("{made:?}")).collect::<Vec<_>>();
    let before = describe(cloud.objects().await);
    assert_eq!(before.len(), 31);
    cloud.kill();
    cloud.start_again();
    assert_eq!(describe(cloud.objects().await), before);
    host.settled(MANY).await;
    host.destroy(MANY).await;
    cloud.kill();
    cloud.start_again();
    assert_eq!(cloud.living().await.len(), 0);
    assert_eq!(cloud.objects().await.len(), 31, "what is gone is remembered too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cloud_that_dies_in_the_middle_of_a_run_loses_and_doubles_nothing() {
    let mut cloud = Cloud::with(&json!({ "start_ms": 20, "latency_ms": 20, "jitter_ms": 20 }), &[]);
    let host = Host::new(&cloud);
    let run = host.try_apply(MANY);
    let disaster = async {
        for least in [4, 14, 24] {
            let reached = async {
                while cloud.objects().await.len() < least {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(PATIENCE, reached).await.expect("the run goes on");
            cloud.kill();
            cloud.start_again();
        }
    };
    let (report, ()) = tokio::join!(run, disaster);
    assert_eq!(report.status, RunStatus::Succeeded, "{report:?}");
    host.agrees_with(&cloud).await;
    host.settled(MANY).await;
    host.destroy(MANY).await;
    assert_eq!(cloud.living().await.len(), 0);
}

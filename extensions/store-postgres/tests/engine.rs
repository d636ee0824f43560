//! The whole engine on PostgreSQL: a process dies before or after any write, another takes over, and the world is as if
//! nothing had happened.
#![cfg(unix)]

mod common;

use std::{collections::BTreeSet, sync::Arc, thread, time::Duration};

use common::{client, options};
use stackwright::{
    Result,
    run::RunReport,
    stack::{ApplyOptions, Engine, PlanOptions, Stack},
    state::{
        RunStatus, Store,
        cipher::{AesGcmCipher, Key},
        testing::{Faults, FaultyStore},
    },
    template::{Files, Options, Template},
};
use stackwright_store_postgres::PostgresStore;
use stackwright_tests::{
    postgres::{Server, fresh_schema, shared},
    world::World,
};

/// How many objects the template has.
const OBJECTS: usize = 8;

const TEMPLATE: &str = r#"
resource "toy_thing" "net" {
  name   = "net"
  secret = "h4nter2-in-the-clear"
}
resource "toy_prompt" "rule" {
  count = 3
  name  = "rule ${count.index}"
  input = toy_thing.net.id
}
resource "toy_thing" "disk" {
  name = "disk"
}
resource "toy_idem" "host" {
  count = 2
  name  = "host ${count.index}"
  input = "${toy_thing.disk.id} ${toy_prompt.rule[count.index].id}"
}
resource "toy_thing" "name" {
  name  = "name"
  input = toy_idem.host[1].id
}
output "name" {
  value = toy_thing.name.id
}
"#;

fn template() -> Template {
    let (template, problems) = Template::parse(&Files::from_texts([("main.tf", TEMPLATE)]), &Options::default());
    assert_eq!(problems, []);
    template
}

fn stack(store: Arc<dyn Store>, world: &Arc<World>, name: &str) -> Stack {
    let key = Key::parse(&"5e".repeat(32)).expect("a key");
    let builder = Engine::builder().shared_store(store).cipher(AesGcmCipher::new(key)).provider(world.provider());
    builder.holder("test").lease_ttl(Duration::from_secs(30)).build().expect("whole").stack("acme", name)
}

/// Starts the apply, or takes up the run that never ended.
async fn work(stack: &Stack) -> Result<RunReport> {
    // Whoever held it before is dead.
    stack.break_lease().await?;
    let run = match stack.unfinished_run().await? {
        Some(run) => stack.resume(run.id, ApplyOptions::default()).await?,
        None => {
            let plan = stack.plan(&template(), PlanOptions::default()).await?;
            stack.apply(plan, ApplyOptions { parallelism: 3, ..ApplyOptions::default() }).await?
        }
    };
    run.finish().await
}

/// One process: a runtime with connections of its own, all of which end where they are when it dies. Returns the report,
/// or nothing if it died, and how many writes it asked for.
fn process(url: &str, world: &Arc<World>, name: &str, faults: Faults) -> (Option<RunReport>, u64) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = PostgresStore::open_with(options(url).connections(2)).await.expect("opens");
        let store = Arc::new(FaultyStore::new(Arc::new(store), faults).hang_when_dead());
        world.set_process(Arc::clone(&store));
        let stack = stack(Arc::clone(&store) as Arc<dyn Store>, world, name);
        let report = tokio::select! {
            biased;
            () = store.died() => None,
            report = work(&stack) => Some(report.expect("the run ends")),
        };
        (report, store.write_count())
    })
}

/// Checks that everything was made once, and that state knows it.
fn check(server: &Server, schema: &str, world: &Arc<World>, name: &str, what: &str) {
    let created = world.created();
    assert_eq!(created.len(), OBJECTS, "{what}: {created:?}");
    assert!(created.values().all(|count| *count == 1), "{what}: made twice: {created:?}");
    assert_eq!(world.complaints(), Vec::<String>::new(), "{what}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = PostgresStore::open(&server.url(schema)).await.expect("opens");
        let stack = stack(Arc::new(store), world, name);
        let state = stack.state().await.expect("reads");
        let known: BTreeSet<_> = state.rows.iter().filter_map(|row| row.remote_id.clone()).collect();
        let there: BTreeSet<_> = world.things().into_keys().collect();
        assert_eq!(known, there, "{what}: state and world");
        let again = stack.plan(&template(), PlanOptions::default()).await.expect("plans");
        assert!(again.is_empty(), "{what}: {again}");
        assert!(stack.lease().await.expect("reads").is_none(), "{what}: the lease was given back");
    });
}

#[test]
fn a_process_that_dies_at_any_write_is_taken_over() {
    let Some(server) = shared() else { return };
    let schema = fresh_schema();
    let url = server.url(&schema);
    let calm = World::new(1);
    let (report, writes) = process(&url, &calm, "calm", Faults::none());
    assert_eq!(report.expect("it lives").status, RunStatus::Succeeded);
    check(server, &schema, &calm, "calm", "without a crash");
    assert!(writes > 8, "{writes}");

    let points: Vec<(u64, bool)> = (0..writes).flat_map(|number| [(number, false), (number, true)]).collect();
    // A few at a time; each is a stack and a world of its own.
    for part in points.chunks(8) {
        thread::scope(|scope| {
            for &(number, after) in part {
                let (url, schema) = (&url, &schema);
                scope.spawn(move || {
                    let what = format!("died {} write {number}", if after { "after" } else { "before" });
                    let name = format!("p{number}{after}");
                    let world = World::new(1);
                    let faults = if after { Faults::die_after(number) } else { Faults::die_before(number) };
                    // How many writes a run takes depends on how they fall together; a few may never come.
                    let (report, _) = process(url, &world, &name, faults);
                    if report.is_none() {
                        let (report, _) = process(url, &world, &name, Faults::none());
                        assert_eq!(report.expect("it lives").status, RunStatus::Succeeded, "{what}");
                    }
                    check(server, schema, &world, &name, &what);
                });
            }
        });
    }
}

/// Nothing of what a template marks as secret, or a type says is, can be read in the tables.
#[test]
fn secrets_do_not_reach_the_tables() {
    let Some(server) = shared() else { return };
    let schema = fresh_schema();
    let world = World::new(2);
    let (report, _) = process(&server.url(&schema), &world, "shop", Faults::none());
    assert_eq!(report.expect("it lives").status, RunStatus::Succeeded);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let found: Vec<Vec<u8>> = runtime.block_on(async {
        let client = client(&server.url(&schema)).await;
        let mut found = Vec::new();
        for table in ["stacks", "objects", "runs", "segments", "entries"] {
            let sql = format!("SELECT body FROM {schema}.{table} WHERE body IS NOT NULL");
            found.extend(client.query(&sql, &[]).await.expect("reads").iter().map(|row| row.get::<_, Vec<u8>>(0)));
        }
        found
    });
    assert!(found.len() > OBJECTS, "{}", found.len());
    assert!(found.iter().any(|body| contains(body, b"toy_thing")), "bodies can be read at all");
    assert!(!found.iter().any(|body| contains(body, b"h4nter2")), "a secret lies open");
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

//! Many stacks, many workers, one database, and workers that are killed all the time: at the end the books balance.
//!
//! The world is a table in a schema of its own: it remembers, it is shared, and it makes two objects when it is asked
//! twice. `LOAD_STACKS` and `LOAD_WORKERS` make it larger (`make load STACKS=10000 WORKERS=8`).
#![cfg(unix)]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use common::{client, options};
use futures_util::{StreamExt as _, stream};
use stackwright::{
    Error, ErrorKind, Result,
    error::Effect,
    plan::Mode,
    resource::{Context, Evidence, Object, Outcome, Provider, Recovery, Resource, Traits},
    schema::{Attribute, Schema},
    stack::{ApplyOptions, Engine, PlanOptions, Stack},
    state::{
        RunStatus,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Options, Template},
    value::{Type, Value},
};
use stackwright_store_postgres::PostgresStore;
use stackwright_tests::postgres::{Server, fresh_schema};
use tokio_postgres::Client;

const URL: &str = "STORE_POSTGRES_LOAD_URL";
const SEED: &str = "STORE_POSTGRES_LOAD_SEED";
const STACKS: &str = "LOAD_STACKS";

/// How long a worker's lease lasts; so long a killed one is in the way.
const TTL: Duration = Duration::from_secs(3);

/// How many stacks a worker works on at the same time.
const AT_ONCE: usize = 4;

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

/// A resource type whose objects are rows of a table.
#[derive(Debug)]
struct Thing {
    world: Arc<Client>,
}

fn lost(error: tokio_postgres::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "resource.failed", "the world does not answer")
        .effect(Effect::Unknown)
        .because(error.to_string())
}

fn object(id: i64, planned: &Value) -> Object {
    let id = id.to_string();
    let parts = planned
        .entries()
        .map(|(name, value)| (Arc::clone(name), if &**name == "id" { Value::string(&*id) } else { value.clone() }));
    Object::new(&*id, Value::object(parts.collect::<Vec<_>>()))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.attribute(name).and_then(Value::as_str).unwrap_or_default()
}

fn id_of(object: &Object) -> i64 {
    object.id.parse().expect("ids are numbers")
}

/// Takes a while, as a cloud does.
async fn linger(ctx: &Context, salt: u64) {
    let key = ctx.idempotency_key().bytes().fold(salt, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    ctx.clock().sleep(Duration::from_millis(key % 12)).await;
}

#[async_trait]
impl Resource for Thing {
    fn schema(&self) -> Arc<Schema> {
        Arc::new(
            Schema::new(0)
                .attribute("id", Attribute::computed(Type::String))
                .attribute("stack", Attribute::required(Type::String))
                .attribute("size", Attribute::required(Type::String)),
        )
    }

    fn traits(&self) -> Traits {
        // A statement of a worker that was killed may still be on its way for a moment.
        Traits { settle: Duration::from_millis(500), ready_at_once: true, call_timeout: TTL / 2, ..Traits::default() }
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        linger(ctx, 1).await;
        let sql = "INSERT INTO world.things (key, stack, size) VALUES ($1, $2, $3) RETURNING id";
        let (key, stack, size) = (ctx.idempotency_key(), text(&planned, "stack"), text(&planned, "size"));
        let made = self.world.query_one(sql, &[&key, &stack, &size]).await;
        linger(ctx, 2).await;
        match made {
            Ok(row) => Outcome::complete(object(row.get(0), &planned)),
            Err(error) => Outcome::failed(lost(error)),
        }
    }

    async fn read(&self, _: &Context, known: &Object) -> Result<Option<Object>> {
        let sql = "SELECT id, stack, size FROM world.things WHERE id = $1";
        let found = self.world.query_opt(sql, &[&id_of(known)]).await.map_err(lost)?;
        Ok(found.map(|row| found_object(&row)))
    }

    async fn update(&self, ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        linger(ctx, 3).await;
        let sql = "UPDATE world.things SET size = $2 WHERE id = $1";
        match self.world.execute(sql, &[&id_of(prior), &text(&planned, "size")]).await {
            Ok(_) => Outcome::complete(object(id_of(prior), &planned)),
            Err(error) => Outcome::failed(lost(error)),
        }
    }

    async fn delete(&self, ctx: &Context, prior: &Object) -> Outcome {
        linger(ctx, 4).await;
        match self.world.execute("DELETE FROM world.things WHERE id = $1", &[&id_of(prior)]).await {
            Ok(_) => Outcome::gone(),
            Err(error) => Outcome::failed(lost(error)),
        }
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        let by_id = "SELECT id, stack, size FROM world.things WHERE id = $1";
        let by_key = "SELECT id, stack, size FROM world.things WHERE key = $1 ORDER BY id LIMIT 1";
        let found = match &evidence.prior {
            Some(prior) => self.world.query_opt(by_id, &[&id_of(prior)]).await,
            None => self.world.query_opt(by_key, &[&ctx.idempotency_key()]).await,
        };
        Ok(found.map_err(lost)?.map_or(Recovery::Absent, |row| Recovery::Found(found_object(&row))))
    }
}

fn found_object(row: &tokio_postgres::Row) -> Object {
    let parts = [
        ("id", Value::string(row.get::<_, i64>(0).to_string())),
        ("stack", Value::string(row.get::<_, String>(1))),
        ("size", Value::string(row.get::<_, String>(2))),
    ];
    Object::new(row.get::<_, i64>(0).to_string(), Value::object(parts))
}

async fn engine(url: &str, connections: usize) -> (Engine, PostgresStore) {
    let store = PostgresStore::open_with(options(url).connections(connections)).await.expect("opens");
    let provider = Provider::new("load").resource("load_thing", Thing { world: Arc::new(client(url).await) });
    let cipher = AesGcmCipher::new(Key::parse(&"5e".repeat(32)).expect("a key"));
    let builder = Engine::builder().store(store.clone()).cipher(cipher).provider(provider);
    (builder.holder("a worker").lease_ttl(TTL).build().expect("whole"), store)
}

fn template(stack: &str, count: u64, size: u64) -> Template {
    let text = format!(
        "resource \"load_thing\" \"first\" {{\n stack = \"{stack}\"\n size = \"{size}\"\n}}\n\
         resource \"load_thing\" \"more\" {{\n count = {count}\n stack = \"{stack}\"\n size = \"${{load_thing.first.id}}\"\n}}\n"
    );
    let (template, problems) = Template::parse(&Files::from_texts([("main.tf", text)]), &Options::default());
    assert_eq!(problems, []);
    template
}

/// Does one thing to a stack, or takes up what somebody left; returns what it was.
async fn work_on(stack: &Stack, name: &str, draw: u64) -> Result<&'static str> {
    if let Some(run) = stack.unfinished_run().await? {
        stack.resume(run.id, ApplyOptions::default()).await?.finish().await?;
        return Ok("resume");
    }
    let (what, mode) = match draw % 10 {
        0 | 1 => ("destroy", Mode::Destroy),
        2 | 3 => ("refresh", Mode::RefreshOnly),
        _ => ("apply", Mode::Normal),
    };
    let template = template(name, draw / 10 % 5, draw / 50 % 3);
    let plan = stack.plan(&template, PlanOptions::default().mode(mode)).await?;
    let report = stack.apply(plan, ApplyOptions::default()).await?.finish().await?;
    match report.status {
        RunStatus::Succeeded => Ok(what),
        status => Err(Error::bug(format!("{what} ended {}: {report:?}", status.as_str()))),
    }
}

/// A part: works on stacks at random until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn part_works() {
    let (Ok(url), seed) = (env::var(URL), number(SEED, 0)) else { return };
    let (engine, _) = engine(&url, AT_ONCE).await;
    let stacks = number(STACKS, 300);
    let mut random = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let draws = std::iter::repeat_with(move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random >> 11
    });
    let work = stream::iter(draws).map(|draw| {
        let name = format!("s{}", draw % stacks);
        let stack = engine.stack("acme", &*name);
        async move {
            match work_on(&stack, &name, draw / stacks).await {
                Ok(what) => what.to_owned(),
                Err(error) => format!("error {}", error.code()),
            }
        }
    });
    let mut done = std::pin::pin!(work.buffer_unordered(AT_ONCE));
    while let Some(what) = done.next().await {
        let mut out = std::io::stdout();
        writeln!(out, "SAY {what}").and_then(|()| out.flush()).expect("the parent reads");
    }
}

struct Worker(Child);

impl Worker {
    /// Starts a worker; what it says goes to `heard`.
    fn start(url: &str, seed: u64, stacks: u64, heard: &mpsc::Sender<String>) -> Self {
        let mut child = Command::new(env::current_exe().expect("this test"))
            .args(["part_works", "--exact", "--nocapture", "--test-threads=1"])
            .env(URL, url)
            .env(SEED, seed.to_string())
            .env(STACKS, stacks.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let heard = heard.clone();
        thread::spawn(move || {
            for line in lines {
                if let Some((_, said)) = line.rsplit_once("SAY ") {
                    let _ = heard.send(said.to_owned());
                }
            }
        });
        Self(child)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_books_balance() {
    if env::var(URL).is_ok() {
        return;
    }
    let (stacks, worker_count) = (number(STACKS, 300), number("LOAD_WORKERS", 8));
    let Some(server) = Server::start() else { return };
    let schema = fresh_schema();
    let url = server.url(&schema);
    let admin = client(&url).await;
    admin
        .batch_execute(
            "CREATE SCHEMA world;
             CREATE TABLE world.things (
                 id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, key text NOT NULL, stack text NOT NULL, size text NOT NULL);
             CREATE INDEX ON world.things (key)",
        )
        .await
        .expect("a world");
    PostgresStore::open(&url).await.expect("migrates").close().await;

    let begun = Instant::now();
    let (heard, ear) = mpsc::channel();
    let mut workers: Vec<_> = (0..worker_count).map(|seed| Worker::start(&url, seed, stacks, &heard)).collect();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut kills = 0;
    // Twice as often as there are stacks, so that nearly all of them are changed; a kill every so often.
    let (wanted, kill_every) = (stacks * 2, (stacks * 2 / 24).clamp(10, 200));
    let mut done = 0;
    while done < wanted {
        let said = tokio::task::block_in_place(|| ear.recv_timeout(Duration::from_mins(2))).expect("somebody works");
        if !said.starts_with("error") {
            done += 1;
            if done % kill_every == 0 {
                let place = (kills % worker_count) as usize;
                kills += 1;
                workers[place] = Worker::start(&url, worker_count + kills, stacks, &heard);
            }
        }
        *counts.entry(said).or_default() += 1;
    }
    drop(workers);
    let worked = begun.elapsed();

    // Somebody comes after all of them and takes up what is unfinished.
    let (engine, store) = engine(&url, 8).await;
    let settled = stream::iter(0..stacks).map(|number| {
        let stack = engine.stack("acme", format!("s{number}"));
        async move {
            stack.break_lease().await.expect("breaks");
            let unfinished = stack.unfinished_run().await.expect("reads");
            if let Some(run) = &unfinished {
                let run = stack.resume(run.id, ApplyOptions::default()).await.expect("resumes");
                let report = run.finish().await.expect("ends");
                assert_eq!(report.status, RunStatus::Succeeded, "s{number}: {report:?}");
            }
            let known = stack.state().await.expect("reads").rows;
            let known: Vec<(String, u64)> =
                known.iter().map(|row| (row.remote_id.clone().expect("nothing is uncertain"), number)).collect();
            (known, u64::from(unfinished.is_some()))
        }
    });
    let settled: Vec<_> = settled.buffer_unordered(8).collect().await;
    let resumed: u64 = settled.iter().map(|(_, resumed)| resumed).sum();
    let known: Vec<(String, u64)> = settled.into_iter().flat_map(|(known, _)| known).collect();
    store.close().await;

    let there = admin.query("SELECT id::text, key, stack FROM world.things", &[]).await.expect("the world");
    let owner: BTreeMap<&str, u64> = known.iter().map(|(id, stack)| (&**id, *stack)).collect();
    let mut keys: Vec<&str> = there.iter().map(|row| row.get(1)).collect();
    keys.sort_unstable();
    let doubled = keys.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let unknown = there.iter().filter(|row| !owner.contains_key(row.get::<_, &str>(0))).count();
    let foreign = there
        .iter()
        .filter(|row| {
            owner.get(row.get::<_, &str>(0)).is_some_and(|stack| format!("s{stack}") != row.get::<_, &str>(2))
        })
        .count();
    let ids: BTreeSet<&str> = there.iter().map(|row| row.get(0)).collect();
    let gone = known.iter().filter(|(id, _)| !ids.contains(&**id)).count();
    println!("{stacks} stacks, {worker_count} workers, {:.0} s", worked.as_secs_f64());
    for (what, count) in &counts {
        println!("  {what:<24} {count:>8}");
    }
    println!("  {:<24} {kills:>8}\n  {:<24} {resumed:>8}", "workers killed", "left and taken up last");
    println!("  {:<24} {:>8}", "objects in the world", there.len());
    println!("  {:<24} {unknown:>8}\n  {:<24} {doubled:>8}", "lost (nobody knows it)", "doubled (made twice)");
    println!("  {:<24} {gone:>8}\n  {:<24} {foreign:>8}", "known but gone", "known to another stack");
    assert_eq!(owner.len(), known.len(), "an object belongs to one stack");
    assert_eq!((unknown, doubled, gone, foreign), (0, 0, 0, 0));
    assert!(kills >= 20 && there.len() as u64 > stacks / 4, "it was worth it: {kills} kills, {} objects", there.len());
    let errors: Vec<_> = counts.keys().filter_map(|what| what.strip_prefix("error ")).collect();
    let expected = ["lease.held", "lease.lost", "run.unfinished", "plan.stale", "run.ended"];
    assert!(errors.iter().all(|code| expected.contains(code)), "only collisions are errors: {counts:?}");
}

//! Leases between real processes: one that is stopped and wakes up too late, clocks that lie, many on many stacks.
#![cfg(unix)]

mod common;

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead as _, BufReader, Lines, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use common::{TTL, begin, client, entry, first, key, now, open, put, run_of, serial};
use futures_util::future::join_all;
use rustix::process::{Pid, Signal, kill_process};
use stackwright::{
    event::Timestamp,
    state::{Commit, EntryRecord, Lease, LeaseToken, RowRecord, RowWrite, Store},
};
use stackwright_store_postgres::PostgresStore;
use stackwright_tests::postgres::{fresh_schema, shared};

/// Set for a process that plays a part: the connection string, and which part.
const URL: &str = "STORE_POSTGRES_TEST_URL";
const SEED: &str = "STORE_POSTGRES_TEST_SEED";

/// How long the leases of the parts last.
const SHORT: Duration = Duration::from_millis(400);

/// A process that runs one test of this binary as its part.
struct Part {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Part {
    fn start(part: &str, url: &str, seed: u64) -> Self {
        let mut child = Command::new(env::current_exe().expect("this test"))
            .args([part, "--exact", "--nocapture", "--test-threads=1"])
            .env(URL, url)
            .env(SEED, seed.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines }
    }

    /// Returns what it says next, without what the harness says before it on the same line; `None` at its end.
    fn hear(&mut self) -> Option<String> {
        loop {
            let line = self.lines.next()?.expect("text");
            if let Some((_, said)) = line.rsplit_once("SAY ") {
                return Some(said.to_owned());
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("it is there");
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(text: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "SAY {text}").and_then(|()| out.flush()).expect("the parent reads");
}

fn part() -> Option<(String, u64)> {
    let seed = env::var(SEED).ok()?.parse().expect("a number");
    Some((env::var(URL).ok()?, seed))
}

/// A part: holds a stack, renews in time, and appends to its journal until it is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn part_holds_on() {
    let Some((url, _)) = part() else { return };
    let store = open(&url).await;
    let lease = store.acquire(&key("shop"), "the first", now(), SHORT).await.expect("free");
    store.commit(&lease, first("shop")).await.expect("begins");
    let keeper = async {
        loop {
            tokio::time::sleep(SHORT / 4).await;
            if let Err(error) = store.renew(&lease, now(), SHORT).await {
                return error.code().to_owned();
            }
        }
    };
    let writer = async {
        for seq in 0.. {
            match store.commit(&lease, Commit { entries: vec![entry("shop", seq, "first")], ..put(seq, 1) }).await {
                Ok(()) => say(&format!("durable {seq}")),
                Err(error) => return (seq, error.code().to_owned()),
            }
        }
        unreachable!("numbers do not end")
    };
    let (renewal, (seq, commit)) = tokio::join!(keeper, writer);
    say(&format!("refused {seq} {commit} {renewal}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_was_stopped_and_wakes_up_too_late_is_refused() {
    let Some(server) = shared() else { return };
    for round in 0..3 {
        let schema = fresh_schema();
        let store = open(&server.url(&schema)).await;
        let mut holder = Part::start("part_holds_on", &server.url(&schema), round);
        let mut durable = 0;
        while durable < 20 + 13 * round {
            assert_eq!(holder.hear(), Some(format!("durable {durable}")), "round {round}");
            durable += 1;
        }
        let error = store.acquire(&key("shop"), "the second", now(), TTL).await.expect_err("it holds on");
        assert_eq!(error.code(), "lease.held");
        holder.signal(Signal::STOP);
        let lease = loop {
            match store.acquire(&key("shop"), "the second", now(), TTL).await {
                Ok(lease) => break lease,
                Err(error) => assert_eq!(error.code(), "lease.held"),
            }
        };
        // What was on its way when it was stopped may have come through; from here on nothing does.
        let there = store.load_journal(run_of("shop")).await.expect("reads").len() as u64;
        assert!(there >= durable, "round {round}: {there} of {durable}");
        let mine = |seq| Commit { entries: vec![entry("shop", seq, "second")], ..put(1_000 + seq, 1) };
        store.commit(&lease, mine(there)).await.expect("mine now");
        holder.signal(Signal::CONT);
        let last = loop {
            let said = holder.hear().expect("it goes on");
            if !said.starts_with("durable") {
                break said;
            }
        };
        let refused = last.strip_prefix("refused ").expect("a refusal");
        let (seq, codes) = refused.split_once(' ').expect("words");
        assert_eq!(codes, "lease.lost lease.lost", "round {round}");
        assert!(seq.parse::<u64>().expect("a number") <= there, "round {round}: {seq} was told to be durable");
        store.commit(&lease, mine(there + 1)).await.expect("still mine");
        let journal = store.load_journal(run_of("shop")).await.expect("reads");
        let texts: Vec<&[u8]> = journal.iter().map(|entry| &*entry.body).collect();
        let expected: Vec<&[u8]> =
            (0..there + 2).map(|seq| if seq < there { &b"first"[..] } else { &b"second"[..] }).collect();
        assert_eq!(texts, expected, "round {round}");
    }
}

/// The clocks of those who ask decide nothing; what they are told is by their own.
#[tokio::test]
async fn only_the_clock_of_the_database_counts() {
    let Some(server) = shared() else { return };
    let schema = fresh_schema();
    let store = open(&server.url(&schema)).await;
    let hour = Duration::from_hours(1);
    let past = Timestamp(now().0 - 3_600_000);
    let future = now().plus(hour);

    // Somebody whose clock is an hour late: the lease lasts as long as anybody else's.
    let late = store.acquire(&key("shop"), "late", past, TTL).await.expect("free");
    assert_eq!(late.expires, past.plus(TTL), "by its own clock");
    for moment in [past, now(), future] {
        let error = store.acquire(&key("shop"), "other", moment, TTL).await.expect_err("held");
        assert_eq!(error.code(), "lease.held", "at {moment}");
        let told = error.facts().find(|(name, _)| *name == "expires").expect("says until when").1.to_owned();
        let about = |left: u64| moment.plus(Duration::from_millis(left)).to_string();
        let seconds: Vec<String> = (25_000..=30_000).map(about).collect();
        assert!(seconds.contains(&told), "at {moment}: {told}");
    }
    // Somebody whose clock is an hour early gets no more, when renewing neither.
    store.release(&late).await.expect("releases");
    let early = store.acquire(&key("shop"), "early", future, SHORT).await.expect("free");
    let early = store.renew(&early, future.plus(hour), SHORT).await.expect("held");
    let next = loop {
        match store.acquire(&key("shop"), "next", past, TTL).await {
            Ok(lease) => break lease,
            Err(error) => assert_eq!(error.code(), "lease.held"),
        }
    };
    assert!(next.token > early.token);
    assert_eq!(store.commit(&early, first("shop")).await.expect_err("late").code(), "lease.lost");
    assert_eq!(store.renew(&early, future, TTL).await.expect_err("late").code(), "lease.lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_never_handed_out_twice() {
    let Some(server) = shared() else { return };
    let schema = fresh_schema();
    let stores = join_all((0..4).map(|_| open_owned(server.url(&schema)))).await;
    let tasks = (0..4).flat_map(|round| (0..10).map(move |stack| (round, stack))).map(|(round, stack)| {
        let store = stores[round].clone();
        tokio::spawn(async move {
            let mut tokens = Vec::new();
            for _ in 0..5 {
                let name = format!("s{stack}");
                match store.acquire(&key(&name), "test", now(), TTL).await {
                    Ok(lease) => {
                        tokens.push(lease.token);
                        store.release(&lease).await.expect("releases");
                    }
                    Err(error) => assert_eq!(error.code(), "lease.held"),
                }
            }
            tokens
        })
    });
    let mut tokens: Vec<LeaseToken> = Vec::new();
    for found in join_all(tasks).await {
        let found = found.expect("no panic");
        assert!(found.is_sorted(), "each is larger than those before: {found:?}");
        tokens.extend(found);
    }
    let count = tokens.len();
    assert!(count >= 40, "{count}");
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), count);
    let stacks: i64 = client(&server.url(&schema))
        .await
        .query_one(&format!("SELECT count(*) FROM {schema}.stacks"), &[])
        .await
        .expect("asks")
        .get(0);
    assert_eq!(stacks, 0, "a lease that was given back leaves nothing behind");
}

async fn open_owned(url: String) -> PostgresStore {
    open(&url).await
}

/// A part: goes from stack to stack, and adds one to the number that stands there and a line to the journal; sometimes it
/// lets go, sometimes it walks away, sometimes it goes on too long.
#[tokio::test]
async fn part_adds_ones() {
    let Some((url, seed)) = part() else { return };
    let store = open(&url).await;
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut draw = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    loop {
        let name = format!("s{}", draw(STACKS));
        let Ok(lease) = store.acquire(&key(&name), &format!("part {seed}"), now(), SHORT / 4).await else { continue };
        let times = 1 + draw(6);
        for _ in 0..times {
            if draw(12) == 0 {
                // Longer than the lease: somebody else may have it by now.
                tokio::time::sleep(SHORT / 3).await;
            }
            match add_one(&store, &lease, &name).await {
                Ok(number) => say(&format!("{name} {number}")),
                Err(code) => {
                    assert!(["lease.lost", "store.stale", "store.conflict"].contains(&&*code), "{code}");
                    break;
                }
            }
        }
        if draw(3) > 0 {
            let _ = store.release(&lease).await;
        }
    }
}

const STACKS: u64 = 6;

/// Reads the number and writes the next one, as only a holder may.
async fn add_one(store: &PostgresStore, lease: &Lease, name: &str) -> Result<u64, String> {
    let rows = store.load_rows(&lease.stack).await.expect("reads");
    let seq = rows.first().map_or(0, |row| row.version);
    let text = format!("{}", lease.token.0);
    let entry = EntryRecord { run: run_of(name), seq, body: text.clone().into_bytes().into() };
    let row = RowRecord { version: seq + 1, body: text.into_bytes().into(), ..common::row(0, 1) };
    let commit = Commit { entries: vec![entry], rows: vec![RowWrite::Put(row)], ..first(name) };
    let commit = if seq == 0 { commit } else { Commit { run: None, stack: None, ..commit } };
    store.commit(lease, commit).await.map(|()| seq + 1).map_err(|error| error.code().to_owned())
}

/// Many processes on many stacks, some of which are killed and replaced: every one that was acknowledged counts, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_processes_on_many_stacks_lose_and_double_nothing() {
    const PROCESSES: u64 = 5;
    let Some(server) = shared() else { return };
    let schema = fresh_schema();
    let store = open(&server.url(&schema)).await;
    let url = server.url(&schema);
    let mut acknowledged: BTreeMap<String, u64> = BTreeMap::new();
    let mut total = 0;
    let mut parts: Vec<Part> = (0..PROCESSES).map(|seed| Part::start("part_adds_ones", &url, seed)).collect();
    for round in 0..12_u64 {
        for part in &mut parts {
            for _ in 0..20 {
                let said = part.hear().expect("it goes on");
                let (name, number) = said.split_once(' ').expect("two words");
                let number: u64 = number.parse().expect("a number");
                let known = acknowledged.entry(name.to_owned()).or_default();
                *known = number.max(*known);
                total += 1;
            }
        }
        // One dies at once, in the middle of whatever it does, and another takes its place.
        let place = (round % PROCESSES) as usize;
        parts[place] = Part::start("part_adds_ones", &url, PROCESSES + round);
    }
    drop(parts);
    assert_eq!(total, 12 * PROCESSES * 20);
    for (name, least) in acknowledged {
        let rows = store.load_rows(&key(&name)).await.expect("reads");
        let journal = store.load_journal(run_of(&name)).await.expect("reads");
        let [row] = &rows[..] else { panic!("{name}: {rows:?}") };
        assert!(row.version >= least, "{name}: {} of {least}", row.version);
        assert_eq!(journal.len() as u64, row.version, "{name}: row and journal go together");
        assert_eq!(serial(&store, &name).await, row.version, "{name}: each counted once");
        let tokens: Vec<u64> =
            journal.iter().map(|entry| String::from_utf8_lossy(&entry.body).parse().expect("a token")).collect();
        assert!(tokens.is_sorted(), "{name}: somebody wrote after he was followed by another: {tokens:?}");
        assert!(tokens.first() < tokens.last(), "{name}: several held it");
    }
}

#[tokio::test]
async fn a_lease_that_nobody_renews_outlives_its_process() {
    let Some(server) = shared() else { return };
    let schema = fresh_schema();
    let store = open(&server.url(&schema)).await;
    let lease = begin(&store, "shop").await;
    store.close().await;
    let other = open(&server.url(&schema)).await;
    let seen = other.lease_of(&key("shop")).await.expect("reads").expect("there");
    assert_eq!((seen.token, &*seen.holder), (lease.token, "test"));
    let error = other.acquire(&key("shop"), "other", now(), TTL).await.expect_err("held");
    assert_eq!(error.code(), "lease.held");
    other.break_lease(&key("shop")).await.expect("breaks");
    let next = other.acquire(&key("shop"), "other", now(), TTL).await.expect("free");
    assert!(next.token > lease.token);
}

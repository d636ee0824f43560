//! The kill test: a real `stackwright`, killed, stopped and hindered at seeded moments while it works on a pretend cloud.
//!
//! ```text
//! story (seed) ─▶ shop: a folder, a template of 200 resources ─▶ stackwright apply ─HTTP─▶ stackwright-sandbox (memory)
//!      │                        ▲                                     │                          │
//!      └── moment: "change 81 was done" ── SIGKILL ───────────────────┘                          │
//!                                │                                                               │
//!                       books: rows and journal, compared with ◀──────── everything that the cloud ever made
//! ```
//!
//! Moments are counted by what happens (requests that the cloud took, steps that the program tells of), never by a clock, so
//! that a seed tells the same story again as far as two processes can.
//!
//! What it deliberately is not: a test of the store or of the machine of a run. Those are swept in process, exhaustively, by
//! `tests/tests/crash.rs`.

mod books;
mod chance;
mod cloud;
mod figures;
mod peer;
mod program;
mod scenario;
mod shop;
mod story;
mod template;

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use clap::Parser;

use crate::{
    figures::{Figures, table},
    scenario::{Scenario, Setting},
};

/// Kills a real engine and compares what it remembers with what the cloud has. Exits with 1 when a promise is broken.
#[derive(Parser)]
#[command(name = "crash", version)]
struct Arguments {
    /// How many kills.
    #[arg(long, default_value_t = 200)]
    kills: u64,
    /// What all moments are drawn from.
    #[arg(long, default_value_t = 20_261_121)]
    seed: u64,
    /// Play one story alone, by its own seed.
    #[arg(long)]
    story: Option<u64>,
    /// Play only scenarios whose names hold this.
    #[arg(long)]
    only: Option<String>,
    /// How many stories are played at once.
    #[arg(long, default_value_t = 3)]
    lanes: u64,
    /// Kill the `terraform` on PATH so often as well, for comparison.
    #[arg(long, default_value_t = 0)]
    peer: u64,
    /// Send what stands in the variable BODY to this address and do nothing else: how a program without a provider of its
    /// own makes something in the cloud.
    #[arg(long, hide = true)]
    post: Option<String>,
    /// Print the table alone.
    #[arg(long)]
    quiet: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(url) = &arguments.post {
        return cloud::post(url, &std::env::var("BODY").unwrap_or_default());
    }
    let mut rows = Vec::new();
    match (arguments.story, &arguments.only) {
        (Some(story), _) => rows = story::play(story, &story::Budget::new(u64::MAX)),
        (None, only) => {
            println!("seed {}, {} kills", arguments.seed, arguments.kills);
            if only.is_none() {
                rows = kills(&arguments);
            }
            let begun = Instant::now();
            rows.extend(scenarios(&arguments));
            println!("scenarios took {:.1} s\n", begun.elapsed().as_secs_f64());
        }
    }
    if arguments.peer > 0 {
        rows.push(peer::terraform_data(arguments.peer, arguments.seed));
    }
    print!("{}", table(&rows));
    if arguments.peer > 0 {
        print!("\n{}", peer::RECORDED);
    }
    let broken: Vec<&String> = rows.iter().flat_map(|row| &row.broken).collect();
    for what in &broken {
        println!("broken: {what}");
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays stories until all kills are made.
fn kills(arguments: &Arguments) -> Vec<Figures> {
    let begun = Instant::now();
    let mut rows = story::play_all(arguments.seed, arguments.kills, arguments.lanes, |story, figures| {
        if !arguments.quiet {
            let kills: u64 = figures.iter().map(|phase| phase.kills).sum();
            let codes: Vec<_> = figures.iter().flat_map(|phase| &phase.codes).collect();
            println!("story {story}: {kills} kills, failed with {codes:?}");
        }
    });
    let mut total = story::total(&rows, begun.elapsed());
    // A kill that meets nothing shows nothing.
    let (kills, live, creating) = (total.kills, total.live, total.open_creates);
    total.expect(live * 10 >= kills * 9, || "less than 90 % of the kills met a live run".to_owned());
    total.expect(creating * 10 >= kills * 3, || "less than 30 % met an open create".to_owned());
    rows.push(total);
    rows
}

/// Plays the scenarios, a few at a time; returns their figures in their own order.
fn scenarios(arguments: &Arguments) -> Vec<Figures> {
    let is_long = arguments.kills >= 100;
    let setting = Setting {
        seed: arguments.seed,
        refusal_ms: if is_long { 60_000 } else { 3_000 },
        damage_count: if is_long { 120 } else { 18 },
    };
    let wanted = |scenario: &Scenario| match &arguments.only {
        Some(only) => scenario.name.contains(only.as_str()),
        None => is_long || !scenario.is_long,
    };
    let scenarios: Vec<_> = scenario::all().into_iter().filter(wanted).collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..arguments.lanes {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(scenario) = scenarios.get(number) else { return };
                    let mut figures = Figures::timed(scenario.name, |figures| (scenario.play)(figures, &setting));
                    for what in &mut figures.broken {
                        *what = format!("{}: {what}", scenario.name);
                    }
                    done.lock().unwrap_or_else(PoisonError::into_inner).insert(number, figures);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

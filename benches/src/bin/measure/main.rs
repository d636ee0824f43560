//! Measures parse, plan, apply and a plan without changes, over the number of instances, in every shape, and prints
//! Markdown tables: times, what they come to for one instance, and memory.
//!
//! ```text
//! measure [--runs N] [--cpu] [--parallelism N] [--shape NAME]… [INSTANCES …]
//! ```
//!
//! Every figure is the median of `--runs` new processes (5 unless given), each of which does everything once: what a
//! command line or a worker that just started sees. `--cpu` prints processor seconds of the whole process, which other
//! work on the machine disturbs less, in place of seconds on the wall. Sizes are those of the benchmarks unless given.

mod case;
mod counting;
mod table;

use std::process::{Command, ExitCode};

use stackwright::stack::ApplyOptions;
use stackwright_benches::{Shape, sizes};

use crate::{
    case::{Case, Phase, Sample, Storage},
    counting::Counting,
    table::{Clock, Line},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// The argument that tells a process to measure one case and print its sample.
const CASE: &str = "--case";

const USAGE: &str = "usage: measure [--runs N] [--cpu] [--parallelism N] [--shape NAME]… [INSTANCES …]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, case)) if first == CASE => Case::parse(case).map(|case| println!("{}", case.run(&ALLOCATOR))),
        _ => Wanted::parse(&arguments).and_then(|wanted| wanted.print()),
    };
    match done {
        Some(()) => ExitCode::SUCCESS,
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// What the command line asks for.
struct Wanted {
    runs: usize,
    clock: Clock,
    parallelism: usize,
    shapes: Vec<Shape>,
    sizes: Vec<usize>,
}

impl Wanted {
    fn parse(arguments: &[String]) -> Option<Self> {
        let parallelism = ApplyOptions::default().parallelism;
        let mut wanted = Self { runs: 5, clock: Clock::Wall, parallelism, shapes: Vec::new(), sizes: Vec::new() };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--runs" => wanted.runs = rest.next()?.parse().ok().filter(|runs| *runs > 0)?,
                "--parallelism" => wanted.parallelism = rest.next()?.parse().ok().filter(|most| *most > 0)?,
                "--cpu" => wanted.clock = Clock::Cpu,
                "--shape" => wanted.shapes.push(Shape::parse(rest.next()?)?),
                size => wanted.sizes.push(size.parse().ok().filter(|size| *size > 0)?),
            }
        }
        if wanted.shapes.is_empty() {
            wanted.shapes = Shape::ALL.to_vec();
        }
        if wanted.sizes.is_empty() {
            wanted.sizes = sizes();
        }
        Some(wanted)
    }

    fn print(&self) -> Option<()> {
        let mut lines = Vec::new();
        for &shape in &self.shapes {
            for &size in &self.sizes {
                let case = |storage, counts| Case { shape, size, storage, counts, parallelism: self.parallelism };
                let memory = self.median(&case(Storage::Memory, false))?;
                let sqlite = self.median(&case(Storage::Sqlite, false))?;
                let counted = sample(&case(Storage::Sqlite, true))?;
                lines.push(Line { shape, size, memory, sqlite, counted });
            }
        }
        table::print(&lines, self.clock);
        Some(())
    }

    /// Returns the median of every figure by itself.
    fn median(&self, case: &Case) -> Option<Sample> {
        let samples: Vec<Sample> = (0..self.runs).map(|_| sample(case)).collect::<Option<_>>()?;
        let middle = |figure: &dyn Fn(&Sample) -> u64| {
            let mut figures: Vec<u64> = samples.iter().map(figure).collect();
            figures.sort_unstable();
            figures.get(figures.len() / 2).copied().unwrap_or_default()
        };
        let phase = |at: usize| Phase {
            wall_ns: middle(&|sample| sample.phases[at].wall_ns),
            cpu_ns: middle(&|sample| sample.phases[at].cpu_ns),
            allocation_count: middle(&|sample| sample.phases[at].allocation_count),
        };
        Some(Sample { phases: [0, 1, 2, 3].map(phase), peak_bytes: middle(&|sample| sample.peak_bytes) })
    }
}

/// Measures a case in a process of its own.
fn sample(case: &Case) -> Option<Sample> {
    let this = std::env::current_exe().ok()?;
    let output = Command::new(this).arg(CASE).args(case.arguments()).output().ok()?;
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Sample::parse(&String::from_utf8(output.stdout).ok()?)
}

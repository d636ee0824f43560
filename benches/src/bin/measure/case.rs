use std::{
    fmt,
    hint::black_box,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use stackwright::stack::ApplyOptions;
use stackwright_benches::{Host, Shape, read};

use crate::counting::Counting;

/// Where state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    Memory,
    Sqlite,
}

/// What one process measures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) shape: Shape,
    pub(crate) size: usize,
    pub(crate) storage: Storage,
    /// Whether allocations are counted, which takes time.
    pub(crate) counts: bool,
    /// How many calls an apply makes at once.
    pub(crate) parallelism: usize,
}

/// What one phase took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Phase {
    pub(crate) wall_ns: u64,
    /// Processor time of all threads.
    pub(crate) cpu_ns: u64,
    pub(crate) allocation_count: u64,
}

/// What one process measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Parse, first plan, apply, plan without changes.
    pub(crate) phases: [Phase; 4],
    /// The most memory that the process ever had; 0 where the system does not tell.
    pub(crate) peak_bytes: u64,
}

impl Case {
    pub(crate) fn arguments(&self) -> [String; 5] {
        let storage = match self.storage {
            Storage::Memory => "memory",
            Storage::Sqlite => "sqlite",
        };
        let counts = if self.counts { "counted" } else { "timed" };
        [
            self.shape.name().to_owned(),
            self.size.to_string(),
            storage.to_owned(),
            counts.to_owned(),
            self.parallelism.to_string(),
        ]
    }

    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let [shape, size, storage, counts, parallelism] = arguments else { return None };
        Some(Self {
            shape: Shape::parse(shape)?,
            size: size.parse().ok()?,
            storage: if storage == "sqlite" { Storage::Sqlite } else { Storage::Memory },
            counts: counts == "counted",
            parallelism: parallelism.parse().ok()?,
        })
    }

    pub(crate) fn run(&self, allocator: &Counting) -> Sample {
        let text = self.shape.template(self.size);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        if self.counts {
            allocator.begin();
        }
        let watch = Watch { allocator };
        let options = ApplyOptions { parallelism: self.parallelism, ..ApplyOptions::default() };
        runtime.block_on(async {
            let host = match self.storage {
                Storage::Memory => Host::in_memory(),
                Storage::Sqlite => Host::in_sqlite().await,
            };
            let (parse, template) = watch.take(async { read(&text) }).await;
            let (first, plan) = watch.take(host.plan(&template)).await;
            let (apply, _) = watch.take(host.apply_with(plan, options)).await;
            let (again, plan) = watch.take(host.plan(&template)).await;
            assert!(plan.is_empty(), "what was applied needs nothing");
            Sample { phases: [parse, first, apply, again], peak_bytes: peak_bytes() }
        })
    }
}

struct Watch<'a> {
    allocator: &'a Counting,
}

impl Watch<'_> {
    async fn take<T>(&self, work: impl Future<Output = T>) -> (Phase, T) {
        let (wall, cpu, count) = (Instant::now(), processor_time(), self.allocator.count());
        let done = black_box(work.await);
        let phase = Phase {
            wall_ns: wall.elapsed().as_nanos() as u64,
            cpu_ns: processor_time().saturating_sub(cpu).as_nanos() as u64,
            allocation_count: self.allocator.count() - count,
        };
        (phase, done)
    }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).and_then(|text| text.parse().ok());
    kilobytes.unwrap_or(0_u64) * 1024
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for phase in &self.phases {
            write!(f, "{} {} {} ", phase.wall_ns, phase.cpu_ns, phase.allocation_count)?;
        }
        write!(f, "{}", self.peak_bytes)
    }
}

impl Sample {
    /// Reads what another process printed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split_whitespace().map(|word| word.parse().ok());
        let mut next = || numbers.next().flatten();
        let mut phases = [Phase::default(); 4];
        for phase in &mut phases {
            *phase = Phase { wall_ns: next()?, cpu_ns: next()?, allocation_count: next()? };
        }
        Some(Self { phases, peak_bytes: next()? })
    }
}

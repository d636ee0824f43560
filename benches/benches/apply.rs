//! How long it takes to carry out the first plan of a stack, over the number of instances, in every shape: with state in
//! memory, and durably in SQLite, as the program `stackwright` keeps it (a fact is on the disk before the next effect).
//!
//! Each round has a new engine and a new database; opening it is not measured, the seal on the plan and the end of the
//! run are. Throughput is in instances.

use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use stackwright_benches::{Host, Shape, read, sizes};

fn apply(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut group = criterion.benchmark_group("apply");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    for shape in Shape::ALL {
        for size in sizes() {
            let template = read(&shape.template(size));
            let plan = runtime.block_on(Host::in_memory().plan(&template));
            group.throughput(Throughput::Elements(size as u64));
            for store in ["memory", "sqlite"] {
                let id = BenchmarkId::new(format!("{store}/{}", shape.name()), size);
                group.bench_with_input(id, &plan, |b, plan| {
                    let setup = || match store {
                        "memory" => (Host::in_memory(), plan.clone()),
                        _ => (runtime.block_on(Host::in_sqlite()), plan.clone()),
                    };
                    let run = |(host, plan)| {
                        let report = runtime.block_on(Host::apply(&host, plan));
                        (host, report)
                    };
                    b.iter_batched(setup, run, BatchSize::PerIteration);
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, apply);
criterion_main!(benches);

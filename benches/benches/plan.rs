//! How long a plan takes, over the number of instances, in every shape: the first one, and the one that finds nothing to
//! do because everything was made.
//!
//! Throughput is in instances; where it falls with their number, something grows faster than they do.

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use stackwright_benches::{Host, Shape, read, sizes};

fn plan(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut group = criterion.benchmark_group("plan");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    for shape in Shape::ALL {
        for size in sizes() {
            let template = read(&shape.template(size));
            group.throughput(Throughput::Elements(size as u64));
            let host = Host::in_memory();
            group.bench_with_input(
                BenchmarkId::new(format!("first/{}", shape.name()), size),
                &template,
                |b, template| {
                    b.iter_with_large_drop(|| runtime.block_on(host.plan(black_box(template))));
                },
            );
            runtime.block_on(async { host.apply(host.plan(&template).await).await });
            let id = BenchmarkId::new(format!("unchanged/{}", shape.name()), size);
            group.bench_with_input(id, &template, |b, template| {
                b.iter_with_large_drop(|| runtime.block_on(host.plan(black_box(template))));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, plan);
criterion_main!(benches);

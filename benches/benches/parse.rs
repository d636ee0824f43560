//! How fast text is read, printed and laid out, in bytes per second on one core.

use std::{fmt::Write as _, hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stackwright::{error::SourceId, template::hcl};

/// Returns a template of at least `bytes` bytes: resource blocks with attributes, nested blocks, templates, lists.
fn template(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 1024);
    let mut idx = 0;
    while text.len() < bytes {
        idx += 1;
        let _ = write!(
            text,
            r#"
# Machine number {idx}: web tier.
resource "acme_instance" "web_{idx}" {{
  count         = var.enabled ? {count} : 0
  ami           = data.acme_image.base.id
  instance_type = "t3.micro"
  name          = "web-${{var.environment}}-{idx}-${{count.index + 1}}"
  subnet_ids    = [acme_subnet.a.id, acme_subnet.b[0].id, "subnet-{idx}"]
  ports         = [80, 443, 8080, 9000 + {idx}]
  enabled       = true && !var.disabled

  tags = merge(local.common_tags, {{
    Name  = "web-{idx}"
    Owner = "team-{team}"
  }})

  disk {{
    size = 100
    type = "ssd"
  }}

  ingress {{
    description = "from everywhere"
    cidr_blocks = [for zone in var.zones : zone.cidr if zone.public]
  }}

  lifecycle {{
    create_before_destroy = true
    ignore_changes        = [tags["Updated"], user_data]
  }}
}}
"#,
            count = idx % 5,
            team = idx % 17,
        );
    }
    text
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hcl");
    group.sample_size(20).measurement_time(Duration::from_secs(6));
    for megabytes in [1, 5] {
        let text = template(megabytes * 1_000_000);
        let (body, problems) = hcl::parse(SourceId(0), &text);
        assert!(problems.is_empty(), "the generated template is well-formed");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::new("parse", megabytes), &text, |bench, text| {
            bench.iter_with_large_drop(|| hcl::parse(SourceId(0), black_box(text)));
        });
        if megabytes == 1 {
            group.bench_with_input(BenchmarkId::new("format", megabytes), &text, |bench, text| {
                bench.iter_with_large_drop(|| hcl::format(black_box(text)));
            });
            group.bench_with_input(BenchmarkId::new("print", megabytes), &body, |bench, body| {
                bench.iter_with_large_drop(|| hcl::print(black_box(body)));
            });
        }
    }
    group.finish();
}

/// Texts that are wrong everywhere: what is slow here by orders of magnitude is quadratic.
fn read_broken(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hcl-broken");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    let units = [
        ("heredocs", "a = <<X\n"),
        ("strings", "a = \"\n"),
        ("quotes", "\""),
        ("sequences", "\"${"),
        ("brackets", "a = [\n"),
        ("blocks", "a {\n"),
        ("foreign", "'x',"),
        ("escapes", "\\q"),
    ];
    for (name, unit) in units {
        let text = format!("a = \"{}", unit.repeat(1_000_000 / unit.len()));
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), &text, |bench, text| {
            bench.iter_with_large_drop(|| hcl::parse(SourceId(0), black_box(text)));
        });
    }
    group.finish();
}

criterion_group!(benches, read, read_broken);
criterion_main!(benches);

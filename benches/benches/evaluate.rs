//! How fast expressions are evaluated, on one core.
//!
//! `simple/*` are expressions as templates have them most; their throughput is in expressions. `for/*` walk a list of so
//! many elements, `instance/*` refer to one of so many instances: the former must grow linearly, the latter not at all.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stackwright::{
    address::InstanceKey,
    error::{Diagnostic, SourceId, Span},
    template::{
        eval::{Budget, Evaluator, Functions, Options, Request, Resolution, Scope},
        hcl,
        syntax::Expr,
    },
    value::{Type, Value},
};

struct Host {
    list: Value,
    instances: Vec<Value>,
}

impl Host {
    fn new(count: usize) -> Self {
        let list = Value::list(Type::Number, (0..count).map(Value::number).collect());
        let object =
            |idx: usize| Value::object([("id", Value::string(format!("i-{idx}"))), ("idx", Value::number(idx))]);
        Self { list, instances: (0..count).map(object).collect() }
    }
}

impl Scope for Host {
    fn resolve(&self, request: &Request<'_>, span: Span) -> Resolution {
        match request {
            Request::Variable("list") => Resolution::Value(self.list.clone()),
            Request::Variable(_) => Resolution::Value(Value::string("web")),
            Request::CountIndex => Resolution::Value(Value::number(7)),
            Request::Resource { key: Some(InstanceKey::Int(idx)), .. } => {
                Resolution::Value(self.instances[usize::try_from(*idx).expect("an index")].clone())
            }
            _ => Resolution::Failed(Diagnostic::error("template.reference", "not declared").at(span)),
        }
    }
}

fn parsed(text: &str) -> Expr {
    let (expr, problems) = hcl::parse_expression(SourceId(0), text);
    assert_eq!(problems, []);
    expr
}

fn simple(criterion: &mut Criterion) {
    let host = Host::new(10);
    let functions = Functions::standard();
    let mut group = criterion.benchmark_group("evaluate/simple");
    group.throughput(Throughput::Elements(1));
    for (name, text) in [
        ("literal", "\"web\""),
        ("variable", "var.name"),
        ("instance", "acme_server.web[count.index].id"),
        ("template", "\"${var.name}-${count.index}\""),
        ("arithmetic", "count.index * 2 + 1"),
        ("conditional", "var.name == \"web\" ? 1 : 2"),
        ("call", "upper(var.name)"),
        ("object", "{ name = var.name, size = 2 }"),
    ] {
        let expr = parsed(text);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut evaluator = Evaluator::new(&host, &functions, Options::default());
                let value = evaluator.eval(black_box(&expr));
                (value, evaluator.finish())
            });
        });
    }
    group.finish();
}

fn loops(criterion: &mut Criterion) {
    let functions = Functions::standard();
    let mut group = criterion.benchmark_group("evaluate/for");
    group.sample_size(10);
    for count in [1_000, 10_000, 100_000] {
        let host = Host::new(count);
        group.throughput(Throughput::Elements(count as u64));
        for (name, text) in [
            ("tuple", "[for x in var.list : x + 1 if x % 2 == 0]"),
            ("object", "{ for i, x in var.list : \"k${i}\" => x }"),
        ] {
            let expr = parsed(text);
            let options = Options { budget: Budget::default(), ..Options::default() };
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| Evaluator::new(&host, &functions, options).eval(black_box(&expr)));
            });
        }
    }
    group.finish();
}

fn instances(criterion: &mut Criterion) {
    let functions = Functions::standard();
    let expr = parsed("acme_server.web[count.index].id");
    let mut group = criterion.benchmark_group("evaluate/instance");
    for count in [100, 10_000, 100_000] {
        let host = Host::new(count);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| Evaluator::new(&host, &functions, Options::default()).eval(black_box(&expr)));
        });
    }
    group.finish();
}

criterion_group!(benches, simple, loops, instances);
criterion_main!(benches);

//! How fast forms are evaluated, on one core.
//!
//! `form/eval` takes forms of so many fields, filled in: every third refers to one before it in a condition, every fifth in a
//! default, every seventh has options, and each has a rule. It must grow linearly, and 200 fields must take under a millisecond.

use std::{fmt::Write as _, hint::black_box};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stackwright::{
    error::SourceId,
    form::{Context, Form, Inputs, Widgets, eval, lint},
    value::Value,
};

fn document(count: usize) -> String {
    let mut text = String::from("fields:\n");
    for idx in 0..count {
        let before = idx.saturating_sub(1) / 3 * 3;
        let _ = writeln!(text, "- name: f{idx}\n  label: {{ en: Field {idx}, zh: 字段 {idx} }}\n  required: false");
        let _ = match idx % 7 {
            6 => writeln!(text, "  widget: select\n  options: [a, b, c, d]\n  default: a"),
            _ => writeln!(text, "  widget: number\n  validators: [ {{ min: 0, max: 1000, message: 0 to 1000 }} ]"),
        };
        if idx % 3 == 2 {
            let _ = writeln!(text, "  when: {{ ge: {{ a: \"${{f{before}}}\", b: 0 }} }}");
        }
        if idx % 5 == 4 && idx % 7 != 6 {
            let _ = writeln!(text, "  default: \"${{f{} == null ? 1 : 2}}\"", idx - 1);
        }
    }
    text
}

fn form(count: usize) -> (Form, Inputs) {
    let (form, problems) = Form::parse(SourceId(0), "form.yaml", &document(count), &Widgets::standard());
    assert_eq!(problems, []);
    let inputs = (0..count).filter(|idx| idx % 7 != 6 && idx % 5 != 4);
    let inputs = inputs.fold(Inputs::default(), |inputs, idx| inputs.set(format!("f{idx}"), Value::number(idx % 1000)));
    (form, inputs)
}

fn evaluate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("form/eval");
    for count in [50, 200, 800, 3200] {
        let (form, inputs) = form(count);
        let context = Context::default();
        assert!(eval(&form, &inputs, &context).ready);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_with_input(BenchmarkId::from_parameter(count), &count, |bencher, _| {
            bencher.iter(|| eval(black_box(&form), black_box(&inputs), &context));
        });
    }
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("form/parse");
    let text = document(200);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("200", |bencher| {
        bencher.iter(|| Form::parse(SourceId(0), "form.yaml", black_box(&text), &Widgets::standard()));
    });
    group.finish();
    let (form, _) = form(200);
    criterion.bench_function("form/lint/200", |bencher| bencher.iter(|| lint(black_box(&form), None)));
}

criterion_group!(benches, evaluate, read);
criterion_main!(benches);

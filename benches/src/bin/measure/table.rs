use stackwright_benches::Shape;

use crate::case::{Phase, Sample};

/// Which time is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    Wall,
    Cpu,
}

/// What was measured of a shape at one size.
pub(crate) struct Line {
    pub(crate) shape: Shape,
    pub(crate) size: usize,
    pub(crate) memory: Sample,
    pub(crate) sqlite: Sample,
    /// Counted in a process of its own.
    pub(crate) counted: Sample,
}

impl Line {
    /// Returns parse, plan, apply in memory, apply in SQLite, plan without changes.
    fn phases(&self) -> [Phase; 5] {
        let [parse, plan, durable, again] = self.sqlite.phases;
        let [_, _, volatile, _] = self.memory.phases;
        [parse, plan, volatile, durable, again]
    }
}

/// Prints the tables.
pub(crate) fn print(lines: &[Line], clock: Clock) {
    let time = |phase: &Phase| match clock {
        Clock::Wall => phase.wall_ns,
        Clock::Cpu => phase.cpu_ns,
    };
    let unit = if clock == Clock::Cpu { "processor milliseconds" } else { "milliseconds" };
    println!("In {unit}:\n");
    println!(
        "| shape | instances | parse | plan | apply, memory | apply, SQLite | plan without changes | peak memory |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for line in lines {
        let cells: String = line.phases().iter().map(|phase| format!(" {} |", milliseconds(time(phase)))).collect();
        let megabytes = line.sqlite.peak_bytes as f64 / 1e6;
        println!("| {} | {} |{cells} {megabytes:.0} MB |", line.shape.name(), grouped(line.size));
    }
    println!("\nFor one instance, in microseconds, in kilobytes of peak memory, and in allocations:\n");
    println!(
        "| shape | instances | parse | plan | apply, memory | apply, SQLite | plan without changes | memory | allocations: plan | apply | plan without changes |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for line in lines {
        let each = |figure: u64, unit: f64| figure as f64 / unit / line.size as f64;
        let cells: String = line.phases().iter().map(|phase| format!(" {:.1} |", each(time(phase), 1e3))).collect();
        let kilobytes = each(line.sqlite.peak_bytes, 1e3);
        let [_, plan, apply, again] = line.counted.phases.map(|phase| each(phase.allocation_count, 1.0));
        println!(
            "| {} | {} |{cells} {kilobytes:.1} | {plan:.0} | {apply:.0} | {again:.0} |",
            line.shape.name(),
            grouped(line.size)
        );
    }
}

/// Three digits that mean something.
fn milliseconds(ns: u64) -> String {
    match ns as f64 / 1e6 {
        ms if ms < 10.0 => format!("{ms:.2}"),
        ms if ms < 100.0 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    }
}

/// `12345` as `12,345`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

//! Prints a template of a shape: `shape pair 2000 > main.tf`.

use std::process::ExitCode;

use stackwright_benches::Shape;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match arguments.as_slice() {
        [name, count] => Shape::parse(name).zip(count.parse().ok()),
        _ => None,
    };
    match parsed {
        Some((shape, count)) => {
            print!("{}", shape.template(count));
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("usage: shape flat|count|pair|for_each|layered|chain INSTANCES");
            ExitCode::from(2)
        }
    }
}

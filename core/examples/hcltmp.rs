#![allow(missing_docs)]
use stackwright::{error::*, template::hcl};
use std::io::Read;
fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let mut sources = Sources::new();
    let id = sources.add("t.tf", text.clone());
    let mode = std::env::args().nth(1).unwrap_or_default();
    let d = match mode.as_str() {
        "expr" => {
            let (e, d) = hcl::parse_expression(id, &text);
            println!("{:?}", e.without_spans().kind);
            d
        }
        "tpl" => {
            let (e, d) = hcl::parse_template(id, &text);
            println!("{:?}", e.without_spans().kind);
            d
        }
        "tree" => {
            let (b, d) = hcl::parse(id, &text);
            println!("{b:#?}");
            d
        }
        _ => {
            let (_, d) = hcl::parse(id, &text);
            d
        }
    };
    print!("{}", render_all(&d, &sources, RenderOptions::default()));
    println!("-- {} problems", d.len());
}

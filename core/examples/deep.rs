#![allow(missing_docs)]
use stackwright::{error::*, template::hcl};
fn main() {
    for unit in [
        "[",
        "(",
        "{a=",
        "f(",
        "-",
        "!",
        "\"${",
        "a?",
        "a[",
        "b{\n",
        "{for x in ",
        "<<A\n${",
        "%{if a}",
        "x[*]",
        "a?b:",
        "a = <<X\n",
        "a = \"${\n",
        "a = \"\n",
        "a = [\n",
        "a {\n",
        "}\n",
        "a = {\n",
        "a = 'x\n",
        "a = 1, b = 2\n",
        "\"",
        "${",
        "%{",
        "a = <<\"X\"\n",
        "/*",
        "a b c\n",
        "{a=1}",
        "a=b,",
        "a = \"${'\n",
        "x = {a=1,",
        "<<A\n",
        "a=1 ",
        "'x',",
        "\\q",
        "${a b}",
    ] {
        let text = unit.repeat(200_000 / unit.len());
        for (i, text) in [
            format!("a = {text}"),
            text.clone(),
            format!("a = [{text}"),
            format!("a = \"{text}"),
            format!("a {{\n{text}"),
        ]
        .into_iter()
        .enumerate()
        {
            for k in 0..3 {
                let t = std::time::Instant::now();
                let n = match k {
                    0 => hcl::parse(SourceId(0), &text).1.len(),
                    1 => hcl::parse_template(SourceId(0), &text).1.len(),
                    _ => hcl::parse_expression(SourceId(0), &text).1.len(),
                };
                if t.elapsed().as_millis() > 150 {
                    println!("{unit:?} {i} {k} {n} {:?}", t.elapsed());
                }
            }
        }
    }
}

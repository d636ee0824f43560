#![allow(missing_docs)]
use stackwright::{error::*, template::hcl};
fn main() {
    let s = include_str!("../src/template/hcl/testdata/sample.tf");
    let mut n = 0;
    let mut total = 0;
    for (at, c) in s.char_indices().filter(|(_, c)| !c.is_alphanumeric()) {
        let t = format!("{}{}", &s[..at], &s[at + c.len_utf8()..]);
        let (_, p) = hcl::parse(SourceId(0), &t);
        total += 1;
        if p.len() > 1 {
            n += 1;
            let line = s[..at].rfind('\n').map_or(0, |i| i + 1);
            println!("##### -{c:?} in {:?} => {}", &s[line..].lines().next().unwrap(), p.len());
            let mut sources = Sources::new();
            sources.add("t.tf", t);
            println!("{}", render_all(&p, &sources, RenderOptions::default()));
        }
    }
    println!("{n} of {total}");
}

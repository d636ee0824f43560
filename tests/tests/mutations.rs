//! Broken templates end in diagnostics or in a plan, never in a panic or a hang.
//!
//! `STACKWRIGHT_MUTATIONS` sets how many of each template are tried; a seed makes them the same every time.

use std::{path::Path, time::Duration};

use stackwright::{
    error::{Diagnostics as _, RenderOptions, render_all},
    resource::TerraformData,
    stack::{Engine, PlanOptions},
    state::{
        MemoryStore,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Options, Template},
    value::Value,
};

/// SplitMix64 (Steele et al. 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }
}

/// Returns the text cut into words, runs of space and single other characters.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let class = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 1,
        ' ' => 2,
        _ => 0,
    };
    for character in text.chars() {
        match tokens.last_mut() {
            Some(last) if class(character) != 0 && last.chars().next().map(class) == Some(class(character)) => {
                last.push(character);
            }
            _ => tokens.push(character.to_string()),
        }
    }
    tokens
}

const STRANGE: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "\"",
    "${",
    "%{",
    "<<EOT\n",
    "=",
    "==",
    "...",
    ".",
    "*",
    "null",
    "-1",
    "1e400",
    "\u{0}",
    "9999999999999999999999",
    "each.key",
    "count.index",
    "self",
    "[for x in y : x]",
    "var.replica_count",
    "\u{1F600}",
    "module",
    "dynamic",
    "range(1000000000)",
    "regex(\"(\", \"x\")",
    "1/0",
    "!",
    "?:",
    "//",
    "/*",
    "é",
    "\r\n",
];

/// Returns the text with one to four things done to it.
fn mutate(text: &str, random: &mut Random) -> String {
    let mut words = tokens(text);
    for _ in 0..=random.below(4) {
        if words.is_empty() {
            break;
        }
        let at = random.below(words.len());
        let other = random.below(words.len());
        match random.below(7) {
            0 => {
                let end = (at + 1 + random.below(12)).min(words.len());
                words.drain(at..end);
            }
            1 => words.swap(at, other),
            2 => words[at] = words[other].clone(),
            3 => words.insert(at, STRANGE[random.below(STRANGE.len())].to_owned()),
            4 => words[at] = STRANGE[random.below(STRANGE.len())].to_owned(),
            5 => {
                let end = (at + 1 + random.below(40)).min(words.len());
                let copy = words[at..end].to_vec();
                words.splice(other..other, copy);
            }
            _ => words.truncate(at),
        }
    }
    words.concat()
}

fn count() -> usize {
    std::env::var("STACKWRIGHT_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(250)
}

async fn try_one(engine: &Engine, text: &str, seed: usize) -> bool {
    let files = Files::from_texts([("main.tf", text)]);
    let (template, mut problems) = Template::parse(&files, &Options::default());
    let stack = engine.stack("tests", format!("case-{seed}"));
    problems.extend(stack.validate(&template));
    problems.tidy();
    // Drawing them must not fail either, wherever their spans are.
    let drawn = render_all(&problems, template.sources(), RenderOptions::default());
    assert_eq!(drawn.is_empty(), problems.is_empty());
    if problems.has_errors() {
        if seed == 0 {
            println!("{drawn}");
        }
        return false;
    }
    let mut options = PlanOptions::default()
        .variable("program", Value::string("/bin/true"))
        .variable("names", Value::tuple(vec![Value::string("a")]));
    options.variables.values.retain(|name, _| template.root().variables.contains_key(name));
    match stack.plan(&template, options).await {
        Ok(plan) => !plan.to_string().is_empty(),
        Err(error) => {
            if seed == 0 {
                println!(
                    "{}\n{}",
                    error.report(),
                    render_all(error.diagnostics(), template.sources(), RenderOptions::default())
                );
            }
            assert_ne!(error.kind(), stackwright::ErrorKind::Bug, "seed {seed}: {}\n{text}", error.report());
            false
        }
    }
}

fn sweep(name: &str, text: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let engine = Engine::builder()
        .store(MemoryStore::new())
        .cipher(AesGcmCipher::new(Key::generate().expect("random bytes")))
        .provider(stackwright_provider_local::provider())
        .resource("acme_bucket", TerraformData)
        .build()
        .expect("a complete engine");
    assert!(runtime.block_on(try_one(&engine, text, 0)) || name == "embed-rust", "{name} itself does not plan");
    // The timer of the bound needs the runtime around it.
    let _inside = runtime.enter();
    let mut planned = 0;
    for seed in 1..=count() {
        let mutated = mutate(text, &mut Random(seed as u64));
        // The bound only turns a hang into a failure; it is far above what any case takes.
        let bounded = tokio::time::timeout(Duration::from_secs(120), try_one(&engine, &mutated, seed));
        let ended = runtime.block_on(bounded);
        planned += usize::from(ended.unwrap_or_else(|_| panic!("{name}, seed {seed} hangs:\n{mutated}")));
    }
    println!("{name}: {} mutations, {planned} still plan", count());
    assert!(planned > 0, "every mutation breaks {name}: the mutations are too rough to test anything");
}

fn example(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("in the workspace");
    std::fs::read_to_string(root.join(path)).expect("an example")
}

#[test]
fn guestbook() {
    sweep("guestbook", &example("examples/guestbook/main.tf"));
}

#[test]
fn embed_rust() {
    let source = example("examples/embed-rust/src/main.rs");
    let template = source.split("r#\"").nth(1).and_then(|rest| rest.split("\"#").next()).expect("its template");
    // The type here takes `input` instead of the example's own attributes.
    let template = template
        .replace("name      =", "input     =")
        .replace("versioned = each.key == \"logs\"", "")
        .replace("bucket.url", "bucket.output");
    sweep("embed-rust", &template);
}

//! What Terraform said once of expressions, against what we say of them now. No Terraform is needed.

use std::path::Path;

use stackwright::template::eval::builtin_functions;
use stackwright_oracle::{
    Outcome,
    census::Census,
    compare::{self, Difference},
    coverage::{Coverage, FORMS},
    deliberate::{CHANCE, RULES},
    grammar::{Grammar, function_names},
    ours,
    vectors::{self, Vector},
    world::World,
};

fn recorded() -> Vec<(String, Vec<Vector>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let texts = vectors::texts(&folder, ".jsonl").expect("the folder of the vectors");
    texts.into_iter().map(|(name, text)| (name, vectors::read(&text).expect("vectors"))).collect()
}

#[test]
fn we_say_what_terraform_said() {
    let world = World::new();
    let (mut count, mut differences) = (0, Vec::new());
    for (_, vectors) in recorded() {
        for Vector { expression, outcome, meant, .. } in vectors {
            count += 1;
            let found = ours::evaluate(&world, &expression);
            match (compare::difference(&found.outcome, &outcome), meant) {
                (Some(kind), None) => {
                    differences.push(Difference { expression, kind, ours: found.outcome, theirs: outcome });
                }
                (Some(_), Some(rule)) => assert!(RULES.iter().any(|own| own.name == rule), "{rule}: {expression}"),
                (None, Some(rule)) => panic!("{rule}: {expression} does not differ any more"),
                (None, None) => {}
            }
        }
    }
    assert!(count > 4000, "there are {count} vectors");
    assert!(differences.is_empty(), "{count} vectors\n{}", compare::report(&differences, 20));
}

#[test]
fn every_function_and_every_rule_has_vectors() {
    let census = Census::of(recorded().iter().flat_map(|(_, vectors)| vectors));
    let own = builtin_functions();
    assert!(own.iter().all(|own| census.tallies.keys().any(|name| name.ends_with(own.name()))));
    assert!(census.tallies.len() >= 118 + own.len(), "{}", census.tallies.len());
    assert!(census.thin().is_empty(), "too few vectors:\n{}", census.thin().join("\n"));
}

#[test]
fn what_is_meant_is_written_down() {
    let text = include_str!("../../../docs/design/language.md");
    let (_, table) = text.split_once("## What we do differently on purpose").expect("the section");
    let names = RULES.iter().map(|rule| rule.name).chain([CHANCE]);
    let missing: Vec<&str> = names.filter(|name| !table.contains(&format!("\n| {name} |"))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn the_grammar_reaches_everything() {
    let world = World::new();
    let mut grammar = Grammar::new(99);
    let mut coverage = Coverage::default();
    let (count, mut good, mut unknown, mut marked) = (4000, 0, 0, 0);
    for _ in 0..count {
        let found = ours::evaluate(&world, &grammar.next_expression());
        coverage.add(&found.expr);
        match found.outcome {
            Outcome::Value(text) => {
                good += 1;
                unknown += usize::from(text.contains('?'));
                marked += usize::from(text.contains("!s"));
            }
            Outcome::Error(message) => assert_ne!(message, "PANIC"),
        }
    }
    let names = function_names().map(|name| format!("fn {name}")).chain(FORMS.iter().map(|form| (*form).to_owned()));
    let missing: Vec<String> = names.filter(|name| coverage.count(name) == 0).collect();
    assert_eq!(missing, Vec::<String>::new());
    assert!(good * 100 >= count * 40, "{good} of {count} succeed");
    assert!(unknown * 100 >= count * 15, "{unknown} of {count} have unknowns");
    assert!(marked * 100 >= count * 15, "{marked} of {count} have marks");
}

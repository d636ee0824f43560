//! `oracle run`: makes expressions and compares what they are worth here and in Terraform.
//! `oracle record`: writes down what Terraform says of expressions, to be replayed without it.
//! `oracle census`: says how many vectors each function and each rule has, and which have too few.
//! `oracle ask`: compares expressions from standard input, one a line.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Instant,
};

use stackwright_oracle::{
    Outcome,
    census::Census,
    compare::{self, Difference},
    coverage::{Coverage, FORMS},
    deliberate::{self, Case, Meant},
    grammar::{Grammar, function_names},
    ours::{self, Found},
    terraform,
    vectors::{self, Vector},
    world::World,
};

/// Expressions that Terraform plans at once: what it takes for one grows with the others.
const BATCH: usize = 300;

/// How often Terraform is asked again where it differs: some of its answers are up to chance.
const AGAIN: usize = 6;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some("run") => run(number(&arguments, 1, 2000), number(&arguments, 2, 1) as u64),
        Some("record") => record(number(&arguments, 1, 4000), number(&arguments, 2, 1) as u64),
        Some("ask") => ask(),
        Some("census") => census(),
        Some("show") => show(number(&arguments, 1, 20), number(&arguments, 2, 1) as u64),
        _ => Err("usage: oracle run|record|show [EXPRESSIONS [SEED]], oracle ask, oracle census".to_owned()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

fn number(arguments: &[String], idx: usize, or: usize) -> usize {
    arguments.get(idx).and_then(|text| text.parse().ok()).unwrap_or(or)
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn needs_terraform() -> Result<(), String> {
    let version = terraform::version().ok_or("there is no `terraform` on PATH")?;
    say(&format!("terraform {version}"));
    if !version.starts_with("1.11.") {
        return Err("the edition that is compared is that of terraform 1.11".to_owned());
    }
    Ok(())
}

/// What we say, with the expressions that we refuse apart: in Terraform they need rounds of their own.
fn judge(world: &World, expressions: &[String]) -> Result<Vec<(Found, Outcome)>, String> {
    let found: Vec<Found> = expressions.iter().map(|text| ours::evaluate(world, text)).collect();
    let mut theirs: BTreeMap<usize, Outcome> = BTreeMap::new();
    for refused in [false, true] {
        let wanted: Vec<usize> = (0..found.len())
            .filter(|idx| !found[*idx].is_infinite && found[*idx].outcome.is_error() == refused)
            .collect();
        for batch in wanted.chunks(BATCH) {
            let texts: Vec<String> = batch.iter().map(|idx| expressions[*idx].clone()).collect();
            theirs.extend(batch.iter().copied().zip(terraform::evaluate(&texts)?));
        }
    }
    let pair = |(idx, found): (usize, Found)| {
        let theirs = theirs.remove(&idx).unwrap_or_else(|| found.outcome.clone());
        (found, theirs)
    };
    Ok(found.into_iter().enumerate().map(pair).collect())
}

/// The differences, and how many are meant; `meant` gets the rule of each expression that falls under one.
fn differences(
    world: &World,
    expressions: &[String],
    judged: &[(Found, Outcome)],
    meant: &mut BTreeMap<String, &'static str>,
) -> Result<(Vec<Difference>, Meant), String> {
    let (mut list, mut counts) = (Vec::new(), Meant::new());
    for (text, (ours, theirs)) in expressions.iter().zip(judged) {
        if ours.is_infinite {
            *counts.entry("infinite numbers").or_default() += 1;
        }
        let Some(kind) = compare::difference(&ours.outcome, theirs) else { continue };
        match deliberate::rule(&Case { world, text, ours, theirs, kind }) {
            Some(rule) => {
                *counts.entry(rule.name).or_default() += 1;
                meant.insert(text.clone(), rule.name);
            }
            None => list.push(Difference {
                expression: text.clone(),
                kind,
                ours: ours.outcome.clone(),
                theirs: theirs.clone(),
            }),
        }
    }
    for _ in 0..AGAIN {
        if list.is_empty() {
            break;
        }
        let texts: Vec<String> = list.iter().map(|difference| difference.expression.clone()).collect();
        let mut answers = terraform::evaluate(&texts)?.into_iter();
        list.retain(|difference| {
            // What Terraform says otherwise the second time (hashes of its folder's path, too) is nobody's rule.
            let agrees = answers.next().is_some_and(|answer| answer == difference.ours || answer != difference.theirs);
            if agrees {
                *counts.entry(deliberate::CHANCE).or_default() += 1;
                meant.insert(difference.expression.clone(), deliberate::CHANCE);
            }
            !agrees
        });
    }
    Ok((list, counts))
}

fn run(count: usize, seed: u64) -> Result<bool, String> {
    needs_terraform()?;
    let world = World::new();
    let mut grammar = Grammar::new(seed);
    let (mut coverage, mut all, mut meant) = (Coverage::default(), Vec::new(), Meant::new());
    let (mut good, mut unknown, mut marked) = (0, 0, 0);
    let begin = Instant::now();
    let mut done = 0;
    while done < count {
        let expressions: Vec<String> = (0..BATCH.min(count - done)).map(|_| grammar.next_expression()).collect();
        let judged = judge(&world, &expressions)?;
        for (found, theirs) in &judged {
            coverage.add(&found.expr);
            if let Outcome::Value(text) = theirs {
                good += 1;
                unknown += usize::from(text.contains('?'));
                marked += usize::from(text.contains("!s"));
            }
        }
        let (mut found, rules) = differences(&world, &expressions, &judged, &mut BTreeMap::new())?;
        all.append(&mut found);
        for (name, count) in rules {
            *meant.entry(name).or_default() += count;
        }
        done += expressions.len();
        let _ = write!(std::io::stderr(), "\r{done} of {count}, {} differ ", all.len());
    }
    let _ = writeln!(std::io::stderr());
    say(&compare::report(&all, 40));
    let share = |part: usize| 100.0 * part as f64 / done.max(1) as f64;
    say(&format!(
        "{done} expressions in {:.0} s: {:.1} % succeed, {:.1} % with unknowns, {:.1} % with marks",
        begin.elapsed().as_secs_f64(),
        share(good),
        share(unknown),
        share(marked)
    ));
    for (name, count) in meant {
        say(&format!("meant: {count} × {name}"));
    }
    let wanted = function_names().map(|name| format!("fn {name}")).chain(FORMS.iter().map(|form| (*form).to_owned()));
    let missing: Vec<String> = wanted.filter(|name| coverage.count(name) == 0).collect();
    say(&format!("{} functions and forms reached, not reached: {missing:?}", coverage.counts.len()));
    say(&format!("{} differences", all.len()));
    Ok(all.is_empty())
}

fn census() -> Result<bool, String> {
    let census = Census::of_vectors(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors"))?;
    say(&census.table());
    let thin = census.thin();
    say(&format!("{} functions and rules, {} with too few: {thin:?}", census.tallies.len(), thin.len()));
    Ok(thin.is_empty())
}

fn show(count: usize, seed: u64) -> Result<bool, String> {
    let world = World::new();
    let mut grammar = Grammar::new(seed);
    for _ in 0..count {
        let text = grammar.next_expression();
        say(&format!("{text}\n    {:?}", ours::evaluate(&world, &text).outcome));
    }
    Ok(true)
}

fn ask() -> Result<bool, String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| error.to_string())?;
    let expressions: Vec<String> = vectors::by_hand(&text).into_iter().map(|(_, expression)| expression).collect();
    let world = World::new();
    let judged = judge(&world, &expressions)?;
    for (expression, (found, theirs)) in expressions.iter().zip(&judged) {
        let differs =
            compare::difference(&found.outcome, theirs).map_or(String::new(), |kind| format!("  <-- {kind:?}"));
        say(&format!("{expression}{differs}\n  terraform: {theirs:?}"));
        if !differs.is_empty() || found.outcome.is_error() {
            say(&format!("  ours:      {:?}", found.outcome));
        }
    }
    let mut meant = BTreeMap::new();
    let (list, _) = differences(&world, &expressions, &judged, &mut meant)?;
    for (expression, rule) in meant {
        say(&format!("meant: {expression}: {rule}"));
    }
    Ok(list.is_empty())
}

fn record(count: usize, seed: u64) -> Result<bool, String> {
    needs_terraform()?;
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let world = World::new();
    let mut sound = true;
    let mut save = |name: &str, list: Vec<(String, String)>| -> Result<(), String> {
        let expressions: Vec<String> = list.iter().map(|(_, expression)| expression.clone()).collect();
        let judged = judge(&world, &expressions)?;
        let mut meant = BTreeMap::new();
        let (found, _) = differences(&world, &expressions, &judged, &mut meant)?;
        sound &= found.is_empty();
        let open: Vec<&String> = found.iter().map(|difference| &difference.expression).collect();
        say(&format!("{name}: {} expressions, {} differences", list.len(), found.len()));
        say(&compare::report(&found, 20));
        let vectors: Vec<Vector> = list
            .into_iter()
            .zip(judged)
            .filter(|((_, expression), (found, _))| !found.is_infinite && !open.contains(&expression))
            .map(|((about, expression), (_, outcome))| {
                let meant = meant.get(&expression).map(|rule| (*rule).to_owned());
                Vector { about, expression, outcome, meant }
            })
            // What is up to chance has no outcome that could be written down.
            .filter(|vector| vector.meant.as_deref() != Some(deliberate::CHANCE))
            .collect();
        std::fs::write(root.join("vectors").join(name), vectors::write(&vectors)).map_err(|error| error.to_string())
    };
    for (name, text) in vectors::texts(&root.join("hand"), ".txt").map_err(|error| error.to_string())? {
        save(&name.replace(".txt", ".jsonl"), vectors::by_hand(&text))?;
    }
    let mut grammar = Grammar::new(seed);
    let made = (0..count).map(|_| (String::new(), grammar.next_expression())).collect();
    save("random.jsonl", made)?;
    Ok(sound)
}

//! How many vectors each function and each rule of the language has.

use std::{collections::BTreeMap, path::Path};

use stackwright::template::Edition;

use crate::{
    Outcome,
    vectors::{self, Vector},
    world::World,
};

/// Vectors that a function or a rule has at least.
pub const LEAST: usize = 5;

/// The rules that vectors are about, beside the functions: what `docs/design/language.md` promises to be as in Terraform.
pub const RULES: &[&str] = &[
    "rule arithmetic",
    "rule conditional",
    "rule conversion",
    "rule equality",
    "rule for",
    "rule function call",
    "rule heredoc",
    "rule index",
    "rule lexical",
    "rule logic",
    "rule marks",
    "rule null",
    "rule number text",
    "rule object",
    "rule reference",
    "rule splat",
    "rule template",
    "rule text",
    "rule unknown",
];

/// How many vectors are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// They succeed with plain arguments.
    pub valid: usize,
    /// They succeed although something is null, empty, negative, fractional, huge, not ASCII, sensitive or not known.
    pub edge: usize,
    /// They fail.
    pub invalid: usize,
}

impl Tally {
    /// Returns whether that is too few, or all of one kind.
    pub fn is_thin(self) -> bool {
        self.valid + self.edge + self.invalid < LEAST || self.valid == 0 || self.edge == 0 || self.invalid == 0
    }

    fn add(&mut self, vector: &Vector) {
        match vector.outcome {
            Outcome::Error(_) => self.invalid += 1,
            Outcome::Value(_) if is_edge(&vector.expression) => self.edge += 1,
            Outcome::Value(_) => self.valid += 1,
        }
    }
}

/// What each function and each rule has.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// By name: `upper`, `provider::terraform::encode_expr`, `rule splat`.
    pub tallies: BTreeMap<String, Tally>,
}

impl Census {
    /// Counts vectors. Every function of edition `1.11` and every rule is in it, with or without vectors.
    pub fn of<'v>(list: impl IntoIterator<Item = &'v Vector>) -> Self {
        let world = World::new();
        let known = world.functions.iter().filter(|function| function.edition() == Edition::V1_11);
        // `type` belongs to a console alone, and there the vectors do not come from.
        let names = known.map(|function| function.name().to_owned()).filter(|name| name != "type");
        let names = names.chain(RULES.iter().map(|name| (*name).to_owned()));
        let mut census = Self { tallies: names.map(|name| (name, Tally::default())).collect() };
        for vector in list.into_iter().filter(|vector| !vector.about.is_empty()) {
            census.tallies.entry(vector.about.clone()).or_default().add(vector);
        }
        census
    }

    /// Counts the vectors in a folder.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn of_vectors(folder: &Path) -> Result<Self, String> {
        let texts = vectors::texts(folder, ".jsonl").map_err(|error| error.to_string())?;
        let lists = texts.iter().map(|(_, text)| vectors::read(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::of(lists.iter().flatten()))
    }

    /// Returns what has too few.
    pub fn thin(&self) -> Vec<String> {
        let removed = ["list", "map"];
        let is_thin = |name: &str, tally: Tally| match removed.contains(&name) {
            // They were removed from the language: every call fails.
            true => tally.invalid < LEAST,
            false => tally.is_thin(),
        };
        let thin = self.tallies.iter().filter(|(name, tally)| is_thin(name, **tally));
        thin.map(|(name, tally)| format!("{name}: {}", words(*tally))).collect()
    }

    /// Returns everything, one name a line.
    pub fn table(&self) -> String {
        self.tallies.iter().map(|(name, tally)| format!("{name:40} {}", words(*tally))).collect::<Vec<_>>().join("\n")
    }
}

fn words(tally: Tally) -> String {
    format!("{} valid, {} edge, {} invalid", tally.valid, tally.edge, tally.invalid)
}

/// Whether something in an expression is out of the ordinary.
fn is_edge(expression: &str) -> bool {
    /// What is empty, null, huge or negative in the world.
    const NAMES: [&str; 11] = ["le", "se", "me", "tupe", "obje", "empty", "nul", "null_list", "big", "neg", "third"];
    let names = expression.split("local.").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest.get(..end).unwrap_or("")
    });
    let mut names = names.filter(|name| {
        name.starts_with(['u', 'p'])
            || name.starts_with("nul")
            || NAMES.contains(name)
            || matches!(*name, "lu" | "su" | "mu" | "tu" | "ou")
    });
    let texts = ["\"\"", "[]", "{}", "terraform_data.", "\\u"];
    let has_null = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == "null");
    // Digits in quotes are parts of names, dates, addresses.
    let plain: String = expression.split('"').step_by(2).collect();
    let has_odd_number = plain
        .split(|c: char| !c.is_ascii_digit() && c != '.' && c != 'e')
        .any(|digits| digits == "0" || digits.contains("0.") || digits.starts_with("1e") || digits.len() > 9);
    let is_negative = ["-", "- "].iter().any(|sign| {
        let behind = plain.match_indices(sign).map(|(at, _)| (plain.get(..at), plain.get(at + sign.len()..)));
        behind.into_iter().any(|(before, behind)| {
            before.is_some_and(|before| before.trim_end().ends_with(['(', ',', '[', '-']) || before.is_empty())
                && behind.is_some_and(|behind| behind.starts_with(|c: char| c.is_ascii_digit()))
        })
    });
    !expression.is_ascii()
        || has_null
        || has_odd_number
        || is_negative
        || names.next().is_some()
        || texts.iter().any(|text| expression.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(expression: &str, succeeds: bool) -> Vector {
        let outcome = if succeeds { Outcome::Value("1".into()) } else { Outcome::Error(String::new()) };
        Vector { about: "upper".into(), expression: expression.into(), outcome, meant: None }
    }

    #[test]
    fn kinds_are_told_apart() {
        let list = [vector("upper(\"a\")", true), vector("upper(local.us)", true), vector("upper([])", false)];
        let census = Census::of(&list);
        assert_eq!(census.tallies.get("upper"), Some(&Tally { valid: 1, edge: 1, invalid: 1 }));
        assert!(census.thin().contains(&"upper: 1 valid, 1 edge, 1 invalid".to_owned()));
        assert!(census.thin().iter().any(|line| line.starts_with("rule splat: 0 ")));
        for text in
            ["upper(\"\")", "abs(-1)", "upper(\"é\")", "upper(local.pw)", "length(local.le)", "f(1.5e10, 12345678901)"]
        {
            assert!(is_edge(text), "{text}");
        }
        for text in ["upper(\"a-b\")", "max(1, 20)", "length(local.ls)", "local.s"] {
            assert!(!is_edge(text), "{text}");
        }
    }

    #[test]
    fn five_of_every_kind_are_enough() {
        let mut list = vec![vector("upper(\"a\")", true), vector("upper(\"\")", true), vector("upper()", false)];
        list.extend(["b", "c"].map(|letter| vector(&format!("upper(\"{letter}\")"), true)));
        assert!(!Census::of(&list).thin().iter().any(|line| line.starts_with("upper:")));
        assert!(Census::of(&list[1..]).thin().iter().any(|line| line.starts_with("upper:")));
    }
}

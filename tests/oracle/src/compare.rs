//! Where two outcomes differ.

use std::collections::BTreeMap;

use crate::Outcome;

/// How two outcomes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Ours is an error, Terraform's is a value.
    Refused,
    /// Ours is a value, Terraform's is an error.
    Accepted,
    /// Both are values, and not the same.
    Value,
    /// The same but for marks.
    Marks,
    /// The same but for what is known of something unknown.
    Refinement,
}

/// A difference.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The expression.
    pub expression: String,
    /// What differs.
    pub kind: Kind,
    /// What we say.
    pub ours: Outcome,
    /// What Terraform says.
    pub theirs: Outcome,
}

/// Returns how two outcomes differ; errors are equal whatever they say.
pub fn difference(ours: &Outcome, theirs: &Outcome) -> Option<Kind> {
    match (ours, theirs) {
        (Outcome::Error(_), Outcome::Error(_)) => None,
        (Outcome::Error(_), Outcome::Value(_)) => Some(Kind::Refused),
        (Outcome::Value(_), Outcome::Error(_)) => Some(Kind::Accepted),
        (Outcome::Value(ours), Outcome::Value(theirs)) if ours == theirs => None,
        (Outcome::Value(ours), Outcome::Value(theirs)) => {
            let plain = |text: &str| text.replace("!s", "");
            let bare = |text: &str| without_refinements(&plain(text));
            Some(if plain(ours) == plain(theirs) {
                Kind::Marks
            } else if bare(ours) == bare(theirs) {
                Kind::Refinement
            } else {
                Kind::Value
            })
        }
    }
}

/// Leaves out what stands behind the types of unknown values.
fn without_refinements(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('?') {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        let end = behind.find(['{', '|', ',', ']', '}']).unwrap_or(behind.len());
        let (ty, behind) = behind.split_at(end);
        out.push_str(ty);
        rest = behind;
        if let Some(inside) = rest.strip_prefix('{')
            && let Some(end) = inside.find('}')
        {
            rest = &inside[end + 1..];
        }
        rest = rest.strip_prefix("|null").unwrap_or(rest);
    }
    out.push_str(rest);
    out
}

/// Differences in words, the most telling first; at most `most` of each kind.
pub fn report(differences: &[Difference], most: usize) -> String {
    let mut by_kind: BTreeMap<Kind, Vec<&Difference>> = BTreeMap::new();
    for difference in differences {
        by_kind.entry(difference.kind).or_default().push(difference);
    }
    let mut out = String::new();
    for (kind, mut list) in by_kind {
        list.sort_by_key(|difference| difference.expression.len());
        out.push_str(&format!("## {kind:?}: {}\n", list.len()));
        for difference in list.iter().take(most) {
            out.push_str(&format!(
                "{}\n  terraform: {}\n  ours:      {}\n",
                difference.expression,
                words(&difference.theirs),
                words(&difference.ours)
            ));
        }
    }
    out
}

fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Value(text) => text.clone(),
        Outcome::Error(message) => {
            format!("error: {}", message.replace('\n', " ").chars().take(200).collect::<String>())
        }
    }
}

//! What Terraform said once: expressions with their outcomes, one a line.

use std::{fmt::Write as _, path::Path};

use serde_json::{Value as Json, json};

use crate::Outcome;

/// An expression and what it came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    /// What it is about: a function or a rule of the language; empty for what was made at random.
    pub about: String,
    /// The expression.
    pub expression: String,
    /// What Terraform said.
    pub outcome: Outcome,
    /// The rule of [`deliberate`](crate::deliberate) after which we say something else.
    pub meant: Option<String>,
}

/// Reads vectors: `[about, expression, value]`, or `[about, expression]` for an error; where we differ, the rule is fourth
/// and an error is null.
///
/// # Errors
/// What is wrong with the text.
pub fn read(text: &str) -> Result<Vec<Vector>, String> {
    text.lines().filter(|line| !line.is_empty()).map(line).collect()
}

fn line(text: &str) -> Result<Vector, String> {
    let json: Json = serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?;
    let part = |idx: usize| json[idx].as_str().map(str::to_owned);
    let (Some(about), Some(expression)) = (part(0), part(1)) else { return Err(format!("no vector: {text}")) };
    let outcome = part(2).map_or_else(|| Outcome::Error(String::new()), Outcome::Value);
    Ok(Vector { about, expression, outcome, meant: part(3) })
}

/// Writes vectors as [`read`] reads them.
pub fn write(vectors: &[Vector]) -> String {
    let mut out = String::new();
    for Vector { about, expression, outcome, meant } in vectors {
        let value = match outcome {
            Outcome::Value(text) => Some(text),
            Outcome::Error(_) => None,
        };
        let json = match (value, meant) {
            (value, Some(rule)) => json!([about, expression, value, rule]),
            (Some(value), None) => json!([about, expression, value]),
            (None, None) => json!([about, expression]),
        };
        let _ = writeln!(out, "{json}");
    }
    out
}

/// Reads expressions that were written by hand: `# about` before those that are about something, one a line, `\` at the end
/// of a line that goes on.
pub fn by_hand(text: &str) -> Vec<(String, String)> {
    let (mut about, mut list, mut started) = (String::new(), Vec::new(), String::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("# ") {
            name.trim().clone_into(&mut about);
        } else if let Some(part) = line.strip_suffix('\\') {
            started.push_str(part);
            started.push('\n');
        } else if !line.trim().is_empty() {
            started.push_str(line);
            list.push((about.clone(), std::mem::take(&mut started)));
        }
    }
    list
}

/// Returns the texts of a folder's files that end so, in order of name.
///
/// # Errors
/// Those of the operating system.
pub fn texts(folder: &Path, end: &str) -> std::io::Result<Vec<(String, String)>> {
    let mut list = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(end) {
            list.push((name, std::fs::read_to_string(&path)?));
        }
    }
    list.sort();
    Ok(list)
}

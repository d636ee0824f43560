//! Patterns for `fileset`: `*`, `?`, `[a-z]`, `{a,b}`, and `**` for any number of folders.

use regex::Regex;

use crate::template::eval::Problem;

/// Returns an expression that matches whole paths, with `/` between their parts.
///
/// # Errors
/// Where the pattern has an open bracket, or is too large.
pub(super) fn compile(pattern: &str) -> Result<Regex, Problem> {
    /// Bytes of a pattern that are read.
    const LONGEST: usize = 10_000;
    let invalid = || {
        Problem::argument(1, format!("`{pattern}` is not a file pattern"))
            .help("it knows `*`, `**`, `?`, `[a-z]` and `{a,b}`; a backslash takes their meaning away")
    };
    if pattern.len() > LONGEST {
        return Err(Problem::budget("the file pattern is too long"));
    }
    let mut out = String::from("(?s)^");
    let mut open = 0_usize;
    let mut rest = pattern;
    let mut part_start = true;
    while let Some(first) = rest.chars().next() {
        let tail = rest.get(first.len_utf8()..).unwrap_or("");
        let starting = std::mem::replace(&mut part_start, matches!(first, '/' | '{' | ','));
        rest = tail;
        match first {
            '*' if starting && tail.starts_with("*/") => {
                out.push_str("(?:[^/]+/)*");
                rest = tail.get(2..).unwrap_or("");
                part_start = true;
            }
            '*' if starting && tail == "*" => {
                out.push_str(".+");
                rest = "";
            }
            '*' => {
                out.push_str("[^/]*");
                rest = tail.trim_start_matches('*');
            }
            '?' => out.push_str("[^/]"),
            '[' => rest = class(tail, &mut out).ok_or_else(invalid)?,
            '/' if open > 0 => return Err(invalid()),
            '{' => {
                open += 1;
                out.push_str("(?:");
            }
            '}' if open > 0 => {
                open -= 1;
                out.push(')');
            }
            ',' if open > 0 => out.push('|'),
            '\\' => {
                let escaped = tail.chars().next().ok_or_else(invalid)?;
                out.push_str(&regex::escape(escaped.encode_utf8(&mut [0; 4])));
                rest = tail.get(escaped.len_utf8()..).unwrap_or("");
            }
            literal => out.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4]))),
        }
    }
    if open > 0 {
        return Err(invalid());
    }
    out.push('$');
    Regex::new(&out).map_err(|_| invalid())
}

/// Reads a class up to its bracket and returns what follows.
fn class<'a>(text: &'a str, out: &mut String) -> Option<&'a str> {
    let (negated, text) = match text.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let end = text.char_indices().find(|(at, c)| *c == ']' && !text.get(..*at).is_some_and(|t| t.ends_with('\\')))?.0;
    let (inside, rest) = text.split_at(end);
    if inside.is_empty() {
        return None;
    }
    out.push_str(if negated { "[^/" } else { "[\\x00" });
    let mut chars = inside.chars().peekable();
    while let Some(c) = chars.next() {
        let from = if c == '\\' { chars.next()? } else { c };
        if c == '-' {
            return None;
        }
        out.push_str(&escape(from));
        if chars.next_if_eq(&'-').is_some() {
            let to = match chars.next()? {
                '\\' => chars.next()?,
                to => to,
            };
            if to < from {
                // Nothing is between them; of the letter nothing is left, either.
                let keep = out.len() - escape(from).len();
                out.truncate(keep);
                continue;
            }
            out.push('-');
            out.push_str(&escape(to));
        }
    }
    out.push(']');
    rest.get(1..)
}

fn escape(c: char) -> String {
    if c.is_ascii_punctuation() { format!("\\{c}") } else { c.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let regex = compile(pattern).expect(pattern);
        for path in yes {
            assert!(regex.is_match(path), "{pattern} should match {path}");
        }
        for path in no {
            assert!(!regex.is_match(path), "{pattern} should not match {path}");
        }
    }

    #[test]
    fn patterns() {
        check("*.csv", &["a.csv", ".csv"], &["a/b.csv", "a.csv.x", "a.CSV"]);
        check("**", &["a", "a/b", "a/b/c"], &[]);
        check("**/t.csv", &["t.csv", "a/t.csv", "a/b/t.csv"], &["at.csv"]);
        check("a/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["a/x"]);
        check("**t", &["t", "at"], &["a/t"]);
        check("*.{yaml,{csv,tf}}", &["a.yaml", "a.csv", "a.tf"], &["a.txt"]);
        check("{t,}.csv", &["t.csv", ".csv"], &["x.csv"]);
        check("[a-c]*", &["a", "cx"], &["d", ""]);
        check("[^c]?", &["ab"], &["cb", "/b", "a"]);
        check("[^c]", &["a"], &["c"]);
        check(r"\*[\]]", &["*]"], &["a]"]);
        check("a.b+(c)", &["a.b+(c)"], &["aXb+(c)"]);
        check("[&&~]", &["&", "~"], &["a"]);
        check("[c-ax]", &["x"], &["a", "b", "c"]);
    }

    #[test]
    fn refuses_what_is_open() {
        for pattern in ["[", "[]", "[a-", "[a-]", "{a", "\\", "{a/b,c}"] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }
}

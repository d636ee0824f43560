use std::{fmt, sync::Arc};

use regex::{Regex, RegexBuilder};

use crate::template::eval::Problem;

/// A compiled regular expression in Terraform's dialect (RE2 as Go speaks it).
#[derive(Clone)]
pub(in crate::template::eval) struct Pattern {
    pub(super) regex: Arc<Regex>,
    pub(super) groups: Groups,
}

/// Returns a compiled regular expression in the dialect of the language, matched in linear time.
///
/// # Errors
/// A fragment that says what is wrong with it.
pub(crate) fn compile_pattern(text: &str) -> Result<Arc<Regex>, String> {
    /// Bytes that it may take.
    const MOST: usize = 1 << 18;
    Pattern::compile(text, MOST).map(|pattern| pattern.regex).map_err(|problem| problem.message)
}

/// What a match yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Groups {
    /// The text that matched.
    None,
    /// So many texts in order.
    Numbered(usize),
    /// Texts by name, with the number of each group.
    Named(Arc<[(Arc<str>, usize)]>),
    /// Both kinds, which is refused.
    Mixed,
}

impl Pattern {
    pub(in crate::template::eval) fn compile(text: &str, limit_bytes: usize) -> Result<Self, Problem> {
        let too_large =
            || Problem::budget("the regular expression is too large").help("use fewer or smaller repetitions");
        if text.len() > limit_bytes {
            return Err(too_large());
        }
        check_repetitions(text).map_err(|why| Problem::new(format!("`{text}` is not a regular expression: {why}")))?;
        let regex = RegexBuilder::new(&translate(text))
            .size_limit(limit_bytes)
            .dfa_size_limit(limit_bytes)
            .nest_limit(200)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => too_large(),
                error => Problem::new(format!("`{text}` is not a regular expression: {}", reason(&error))),
            })?;
        let names: Vec<Option<&str>> = regex.capture_names().skip(1).collect();
        let named = names.iter().flatten().count();
        let groups = match (names.len(), named) {
            (0, _) => Groups::None,
            (count, 0) => Groups::Numbered(count),
            (count, named) if count == named => Groups::Named(
                names.iter().enumerate().filter_map(|(idx, name)| Some((Arc::from((*name)?), idx + 1))).collect(),
            ),
            _ => Groups::Mixed,
        };
        Ok(Self { regex: Arc::new(regex), groups })
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.regex.fmt(f)
    }
}

/// The last line of the parser's drawing says why.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("");
    line.trim().trim_start_matches("error: ").to_owned()
}

/// Rewrites what Go reads differently: Perl classes and word boundaries are ASCII, `\Q..\E` quotes, a brace that is no
/// repetition is literal, and classes know no set operations.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut in_class = false;
    let mut class_start = false;
    while let Some(first) = rest.chars().next() {
        let tail = rest.get(first.len_utf8()..).unwrap_or("");
        let starting = std::mem::take(&mut class_start);
        match first {
            '\\' => {
                let Some(second) = tail.chars().next() else {
                    out.push('\\');
                    break;
                };
                rest = tail.get(second.len_utf8()..).unwrap_or("");
                escape(second, in_class, &mut rest, &mut out);
                continue;
            }
            '[' if !in_class => {
                in_class = true;
                class_start = true;
                out.push('[');
                if tail.starts_with('^') {
                    out.push('^');
                    rest = tail.get(1..).unwrap_or("");
                    continue;
                }
            }
            ']' if in_class && starting => out.push_str("\\]"),
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '[' if tail.starts_with(':') && tail.contains(":]") => {
                let end = tail.find(":]").map_or(0, |end| end + 2);
                let (name, after) = tail.split_at(end);
                out.push('[');
                out.push_str(name);
                rest = after;
                continue;
            }
            '[' | '&' | '~' if in_class => {
                out.push('\\');
                out.push(first);
            }
            '-' if in_class && out.ends_with('-') && !out.ends_with("\\-") => out.push_str("\\-"),
            '{' if !in_class && !is_repetition(tail) => out.push_str("\\{"),
            other => out.push(other),
        }
        rest = tail;
    }
    out
}

fn escape(letter: char, in_class: bool, rest: &mut &str, out: &mut String) {
    match (letter, in_class) {
        ('d', false) => out.push_str("[0-9]"),
        ('d', true) => out.push_str("0-9"),
        ('D', false) => out.push_str("[^0-9]"),
        ('D', true) => out.push_str("[^0-9]"),
        ('w', false) => out.push_str("[0-9A-Za-z_]"),
        ('w', true) => out.push_str("0-9A-Za-z_"),
        ('W', _) => out.push_str("[^0-9A-Za-z_]"),
        ('s', false) => out.push_str("[\\t\\n\\f\\r ]"),
        ('s', true) => out.push_str("\\t\\n\\f\\r "),
        ('S', _) => out.push_str("[^\\t\\n\\f\\r ]"),
        ('b', false) => out.push_str("(?-u:\\b)"),
        ('B', false) => out.push_str("(?-u:\\B)"),
        ('Q', false) => {
            let (quoted, after) = rest.split_once("\\E").unwrap_or((*rest, ""));
            out.push_str(&regex::escape(quoted));
            *rest = after;
        }
        ('p' | 'P' | 'x', _) if rest.starts_with('{') => {
            let end = rest.find('}').map_or(rest.len(), |end| end + 1);
            let (name, after) = rest.split_at(end);
            out.push('\\');
            out.push(letter);
            out.push_str(name);
            *rest = after;
        }
        ('<' | '>', _) => out.push(letter),
        (other, _) => {
            out.push('\\');
            out.push(other);
        }
    }
}

/// Refuses what Go refuses of repetitions: one of another (`a**`), and more than 1000 of anything, also by repeating
/// repetitions.
fn check_repetitions(pattern: &str) -> Result<(), &'static str> {
    /// What anything may be repeated.
    const MOST: usize = 1000;
    let mut rest = pattern;
    // What the parts of each open group repeat, at most; what the last part repeats; whether a repetition was just written.
    let (mut groups, mut last, mut repeated) = (vec![1_usize], 1_usize, false);
    while let Some(first) = rest.chars().next() {
        let tail = rest.get(first.len_utf8()..).unwrap_or("");
        rest = tail;
        let is_counted = first == '{' && is_repetition(tail);
        if is_counted || matches!(first, '*' | '+' | '?') {
            if repeated {
                return Err("a repetition cannot be repeated: put it in parentheses");
            }
            if is_counted {
                let (inside, after) = tail.split_once('}').unwrap_or((tail, ""));
                rest = after;
                let (least, most) = inside.split_once(',').unwrap_or((inside, inside));
                let counts =
                    [least, if most.is_empty() { least } else { most }].map(|part| part.parse().unwrap_or(MOST + 1));
                last = last.saturating_mul(counts[1]);
                if last > MOST || counts[0] > MOST {
                    return Err("nothing can be repeated more than 1000 times");
                }
                if let Some(group) = groups.last_mut() {
                    *group = (*group).max(last);
                }
            }
            rest = rest.strip_prefix('?').unwrap_or(rest);
            repeated = true;
            continue;
        }
        (last, repeated) = (1, false);
        match first {
            '(' => {
                groups.push(1);
                rest = rest.strip_prefix('?').unwrap_or(rest);
            }
            ')' => {
                last = if groups.len() > 1 { groups.pop().unwrap_or(1) } else { 1 };
                if let Some(outer) = groups.last_mut() {
                    *outer = (*outer).max(last);
                }
            }
            '\\' if rest.starts_with('Q') => rest = rest.split_once("\\E").map_or("", |(_, after)| after),
            '\\' if rest.starts_with("p{") || rest.starts_with("P{") || rest.starts_with("x{") => {
                rest = rest.split_once('}').map_or("", |(_, after)| after);
            }
            '\\' => rest = rest.chars().next().and_then(|second| rest.get(second.len_utf8()..)).unwrap_or(""),
            '[' => rest = behind_class(rest),
            _ => {}
        }
    }
    Ok(())
}

/// Returns what follows a class, whose first bracket was read.
fn behind_class(text: &str) -> &str {
    let text = text.strip_prefix('^').unwrap_or(text);
    let mut rest = text.strip_prefix(']').unwrap_or(text);
    while let Some(first) = rest.chars().next() {
        let tail = rest.get(first.len_utf8()..).unwrap_or("");
        rest = match first {
            ']' => return tail,
            '\\' => tail.chars().next().and_then(|second| tail.get(second.len_utf8()..)).unwrap_or(""),
            '[' if tail.starts_with(':') => tail.split_once(":]").map_or(tail, |(_, after)| after),
            _ => tail,
        };
    }
    rest
}

/// Whether what follows a `{` makes it a repetition: `3}`, `3,}`, `3,5}`.
fn is_repetition(text: &str) -> bool {
    let Some((inside, _)) = text.split_once('}') else { return false };
    let (from, to) = inside.split_once(',').unwrap_or((inside, ""));
    !from.is_empty() && [from, to].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pattern: &str, text: &str) -> Option<String> {
        let pattern = Pattern::compile(pattern, 1 << 20).expect("a pattern");
        pattern.regex.find(text).map(|found| found.as_str().to_owned())
    }

    #[test]
    fn reads_patterns_as_go_does() {
        let check = |pattern: &str, text: &str, expect: Option<&str>| {
            assert_eq!(find(pattern, text).as_deref(), expect, "{pattern}");
        };
        check(r"\d+", "٣4", Some("4"));
        check(r"\w+", "éa_1", Some("a_1"));
        check(r"[\d_]+", "a1_2", Some("1_2"));
        check(r"[^\s]+", " ab ", Some("ab"));
        check(r"[\W]+", "ab -!", Some(" -!"));
        check(r"\bb", "éb", Some("b"));
        check(r"\Bb", "ab", Some("b"));
        check(r"\Qa.b\E+", "a.bb", Some("a.bb"));
        check("a{", "xa{", Some("a{"));
        check("a{,2}", "a{,2}", Some("a{,2}"));
        check("a{2,}", "caaat", Some("aaa"));
        check("[a&&b]+", "&b", Some("&b"));
        check("[[a]+", "[a", Some("[a"));
        check("[]a]+", "]a", Some("]a"));
        check("[^]a]+", "]ab", Some("b"));
        check("[[:alpha:]]+", "1ab", Some("ab"));
        check(r"\p{Greek}+", "abcδεζ", Some("δεζ"));
        check(r"[\p{Greek}\x{31}]+", "a1β", Some("1β"));
        check(r"\<a\>", "<a>", Some("<a>"));
        check("(?i)AB", "xaby", Some("ab"));
        check(r"\_", "_", Some("_"));
    }

    #[test]
    fn refuses_what_is_no_pattern() {
        for text in ["[", "(", "a(?=b)", "*", r"\", r"\y"] {
            let problem = Pattern::compile(text, 1 << 20).expect_err(text);
            assert!(problem.message.contains("is not a regular expression"), "{}", problem.message);
        }
        let problem = Pattern::compile("(?:\\pL{1000})", 1 << 16).expect_err("too large");
        assert_eq!(problem.code, "eval.budget");
    }

    #[test]
    fn repetitions_have_the_limits_of_go() {
        for text in
            ["a{1000}", "(a{500}){2}", "((a{10}){10}){10}", "(a+)*", "a{2}?", "[a{1001}]", r"\Qa{1001}\E", r"a\{1001}"]
        {
            assert_eq!(check_repetitions(text), Ok(()), "{text}");
        }
        for text in ["a{1001}", "a{2,1001}", "a{1001,}", "(a{500}){3}", "((?:a{5}b|c{20})d{2}){51}", "((a{1000})*){2}"]
        {
            assert!(check_repetitions(text).is_err(), "{text}");
        }
        for text in ["a**", "a+{2}", "a{1}{1}", "a*?*", "a???"] {
            assert!(check_repetitions(text).is_err(), "{text}");
        }
    }
}

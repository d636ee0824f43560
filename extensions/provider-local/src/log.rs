//! The end of what a process printed, for messages.

use std::{
    env, fs,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};

use stackwright::value::Value;

use crate::attributes::{texts, variables};

/// How much of the end of a log is read.
const TAIL_BYTES: u64 = 4096;
const MOST_LINES: usize = 10;
const LONGEST_LINE: usize = 200;
/// What is shorter is no secret, and hiding it would hide half of the log.
const SHORTEST_SECRET: usize = 3;
const HIDDEN: &str = "(hidden)";

/// Returns the last lines that were added to a log from `from` on; `None` where there are none to read.
///
/// What `secrets` names is hidden.
pub(crate) fn tail(path: &Path, from: u64, secrets: &[String]) -> Option<String> {
    let mut file = fs::File::open(path).ok()?;
    let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
    // One that is shorter than it was has been begun anew.
    let from = if metadata.len() < from { 0 } else { from };
    let begin = from.max(metadata.len().saturating_sub(TAIL_BYTES));
    file.seek(SeekFrom::Start(begin)).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
    // The first line may be cut anywhere, in the middle of a secret too.
    let cut =
        if begin > from { bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1) } else { 0 };
    last_lines(&String::from_utf8_lossy(bytes.get(cut..).unwrap_or_default()), secrets)
}

/// Returns the last lines of a text with secrets hidden; `None` where there are none.
pub(crate) fn last_lines(text: &str, secrets: &[String]) -> Option<String> {
    let shown = hide(text, secrets);
    let lines: Vec<String> = shown.lines().map(plain).filter(|line| !line.trim().is_empty()).collect();
    let first = lines.len().saturating_sub(MOST_LINES);
    (!lines.is_empty()).then(|| lines.get(first..).unwrap_or_default().join("\n"))
}

/// Returns a line without control characters, at most so long.
fn plain(line: &str) -> String {
    let mut shown = String::new();
    let mut characters = line.trim_end().chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // A terminal's escape sequence, such as a colour, ends with a letter.
            while characters.next().is_some_and(|character| !character.is_ascii_alphabetic()) {}
        } else if !character.is_control() {
            shown.push(character);
        }
        if shown.chars().count() >= LONGEST_LINE {
            shown.push('…');
            break;
        }
    }
    shown
}

/// Returns a text without the secrets in it.
fn hide(text: &str, secrets: &[String]) -> String {
    let mut parts: Vec<&str> =
        secrets.iter().flat_map(|secret| std::iter::once(secret.as_str()).chain(secret.lines())).collect();
    parts.retain(|part| part.trim().chars().count() >= SHORTEST_SECRET);
    // Longer ones first, so that nothing is left of one that holds another.
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    parts.dedup();
    parts.iter().fold(text.to_owned(), |text, part| text.replace(part, HIDDEN))
}

/// Returns whether a name says that what it names is secret.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "secret", "token", "key", "credential", "auth"].iter().any(|word| name.contains(word))
}

/// Returns what must not be repeated of what a process prints: all values that its environment was given, those of the
/// engine's own variables that are named like secrets, and arguments after flags that are.
pub(crate) fn secrets(attributes: &Value) -> Vec<String> {
    let given = variables(attributes, "environment").into_values().flatten();
    let inherited = env::vars_os()
        .filter(|(name, _)| is_secret_name(&name.to_string_lossy()))
        .map(|(_, value)| value.to_string_lossy().into_owned());
    let command = texts(attributes, "command");
    let mut arguments = Vec::new();
    for (idx, argument) in command.iter().enumerate() {
        let Some(flag) = argument.strip_prefix('-') else { continue };
        match flag.split_once('=') {
            Some((name, value)) if is_secret_name(name) => arguments.push(value.to_owned()),
            None if is_secret_name(flag) => arguments.extend(command.get(idx + 1).cloned()),
            _ => {}
        }
    }
    given.chain(inherited).chain(arguments).collect()
}

#[cfg(test)]
mod tests {
    use stackwright::value::Type;

    use super::*;

    fn check(text: &str, secrets: &[&str], expect: Option<&str>) {
        let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        assert_eq!(last_lines(text, &secrets).as_deref(), expect);
    }

    #[test]
    fn secrets_are_hidden() {
        check("token=hunter2!\n", &["hunter2"], Some("token=(hidden)!"));
        check("abc abcdef", &["abc", "abcdef"], Some("(hidden) (hidden)"));
        check("one\ntwo-lines\n", &["two-lines\nof-it"], Some("one\n(hidden)"));
        check("port 80 is taken", &["80", ""], Some("port 80 is taken"));
    }

    #[test]
    fn only_the_end_is_shown_and_only_text() {
        check("", &[], None);
        check("\n \n\u{1b}[0m\n", &[], None);
        check("\u{1b}[31mred\u{1b}[0m\u{7}\r\n", &[], Some("red"));
        let many: String = (0..30).map(|number| format!("line {number}\n")).collect();
        let shown = last_lines(&many, &[]).expect("lines");
        assert_eq!((shown.lines().count(), shown.lines().next()), (10, Some("line 20")));
        let long = last_lines(&"x".repeat(5000), &[]).expect("a line");
        assert_eq!(long.chars().count(), 201);
    }

    #[test]
    fn a_log_is_read_from_where_the_process_began() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        fs::write(&path, "of the one before\nmine\n").expect("a log");
        assert_eq!(tail(&path, 18, &[]).as_deref(), Some("mine"));
        assert_eq!(tail(&path, 23, &[]), None, "nothing was added");
        assert_eq!(tail(&path, 1000, &[]).as_deref(), Some("of the one before\nmine"), "begun anew");
        let secret = "s".repeat(100);
        fs::write(&path, format!("{secret}{}\nthe end\n", "x".repeat(4050))).expect("a log");
        let shown = tail(&path, 0, &[secret]).expect("lines");
        assert_eq!(shown, "the end", "half a secret is a secret");
        assert_eq!(tail(folder.path(), 0, &[]), None);
    }

    #[test]
    fn secrets_are_found_in_environment_and_arguments() {
        let environment = [("A", Value::string("from-env")), ("B", Value::null(Type::String))];
        let command = ["prog", "--password", "from-arg", "--api-token=from-flag", "--port", "8080", "--color=red"];
        let attributes = Value::object([
            ("environment", Value::map(Type::String, environment)),
            ("command", Value::list(Type::String, command.into_iter().map(Value::string).collect())),
        ]);
        let found = secrets(&attributes);
        for secret in ["from-env", "from-arg", "from-flag"] {
            assert!(found.iter().any(|other| other == secret), "{secret}");
        }
        assert!(!found.iter().any(|other| other == "8080" || other == "red"));
    }
}

use proptest::prelude::*;

use crate::{
    error::SourceId,
    template::hcl::{parse, parse_expression, parse_template},
};

const SAMPLE: &str = include_str!("../testdata/sample.tf");

/// Reads a text in every way; panics and endless loops are what is looked for.
fn read(text: &str) {
    let (body, problems) = parse(SourceId(0), text);
    for problem in &problems {
        for label in &problem.labels {
            let (start, end) = (label.span.start as usize, label.span.end as usize);
            assert!(text.get(start..end).is_some(), "{problem:?} does not fit the text");
        }
    }
    let mut body = body;
    body.for_each_span(&mut |span| {
        assert!(text.get(span.start as usize..span.end as usize).is_some(), "{span:?} does not fit the text");
    });
    parse_expression(SourceId(0), text);
    parse_template(SourceId(0), text);
}

#[test]
fn every_truncation_of_a_file() {
    let (_, problems) = parse(SourceId(0), SAMPLE);
    assert_eq!(problems, []);
    for (end, _) in SAMPLE.char_indices() {
        read(&SAMPLE[..end]);
    }
}

#[test]
fn a_heredoc_without_an_end_ends_between_characters() {
    for text in
        ["for =<<E\n\u{e9}", "a = <<E\n\u{e9}", "a = <<-E\n\u{1f600}\n\u{1f600}", "a = <<E\n", "a = [<<E\n\u{e9}"]
    {
        read(text);
    }
}

#[test]
fn every_single_deletion_from_a_file() {
    for (at, char) in SAMPLE.char_indices() {
        let text = format!("{}{}", &SAMPLE[..at], &SAMPLE[at + char.len_utf8()..]);
        read(&text);
    }
}

/// A slip in one place is told in few words, wherever it is.
#[test]
fn a_missing_character_makes_few_diagnostics() {
    let mut counts = Vec::new();
    for (at, char) in SAMPLE.char_indices().filter(|(_, char)| !char.is_alphanumeric()) {
        let text = format!("{}{}", &SAMPLE[..at], &SAMPLE[at + char.len_utf8()..]);
        let (_, problems) = parse(SourceId(0), &text);
        counts.push((problems.len(), at));
    }
    let (worst, at) = counts.iter().max().copied().expect("characters");
    assert!(worst <= 3, "{worst} diagnostics for one character less at {at}: {:?}", SAMPLE.get(at..at + 20));
    let many = counts.iter().filter(|(count, _)| *count > 1).count();
    assert!(many * 50 <= counts.len(), "{many} of {} slips make more than one diagnostic", counts.len());
}

#[test]
fn deep_nesting_is_refused_without_a_stack_overflow() {
    for unit in [
        "[",
        "(",
        "{a=",
        "f(",
        "-",
        "!",
        "\"${",
        "a?",
        "a[",
        "b{\n",
        "{for x in ",
        "<<A\n${",
        "%{if a}",
        "x[*]",
        "a?b:",
    ] {
        let text = unit.repeat(100_000 / unit.len());
        for text in [format!("a = {text}"), text] {
            let (_, problems) = parse(SourceId(0), &text);
            assert!(!problems.is_empty() && problems.len() <= 500, "{unit}: {}", problems.len());
            parse_template(SourceId(0), &text);
            parse_expression(SourceId(0), &text);
        }
    }
}

#[test]
fn long_chains_are_refused() {
    for (first, unit) in [("1", "+1"), ("a", "[b]"), ("a", "&&b"), ("a", ".*"), ("a", " .* .b[0]")] {
        let (_, problems) = parse_expression(SourceId(0), &format!("{first}{}", unit.repeat(100_000)));
        assert!(problems.iter().any(|problem| problem.code == "syntax.nesting" || unit == ".*"), "{unit}");
        let (_, problems) = parse_expression(SourceId(0), &format!("{first}{}", unit.repeat(100)));
        assert!(problems.is_empty() || unit == ".*", "{unit}: {problems:?}");
    }
}

/// Long texts that go wrong everywhere; what is quadratic would not end within a test's patience.
#[test]
fn large_broken_texts_are_read_to_their_end() {
    for unit in [
        "a = <<X\n",
        "a = \"${\n",
        "a = \"\n",
        "a = [\n",
        "a {\n",
        "}\n",
        "a = {\n",
        "a = 'x\n",
        "a = 1, b = 2\n",
        "\"",
        "${",
        "%{",
        "a = <<\"X\"\n",
        "/*",
        "a b c\n",
        "{a=1}",
        "a=b,",
        "a = \"${'\n",
        "x = {a=1,",
        "<<A\n",
        "a=1 ",
        "'x',",
        "\\q",
        "${a b}",
    ] {
        let text = unit.repeat(100_000 / unit.len());
        let (_, problems) = parse(SourceId(0), &text);
        assert!(!problems.is_empty(), "{unit}");
        parse(SourceId(0), &format!("a = [{text}"));
        parse(SourceId(0), &format!("a = \"{text}"));
        parse_template(SourceId(0), &text);
    }
    let distinct = (0..20_000).fold(String::new(), |text, idx| format!("{text}a = <<X{idx}\n"));
    assert!(!parse(SourceId(0), &distinct).1.is_empty());
}

const SOUP: &[&str] = &[
    "a", "b ", "1", "1.5", "\"", "\"x\"", "${", "%{", "}", "~}", "{", "[", "]", "(", ")", "\n", "=", ":", ",", ".",
    "*", "...", "=>", "<<E\n", "<<-E\n", "\nE\n", "for ", " in ", "if ", "else", "endif", "endfor", "? ", "::", "#",
    "/*", "*/", "//", "'", "é", "\\", "\\u00e9", "$", "%", "\r\n", "\t", "-", "!", "&&", "||", "true", "null", ";",
    "\u{feff}", "  ",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_soup(words in proptest::collection::vec(proptest::sample::select(SOUP), 0..60)) {
        read(&words.concat());
    }

    #[test]
    fn any_splice(at in 0..SAMPLE.len(), words in proptest::collection::vec(proptest::sample::select(SOUP), 1..4), cut in 0..20_usize) {
        let start = (at..=SAMPLE.len()).find(|at| SAMPLE.is_char_boundary(*at)).unwrap_or(0);
        let end = ((start + cut).min(SAMPLE.len())..=SAMPLE.len()).find(|at| SAMPLE.is_char_boundary(*at)).unwrap_or(start);
        read(&format!("{}{}{}", &SAMPLE[..start], words.concat(), &SAMPLE[end..]));
    }
}

use std::fmt::Write as _;

use crate::{
    error::{RenderOptions, SourceId, Sources, render_all},
    template::{hcl::parse, syntax::ExprKind},
};

/// Cases by name; a name may end with the number of mistakes in brackets, one otherwise.
fn cases() -> Vec<(&'static str, usize, &'static str)> {
    let cases = include_str!("../testdata/broken.txt").split("=== ").skip(1).map(|case| {
        let (name, text) = case.split_once('\n').expect("a case has a name");
        let count =
            name.split_once(" (").map_or(1, |(_, count)| count.trim_end_matches(')').parse().expect("a number"));
        let text = if name.ends_with("at the end of the text") { text.trim_end() } else { text };
        (name, count, text)
    });
    cases.collect()
}

#[test]
fn one_mistake_is_one_diagnostic() {
    let mut wrong = Vec::new();
    for (name, count, text) in cases() {
        let (_, problems) = parse(SourceId(0), text);
        if problems.len() != count {
            wrong.push((name, problems.len()));
        }
    }
    assert_eq!(wrong, []);
    assert!(cases().len() >= 80);
}

#[test]
fn messages_point_at_the_place_and_name_a_way_out() {
    let mut out = String::new();
    for (name, _, text) in cases() {
        let mut sources = Sources::new();
        let id = sources.add("t.tf", text);
        let (_, problems) = parse(id, text);
        let _ = writeln!(out, "=== {name}\n{}", render_all(&problems, &sources, RenderOptions::default()));
    }
    insta::assert_snapshot!(out);
}

/// What follows a broken item is read as if nothing had been wrong.
#[test]
fn the_last_attribute_survives() {
    for (name, _, text) in cases() {
        let Some(last) = text.trim_end().lines().last().filter(|line| *line == "c = 3" || *line == "size = 1") else {
            continue;
        };
        let (body, _) = parse(SourceId(0), text);
        let wanted = last.split_once(" = ").map(|(word, _)| word).expect("an attribute");
        let attribute = body.attribute(wanted);
        assert!(
            attribute.is_some_and(|attribute| matches!(attribute.expr.kind, ExprKind::Literal(_))),
            "{name}: {attribute:?}"
        );
    }
}

#[test]
fn a_broken_attribute_is_still_there() {
    let (body, _) = parse(SourceId(0), "a = 1 +\nb = 'x'\n");
    assert!(body.attribute("a").is_some_and(|attribute| attribute.expr.is_invalid()));
    assert_eq!(body.attribute("b").and_then(|attribute| attribute.expr.as_string()), Some("x"));
}

#[test]
fn an_unclosed_block_does_not_swallow_the_next() {
    let (body, _) = parse(SourceId(0), "resource \"a\" \"b\" {\n  x = 1\n\nresource \"c\" \"d\" {\n  x = 2\n}\n");
    assert_eq!(body.blocks.len(), 2);
    assert_eq!(body.blocks[1].label(0), Some("c"));
}

#[test]
fn the_first_of_two_equal_names_is_kept() {
    let few = "a = 1\na = 2\n".to_owned();
    let many = (0..40).fold("a = 1\n".to_owned(), |text, idx| format!("{text}x{idx} = 1\n")) + "a = 2\n";
    for text in [few, many] {
        let (body, problems) = parse(SourceId(0), &text);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].code, "syntax.duplicate_attribute");
        assert_eq!(body.attributes.iter().filter(|attribute| attribute.name.as_str() == "a").count(), 1);
        assert_eq!(body.attribute("a").map(|attribute| attribute.span.start), Some(0));
    }
}

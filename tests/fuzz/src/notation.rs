//! Readers and printers of the notations.

use stackwright::{
    error::{Diagnostic, Diagnostics as _, RenderOptions, SourceId, render_all},
    template::{
        Files, Notation, Options, Template, VariableArgument, VariableSources, gather_variables, hcl,
        resolve_variables, syntax::Body,
    },
};

use crate::text;

pub(crate) fn hcl(data: &[u8]) {
    let text = text(data);
    let Some(body) = sound(Notation::Hcl, &text) else {
        assert!(hcl::format(&text).is_err(), "what has a mistake is not laid out");
        return;
    };
    printed(Notation::Hcl, &text, &body);
    let laid_out = hcl::format(&text).expect("no mistake");
    let again = hcl::format(&laid_out).expect("laying out makes no mistake");
    assert_eq!(again, laid_out, "laying out twice is laying out once");
    let (after, problems) = Notation::Hcl.parse(SourceId(0), &laid_out);
    assert!(problems.is_empty(), "laying out makes no mistake: {problems:?}");
    // Old spellings become new ones, which JSON does not tell apart, but for those of types.
    assert_eq!(with_old_types(&after), with_old_types(&body), "laying out changes no meaning");
}

/// The body as JSON, with the types of variables as they were written before they had elements.
fn with_old_types(body: &Body) -> String {
    let mut text = Notation::Json.print(body);
    for kind in ["list", "map", "set"] {
        for element in ["any", "string"] {
            text = text.replace(&format!("\"type\": \"{kind}({element})\""), &format!("\"type\": \"{kind}\""));
        }
    }
    text
}

pub(crate) fn json(data: &[u8]) {
    let text = text(data);
    if let Some(body) = sound(Notation::Json, &text) {
        printed(Notation::Json, &text, &body);
    }
}

pub(crate) fn yaml(data: &[u8]) {
    let text = text(data);
    if let Some(body) = sound(Notation::Yaml, &text) {
        printed(Notation::Yaml, &text, &body);
    }
}

/// Files of values, in both notations, and values from the command line.
pub(crate) fn values(data: &[u8]) {
    let text = text(data);
    let declared = "variable \"a\" {}\nvariable \"b\" {\n  type = object({ x = optional(number, 1), y = list(string) })\n}\nvariable \"c\" {\n  type = number\n}\n";
    let name = if text.trim_start().starts_with('{') { "x.auto.tfvars.json" } else { "x.auto.tfvars" };
    let files = Files::from_texts([("main.tf", declared), (name, text.as_str())]);
    let (template, problems) = Template::parse(&files, &Options::default());
    assert!(problems.is_empty(), "nothing is wrong with what is declared: {problems:?}");
    let mut texts = template.sources().clone();
    let mut sources = VariableSources::default();
    let argument = |text: &str| VariableArgument::Text { name: "b".to_owned(), text: text.to_owned() };
    sources.arguments.extend(text.lines().next().map(argument));
    let (raw, mut problems) = gather_variables(&sources, &files, &mut texts);
    let (_, more) = resolve_variables(template.root(), &raw);
    problems.extend(more);
    let _ = render_all(&problems, &texts, RenderOptions { color: false });
}

/// Reads a text; returns its body where it has no mistake.
fn sound(notation: Notation, text: &str) -> Option<Body> {
    let (body, problems) = notation.parse(SourceId(0), text);
    placed(text, &problems);
    (!problems.has_errors()).then_some(body)
}

/// Every problem has a place, inside of the text and between characters.
fn placed(text: &str, problems: &[Diagnostic]) {
    for problem in problems {
        for label in &problem.labels {
            if label.span.source != SourceId(0) {
                continue;
            }
            let range = label.span.start as usize..label.span.end as usize;
            assert!(text.get(range).is_some(), "{problem:?} points outside of the text");
        }
    }
}

/// What is printed in any notation reads as what it was.
fn printed(from: Notation, text: &str, body: &Body) {
    let expected = Notation::Json.print(body);
    let is_sound = is_sound(from, text);
    for notation in Notation::ALL {
        // What is a mistake in HCL (an argument among blocks) may be something else in JSON.
        if notation != from && !is_sound {
            continue;
        }
        // Blocks of resource types are arguments where the types are not known.
        if notation == Notation::Hcl && from != Notation::Hcl {
            continue;
        }
        let printed = notation.print(body);
        let (read, problems) = notation.parse(SourceId(0), &printed);
        assert!(problems.is_empty(), "{notation:?} cannot read what it printed: {problems:?}\n{printed}");
        assert_eq!(Notation::Json.print(&read), expected, "{notation:?} changes the meaning\n{printed}");
    }
}

/// Returns whether a template of this text has no mistake, other than that nothing is known of what it names.
fn is_sound(notation: Notation, text: &str) -> bool {
    let path = match notation {
        Notation::Json => "main.tf.json",
        Notation::Yaml => "main.tf.yaml",
        _ => "main.tf",
    };
    let (_, problems) = Template::parse(&Files::from_texts([(path, text)]), &Options::default());
    !problems.has_errors()
}
